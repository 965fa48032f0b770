"""Waits until a futures position is there, or is gone."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseSensorOperator, PokeReturnValue

from tradehook.errors import InvalidInput, TradehookError
from tradehook_provider.arguments import as_text
from tradehook_provider.failures import explained, may_be_tried_again, reason, with_retries
from tradehook_provider.hooks.exchange import ExchangeHook
from tradehook_provider.hooks.fintrusted import FinTrustedHook
from tradehook_provider.waiting import MOST_FAILURES

if TYPE_CHECKING:
    from airflow.sdk import Context

    from tradehook.futures import Position

STATES = ("open", "closed")


class PositionSensor(BaseSensorOperator):
    """Succeeds when a position is open with at least so many contracts, or when it is closed.

    Returns (XCom) the position as a plain dict, money as text; `None` for one that is closed. Reads only, so it may be
    tried as often as one likes. For a long wait set `mode="reschedule"`.
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
            poke_interval: seconds between two looks.
            **kwargs: for every sensor: `timeout`, `mode`, `soft_fail`; `retries` is 2 unless it is set.
        """
        super().__init__(poke_interval=poke_interval, **with_retries(kwargs))
        if state not in STATES:
            raise ValueError(f"state can be {' or '.join(STATES)}, not {state!r}.")
        self.contract = contract
        self.position_side = position_side
        self.state = state
        self.contracts = contracts
        self.exchange_conn_id = exchange_conn_id
        self._failed = 0

    def poke(self, context: Context) -> PokeReturnValue:  # noqa: ARG002 - Airflow's signature
        """Look once. A failure that may pass is not the end of the waiting."""
        with explained(self.log), ExchangeHook(self.exchange_conn_id) as hook:
            try:
                found = self._look(hook)
                self._failed = 0
            except TradehookError as error:
                self._failed += 1
                if not may_be_tried_again(error) or self._failed >= MOST_FAILURES:
                    raise
                self.log.warning("Look %d failed, looking again: %s", self._failed, reason(error))
                return PokeReturnValue(is_done=False)
            size = found.contracts if found is not None else Decimal(0)
            self.log.info("The %s of %s is %s contracts.", self.position_side, self.contract, size)
            is_done = size >= self._least() if self.state == "open" else size == 0
            return PokeReturnValue(is_done=is_done, xcom_value=found.to_dict() if is_done and found else None)

    def _look(self, hook: ExchangeHook) -> Position | None:
        """The position now; `None` where there is none.

        Raises:
            InvalidInput: an argument cannot be meant, or the exchange has no futures.
            TradehookError: the look failed.
        """
        from tradehook.amounts import parse_market
        from tradehook.desk.futures_deed import futures_of
        from tradehook.models import instrument
        from tradehook.run import run

        contract = instrument(*parse_market(as_text(self.contract, what="contract"), default_quote="USDT"))
        side = as_text(self.position_side, what="position's side").lower()
        if side not in ("long", "short"):
            raise InvalidInput(f"{side[:20]!r} is no side of a position: write long or short.")
        self._least()
        for position in run(futures_of(hook.get_conn().exchange).positions()):
            if (position.contract, str(position.position_side)) == (contract, side):
                return position
        return None

    def _least(self) -> Decimal:
        from tradehook.amounts import parse_decimal

        return parse_decimal(as_text(self.contracts, what="number of contracts"), what="number of contracts")
