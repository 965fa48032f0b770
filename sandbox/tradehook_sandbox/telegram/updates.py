"""A bot's queue of updates: at least once, in order, until the bot acknowledges.

An update leaves the queue only when a later `getUpdates` names a higher offset; a bot that dies in between sees it
again. See: https://core.telegram.org/bots/api#getting-updates
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from tradehook_sandbox.telegram.shapes import Json

KEPT_FOR = timedelta(hours=24)  # Telegram forgets an update that nobody fetched for a day
LARGEST_BATCH = 100
KEPT_FOR_REPLAY = 1000


@dataclass(frozen=True, slots=True)
class Update:
    """One update as it was when it happened; later edits of the message do not change it."""

    id: int
    kind: str
    content: Json
    queued_at: datetime

    def as_api(self) -> Json:
        """The Bot API's `Update`."""
        return {"update_id": self.id, self.kind: self.content}


class UpdateQueue:
    """Updates waiting for one bot.

    Args:
        first_id: id of the first update. It must grow from one run of the sandbox to the next: a bot that outlives the
            sandbox asks for the offset it remembers, and lower ids would count as acknowledged.
    """

    def __init__(self, first_id: int) -> None:
        """The queue is empty and takes every kind of update."""
        self._next_id = first_id
        self._waiting: deque[Update] = deque()
        self._allowed: frozenset[str] | None = None
        self._past: deque[Update] = deque(maxlen=KEPT_FOR_REPLAY)
        self._again: set[int] = (
            set()
        )  # replays that no poll has fetched yet; an earlier fetch does not acknowledge them

    def __len__(self) -> int:
        """How many updates are not acknowledged."""
        return len(self._waiting)

    def add(self, kind: str, content: Json, now: datetime) -> int | None:
        """The update waits for the bot; returns its id, or None where the bot did not ask for this kind."""
        if self._allowed is not None and kind not in self._allowed:
            return None
        update = Update(self._next_id, kind, content, now)
        self._next_id += 1
        self._waiting.append(update)
        self._past.append(update)
        return update.id

    def past(self) -> list[Json]:
        """The newest updates that ever waited, oldest first, acknowledged or not."""
        return [{**update.as_api(), "waiting": update in self._waiting} for update in self._past]

    def replay(self, update_id: int | None, now: datetime, *, is_new: bool = False) -> int | None:
        """The update waits once more, as it was then; returns its id, or None where it is not known.

        Args:
            update_id: which; None is the newest.
            now: from when it is kept.
            is_new: it comes under a new id, and not under its own.
        """
        known = [update for update in self._past if update_id in (None, update.id)]
        if not known:
            return None
        if is_new:
            return self.add(known[-1].kind, known[-1].content, now)
        # In order of ids: behind a higher one it would make the bot's next offset step back.
        again = replace(known[-1], queued_at=now)
        self._again.add(again.id)
        self._waiting = deque(sorted([*self._waiting, again], key=lambda update: update.id))
        return again.id

    def would_acknowledge(self, offset: int) -> bool:
        """Whether something waits that this offset takes away."""
        return bool(self._waiting) and self._waiting[0].id < offset <= self._next_id

    def allow(self, kinds: list[str]) -> None:
        """Only these kinds are queued from now on; an empty list means Telegram's default, which has all of ours.

        What waits already stays, as at Telegram.
        """
        self._allowed = frozenset(kinds) or None

    def acknowledge(self, offset: int, now: datetime) -> None:
        """Updates before `offset` are gone; a negative offset keeps that many from the end; zero keeps all."""
        while self._waiting and now - self._waiting[0].queued_at > KEPT_FOR:
            self._waiting.popleft()
        if offset < 0:
            while len(self._waiting) > -offset:
                self._waiting.popleft()
        elif offset > self._next_id:
            # An offset from another life of the bot (or of this sandbox). Telegram answers from the head of the queue.
            return
        if offset > 0 and self._waiting and self._waiting[0].id < offset:
            self._waiting = deque(one for one in self._waiting if one.id >= offset or one.id in self._again)

    def fetch(self, limit: int) -> list[Json]:
        """The oldest updates, at most `limit`; they stay in the queue."""
        limit = max(1, min(limit, LARGEST_BATCH))
        fetched = list(islice(self._waiting, limit))
        self._again.difference_update(update.id for update in fetched)
        return [update.as_api() for update in fetched]

    def clear(self) -> None:
        """Nothing waits any more (`drop_pending_updates`)."""
        self._waiting.clear()
        self._again.clear()
