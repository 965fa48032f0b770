"""The request budget: so many requests in a window of 60 seconds, per key.

The window starts with its first request and ends 60 s later, which is what the two headers say: how many are left in
it, and the epoch second at which it ends. See: truemarkets-api 11 (the real window's shape is not known).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

WINDOW_SECONDS: Final = 60.0
ANONYMOUS: Final = "anonymous"


@dataclass(slots=True)
class Window:
    """One key's current window."""

    started: float
    used: int = 0


class RateLimit:
    """Counts requests per key."""

    def __init__(self, most: int) -> None:
        self.most = most
        """Requests in a window; 0 counts nothing."""
        self._windows: dict[str, Window] = {}

    def count(self, key_id: str, *, now: float) -> bool:
        """Whether one more request is allowed; one that is not leaves no trace."""
        if not self.most:
            return True
        window = self._window(key_id, now=now)
        if window.used >= self.most:
            return False
        window.used += 1
        return True

    def headers(self, key_id: str, *, now: float) -> dict[str, str]:
        """The two headers of every response; none while nothing is counted."""
        if not self.most:
            return {}
        window = self._window(key_id, now=now)
        return {
            "x-ratelimit-remaining": str(self.most - window.used),
            "x-ratelimit-reset": str(math.ceil(window.started + WINDOW_SECONDS)),
        }

    def _window(self, key_id: str, *, now: float) -> Window:
        window = self._windows.get(key_id)
        # A clock that was turned back starts a new window rather than a very long one.
        if window is None or not 0 <= now - window.started < WINDOW_SECONDS:
            window = self._windows[key_id] = Window(started=now)
        return window
