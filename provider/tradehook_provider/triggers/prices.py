"""Waits for one price in the triggerer, over the one stream that all such triggers of an account share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from tradehook_provider.price_goal import PriceGoal
from tradehook_provider.price_reader import PriceReader
from tradehook_provider.readers import shared
from tradehook_provider.waiting import Looks, found_in_time

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tradehook_provider.price_reader import Seen


class PriceTrigger(BaseTrigger):
    """Fires when the price is what is waited for, when `until` has come, or when looking failed too often in a row.

    The event is `{"market", "status", "price", "at", "reference"}`, prices as text; the status is `reached`, `timeout`
    or `error`.
    """

    def __init__(
        self,
        *,
        exchange_conn_id: str,
        market: str,
        until: float,
        above: str | None = None,
        below: str | None = None,
        crosses: str | None = None,
        change_percent: str | None = None,
        reference: str | None = None,
        poll_seconds: float = 10.0,
    ) -> None:
        """Make one. Give one of `above`, `below`, `crosses` and `change_percent`, as text.

        Args:
            exchange_conn_id: the account.
            market: `BTC`, or a pair.
            until: seconds since 1970 at which it stops looking; survives a restart of the triggerer.
            above: reached at this price and above it.
            below: reached at this price and below it.
            crosses: a level that is reached from the other side.
            change_percent: how far it must have moved: `5` either way, `+5` up, `-5` down.
            reference: where a change or a crossing is measured from; the first price seen when it is left out, which
                a restart of the triggerer forgets.
            poll_seconds: after so long without a word from the stream, the price is read.
        """
        super().__init__()  # type: ignore[no-untyped-call]
        self.exchange_conn_id = exchange_conn_id
        self.market = market
        self.until = until
        self.goals = {"above": above, "below": below, "crosses": crosses, "change_percent": change_percent}
        self.reference = reference
        self.poll_seconds = poll_seconds

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The class and its arguments, primitives only: prices travel as text."""
        return (
            "tradehook_provider.triggers.prices.PriceTrigger",
            {
                "exchange_conn_id": self.exchange_conn_id,
                "market": self.market,
                "until": self.until,
                **self.goals,
                "reference": self.reference,
                "poll_seconds": self.poll_seconds,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look until there is something to say, and say it once."""
        goal = PriceGoal.of(self.goals, reference=self.reference)

        async def find(looks: Looks) -> Seen:
            async with (
                shared(PriceReader, self.exchange_conn_id) as reader,
                reader.follow(self.market, fresh_seconds=self.poll_seconds) as told,
            ):
                seen = await reader.latest(self.market, fresh_seconds=self.poll_seconds)
                while not goal.sees(seen.price):
                    looks.failed = 0
                    seen = await told.next(poll_seconds=self.poll_seconds)
            return seen

        seen, why = await found_in_time(
            find, what=self.market, until=self.until, poll_seconds=self.poll_seconds, log=self.log
        )
        yield self._event(why or "reached", goal, seen)

    def _event(self, status: str, goal: PriceGoal, seen: Seen | None) -> TriggerEvent:
        from tradehook.amounts import plain

        said = {
            "market": self.market,
            "status": status,
            "price": plain(seen.price) if seen else None,
            "at": seen.at.isoformat() if seen else None,
            "reference": goal.to_arguments()["reference"],
        }
        return TriggerEvent(said)  # type: ignore[no-untyped-call]
