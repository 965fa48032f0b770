"""One look at the exchange for all triggers of an account: one token, one request budget, one list of open orders.

A hundred deferred tasks that each asked for themselves would use up the exchange's 100 requests a minute at once.
Together they cost one request for each interval and one for each order that has left the list of open ones.
"""

from __future__ import annotations

import asyncio
import math
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from tradehook_provider.hooks.true_markets import TrueMarketsHook

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tradehook.client import AsyncClient
    from tradehook.models import Order
    from tradehook.settings import Settings


class OrderWatch:
    """What the triggers of one account know together. Belongs to one event loop."""

    def __init__(self, client: AsyncClient) -> None:
        self.client = client
        self.users = 0
        self._lock = asyncio.Lock()
        self._open: dict[str, Order] = {}
        self._looked_at = -math.inf
        self._failure: Exception | None = None

    async def look(self, order_id: str, *, fresh_seconds: float) -> Order:
        """An order as it stood at most `fresh_seconds` ago.

        Raises:
            TradehookError: the look failed; whoever asks within the interval hears of the same failure.
        """
        async with self._lock:
            if time.monotonic() - self._looked_at >= fresh_seconds * 0.9:
                await self._list()
            if self._failure is not None:
                raise self._failure
        order = self._open.get(order_id)
        return order if order is not None else await self.client.get_order(order_id)

    async def _list(self) -> None:
        from tradehook.desk.watch import OPEN_STATUSES

        self._failure = None
        try:
            self._open = {order.order_id: order async for order in self.client.list_orders(statuses=OPEN_STATUSES)}
        except Exception as error:  # noqa: BLE001 - kept for everybody who waits for this look
            self._failure = error
        self._looked_at = time.monotonic()


_watches: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[Settings, OrderWatch]] = WeakKeyDictionary()


@asynccontextmanager
async def order_watch(true_markets_conn_id: str) -> AsyncIterator[OrderWatch]:
    """The watch of the account that the connection stands for now.

    Reads the connection each time, so that an edited one is another account from the next trigger on. The last
    user closes the sockets; the token stays for the next, who may come a second later.
    """
    hook = TrueMarketsHook(true_markets_conn_id)
    settings = await hook.aread_settings()
    here = _watches.setdefault(asyncio.get_running_loop(), {})
    if settings not in here:
        client = await hook.open_async(settings)
        here.setdefault(settings, OrderWatch(client))
    watch = here[settings]
    watch.users += 1
    try:
        yield watch
    finally:
        watch.users -= 1
        if watch.users == 0:
            await watch.client.close()
