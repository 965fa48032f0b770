"""Tells of orders: reads what is new in the journal, keeps each order's message true, and announces what matters.

The journal is the source, not our own memory: an order placed by Airflow or on the command line is told of like one
from chat, and what happened while the bot was down is made up for. How far the journal was read is written down in the
same transaction as the letters that follow from it, so nothing is told twice and nothing is left out.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from tradehook.desk.events import newest_event
from tradehook.desk.intents import SENDERS, State
from tradehook_bot import freezes, from_tasks, news
from tradehook_bot.sending import Sending
from tradehook_bot.telling import Telling

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tradehook.desk.intents import Intent
    from tradehook_bot.context import House

_log = logging.getLogger(__name__)
_MARK = "journal events"
_BATCH = 200
_MOST_DOUBTS = 1000


class Alerts:
    """Everything that is told without being asked."""

    def __init__(self, house: House) -> None:
        """Tell of this house's orders."""
        self._house = house
        self._lock = asyncio.Lock()
        self._told_doubt: set[tuple[str, int]] = set()
        self._telling = Telling(house)
        self._sending = Sending(house)

    def begin(self) -> None:
        """Mark where the journal's story starts for this bot: what is older was never ours to tell. Blocking."""
        store = self._house.store
        if store.mark(_MARK) is None:
            store.set_mark(_MARK, newest_event(store.engine))
        freezes.begin(self._house)
        from_tasks.begin(self._house)

    async def look(self) -> None:
        """Everything new in the journal is told, as far as Telegram takes it now."""
        house = self._house
        if not house.may_send():
            return
        async with self._lock:
            store = house.store
            while await store.do(self._read_on):
                pass
            await store.do(self._find_doubt)
            await store.do(freezes.look, house)
            await store.do(from_tasks.look, house)
            await self._sending.send_due()

    async def finish(self) -> None:
        """What is on its way to Telegram is waited for. Never raises: its rows say what is left to do."""
        async with self._lock:
            try:
                await self._sending.finish()
            except Exception:  # noqa: BLE001 - the stop goes on
                _log.exception("Something that was being sent could not be finished.")

    def _read_on(self) -> bool:
        """Turn the next new events into letters and wishes for edits; whether there may be more."""
        store = self._house.store
        events = self._house.journal.events_after(store.mark(_MARK) or 0, limit=_BATCH)
        if not events:
            return False
        newest = {event.intent_id: event for event in events}
        happened = {intent_id: event.at for intent_id, event in newest.items()}
        resolved = {intent_id for intent_id, event in newest.items() if event.what == "resolved"}
        self._hurry(self._telling.tell(happened, resolved=resolved, mark=(_MARK, events[-1].event_id)))
        return len(events) == _BATCH

    def _find_doubt(self) -> None:
        """A process that died while sending writes no event: its intents are found by their state."""
        found = self._house.journal.list(states=[State.UNKNOWN], stored=SENDERS, limit=_MOST_DOUBTS)
        # By attempt: of one that was left unsigned there is no doubt, and the next try of it may end in one.
        doubtful = {(intent.intent_id, intent.attempt) for intent in found} - self._told_doubt
        if doubtful:
            self._hurry(self._telling.tell(dict.fromkeys(intent_id for intent_id, _ in sorted(doubtful))))
            self._told_doubt |= doubtful

    def _hurry(self, told: Sequence[Intent]) -> None:
        for intent in told:
            account = self._house.account_of(intent)
            if account is not None and news.is_about_to_change(intent):
                self._house.hurry(account)
