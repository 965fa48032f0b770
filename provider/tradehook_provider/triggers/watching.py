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
from typing import TYPE_CHECKING, Self

from tradehook.errors import ConfigurationError, JournalUnavailable, TradehookError
from tradehook_provider.desks import rest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from tradehook.client import AsyncClient
    from tradehook.contract import Exchange
    from tradehook.desk.deeds import Made
    from tradehook.desk.journal import Journal
    from tradehook.desk.watch import Watcher
    from tradehook.settings import Settings
    from tradehook_provider.hooks.exchange import ExchangeHook

_log = logging.getLogger(__name__)
_OPEN_AGAIN_SECONDS = 60.0
_LOOK_AGAIN_SECONDS = 2.0
"""For so long, a failed look is everybody's."""


class JournalWatch:
    """What the journal knows of what triggers wait for. Blocking, for one thread at a time; reads only."""

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
        self._known: dict[str, Made] = {}
        self._failure: TradehookError | None = None

    def look(self, exchange_id: str) -> Made | None:
        """Something as last seen, after a look if it is time for one; `None` where the journal does not know it.

        What one trigger's look finds is kept for the others, whether or not it goes on waiting itself.

        Raises:
            TradehookError: the last look failed; whoever asks before the next hears of the same failure.
        """
        from tradehook.run import run

        opened = self._open()
        if opened is None:
            return None
        journal, watcher = opened
        if exchange_id not in self._known:
            found = self._find(journal, exchange_id)
            if found is None or found.is_final:
                return found
            self._known[exchange_id] = found
        if watcher.is_due and time.monotonic() >= self._look_again_at:
            self._failure = None
            try:
                for change in run(watcher.look()):
                    if change.made.exchange_id in self._known:
                        self._known[change.made.exchange_id] = change.made
            except TradehookError as error:
                self._failure, self._look_again_at = error, time.monotonic() + _LOOK_AGAIN_SECONDS
        made = self._known[exchange_id]
        if made.is_final:
            del self._known[exchange_id]
        elif self._failure is not None:
            raise self._failure
        return made

    def close(self) -> None:
        """Let another process look, and let go of journal and sockets. It can be used again."""
        opened, self._opened = self._opened, None
        self._known.clear()
        self._failure = None
        rest(self._exchange, opened)

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

    def _find(self, journal: Journal, exchange_id: str) -> Made | None:
        """An order or transfer of this account that has ended, or that the watcher follows."""
        from tradehook.desk.intents import State
        from tradehook.run import run

        intent = journal.by_order(self._exchange.host, exchange_id)
        if intent is None or intent.reads_as is not State.ACCEPTED:
            return None
        if intent.account_id != run(self._exchange.account_id()):
            return None
        return intent.made


class OpenList:
    """One list of what is open at the exchange, for all who ask within an interval."""

    def __init__(self, read: Callable[[], AsyncIterator[Made]]) -> None:
        """Make one. Reads nothing yet.

        Args:
            read: lists what is open.
        """
        self._read = read
        self._lock = asyncio.Lock()
        self._open: dict[str, Made] = {}
        self._looked_at = -math.inf
        self._failure: Exception | None = None

    async def find(self, exchange_id: str, *, fresh_seconds: float) -> Made | None:
        """One of the list, at most `fresh_seconds` old; `None` where it is not listed, which proves nothing.

        Raises:
            Exception: the list could not be read; whoever asks within the interval hears of the same failure.
        """
        async with self._lock:
            if time.monotonic() - self._looked_at >= fresh_seconds * 0.9:
                await self._list()
            if self._failure is not None:
                raise self._failure
        return self._open.get(exchange_id)

    async def _list(self) -> None:
        self._failure = None
        try:
            self._open = {made.exchange_id: made async for made in self._read()}
        except Exception as error:  # noqa: BLE001 - kept for everybody who waits for this look
            self._failure = error
        self._looked_at = time.monotonic()


class OrderWatch:
    """What the triggers of one account know together. Belongs to one event loop."""

    def __init__(self, client: AsyncClient, journal: JournalWatch) -> None:
        self.client = client
        self.journal = journal
        self.users = 0
        # Of its own: a long look must not hold up other triggers' threads.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="tradehook-watch")
        self._orders, self._transfers = OpenList(self._open_orders), OpenList(self._open_transfers)

    @classmethod
    async def opened(cls, hook: ExchangeHook, settings: Settings) -> Self:
        """One for these settings. Reads nothing yet."""
        client = await hook.open_async(settings)  # first: it masks the secrets
        return cls(client, JournalWatch(hook.open_for_thread(settings), settings))

    async def look(self, order_id: str, *, fresh_seconds: float) -> Made:
        """An order as last seen; at most `fresh_seconds` ago where the journal does not know it.

        Raises:
            TradehookError: the look failed; whoever asks within the interval hears of the same failure.
        """
        made = await self._known(order_id) or await self._orders.find(order_id, fresh_seconds=fresh_seconds)
        return made if made is not None else await self.client.get_order(order_id)

    async def look_at_transfer(self, transfer_id: str, *, fresh_seconds: float) -> Made:
        """The same of a transfer."""
        made = await self._known(transfer_id) or await self._transfers.find(transfer_id, fresh_seconds=fresh_seconds)
        return made if made is not None else await self.client.get_transfer(transfer_id)

    async def look_at_futures(self, order_id: str) -> Made:
        """The same of a futures order. One that the journal does not know is read each time."""
        from tradehook.desk.futures_deed import standing

        return await self._known(order_id) or await standing(self.client.exchange, order_id)

    async def close(self) -> None:
        """Close sockets and journal; the tokens stay for the next user, who may come a second later."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self.journal.close)
        await self.client.close()

    async def _known(self, exchange_id: str) -> Made | None:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self.journal.look, exchange_id)

    def _open_orders(self) -> AsyncIterator[Made]:
        from tradehook.desk.watch import OPEN_STATUSES

        return self.client.list_orders(statuses=OPEN_STATUSES)

    def _open_transfers(self) -> AsyncIterator[Made]:
        from tradehook.transfers import TransferStatus

        return self.client.list_transfers(status=TransferStatus.PENDING)
