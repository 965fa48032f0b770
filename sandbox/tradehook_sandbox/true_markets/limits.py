"""The request budget: so many requests in a window of 60 seconds, per key.

The window starts with its first request and ends 60 s later, which is what the two headers say: how many are left in
it, and the epoch second at which it ends. See: truemarkets-api 11 (the real window's shape is not known).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tradehook_sandbox.true_markets.calls import Refusal

if TYPE_CHECKING:
    from tradehook_sandbox.true_markets.rules import Rules

WINDOW_SECONDS: Final = 60.0
ANONYMOUS: Final = "anonymous"


@dataclass(slots=True)
class Window:
    """One key's current window."""

    started: float
    used: int = 0


def budget_headers(rules: Rules, *, remaining: int, back: float, now: float) -> dict[str, str]:
    """How many requests are left, and when the budget is whole again: at that second, or in so many.

    Args:
        rules: how the headers are written.
        remaining: what is left.
        back: when it is whole again, in seconds since 1970.
        now: likewise.
    """
    seconds = math.ceil(back - now) if rules.reset_header == "delta" else math.ceil(back)
    return {"x-ratelimit-remaining": str(remaining), "x-ratelimit-reset": str(seconds)}


def waiting_header(rules: Rules, *, back: float, now: float) -> dict[str, str]:
    """How long to wait, for an answer 429; nothing unless the rules ask for it."""
    return {"retry-after": str(max(1, math.ceil(back - now)))} if rules.retry_after else {}


class RateLimit:
    """Counts requests per key."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._windows: dict[str, Window] = {}

    def count(self, key_id: str, *, now: float) -> bool:
        """Whether one more request is allowed; one that is not leaves no trace."""
        if not self._rules.rate_limit:
            return True
        window = self._window(key_id, now=now)
        if window.used >= self._rules.rate_limit:
            return False
        window.used += 1
        return True

    def headers(self, key_id: str, *, now: float) -> dict[str, str]:
        """The two headers of every response; none while nothing is counted."""
        if not self._rules.rate_limit:
            return {}
        window = self._window(key_id, now=now)
        return budget_headers(
            self._rules, remaining=self._rules.rate_limit - window.used, back=window.started + WINDOW_SECONDS, now=now
        )

    def refusal(self, key_id: str, *, now: float) -> Refusal:
        """The answer to one request too many."""
        back = self._window(key_id, now=now).started + WINDOW_SECONDS
        return Refusal(429, "rate limit exceeded", headers=waiting_header(self._rules, back=back, now=now))

    def _window(self, key_id: str, *, now: float) -> Window:
        window = self._windows.get(key_id)
        # A clock that was turned back starts a new window rather than a very long one.
        if window is None or not 0 <= now - window.started < WINDOW_SECONDS:
            window = self._windows[key_id] = Window(started=now)
        return window
