"""How many requests may leave, so that the exchange never has to say no.

A sliding window with two lanes: reads may use all but a reserve, and money (orders, cancels,
executes, tokens) may use everything, so that polling never starves a cancel. What the
server says in its headers wins over our own count, because other programs may share the key.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tradehook.wire import Lane, Response

_EPOCH_SECONDS = 1_000_000_000
"""Above this a reset header is a point in time, below it a number of seconds (truemarkets-api 11)."""


@dataclass
class Budget:
    """Permits for one key. Safe for threads; `now` is monotonic seconds, given by the caller."""

    requests: int = 95
    window_seconds: float = 60.0
    reserve: int = 10
    """Permits that reads leave for money."""
    _sent: deque[float] = field(default_factory=deque, init=False, repr=False)
    _closed_until: float = field(default=0.0, init=False, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def take(self, lane: Lane, *, now: float) -> float:
        """Take a permit and return 0, or return the seconds after which to ask again."""
        with self._lock:
            while self._sent and self._sent[0] <= now - self.window_seconds:
                self._sent.popleft()
            if now < self._closed_until:
                return self._closed_until - now
            allowed = self._allowed(lane)
            if len(self._sent) < allowed:
                self._sent.append(now)
                return 0.0
            return max(self._sent[len(self._sent) - allowed] + self.window_seconds - now, 0.01)

    def left(self, *, now: float, lane: Lane = "money") -> int:
        """How many permits are left for a lane in this window; for money, that is the reserve as well."""
        with self._lock:
            used = sum(1 for at in self._sent if at > now - self.window_seconds)
            return max(self._allowed(lane) - used, 0)

    def _allowed(self, lane: Lane) -> int:
        return self.requests - (self.reserve if lane == "read" else 0)

    def learn(self, response: Response, *, now: float, server_now: float) -> None:
        """Close the window early when the server says that nothing is left.

        Args:
            response: any answer of the exchange.
            now: monotonic seconds.
            server_now: seconds since 1970 by the server's clock, to read a reset given as a time.
        """
        remaining = _number(response.headers.get("x-ratelimit-remaining"))
        if response.status != 429 and (remaining is None or remaining > 0):
            return
        wait = reset_seconds(response, server_now=server_now)
        with self._lock:
            self._closed_until = max(self._closed_until, now + min(wait, self.window_seconds))


def reset_seconds(response: Response, *, server_now: float) -> float:
    """How long the server asks to wait: `Retry-After`, else the reset header in either form, else 1 s."""
    for name in ("retry-after", "x-ratelimit-reset"):
        value = _number(response.headers.get(name))
        if value is not None:
            return max(value - server_now, 0.1) if value > _EPOCH_SECONDS else max(value, 0.1)
    return 1.0


def _number(text: str | None) -> float | None:
    """A header's number; seconds and counts only, never money."""
    try:
        seconds = float(text) if text is not None else None
    except ValueError:
        return None
    return seconds if seconds is not None and math.isfinite(seconds) else None
