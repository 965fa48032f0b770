"""The sandbox's time: a source of seconds plus an offset that tests and the admin may move.

Nothing in the sandbox sleeps or sets a timer. Whatever is due happens when the next request looks at this clock.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from email.utils import formatdate
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

MICROS: Final = 1_000_000
"""Microseconds in a second. Inside the sandbox a moment is a whole number of microseconds since 1970."""

FROZEN_START: Final = 1_790_000_000.0
"""Where a frozen clock starts: 2026-09-21T14:13:20Z, the second of the reference's test vector."""

LARGEST_OFFSET_SECONDS: Final = 10 * 366 * 86_400.0
"""An offset beyond ten years is refused: dates must stay within what the wire can write."""


class Clock:
    """Unix time that can be moved. Thread-safe as far as one assignment is."""

    def __init__(self, source: Callable[[], float] = time.time, *, offset: float = 0.0) -> None:
        self._source = source
        self.offset = offset

    @classmethod
    def frozen(cls, at: float = FROZEN_START) -> Clock:
        """A clock that stands still until somebody advances it."""
        return cls(lambda: at)

    def now(self) -> float:
        """Seconds since 1970, UTC."""
        return self._source() + self.offset

    def advance(self, seconds: float) -> None:
        """Let this much time pass at once. Negative seconds turn the clock back."""
        self.set_offset(self.offset + seconds)

    def set_offset(self, seconds: float) -> None:
        """Put the clock this far from its source.

        Raises:
            ValueError: more than ten years.
        """
        # Written this way round so that NaN is refused as well.
        if not -LARGEST_OFFSET_SECONDS <= seconds <= LARGEST_OFFSET_SECONDS:
            raise ValueError("the clock can be moved ten years at most")
        self.offset = seconds


def micros(seconds: float) -> int:
    """Seconds as whole microseconds."""
    return round(seconds * MICROS)


def rfc3339(at_micros: int) -> str:
    """A moment as the exchange writes it: UTC, microseconds, `Z`."""
    whole, rest = divmod(at_micros, MICROS)
    return f"{datetime.fromtimestamp(whole, tz=UTC):%Y-%m-%dT%H:%M:%S}.{rest:06d}Z"


def http_date(seconds: float) -> str:
    """A moment for a `Date` header."""
    return formatdate(seconds, usegmt=True)
