"""Cancels orders: one, many, or all that are open."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from tradehook_provider.arguments import as_names, as_text
from tradehook_provider.failures import explained, may_be_tried_again, reason, with_retries
from tradehook_provider.hooks.exchange import DEFAULT_CONN_ID, ExchangeHook
from tradehook_provider.waiting import follow, line_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import Context

    from tradehook.errors import TradehookError
    from tradehook.models import Order

POLL_SECONDS = 0.5
_CERTAIN_ENDS = ("filled", "canceled", "failed")


@dataclass
class _Found:
    """What became of each order that was to be canceled."""

    orders: dict[str, Order] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    """Ids of orders that had ended before."""
    unknown: list[str] = field(default_factory=list)
    not_placed: list[str] = field(default_factory=list)
    """Intents that have no order."""
    problems: list[TradehookError] = field(default_factory=list)
    says: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Ids by what became of them, and each order."""
        ended = {order_id: str(order.status) for order_id, order in self.orders.items() if order.is_final}
        canceled = [order_id for order_id, status in ended.items() if status == "canceled"]
        canceled = [order_id for order_id in canceled if order_id not in self.refused]
        return {
            "canceled": canceled,
            "canceling": [order_id for order_id in self.orders if order_id not in ended],
            "already_ended": [order_id for order_id in ended if order_id not in canceled],
            "unknown": self.unknown,
            "not_placed": self.not_placed,
            "orders": {
                order_id: order.model_copy(update={"payloads": ()}).to_dict() for order_id, order in self.orders.items()
            },
            "says": self.says,
        }


class CancelOrderOperator(BaseOperator):
    """Has asked for the cancellation of each order when it succeeds, and says what became of each. May be repeated.

    Returns (XCom) a plain dict, money as text. Of ids: `canceled`; `canceling`, where the end did not come in time;
    `already_ended`, filled or canceled before; `unknown`, which the exchange does not know; `not_placed`, intents that
    have no order. Of each order `orders`, as it stands now. `says` is what this exchange cannot tell, or `None`.

    A freeze never stops a cancel, and neither does a limit.
    """

    template_fields = ("order_id", "intent_id", "market", "side", "exchange_conn_id")
    ui_color = "#f7e6e2"

    def __init__(
        self,
        *,
        order_id: str | Sequence[str] | None = None,
        intent_id: str | Sequence[str] | None = None,
        all_orders: bool = False,
        market: str | None = None,
        side: str | None = None,
        exchange_conn_id: str = DEFAULT_CONN_ID,
        wait_seconds: float = 10.0,
        fail_if_unknown: bool = True,
        **kwargs: Any,
    ) -> None:
        """Make one. Give `order_id`, `intent_id` or `all_orders=True`.

        Args:
            order_id: the exchange's id or several, often `place.output["order_id"]`; in a template, a list as JSON.
            intent_id: the same by the intents of this journal.
            all_orders: every open order of the account, also those that were not placed from here.
            market: with `all_orders`, only this one: `BTC/PYUSD`.
            side: with `all_orders`, only `buy` or `sell`.
            exchange_conn_id: the account.
            wait_seconds: how long to wait in all for the orders to end: a cancel that was accepted may come too late.
            fail_if_unknown: whether an order that the exchange does not know fails the task, once all others are
                canceled. The result is an XCom all the same.
            **kwargs: for every operator; `retries` is 2 unless it is set.
        """
        super().__init__(**with_retries(kwargs))
        self.order_id = order_id
        self.intent_id = intent_id
        self.all_orders = all_orders
        self.market = market
        self.side = side
        self.exchange_conn_id = exchange_conn_id
        self.wait_seconds = wait_seconds
        self.fail_if_unknown = fail_if_unknown
        if (order_id is not None) + (intent_id is not None) + bool(all_orders) != 1:
            raise ValueError("CancelOrderOperator cancels order_id, intent_id or all_orders=True: give one of them.")
        if not all_orders and (market is not None or side is not None):
            raise ValueError("market and side choose among all_orders=True; an id is canceled whatever it trades.")
        self._is_killed = False

    def execute(self, context: Context) -> dict[str, Any]:
        """Ask for each cancellation, then look how they ended."""
        from airflow.sdk.exceptions import AirflowException, AirflowFailException

        with explained(self.log), ExchangeHook(self.exchange_conn_id) as hook:
            found = _Found()
            for order_id in self._ids(hook, found):
                if self._is_killed:
                    raise AirflowException("Stopped before every order was canceled. Trying again goes on.")
                self._cancel(hook, order_id, found)
            self._see_them_end(hook, found)
            told = found.to_dict()
            if found.problems:
                context["ti"].xcom_push(key="return_value", value=told)
                raise _worst(found.problems)
            if found.unknown and self.fail_if_unknown:
                context["ti"].xcom_push(key="return_value", value=told)
                raise AirflowFailException(
                    f"{hook.get_conn().exchange.spec.label} does not know {', '.join(found.unknown)}. Every other "
                    "order is canceled or has ended. Look at `tradehook orders`, or set fail_if_unknown=False."
                )
            return told

    def on_kill(self) -> None:
        """Ask for no further cancellation. What was asked for stays asked for."""
        self._is_killed = True

    def _ids(self, hook: ExchangeHook, found: _Found) -> Sequence[str]:
        if self.all_orders:
            return self._open(hook, found)
        if self.order_id is not None:
            return _several(self.order_id, what="order_id")
        return [
            order_id
            for intent_id in _several(self.intent_id, what="intent_id")
            if (order_id := _order_of(hook, intent_id, found)) is not None
        ]

    def _open(self, hook: ExchangeHook, found: _Found) -> Sequence[str]:
        """The open orders that are meant. Where the exchange lists none, those that were placed from here."""
        from tradehook.amounts import parse_market
        from tradehook.errors import InvalidInput
        from tradehook.models import instrument

        capabilities = hook.get_conn().exchange.spec.capabilities
        market = side = None
        if self.market is not None:
            market = instrument(*parse_market(as_text(self.market, what="market")))
        if self.side is not None:
            side = as_text(self.side, what="side").lower()
            if side not in ("buy", "sell"):
                raise InvalidInput(f"{side[:20]!r} is not a side: write buy or sell.", suggestions=("buy", "sell"))
        if not capabilities.can("orders"):
            found.says = f"{capabilities.cannot['orders']} Only orders that were placed from here are canceled."
            self.log.warning("%s", found.says)
        chosen = []
        for order in hook.desk.open_orders():
            if (market is not None and (order.base is None or order.quote is None)) or (side and order.side is None):
                self.log.warning("Order %s is left alone: the exchange does not tell what it trades.", order.order_id)
                found.unknown.append(order.order_id)
            elif market in (None, instrument(order.base or "", order.quote or "")) and side in (None, order.side):
                chosen.append(order.order_id)
        self.log.info("%d open orders to cancel.", len(chosen))
        return chosen

    def _cancel(self, hook: ExchangeHook, order_id: str, found: _Found) -> None:
        """Ask for one, unless it has ended for certain; a failure is kept, so that it holds up no other."""
        from tradehook.errors import NotFound, ResponseError, TradehookError

        try:
            known = None if self.all_orders else _known(hook, order_id)
            if known is not None and str(known.status) in _CERTAIN_ENDS:
                found.orders[order_id] = known
                found.refused.append(order_id)
                return
            found.orders[order_id] = hook.desk.cancel_order(order_id)
        except NotFound:
            found.unknown.append(order_id)
            self.log.warning("The exchange does not know order %s.", order_id)
        except TradehookError as error:
            order = _ended(hook, order_id) if isinstance(error, ResponseError) else None
            if order is None:
                self.log.warning("Order %s could not be canceled: %s", order_id, reason(error))
                found.problems.append(error)
                return
            found.orders[order_id] = order
            found.refused.append(order_id)

    def _see_them_end(self, hook: ExchangeHook, found: _Found) -> None:
        deadline = time.monotonic() + self.wait_seconds
        for order_id, order in found.orders.items():
            found.orders[order_id] = follow(
                partial(_look, hook, order_id),
                order,
                seconds=max(deadline - time.monotonic(), 0),
                poll_seconds=POLL_SECONDS,
                log=self.log,
                is_stopped=lambda: self._is_killed,
            )
            self.log.info("Order %s: %s", order_id, line_of(found.orders[order_id]))


def _known(hook: ExchangeHook, order_id: str) -> Order | None:
    """An order before its cancel: as the journal has it, which costs nothing, else as the exchange tells it."""
    intent = hook.desk.journal.by_order(hook.get_conn().exchange.host, order_id)
    return intent.last_order if intent is not None else hook.get_conn().get_order(order_id)


def _ended(hook: ExchangeHook, order_id: str) -> Order | None:
    """An order whose cancel was refused, if that is because it has ended."""
    from tradehook.errors import TradehookError

    try:
        order = _look(hook, order_id)
    except TradehookError:
        return None
    return order if order.is_final else None


def _look(hook: ExchangeHook, order_id: str) -> Order:
    """An order as it stands; one that the journal knows shares the looks of all who wait."""
    intent = hook.desk.journal.by_order(hook.get_conn().exchange.host, order_id)
    return hook.desk.watch(intent.intent_id) if intent is not None else hook.get_conn().get_order(order_id)


def _order_of(hook: ExchangeHook, intent_id: str, found: _Found) -> str | None:
    """The order that came of an intent; `None` where there is none, which is told.

    Raises:
        InvalidInput: there is no such intent, it is none for an order, or it belongs to another account.
        OutcomeUnknown: nobody knows whether there is an order.
    """
    from tradehook.desk.intents import State
    from tradehook.errors import InvalidInput
    from tradehook.run import run

    intent = hook.desk.journal.get(hook.desk.journal.doubts.newest_id(intent_id))
    exchange = hook.get_conn().exchange
    if intent.kind != "order":
        raise InvalidInput(f"Intent {intent_id} is no order but a {intent.noun}, which cannot be canceled.")
    if intent.host != exchange.host or intent.account_id not in (None, run(exchange.account_id())):
        raise InvalidInput(f"Intent {intent_id} belongs to another account: {intent.account} at {intent.host}.")
    if intent.order_id is None and intent.reads_as is State.UNKNOWN:
        hook.desk.follow(intent_id)  # raises with what to do about the doubt
    if intent.order_id is None:
        found.not_placed.append(intent_id)
    return intent.order_id


def _several(value: object, *, what: str) -> Sequence[str]:
    """One id or several, each once; also as the JSON that a template leaves of a list. None at all is none."""
    if isinstance(value, str) and value.strip().startswith("["):
        try:
            value = json.loads(value)
        except ValueError:
            return as_names(value, what=what)  # says what is wrong
    if isinstance(value, list | tuple):
        return [*dict.fromkeys(as_text(entry, what=what) for entry in value)]
    return [as_text(value, what=what)]


def _worst(problems: Sequence[TradehookError]) -> TradehookError:
    """The failure that decides: one that a later try can help, as long as there is one."""
    return next((error for error in problems if may_be_tried_again(error)), problems[0])
