"""How FinTrusted's stream may be spoken to, as data: four profiles, eight ways of writing a market, three of intervals.

Which of them is right is not known; the settings `stream_profile`, `stream_symbol_style` and `stream_intervals` choose.
See: fintrusted-api 9.2 and 9.3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import urlsplit

from tradehook.errors import ConfigurationError
from tradehook.prices import Topic
from tradehook.wire import encode_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tradehook.exchanges.fintrusted.dialect import Dialect

PATH: Final = "/ws"
LIVE: Final = "wss://stream.fintrusted.com"
_VENDOR: Final = "fintrusted.com"
INTERVALS: Final = ("1m", "5m", "15m", "30m", "1h", "4h", "1d", "1w", "1M")
_FAMILY: Final = dict(
    zip(INTERVALS, ("1min", "5min", "15min", "30min", "1hour", "4hour", "1day", "1week", "1month"), strict=True)
)
_SPELLINGS: Final[Mapping[str, Mapping[str, str]]] = {
    "short": dict(zip(INTERVALS, INTERVALS, strict=True)),
    "family": _FAMILY,
    "mon": {**_FAMILY, "1M": "mon"},
}
_SIGNS: Final = {"slash": "/", "concat": "", "underscore": "_", "dash": "-"}
_KINDS: Final[Mapping[Topic, str]] = {
    Topic.PRICE_CANDLES: "ticker",
    Topic.KLINES: "kline",
    Topic.TRADES: "trades",
    Topic.DEPTH: "depth",
}
TOPICS: Final = tuple(_KINDS)
"""What it can be asked for."""
_CHANNELS_AT_ONCE: Final = 50


@dataclass(frozen=True, slots=True)
class Speech:
    """One way of writing frames."""

    verb_name: str
    """Under which name a frame says what it wants."""
    subscribe: str
    channels: Literal["args", "params", "channel"]
    """Where the channels stand; `channel` holds one."""
    number: Literal["text", "number", "none"]
    heartbeat: str
    """What is said now and then; empty where the WebSocket's own pings must do."""


SPEECHES: Final[Mapping[str, Speech]] = {
    "op_args": Speech("op", "subscribe", "args", "text", '{"op":"ping"}'),
    "method_params": Speech("method", "SUBSCRIBE", "params", "number", ""),
    "type_channel": Speech("type", "subscribe", "channel", "none", '{"type":"ping"}'),
    "event_channel": Speech("event", "subscribe", "channel", "none", '{"event":"ping"}'),
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """One channel that somebody listens to."""

    name: str
    topic: Topic
    market: tuple[str, str]
    interval: str = ""


def address(base_url: str, dialect: Dialect) -> str:
    """Where the stream is that belongs to a host.

    Raises:
        ConfigurationError: it would be listened to in clear text, where real money may follow what it says.
    """
    is_secret = base_url.startswith("https:")
    host = urlsplit(base_url).hostname or ""
    is_vendors = host == _VENDOR or host.endswith(f".{_VENDOR}")
    url = dialect.stream_url or (LIVE if is_vendors else f"ws{base_url.removeprefix('http')}{PATH}")
    if is_secret and not url.startswith("wss:"):
        raise ConfigurationError(
            "TRADEHOOK_FINTRUSTED_STREAM_URL begins with ws://: anybody on the way could make up its prices. "
            "Set one that begins with wss://."
        )
    return url


def wanted(
    markets: Sequence[tuple[str, str]], topics: Sequence[Topic], intervals: Sequence[str], dialect: Dialect
) -> list[Wanted]:
    """The channels of these topics of these markets."""
    sign, spellings = _SIGNS[dialect.stream_symbol_style.removesuffix("_lower")], _SPELLINGS[dialect.stream_intervals]
    found = []
    for market in markets:
        symbol = sign.join(market)
        symbol = symbol.lower() if dialect.stream_symbol_style.endswith("_lower") else symbol
        for topic in topics:
            name = f"{_KINDS[topic]}.{symbol}"
            if topic is Topic.KLINES:
                found += [Wanted(f"{name}.{spellings[one]}", topic, market, one) for one in intervals]
            else:
                found.append(Wanted(name, topic, market))
    return found


def subscriptions(channels: Sequence[Wanted], speech: Speech) -> tuple[str, ...]:
    """What is said to hear of these channels."""
    names = [channel.name for channel in channels]
    size = 1 if speech.channels == "channel" else _CHANNELS_AT_ONCE
    frames = []
    for number, start in enumerate(range(0, len(names), size), 1):
        part = names[start : start + size]
        frame: dict[str, Any] = {speech.verb_name: speech.subscribe}
        frame[speech.channels] = part[0] if speech.channels == "channel" else part
        if speech.number != "none":
            frame["id"] = str(number) if speech.number == "text" else number
        frames.append(encode_json(frame).decode())
    return tuple(frames)


def answer(message: Any, speech: Speech) -> str | None:
    """What a ping is answered with at once; `None` for everything else."""
    if not isinstance(message, dict):
        return None
    if "ping" in message:
        # So in every profile: the look-alikes that ask in this way want it back in the same.
        return encode_json({"pong": _plain(message["ping"])}).decode()
    if str(message.get(speech.verb_name)).lower() == "ping":
        rest = {name: _plain(value) for name, value in message.items() if name in ("ts", "time", "id")}
        return encode_json({speech.verb_name: "pong", **rest}).decode()
    return None


def _plain(value: Any) -> Any:
    """Numbers and words go back as they came; anything else is not repeated."""
    return value if isinstance(value, int | str) and len(str(value)) <= 64 else None
