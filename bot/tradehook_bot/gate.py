"""The gate: every update passes it first, and what it does not let through reaches no handler.

Through it come: a message or a press, in a private chat, from somebody on the list, seen for the first time, typed by
themselves. Strangers get silence. If the gate itself fails, it is shut: python-telegram-bot would go on to the next
handlers after an error.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from telegram.error import TelegramError
from telegram.ext import ApplicationHandlerStop

from tradehook_bot.redaction import redact
from tradehook_bot.replies import text

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from telegram import ChatMemberUpdated, MaybeInaccessibleMessage, Message, Update, User

    from tradehook_bot.context import House

_log = logging.getLogger(__name__)
_QUIET_SECONDS = 3600.0
_MOST_STRANGERS = 1000


class Gate:
    """Decides on each update. Its `check` stands in a handler group before all others."""

    def __init__(self, house: House) -> None:
        """Guard this house."""
        self._house = house
        self._strangers: dict[int, float] = {}

    async def check(self, update: Update, _context: object) -> None:
        """Return when the update may pass.

        Raises:
            ApplicationHandlerStop: it may not.
        """
        try:
            may_pass = await self._may_pass(update)
        except Exception as error:
            _log.exception("The gate failed on update %s and stays shut.", update.update_id)
            raise ApplicationHandlerStop from error
        if not may_pass:
            raise ApplicationHandlerStop

    async def _may_pass(self, update: Update) -> bool:
        if update.my_chat_member is not None:
            await self._membership(update.my_chat_member)
            return False
        found = _who_and_where(update)
        if found is None:
            return False
        user, message = found
        is_typed = update.message is None or _is_typed(update.message)
        house = self._house
        known = await house.store.do(house.access.user, user.id)
        claims = is_typed and update.message is not None and await self._claims(update.message, user)
        if known is None and not claims:
            self._note_stranger(user.id)
            return False
        if not await house.store.do(house.access.is_first_time, update.update_id):
            _log.info("Update %s came twice; the second is left alone.", update.update_id)
            return False
        if not is_typed:
            await house.voice.say(
                message.chat.id,
                "That message was forwarded, or written by another bot, so I did nothing with it. "
                "Type the command yourself.",
            )
            return False
        return True

    async def _claims(self, message: Message, user: User) -> bool:
        """Whether this person brings the one-time code that `setup` printed, and is an owner from now on."""
        words = (message.text or "").split()
        if len(words) != 2 or words[0] != "/start":
            return False
        house = self._house
        is_owner = await house.store.do(house.access.claim, words[1], user_id=user.id, name=user.full_name)
        if is_owner:
            _log.info("User %s opened the setup link and owns this bot now.", user.id)
        return is_owner

    async def _membership(self, change: ChatMemberUpdated) -> None:
        """Somebody blocked the bot or let it back in; or it was put into a group, which it leaves."""
        house = self._house
        if change.chat.type != "private":
            if change.new_chat_member.status in ("member", "administrator", "restricted"):
                _log.warning("Somebody put the bot into chat %s; it only talks in private and leaves.", change.chat.id)
                await _quietly(lambda: house.voice.bot.leave_chat(change.chat.id))
            return
        is_reachable = change.new_chat_member.status not in ("kicked", "left")
        await house.store.do(house.access.set_reachable, change.from_user.id, is_reachable=is_reachable)

    def _note_stranger(self, user_id: int) -> None:
        """One line an hour for each stranger; a flood of them cannot fill the memory."""
        moment = time.monotonic()
        if moment - self._strangers.get(user_id, -_QUIET_SECONDS) < _QUIET_SECONDS:
            return
        if len(self._strangers) >= _MOST_STRANGERS:
            self._strangers.clear()
        self._strangers[user_id] = moment
        _log.info("User %s may not use this bot and got no answer.", user_id)


def _who_and_where(update: Update) -> tuple[User, Message | MaybeInaccessibleMessage] | None:
    """Whose private message or press it is; `None` for everything else (edits, groups, channels, bots)."""
    query = update.callback_query
    message = update.message if query is None else query.message
    user = (update.message.from_user if update.message else None) if query is None else query.from_user
    if message is None or user is None or user.is_bot:
        return None
    if message.chat.type != "private" or message.chat.id != user.id:
        return None
    return user, message


def _is_typed(message: Message) -> bool:
    """Whether the person wrote it here and now, with their own hands and name."""
    return not (
        message.forward_origin
        or message.via_bot
        or message.sender_chat
        or message.is_automatic_forward
        or message.edit_date
        or message.business_connection_id
    )


async def _quietly(call: Callable[[], Awaitable[Any]]) -> None:
    try:
        await call()
    except TelegramError as error:
        _log.info("Telegram said: %s", redact(text(error)))
