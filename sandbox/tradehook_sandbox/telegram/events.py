"""What happened in the chats, numbered, for the person's side to follow.

Every event holds the message as it was then, so a reader that comes late still sees each step of an edited message.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from tradehook_sandbox.telegram.shapes import Json

KEPT = 20_000  # a sandbox may run for weeks; the newest are what a reader can still want


class EventLog:
    """Numbered events, oldest first. Numbers start at 1 and never repeat within one run."""

    def __init__(self) -> None:
        """Nothing has happened."""
        self._events: deque[Json] = deque(maxlen=KEPT)
        self.last = 0

    def add(self, kind: str, *, bot_id: int, chat_id: int, at: datetime, details: Json) -> int:
        """The event is readable; returns its number."""
        self.last += 1
        self._events.append(
            {"number": self.last, "kind": kind, "bot": bot_id, "chat": chat_id, "at": at.isoformat(), **details}
        )
        return self.last

    def after(self, since: int, *, bot_id: int | None = None, chats: Collection[int] | None = None) -> list[Json]:
        """The events numbered above `since`, of one bot or of some chats where asked.

        A `since` beyond the last event comes from before a restart of the sandbox, and reads as 0.
        """
        if since > self.last:
            since = 0
        # The newest events are at the right, and readers are nearly always close behind.
        fresh: list[Json] = []
        for event in reversed(self._events):
            if event["number"] <= since:
                break
            if bot_id in (None, event["bot"]) and (chats is None or event["chat"] in chats):
                fresh.append(event)
        fresh.reverse()
        return fresh
