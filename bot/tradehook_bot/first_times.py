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
_MOST_REMEMBERED = 1_000
_SOON_SECONDS = 0.2


class FirstTimes:
    """Asks `Access.first_of` for those who wait. For one event loop."""

    def __init__(self, access: Access, store: Store) -> None:
        """Nobody waits yet."""
        self._access = access
        self._store = store
        self._waiting: list[tuple[int, asyncio.Future[bool] | None]] = []
        self._writing: asyncio.Task[None] | None = None
        self._lately: dict[int, None] = {}

    async def is_first(self, update_id: int) -> bool:
        """Whether this update was not seen before; from now on it was. Of two that come at once, the second is told no.

        Raises:
            TradehookError: it could not be written down, so nobody may act on it.
        """
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._put(update_id, answer)
        return await answer

    def is_first_look(self, update_id: int) -> bool:
        """The same for what does no harm when it is done twice, and is not written down as far as `Access.look` knows.

        It is written down soon, and nobody waits for the disk. Only a crash before that lets it through once more.
        """
        if update_id in self._lately:
            return False
        self._lately[update_id] = None
        if len(self._lately) > _MOST_REMEMBERED:
            del self._lately[next(iter(self._lately))]
        # Not now: the disk would be busy while the answer is read from it.
        asyncio.get_running_loop().call_later(_SOON_SECONDS, self._put, update_id, None)
        return True

    def _put(self, update_id: int, answer: asyncio.Future[bool] | None) -> None:
        """It is written with the next; where somebody waits for that, they are answered."""
        self._waiting.append((update_id, answer))
        if self._writing is None:
            self._writing = asyncio.create_task(self._write())

    async def _write(self) -> None:
        """Everybody who waits is answered; who comes meanwhile shares the next write."""
        try:
            while self._waiting:
                together, self._waiting = self._waiting[:_MOST_TOGETHER], self._waiting[_MOST_TOGETHER:]
                await self._answer(together)
        finally:
            self._writing = None

    async def _answer(self, together: list[tuple[int, asyncio.Future[bool] | None]]) -> None:
        try:
            fresh = await self._store.do(self._access.first_of, [update_id for update_id, _ in together])
        except BaseException as error:  # noqa: BLE001 - whoever waits hears of it
            for update_id, answer in together:
                if answer is None:
                    _log.info(
                        "Update %s, which changed nothing, was not written down: %s", update_id, type(error).__name__
                    )
                elif not answer.done():
                    answer.set_exception(error)
            return
        for update_id, answer in together:
            is_first = update_id in fresh
            fresh.discard(update_id)  # the same number twice in one write: the second is no first
            if answer is not None and not answer.done():
                answer.set_result(is_first)
