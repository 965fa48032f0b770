"""Waits for one balance in the triggerer. All such triggers of an account share one read for each interval."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from tradehook_provider.balance_goal import BalanceGoal
from tradehook_provider.readers import BalanceReader, shared
from tradehook_provider.waiting import Looks, found_in_time

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class BalanceTrigger(BaseTrigger):
    """Fires when the balance is what is waited for, when `until` has come, or when looking failed too often in a row.

    The event is `{"asset", "status"}`; the status is `reached`, `timeout` or `error`. How much there is, is not in it:
    whoever resumes looks again.
    """

    def __init__(
        self,
        *,
        exchange_conn_id: str,
        asset: str,
        until: float,
        at_least: str | None = None,
        at_most: str | None = None,
        counts: str = "available",
        chain: str | None = None,
        poll_seconds: float = 30.0,
    ) -> None:
        """Make one. Give `at_least`, `at_most` or both, as text.

        Args:
            exchange_conn_id: the account.
            asset: `BTC`.
            until: seconds since 1970 at which it stops looking; survives a restart of the triggerer.
            at_least: how much there must be.
            at_most: how much there may be.
            counts: `available`, or `total` with what open orders hold.
            chain: counts what stands in the wallet on this chain.
            poll_seconds: how long to wait between two looks.
        """
        super().__init__()  # type: ignore[no-untyped-call]
        self.exchange_conn_id = exchange_conn_id
        self.asset = asset
        self.until = until
        self.at_least = at_least
        self.at_most = at_most
        self.counts = counts
        self.chain = chain
        self.poll_seconds = poll_seconds

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The class and its arguments, primitives only: amounts travel as text."""
        return (
            "tradehook_provider.triggers.balances.BalanceTrigger",
            {
                "exchange_conn_id": self.exchange_conn_id,
                "asset": self.asset,
                "until": self.until,
                "at_least": self.at_least,
                "at_most": self.at_most,
                "counts": self.counts,
                "chain": self.chain,
                "poll_seconds": self.poll_seconds,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look until there is something to say, and say it once."""
        reached, why = await found_in_time(
            self._find, what=self.asset, until=self.until, poll_seconds=self.poll_seconds, log=self.log
        )
        yield TriggerEvent({"asset": self.asset, "status": reached or why})  # type: ignore[no-untyped-call]

    async def _find(self, looks: Looks) -> str:
        goal = BalanceGoal.of(
            asset=self.asset, at_least=self.at_least, at_most=self.at_most, counts=self.counts, chain=self.chain
        )
        async with shared(BalanceReader, self.exchange_conn_id) as reader:
            while True:
                held = goal.balance_in(await reader.look(fresh_seconds=self.poll_seconds))
                if goal.sees(held or goal.nothing()):
                    return "reached"
                looks.failed = 0
                await asyncio.sleep(self.poll_seconds)
