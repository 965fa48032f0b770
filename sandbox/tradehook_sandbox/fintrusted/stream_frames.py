"""How FinTrusted's stream may write frames: four styles, one of them by default, since nobody knows the real one.

Pure: from text to what somebody wants, and from what there is to say to JSON. See: fintrusted-api 9.2 and 9.3.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

from tradehook.wire import decode_json
from tradehook_sandbox.fintrusted.coins import PAIRS, Pair
from tradehook_sandbox.fintrusted.shapes import render

if TYPE_CHECKING:
    from tradehook_sandbox.fintrusted.rules import FinTrustedRules
    from tradehook_sandbox.fintrusted.stream_rules import StreamIntervals, StreamProfile, StreamSymbols

Verb = Literal["subscribe", "unsubscribe", "ping", "pong", "auth"]
Kind = Literal["snapshot", "update"]

LARGEST_FRAME: Final = 65_536
"""Characters that are read of one frame."""
_SIGNS: Final = {"slash": "/", "concat": "", "underscore": "_", "dash": "-"}
FAMILY: Final = {
    "1m": "1min",
    "5m": "5min",
    "15m": "15min",
    "30m": "30min",
    "1h": "1hour",
    "4h": "4hour",
    "1d": "1day",
    "1w": "1week",
    "1M": "1month",
}
_CHANNEL: Final = re.compile(
    r"(depth|trades|ticker|kline)\.([A-Za-z0-9/_-]{2,40}?)(?:\.([0-9A-Za-z]{1,10}))?", re.ASCII
)
_PRIVATE: Final = ("orders", "account")


class UnreadableError(Exception):
    """A frame that nothing can be made of; the text may be told."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a frame asks for."""

    verb: Verb
    channels: tuple[str, ...] = ()
    number: Any = None
    """What it is called, for its answer."""
    token: str = ""
    beat: Any = None
    """What a ping carried."""


@dataclass(frozen=True, slots=True)
class Channel:
    """One channel, understood."""

    name: str
    """As it was written."""
    kind: str
    coin: str = ""
    interval: str = ""

    @property
    def is_private(self) -> bool:
        """Whether it tells of one account alone."""
        return self.kind in _PRIVATE


def symbol(pair: Pair, style: StreamSymbols) -> str:
    """A market as a channel's name has it."""
    text = f"{pair.base}{_SIGNS[style.removesuffix('_lower')]}{pair.quote}"
    return text.lower() if style.endswith("_lower") else text


def interval_name(interval: str, style: StreamIntervals) -> str:
    """An interval as a channel's name has it."""
    if style == "short":
        return interval
    return "mon" if style == "mon" and interval == "1M" else FAMILY[interval]


def read_channel(name: str, rules: FinTrustedRules) -> Channel | None:
    """What a channel's name means; `None` where there is no such channel."""
    if name in _PRIVATE:
        return Channel(name, name)
    match = _CHANNEL.fullmatch(name)
    if match is None or (match[1] == "kline") is not bool(match[3]):
        return None
    pairs = (pair for pair in PAIRS.values() if symbol(pair, rules.stream_symbols) == match[2])
    coin = next((pair.base for pair in pairs), None)
    interval = next((one for one in FAMILY if interval_name(one, rules.stream_intervals) == match[3]), "")
    if coin is None or (match[3] and not interval):
        return None
    return Channel(name, match[1], coin, interval)


class Style(Protocol):
    """One way of writing frames. What `read` cannot make anything of raises `UnreadableError`."""

    def read(self, frame: dict[str, Any]) -> Wish:
        """What somebody wants."""
        ...

    def done(self, wish: Wish) -> list[dict[str, Any]]:
        """The answer to what was done."""
        ...

    def refused(self, wish: Wish | None, code: int, message: str) -> dict[str, Any]:
        """The answer to what was not done."""
        ...

    def ping(self, at: int) -> dict[str, Any]:
        """A frame that asks for a pong."""
        ...

    def pong(self, wish: Wish, at: int) -> dict[str, Any]:
        """The answer to a ping."""
        ...

    def data(self, channel: str, kind: Kind, seq: int, at: int, data: Any) -> dict[str, Any]:
        """What a channel tells."""
        ...


class OpArgs:
    """`{"op": "subscribe", "args": [...]}`."""

    def read(self, frame: dict[str, Any]) -> Wish:
        """A wish."""
        verb = frame.get("op")
        if verb in ("subscribe", "unsubscribe"):
            return Wish(verb, _names(frame.get("args")), frame.get("id"))
        if verb == "auth":
            tokens = frame.get("args")
            if not isinstance(tokens, list) or len(tokens) != 1 or not isinstance(tokens[0], str):
                raise UnreadableError("auth needs args with one token")
            return Wish("auth", number=frame.get("id"), token=tokens[0])
        if verb in ("ping", "pong"):
            return Wish(verb, number=frame.get("id"), beat=frame.get("ts"))
        raise UnreadableError("op should be subscribe, unsubscribe, auth, ping or pong")

    def done(self, wish: Wish) -> list[dict[str, Any]]:
        """The answer to what was done. Never repeats a token."""
        args = {} if wish.verb == "auth" else {"args": list(wish.channels)}
        return [{"op": wish.verb, "success": True, **args, **_called(wish)}]

    def refused(self, wish: Wish | None, code: int, message: str) -> dict[str, Any]:
        """The answer to what was not."""
        verb = wish.verb if wish else "error"
        return {"op": verb, "success": False, "code": code, "message": message, **_called(wish)}

    def ping(self, at: int) -> dict[str, Any]:
        """Asks for a pong."""
        return {"op": "ping", "ts": at}

    def pong(self, wish: Wish, at: int) -> dict[str, Any]:
        """Answers a ping with what it carried."""
        return {"op": "pong", "ts": at if wish.beat is None else wish.beat}

    def data(self, channel: str, kind: Kind, seq: int, at: int, data: Any) -> dict[str, Any]:
        """What a channel tells."""
        return {"channel": channel, "type": kind, "ts": at, "seq": seq, "data": data}


class MethodParams:
    """`{"method": "SUBSCRIBE", "params": [...], "id": 1}`; neither kind nor number with the data."""

    def read(self, frame: dict[str, Any]) -> Wish:
        """A wish."""
        if "pong" in frame:
            return Wish("pong", beat=frame["pong"])
        verb = frame.get("method")
        if verb in ("SUBSCRIBE", "UNSUBSCRIBE"):
            return Wish(
                "subscribe" if verb == "SUBSCRIBE" else "unsubscribe", _names(frame.get("params")), frame.get("id")
            )
        if verb == "PING":
            return Wish("ping", number=frame.get("id"))
        raise UnreadableError("method should be SUBSCRIBE, UNSUBSCRIBE or PING")

    def done(self, wish: Wish) -> list[dict[str, Any]]:
        """The answer to what was done."""
        return [{"result": None, "id": wish.number}]

    def refused(self, wish: Wish | None, code: int, message: str) -> dict[str, Any]:
        """The answer to what was not."""
        return {"error": {"code": code, "msg": message}, "id": wish.number if wish else None}

    def ping(self, at: int) -> dict[str, Any]:
        """Asks for a pong."""
        return {"ping": at}

    def pong(self, wish: Wish, at: int) -> dict[str, Any]:
        """Answers a ping."""
        return {"method": "PONG", "id": wish.number, "ts": at}

    def data(self, channel: str, _kind: Kind, _seq: int, _at: int, data: Any) -> dict[str, Any]:
        """What a channel tells."""
        return {"stream": channel, "data": data}


class TypeChannel:
    """`{"type": "subscribe", "channel": "..."}`, one channel in a frame."""

    def read(self, frame: dict[str, Any]) -> Wish:
        """A wish."""
        verb = frame.get("type")
        if verb in ("subscribe", "unsubscribe"):
            return Wish(verb, _names([frame.get("channel")]), frame.get("id"))
        if verb in ("ping", "pong"):
            return Wish(verb, beat=frame.get("time"))
        raise UnreadableError("type should be subscribe, unsubscribe, ping or pong")

    def done(self, wish: Wish) -> list[dict[str, Any]]:
        """The answer to what was done."""
        return [{"type": f"{wish.verb}d", "channel": name, **_called(wish)} for name in wish.channels]

    def refused(self, wish: Wish | None, code: int, message: str) -> dict[str, Any]:
        """The answer to what was not."""
        return {"type": "error", "content": {"code": code, "msg": message}, **_called(wish)}

    def ping(self, at: int) -> dict[str, Any]:
        """Asks for a pong."""
        return {"type": "ping", "time": str(at)}

    def pong(self, wish: Wish, at: int) -> dict[str, Any]:
        """Answers a ping with what it carried."""
        return {"type": "pong", "time": str(at) if wish.beat is None else wish.beat}

    def data(self, channel: str, kind: Kind, _seq: int, at: int, data: Any) -> dict[str, Any]:
        """What a channel tells."""
        word = "Snapshot" if kind == "snapshot" else "Changed"
        content = {"dataType": word, "channel": channel, "data": data}
        return {"type": "quote-event", "channel": channel, "content": content, "ts": at}


class EventChannel:
    """`{"event": "subscribe", "channel": "..."}`."""

    def read(self, frame: dict[str, Any]) -> Wish:
        """A wish."""
        verb = frame.get("event")
        if verb in ("subscribe", "unsubscribe"):
            return Wish(verb, _names([frame.get("channel")]), frame.get("id"))
        if verb in ("ping", "pong"):
            return Wish(verb, beat=frame.get("ts"))
        raise UnreadableError("event should be subscribe, unsubscribe, ping or pong")

    def done(self, wish: Wish) -> list[dict[str, Any]]:
        """The answer to what was done."""
        return [{"event": f"{wish.verb}d", "channel": name, **_called(wish)} for name in wish.channels]

    def refused(self, wish: Wish | None, code: int, message: str) -> dict[str, Any]:
        """The answer to what was not."""
        return {"event": "error", "code": code, "message": message, **_called(wish)}

    def ping(self, at: int) -> dict[str, Any]:
        """Asks for a pong."""
        return {"event": "ping", "ts": at}

    def pong(self, wish: Wish, at: int) -> dict[str, Any]:
        """Answers a ping with what it carried."""
        return {"event": "pong", "ts": at if wish.beat is None else wish.beat}

    def data(self, channel: str, kind: Kind, seq: int, at: int, data: Any) -> dict[str, Any]:
        """What a channel tells."""
        return {"event": kind, "channel": channel, "ts": at, "seq": seq, "data": data}


STYLES: Final[dict[StreamProfile, Style]] = {
    "op_args": OpArgs(),
    "method_params": MethodParams(),
    "type_channel": TypeChannel(),
    "event_channel": EventChannel(),
}


def read_frame(text: str, style: Style) -> Wish:
    """What somebody sent.

    Raises:
        UnreadableError: nothing can be made of it.
    """
    if len(text) > LARGEST_FRAME:
        raise UnreadableError("the frame is too large")
    try:
        frame = decode_json(text.encode())
    except (ValueError, ArithmeticError):
        raise UnreadableError("the frame is not JSON") from None
    if not isinstance(frame, dict):
        raise UnreadableError("the frame is not a JSON object")
    if not isinstance(frame.get("id"), str | int | None):
        raise UnreadableError("id should be a text or a number")
    return style.read(frame)


def write_frame(frame: dict[str, Any], rules: FinTrustedRules) -> str:
    """A frame as text; its data as text within it where a switch says so."""
    name = next((name for name in ("data", "content") if name in frame), None)
    if rules.stream_payload == "text" and name is not None:
        frame = {**frame, name: render(frame[name], rules)}
    return render(frame, rules)


def _names(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not all(isinstance(name, str) for name in value):
        raise UnreadableError("channels should be a list of names")
    return tuple(dict.fromkeys(value))


def _called(wish: Wish | None) -> dict[str, Any]:
    return {} if wish is None or wish.number is None else {"id": wish.number}
