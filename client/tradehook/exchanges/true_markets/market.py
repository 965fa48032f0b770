"""True Markets' market data: what everybody may read without a key. See: truemarkets-api 14.

Prices of assets (`BTC`) come from the chains' markets, prices of books (`BTC/PYUSD`) from the exchange's own. People
write either; how each endpoint spells it is in `SPELLINGS`.
"""

from __future__ import annotations

from contextlib import aclosing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypeVar

from tradehook import listening
from tradehook.amounts import parse_market, parse_symbol
from tradehook.errors import InvalidInput, NotFound
from tradehook.exchanges.true_markets import parse, sizing, stream, windows
from tradehook.exchanges.true_markets import parse_market as read
from tradehook.listening import Lost
from tradehook.prices import (
    MarketCap,
    PriceGap,
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

    from tradehook.session import Session

Item = TypeVar("Item")
Venue = Literal["defi", "cefi"]

SPELLINGS: Final[dict[Venue, str]] = {"defi": "{base}", "cefi": "{base}-USD"}
"""How a market is named where; orders, feeds and reference prices have yet other names (truemarkets-api 13, #28)."""
_ROOTS: Final[dict[Venue, str]] = {"defi": "/v1/defi/market", "cefi": "/v1/cefi/market"}
_AT_ONCE: Final = 50
"""Symbols in one request."""
_MOST_CAPS: Final = 1_000


class Named(NamedTuple):
    """What somebody wants prices of."""

    base: str
    venue: Venue

    @property
    def spelled(self) -> str:
        """As the endpoints of its venue want it."""
        return SPELLINGS[self.venue].format(base=self.base)

    @classmethod
    def parse(cls, text: str) -> Named:
        """Read `BTC`, `BTC/PYUSD`, `BTC-USD` or `BTC|USD`: a bare symbol is the asset, a pair the exchange's book.

        Raises:
            InvalidInput: it is neither, or the pair is not in dollars.
        """
        word = text.strip().replace("|", "/")
        if "/" not in word and "-" not in word:
            return cls(parse_symbol(word), "defi")
        base, quote = parse_market(word)
        if quote not in sizing.DOLLARS:
            raise InvalidInput(
                f"Prices are told in dollars, not in {quote}.", suggestions=(base, f"{base}/{sizing.BOOK_CURRENCY}")
            )
        return cls(base, "cefi")


class MarketData:
    """Prices at True Markets. Sends no token, but draws on the same request budget as everything else."""

    def __init__(self, session: Session, *, base_url: str) -> None:
        """Make one over a session, whose line and budget it uses."""
        self._session = session
        self._base_url = base_url

    async def ticker(self, symbol: str) -> Ticker:
        """What an asset costs now. Of a pair, the asset's price: of the book itself there is only `history`.

        Raises:
            InvalidInput: it is not a symbol.
            NotFound: nothing is known of it.
        """
        base = Named.parse(symbol).base
        return await self._read(
            "defi",
            "/prices",
            [("symbol", base)],
            lambda body: read.ticker(body, symbol=base, told_at=self._now()),
            what=base,
        )

    async def history(self, symbol: str, *, window: str = "24h", resolution: str | None = None) -> PriceHistory:
        """Prices over a window that ends now.

        Args:
            symbol: an asset (`BTC`), or a book (`BTC/PYUSD`).
            window: `1h`, `24h`, `7d`, `1M`; at most `365d`. `M` is a month, `m` a minute.
            resolution: how far apart the points are; without one, so that there are a few hundred at most.

        Raises:
            InvalidInput: one of them is not what it should be; `suggestions` says what to type instead.
            NotFound: nothing is known of the symbol.
        """
        named = Named.parse(symbol)
        window = windows.check_window(window)
        step = windows.check_resolution(resolution, window=window)
        return await self._read(
            named.venue,
            "/prices/history",
            [("symbol", named.spelled), ("window", window), ("resolution", step)],
            lambda body: read.history(body, symbol=named.base, venue=named.venue, window=window, resolution=step),
            what=named.spelled,
        )

    async def histories(
        self, symbols: Sequence[str], *, window: str = "24h", resolution: str | None = None
    ) -> list[PriceHistory]:
        """The same of several assets at once; one that fails has a `problem` and no points, and stops no other."""
        bases = tuple(dict.fromkeys(Named.parse(symbol).base for symbol in symbols))
        window = windows.check_window(window)
        step = windows.check_resolution(resolution, window=window)
        found: list[PriceHistory] = []
        for start in range(0, len(bases), _AT_ONCE):
            some = bases[start : start + _AT_ONCE]
            found += await self._read(
                "defi",
                "/prices/history/batch",
                [("symbols", ",".join(some)), ("window", window), ("resolution", step)],
                lambda body, some=some: read.histories(  # type: ignore[misc]
                    body, symbols=some, venue="defi", window=window, resolution=step
                ),
                what=", ".join(some),
            )
        return found

    async def price_at(self, symbol: str, at: datetime) -> PricePoint:
        """The last price at or before a moment, with the moment it is from.

        Raises:
            InvalidInput: the time has no zone, or has not come yet.
            NotFound: nothing is known of the symbol, or nothing so far back.
        """
        base = Named.parse(symbol).base
        if at.tzinfo is None:
            raise InvalidInput("A time needs its zone: which moment it means is not clear without.")
        if at.timestamp() > self._session.server_now() + 1:
            raise InvalidInput(f"{at.isoformat()[:25]} has not come yet.")
        return await self._read(
            "defi",
            "/prices/history/point",
            [("symbol", base), ("timestamp", str(int(at.timestamp())))],
            read.point,
            what=base,
        )

    async def price_range(self, symbol: str, *, window: str = "24h") -> PriceRange:
        """The lowest and the highest price of a window; symbols and windows as in `history`."""
        named = Named.parse(symbol)
        window = windows.check_window(window)
        return await self._read(
            named.venue,
            "/prices/range",
            [("symbol", named.spelled), ("window", window)],
            lambda body: read.price_range(body, symbol=named.base, venue=named.venue, window=window),
            what=named.spelled,
        )

    async def market_cap(self, symbol: str) -> MarketCap:
        """What all of an asset is worth. Raises `NotFound`."""
        base = Named.parse(symbol).base
        return await self._read("defi", "/market-data/market-cap", [("symbol", base)], read.market_cap, what=base)

    async def market_caps(self, *, limit: int = 10) -> list[MarketCap]:
        """The same of the largest, largest first."""
        if not 1 <= limit <= _MOST_CAPS:
            raise InvalidInput(f"{limit} is not a number of assets: ask for 1 to {_MOST_CAPS}.")
        return await self._read("defi", "/market-data/market-caps", [("limit", str(limit))], read.market_caps)

    async def watch(
        self, symbols: Collection[str] = (), *, topics: Collection[Topic | str] = (Topic.PRICE_CANDLES,)
    ) -> AsyncGenerator[PriceUpdate | PriceGap, None]:
        """What changes, as the exchange pushes it, about every two seconds; ends when nobody asks for more.

        After every connection the candles of these symbols are read beside the stream and come first, marked
        `is_reread`. A lost connection is told as a `PriceGap` and comes back by itself.

        Args:
            symbols: which assets; all of them when left out, but then nothing can be read anew after a gap.
            topics: what to hear of.

        Raises:
            InvalidInput: a symbol or topic is none.
            NotFound: nothing is known of a symbol.
            TradehookError: the stream refuses us, or could not be opened at all.
        """
        bases = tuple(dict.fromkeys(Named.parse(symbol).base for symbol in symbols))
        wanted = _topics(topics)

        async def reread() -> tuple[PriceUpdate, ...] | None:
            return await self._candles(bases) if Topic.PRICE_CANDLES in wanted else None

        profile = stream.profile(self._base_url, topics=wanted, symbols=frozenset(bases))
        async with aclosing(listening.listen(self._session.line, profile, reread=reread)) as heard:
            async for said in heard:
                if isinstance(said, Lost):
                    yield PriceGap(reason=said.reason.message, again_in_seconds=said.again_in_seconds, at=self._now())
                    continue
                for update in said.item:
                    yield update

    async def _candles(self, symbols: Sequence[str]) -> tuple[PriceUpdate, ...]:
        tickers = [await self.ticker(symbol) for symbol in symbols]
        return tuple(
            PriceUpdate(topic=Topic.PRICE_CANDLES, item=candle, at=ticker.told_at, is_reread=True)
            for ticker in tickers
            for candle in ticker.candles
        )

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._session.server_now(), UTC)

    async def _read(
        self,
        venue: Venue,
        path: str,
        params: list[tuple[str, str]],
        understand: Callable[[Any], Item],
        *,
        what: str = "",
    ) -> Item:
        request = Request("GET", f"{self._base_url}{_ROOTS[venue]}{path}", params=tuple(params))
        try:
            return await self._session.read(
                request, lambda response: understand(parse.accepted(response, 200)), is_anonymous=True
            )
        except NotFound:
            raise NotFound(
                f"True Markets knows no prices of {what or 'anything'}.", status=404, exchange=parse.EXCHANGE
            ) from None


def _topics(words: Collection[Topic | str]) -> tuple[Topic, ...]:
    try:
        wanted = tuple(dict.fromkeys(Topic(word) for word in words))
    except ValueError:
        wanted = ()
    if not wanted or not set(wanted) <= set(stream.TOPICS):
        raise InvalidInput(
            f"There is no such topic: there is {', '.join(stream.TOPICS)}.", suggestions=tuple(stream.TOPICS)
        )
    return wanted
