"""Opens and closes futures positions, once for each task run. In sandboxes only: the desk refuses everything else."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import BaseOperator

from tradehook_provider.arguments import as_text
from tradehook_provider.failures import explained, may_be_tried_again, reason, with_retries
from tradehook_provider.hooks.exchange import ExchangeHook
from tradehook_provider.hooks.fintrusted import FinTrustedHook
from tradehook_provider.runs import refuse_backfill, task_intent_id, task_source
from tradehook_provider.waiting import MOST_FAILURES

if TYPE_CHECKING:
    from airflow.sdk import Context

    from tradehook.futures import FuturesOrder, NewFuturesOrder

LEG = "futures"
_FINE = ("filled", "accepted")
"""An exchange that answers without an id says *accepted*, and nothing more can be asked of it."""


class FuturesOperator(BaseOperator):
    """What opening and closing share. Use `FuturesOpenOperator` or `FuturesCloseOperator`."""

    action: ClassVar[str] = ""
    template_fields = ("contract", "position_side", "contracts", "leverage", "price", "trigger", "exchange_conn_id")
    ui_color = "#f3e6d8"

    def __init__(
        self,
        *,
        contract: str,
        position_side: str,
        contracts: str | int | None,
        leverage: str | int | None = None,
        price: str | None = None,
        trigger: str | None = None,
        exchange_conn_id: str = FinTrustedHook.default_conn_name,
        wait: bool = True,
        poll_seconds: float = 1.0,
        timeout_seconds: float = 600.0,
        allow_backfill: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**with_retries(kwargs))
        self.contract = contract
        self.position_side = position_side
        self.contracts = contracts
        self.leverage = leverage
        self.price = price
        self.trigger = trigger
        self.exchange_conn_id = exchange_conn_id
        self.wait = wait
        self.poll_seconds = poll_seconds
        self.timeout_seconds = timeout_seconds
        self.allow_backfill = allow_backfill
        self._hook: ExchangeHook | None = None
        self._is_killed = False

    def execute(self, context: Context) -> dict[str, Any]:
        """Send the order, or find that it was sent, and wait for its end."""
        with explained(self.log), self._opened() as hook:
            refuse_backfill(context, is_allowed=self.allow_backfill)
            order = new_futures_order(
                self.action,
                contract=self.contract,
                position_side=self.position_side,
                contracts=self.contracts,
                leverage=self.leverage,
                price=self.price,
                trigger=self.trigger,
            )
            intent_id = task_intent_id(context, hook=hook, leg=LEG)
            outcome = hook.desk.place_futures(order, intent_id=intent_id, source=task_source(context))
            self._tell(outcome)
            # Pushed at once, so that they are there whatever becomes of the waiting.
            for name, value in (("intent_id", intent_id), ("order_id", outcome.order.order_id)):
                context["ti"].xcom_push(key=name, value=value)
            if self.wait:
                self._judge(self._follow(hook, intent_id, outcome.order))
            intent = hook.desk.journal.get(intent_id)
            seen = {name: value for name, value in (intent.seen or {}).items() if name != "payloads"}
            return {"intent_id": intent_id, **seen, "sent": intent.request}

    def on_kill(self) -> None:
        """Begin no new send. What is being sent goes on to its answer; an order that is there stays."""
        self._is_killed = True
        if self._hook is not None:
            self._hook.stop()

    def _opened(self) -> ExchangeHook:
        self._hook = ExchangeHook(self.exchange_conn_id)
        return self._hook

    def _tell(self, outcome: Any) -> None:
        from tradehook.futures_words import futures_line, futures_words

        if outcome.is_stored:
            self.log.info(
                "Not sent again: this task run has sent order %s before. %s",
                outcome.order.order_id,
                futures_line(outcome.order),
            )
            return
        self.log.info("%s: futures order %s", futures_words(outcome.sized), outcome.order.order_id)

    def _follow(self, hook: ExchangeHook, intent_id: str, order: FuturesOrder) -> FuturesOrder:
        """The order after it ended, or after the time for that. Looks that fail for a passing reason are made up for.

        Raises:
            TradehookError: the last failure, when there were too many in a row or it is not a passing one.
        """
        from tradehook.errors import TradehookError

        deadline, failed = time.monotonic() + self.timeout_seconds, 0
        while not order.is_final and not self._is_killed and time.monotonic() < deadline:
            time.sleep(self.poll_seconds)
            try:
                order, failed = hook.desk.follow_futures(intent_id), 0
            except TradehookError as error:
                failed += 1
                if not may_be_tried_again(error) or failed >= MOST_FAILURES:
                    raise
                self.log.warning("Look %d failed, looking again: %s", failed, reason(error))
        return order

    def _judge(self, order: FuturesOrder) -> None:
        """Pass an order that was filled, or whose exchange tells no more of it.

        Raises:
            AirflowFailException: it ended otherwise, or not in time.
            AirflowException: the task was stopped while it waited.
        """
        from airflow.sdk.exceptions import AirflowException, AirflowFailException

        from tradehook.futures_words import futures_line

        self.log.info("%s", futures_line(order))
        if order.is_final and str(order.status) in _FINE:
            return
        if order.is_final:
            raise AirflowFailException(
                f"Futures order {order.order_id} ended as {order.status}: {futures_line(order)}. This task run has had "
                "its order; to send another, start a new DAG run."
            )
        if self._is_killed:
            raise AirflowException(
                f"Stopped while waiting for futures order {order.order_id}, which is {order.status}."
            )
        raise AirflowFailException(
            f"Futures order {order.order_id} is still {order.status} after {self.timeout_seconds:g} s. It stays at the "
            "exchange. Clear this task to go on waiting (nothing is sent again)."
        )


class FuturesOpenOperator(FuturesOperator):
    """Has opened its position exactly once when it succeeds, and has seen the order filled (unless told not to wait).

    However often the task is tried, killed or cleared, the same DAG run and task never send a second order: the stored
    result is returned and the log says "Not sent again". To open again, start a new DAG run.

    Returns (XCom) a plain dict, money as text: `intent_id`, `order_id`, `status`, `average_price`, `margin`, `fee`,
    ..., and `sent`, what was sent. `order_id` and `intent_id` are XComs of their own as well.
    """

    action = "open"

    def __init__(
        self,
        *,
        contract: str,
        position_side: str,
        contracts: str | int,
        leverage: str | int,
        **kwargs: Any,
    ) -> None:
        """Make one.

        Args:
            contract: `BTC/USDT`.
            position_side: `long` or `short`.
            contracts: how many, a whole number.
            leverage: how many times the margin the position stands for.
            **kwargs: `price` (makes it a limit order) and `trigger` (waits for a price), as text; `exchange_conn_id`,
                `wait` (whether to wait until it has ended; anything but filled then fails the task), `poll_seconds`,
                `timeout_seconds` (600), `allow_backfill`; and what every operator takes: `retries` is 2 unless it is
                set.
        """
        super().__init__(
            contract=contract, position_side=position_side, contracts=contracts, leverage=leverage, **kwargs
        )


class FuturesCloseOperator(FuturesOperator):
    """Has closed its position, or a part of it, exactly once when it succeeds; see `FuturesOpenOperator`.

    Says which *position* is closed: which way the order goes follows from that.
    """

    action = "close"

    def __init__(self, *, contract: str, position_side: str, contracts: str | int | None = None, **kwargs: Any) -> None:
        """Make one.

        Args:
            contract: `BTC/USDT`.
            position_side: which position: `long` or `short`.
            contracts: how many; `None` closes all that is there when the task runs first.
            **kwargs: as for `FuturesOpenOperator`; there is no leverage.
        """
        super().__init__(contract=contract, position_side=position_side, contracts=contracts, **kwargs)


def new_futures_order(
    action: str,
    *,
    contract: object,
    position_side: object,
    contracts: object,
    leverage: object,
    price: object,
    trigger: object,
) -> NewFuturesOrder:
    """The order that rendered arguments stand for. Only `None` means "not given", never an empty text.

    Raises:
        InvalidInput: an argument cannot be meant.
    """
    from tradehook.amounts import parse_decimal
    from tradehook.futures import NewFuturesOrder
    from tradehook.models import typed_in

    values: dict[str, Any] = {
        "action": action,
        "contract": as_text(contract, what="contract"),
        "position_side": as_text(position_side, what="position's side"),
    }
    numbers = (("contracts", contracts), ("leverage", leverage), ("price", price), ("trigger", trigger))
    for name, value in numbers:
        if value is not None:
            values[name] = parse_decimal(as_text(value, what=name), what=name)
    with typed_in():
        return NewFuturesOrder.model_validate(values)
