"""Follows open orders to their end, fast after a confirm and slowly when they rest, so that reading costs little."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from concurrent.futures import Future
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

from tradehook.errors import TradehookError
from tradehook.render import error_line
from tradehook_bot.store import now

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from tradehook.desk.intents import Intent
    from tradehook.desk.watch import Change
    from tradehook_bot.context import House

T = TypeVar("T")

_log = logging.getLogger(__name__)
_PACE = ((timedelta(seconds=20), 2.0), (timedelta(minutes=5), 5.0))
_HURRY_SECONDS, _HURRY_FOR_SECONDS = 0.4, 2.5
_SLOWEST_SECONDS = 15.0
_AFTER_FAILURE_SECONDS = (5.0, 60.0)
_PATIENCE_SECONDS = 2.0
"""How long one tick waits for a look."""


class Sweeper:
    """Asks the exchange about open orders when it is time; the news reaches people by way of the journal."""

    def __init__(self, house: House) -> None:
        """Follow this house's orders."""
        self._house = house
        self._look: asyncio.Future[list[Change]] | None = None
        self._looked_at = 0.0
        self._failures = 0
        self._hurry_until = 0.0

    def hurry(self) -> None:
        """Somebody has just confirmed or cancelled, and looks at the screen."""
        self._hurry_until = time.monotonic() + _HURRY_FOR_SECONDS

    async def tick(self) -> None:
        """Begin a look if it is time to, and take in what one has found. Reads only."""
        if self._look is None:
            journal, host = self._house.journal, self._house.client.exchange.host
            # What is in doubt is looked for in the same sweep; its news reaches people by the journal, too.
            waiting = [
                *await self._house.store.do(journal.open_orders, host),
                *await self._house.store.do(journal.doubts.list, host),
            ]
            if not waiting or time.monotonic() - self._looked_at < self._pause_seconds(waiting):
                return
            self._look = asyncio.ensure_future(asyncio.wrap_future(in_thread(self._house.client.desk.sweep)))
        done, _ = await asyncio.wait({self._look}, timeout=_PATIENCE_SECONDS)
        if not done:
            return  # a later tick takes it in; a stop does not wait for it
        look, self._look = self._look, None
        self._looked_at = time.monotonic()
        try:
            changes = look.result()
        except TradehookError as error:
            self._failures += 1
            if self._failures == 1:
                _log.warning("Open orders could not be looked at: %s", error_line(error))
            return
        if self._failures:
            _log.info("Open orders can be looked at again.")
        self._failures = 0
        if changes:
            await self._house.look()

    def _pause_seconds(self, waiting: Sequence[Intent]) -> float:
        if self._failures:
            first, most = _AFTER_FAILURE_SECONDS
            return min(first * 2.0 ** min(self._failures - 1, 10), most)
        if time.monotonic() < self._hurry_until:
            return _HURRY_SECONDS
        return pace_seconds(max(intent.created_at for intent in waiting), at=now())


def in_thread(work: Callable[[], T]) -> Future[T]:
    """Run something on a thread that nobody waits for at the end of the process: a read may be left undone."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001 - whoever waits hears of it
            future.set_exception(error)
        else:
            future.set_result(result)

    threading.Thread(target=run, name="tradehook-bot-sweep", daemon=True).start()
    return future


def pace_seconds(youngest: datetime, *, at: datetime) -> float:
    """How long to wait between two looks: the age of the youngest open order decides."""
    return next((seconds for limit, seconds in _PACE if at - youngest < limit), _SLOWEST_SECONDS)
