"""FinTrusted's prices, which everybody may read: tickers, conversion, and the last day in small. See: fintrusted-api 5.

What is told of the past is a series for small charts, about a point an hour for one day. Nothing older exists, nothing
finer, and no market caps; asking for them is refused with a sentence that says what there is.
"""

from __future__ import annotations

import re
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar

from tradehook.amounts import parse_market
from tradehook.errors import InvalidInput, NotFound, Rejected
from tradehook.exchanges.fintrusted import envelope, parse, stream, stream_frames
from tradehook.prices import (
    MarketCap,
    PriceCandle,
    PriceHistory,
    PricePoint,
    PriceRange,
    PriceUpdate,
    Ticker,
    Topic,
)
from tradehook.wire import Request

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Collection, Sequence
    from decimal import Decimal

    from tradehook.exchanges.fintrusted.dialect import Dialect
    from tradehook.exchanges.fintrusted.parse import Point, Thumb
    from tradehook.prices import PriceGap
    from tradehook.session import Session

Item = TypeVar("Item")

DAY: Final = timedelta(days=1)
STEP: Final = timedelta(hours=1)
_WINDOW: Final = re.compile(r"([1-9]\d{0,4})([mhd])", re.ASCII)
_SECONDS: Final = {"m": 60, "h": 3_600, "d": 86_400}
_VENUE: Final = "cefi"
_YEARS: Final = (1990, 2200)


class MarketData:
    """Prices at FinTrusted. Sends no token, but draws on the same request budget as everything else."""

    def __init__(self, session: Session, *, base_url: str, dialect: Dialect) -> None:
        """Make one over a session, whose line and budget it uses."""
        self.session = session
        self.base_url = base_url
        self.dialect = dialect

    async def thumb(self, base: str) -> Thumb:
        """The ticker of one coin, in the currency that goes without saying.

        Raises:
            NotFound: nothing is known of it.
        """

        def understand(content: Any) -> Thumb | None:
            if content is None or content in ([], {}):
                return None
            rows = parse.extract_list(content) if isinstance(content, list) else [content]
            if isinstance(content, dict) and parse.thumb(content, of=base) is None:
                rows = parse.extract_list(content)
            found = next((one for row in rows if (one := parse.thumb(row, of=base)) is not None), None)
            if found is None:
                raise envelope.unexpected(f"there is no price of {base} in it")
            return found

        try:
            found = await self._read("/market/data/quotations/coin", [("coin", base.lower())], understand)
        except (NotFound, Rejected):
            found = None
        if found is None:
            raise _no_prices(base)
        return found

    async def thumbs(self) -> list[Thumb]:
        """Every ticker, each market once."""
        return await self._read("/market/data/quotations/home", [], parse.thumbs)

    async def convert(self, base: str, quote: str) -> Decimal | None:
        """What one of a coin is in another; `None` where the exchange has no rate for them."""
        params = [("fromUnit", base), ("toUnit", quote)]
        try:
            return await self._read("/market/convert/price", params, parse.rate)
        except (NotFound, Rejected):
            return None

    async def ticker(self, symbol: str) -> Ticker:
        """What an asset costs now, in USDT, and the day's candle where all of it is told.

        Raises:
            InvalidInput: it is not a symbol.
            NotFound: nothing is known of it.
        """
        base = named(symbol)
        one = await self.thumb(base)
        if one.quote != parse.QUOTE:
            raise _no_prices(base)
        candles: tuple[PriceCandle, ...] = ()
        if one.open is not None and one.high is not None and one.low is not None:
            candles = (
                PriceCandle(symbol=base, interval="24h", open=one.open, high=one.high, low=one.low, close=one.last),
            )
        return Ticker(symbol=base, price=one.last, candles=candles, told_at=self.now())

    async def history(self, symbol: str, *, window: str = "24h", resolution: str | None = None) -> PriceHistory:
        """The points of the last day's series that are in the window.

        Where they come without their times, one is taken for each whole hour up to now: an estimate.

        Raises:
            InvalidInput: what was asked for does not exist here; says what does.
            NotFound: nothing is known of the symbol.
        """
        found = (await self.histories([symbol], window=window, resolution=resolution))[0]
        if found.problem is not None:
            raise _no_prices(found.symbol)
        return found

    async def histories(
        self, symbols: Sequence[str], *, window: str = "24h", resolution: str | None = None
    ) -> list[PriceHistory]:
        """The same of several assets in one request; one that is not known has a `problem`, and stops no other."""
        bases = tuple(dict.fromkeys(named(symbol) for symbol in symbols))
        length = check_window(window)
        if resolution is not None and resolution.strip() != "1h":
            raise InvalidInput("FinTrusted tells about a point an hour: leave out the resolution.", suggestions=("1h",))
        known = await self._series()
        since = self.now() - length
        return [
            PriceHistory(
                symbol=base,
                venue=_VENUE,
                window=window.strip(),
                resolution="1h",
                points=tuple(point for point in known.get(base, ()) if point.at >= since),
                problem=None if base in known else f"FinTrusted knows no prices of {base}.",
            )
            for base in bases
        ]

    async def price_at(self, symbol: str, at: datetime) -> PricePoint:
        """The last point at or before a moment of the last day.

        Raises:
            InvalidInput: the time has no zone, or has not come yet.
            NotFound: nothing is known of the symbol, or nothing so far back.
        """
        base = named(symbol)
        if at.tzinfo is None:
            raise InvalidInput("A time needs its zone: which moment it means is not clear without.")
        if at > self.now() + timedelta(seconds=1):
            raise InvalidInput(f"{at.isoformat()[:25]} has not come yet.")
        known = await self._series()
        before = [point for point in known.get(base, ()) if point.at <= at]
        if not before:
            raise NotFound(
                f"FinTrusted tells no price of {base} so far back: only those of the last 24 hours."
                if base in known
                else f"FinTrusted knows no prices of {base}.",
                status=404,
                exchange=envelope.EXCHANGE,
            )
        return before[-1]

    async def price_range(self, symbol: str, *, window: str = "24h") -> PriceRange:
        """The lowest and the highest point of a window; an hour's own ups and downs are not in it."""
        history = await self.history(symbol, window=window)
        low, high = history.low, history.high
        if low is None or high is None:
            raise _no_prices(history.symbol)
        return PriceRange(
            symbol=history.symbol,
            venue=_VENUE,
            window=history.window,
            low=low.price,
            high=high.price,
            low_at=low.at,
            high_at=high.at,
        )

    async def market_cap(self, symbol: str) -> MarketCap:
        """Nothing: none are published. Raises `InvalidInput`."""
        named(symbol)
        _no_caps()

    async def market_caps(self, *, limit: int = 10) -> list[MarketCap]:  # noqa: ARG002 - there are none
        """Nothing: none are published. Raises `InvalidInput`."""
        _no_caps()

    async def watch(
        self,
        symbols: Collection[str] = (),
        *,
        topics: Collection[Topic | str] = (Topic.PRICE_CANDLES,),
        intervals: Collection[str] = ("1m",),
        on_unknown: Callable[[Any], None] | None = None,
    ) -> AsyncGenerator[PriceUpdate | PriceGap, None]:
        """What changes, as it is pushed, until nobody asks for more; see `stream.py`.

        After every connection tickers are read beside the stream, and come first, marked `is_reread`; books, trades
        and candles begin anew with what the stream says first. A lost connection is told as a `PriceGap` and comes
        back by itself; so is a candle that stays missing.

        Args:
            symbols: which assets; all of them when left out.
            topics: what to hear of.
            intervals: how long candles are, where candles are listened to.
            on_unknown: is given every frame that nothing could be made of.

        Raises:
            InvalidInput: a symbol, a topic or an interval is none.
            NotFound: nothing is known of a symbol.
            TradehookError: the stream refuses us, or could not be opened at all.
        """
        bases = list(dict.fromkeys(named(symbol) for symbol in symbols))
        wanted, lengths = stream.check_topics(topics), stream.check_intervals(intervals)
        url = stream_frames.address(self.base_url, self.dialect)
        markets = [(base, parse.QUOTE) for base in bases] or [
            (one.base, one.quote) for one in await self.thumbs() if one.quote == parse.QUOTE
        ]

        async def reread() -> tuple[PriceUpdate, ...]:
            return await self._candles([base for base, _ in markets]) if Topic.PRICE_CANDLES in wanted else ()

        said = stream.watch(
            self.session.line,
            stream_frames.wanted(markets, wanted, lengths, self.dialect),
            url=url,
            dialect=self.dialect,
            reread=reread,
            on_unknown=on_unknown,
        )
        async with aclosing(said):
            async for one in said:
                yield one

    async def _candles(self, bases: Sequence[str]) -> tuple[PriceUpdate, ...]:
        tickers = [await self.ticker(base) for base in bases]
        return tuple(
            PriceUpdate(topic=Topic.PRICE_CANDLES, item=candle, at=ticker.told_at, is_reread=True)
            for ticker in tickers
            for candle in ticker.candles
        )

    def now(self) -> datetime:
        """The exchange's time.

        Raises:
            UnexpectedResponse: its clock tells a year that cannot be.
        """
        at = self.session.judge(lambda: datetime.fromtimestamp(self.session.server_now(), UTC))
        if not _YEARS[0] <= at.year <= _YEARS[1]:
            raise envelope.unexpected("its clock tells a year that cannot be")
        return at

    async def _series(self) -> dict[str, tuple[PricePoint, ...]]:
        """The last day's points by coin, oldest first, each at its own moment."""
        told = await self._read(
            "/market/data/quotations/sparklines",
            [],
            lambda content: parse.sparklines(content, zone=self.dialect.server_tz),
        )
        now = self.now()
        return {base: _timed(points, now=now) for base, points in told.items() if points}

    async def _read(self, path: str, params: list[tuple[str, str]], understand: Callable[[Any], Item]) -> Item:
        return await self.session.read(
            Request("GET", self.base_url + path, params=tuple(params)),
            lambda response: understand(envelope.payload(response, self.dialect)),
            is_anonymous=True,
        )


def named(text: str) -> str:
    """The coin that somebody means by `BTC`, `btc` or `BTC/USDT`. Raises `InvalidInput`."""
    base, quote = parse_market(text.strip().replace("|", "/"), default_quote=parse.QUOTE)
    if quote != parse.QUOTE:
        raise InvalidInput(
            f"Prices are told in {parse.QUOTE}, not in {quote}.", suggestions=(base, f"{base}/{parse.QUOTE}")
        )
    return base


def check_window(text: str) -> timedelta:
    """A window's length.

    Raises:
        InvalidInput: it is none, or not within what the exchange tells.
    """
    match = _WINDOW.fullmatch(text.strip())
    length = timedelta(seconds=int(match[1]) * _SECONDS[match[2]]) if match else None
    if length is None or not STEP <= length <= DAY:
        raise InvalidInput(
            f"{text.strip()[:20]!r} is no window here: FinTrusted tells about a point an hour, of the last 24 hours. "
            "Write 1h to 24h.",
            suggestions=("24h",),
            exchange=envelope.EXCHANGE,
        )
    return length


def _timed(points: Sequence[Point], *, now: datetime) -> tuple[PricePoint, ...]:
    """Each point at its moment: its own, else the whole hours up to now, the last point at the last of them."""
    if all(point.at is not None for point in points):
        own = {point.at: PricePoint(at=point.at, price=point.price) for point in points if point.at is not None}
        return tuple(own[at] for at in sorted(own) if at <= now)
    hour = now.replace(minute=0, second=0, microsecond=0)
    last = len(points) - 1
    return tuple(PricePoint(at=hour - STEP * (last - index), price=point.price) for index, point in enumerate(points))


def _no_prices(what: str) -> NotFound:
    return NotFound(f"FinTrusted knows no prices of {what}.", status=404, exchange=envelope.EXCHANGE)


def _no_caps() -> NoReturn:
    raise InvalidInput("FinTrusted publishes no market caps.", exchange=envelope.EXCHANGE)
