"""Opens and closes futures positions, once for each task run. In sandboxes only: the desk refuses everything else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import conf

from tradehook_provider.arguments import as_text
from tradehook_provider.hooks.fintrusted import FinTrustedHook
from tradehook_provider.sending import SendingOperator
from tradehook_provider.waiting import FUTURES_EVENT_WORDS, FUTURES_FINE_WORDS

if TYPE_CHECKING:
    from collections.abc import Collection

    from tradehook.futures import FuturesOrder, NewFuturesOrder
    from tradehook_provider.hooks.exchange import ExchangeHook
    from tradehook_provider.triggers.futures import FuturesOrderTrigger


class FuturesOperator(SendingOperator):
    """What opening and closing share. Use `FuturesOpenOperator` or `FuturesCloseOperator`."""

    action: ClassVar[str] = ""
    template_fields = ("contract", "position_side", "contracts", "leverage", "price", "trigger", "exchange_conn_id")
    ui_color = "#f3e6d8"
    leg = "futures"
    noun = "futures order"
    id_name = "order_id"
    event_words = FUTURES_EVENT_WORDS

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
        wait: bool | str = True,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        inline_wait_seconds: float = 10.0,
        poll_seconds: float = 1.0,
        deferred_poll_seconds: float = 5.0,
        timeout_seconds: float = 600.0,
        allow_backfill: bool = False,
        **kwargs: Any,
    ) -> None:
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
        self.contract = contract
        self.position_side = position_side
        self.contracts = contracts
        self.leverage = leverage
        self.price = price
        self.trigger = trigger

    def check(self, hook: ExchangeHook) -> None:
        """See `SendingOperator`."""
        from tradehook.desk.futures_deed import futures_of

        futures_of(hook.get_conn().exchange)

    def accepts(self, hook: ExchangeHook) -> Collection[str]:  # noqa: ARG002
        """See `SendingOperator`."""
        return FUTURES_FINE_WORDS

    def wanted(self) -> NewFuturesOrder:
        """See `SendingOperator`."""
        return new_futures_order(
            self.action,
            contract=self.contract,
            position_side=self.position_side,
            contracts=self.contracts,
            leverage=self.leverage,
            price=self.price,
            trigger=self.trigger,
        )

    def send(
        self, hook: ExchangeHook, wanted: NewFuturesOrder, *, intent_id: str, source: str
    ) -> tuple[FuturesOrder, bool]:
        """See `SendingOperator`."""
        from tradehook.futures_words import futures_words

        outcome = hook.desk.place_futures(wanted, intent_id=intent_id, source=source)
        if not outcome.is_stored:
            self.log.info("%s: futures order %s", futures_words(outcome.sized), outcome.order.order_id)
        return outcome.order, outcome.is_stored

    def watch(self, hook: ExchangeHook, intent_id: str) -> FuturesOrder:
        """See `SendingOperator`."""
        return hook.desk.follow_futures(intent_id)

    def trigger_for(self, intent_id: str, *, exchange_id: str, until: float) -> FuturesOrderTrigger:
        """See `SendingOperator`."""
        from tradehook_provider.triggers.futures import FuturesOrderTrigger

        return FuturesOrderTrigger(
            exchange_conn_id=self.exchange_conn_id,
            order_id=exchange_id,
            intent_id=intent_id,
            until=until,
            poll_seconds=self.deferred_poll_seconds,
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
                `wait` (whether to wait until it has ended; anything but filled then fails the task; in words `none`,
                `inline` or `deferred`), `deferrable`, `inline_wait_seconds`, `poll_seconds`, `deferred_poll_seconds`,
                `timeout_seconds` (600), `allow_backfill`, as of `PlaceOrderOperator`; and what every operator takes:
                `retries` is 2 unless it is set.
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
