"""What somebody at the market-data WebSocket has subscribed to, and the answers to what they send.

Anything may come in; every message gets exactly one answer, and an answer never quotes what came in raw. Knows nothing
of sockets. See: truemarkets-api 15.
"""

from __future__ import annotations

from typing import Any, Final

from tradehook.wire import decode_json
from tradehook_sandbox.true_markets.calls import shown

PATH: Final = "/v1/defi/market"
TOPICS: Final = ("price_candles", "trending_assets", "surging_assets", "reference_prices")
ALL: Final = "all"


class Subscription:
    """One connection's topics."""

    def __init__(self) -> None:
        self._topics: set[str] = set()

    @property
    def topics(self) -> tuple[str, ...]:
        """What is pushed: never the wildcard, always the topics it stands for."""
        return tuple(topic for topic in TOPICS if ALL in self._topics or topic in self._topics)

    def answer(self, text: str | None, *, now: int) -> dict[str, Any]:
        """Do what a message asks for, and return the answer.

        Args:
            text: the message; `None` for one that was not text.
            now: seconds since 1970.
        """
        if text is None:
            return _error("text frames only", "a binary frame was sent", now=now)
        try:
            content = decode_json(text.encode())
        except (ValueError, ArithmeticError):
            return _error("invalid message", "not valid JSON", now=now)
        if not isinstance(content, dict):
            return _error("invalid message", "not a JSON object", now=now)
        kind, topics = content.get("type"), content.get("topics")
        if kind not in ("subscribe", "unsubscribe"):
            return _error("invalid type", f"expected subscribe or unsubscribe, not {shown(kind)}", now=now)
        if not isinstance(topics, list) or not topics:
            return _error("invalid topics", "expected a list of topics", now=now)
        for topic in topics:
            if topic != ALL and topic not in TOPICS:
                expected = ", ".join((*TOPICS, ALL))
                return _error("invalid topic", f"expected some of {expected}, not {shown(topic)}", now=now)
        return self._change(str(kind), list(dict.fromkeys(topics)), now=now)

    def _change(self, kind: str, topics: list[str], *, now: int) -> dict[str, Any]:
        status, message = "success", f"{kind}d"
        if kind == "subscribe":
            self._topics.update(topics)
        elif ALL not in self._topics and not self._topics.intersection(topics):
            status, message = "error", "not subscribed"
        else:
            # While the wildcard stands, a single topic that is taken away is still pushed.
            self._topics.difference_update(topics)
        return {"type": kind, "status": status, "timestamp": now, "message": message, "topics": topics}


def push(topic: str, data: list[dict[str, Any]], *, now: int) -> dict[str, Any]:
    """One batch of a topic."""
    return {"type": topic, "status": "success", "timestamp": now, "topics": [topic], "data": data}


def _error(message: str, error: str, *, now: int) -> dict[str, Any]:
    return {"type": "error", "status": "error", "timestamp": now, "message": message, "error": error}
