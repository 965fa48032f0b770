"""Waits in the triggerer for one thing at the exchange to end: an order, a transfer, a futures order. Reads only."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.triggers.base import BaseTrigger, TriggerEvent

from tradehook_provider.readers import shared
from tradehook_provider.triggers.watching import OrderWatch
from tradehook_provider.waiting import Looks, found_in_time

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tradehook.desk.deeds import Made


class EndingTrigger(BaseTrigger):
    """Fires when it has ended, when `until` has come, or when looking has failed too often in a row.

    The event has its id, `intent_id` and `status`: how it ended, or `timeout` or `error` when it has not ended as far
    as is known. It is a hint: whoever resumes looks again. Events are logged and stored in the clear, so nothing else
    is in them. A subclass says how to look.
    """

    noun: ClassVar[str]
    """What people call it."""
    id_name: ClassVar[str]
    """What its id is called, in arguments and events."""

    def __init__(
        self, *, exchange_conn_id: str, made_id: str, until: float, intent_id: str | None, poll_seconds: float
    ) -> None:
        """Make one.

        Args:
            exchange_conn_id: the account.
            made_id: the exchange's id of it.
            until: seconds since 1970 at which it stops looking; survives a restart of the triggerer.
            intent_id: its intent, for the event.
            poll_seconds: how long to wait between two looks.
        """
        super().__init__()  # type: ignore[no-untyped-call]
        self.exchange_conn_id = exchange_conn_id
        self.made_id = made_id
        self.until = until
        self.intent_id = intent_id
        self.poll_seconds = poll_seconds

    @abstractmethod
    async def look(self, watch: OrderWatch) -> Made:
        """It as last seen. Raises `TradehookError`."""

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The class and its arguments, primitives only."""
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {
                "exchange_conn_id": self.exchange_conn_id,
                self.id_name: self.made_id,
                "until": self.until,
                "intent_id": self.intent_id,
                "poll_seconds": self.poll_seconds,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look until there is something to say, and say it once."""
        status, why = await found_in_time(
            self._find,
            what=f"{self.noun} {self.made_id}",
            until=self.until,
            poll_seconds=self.poll_seconds,
            log=self.log,
        )
        said = {self.id_name: self.made_id, "intent_id": self.intent_id, "status": status or why}
        yield TriggerEvent(said)  # type: ignore[no-untyped-call]

    async def _find(self, looks: Looks) -> str:
        async with shared(OrderWatch, self.exchange_conn_id) as watch:
            while not (made := await self.look(watch)).is_final:
                looks.failed = 0
                await asyncio.sleep(self.poll_seconds)
        return str(made.status)
