"""Whether a chat can be reached: its person blocked the bot or let it back in, or the chat got another number."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from sqlalchemy import delete, select, update

from tradehook.desk.schema import writing
from tradehook_bot.folding import fold_kept
from tradehook_bot.tables import metadata

if TYPE_CHECKING:
    from telegram.error import BadRequest

    from tradehook_bot.context import House
    from tradehook_bot.store import Store

_log = logging.getLogger(__name__)
_KEYS = {"bot_outbox": ("dedupe_key",)}
"""What rows of one chat are told apart by, where that is not a part of their primary key."""


def is_reachable(house: House, chat_id: int) -> bool:
    """Whether messages to this chat arrive, as far as is known. Blocking."""
    user = house.access.user(chat_id)
    return user is None or user.is_reachable


def is_no_chat(error: BadRequest) -> bool:
    """Whether Telegram knows no such chat, as of a person who has never written to this bot."""
    return "chat not found" in str(error).lower()


async def is_gone(house: House, chat_id: int) -> None:
    """Nothing is sent to this chat until its person comes back; what waits is kept. May be repeated."""
    await house.store.do(house.access.set_reachable, chat_id, is_reachable=False)
    await house.store.do(house.outbox.hold, chat_id)


async def is_back(house: House, chat_id: int) -> None:
    """The person wrote again or let the bot back in: what was kept for them goes out. May be repeated."""
    await house.store.do(house.access.set_reachable, chat_id, is_reachable=True)
    await house.store.do(fold_kept, house.store, chat_id)
    await house.store.do(house.outbox.release, chat_id)


async def move(house: House, old: int, new: int) -> None:
    """The chat has another number from now on: a group became a supergroup. May be repeated."""
    _log.warning("Chat %s has become chat %s.", old, new)
    await house.store.do(move_rows, house.store, old, new)


def move_rows(store: Store, old: int, new: int) -> None:
    """Every row of a chat has its new number. What stands under that number already stays as it is. Blocking."""
    with writing(store.engine) as connection:
        for table in metadata.sorted_tables:
            if "chat_id" not in table.c or "bot_id" not in table.c:
                continue
            keys = [column.name for column in table.primary_key]
            names = _KEYS.get(table.name) or [name for name in keys if name not in ("bot_id", "chat_id")]
            moves = (table.c.bot_id == store.bot_id) & (table.c.chat_id == old)
            if "chat_id" in keys or table.name in _KEYS:
                there = table.alias()
                same = (there.c.bot_id == store.bot_id) & (there.c.chat_id == new)
                for name in names:
                    same &= there.c[name] == table.c[name]
                connection.execute(delete(table).where(moves, select(there.c.bot_id).where(same).exists()))
            connection.execute(update(table).where(moves).values(chat_id=new))
