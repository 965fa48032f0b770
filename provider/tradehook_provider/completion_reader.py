"""The completions of one account, from its journal, for all event triggers of an event loop.

One watcher looks at the exchange where nobody else does; each trigger keeps the number of the last event that it was
told of, and reads what came after it. See: docs/explanation/watching.md.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Self

from tradehook.errors import TradehookError

if TYPE_CHECKING:
    from tradehook.client import AsyncClient
    from tradehook.contract import Exchange
    from tradehook.desk.events import Event
    from tradehook.desk.intents import Intent
    from tradehook.desk.journal import Journal
    from tradehook.desk.watch import Watcher
    from tradehook.settings import Settings
    from tradehook_provider.hooks.exchange import ExchangeHook

_log = logging.getLogger(__name__)
_BATCH = 200
_LOOK_AGAIN_SECONDS = 2.0
FINAL = {
    "order": ("filled", "canceled", "failed", "probably_filled"),
    "transfer": ("completed", "failed"),
}
"""The words with which something ends, by what it is."""


class CompletionReader:
    """Orders and transfers of one account that have come to their end. Reads only, in a thread of its own."""

    def __init__(self, client: AsyncClient, exchange: Exchange, settings: Settings) -> None:
        """Make one. Opens nothing yet.

        Args:
            client: is only closed.
            exchange: the account, over a blocking line.
            settings: names the journal.
        """
        self.users = 0
        self._client = client
        self._exchange = exchange
        self._settings = settings
        self._opened: tuple[Journal, Watcher] | None = None
        self._look_again_at = -math.inf
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="tradehook-completions")

    @classmethod
    async def opened(cls, hook: ExchangeHook, settings: Settings) -> Self:
        """One for these settings. Reads nothing yet."""
        client = await hook.open_async(settings)  # first: it masks the secrets
        return cls(client, hook.open_for_thread(settings), settings)

    async def after(self, cursor: int | None, *, overlap_seconds: float) -> tuple[list[dict[str, Any]], int]:
        """What has ended after an event, oldest first, and the cursor to go on from.

        Args:
            cursor: the last event that was read; `None` at the beginning.
            overlap_seconds: how far back the beginning is.

        Raises:
            TradehookError: the journal cannot be used, or the account is not known yet and cannot be reached.
        """
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._after, cursor, overlap_seconds)

    async def close(self) -> None:
        """Let another process look, and close journal and sockets."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._close)
        await self._client.close()

    # --- in the thread ------------------------------------------------------------------------------------------------

    def _after(self, cursor: int | None, overlap_seconds: float) -> tuple[list[dict[str, Any]], int]:
        from tradehook.desk.events import events_after, newest_event
        from tradehook.run import run

        journal, watcher = self._open()
        self._look(watcher)
        account_id = run(self._exchange.account_id())
        newest = newest_event(journal.engine)
        if cursor is None or newest < cursor:  # at first, or the journal was restored from an older copy
            since = datetime.now(UTC) - timedelta(seconds=overlap_seconds)
            cursor = newest_event(journal.engine, before=since)
        found: list[dict[str, Any]] = []
        while True:
            batch = events_after(journal.engine, cursor, limit=_BATCH, host=self._exchange.host, account_id=account_id)
            found += [told for event in batch if (told := _completion(event, journal)) is not None]
            cursor = batch[-1].event_id if batch else cursor
            if len(batch) < _BATCH:
                return found, max(cursor, newest)

    def _open(self) -> tuple[Journal, Watcher]:
        from tradehook.desk.journal import Journal
        from tradehook.desk.watch import Watcher

        if self._opened is None:
            journal = Journal.open(self._settings.journal_url, may_upgrade=self._settings.may_upgrade)
            self._opened = journal, Watcher(self._exchange, journal)
        return self._opened

    def _look(self, watcher: Watcher) -> None:
        """Look at the exchange if it is time. Where that fails, the journal may still tell what others saw."""
        from tradehook.run import run

        if not watcher.is_due or time.monotonic() < self._look_again_at:
            return
        self._look_again_at = time.monotonic() + _LOOK_AGAIN_SECONDS
        try:
            run(watcher.look())
        except TradehookError as error:
            _log.warning("The exchange could not be looked at: %s", error.message)

    def _close(self) -> None:
        from tradehook_provider.desks import rest

        opened, self._opened = self._opened, None
        rest(self._exchange, opened)


def _completion(event: Event, journal: Journal) -> dict[str, Any] | None:
    """What an event tells of an end: ids and words, no amounts and no addresses. `None` for every other event."""
    status = event.detail.get("status")
    kind = next((kind for kind in FINAL if f"{kind}_id" in event.detail and status in FINAL[kind]), None)
    return None if kind is None else _told(event, journal.get(event.intent_id), kind=kind, status=str(status))


def _told(event: Event, intent: Intent, *, kind: str, status: str) -> dict[str, Any]:
    from tradehook.models import instrument

    exchange_id = str(event.detail[f"{kind}_id"])
    told = {
        # The same whoever tells it, and however often: an end comes once.
        "event_id": f"{intent.exchange}/{intent.environment}/{kind}/{exchange_id}/{status}",
        "kind": kind,
        f"{kind}_id": exchange_id,
        "intent_id": event.intent_id,
        "status": status,
        "at": event.at.isoformat().replace("+00:00", "Z"),
    }
    if kind == "order":
        market = instrument(str(intent.asked.get("base")), str(intent.asked.get("quote")))
        return {**told, "market": market, "side": intent.asked.get("side")}
    return {**told, "asset": intent.asked.get("asset")}
