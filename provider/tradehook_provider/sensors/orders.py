"""Waits until an order has ended."""

from __future__ import annotations

import time
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, NoReturn, cast

from airflow.sdk import BaseSensorOperator, PokeReturnValue, conf

from tradehook.errors import ConfigurationError, JournalUnavailable, TradehookError
from tradehook_provider.failures import explained, may_be_tried_again, reason, with_retries
from tradehook_provider.hooks.exchange import DEFAULT_CONN_ID, ExchangeHook
from tradehook_provider.waiting import (
    FINAL_WORDS,
    MOST_FAILURES,
    accepted,
    check_evidence,
    check_travels,
    follow,
    judge,
    still_open,
    word_in,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from contextlib import AbstractContextManager

    from airflow.sdk import Context

    from tradehook.models import Order
    from tradehook_provider.triggers.orders import OrderTrigger

_BACKSTOP_SECONDS = 120.0
_INLINE_POLL_SECONDS = 1.0


class OrderSensor(BaseSensorOperator):
    """Succeeds when the order has ended as wanted (filled), fails when it ended otherwise.

    Returns (XCom) the order as a plain dict, money as text. Reads only, so it may be tried as often as one likes.
    """

    template_fields = ("order_id", "intent_id", "exchange_conn_id")

    def __init__(
        self,
        *,
        order_id: str | None = None,
        intent_id: str | None = None,
        exchange_conn_id: str = DEFAULT_CONN_ID,
        accept_statuses: Sequence[str] = ("filled",),
        accept_evidence: str | None = None,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        inline_wait_seconds: float = 10.0,
        poke_interval: float = 10.0,
        **kwargs: Any,
    ) -> None:
        """Make one. Give either `order_id` or `intent_id`.

        Args:
            order_id: the exchange's id, often `place.output["order_id"]`.
            intent_id: the intent in this journal; also waits for the order to come into being.
            exchange_conn_id: the account.
            accept_statuses: which ends are fine: `filled`, `canceled`, `failed`.
            accept_evidence: `wallet` takes *probably filled* for filled, where the exchange tells nothing of orders.
            deferrable: wait in the triggerer instead of in a worker.
            inline_wait_seconds: how long to wait in the worker before deferring (see `PlaceOrderOperator`).
            poke_interval: seconds between two looks.
            **kwargs: for every sensor: `timeout`, `mode`, `soft_fail`; `retries` is 2 unless it is set.
        """
        super().__init__(poke_interval=poke_interval, **with_retries(kwargs))
        self.order_id = order_id
        self.intent_id = intent_id
        self.exchange_conn_id = exchange_conn_id
        self.accept_statuses = tuple(accept_statuses)
        check_evidence(accept_evidence)
        self.accept_evidence = accept_evidence
        self.deferrable = deferrable
        self.inline_wait_seconds = inline_wait_seconds
        if (order_id is None) == (intent_id is None):
            raise ValueError("OrderSensor waits for one order: give either order_id or intent_id.")
        if wrong := sorted(set(self.accept_statuses) - set(FINAL_WORDS)):
            raise ValueError(f"accept_statuses can be {', '.join(FINAL_WORDS)}, not {wrong[0]!r}.")
        self._hook: ExchangeHook | None = None
        self._seen: Order | None = None
        self._failed = 0

    def poke(self, context: Context) -> PokeReturnValue:  # noqa: ARG002 - Airflow's signature
        """Look once. A failure that may pass is not the end of the waiting."""
        with explained(self.log), self._opened() as hook:
            try:
                self._seen = self._look(hook)
                self._failed = 0
            except TradehookError as error:
                self._failed += 1
                if not may_be_tried_again(error) or self._failed >= MOST_FAILURES:
                    raise
                self.log.warning("Look %d failed, looking again: %s", self._failed, reason(error))
                return PokeReturnValue(is_done=False)
            if self._seen is None or not self._seen.is_final:
                return PokeReturnValue(is_done=False)
            return PokeReturnValue(is_done=True, xcom_value=self._judged(self._seen, hook))

    def execute(self, context: Context) -> Any:
        """Look until the order has ended, here or in the triggerer."""
        try:
            if not self.deferrable:
                return super().execute(context)
            return self._softly(context)
        finally:
            if self._hook is not None:
                self._hook.close()

    def execute_complete(self, context: Context, event: Any = None) -> dict[str, Any]:  # noqa: ARG002
        """Look again after the trigger fired; the event alone is no result."""
        from airflow.sdk.exceptions import AirflowException, AirflowSensorTimeout

        with explained(self.log), ExchangeHook(self.exchange_conn_id) as hook:
            order = self._look(hook)
            if order is None:
                raise AirflowException(f"Intent {self.intent_id} has no order any more.")
            word = word_in(event, order_id=order.order_id)
            if not order.is_final and word in FINAL_WORDS:
                order = self._follow(hook, order)
            if order.is_final:
                return self._judged(order, hook)
            if word == "timeout":
                raise AirflowSensorTimeout(still_open(order, seconds=self.timeout))
            raise AirflowException(f"Order {order.order_id} could not be watched ({word}); it is {order.status}.")

    def _softly(self, context: Context) -> dict[str, Any]:
        """What the base class does with `soft_fail` and `never_fail`, for the part before deferring."""
        from airflow.sdk.exceptions import AirflowException, AirflowSkipException

        try:
            return self._wait_then_defer(context)
        except Exception as error:
            if self.never_fail or (self.soft_fail and isinstance(error, AirflowException)):
                raise AirflowSkipException(str(error)) from error
            raise

    def _wait_then_defer(self, context: Context) -> dict[str, Any]:
        from airflow.sdk.exceptions import AirflowSensorTimeout

        until = time.time() + self.timeout
        check_travels(self._trigger("-", until=until))
        inline_until = time.time() + min(self.timeout, self.inline_wait_seconds)
        while True:
            looked = self.poke(context)
            if looked:
                return cast("dict[str, Any]", looked.xcom_value)
            if self._seen is not None and time.time() >= inline_until:
                self._defer_for(self._seen, until=until)
            if time.time() >= until:
                raise AirflowSensorTimeout(f"There is no order of intent {self.intent_id} after {self.timeout:g} s.")
            time.sleep(min(self.poke_interval, _INLINE_POLL_SECONDS))

    def _defer_for(self, order: Order, *, until: float) -> NoReturn:
        self.log.info("Order %s is %s. Waiting for it in the triggerer.", order.order_id, order.status)
        self.defer(
            trigger=self._trigger(order.order_id, until=until),
            method_name="execute_complete",
            # The trigger ends by itself; this only helps when it cannot.
            timeout=max(until - time.time(), 0) + _BACKSTOP_SECONDS,
        )

    def _opened(self) -> AbstractContextManager[ExchangeHook]:
        """The hook for one look: kept while the worker stays, closed by `execute`."""
        if self._hook is None:
            self._hook = ExchangeHook(self.exchange_conn_id)
        return nullcontext(self._hook)

    def _look(self, hook: ExchangeHook) -> Order | None:
        """The order now; `None` while the intent has none yet.

        Raises:
            OutcomeUnknown: nobody knows whether the intent has an order.
            TradehookError: the intent was refused, or the look failed.
        """
        self._accepted(hook)  # what nobody could ever see must not be waited for
        if self.intent_id is None:
            return self._look_at(hook, self.order_id or "")
        from tradehook.desk.intents import State, error_from_dict

        intent = hook.desk.journal.get(self.intent_id)
        match intent.reads_as:
            case State.REJECTED:
                raise error_from_dict(intent.error or {})
            case State.ACCEPTED | State.UNKNOWN:
                return hook.desk.watch(self.intent_id)
            case _:
                return None

    def _look_at(self, hook: ExchangeHook, order_id: str) -> Order:
        """An order that came from anywhere: one that the journal knows shares the looks of all who wait."""
        try:
            intent = hook.desk.journal.by_order(hook.get_conn().exchange.host, order_id)
        except (ConfigurationError, JournalUnavailable) as error:
            self.log.info("Looking without the journal: %s", reason(error))
            intent = None
        if intent is None:
            return hook.get_conn().get_order(order_id)
        return hook.desk.watch(intent.intent_id)

    def _follow(self, hook: ExchangeHook, order: Order) -> Order:
        def look() -> Order:
            return self._look(hook) or order

        return follow(look, order, seconds=self.inline_wait_seconds, poll_seconds=_INLINE_POLL_SECONDS, log=self.log)

    def _judged(self, order: Order, hook: ExchangeHook) -> dict[str, Any]:
        from tradehook.render import order_line

        self.log.info("%s", order_line(order))
        judge(order, accept=self._accepted(hook))
        return order.model_copy(update={"payloads": ()}).to_dict()

    def _accepted(self, hook: ExchangeHook) -> Collection[str]:
        exchange = hook.get_conn().exchange
        return accepted(self.accept_statuses, exchange=exchange, accept_evidence=self.accept_evidence)

    def _trigger(self, order_id: str, *, until: float) -> OrderTrigger:
        from tradehook_provider.triggers.orders import OrderTrigger

        return OrderTrigger(
            exchange_conn_id=self.exchange_conn_id,
            order_id=order_id,
            intent_id=self.intent_id,
            until=until,
            poll_seconds=max(self.poke_interval, 1.0),
        )
