"""Tells of orders: reads what is new in the journal, keeps each order's message true, and announces ends.

The journal is the source, not our own memory: an order placed by Airflow or on the command line is told of like one
from chat, and what happened while the bot was down is made up for. How far the journal was read is written down in the
same transaction as the letters that follow from it, so nothing is told twice and nothing is left out.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from telegram.error import BadRequest, Forbidden, NetworkError, RetryAfter, TelegramError, TimedOut

from tradehook.desk.events import newest_event
from tradehook.desk.intents import SENDERS, State
from tradehook.desk.schema import writing
from tradehook.registry import spec
from tradehook_bot import news
from tradehook_bot.outbox import Letter
from tradehook_bot.replies import text

if TYPE_CHECKING:
    from tradehook.desk.intents import Intent
    from tradehook_bot.context import House
    from tradehook_bot.order_messages import OrderMessage
    from tradehook_bot.outbox import Due

_log = logging.getLogger(__name__)
_MARK = "journal events"
_BATCH = 200
_MOST_DOUBTS = 1000
_REPEAT = "\n(may be a repeat)"
_NEVER_LEFT = frozenset({"ConnectError", "ConnectTimeout", "PoolTimeout"})
"""Failures of a connection that was never made: the message surely did not arrive."""


class Alerts:
    """Everything that is told without being asked."""

    def __init__(self, house: House) -> None:
        """Tell of this house's orders."""
        self._house = house
        self._lock = asyncio.Lock()
        self._told_doubt: set[str] = set()

    def begin(self) -> None:
        """Mark where the journal's story starts for this bot: what is older was never ours to tell. Blocking."""
        store = self._house.store
        if store.mark(_MARK) is None:
            store.set_mark(_MARK, newest_event(store.engine))

    async def look(self) -> None:
        """Everything new in the journal is told, as far as Telegram takes it now."""
        async with self._lock:
            store = self._house.store
            while await store.do(self._read_on):
                pass
            await store.do(self._find_doubt)
            await self._edit_due()
            await self._send_due()

    # --- from the journal to letters ------------------------------------------------------------------------

    def _read_on(self) -> bool:
        """Turn the next new events into letters and wishes for edits; whether there may be more."""
        store = self._house.store
        events = self._house.journal.events_after(store.mark(_MARK) or 0, limit=_BATCH)
        if not events:
            return False
        self._tell(dict.fromkeys(event.intent_id for event in events), read_until=events[-1].event_id)
        return len(events) == _BATCH

    def _find_doubt(self) -> None:
        """A process that died while sending writes no event: its intents are found by their state."""
        doubtful = [
            intent.intent_id
            for intent in self._house.journal.list(states=[State.UNKNOWN], limit=_MOST_DOUBTS)
            if intent.state in SENDERS and intent.intent_id not in self._told_doubt
        ]
        if doubtful:
            self._tell(dict.fromkeys(doubtful))
            self._told_doubt.update(doubtful)

    def _tell(self, intent_ids: dict[str, None], *, read_until: int | None = None) -> None:
        house = self._house
        intents = [house.journal.get(intent_id) for intent_id in intent_ids]
        mine = [intent for intent in intents if intent.kind == "order" and house.is_served(intent)]
        letters = [letter for intent in mine for letter in self._letters(intent)]
        with writing(house.store.engine) as connection:
            for intent in mine:
                house.order_messages.want_within(connection, intent.intent_id, news.version(intent))
            house.outbox.put_within(connection, letters)
            if read_until is not None:
                house.store.put_mark(connection, _MARK, read_until)
        for intent in mine:
            account = house.account_of(intent)
            if account is not None and news.is_about_to_change(intent):
                house.hurry(account)

    def _letters(self, intent: Intent) -> list[Letter]:
        house = self._house
        card = house.order_messages.get(intent.intent_id)
        if not (news.is_end(intent) or (card is None and news.is_resting(intent))):
            return []
        if card is not None and news.is_asked_again(intent):
            return []
        account = house.account_of(intent)
        # One that is not served here is told by the name that its own program has for it.
        name = account.name if account is not None else intent.account
        body = news.words(intent, exchange=spec(intent.exchange).label, is_from_chat=card is not None)
        dedupe_key = f"{intent.intent_id}:{intent.attempt}:{news.key(intent)}"
        if card is not None:
            return [Letter(card.chat_id, dedupe_key, body, reply_to=card.message_id, account=card.account)]
        return [Letter(user.user_id, dedupe_key, body, account=name) for user in house.access.users()]

    # --- from rows to Telegram ------------------------------------------------------------------------------

    async def _edit_due(self) -> None:
        house = self._house
        for message in await house.store.do(house.order_messages.due):
            words = await self._words(message)
            if await house.voice.edit(message.chat_id, message.message_id, words, account=message.account):
                await house.store.do(house.order_messages.shows, message)
                await house.store.do(house.proposals.buttons_are_gone, message.intent_id)

    async def _words(self, message: OrderMessage) -> str:
        if message.last_words is not None:
            return message.last_words
        intent = await self._house.store.do(self._house.journal.get, message.intent_id)
        return news.words(intent, exchange=spec(intent.exchange).label, is_from_chat=True)

    async def _send_due(self) -> None:
        house = self._house
        while (due := await house.store.do(house.outbox.take)) is not None:
            if not await self._sent(due):
                return

    async def _sent(self, due: Due) -> bool:
        """Whether the way to Telegram is open; the letter itself may have been given up."""
        house = self._house
        letter = due.letter
        body = letter.body + (text(_REPEAT) if due.may_repeat else "")
        try:
            number = await house.voice.say(letter.chat_id, body, account=letter.account, reply_to=letter.reply_to)
        except RetryAfter as error:
            # The wait is a number of seconds or a timedelta, as python-telegram-bot is set up.
            wait = error.retry_after
            seconds = wait if isinstance(wait, int) else wait.total_seconds()
            await house.store.do(house.outbox.failed, due, is_doubtful=False, after_seconds=float(seconds))
        except (Forbidden, BadRequest) as error:
            _log.warning("A notice for chat %s can never arrive: %s", letter.chat_id, error)
            await house.store.do(house.outbox.give_up, due)
            return True
        except (TimedOut, NetworkError) as error:
            is_doubtful = type(error.__cause__).__name__ not in _NEVER_LEFT
            await house.store.do(house.outbox.failed, due, is_doubtful=is_doubtful)
        except TelegramError as error:
            _log.warning("A notice for chat %s waits: %s", letter.chat_id, error)
            await house.store.do(house.outbox.failed, due, is_doubtful=True)
        else:
            await house.store.do(house.outbox.sent, due, message_id=number)
            return True
        return False
