"""Waits for one order in the triggerer. Sends nothing but reads and one cancel; carries only ids and words."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from tradehook_provider.desks import account_desk
from tradehook_provider.ending_trigger import EndingTrigger
from tradehook_provider.kills import cancel_for_a_person, to_its_end, was_killed_while_deferred

if TYPE_CHECKING:
    from tradehook.desk.deeds import Made
    from tradehook_provider.triggers.watching import OrderWatch


class OrderTrigger(EndingTrigger):
    """Fires when the order has ended, when `until` has come, or when looking has failed too often in a row.

    The event is `{"order_id", "intent_id", "status"}`; the status is `filled`, `canceled` or `failed`, or `timeout`
    or `error` when the order has not ended as far as is known. It is a hint: whoever resumes looks again. Events
    are logged and stored in the clear, so nothing else is in them.
    """

    noun = "order"
    id_name = "order_id"

    def __init__(
        self,
        *,
        exchange_conn_id: str,
        order_id: str,
        until: float,
        intent_id: str | None = None,
        poll_seconds: float = 5.0,
        cancel_on_kill: bool = False,
    ) -> None:
        """Make one.

        Args:
            exchange_conn_id: the account.
            order_id: the order.
            until: seconds since 1970 at which it stops looking; survives a restart of the triggerer.
            intent_id: the order's intent, for the event.
            poll_seconds: how long to wait between two looks.
            cancel_on_kill: cancel the order when a person marks the task failed.
        """
        super().__init__(
            exchange_conn_id=exchange_conn_id,
            made_id=order_id,
            until=until,
            intent_id=intent_id,
            poll_seconds=poll_seconds,
        )
        self.cancel_on_kill = cancel_on_kill

    @property
    def order_id(self) -> str:
        """The order."""
        return self.made_id

    async def look(self, watch: OrderWatch) -> Made:
        """See `EndingTrigger`."""
        return await watch.look(self.made_id, fresh_seconds=self.poll_seconds)

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The class and its arguments, primitives only."""
        path, arguments = super().serialize()
        return path, {**arguments, **({"cancel_on_kill": True} if self.cancel_on_kill else {})}

    async def on_kill(self) -> None:
        """Cancel the order, if that is wanted and a person marked the task failed.

        Airflow calls this also when the task is marked successful or cleared, and when it moves to another triggerer.
        """
        if self.cancel_on_kill and time.time() < self.until:
            await to_its_end(self._give_up())

    async def _give_up(self) -> None:
        try:
            if await was_killed_while_deferred(self.task_instance, log=self.log):
                async with account_desk(self.exchange_conn_id) as desk:
                    await asyncio.to_thread(cancel_for_a_person, desk, self.order_id, log=self.log)
        except Exception as error:  # noqa: BLE001 - nobody may wait for it any more
            self.log.warning("Order %s was not canceled: %s. It stays.", self.order_id, type(error).__name__)
