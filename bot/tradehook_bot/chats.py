"""What each chat chose: its account, its time zone, how much it is told. Kept, so that a restart changes nothing."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from sqlalchemy import insert, select, update

from tradehook.desk.schema import writing
from tradehook_bot.store import now, stamp
from tradehook_bot.tables import CHAT
from tradehook_bot.zones import zone_of

if TYPE_CHECKING:
    from datetime import tzinfo
    from typing import Any

    from sqlalchemy import Column

    from tradehook_bot.store import Store

_LONGEST_TITLE = 255


class Loudness(StrEnum):
    """How much a chat is told without having asked."""

    QUIET = "quiet"
    """Only what needs a person: doubts, rejections, freezes, approvals, transfers. Those make a sound."""
    NORMAL = "normal"
    """Also what is filled or canceled."""
    ALL = "all"
    """Everything, with each partial fill and each order that rests."""


class Chats:
    """This bot's chats. Blocking: call it through `Store.do`."""

    def __init__(self, store: Store) -> None:
        """Look at this bot's rows."""
        self._store = store
        self._mine = CHAT.c.bot_id == store.bot_id

    def account(self, chat_id: int) -> str | None:
        """The account that was chosen in this chat; `None` when none was."""
        return self._read(chat_id, CHAT.c.account)

    def choose(self, chat_id: int, account: str) -> None:
        """From now on this chat is about this account. May be repeated."""
        self._write(chat_id, account=account, chosen_at=stamp(now()))

    def zone_name(self, chat_id: int) -> str | None:
        """The name of the zone that was chosen in this chat; `None` when none was."""
        return self._read(chat_id, CHAT.c.zone)

    def zone(self, chat_id: int) -> tzinfo:
        """The zone that this chat reads times in; UTC when none was chosen."""
        return zone_of(self.zone_name(chat_id))

    def set_zone(self, chat_id: int, name: str) -> None:
        """From now on this chat reads times in this zone, which `read_zone` has checked. May be repeated."""
        self._write(chat_id, zone=name)

    def loudness(self, chat_id: int) -> Loudness:
        """How much this chat is told without having asked; normal when nobody said."""
        return _loudness(self._read(chat_id, CHAT.c.loudness))

    def wishes(self, chat_id: int) -> tuple[str | None, Loudness]:
        """The name of this chat's zone, and how much it is told, in one look."""
        query = select(CHAT.c.zone, CHAT.c.loudness).where(self._mine, CHAT.c.chat_id == chat_id)
        with self._store.engine.connect() as connection:
            row = connection.execute(query).one_or_none()
        return (row.zone, _loudness(row.loudness)) if row is not None else (None, Loudness.NORMAL)

    def set_loudness(self, chat_id: int, loudness: Loudness) -> None:
        """From now on this chat is told so much. May be repeated."""
        self._write(chat_id, loudness=str(loudness))

    def title(self, chat_id: int) -> str | None:
        """What a group was called when the bot was let in; `None` when it never was."""
        return self._read(chat_id, CHAT.c.title)

    def set_title(self, chat_id: int, title: str) -> None:
        """This group is called so. May be repeated."""
        self._write(chat_id, title=title[:_LONGEST_TITLE])

    def _read(self, chat_id: int, column: Column[Any]) -> str | None:
        query = select(column).where(self._mine, CHAT.c.chat_id == chat_id)
        with self._store.engine.connect() as connection:
            return connection.execute(query).scalar_one_or_none()

    def _write(self, chat_id: int, **chosen: str) -> None:
        with writing(self._store.engine) as connection:
            done = connection.execute(update(CHAT).where(self._mine, CHAT.c.chat_id == chat_id).values(chosen))
            if done.rowcount == 0:
                connection.execute(insert(CHAT).values(bot_id=self._store.bot_id, chat_id=chat_id, **chosen))


def _loudness(found: str | None) -> Loudness:
    return Loudness(found) if found is not None and found in [*Loudness] else Loudness.NORMAL
