"""How fast a bot may write, when the stand-in is told to hold it to Telegram's pace: 429 with `retry_after`.

Telegram's own figures are soft and half documented: about one message a second to a chat, 20 a minute to a group, 30 a
second in all. Here they are hard, and off until somebody turns them on.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from tradehook_sandbox.telegram.shapes import ApiError

if TYPE_CHECKING:
    from datetime import datetime

    from tradehook_sandbox.telegram.shapes import Json

SECOND: Final = timedelta(seconds=1)
MINUTE: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Pace:
    """How much is allowed; 0 is no limit."""

    chat_per_second: int = 0
    group_per_minute: int = 0
    overall_per_second: int = 0

    def as_json(self) -> Json:
        """The pace as the person's side reads it."""
        return {
            "chat_per_second": self.chat_per_second,
            "group_per_minute": self.group_per_minute,
            "overall_per_second": self.overall_per_second,
        }


class PaceKeeper:
    """Counts what bots write, and refuses what is too much. What is refused does not count."""

    def __init__(self) -> None:
        """Nothing is limited."""
        self.pace = Pace()
        self._written: dict[tuple[int, int], deque[datetime]] = {}

    def set(self, pace: Pace) -> None:
        """From now on this is the pace; what was written before is forgotten."""
        self.pace = pace
        self._written.clear()

    def check(self, bot_id: int, chat_id: int, now: datetime) -> None:
        """The bot may write to this chat now, and that counts.

        Raises:
            ApiError: 429, with the whole seconds until it may.
        """
        limits = [
            ((bot_id, 0), self.pace.overall_per_second, SECOND),
            ((bot_id, chat_id), self.pace.chat_per_second, SECOND),
        ]
        if chat_id < 0:
            limits.append(((bot_id, chat_id), self.pace.group_per_minute, MINUTE))
        waits = [self._wait(key, most, within, now) for key, most, within in limits if most]
        if waits and max(waits) > timedelta():
            seconds = max(math.ceil(max(waits).total_seconds()), 1)
            raise ApiError(429, f"Too Many Requests: retry after {seconds}", retry_after=seconds)
        for key in {key for key, most, _ in limits if most}:
            self._written.setdefault(key, deque()).append(now)

    def _wait(self, key: tuple[int, int], most: int, within: timedelta, now: datetime) -> timedelta:
        written = self._written.setdefault(key, deque())
        while written and now - written[0] >= MINUTE:
            written.popleft()
        recent = [moment for moment in written if now - moment < within]
        return timedelta() if len(recent) < most else recent[-most] + within - now
