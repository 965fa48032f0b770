"""Whether an update comes for the first time, asked for many at once: what arrives together is written down together.

A write waits for the disk, and all that wait for the same disk can share one. Nobody is answered before their own
update is written down.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tradehook_bot.access import Access
    from tradehook_bot.store import Store

_MOST_TOGETHER = 200


class FirstTimes:
    """Asks `Access.first_of` for those who wait. For one event loop."""

    def __init__(self, access: Access, store: Store) -> None:
        """Nobody waits yet."""
        self._access = access
        self._store = store
        self._waiting: list[tuple[int, asyncio.Future[bool]]] = []
        self._writing: asyncio.Task[None] | None = None

    async def is_first(self, update_id: int) -> bool:
        """Whether this update was not seen before; from now on it was. Of two that come at once, the second is told no.

        Raises:
            TradehookError: it could not be written down, so nobody may act on it.
        """
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((update_id, answer))
        if self._writing is None:
            self._writing = asyncio.create_task(self._write())
        return await answer

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
