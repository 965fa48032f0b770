"""Waits until a futures position is there, or is gone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import conf

from tradehook_provider.hooks.fintrusted import FinTrustedHook
from tradehook_provider.looking import LookingSensor
from tradehook_provider.position_goal import STATES, PositionGoal

if TYPE_CHECKING:
    from tradehook_provider.hooks.exchange import ExchangeHook
    from tradehook_provider.triggers.futures import PositionTrigger


class PositionSensor(LookingSensor):
    """Succeeds when a position is open with at least so many contracts, or when it is closed.

    Returns (XCom) the position as a plain dict, money as text; `None` for one that is closed. Reads only, so it may be
    tried as often as one likes.
    """

    template_fields = ("contract", "position_side", "contracts", "exchange_conn_id")

    def __init__(
        self,
        *,
        contract: str,
        position_side: str,
        state: str = "open",
        contracts: str | int = 1,
        exchange_conn_id: str = FinTrustedHook.default_conn_name,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        inline_wait_seconds: float = 10.0,
        poke_interval: float = 10.0,
        **kwargs: Any,
    ) -> None:
        """Make one.

        Args:
            contract: `BTC/USDT`.
            position_side: `long` or `short`.
            state: what is waited for: `open` or `closed`.
            contracts: how many must be open at least.
            exchange_conn_id: the account.
            deferrable: wait in the triggerer instead of in a worker.
            inline_wait_seconds: how long to wait in the worker before deferring (see `PlaceOrderOperator`).
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
        if state not in STATES:
            raise ValueError(f"state can be {' or '.join(STATES)}, not {state!r}.")
        self.contract = contract
        self.position_side = position_side
        self.state = state
        self.contracts = contracts

    def look(self, hook: ExchangeHook) -> dict[str, Any] | None:
        """See `LookingSensor`."""
        from tradehook.amounts import plain
        from tradehook.desk.futures_deed import futures_of
        from tradehook.run import run

        goal = self._read_goal()
        found = goal.position_in(run(futures_of(hook.get_conn().exchange).positions()))
        size = plain(found.contracts) if found is not None else "0"
        self.log.info("The %s of %s is %s contracts; waiting for %s.", goal.side, goal.contract, size, goal)
        if not goal.sees(found):
            return None
        return found.to_dict() if found is not None else {}

    def trigger_until(self, until: float) -> PositionTrigger:
        """See `LookingSensor`."""
        from tradehook_provider.triggers.futures import PositionTrigger

        return PositionTrigger(
            exchange_conn_id=self.exchange_conn_id,
            **self._read_goal().to_arguments(),
            until=until,
            poll_seconds=max(self.poke_interval, 1.0),
        )

    def conclude(self, event: dict[str, Any], hook: ExchangeHook) -> dict[str, Any] | None:  # noqa: ARG002
        """The position as it is now, when it stands as wanted: it may have moved since the trigger looked."""
        return self.look(hook)

    def subject(self) -> dict[str, str]:
        """What an event must say that it is about."""
        goal = self._read_goal()
        return {"contract": goal.contract, "position_side": goal.side}

    def _read_goal(self) -> PositionGoal:
        return PositionGoal.of(
            contract=self.contract, position_side=self.position_side, state=self.state, contracts=self.contracts
        )
