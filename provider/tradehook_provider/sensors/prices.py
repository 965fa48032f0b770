"""Waits until a price is at a level, has crossed one, or has moved so far."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import conf

from tradehook.errors import InvalidInput
from tradehook_provider.hooks.exchange import DEFAULT_CONN_ID, ExchangeHook
from tradehook_provider.looking import LookingSensor
from tradehook_provider.price_goal import PriceGoal, one_of

if TYPE_CHECKING:
    from datetime import datetime
    from decimal import Decimal

    from tradehook_provider.triggers.prices import PriceTrigger


class PriceSensor(LookingSensor):
    """Succeeds when the price is what is waited for. Give one of `above`, `below`, `crosses` and `change_percent`.

    Returns (XCom) a plain dict: `market`, the `price` that was seen, as text, when (`at`), and where a crossing or a
    change was measured from, `reference` and `change_percent`. Deferred, it hears every price that the exchange
    streams; in a worker it sees those of its looks.
    """

    template_fields = ("market", "above", "below", "crosses", "change_percent", "reference", "exchange_conn_id")

    def __init__(
        self,
        *,
        market: str,
        above: str | int | None = None,
        below: str | int | None = None,
        crosses: str | int | None = None,
        change_percent: str | int | None = None,
        reference: str | int | None = None,
        exchange_conn_id: str = DEFAULT_CONN_ID,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        inline_wait_seconds: float = 10.0,
        poke_interval: float = 10.0,
        **kwargs: Any,
    ) -> None:
        """Make one.

        Args:
            market: `BTC`; of a pair such as `BTC/PYUSD`, the asset's price.
            above: reached at this price and above it.
            below: reached at this price and below it.
            crosses: a level that is reached from the other side: the price must have been there first.
            change_percent: how far it must have moved: `5` either way, `+5` up, `-5` down.
            reference: where a change or a crossing is measured from; the first price seen when it is left out, so that
                another try of the task measures anew.
            exchange_conn_id: the account; its exchange tells the price.
            deferrable: wait in the triggerer instead of in a worker.
            inline_wait_seconds: how long to look in the worker before deferring.
            poke_interval: seconds between two looks; where the exchange streams prices, after so many without a word.
            **kwargs: for every sensor: `timeout`, `mode`, `soft_fail`; `retries` is 2 unless it is set.
        """
        super().__init__(
            exchange_conn_id=exchange_conn_id,
            deferrable=deferrable,
            inline_wait_seconds=inline_wait_seconds,
            poke_interval=poke_interval,
            **kwargs,
        )
        self.market = market
        self.above = above
        self.below = below
        self.crosses = crosses
        self.change_percent = change_percent
        self.reference = reference
        self._goal: PriceGoal | None = None
        try:
            kind, _ = one_of(self._goals())
        except InvalidInput as error:
            raise ValueError(error.message) from None
        if kind in ("crosses", "change_percent") and reference is None and self.mode == "reschedule" and not deferrable:
            raise ValueError(
                f"With mode='reschedule' each look forgets the one before, so {kind} needs a reference; or set "
                "deferrable=True."
            )

    def look(self, hook: ExchangeHook) -> dict[str, Any] | None:
        """The price, when it is what is waited for. Raises `TradehookError`."""
        from tradehook.amounts import plain

        goal = self._read_goal()
        ticker = hook.get_conn().price(self.subject()["market"])
        self.log.info("%s costs %s; waiting for %s.", self.market, plain(ticker.price), goal)
        return self._found(goal, ticker.price, at=ticker.told_at) if goal.sees(ticker.price) else None

    def trigger_until(self, until: float) -> PriceTrigger:
        """The trigger that goes on looking, from the reference that is known by now."""
        from tradehook_provider.triggers.prices import PriceTrigger

        return PriceTrigger(
            exchange_conn_id=self.exchange_conn_id,
            market=self.subject()["market"],
            **self._read_goal().to_arguments(),
            until=until,
            poll_seconds=max(self.poke_interval, 1.0),
        )

    def conclude(self, event: dict[str, Any], hook: ExchangeHook) -> dict[str, Any] | None:  # noqa: ARG002
        """What the trigger saw, when it is what is waited for: the price itself may have moved on since.

        Raises:
            AirflowException: it is not, so that the event is not from our trigger.
        """
        from datetime import datetime

        from airflow.sdk.exceptions import AirflowException

        from tradehook.amounts import parse_decimal

        try:
            goal = PriceGoal.of(self._goals(), reference=event.get("reference"))
            price, at = parse_decimal(str(event.get("price"))), datetime.fromisoformat(str(event.get("at")))
        except (InvalidInput, ValueError):
            price = None
        if price is None or not goal.sees(price):
            raise AirflowException(
                f"The trigger's event does not say how {self.market} reached {self._read_goal()}; this is not taken "
                "for a result. The task can be tried again: it only reads."
            )
        found = self._found(goal, price, at=at)
        self.log.info("%s cost %s at %s.", self.market, found["price"], found["at"])
        return found

    def subject(self) -> dict[str, str]:
        """What an event must say that it is about."""
        from tradehook_provider.arguments import as_text

        return {"market": as_text(self.market, what="market")}

    def _goals(self) -> dict[str, object]:
        return {
            "above": self.above,
            "below": self.below,
            "crosses": self.crosses,
            "change_percent": self.change_percent,
        }

    def _read_goal(self) -> PriceGoal:
        """The goal, kept from look to look, as it remembers where it is measured from. Raises `InvalidInput`."""
        if self._goal is None:
            self._goal = PriceGoal.of(self._goals(), reference=self.reference)
        return self._goal

    def _found(self, goal: PriceGoal, price: Decimal, *, at: datetime) -> dict[str, Any]:
        from tradehook.amounts import plain

        change = goal.change(price)
        return {
            "market": self.market,
            "price": plain(price),
            "at": at.isoformat().replace("+00:00", "Z"),
            "reference": None if goal.reference is None else plain(goal.reference),
            "change_percent": None if change is None else plain(round(change, 4)),
        }
