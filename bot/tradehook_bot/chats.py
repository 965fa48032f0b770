"""Which account each chat is about, as its person chose. Kept, so that a restart changes nobody's account."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import insert, select, update

from tradehook.desk.schema import writing
from tradehook_bot.store import now, stamp
from tradehook_bot.tables import CHAT

if TYPE_CHECKING:
    from tradehook_bot.store import Store


class Chats:
    """This bot's chats. Blocking: call it through `Store.do`."""

    def __init__(self, store: Store) -> None:
        """Look at this bot's rows."""
        self._store = store
        self._mine = CHAT.c.bot_id == store.bot_id

    def account(self, chat_id: int) -> str | None:
        """The account that was chosen in this chat; `None` when none was."""
        query = select(CHAT.c.account).where(self._mine, CHAT.c.chat_id == chat_id)
        with self._store.engine.connect() as connection:
            return connection.execute(query).scalar_one_or_none()

    def choose(self, chat_id: int, account: str) -> None:
        """From now on this chat is about this account. May be repeated."""
        chosen = {"account": account, "chosen_at": stamp(now())}
        with writing(self._store.engine) as connection:
            done = connection.execute(update(CHAT).where(self._mine, CHAT.c.chat_id == chat_id).values(chosen))
            if done.rowcount == 0:
                connection.execute(insert(CHAT).values(bot_id=self._store.bot_id, chat_id=chat_id, **chosen))
