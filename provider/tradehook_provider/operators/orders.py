"""Places one order, once for each task run."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator, conf

from tradehook_provider.arguments import new_order
from tradehook_provider.failures import explained, with_retries
from tradehook_provider.hooks.exchange import DEFAULT_CONN_ID, ExchangeHook
from tradehook_provider.runs import refuse_backfill, task_intent_id, task_source
from tradehook_provider.waiting import (
    FINAL_WORDS,
    accepted,
    check_evidence,
    check_travels,
    follow,
    judge,
    still_open,
    word_in,
)

if TYPE_CHECKING:
    from collections.abc import Collection

    from airflow.sdk import Context

    from tradehook.models import Order
    from tradehook_provider.triggers.orders import OrderTrigger

LEG = "order"
_BACKSTOP_SECONDS = 120.0


class PlaceOrderOperator(BaseOperator):
    """Has placed its order exactly once when it succeeds, and has seen it filled (unless told not to wait).

    However often the task is tried, killed or cleared, the same DAG run and task never send a second order: the
    stored result is returned and the log says "Not sent again". To order again, start a new DAG run.

    Returns (XCom) a plain dict, money as text: `intent_id`, `order_id`, `status`, `filled`, `average_price`, `fee`,
    ..., and `sent`, what was sent. `order_id` and `intent_id` are XComs of their own as well, there as soon as the
    order is placed: `OrderSensor(order_id=place.output["order_id"])`.
    """

    template_fields = (
        "market", "side", "amount", "price", "chain", "good_for", "max_slippage", "exchange_conn_id",
    )  # fmt: skip
    ui_color = "#e2eefa"

    def __init__(
        self,
        *,
        market: str,
        side: str,
        amount: str,
        price: str | None = None,
        chain: str | None = None,
        good_for: str | None = None,
        max_slippage: str | None = None,
        bounded: bool = False,
        resends: bool = False,
        exchange_conn_id: str = DEFAULT_CONN_ID,
        wait: bool = True,
        accept_evidence: str | None = None,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        inline_wait_seconds: float = 10.0,
        poll_seconds: float = 1.0,
        deferred_poll_seconds: float = 5.0,
        timeout_seconds: float = 3600.0,
        allow_backfill: bool = False,
        **kwargs: Any,
    ) -> None:
        """Make one.

        Args:
            market: `BTC/PYUSD`.
            side: `buy` or `sell`.
            amount: `0.01` (base), `$250` (worth of quote), `50%` or `max` (of what is available), as text.
            price: makes it a limit order; in quote per base, as text.
            chain: sends it on chain.
            good_for: how long a limit order may rest, `12h` or `7d`; needed with a price. tradehook cancels it then, in
                whatever sweeps the account's orders: a waiting operator or sensor, the bot, `tradehook order expire`.
            max_slippage: how many percent worse than the market a market order may be expected to trade, as text.
            bounded: send it as a limit at that bound, and cancel what does not trade at once.
            resends: a market order that got no answer and is proved not to be there may be sent again by itself, in a
                later try. Otherwise it is held, and a person decides.
            exchange_conn_id: the account.
            wait: whether to wait until the order has ended; anything but filled then fails the task.
            accept_evidence: `wallet` takes *probably filled* for filled, where the exchange tells nothing of orders.
            deferrable: wait in the triggerer instead of in a worker.
            inline_wait_seconds: how long to wait in the worker before deferring. Most market orders end within
                this, and Airflow 3.3 may fail a task whose trigger fires at once after it was deferred.
            poll_seconds: between two looks, in the worker.
            deferred_poll_seconds: the same in the triggerer, where one look serves all orders of the account.
            timeout_seconds: how long to wait in all; then the task fails and the order stays.
            allow_backfill: let a backfill run place its order now.
            **kwargs: for every operator; `retries` is 2 unless it is set.
        """
        super().__init__(**with_retries(kwargs))
        self.market = market
        self.side = side
        self.amount = amount
        self.price = price
        self.chain = chain
        self.good_for = good_for
        self.max_slippage = max_slippage
        self.bounded = bounded
        self.resends = resends
        self.exchange_conn_id = exchange_conn_id
        self.wait = wait
        check_evidence(accept_evidence)
        self.accept_evidence = accept_evidence
        self.deferrable = deferrable
        self.inline_wait_seconds = inline_wait_seconds
        self.poll_seconds = poll_seconds
        self.deferred_poll_seconds = deferred_poll_seconds
        self.timeout_seconds = timeout_seconds
        self.allow_backfill = allow_backfill
        self._hook: ExchangeHook | None = None
        self._is_killed = False

    def execute(self, context: Context) -> dict[str, Any]:
        """Place the order, or find that it was placed, and wait for its end."""
        with explained(self.log), self._opened() as hook:
            refuse_backfill(context, is_allowed=self.allow_backfill)
            order = new_order(
                market=self.market,
                side=self.side,
                amount=self.amount,
                price=self.price,
                chain=self.chain,
                good_for=self.good_for,
                max_slippage=self.max_slippage,
                bounded=self.bounded,
            )
            if self.wait:
                self._accepted(hook)  # an order that nobody could wait for must not be sent
            intent_id = task_intent_id(context, hook=hook, leg=LEG)
            if self.wait and self.deferrable:
                # What cannot be stored must be found out now, not when the order is placed already.
                check_travels(self._trigger(intent_id, order_id=intent_id, until=time.time()))
            outcome = hook.desk.place_order(
                order, intent_id=intent_id, source=task_source(context), is_unattended=True, resends=self.resends
            )
            self._tell(outcome)
            # Pushed at once, so that they are there whatever becomes of the waiting.
            for name, value in (("intent_id", intent_id), ("order_id", outcome.order.order_id)):
                context["ti"].xcom_push(key=name, value=value)
            until = time.time() + self.timeout_seconds
            seconds = min(self.timeout_seconds, self.inline_wait_seconds) if self.deferrable else self.timeout_seconds
            if self.wait:
                self._end(hook, intent_id, outcome.order, seconds=seconds, until=until)
            return result(hook, intent_id)

    def execute_complete(self, context: Context, event: Any = None) -> dict[str, Any]:
        """Look at the order again after the trigger fired, and judge what is there, not what the event says."""
        from airflow.sdk.exceptions import AirflowException

        with explained(self.log), self._opened() as hook:
            intent_id = task_intent_id(context, hook=hook, leg=LEG)
            order = hook.desk.watch(intent_id)
            word = word_in(event, order_id=order.order_id)
            if not order.is_final and word in FINAL_WORDS:
                order = self._follow(hook, intent_id, order, seconds=self.inline_wait_seconds)
            if not order.is_final and word != "timeout":
                raise AirflowException(
                    f"Order {order.order_id} could not be watched ({word}); it is {order.status}. Trying again goes on "
                    "waiting; nothing is sent twice."
                )
            self._end(hook, intent_id, order, seconds=0, until=0)
            return result(hook, intent_id)

    def on_kill(self) -> None:
        """Begin no new send. What is being sent goes on to its answer; an order that is placed stays."""
        self._is_killed = True
        if self._hook is not None:
            self._hook.stop()

    def _accepted(self, hook: ExchangeHook) -> Collection[str]:
        return accepted(("filled",), exchange=hook.get_conn().exchange, accept_evidence=self.accept_evidence)

    def _opened(self) -> ExchangeHook:
        self._hook = ExchangeHook(self.exchange_conn_id)
        return self._hook

    def _tell(self, outcome: Any) -> None:
        from tradehook.render import deed, order_line, typed_and_sent

        if outcome.is_stored:
            self.log.info(
                "Not sent again: this task run has placed order %s before. %s",
                outcome.order.order_id,
                order_line(outcome.order),
            )
            return
        self.log.info("%s (%s): order %s", deed(outcome.sized), typed_and_sent(outcome.sized), outcome.order.order_id)

    def _end(self, hook: ExchangeHook, intent_id: str, order: Order, *, seconds: float, until: float) -> None:
        """Return when the order is filled. Defers when it is still open and there is time left.

        Raises:
            AirflowFailException: it ended otherwise, or not in time.
            AirflowException: the task was stopped while it waited.
        """
        from airflow.sdk.exceptions import AirflowException, AirflowFailException

        from tradehook.render import order_line

        order = self._follow(hook, intent_id, order, seconds=seconds)
        if order.is_final:
            self.log.info("%s", order_line(order))
            judge(order, accept=self._accepted(hook))
            return
        if self._is_killed:
            raise AirflowException(f"Stopped while waiting for order {order.order_id}, which is {order.status}.")
        left = until - time.time()
        if not self.deferrable or left <= 0:
            raise AirflowFailException(still_open(order, seconds=self.timeout_seconds))
        self.log.info("%s. Waiting for it in the triggerer.", order_line(order))
        self.defer(
            trigger=self._trigger(intent_id, order_id=order.order_id, until=until),
            method_name="execute_complete",
            # The trigger ends by itself; this only helps when it cannot.
            timeout=left + _BACKSTOP_SECONDS,
        )

    def _follow(self, hook: ExchangeHook, intent_id: str, order: Order, *, seconds: float) -> Order:
        return follow(
            lambda: hook.desk.watch(intent_id),
            order,
            seconds=seconds,
            poll_seconds=self.poll_seconds,
            log=self.log,
            is_stopped=lambda: self._is_killed,
        )

    def _trigger(self, intent_id: str, *, order_id: str, until: float) -> OrderTrigger:
        from tradehook_provider.triggers.orders import OrderTrigger

        return OrderTrigger(
            exchange_conn_id=self.exchange_conn_id,
            order_id=order_id,
            intent_id=intent_id,
            until=until,
            poll_seconds=self.deferred_poll_seconds,
        )


def result(hook: ExchangeHook, intent_id: str) -> dict[str, Any]:
    """What the journal knows of an order by now: plain values, money as text."""
    intent = hook.desk.journal.get(intent_id)
    order = {name: value for name, value in (intent.seen or {}).items() if name != "payloads"}
    return {"intent_id": intent_id, **order, "sent": intent.request}
