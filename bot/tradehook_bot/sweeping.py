"""Follows one account's open orders to their end: fast after a confirm, slowly when they rest, so it costs little."""

from __future__ import annotations

import asyncio
import logging
import math
import threading
import time
from concurrent.futures import Future
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

from tradehook.desk import sightings
from tradehook.errors import TradehookError
from tradehook.render import error_line
from tradehook_bot.outages import Outage
from tradehook_bot.store import now

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from tradehook.desk.watch import Change
    from tradehook_bot.accounts import Account
    from tradehook_bot.context import House

T = TypeVar("T")

_log = logging.getLogger(__name__)
_PACE = ((timedelta(seconds=20), 2.0), (timedelta(minutes=5), 5.0))
_HURRY_SECONDS, _HURRY_FOR_SECONDS = 0.4, 2.5
_SLOWEST_SECONDS = 15.0
_CHEAP_SECONDS = 2.0
"""A watcher that says so has next to nothing to read."""
_AFTER_FAILURE_SECONDS = (5.0, 60.0)
_CHECK_SECONDS = 0.5
_PATIENCE_SECONDS = 2.0
"""How long one tick waits for a look."""


class Sweeper:
    """Asks one account's exchange about open orders when it is time; the news reaches people by way of the journal."""

    def __init__(self, house: House, account: Account) -> None:
        """Follow this account's orders."""
        self._house = house
        self._account = account
        self._look: asyncio.Future[list[Change]] | None = None
        self._began_at = 0.0
        self._check_at = 0.0
        self._due_at = math.inf
        self._looked_at = 0.0
        self._failures = 0
        self._well_at = time.monotonic()
        self._outage = Outage(house, account)
        self._hurry_until = 0.0

    def hurry(self) -> None:
        """Somebody has just confirmed or cancelled, and looks at the screen."""
        self._hurry_until = time.monotonic() + _HURRY_FOR_SECONDS
        self._check_at = 0.0

    @property
    def age_seconds(self) -> float:
        """How long ago all that is open here was known to be looked after."""
        return time.monotonic() - self._well_at

    async def tick(self) -> None:
        """Begin a look if it is time to, and take in what one has found. Reads only. Costs next to nothing else."""
        if self._look is None:
            if not await self._is_time():
                return
            self._began_at = time.monotonic()
            self._check_at = 0.0
            self._look = asyncio.ensure_future(asyncio.wrap_future(in_thread(self._account.client.desk.sweep)))
        done, _ = await asyncio.wait({self._look}, timeout=_PATIENCE_SECONDS)
        if not done:
            await self._outage.failed(None, since=self._began_at)
            return  # a later tick takes it in; a stop does not wait for it
        look, self._look = self._look, None
        self._looked_at = time.monotonic()
        try:
            changes = look.result()
        except TradehookError as error:
            self._failures += 1
            if self._failures == 1:
                _log.warning("Open orders of %s could not be looked at: %s", self._account.name, error_line(error))
            await self._outage.failed(error, since=self._began_at)
            return
        except Exception as error:  # noqa: BLE001 - a look that failed in a way nobody thought of has failed, too
            kind = type(error).__name__
            self._failures += 1
            if self._failures == 1:
                _log.error("Open orders of %s could not be looked at: %s.", self._account.name, kind, exc_info=error)
            told = TradehookError(f"Something went wrong on this machine ({kind}); my log says more.")
            await self._outage.failed(told, since=self._began_at)
            return
        if self._failures:
            _log.info("Open orders of %s can be looked at again.", self._account.name)
        self._failures = 0
        self._well_at = time.monotonic()
        self._looked_at = self._began_at  # the pace is from one look's beginning to the next's
        await self._outage.answered()
        if changes:
            await self._house.look()

    async def _is_time(self) -> bool:
        """Whether to look now. The database is asked every half second; in between, only the clock."""
        moment = time.monotonic()
        if moment >= self._check_at:
            self._check_at = moment + _CHECK_SECONDS
            open_since = await self._open_since()
            self._due_at = self._looked_at + self._pause_seconds(max(open_since)) if open_since else math.inf
            if not open_since or not self._failures:
                self._well_at = moment
            if self._failures and open_since:
                await self._outage.goes_on()
        return time.monotonic() >= self._due_at

    async def _open_since(self) -> list[datetime]:
        """Since when each thing is open that has to be looked at."""
        journal, host = self._house.journal, self._account.client.exchange.host
        # Until it is known whose money this is, what others have open at the same place counts too.
        whose = self._account.account_id
        # What is in doubt is looked for in the same sweep; its news reaches people by the journal, too.
        open_at = await self._house.store.do(sightings.youngest, journal.engine, host, account_id=whose)
        doubtful = await self._house.store.do(journal.doubts.list, host, account_id=whose)
        moving = [
            intent
            for kind in ("transfer", "futures")
            for intent in await self._house.store.do(journal.open_orders, host, account_id=whose, kind=kind)
        ]
        found = [*filter(None, [open_at]), *(intent.created_at for intent in (*doubtful, *moving))]
        if found:
            return found
        self._outage.forget()
        # People who were told that it is down wait to hear that it answers again.
        return [now()] if await self._outage.is_told() else []

    def _pause_seconds(self, youngest: datetime) -> float:
        if self._failures:
            first, most = _AFTER_FAILURE_SECONDS
            return min(first * 2.0 ** min(self._failures - 1, 10), most)
        is_hurried = time.monotonic() < self._hurry_until
        pace = _HURRY_SECONDS if is_hurried else pace_seconds(youngest, at=now())
        # Where a look costs many requests, the watcher says how often there can be one, whoever is in a hurry.
        watcher = self._account.client.desk.watcher
        return pace if watcher.interval_seconds <= _CHEAP_SECONDS else max(pace, watcher.interval_seconds)


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
