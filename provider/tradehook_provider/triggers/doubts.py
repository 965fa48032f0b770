"""Looks, in the triggerer, for what got no answer. One look serves all doubts of an account. Reads only."""

from __future__ import annotations

import asyncio
import math
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Self

from airflow.triggers.base import BaseTrigger, TriggerEvent

from tradehook.errors import TradehookError
from tradehook_provider.desks import masked_exchange, open_desk_of
from tradehook_provider.doubts import word_for
from tradehook_provider.readers import shared
from tradehook_provider.waiting import Looks, found_in_time

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tradehook.contract import Exchange
    from tradehook.desk.submit import Desk
    from tradehook.settings import Settings
    from tradehook_provider.hooks.exchange import ExchangeHook

DOUBT_WORDS = ("placed", "rejected", "again", "absent", "human", "held", "timeout", "error")
"""What the trigger may say: how the doubt stands (`doubts.word_for`), or why it stopped looking."""


class DoubtWatch:
    """What the triggers of one account find out about its doubts together. Belongs to one event loop."""

    def __init__(self, exchange: Exchange, settings: Settings) -> None:
        """Make one. Opens nothing yet.

        Args:
            exchange: the account, over a blocking line.
            settings: names the journal.
        """
        self.users = 0
        self._exchange = exchange
        self._settings = settings
        # Of its own: a long look must not hold up other triggers' threads.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="tradehook-doubts")
        self._desk: Desk | None = None
        self._looked_at = -math.inf
        self._failure: TradehookError | None = None

    @classmethod
    async def opened(cls, hook: ExchangeHook, settings: Settings) -> Self:
        """One for these settings. Reads nothing yet."""
        exchange, _ = await masked_exchange(hook, settings)
        return cls(exchange, settings)

    async def look(self, intent_id: str, *, fresh_seconds: float) -> str | None:
        """How the doubt ended, after a look that is at most `fresh_seconds` old; `None` while it goes on.

        Raises:
            TradehookError: the look failed; whoever asks within the interval hears of the same failure.
        """
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._look, intent_id, fresh_seconds)

    async def close(self) -> None:
        """Close sockets and journal. It can be used again."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._close)

    def _look(self, intent_id: str, fresh_seconds: float) -> str | None:
        desk = self._opened()
        word = word_for(desk.journal.get(intent_id), now=time.time())
        if word is not None:  # also when another process, or a person, found out
            return word
        if time.monotonic() - self._looked_at >= fresh_seconds * 0.9:
            self._looked_at, self._failure = time.monotonic(), None
            try:
                desk.reconcile()
            except TradehookError as error:
                self._failure = error
        if self._failure is not None:
            raise self._failure
        return word_for(desk.journal.get(intent_id), now=time.time())

    def _opened(self) -> Desk:
        if self._desk is None:
            self._desk = open_desk_of(self._exchange, self._settings)
        return self._desk

    def _close(self) -> None:
        desk, self._desk = self._desk, None
        if desk is not None:
            desk.close()


class ReconcileTrigger(BaseTrigger):
    """Fires when it is known what became of an intent that got no answer, or when looking tells nothing more.

    The event is `{"intent_id", "status"}`; the status is one of `DOUBT_WORDS`. It is a hint: whoever resumes asks the
    desk. Events are logged and stored in the clear, so nothing else is in them. Sends nothing but reads.
    """

    def __init__(self, *, exchange_conn_id: str, intent_id: str, until: float, poll_seconds: float = 10.0) -> None:
        """Make one.

        Args:
            exchange_conn_id: the account.
            intent_id: the intent in the account's journal.
            until: seconds since 1970 at which it stops looking; survives a restart of the triggerer.
            poll_seconds: how long to wait between two looks.
        """
        super().__init__()  # type: ignore[no-untyped-call]
        self.exchange_conn_id = exchange_conn_id
        self.intent_id = intent_id
        self.until = until
        self.poll_seconds = poll_seconds

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The class and its arguments, primitives only."""
        return (
            "tradehook_provider.triggers.doubts.ReconcileTrigger",
            {
                "exchange_conn_id": self.exchange_conn_id,
                "intent_id": self.intent_id,
                "until": self.until,
                "poll_seconds": self.poll_seconds,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look until there is something to say, and say it once."""
        word, why = await found_in_time(
            self._find,
            what=f"intent {self.intent_id}",
            until=self.until,
            poll_seconds=self.poll_seconds,
            log=self.log,
        )
        said = {"intent_id": self.intent_id, "status": word or why}
        yield TriggerEvent(said)  # type: ignore[no-untyped-call]

    async def _find(self, looks: Looks) -> str:
        async with shared(DoubtWatch, self.exchange_conn_id) as watch:
            while (word := await watch.look(self.intent_id, fresh_seconds=self.poll_seconds)) is None:
                looks.failed = 0
                await asyncio.sleep(self.poll_seconds)
        return word
