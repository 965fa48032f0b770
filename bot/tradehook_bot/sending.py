"""From rows to Telegram: letters go out and messages are edited, as fast as Telegram takes it, chat by chat.

What Telegram says decides: slow down (that chat waits as long as it says), blocked (that chat is left alone until the
person comes back), moved (all rows of the chat move with it), no answer (again, and it says that it may be a repeat).
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING

from telegram.error import BadRequest, ChatMigrated, Forbidden, NetworkError, RetryAfter, TelegramError

from tradehook.registry import spec
from tradehook_bot import keyboards, news, reach
from tradehook_bot.folding import fold_old
from tradehook_bot.pace import seconds_of
from tradehook_bot.replies import text

if TYPE_CHECKING:
    from tradehook_bot.context import House
    from tradehook_bot.order_messages import OrderMessage
    from tradehook_bot.outbox import Due

_log = logging.getLogger(__name__)
_REPEAT = "\n(may be a repeat)"
_NEVER_LEFT = frozenset({"ConnectError", "ConnectTimeout", "PoolTimeout"})
"""Failures of a connection that was never made: the message surely did not arrive."""
_BETWEEN_EDITS_SECONDS = 1.0
_MOST_REMEMBERED = 1_000


class Sending:
    """Sends what is due."""

    def __init__(self, house: House) -> None:
        """Send this house's letters."""
        self._house = house
        self._edited_at: dict[tuple[int, int], float] = {}

    async def edit_due(self) -> None:
        """Messages say what they should, as far as Telegram takes it now."""
        house = self._house
        for message in await house.store.do(house.order_messages.due):
            if not self._is_time_for(message.chat_id, message.message_id):
                continue
            words = await self._words(message)
            if await house.voice.edit(
                message.chat_id, message.message_id, words, account=message.account, is_patient=False
            ):
                await house.store.do(house.order_messages.shows, message)
                await house.store.do(house.proposals.buttons_are_gone, message.intent_id)
        for notice in await house.store.do(house.notices.due):
            if notice.message_id is None or not self._is_time_for(notice.chat_id, notice.message_id):
                continue
            if await house.voice.edit(
                notice.chat_id,
                notice.message_id,
                notice.body,
                account=notice.account,
                keyboard=keyboards.not_me(),
                is_patient=False,
            ):
                await house.store.do(house.notices.shows, notice)

    async def send_due(self) -> None:
        """Letters whose time has come are sent, in order inside a chat, side by side between chats."""
        house = self._house
        await house.store.do(fold_old, house.store)
        chats = await house.store.do(house.outbox.chats_due)
        if chats:
            done = await asyncio.gather(*(self._send_to(chat_id) for chat_id in chats), return_exceptions=True)
            # Only when all are through: whoever looks next would take a letter on its way for one that was cut off.
            for failed in done:
                if isinstance(failed, BaseException):
                    raise failed

    async def _send_to(self, chat_id: int) -> None:
        house = self._house
        if not await house.store.do(reach.is_reachable, house, chat_id):
            await house.store.do(house.outbox.hold, chat_id)
            return
        while house.may_send() and (due := await house.store.do(house.outbox.take, chat_id=chat_id)) is not None:
            if not await self._sent(due):
                return

    async def _sent(self, due: Due) -> bool:
        """Whether the way to this chat is open; the letter itself may have been given up."""
        house = self._house
        letter = due.letter
        body, shown = letter.body, None
        if letter.subject is not None:
            notice = await house.store.do(house.notices.get, letter.chat_id, letter.subject)
            if notice is not None:
                body, shown = notice.body, notice.wanted
        try:
            number = await house.voice.say(
                letter.chat_id,
                body + (text(_REPEAT) if due.may_repeat else ""),
                account=letter.account,
                keyboard=keyboards.not_me() if letter.has_freeze else None,
                reply_to=letter.reply_to,
                is_silent=letter.is_silent,
                is_patient=False,
            )
        except RetryAfter as error:
            await house.store.do(house.outbox.failed, due, is_doubtful=False, after_seconds=seconds_of(error))
        except ChatMigrated as error:
            await house.store.do(house.outbox.failed, due, is_doubtful=False, after_seconds=0)
            await reach.move(house, letter.chat_id, error.new_chat_id)
        except Forbidden as error:
            _log.warning("Chat %s cannot be reached until its person comes back: %s", letter.chat_id, error)
            await house.store.do(house.outbox.failed, due, is_doubtful=False)
            await reach.is_gone(house, letter.chat_id)
        except BadRequest as error:
            _log.warning("A notice for chat %s can never arrive: %s", letter.chat_id, error)
            await house.store.do(house.outbox.give_up, due)
            return True
        except NetworkError as error:
            is_doubtful = type(error.__cause__).__name__ not in _NEVER_LEFT
            await house.store.do(house.outbox.failed, due, is_doubtful=is_doubtful)
        except TelegramError as error:
            _log.warning("A notice for chat %s waits: %s", letter.chat_id, error)
            await house.store.do(house.outbox.failed, due, is_doubtful=True)
        else:
            await house.store.do(house.outbox.sent, due, message_id=number, shown=shown)
            return True
        return False

    async def _words(self, message: OrderMessage) -> str:
        if message.last_words is not None:
            return message.last_words
        intent = await self._house.store.do(self._house.journal.get, message.intent_id)
        return news.words(intent, exchange=spec(intent.exchange).label, is_from_chat=True)

    def _is_time_for(self, chat_id: int, message_id: int) -> bool:
        """Telegram takes about one edit a second of a message; what comes faster is told with the next."""
        moment = time.monotonic()
        if moment - self._edited_at.get((chat_id, message_id), -_BETWEEN_EDITS_SECONDS) < _BETWEEN_EDITS_SECONDS:
            return False
        if len(self._edited_at) >= _MOST_REMEMBERED:
            self._edited_at.clear()
        self._edited_at[chat_id, message_id] = moment
        return True
