"""One look at the exchange for all triggers of an account: one token, one request budget, one list of open orders.

A hundred deferred tasks that each asked for themselves would use up the exchange's 100 requests a minute at once.
Orders that the journal knows are followed by one `Watcher`, so that together they cost what one costs, over all
processes that use this journal. The others are looked up in one list for each interval, and read one by one once they
have left it.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from tradehook.errors import ConfigurationError, JournalUnavailable, TradehookError
from tradehook_provider.hooks.exchange import ExchangeHook

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tradehook.client import AsyncClient
    from tradehook.contract import Exchange
    from tradehook.desk.journal import Journal
    from tradehook.desk.watch import Watcher
    from tradehook.models import Order
    from tradehook.settings import Settings

_log = logging.getLogger(__name__)
_OPEN_AGAIN_SECONDS = 60.0
_LOOK_AGAIN_SECONDS = 2.0
"""For so long, a failed look is everybody's."""


class JournalWatch:
    """What the journal knows of the orders that triggers wait for. Blocking, for one thread at a time; reads only."""

    def __init__(self, exchange: Exchange, settings: Settings) -> None:
        """Make one. Opens nothing yet.

        Args:
            exchange: the account, over a blocking line.
            settings: names the journal.
        """
        self._exchange = exchange
        self._settings = settings
        self._opened: tuple[Journal, Watcher] | None = None
        self._open_again_at = self._look_again_at = -math.inf
        self._known: dict[str, Order] = {}
        self._failure: TradehookError | None = None

    def look(self, order_id: str) -> Order | None:
        """An order as last seen, after a look if it is time for one; `None` where the journal does not know it.

        What one trigger's look finds is kept for the others, whether or not it goes on waiting itself.

        Raises:
            TradehookError: the last look failed; whoever asks before the next hears of the same failure.
        """
        from tradehook.run import run

        opened = self._open()
        if opened is None:
            return None
        journal, watcher = opened
        if order_id not in self._known:
            found = self._find(journal, order_id)
            if found is None or found.is_final:
                return found
            self._known[order_id] = found
        if watcher.is_due and time.monotonic() >= self._look_again_at:
            self._failure = None
            try:
                for change in run(watcher.look()):
                    if change.made.exchange_id in self._known and change.intent.last_order is not None:
                        self._known[change.made.exchange_id] = change.intent.last_order
            except TradehookError as error:
                self._failure, self._look_again_at = error, time.monotonic() + _LOOK_AGAIN_SECONDS
        order = self._known[order_id]
        if order.is_final:
            del self._known[order_id]
        elif self._failure is not None:
            raise self._failure
        return order

    def close(self) -> None:
        """Let another process look, and let go of journal and sockets. It can be used again."""
        opened, self._opened = self._opened, None
        self._known.clear()
        self._failure = None
        self._exchange.session.rest()
        if opened is not None:
            journal, watcher = opened
            try:
                watcher.release()
            except TradehookError as error:
                _log.warning("The journal could not be told that this process looks no more: %s", error.message)
            journal.close()
        close = getattr(self._exchange.session.line, "close", None)
        if close is not None:
            close()

    def _open(self) -> tuple[Journal, Watcher] | None:
        """Journal and watcher; `None` while this machine cannot use the journal, as a triggerer may be alone."""
        from tradehook.desk.events import newest_event
        from tradehook.desk.journal import Journal
        from tradehook.desk.watch import Watcher

        if self._opened is None and time.monotonic() >= self._open_again_at:
            try:
                journal = Journal.open(self._settings.journal_url, may_upgrade=self._settings.may_upgrade)
            except (ConfigurationError, JournalUnavailable) as error:
                self._open_again_at = time.monotonic() + _OPEN_AGAIN_SECONDS
                _log.warning("Orders are watched without the journal, which costs more requests: %s", error.message)
            else:
                # From the first event it reads on, every change of an order that was found before is told.
                self._opened = journal, Watcher(self._exchange, journal, after=newest_event(journal.engine))
        return self._opened

    def _find(self, journal: Journal, order_id: str) -> Order | None:
        """An order of this account that has ended, or that the watcher follows."""
        from tradehook.desk.intents import State
        from tradehook.run import run

        intent = journal.by_order(self._exchange.host, order_id)
        if intent is None or intent.reads_as is not State.ACCEPTED:
            return None
        if intent.account_id != run(self._exchange.account_id()):
            return None
        return intent.last_order


class OrderWatch:
    """What the triggers of one account know together. Belongs to one event loop."""

    def __init__(self, client: AsyncClient, journal: JournalWatch) -> None:
        self.client = client
        self.journal = journal
        self.users = 0
        # Of its own: a long look must not hold up other triggers' threads.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="tradehook-watch")
        self._lock = asyncio.Lock()
        self._open: dict[str, Order] = {}
        self._looked_at = -math.inf
        self._failure: Exception | None = None

    async def look(self, order_id: str, *, fresh_seconds: float) -> Order:
        """An order as last seen; at most `fresh_seconds` ago where the journal does not know it.

        Raises:
            TradehookError: the look failed; whoever asks within the interval hears of the same failure.
        """
        known = await asyncio.get_running_loop().run_in_executor(self._thread, self.journal.look, order_id)
        if known is not None:
            return known
        async with self._lock:
            if time.monotonic() - self._looked_at >= fresh_seconds * 0.9:
                await self._list()
            if self._failure is not None:
                raise self._failure
        order = self._open.get(order_id)
        return order if order is not None else await self.client.get_order(order_id)

    async def close(self) -> None:
        """Close sockets and journal; the tokens stay for the next user, who may come a second later."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self.journal.close)
        await self.client.close()

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
async def order_watch(exchange_conn_id: str) -> AsyncIterator[OrderWatch]:
    """The watch of the account that the connection stands for now.

    Reads the connection each time, so that an edited one is another account from the next trigger on. The last
    user closes sockets and journal; the token stays for the next, who may come a second later.
    """
    hook = ExchangeHook(exchange_conn_id)
    settings = await hook.aread_settings()
    here = _watches.setdefault(asyncio.get_running_loop(), {})
    if settings not in here:
        client = await hook.open_async(settings)
        here.setdefault(settings, OrderWatch(client, JournalWatch(hook.open_for_thread(settings), settings)))
    watch = here[settings]
    watch.users += 1
    try:
        yield watch
    finally:
        watch.users -= 1
        if watch.users == 0:
            await watch.close()
