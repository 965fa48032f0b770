"""Messages that tasks left in the journal for this bot: each goes to everybody it serves, once."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from tradehook.desk.messages import Messages
from tradehook.desk.schema import writing
from tradehook_bot.chats import Loudness
from tradehook_bot.outbox import Letter, Weight
from tradehook_bot.replies import bold, text

if TYPE_CHECKING:
    from tradehook.desk.messages import Message
    from tradehook_bot.context import House

_MARK = "messages"
_BATCH = 100


def begin(house: House) -> None:
    """Mark where the messages start for this bot: what was left before was never its to tell. Blocking."""
    mark, newest = house.store.mark(_MARK), Messages(house.store.engine).newest()
    if mark is None or mark > newest:  # an older copy of the journal begins with smaller numbers
        house.store.set_mark(_MARK, newest)


def look(house: House) -> None:
    """Turn what was left since into letters, in the transaction that says how far was read. Blocking."""
    store, messages = house.store, Messages(house.store.engine)
    mark = store.mark(_MARK) or 0
    while left := messages.after(mark, limit=_BATCH):
        mark = left[-1].message_id
        chats = {user.user_id: house.chats.loudness(user.user_id) for user in house.access.users()}
        with writing(store.engine) as connection:
            for message in left:
                letters = [_letter(house, message, chat_id, wish) for chat_id, wish in chats.items()]
                house.outbox.put_within(connection, letters, happened_at=message.left_at)
            store.put_mark(connection, _MARK, mark)


def _letter(house: House, message: Message, chat_id: int, wish: Loudness) -> Letter:
    served = house.named(message.account) if message.account else None
    title = f"{bold(message.title)}\n" if message.title else ""
    return Letter(
        chat_id,
        # A number comes again where the journal was restored from an older copy; with its key it does not.
        f"message:{message.message_id}:{hashlib.sha256(message.key.encode()).hexdigest()[:16]}",
        f"{title}{text(message.body)}",
        account=served.name if served is not None else message.account,
        weight=Weight.NEWS,
        is_silent=message.is_silent or wish is Loudness.QUIET,
    )
