"""Places one order, once for each task run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import conf

from tradehook_provider.arguments import new_order
from tradehook_provider.hooks.exchange import DEFAULT_CONN_ID
from tradehook_provider.kills import cancel_for_a_person, was_killed_at_work
from tradehook_provider.links import OrderLink, TradingPageLink
from tradehook_provider.sending import SendingOperator
from tradehook_provider.waiting import EVENT_WORDS, accepted, check_evidence

if TYPE_CHECKING:
    from collections.abc import Collection

    from airflow.sdk import Context

    from tradehook.models import NewOrder, Order
    from tradehook_provider.hooks.exchange import ExchangeHook
    from tradehook_provider.triggers.orders import OrderTrigger


class PlaceOrderOperator(SendingOperator):
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
    operator_extra_links = (OrderLink(), TradingPageLink())
    ui_color = "#e2eefa"
    leg = noun = "order"
    id_name = "order_id"
    event_words = EVENT_WORDS
    sent = "placed"

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
        wait: bool | str = True,
        accept_evidence: str | None = None,
        cancel_on_kill: bool = False,
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
            wait: whether to wait until the order has ended; anything but filled then fails the task. In words:
                `none`, `inline` (in the worker) or `deferred` (in the triggerer).
            accept_evidence: `wallet` takes *probably filled* for filled, where the exchange tells nothing of orders.
            cancel_on_kill: cancel a resting limit order when a person marks the waiting task, or its run, failed;
                never on a timeout or a restart, or when it is cleared or marked successful. Needs a price.
            deferrable: wait in the triggerer instead of in a worker, and look there for what became of an order that
                got no answer.
            inline_wait_seconds: how long to wait in the worker before deferring. Most market orders end within
                this, and Airflow 3.3 may fail a task whose trigger fires at once after it was deferred.
            poll_seconds: between two looks, in the worker.
            deferred_poll_seconds: the same in the triggerer, where one look serves all orders of the account.
            timeout_seconds: how long to wait in all; then the task fails and the order stays.
            allow_backfill: let a backfill run, or one that catches up, place its order now.
            **kwargs: for every operator; `retries` is 2 unless it is set.
        """
        super().__init__(
            exchange_conn_id=exchange_conn_id,
            wait=wait,
            deferrable=deferrable,
            inline_wait_seconds=inline_wait_seconds,
            poll_seconds=poll_seconds,
            deferred_poll_seconds=deferred_poll_seconds,
            timeout_seconds=timeout_seconds,
            allow_backfill=allow_backfill,
            **kwargs,
        )
        self.market = market
        self.side = side
        self.amount = amount
        self.price = price
        self.chain = chain
        self.good_for = good_for
        self.max_slippage = max_slippage
        self.bounded = bounded
        self.resends = resends
        check_evidence(accept_evidence)
        self.accept_evidence = accept_evidence
        if cancel_on_kill and (price is None or not self.wait):
            raise ValueError("cancel_on_kill is for limit orders that are waited for: give a price, and wait.")
        self.cancel_on_kill = cancel_on_kill

    def check(self, hook: ExchangeHook) -> None:
        """See `SendingOperator`. What an exchange cannot trade is said when the order is sized."""

    def accepts(self, hook: ExchangeHook) -> Collection[str]:
        """See `SendingOperator`."""
        return accepted(("filled",), exchange=hook.get_conn().exchange, accept_evidence=self.accept_evidence)

    def wanted(self) -> NewOrder:
        """See `SendingOperator`."""
        return new_order(
            market=self.market,
            side=self.side,
            amount=self.amount,
            price=self.price,
            chain=self.chain,
            good_for=self.good_for,
            max_slippage=self.max_slippage,
            bounded=self.bounded,
        )

    def send(self, hook: ExchangeHook, wanted: NewOrder, *, intent_id: str, source: str) -> tuple[Order, bool]:
        """See `SendingOperator`."""
        from tradehook.render import deed, typed_and_sent

        outcome = hook.desk.place_order(
            wanted, intent_id=intent_id, source=source, is_unattended=True, resends=self.resends
        )
        if not outcome.is_stored:
            words, sizes = deed(outcome.sized), typed_and_sent(outcome.sized)
            self.log.info("%s (%s): order %s", words, sizes, outcome.order.order_id)
        return outcome.order, outcome.is_stored

    def watch(self, hook: ExchangeHook, intent_id: str) -> Order:
        """See `SendingOperator`."""
        return hook.desk.watch(intent_id)

    def killed(self, context: Context, hook: ExchangeHook, made: Order) -> None:
        """Cancel it, if that is wanted and a person ended the task: in `on_kill` Airflow cannot be asked who it was."""
        if self.cancel_on_kill and was_killed_at_work(context["ti"], log=self.log):
            cancel_for_a_person(hook.desk, made.order_id, log=self.log)

    def trigger_for(self, intent_id: str, *, exchange_id: str, until: float) -> OrderTrigger:
        """See `SendingOperator`."""
        from tradehook_provider.triggers.orders import OrderTrigger

        return OrderTrigger(
            exchange_conn_id=self.exchange_conn_id,
            order_id=exchange_id,
            intent_id=intent_id,
            until=until,
            poll_seconds=self.deferred_poll_seconds,
            cancel_on_kill=self.cancel_on_kill,
        )
