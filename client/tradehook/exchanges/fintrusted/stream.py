"""FinTrusted's stream of prices: what it says becomes `PriceUpdate`s, and what it left out is told.

Kept open, and come back to, by `listening.py`. After every connection the channels begin anew: a book from its first
plate, candles from those that the stream sends at the start of a subscription. Nothing else can fill a gap of candles,
as no request asks for them: whether the stream may be relied on for it says the setting `stream_candle_gap`, and a
candle that stays missing is told as a `PriceGap`, never passed over. See: fintrusted-api 9.
"""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from tradehook import listening
from tradehook.errors import (
    ConfigurationError,
    Disconnected,
    EdgeBlocked,
    Forbidden,
    InvalidInput,
    RateLimited,
    Rejected,
    ResponseError,
    TradehookError,
    Unauthorized,
    Unavailable,
)
from tradehook.exchanges.fintrusted import parse_stream, stream_frames
from tradehook.exchanges.fintrusted.envelope import EXCHANGE
from tradehook.exchanges.fintrusted.parse_stream import Control, Frame
from tradehook.listening import Heard, Lost, Profile
from tradehook.prices import PriceGap, PriceUpdate, Topic

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Sequence
    from decimal import Decimal

    from tradehook.exchanges.fintrusted.dialect import Dialect
    from tradehook.exchanges.fintrusted.stream_frames import Wanted
    from tradehook.line import Line
    from tradehook.prices import Kline, PublicTrade
    from tradehook.wire import Response

News = tuple["PriceUpdate | PriceGap", ...]

SILENCE_SECONDS: Final = 60.0
_SURE_AFTER: Final = 8
"""How many numbers must have followed each other before one left out means a loss: they may count something else."""
_MOST_CROSSED: Final = 3
_MOST_LEVELS: Final = 5_000
_PASSING: Final = ("429", "418", "3005")


@dataclass(slots=True)
class _Ear:
    """What is known of one channel."""

    wanted: Wanted
    number: int | None = None
    in_order: int = 0
    """How many numbers have followed each other."""
    bids: dict[Decimal, Decimal] | None = None
    """`None` until the first whole plate."""
    asks: dict[Decimal, Decimal] = field(default_factory=dict)
    crossed: int = 0
    has_begun: bool = False
    """Whether something was heard since the connection was made."""
    newest: list[PublicTrade] = field(default_factory=list)
    """The trades of the last moment of which one was told."""
    closed_at: datetime | None = None
    """When the newest candle began that is closed, and was told."""
    open_bar: Kline | None = None
    tells_closed: bool = False
    """Whether this stream says when a candle is closed."""


class Reader:
    """Reads one stream over all its connections."""

    def __init__(
        self,
        channels: Sequence[Wanted],
        dialect: Dialect,
        *,
        now: Callable[[], datetime],
        on_unknown: Callable[[Any], None] | None = None,
    ) -> None:
        """Make one.

        Args:
            channels: what was subscribed to.
            dialect: how this FinTrusted is spoken to.
            now: the time, for what comes without its own.
            on_unknown: is given every frame that nothing could be made of.
        """
        self.unknown = 0
        """Frames that nothing could be made of."""
        self._dialect = dialect
        self._now = now
        self._on_unknown = on_unknown
        self._ears = {channel.name: _Ear(channel) for channel in channels}
        # A stream may write its channels in another letter case than they were asked for.
        self._by_case = {name.casefold(): ear for name, ear in self._ears.items()}

    def begin(self) -> None:
        """Another connection: what was half known is forgotten."""
        for ear in self._ears.values():
            ear.number, ear.bids, ear.has_begun, ear.open_bar = None, None, False, None
            ear.asks = {}

    def read(self, message: Any) -> News | None:
        """What a message says.

        Raises:
            Disconnected: something was left out, so that only another connection helps.
            TradehookError: it is a refusal.
        """
        try:
            frame = parse_stream.read_frame(message)
        except (ValueError, ArithmeticError):
            frame = None
        if isinstance(frame, Control):
            if frame.is_refusal:
                raise _refused(frame)
            return None
        ear = None if frame is None else self._ears.get(frame.channel) or self._by_case.get(frame.channel.casefold())
        if frame is None or ear is None:
            self.unknown += 1
            if self._on_unknown is not None:
                self._on_unknown(message)
            return None
        if not self._is_next(ear, frame):
            return None
        at = self._at(frame)
        is_first, ear.has_begun = not ear.has_begun, True
        match ear.wanted.topic:
            case Topic.KLINES:
                return self._bars(ear, frame, at=at, is_first=is_first)
            case Topic.DEPTH:
                return self._plate(ear, frame, at=at)
            case Topic.TRADES:
                return self._trades(ear, frame, at=at, is_first=is_first)
            case _:
                item = parse_stream.day(frame.content, ear.wanted.market[0])
                return (PriceUpdate(topic=Topic.PRICE_CANDLES, item=item, at=at),)

    def _at(self, frame: Frame) -> datetime:
        return parse_stream.moment(frame.at, zone=self._dialect.server_tz) or self._now()

    def _is_next(self, ear: _Ear, frame: Frame) -> bool:
        """Whether the frame is new. Raises `Disconnected` when one before it was left out."""
        before, ear.number = ear.number, frame.number if frame.number is not None else ear.number
        if frame.number is None or before is None or self._dialect.stream_seq == "ignore":
            return True
        if frame.number == before + 1:
            ear.in_order += 1
            return True
        was_sure, ear.in_order = ear.in_order >= _SURE_AFTER, 0
        if not was_sure or frame.kind == "snapshot":
            return True
        if frame.number <= before:
            ear.number, ear.in_order = before, _SURE_AFTER
            return False
        raise Disconnected(
            f"The stream left out {frame.number - before - 1} messages of {ear.wanted.name}.", exchange=EXCHANGE
        )

    def _trades(self, ear: _Ear, frame: Frame, *, at: datetime, is_first: bool) -> News:
        """Trades; what a connection begins with may repeat some."""
        zone = self._dialect.server_tz
        found = parse_stream.trades(frame.content, market=ear.wanted.market, zone=zone, now=at)
        if is_first and ear.newest:
            since = ear.newest[-1].at
            found = [trade for trade in found if trade.at >= since and trade not in ear.newest]
        if found:
            ear.newest = [trade for trade in (*ear.newest, *found) if trade.at == found[-1].at]
        return tuple(PriceUpdate(topic=Topic.TRADES, item=trade, at=at, is_reread=is_first) for trade in found)

    # --- books ----------------------------------------------------------------------------------------------------

    def _plate(self, ear: _Ear, frame: Frame, *, at: datetime) -> News | None:
        bids, asks = parse_stream.sides(frame.content)
        is_change = frame.kind == "update" and self._dialect.stream_depth == "by_type"
        if is_change and ear.bids is None:
            return None  # What it changes was never heard.
        if is_change:
            _merge(ear.bids or {}, bids)
            _merge(ear.asks, asks)
        elif parse_stream.is_one_sided(frame.content):
            ear.bids = _offered(bids) if bids else ear.bids or {}
            ear.asks = _offered(asks) if asks else ear.asks
        else:
            ear.bids, ear.asks = _offered(bids), _offered(asks)
        held = ear.bids or {}
        if is_change and (
            (held and ear.asks and max(held) >= min(ear.asks)) or len(held) + len(ear.asks) > _MOST_LEVELS
        ):
            ear.crossed += 1
            raise _impossible_book(ear)
        item = parse_stream.depth(ear.wanted.market, held, ear.asks)
        return (PriceUpdate(topic=Topic.DEPTH, item=item, at=at),)

    # --- candles --------------------------------------------------------------------------------------------------

    def _bars(self, ear: _Ear, frame: Frame, *, at: datetime, is_first: bool) -> News:
        found = parse_stream.bars(
            frame.content, market=ear.wanted.market, interval=ear.wanted.interval, zone=self._dialect.server_tz
        )
        is_from_snapshot = is_first and len(found) > 1
        may_fill = self._dialect.stream_candle_gap == "snapshot" or ear.closed_at is None
        said: list[PriceUpdate | PriceGap] = []
        for number, bar in enumerate(found):
            ear.tells_closed = ear.tells_closed or bar.is_closed is not None
            has_follower = number + 1 < len(found)
            is_closed = bar.is_closed if bar.is_closed is not None else has_follower
            kline = bar.kline
            if kline.is_closed is not is_closed:
                kline = kline.model_copy(update={"is_closed": is_closed})
            if ear.closed_at is not None and kline.opened_at <= ear.closed_at:
                continue
            if is_from_snapshot and is_closed and not may_fill:
                continue
            said += self._bar(ear, kline, at=at, is_reread=is_from_snapshot)
        return tuple(said)

    def _bar(self, ear: _Ear, kline: Kline, *, at: datetime, is_reread: bool) -> list[PriceUpdate | PriceGap]:
        """A candle, after the one before it where only now it is known to be closed, and after what is missing."""
        said: list[PriceUpdate | PriceGap] = []
        before, ear.open_bar = ear.open_bar, None if kline.is_closed else kline
        if before is not None and not ear.tells_closed and before.opened_at < kline.opened_at:
            # This stream says of no candle that it is closed: the beginning of the next one does.
            said += self._close(ear, before.model_copy(update={"is_closed": True}), at=at, is_reread=is_reread)
        if kline.is_closed:
            return said + self._close(ear, kline, at=at, is_reread=is_reread)
        said += self._missing(ear, kline, at=at)
        return [*said, PriceUpdate(topic=Topic.KLINES, item=kline, at=at, is_reread=is_reread)]

    def _close(self, ear: _Ear, kline: Kline, *, at: datetime, is_reread: bool) -> list[PriceUpdate | PriceGap]:
        said = self._missing(ear, kline, at=at)
        ear.closed_at = kline.opened_at
        return [*said, PriceUpdate(topic=Topic.KLINES, item=kline, at=at, is_reread=is_reread)]

    def _missing(self, ear: _Ear, kline: Kline, *, at: datetime) -> list[PriceUpdate | PriceGap]:
        """What is said of candles between the last closed one and this one; said once."""
        if ear.closed_at is None:
            return []
        expected = parse_stream.following(kline.interval, ear.closed_at)
        if kline.opened_at <= expected:
            return []
        length = expected - ear.closed_at
        count = max(1, round((kline.opened_at - expected) / length))
        ear.closed_at = kline.opened_at - length
        market = "/".join(ear.wanted.market)
        reason = (
            f"{count} {kline.interval} candles of {market} before {kline.opened_at:%Y-%m-%d %H:%M} UTC are missing: "
            "the stream did not tell them, and nothing else does."
        )
        return [PriceGap(reason=reason, again_in_seconds=0.0, at=at)]


def _merge(levels: dict[Decimal, Decimal], changes: dict[Decimal, Decimal]) -> None:
    for price, quantity in changes.items():
        if quantity:
            levels[price] = quantity
        else:
            levels.pop(price, None)


def _offered(levels: dict[Decimal, Decimal]) -> dict[Decimal, Decimal]:
    return {price: quantity for price, quantity in levels.items() if quantity}


def _impossible_book(ear: _Ear) -> TradehookError:
    """A book that cannot be was put together wrongly: another connection helps once or twice."""
    if ear.crossed < _MOST_CROSSED:
        return Disconnected(f"The book of {ear.wanted.name} became one that cannot be.", exchange=EXCHANGE)
    return ConfigurationError(
        f"The book of {ear.wanted.name} cannot be, for the third time. It seems that this stream sends whole books "
        "where it speaks of changes: set TRADEHOOK_FINTRUSTED_STREAM_DEPTH=replace."
    )


def _refused(said: Control) -> TradehookError:
    """What it did not like: what we sent, which is final, or its own state, which passes."""
    reason = said.text or said.code or "no reason given"
    if said.code in _PASSING or (len(said.code) == 3 and said.code.startswith("5")):
        return Unavailable(f"FinTrusted's stream failed on its side: {reason}.", status=503, exchange=EXCHANGE)
    return Rejected(f"FinTrusted's stream said no: {reason}.", status=400, exchange=EXCHANGE)


def refusal(response: Response) -> TradehookError:
    """The error that an answer to the handshake stands for, when it is no WebSocket."""
    status = response.status
    is_page = "html" in response.headers.get("content-type", "")
    said = f"FinTrusted's stream answered with status {status}"
    details: dict[str, Any] = {"status": status, "exchange": EXCHANGE}
    if status in (429, 418):
        return RateLimited(f"{said}: too many connections.", **details)
    if status >= 500:
        return Unavailable(f"{said}.", **details)
    if is_page and status in (403, 503):
        return EdgeBlocked(f"{said} and a page: something in front of it lets no program in.", **details)
    kind: type[ResponseError] = {401: Unauthorized, 403: Forbidden}.get(status, Rejected)
    return kind(f"{said}, and not with a stream. See TRADEHOOK_FINTRUSTED_STREAM_URL.", **details)


def check_topics(words: Collection[Topic | str]) -> tuple[Topic, ...]:
    """The topics by these names. Raises `InvalidInput`."""
    known = stream_frames.TOPICS
    try:
        found = tuple(dict.fromkeys(Topic(word) for word in words))
    except ValueError:
        found = ()
    if not found or not set(found) <= set(known):
        raise InvalidInput(
            f"There is no such topic: there is {', '.join(known)}.", suggestions=tuple(known), exchange=EXCHANGE
        )
    return found


def check_intervals(words: Collection[str]) -> tuple[str, ...]:
    """The intervals by these names. Raises `InvalidInput`."""
    found = tuple(dict.fromkeys(words))
    if not found or not set(found) <= set(stream_frames.INTERVALS):
        raise InvalidInput(
            f"There is no such interval: there is {', '.join(stream_frames.INTERVALS)}.",
            suggestions=stream_frames.INTERVALS,
            exchange=EXCHANGE,
        )
    return found


async def watch(
    line: Line,
    channels: Sequence[Wanted],
    *,
    url: str,
    dialect: Dialect,
    reread: Callable[[], Awaitable[News]] | None = None,
    on_unknown: Callable[[Any], None] | None = None,
) -> AsyncGenerator[PriceUpdate | PriceGap, None]:
    """What the channels say, until nobody asks for more.

    Args:
        line: how the stream is reached.
        channels: what to hear of.
        url: where it is.
        dialect: how this FinTrusted is spoken to.
        reread: reads beside the stream what it would have said, after every connection.
        on_unknown: is given every frame that nothing could be made of.

    Raises:
        TradehookError: the stream refuses us, or could not be opened at all.
    """
    speech = stream_frames.SPEECHES[dialect.stream_profile]

    def now() -> datetime:
        return datetime.fromtimestamp(line.now(), UTC)

    reader = Reader(channels, dialect, now=now, on_unknown=on_unknown)

    async def begin() -> News | None:
        reader.begin()
        return await reread() if reread is not None else None

    profile: Profile[News] = Profile(
        exchange=EXCHANGE,
        url=url,
        subscriptions=stream_frames.subscriptions(channels, speech),
        read=reader.read,
        refusal=refusal,
        silence_seconds=SILENCE_SECONDS,
        heartbeat=speech.heartbeat,
        answer=lambda message: stream_frames.answer(message, speech),
    )
    async with aclosing(listening.listen(line, profile, reread=begin)) as heard:
        async for said in heard:
            if isinstance(said, Lost):
                yield PriceGap(reason=said.reason.message, again_in_seconds=said.again_in_seconds, at=now())
            elif isinstance(said, Heard):
                for one in said.item:
                    yield one
