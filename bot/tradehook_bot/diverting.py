"""Where a letter goes that its group does not take: to the private chat of whose it is, saying where it belonged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tradehook_bot.access import OWNER
from tradehook_bot.outbox import Letter
from tradehook_bot.replies import text

if TYPE_CHECKING:
    from tradehook_bot.context import House
    from tradehook_bot.outbox import Due


def instead(house: House, due: Due) -> Letter | None:
    """The letter that takes its place; `None` for one that was for a person's own chat, or for nobody. Blocking."""
    letter = due.letter
    to = _reader(house, letter)
    if letter.chat_id > 0 or to is None:
        return None
    return Letter(
        to,
        f"diverted:{due.outbox_id}",
        lead(house, letter.chat_id, thread_id=letter.thread_id) + letter.body,
        account=letter.account,
        weight=letter.weight,
        has_freeze=letter.has_freeze,
        is_silent=letter.is_silent,
    )


def lead(house: House, chat_id: int, *, thread_id: int | None) -> str:
    """How a message begins that belonged there, as HTML. Blocking."""
    title = house.chats.title(chat_id) or "a group"
    return f"Meant for {'a topic of ' if thread_id is not None else ''}{text(title)}, where I may not write: "


def _reader(house: House, letter: Letter) -> int | None:
    """Whose it is, as long as they are on the list; otherwise whoever owns the bot."""
    users = house.access.users()
    if letter.user_id in {user.user_id for user in users}:
        return letter.user_id
    return next((user.user_id for user in users if user.role == OWNER), None)
