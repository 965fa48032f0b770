"""The gate: every update passes it first, and what it does not let through reaches no handler.

Through it come: a message or a press from somebody on the list, seen for the first time, typed by themselves, in their
private chat or, as a command for this bot, in a group and topic that it was let into. Strangers get silence, and so
does what people in a group say to each other. If the gate itself fails, it is shut: python-telegram-bot would go on to
the next handlers after an error.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from telegram.error import TelegramError
from telegram.ext import ApplicationHandlerStop

from tradehook_bot import arrivals, reach
from tradehook_bot.access import only_looks
from tradehook_bot.commands.groups import ALLOW
from tradehook_bot.commands.table import BY_NAME
from tradehook_bot.first_times import FirstTimes
from tradehook_bot.redaction import redact
from tradehook_bot.replies import text
from tradehook_bot.router import addressed, read
from tradehook_bot.strangers import Strangers

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from telegram import CallbackQuery, ChatMemberUpdated, MaybeInaccessibleMessage, Message, Update, User

    from tradehook_bot.access import User as Known
    from tradehook_bot.context import House

    _Anything = MaybeInaccessibleMessage | Message

_log = logging.getLogger(__name__)
_GROUPS = ("group", "supergroup")
_INSIDE = ("member", "administrator", "restricted")


class Gate:
    """Decides on each update. Its `check` stands in a handler group before all others."""

    def __init__(self, house: House) -> None:
        """Guard this house."""
        self._house = house
        self._first_times = FirstTimes(house.access, house.store)
        self._strangers = Strangers()

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
        if update.message is not None and await self._moved(update.message):
            return False
        found = _who_and_where(update)
        if found is None:
            return False
        user, message = found
        is_group, said = message.chat.type in _GROUPS, update.message
        if is_group and said is not None and not self._is_for_us(said):
            return False
        house = self._house
        known, was_seen = await house.store.do(house.access.look, user.id, update.update_id)
        if not await (self._in_group if is_group else self._in_private)(user, known, message, said):
            return False
        if was_seen or not await self._is_first(update):
            _log.info("Update %s came twice; the second is left alone.", update.update_id)
            return False
        if update.message is not None and not _is_typed(update.message):
            await self._house.voice.say(
                message.chat.id,
                "That message was forwarded, or written by another bot, so I did nothing with it. "
                "Type the command yourself.",
                thread_id=topic_of(message),
            )
            return False
        return True

    async def _is_first(self, update: Update) -> bool:
        """Whether it comes for the first time, as far as this process knows."""
        if _only_asks(update):
            return self._first_times.is_first_look(update.update_id)
        return await self._first_times.is_first(update.update_id)

    async def _in_private(self, user: User, known: Known | None, _message: _Anything, said: Message | None) -> bool:
        """Whether this person is on the list, perhaps from now on."""
        house = self._house
        role = await self._claims(said, user) if said is not None and _is_typed(said) else None
        if role is not None:
            await arrivals.tell(house, user, role)
        elif known is None:
            self._strangers.note(user.id)
            return False
        if known is not None and not known.is_reachable:
            await reach.is_back(house, user.id)
        return True

    async def _in_group(self, user: User, known: Known | None, message: _Anything, said: Message | None) -> bool:
        """Whether this person is on the list, and the bot was let into this very group and topic."""
        house = self._house
        if known is None:
            self._strangers.note(user.id)
            return False
        if await house.store.do(house.groups.allowed, message.chat.id, topic_of(message)) is not None:
            return True
        # Somebody who may lets it in now.
        is_allowing = said is not None and read(said.text or "")[0] == ALLOW and _is_typed(said)
        return is_allowing and not only_looks(known.role)

    def _is_for_us(self, message: Message) -> bool:
        """Whether this is a command, and not another bot's. What else is said in a group is none of ours."""
        name = addressed(message.text or "")
        if name is None:
            return False
        if name:
            return name.lower() == self._house.voice.bot.username.lower()
        # Without a name it goes to all bots there are; one that we do not know is another's.
        return read(message.text or "")[0] in BY_NAME

    async def _claims(self, message: Message, user: User) -> str | None:
        """The role that this person has from now on by a one-time code they bring; `None` when they bring none."""
        words = (message.text or "").split()
        if len(words) != 2 or words[0] != "/start":
            return None
        house = self._house
        role = await house.store.do(house.access.claim, words[1], user_id=user.id, name=user.full_name)
        if role is not None:
            _log.warning("User %s opened a link and is this bot's %s now.", user.id, role)
        return role

    async def _moved(self, message: Message) -> bool:
        """Whether this says that a group became a supergroup; if the bot is used there, all of it goes along."""
        house, here = self._house, message.chat.id
        if message.migrate_to_chat_id is not None:
            old, new = here, message.migrate_to_chat_id
        elif message.migrate_from_chat_id is not None:
            old, new = message.migrate_from_chat_id, here
        else:
            return False
        if await house.store.do(house.groups.knows, old):
            await reach.move(house, old, new)
        return True

    async def _membership(self, change: ChatMemberUpdated) -> None:
        """Somebody blocked the bot or let it back in; or it was put into a group, or out of one."""
        if change.chat.type != "private":
            await self._membership_of_group(change)
            return
        house = self._house
        is_reachable = change.new_chat_member.status not in ("kicked", "left")
        if await house.store.do(house.access.user, change.from_user.id) is not None:
            await (reach.is_back if is_reachable else reach.is_gone)(house, change.from_user.id)

    async def _membership_of_group(self, change: ChatMemberUpdated) -> None:
        """The bot stays where somebody who may trade put it, and leaves at once where anybody else did."""
        house, chat = self._house, change.chat
        was_inside, is_inside = (
            member.status in _INSIDE for member in (change.old_chat_member, change.new_chat_member)
        )
        if not is_inside:
            if await house.store.do(house.groups.forget, chat.id):
                _log.warning("The bot is in chat %s no more, and was used there.", chat.id)
            return
        if was_inside or await house.store.do(house.groups.knows, chat.id):
            return
        by = await house.store.do(house.access.user, change.from_user.id)
        if chat.type not in _GROUPS or by is None or only_looks(by.role):
            _log.warning("Somebody who may not put the bot into chat %s; it leaves.", chat.id)
            await _quietly(lambda: house.voice.bot.leave_chat(chat.id))
            return
        _log.info("User %s put the bot into chat %s.", by.user_id, chat.id)
        words = (
            "I do nothing here until somebody who may trade types /allow_here; in a group with topics, in the topic "
            "that it is for. Then those on my list may use me there, and nobody else."
        )
        await _quietly(lambda: house.voice.say(chat.id, words))


def topic_of(message: _Anything) -> int | None:
    """The forum's topic that a message stands in. Replies in other groups have a thread that is none."""
    is_topic = getattr(message, "is_topic_message", None)
    return getattr(message, "message_thread_id", None) if is_topic else None


def _who_and_where(update: Update) -> tuple[User, _Anything] | None:
    """Whose message or press it is, in private or in a group; `None` for everything else (edits, channels, bots)."""
    query = update.callback_query
    message = update.message if query is None else query.message
    user = _writer(update.message) if query is None else _presser(query)
    if message is None or user is None:
        return None
    if message.chat.type in _GROUPS:
        return user, message
    if message.chat.type != "private" or message.chat.id != user.id:
        return None
    return user, message


def _writer(message: Message | None) -> User | None:
    """Who wrote it under their own name; nobody for bots, anonymous administrators and channels."""
    if message is None or message.from_user is None or message.from_user.is_bot or message.sender_chat is not None:
        return None
    return message.from_user


def _presser(query: CallbackQuery) -> User | None:
    return None if query.from_user.is_bot else query.from_user


def _only_asks(update: Update) -> bool:
    """Whether it is a command that changes nothing, so that nothing is lost if it should come twice."""
    if update.message is None:
        return False
    command = BY_NAME.get(read(update.message.text or "")[0])
    return command is not None and command.only_tells


def _is_typed(message: Message) -> bool:
    """Whether the person wrote it here and now, with their own hands."""
    return not (
        message.forward_origin
        or message.via_bot
        or message.is_automatic_forward
        or message.edit_date
        or message.business_connection_id
    )


async def _quietly(call: Callable[[], Awaitable[Any]]) -> None:
    try:
        await call()
    except TelegramError as error:
        _log.info("Telegram said: %s", redact(text(error)))
