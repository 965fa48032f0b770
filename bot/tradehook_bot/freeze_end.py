"""When to ask whether a freeze shall end. A freeze never ends by itself; one for two hours is asked about after two.

Kept in the database, so a restart forgets no question.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select

from tradehook.desk.schema import reading, writing
from tradehook_bot.proposals import Where
from tradehook_bot.store import now, stamp
from tradehook_bot.tables import FREEZE_END

if TYPE_CHECKING:
    from datetime import datetime

    from tradehook_bot.store import Store


@dataclass(frozen=True, slots=True)
class FreezeEnd:
    """A freeze whose time is over."""

    where: Where
    who: str
    """Who froze, for the record."""
    frozen_at: str
    """When it was written down, as the journal has it: which freeze is meant."""
    said: str
    """How long it was to last, as it was typed."""


class FreezeEnds:
    """This bot's one. Blocking: call it through `Store.do`."""

    def __init__(self, store: Store) -> None:
        """Look at this bot's row."""
        self._store = store
        self._mine = FREEZE_END.c.bot_id == store.bot_id

    def set(self, end: FreezeEnd, *, asks_at: datetime) -> None:
        """Ask about this freeze then, and about no other."""
        with writing(self._store.engine) as connection:
            connection.execute(delete(FREEZE_END).where(self._mine))
            connection.execute(
                insert(FREEZE_END).values(
                    bot_id=self._store.bot_id,
                    user_id=end.where.user_id,
                    chat_id=end.where.chat_id,
                    thread_id=end.where.thread_id,
                    who=end.who[:255],
                    frozen_at=end.frozen_at,
                    said=end.said,
                    asks_at=stamp(asks_at),
                )
            )

    def due(self, *, at: datetime | None = None) -> FreezeEnd | None:
        """The freeze to ask about now."""
        query = select(FREEZE_END).where(self._mine, FREEZE_END.c.asks_at <= stamp(at or now()))
        with reading(self._store.engine) as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            return None
        return FreezeEnd(Where(row.user_id, row.chat_id, row.thread_id), row.who, row.frozen_at, row.said)

    def forget(self, end: FreezeEnd) -> None:
        """It was asked about."""
        with writing(self._store.engine) as connection:
            connection.execute(delete(FREEZE_END).where(self._mine, FREEZE_END.c.frozen_at == end.frozen_at))
