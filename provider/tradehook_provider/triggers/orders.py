"""Waits for one order in the triggerer. Sends nothing but reads, and carries nothing but ids and words."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from tradehook_provider.triggers.watching import order_watch
from tradehook_provider.waiting import MOST_FAILURES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class OrderTrigger(BaseTrigger):
    """Fires when the order has ended, when `until` has come, or when looking has failed too often in a row.

    The event is `{"order_id", "intent_id", "status"}`; the status is `filled`, `canceled` or `failed`, or `timeout`
    or `error` when the order has not ended as far as is known. It is a hint: whoever resumes looks again. Events
    are logged and stored in the clear, so nothing else is in them.
    """

    def __init__(
        self,
        *,
        exchange_conn_id: str,
        order_id: str,
        until: float,
        intent_id: str | None = None,
        poll_seconds: float = 5.0,
    ) -> None:
        """Make one.

        Args:
            exchange_conn_id: the account.
            order_id: the order.
            until: seconds since 1970 at which it stops looking; survives a restart of the triggerer.
            intent_id: the order's intent, for the event.
            poll_seconds: how long to wait between two looks.
        """
        super().__init__()  # type: ignore[no-untyped-call]
        self.exchange_conn_id = exchange_conn_id
        self.order_id = order_id
        self.until = until
        self.intent_id = intent_id
        self.poll_seconds = poll_seconds

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The class and its arguments, primitives only."""
        return (
            "tradehook_provider.triggers.orders.OrderTrigger",
            {
                "exchange_conn_id": self.exchange_conn_id,
                "order_id": self.order_id,
                "until": self.until,
                "intent_id": self.intent_id,
                "poll_seconds": self.poll_seconds,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look until there is something to say, and say it once."""
        failed = 0
        while (left := self.until - time.time()) > 0:
            try:
                async with asyncio.timeout(left), order_watch(self.exchange_conn_id) as watch:
                    while not (order := await watch.look(self.order_id, fresh_seconds=self.poll_seconds)).is_final:
                        failed = 0
                        await asyncio.sleep(self.poll_seconds)
            except TimeoutError:
                break
            except Exception as error:  # noqa: BLE001 - a raise would fail the task, whatever the order does
                failed += 1
                self.log.warning("Look %d of order %s failed: %s", failed, self.order_id, type(error).__name__)
                if failed >= MOST_FAILURES:
                    yield self._event("error")
                    return
                await asyncio.sleep(min(self.poll_seconds, max(self.until - time.time(), 0)))
            else:
                yield self._event(str(order.status))
                return
        yield self._event("timeout")

    def _event(self, status: str) -> TriggerEvent:
        said = {"order_id": self.order_id, "intent_id": self.intent_id, "status": status}
        return TriggerEvent(said)  # type: ignore[no-untyped-call]
