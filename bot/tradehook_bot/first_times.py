"""Whether an update comes for the first time, asked for many at once: what arrives together is written down together.

A write waits for the disk, and all that wait for the same disk can share one. Nobody is answered before their own
update is written down.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tradehook_bot.access import Access
    from tradehook_bot.store import Store

_log = logging.getLogger(__name__)
_MOST_TOGETHER = 200


class FirstTimes:
    """Asks `Access.first_of` for those who wait. For one event loop."""

    def __init__(self, access: Access, store: Store) -> None:
        """Nobody waits yet."""
        self._access = access
        self._store = store
        self._waiting: list[tuple[int, asyncio.Future[bool]]] = []
        self._writing: asyncio.Task[None] | None = None
        self._soon: set[int] = set()

    async def is_first(self, update_id: int) -> bool:
        """Whether this update was not seen before; from now on it was. Of two that come at once, the second is told no.

        Raises:
            TradehookError: it could not be written down, so nobody may act on it.
        """
        return await self._written(update_id)

    async def is_first_look(self, update_id: int) -> bool:
        """The same for what does no harm when it is done twice: it is written down soon, and nobody waits for the disk.

        Only a crash before that lets it through once more.
        """
        if update_id in self._soon:
            return False
        self._soon.add(update_id)
        try:
            was_seen = await self._store.do(self._access.was_seen, update_id)
        except BaseException:
            self._soon.discard(update_id)
            raise
        if was_seen:
            self._soon.discard(update_id)
            return False
        self._written(update_id).add_done_callback(lambda written: self._forget(update_id, written))
        return True

    def _written(self, update_id: int) -> asyncio.Future[bool]:
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((update_id, answer))
        if self._writing is None:
            self._writing = asyncio.create_task(self._write())
        return answer

    def _forget(self, update_id: int, written: asyncio.Future[bool]) -> None:
        self._soon.discard(update_id)
        if not written.cancelled() and (error := written.exception()) is not None:
            _log.warning("Update %s was not written down: %s", update_id, type(error).__name__)

    async def _write(self) -> None:
        """Everybody who waits is answered; who comes meanwhile shares the next write."""
        try:
            while self._waiting:
                together, self._waiting = self._waiting[:_MOST_TOGETHER], self._waiting[_MOST_TOGETHER:]
                await self._answer(together)
        finally:
            self._writing = None

    async def _answer(self, together: list[tuple[int, asyncio.Future[bool]]]) -> None:
        try:
            fresh = await self._store.do(self._access.first_of, [update_id for update_id, _ in together])
        except BaseException as error:  # noqa: BLE001 - whoever waits hears of it
            for _, answer in together:
                if not answer.done():
                    answer.set_exception(error)
            return
        for update_id, answer in together:
            is_first = update_id in fresh
            fresh.discard(update_id)  # the same number twice in one write: the second is no first
            if not answer.done():
                answer.set_result(is_first)
