"""From rows to Telegram: letters go out and messages are edited, as fast as Telegram takes it, chat by chat.

What Telegram says decides: slow down (that chat waits as long as it says), blocked (that chat is left alone until the
person comes back), moved (all rows of the chat move with it), not to be written to (the letter goes to whose it is),
no answer (again, and it says that it may be a repeat).

In a chat letters go before edits, which nobody hears. No chat waits for another.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING

from telegram.error import BadRequest, ChatMigrated, Forbidden, NetworkError, RetryAfter, TelegramError

from tradehook.registry import spec
from tradehook_bot import diverting, keyboards, news, reach
from tradehook_bot.folding import fold_old
from tradehook_bot.notices import Notice
from tradehook_bot.outbox import Letter
from tradehook_bot.pace import seconds_of
from tradehook_bot.replies import Edited, text
from tradehook_bot.telling import dedupe_key

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tradehook_bot.context import House
    from tradehook_bot.order_messages import OrderMessage
    from tradehook_bot.outbox import Due

_log = logging.getLogger(__name__)
_REPEAT = "\n(may be a repeat)"
_NEVER_LEFT = frozenset({"ConnectError", "ConnectTimeout", "PoolTimeout"})
"""Failures of a connection that was never made: the message surely did not arrive."""
_BETWEEN_EDITS_SECONDS = 1.0
_MOST_REMEMBERED = 1_000
_PATIENCE_SECONDS = 0.2
"""How long a look waits for a slow chat, which then goes on by itself: what is new meanwhile waits no longer."""


class Sending:
    """Sends what is due."""

    def __init__(self, house: House) -> None:
        """Send this house's letters."""
        self._house = house
        self._edited_at: dict[tuple[int, int], float] = {}
        self._under_way: dict[int, asyncio.Task[None]] = {}
        self._is_ending = False

    async def send_due(self) -> None:
        """What is due is sent, in order inside a chat, side by side between chats; a slow one goes on by itself."""
        house = self._house
        if self._is_ending:
            return
        self._let_go()
        await house.store.do(fold_old, house.store)
        edits: dict[int, list[OrderMessage | Notice]] = {}
        for message in await house.store.do(house.order_messages.due):
            edits.setdefault(message.chat_id, []).append(message)
        for notice in await house.store.do(house.notices.due):
            edits.setdefault(notice.chat_id, []).append(notice)
        # A chat that is under way is left to its task: another would take its letter for one that was cut off.
        chats = {*await house.store.do(house.outbox.chats_due), *edits} - {*self._under_way}
        begun = {chat_id: asyncio.ensure_future(self._serve(chat_id, edits.get(chat_id, ()))) for chat_id in chats}
        self._under_way |= begun
        if begun:
            await asyncio.wait([*begun.values()], timeout=_PATIENCE_SECONDS)
        self._let_go()

    async def finish(self) -> None:
        """What is on its way has arrived, or not; nothing is begun any more, and the next boot sends the rest."""
        self._is_ending = True
        await self.settle()

    async def settle(self) -> None:
        """No chat is under way: each was served as far as Telegram takes it now."""
        if self._under_way:
            await asyncio.wait([*self._under_way.values()])
        self._let_go()

    def _let_go(self) -> None:
        """Chats that were served are free again. What went wrong in one goes the way of all errors; its rows stay."""
        over = {chat_id: task for chat_id, task in self._under_way.items() if task.done()}
        self._under_way = {chat_id: task for chat_id, task in self._under_way.items() if chat_id not in over}
        errors = [error for task in over.values() if not task.cancelled() and (error := task.exception()) is not None]
        for error in errors[1:]:
            _log.error("Another chat could not be served, either.", exc_info=error)
        if errors:
            raise errors[0]

    async def _serve(self, chat_id: int, edits: Sequence[OrderMessage | Notice]) -> None:
        house = self._house
        if not await house.store.do(reach.is_reachable, house, chat_id):
            await house.store.do(house.outbox.hold, chat_id)
            return
        while self._may_begin() and (due := await house.store.do(house.outbox.take, chat_id=chat_id)) is not None:
            if not await self._sent(due):
                return
        # A letter that has to wait must not find its turn taken by edits.
        if edits and not await house.store.do(house.outbox.is_waiting, chat_id):
            await self._edit(edits)

    def _may_begin(self) -> bool:
        return self._house.may_send() and not self._is_ending

    # --- letters ------------------------------------------------------------------------------------------------

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
                thread_id=letter.thread_id,
            )
        except RetryAfter as error:
            await house.store.do(house.outbox.failed, due, is_doubtful=False, after_seconds=seconds_of(error))
        except ChatMigrated as error:
            await house.store.do(house.outbox.failed, due, is_doubtful=False, after_seconds=0)
            await reach.move(house, letter.chat_id, error.new_chat_id)
        except (Forbidden, BadRequest) as error:
            return await self._refused(due, error)
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

    async def _refused(self, due: Due, error: Forbidden | BadRequest) -> bool:
        """Telegram does not take it there: a group's goes to whose it is, a person's is kept until they come back."""
        house, chat_id = self._house, due.letter.chat_id
        instead = await house.store.do(diverting.instead, house, due)
        if instead is not None:
            _log.warning("A notice for chat %s goes to user %s instead: %s", chat_id, instead.chat_id, error)
            await house.store.do(house.outbox.divert, due, instead)
            return True
        if isinstance(error, Forbidden) or reach.is_no_chat(error):
            _log.warning("Chat %s cannot be reached until its person comes back: %s", chat_id, error)
            await house.store.do(house.outbox.failed, due, is_doubtful=False)
            await reach.is_gone(house, chat_id)
            return False
        _log.error("A notice for chat %s can never arrive: %s", chat_id, error)
        await house.store.do(house.outbox.give_up, due)
        return True

    # --- edits --------------------------------------------------------------------------------------------------

    async def _edit(self, edits: Sequence[OrderMessage | Notice]) -> None:
        """These messages of one chat say what they should, as far as Telegram takes it now."""
        for each in edits:
            if not self._may_begin():
                return
            if each.message_id is None or not self._is_time_for(each.chat_id, each.message_id):
                continue
            edited = await self._edit_notice(each) if isinstance(each, Notice) else await self._edit_order(each)
            if edited is Edited.SHUT_OUT and each.chat_id > 0:
                await reach.is_gone(self._house, each.chat_id)
                return
            if edited is Edited.LATER:
                return

    async def _edit_notice(self, notice: Notice) -> Edited:
        house = self._house
        assert notice.message_id is not None  # noqa: S101 - only those that have a message are due
        keyboard = keyboards.not_me()
        edited = await house.voice.edit_when_quiet(
            notice.chat_id, notice.message_id, notice.body, account=notice.account, keyboard=keyboard
        )
        if edited in (Edited.DONE, Edited.NEVER):
            await house.store.do(house.notices.shows, notice)
        return edited

    async def _edit_order(self, message: OrderMessage) -> Edited:
        house = self._house
        words, last = message.last_words, None
        if words is None:
            intent = await house.store.do(house.journal.get, message.intent_id)
            words = news.words(intent, exchange=spec(intent.exchange).label, is_from_chat=True)
            if news.is_end(intent) and intent.kind in news.TOLD:
                last = dedupe_key(intent)
        edited = await house.voice.edit_when_quiet(message.chat_id, message.message_id, words, account=message.account)
        is_waiting = edited is Edited.LATER or (edited is Edited.SHUT_OUT and message.chat_id > 0)
        if is_waiting:
            return edited
        if edited is not Edited.DONE and last is not None:
            # Nobody will read it there, so how it ended is said in a new message, if it was not.
            letter = Letter(message.chat_id, last, words, account=message.account, has_freeze=True, is_silent=True)
            where = await house.store.do(house.proposals.where_of, message.intent_id)
            await house.store.do(house.outbox.put, letter.at(where))
        await house.store.do(house.order_messages.shows, message)
        await house.store.do(house.proposals.buttons_are_gone, message.intent_id)
        return edited

    def _is_time_for(self, chat_id: int, message_id: int) -> bool:
        """Telegram takes about one edit a second of a message; what comes faster is told with the next."""
        moment = time.monotonic()
        if moment - self._edited_at.get((chat_id, message_id), -_BETWEEN_EDITS_SECONDS) < _BETWEEN_EDITS_SECONDS:
            return False
        if len(self._edited_at) >= _MOST_REMEMBERED:
            self._edited_at.clear()
        self._edited_at[chat_id, message_id] = moment
        return True
