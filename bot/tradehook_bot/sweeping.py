"""Follows open orders to their end, fast after a confirm and slowly when they rest, so that reading costs little."""

from __future__ import annotations

import asyncio
import logging
import time
from datetime import timedelta
from typing import TYPE_CHECKING

from tradehook.errors import TradehookError
from tradehook.render import error_line
from tradehook_bot.store import now

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from tradehook.desk.intents import Intent
    from tradehook_bot.context import House

_log = logging.getLogger(__name__)
_PACE = ((timedelta(seconds=20), 2.0), (timedelta(minutes=5), 5.0))
_HURRY_SECONDS, _HURRY_FOR_SECONDS = 0.4, 4.0
_SLOWEST_SECONDS = 15.0
_AFTER_FAILURE_SECONDS = (5.0, 60.0)


class Sweeper:
    """Asks the exchange about open orders when it is time; the news reaches people by way of the journal."""

    def __init__(self, house: House) -> None:
        """Follow this house's orders."""
        self._house = house
        self._looked_at = 0.0
        self._failures = 0
        self._hurry_until = 0.0

    def hurry(self) -> None:
        """Somebody has just confirmed or cancelled, and looks at the screen."""
        self._hurry_until = time.monotonic() + _HURRY_FOR_SECONDS

    async def tick(self) -> None:
        """Look, if it is time to. Reads only."""
        house = self._house
        waiting = await house.store.do(house.journal.open_orders, house.client.exchange.host)
        if not waiting or time.monotonic() - self._looked_at < self._pause_seconds(waiting):
            return
        try:
            changes = await asyncio.to_thread(house.client.desk.sweep)
        except TradehookError as error:
            self._failures += 1
            if self._failures == 1:
                _log.warning("Open orders could not be looked at: %s", error_line(error))
        else:
            if self._failures:
                _log.info("Open orders can be looked at again.")
            self._failures = 0
            if changes:
                await house.look()
        finally:
            self._looked_at = time.monotonic()

    def _pause_seconds(self, waiting: Sequence[Intent]) -> float:
        if self._failures:
            first, most = _AFTER_FAILURE_SECONDS
            return min(first * float(2 ** min(self._failures - 1, 10)), most)
        if time.monotonic() < self._hurry_until:
            return _HURRY_SECONDS
        return pace_seconds(max(intent.created_at for intent in waiting), at=now())


def pace_seconds(youngest: datetime, *, at: datetime) -> float:
    """How long to wait between two looks: the age of the youngest open order decides."""
    return next((seconds for limit, seconds in _PACE if at - youngest < limit), _SLOWEST_SECONDS)
