"""Waits until an order has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import conf

from tradehook_provider.ending import EndingSensor
from tradehook_provider.hooks.exchange import DEFAULT_CONN_ID
from tradehook_provider.waiting import FINAL_WORDS, accepted, check_evidence

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from tradehook.models import Order
    from tradehook_provider.hooks.exchange import ExchangeHook
    from tradehook_provider.triggers.orders import OrderTrigger


class OrderSensor(EndingSensor):
    """Succeeds when the order has ended as wanted (filled), fails when it ended otherwise.

    Returns (XCom) the order as a plain dict, money as text. Reads only, so it may be tried as often as one likes.
    """

    template_fields = ("order_id", "intent_id", "exchange_conn_id")
    kind = "order"
    final_words = FINAL_WORDS
    order_id: str | None

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
        super().__init__(
            made_id=order_id,
            intent_id=intent_id,
            exchange_conn_id=exchange_conn_id,
            accept_statuses=accept_statuses,
            deferrable=deferrable,
            inline_wait_seconds=inline_wait_seconds,
            poke_interval=poke_interval,
            **kwargs,
        )
        self.order_id = order_id
        check_evidence(accept_evidence)
        self.accept_evidence = accept_evidence

    def check(self, hook: ExchangeHook) -> Collection[str]:
        """See `EndingSensor`."""
        exchange = hook.get_conn().exchange
        return accepted(self.accept_statuses, exchange=exchange, accept_evidence=self.accept_evidence)

    def read(self, hook: ExchangeHook, made_id: str) -> Order:
        """See `EndingSensor`."""
        return hook.get_conn().get_order(made_id)

    def watch(self, hook: ExchangeHook, intent_id: str) -> Order:
        """See `EndingSensor`."""
        return hook.desk.watch(intent_id)

    def trigger_until(self, until: float) -> OrderTrigger:
        """See `LookingSensor`."""
        from tradehook_provider.triggers.orders import OrderTrigger

        return OrderTrigger(
            exchange_conn_id=self.exchange_conn_id,
            order_id=self.made_id,
            intent_id=self.intent_id,
            until=until,
            poll_seconds=max(self.poke_interval, 1.0),
        )
