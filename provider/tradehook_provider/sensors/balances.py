"""Waits until an account holds so much of an asset, or so little."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import conf

from tradehook.errors import InvalidInput
from tradehook_provider.arguments import as_text
from tradehook_provider.balance_goal import COUNTED, BalanceGoal
from tradehook_provider.hooks.exchange import DEFAULT_CONN_ID, ExchangeHook
from tradehook_provider.looking import LookingSensor

if TYPE_CHECKING:
    from tradehook.models import Balance
    from tradehook_provider.triggers.balances import BalanceTrigger


class BalanceSensor(LookingSensor):
    """Succeeds when the balance of an asset is at least, or at most, so much. With both, when it is between.

    Returns (XCom) the balance as a plain dict, quantities as text; one that is not held is zero. An asset that the
    exchange does not know fails the task instead of counting as zero.
    """

    template_fields = ("asset", "at_least", "at_most", "chain", "exchange_conn_id")

    def __init__(
        self,
        *,
        asset: str,
        at_least: str | int | None = None,
        at_most: str | int | None = None,
        counts: str = "available",
        chain: str | None = None,
        exchange_conn_id: str = DEFAULT_CONN_ID,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        inline_wait_seconds: float = 10.0,
        poke_interval: float = 30.0,
        **kwargs: Any,
    ) -> None:
        """Make one. Give `at_least`, `at_most` or both.

        Args:
            asset: `BTC`.
            at_least: how much there must be.
            at_most: how much there may be, such as `0.5`.
            counts: `available`, or `total` with what open orders hold.
            chain: counts what stands in the wallet on this chain; what the exchange holds when it is left out.
            exchange_conn_id: the account.
            deferrable: wait in the triggerer instead of in a worker.
            inline_wait_seconds: how long to look in the worker before deferring.
            poke_interval: seconds between two looks.
            **kwargs: for every sensor: `timeout`, `mode`, `soft_fail`; `retries` is 2 unless it is set.
        """
        super().__init__(
            exchange_conn_id=exchange_conn_id,
            deferrable=deferrable,
            inline_wait_seconds=inline_wait_seconds,
            poke_interval=poke_interval,
            **kwargs,
        )
        if counts not in COUNTED:
            raise ValueError(f"counts can be {' or '.join(COUNTED)}, not {counts!r}.")
        if at_least is None and at_most is None:
            raise ValueError("BalanceSensor waits for an amount: give at_least, at_most or both.")
        self.asset = asset
        self.at_least = at_least
        self.at_most = at_most
        self.counts = counts
        self.chain = chain
        self._is_known = False

    def look(self, hook: ExchangeHook) -> dict[str, Any] | None:
        """The balance, when it is what is waited for. Raises `TradehookError`."""
        from tradehook.amounts import plain

        goal = self._read_goal()
        held = goal.balance_in(hook.get_conn().balances())
        if held is None:
            self._check_known(goal, hook)
            held = goal.nothing()
        quantity = goal.quantity(held)
        self.log.info("%s %s of %s; waiting for %s.", goal.counts, plain(quantity), goal.asset, goal)
        return self._found(held) if goal.sees(held) else None

    def trigger_until(self, until: float) -> BalanceTrigger:
        """The trigger that goes on looking."""
        from tradehook_provider.triggers.balances import BalanceTrigger

        return BalanceTrigger(
            exchange_conn_id=self.exchange_conn_id,
            **self._read_goal().to_arguments(),
            until=until,
            poll_seconds=max(self.poke_interval, 1.0),
        )

    def conclude(self, event: dict[str, Any], hook: ExchangeHook) -> dict[str, Any] | None:  # noqa: ARG002
        """The balance as it is now, when it is what is waited for: it may have moved since the trigger looked."""
        return self.look(hook)

    def subject(self) -> dict[str, str]:
        """What an event must say that it is about."""
        return {"asset": as_text(self.asset, what="asset").upper()}

    def _read_goal(self) -> BalanceGoal:
        return BalanceGoal.of(
            asset=self.subject()["asset"],
            at_least=self.at_least,
            at_most=self.at_most,
            counts=self.counts,
            chain=self.chain,
        )

    def _check_known(self, goal: BalanceGoal, hook: ExchangeHook) -> None:
        """Look once whether there is such an asset: a misspelt one would count as none forever.

        Raises:
            InvalidInput: the exchange lists none of this name.
        """
        if self._is_known:
            return
        exchange = hook.get_conn().exchange
        if not any(asset.symbol == goal.asset for asset in hook.get_conn().list_assets()):
            raise InvalidInput(
                f"{exchange.spec.label} lists no asset {goal.asset}. `tradehook assets` shows what there is."
            )
        self._is_known = True

    def _found(self, held: Balance) -> dict[str, Any]:
        return held.to_dict()
