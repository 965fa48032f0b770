"""Waits in the triggerer for a futures order to end, or for a position to stand as wanted. Sends nothing but reads."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from tradehook_provider.ending_trigger import EndingTrigger
from tradehook_provider.position_goal import PositionGoal
from tradehook_provider.readers import PositionReader, shared
from tradehook_provider.waiting import Looks, found_in_time

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tradehook.desk.deeds import Made
    from tradehook_provider.triggers.watching import OrderWatch


class FuturesOrderTrigger(EndingTrigger):
    """Fires when the futures order has ended, when `until` has come, or when looking has failed too often in a row.

    The event is `{"order_id", "intent_id", "status"}`; the status is how it ended, or `timeout` or `error`. It is a
    hint: whoever resumes looks again. Killing the task does nothing to the order.
    """

    noun = "futures order"
    id_name = "order_id"

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
        super().__init__(
            exchange_conn_id=exchange_conn_id,
            made_id=order_id,
            until=until,
            intent_id=intent_id,
            poll_seconds=poll_seconds,
        )

    @property
    def order_id(self) -> str:
        """The order."""
        return self.made_id

    async def look(self, watch: OrderWatch) -> Made:
        """See `EndingTrigger`."""
        return await watch.look_at_futures(self.made_id)


class PositionTrigger(BaseTrigger):
    """Fires when the position stands as wanted, when `until` has come, or when looking failed too often in a row.

    The event is `{"contract", "position_side", "status"}`; the status is `reached`, `timeout` or `error`. All such
    triggers of an account share one read for each interval.
    """

    def __init__(
        self,
        *,
        exchange_conn_id: str,
        contract: str,
        position_side: str,
        until: float,
        state: str = "open",
        contracts: str = "1",
        poll_seconds: float = 10.0,
    ) -> None:
        """Make one.

        Args:
            exchange_conn_id: the account.
            contract: `BTC/USDT`.
            position_side: `long` or `short`.
            until: seconds since 1970 at which it stops looking; survives a restart of the triggerer.
            state: what is waited for: `open` or `closed`.
            contracts: how many must be open at least, as text.
            poll_seconds: how long to wait between two looks.
        """
        super().__init__()  # type: ignore[no-untyped-call]
        self.exchange_conn_id = exchange_conn_id
        self.contract = contract
        self.position_side = position_side
        self.until = until
        self.state = state
        self.contracts = contracts
        self.poll_seconds = poll_seconds

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The class and its arguments, primitives only."""
        return (
            "tradehook_provider.triggers.futures.PositionTrigger",
            {
                "exchange_conn_id": self.exchange_conn_id,
                "contract": self.contract,
                "position_side": self.position_side,
                "until": self.until,
                "state": self.state,
                "contracts": self.contracts,
                "poll_seconds": self.poll_seconds,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look until there is something to say, and say it once."""
        reached, why = await found_in_time(
            self._find,
            what=f"the {self.position_side} of {self.contract}",
            until=self.until,
            poll_seconds=self.poll_seconds,
            log=self.log,
        )
        said = {"contract": self.contract, "position_side": self.position_side, "status": reached or why}
        yield TriggerEvent(said)  # type: ignore[no-untyped-call]

    async def _find(self, looks: Looks) -> str:
        goal = PositionGoal.of(
            contract=self.contract, position_side=self.position_side, state=self.state, contracts=self.contracts
        )
        async with shared(PositionReader, self.exchange_conn_id) as reader:
            while not goal.sees(goal.position_in(await reader.look(fresh_seconds=self.poll_seconds))):
                looks.failed = 0
                await asyncio.sleep(self.poll_seconds)
        return "reached"
