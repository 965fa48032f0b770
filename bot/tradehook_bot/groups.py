"""The groups that the bot may be used in: a chat and, in a forum, a topic, each let in by somebody who may trade.

That a group is here lets nobody in: whoever writes there has to be on the list of people as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select

from tradehook.desk.schema import writing
from tradehook_bot.store import now, stamp
from tradehook_bot.tables import GROUP

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement

    from tradehook_bot.store import Store

_NO_TOPIC = 0
_LONGEST_TITLE = 255


@dataclass(frozen=True, slots=True)
class Group:
    """A place in which those on the list may use the bot."""

    chat_id: int
    thread_id: int | None
    title: str
    shows_holdings: bool
    """Whether what is held may be shown there, where everybody in the group sees it."""
    allowed_by: int


class Groups:
    """This bot's groups. Blocking: call it through `Store.do`."""

    def __init__(self, store: Store) -> None:
        """Look at this bot's rows."""
        self._store = store
        self._mine = GROUP.c.bot_id == store.bot_id

    def allowed(self, chat_id: int, thread_id: int | None) -> Group | None:
        """This very place, if the bot may be used there."""
        return next(iter(self._select(self._place(chat_id, thread_id))), None)

    def knows(self, chat_id: int) -> bool:
        """Whether the bot may be used anywhere in this chat."""
        return bool(self._select(GROUP.c.chat_id == chat_id))

    def every(self) -> list[Group]:
        """All places, the oldest first."""
        return self._select(self._mine)

    def allow(self, chat_id: int, thread_id: int | None, *, title: str, shows_holdings: bool, allowed_by: int) -> None:
        """From now on those on the list may use the bot in this place. May be repeated."""
        with writing(self._store.engine) as connection:
            connection.execute(delete(GROUP).where(self._mine, self._place(chat_id, thread_id)))
            connection.execute(
                insert(GROUP).values(
                    bot_id=self._store.bot_id,
                    chat_id=chat_id,
                    thread_id=thread_id or _NO_TOPIC,
                    title=title[:_LONGEST_TITLE],
                    shows_holdings=shows_holdings,
                    allowed_by=allowed_by,
                    allowed_at=stamp(now()),
                )
            )

    def forbid(self, chat_id: int, thread_id: int | None) -> bool:
        """Whether the bot might be used in this place; from now on it may not."""
        return self._delete(self._place(chat_id, thread_id)) > 0

    def forget(self, chat_id: int) -> int:
        """The bot may be used nowhere in this chat any more; returns in how many places it might. May be repeated."""
        return self._delete(GROUP.c.chat_id == chat_id)

    def _place(self, chat_id: int, thread_id: int | None) -> ColumnElement[bool]:
        return (GROUP.c.chat_id == chat_id) & (GROUP.c.thread_id == (thread_id or _NO_TOPIC))

    def _delete(self, which: ColumnElement[bool]) -> int:
        with writing(self._store.engine) as connection:
            return connection.execute(delete(GROUP).where(self._mine, which)).rowcount

    def _select(self, which: ColumnElement[bool]) -> list[Group]:
        query = select(GROUP).where(self._mine, which).order_by(GROUP.c.allowed_at)
        with self._store.engine.connect() as connection:
            return [
                Group(row.chat_id, row.thread_id or None, row.title, row.shows_holdings, row.allowed_by)
                for row in connection.execute(query)
            ]
