"""From a frame of FinTrusted's stream to what it says. Pure; nothing of it is published, so much is understood.

Which part of a frame is the channel, which the content, and what a field is called is looked for under every name that
a look-alike gives it. What cannot be made anything of is `None`, for the caller to count: an unknown frame ends no
stream. A known channel with a figure that cannot be true is `UnexpectedResponse`. See: fintrusted-api 9.3.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from tradehook.exchanges.fintrusted import parse
from tradehook.exchanges.fintrusted.envelope import safe_text, unexpected
from tradehook.prices import Depth, DepthLevel, Kline, PriceCandle, PublicTrade
from tradehook.wire import decode_json

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timezone

Sides = tuple[dict["Decimal", "Decimal"], dict["Decimal", "Decimal"]]
"""Bids and asks: what is offered at each price."""

MOST_ROWS: Final = 5_000
JUST_NOW: Final = "0s"
"""The interval of a candle that is no more than the last price."""
_CHANNEL_NAMES: Final = ("channel", "topic", "stream", "ch", "destination")
_PAYLOAD_NAMES: Final = ("data", "content", "tick", "payload", "body")
_VERB_NAMES: Final = ("op", "event", "type", "method", "cmd")
_KIND_NAMES: Final = ("type", "event", "dataType", "action")
_NUMBER_NAMES: Final = ("seq", "sequence", "seqNum")
_TIME_NAMES: Final = ("ts", "time", "timestamp")
_CONTROL: Final = frozenset(
    {
        "subscribe", "subscribed", "unsubscribe", "unsubscribed", "ping", "pong", "error", "auth", "login",
        "connected", "welcome",
    }
)  # fmt: skip
_SNAPSHOTS: Final = frozenset({"snapshot", "partial"})
_UPDATES: Final = frozenset({"update", "delta", "changed"})
_OPEN: Final = ("open", "openPrice", "o")
_HIGH: Final = ("high", "highestPrice", "highPrice", "h")
_LOW: Final = ("low", "lowestPrice", "lowPrice", "l")
_CLOSE: Final = ("close", "closePrice", "c")
_VOLUME: Final = ("volume", "vol", "v")
_CLOSED: Final = ("closed", "isClosed", "confirm", "final", "x")
_PRICE: Final = ("price", "p", "px")
_AMOUNT: Final = ("amount", "quantity", "qty", "size", "volume", "q", "v")
_BIDS: Final = ("bids", "bid", "buy", "b")
_ASKS: Final = ("asks", "ask", "sell", "a")
_OPENED: Final = ("time", "t", "openTime", "ts", "timestamp")
_SECONDS_END: Final[int] = 10**11
_MILLISECONDS_END: Final[int] = 10**14
_LARGEST: Final = Decimal(10) ** 30
_LONGEST_MONTH: Final = 31 * 86_400
_STEPS: Final = {"m": 60, "h": 3_600, "d": 86_400, "w": 604_800}


class Control(NamedTuple):
    """A frame about the stream itself."""

    verb: str
    is_refusal: bool = False
    code: str = ""
    text: str = ""
    pong: Any = None
    """What a ping wants to hear again, and under which name it carried it."""


class Frame(NamedTuple):
    """A frame with content."""

    channel: str
    kind: Literal["snapshot", "update"] | None
    number: int | None
    at: object
    """The frame's own time, as it came."""
    content: Any


def read_frame(message: Any) -> Control | Frame | None:
    """What a message is; `None` for one that cannot be told.

    Raises:
        ValueError: content in a text is not JSON.
    """
    if not isinstance(message, dict):
        return None
    control = _control(message)
    if control is not None:
        return control
    channel = _channel(message)
    if channel is None:
        return None
    content = _content(message)
    kind = _kind(message)
    if isinstance(content, dict) and ("dataType" in content or (kind is None and "data" in content)):
        kind = _kind(content) or kind
        content = content.get("data", content)
    number = next((message[name] for name in _NUMBER_NAMES if type(message.get(name)) is int), None)
    at = next((message[name] for name in _TIME_NAMES if message.get(name) is not None), None)
    return Frame(channel, kind, number, at, content)


def _control(message: Mapping[str, Any]) -> Control | None:
    if "ping" in message:
        return Control("ping", pong=message["ping"])
    word = next(
        (
            word
            for name in _VERB_NAMES
            if isinstance(message.get(name), str) and (word := message[name].lower()) in _CONTROL
        ),
        None,
    )
    problem = message.get("error")
    if word is None and "id" in message and ("result" in message or problem is not None):
        word = "subscribed"
    if word is None:
        return None
    details = next((part for name in ("error", "content", "data") if isinstance(part := message.get(name), dict)), {})
    told = {**details, **message}
    code, text = told.get("code"), next((told[name] for name in ("message", "msg") if told.get(name)), problem)
    is_refusal = word == "error" or message.get("success") is False or bool(problem)
    return Control(word, is_refusal, safe_text(str(code or ""))[:20], safe_text(text))


def _channel(message: Mapping[str, Any]) -> str | None:
    for name in _CHANNEL_NAMES:
        if isinstance(message.get(name), str):
            return str(message[name])
    argument = message.get("arg")
    inner = argument.get("channel") if isinstance(argument, dict) else None
    return inner if isinstance(inner, str) else None


def _content(message: Mapping[str, Any]) -> Any:
    name = next((name for name in _PAYLOAD_NAMES if name in message), None)
    if name is None:
        known = {*_CHANNEL_NAMES, *_NUMBER_NAMES, "arg", "op", "event", "type", "method", "cmd"}
        return {name: value for name, value in message.items() if name not in known}
    content = message[name]
    return decode_json(content.encode()) if isinstance(content, str) else content


def _kind(message: Mapping[str, Any]) -> Literal["snapshot", "update"] | None:
    for name in _KIND_NAMES:
        word = message.get(name)
        if isinstance(word, str):
            if word.lower() in _SNAPSHOTS:
                return "snapshot"
            if word.lower() in _UPDATES:
                return "update"
    return None


def _rows(content: Any) -> list[Any]:
    if content is None:
        return []
    rows = content if isinstance(content, list) else [content]
    if len(rows) > MOST_ROWS:
        raise unexpected("a frame is too long")
    return rows


def _figure(row: Mapping[str, Any], names: tuple[str, ...]) -> Decimal | None:
    """The number under the first of these names that has one. Most are there under the first, and plain."""
    for name in names:
        value = row.get(name)
        if value is not None and (found := parse.number(value, name)) is not None:
            return found
    return None


def moment(value: object, *, zone: timezone) -> datetime | None:
    """A moment as `parse.time` reads it; milliseconds, which are usual, without detours."""
    if type(value) is int and _SECONDS_END <= value < _MILLISECONDS_END:
        return datetime.fromtimestamp(value / 1_000, UTC)
    return parse.time(value, zone=zone)


# --- what channels say --------------------------------------------------------------------------------------------


def day(content: Any, base: str) -> PriceCandle:
    """A ticker as the candle of the last day, or of the last price alone where no more is told."""
    rows = _rows(content)
    one = parse.thumb(rows[0], of=base) if len(rows) == 1 else None
    if one is None:
        raise unexpected("a ticker has no price")
    if one.open is None or one.high is None or one.low is None:
        return PriceCandle(symbol=base, interval=JUST_NOW, open=one.last, high=one.last, low=one.last, close=one.last)
    return PriceCandle(symbol=base, interval="24h", open=one.open, high=one.high, low=one.low, close=one.last)


def trades(content: Any, *, market: tuple[str, str], zone: timezone, now: datetime) -> list[PublicTrade]:
    """Trades, in the order in which they came."""
    found = []
    for row in _rows(content):
        body = parse.mapping(row)
        price, quantity = _figure(body, _PRICE), _figure(body, _AMOUNT)
        if price is None or quantity is None or price <= 0 or quantity <= 0:
            raise unexpected("a trade has no price or no amount")
        at = next((body[name] for name in ("time", "ts", "timestamp", "t", "T") if body.get(name) is not None), None)
        found.append(
            PublicTrade(
                symbol=market[0],
                quote=market[1],
                price=price,
                quantity=quantity,
                side=_side(body.get("direction", body.get("side"))),
                at=moment(at, zone=zone) or now,
            )
        )
    return found


def _side(value: Any) -> str | None:
    """Which side a trade was on, where it is told by a word; a number may mean either."""
    if isinstance(value, dict):
        value = value.get("name")
    word = value.lower() if isinstance(value, str) else ""
    return {"buy": "buy", "bid": "buy", "b": "buy", "sell": "sell", "ask": "sell", "s": "sell"}.get(word)


def sides(content: Any) -> Sides:
    """The levels of a book, or those that changed; what is gone has a quantity of 0."""
    body = parse.mapping(content)
    direction = _side(body.get("direction"))
    if direction is not None and "items" in body:
        levels = _levels(body["items"])
        return (levels, {}) if direction == "buy" else ({}, levels)
    found = [next((body[name] for name in names if name in body), None) for names in (_BIDS, _ASKS)]
    if found[0] is None and found[1] is None:
        raise unexpected("a book has no levels")
    return _levels(found[0]), _levels(found[1])


def is_one_sided(content: Any) -> bool:
    """Whether a plate is of one side alone, and says nothing of the other."""
    return isinstance(content, dict) and "items" in content and _side(content.get("direction")) is not None


def _levels(value: Any) -> dict[Decimal, Decimal]:
    if isinstance(value, dict) and "items" in value:
        value = value["items"]
    try:
        # Not by `parse.number`: there may be hundreds of them, many times a second. They are looked at together.
        found = {_plain(price): _plain(quantity) for price, quantity in map(_pair, _rows(value))}
        can_be = not found or (
            0 < min(found) <= max(found) < _LARGEST and 0 <= min(found.values()) <= max(found.values()) < _LARGEST
        )
    except (ArithmeticError, ValueError, TypeError, LookupError):
        raise unexpected("a level is not two numbers") from None
    if not can_be:
        raise unexpected("a level cannot be")
    return found


def _pair(row: Any) -> tuple[Any, Any]:
    """What stands for price and quantity in a level."""
    if type(row) is list:
        return row[0], row[1]
    body = parse.mapping(row)
    return _figure(body, _PRICE), _figure(body, _AMOUNT)


def _plain(value: Any) -> Decimal:
    """A figure as a number. Raises `ArithmeticError` or `TypeError` where it is none; NaN fails when compared."""
    if type(value) is str or type(value) is int:
        return Decimal(value)
    if type(value) is Decimal:
        return value
    raise TypeError


def depth(market: tuple[str, str], bids: Mapping[Decimal, Decimal], asks: Mapping[Decimal, Decimal]) -> Depth:
    """A book, best prices first."""
    return Depth(
        symbol=market[0],
        quote=market[1],
        bids=tuple(map(DepthLevel._make, sorted(bids.items(), reverse=True))),
        asks=tuple(map(DepthLevel._make, sorted(asks.items()))),
    )


class Bar(NamedTuple):
    """A candle, and whether it was told whether it is closed."""

    kline: Kline
    is_closed: bool | None


def bars(content: Any, *, market: tuple[str, str], interval: str, zone: timezone) -> list[Bar]:
    """Candles, oldest first: objects, or lists of time, open, high, low, close and volume."""
    rows = _rows(content)
    if rows and not isinstance(rows[0], list | dict):
        rows = [rows]
    found = [_bar(row, market=market, interval=interval, zone=zone) for row in rows]
    return sorted(found, key=lambda bar: bar.kline.opened_at)


def _bar(row: Any, *, market: tuple[str, str], interval: str, zone: timezone) -> Bar:
    closed: object = None
    if isinstance(row, list):
        if len(row) < 5:
            raise unexpected("a candle is too short")
        opened = row[0]
        figures = [parse.number(value, "a candle") for value in row[1:5]]
        volume = parse.number(row[5], "a candle") if len(row) > 5 else None
    else:
        body = parse.mapping(row)
        opened = next((body[name] for name in _OPENED if body.get(name) is not None), None)
        figures = [_figure(body, names) for names in (_OPEN, _HIGH, _LOW, _CLOSE)]
        volume = _figure(body, _VOLUME)
        closed = next((body[name] for name in _CLOSED if name in body), None)
    at = moment(opened, zone=zone)
    whole = [figure for figure in figures if figure is not None and figure > 0]
    if at is None or len(whole) < 4 or whole[1] < max(whole) or whole[2] > min(whole):
        raise unexpected("a candle has no time, or prices that cannot be")
    is_closed = closed if isinstance(closed, bool) else None
    kline = Kline(
        symbol=market[0],
        quote=market[1],
        interval=interval,
        opened_at=at,
        open=whole[0],
        high=whole[1],
        low=whole[2],
        close=whole[3],
        volume=volume,
        is_closed=bool(is_closed),
    )
    return Bar(kline, is_closed)


def following(interval: str, opened_at: datetime) -> datetime:
    """When the next candle begins, at the latest: months are of different lengths."""
    seconds = _LONGEST_MONTH if interval == "1M" else int(interval[:-1]) * _STEPS[interval[-1]]
    return opened_at + timedelta(seconds=seconds)
