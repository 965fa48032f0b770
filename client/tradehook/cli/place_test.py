"""`tradehook doctor --place-test`: finds out by a real order, far from the market, what no document can tell.

The order is small, rests where nothing trades, is looked for in the list of orders and then canceled. What was found is
kept in the journal (`desk/proofs.py`); until then, nothing relies on it.
"""

from __future__ import annotations

import time
from decimal import ROUND_DOWN, ROUND_UP, Decimal
from typing import TYPE_CHECKING

from tradehook.amounts import plain
from tradehook.errors import TradehookError, WrongState
from tradehook.models import NewOrder, OrderStatus, Side

if TYPE_CHECKING:
    from collections.abc import Callable

    from tradehook.client import Client
    from tradehook.models import Order

_FAR = Decimal("0.7")
"""A buy at this share of the price: nothing falls so far in the seconds this takes."""
_RESTS_WITHIN_SECONDS = 20.0
_LISTED_WITHIN_SECONDS = 10.0
_POLL_SECONDS = 0.5
_WORTH = Decimal(15)
"""What the order is worth, in quote: above every minimum, and never traded."""


def place_test(client: Client, *, tell: Callable[[str], object]) -> str:
    """Place, look for, and cancel an order; what was found, in a sentence.

    Args:
        client: whose account it is.
        tell: told what is being done.

    Raises:
        TradehookError: it could not be placed, or not be canceled again; says which order still rests.
    """
    from tradehook.client import new_intent_id
    from tradehook.desk.proofs import LISTS_OPEN_ORDERS
    from tradehook.run import run

    order = _far_order(client)
    price = plain(order.price or Decimal(0))
    tell(f"placing a limit buy of {order.amount} {order.base} at {price}, far below the market")
    outcome = client.desk.place_order(order, intent_id=new_intent_id("place-test"), source="cli:place-test")
    try:
        resting = _until_open(client, outcome.intent_id, outcome.order)
        if resting.status is not OrderStatus.OPEN:
            raise TradehookError(
                f"The order did not come to rest in the book: it is {resting.status}. Nothing was proved.",
                exchange=client.exchange.spec.name,
            )
        is_listed = _is_listed(client, resting.order_id)
    finally:
        last = _cancel(client, outcome.intent_id, outcome.order, tell=tell)
    account_id = run(client.exchange.account_id())
    detail = f"order {resting.order_id} rested in the book and was {'' if is_listed else 'not '}listed"
    client.desk.journal.proofs.record(
        client.exchange.host, account_id, LISTS_OPEN_ORDERS, is_true=is_listed, detail=detail
    )
    shows = "shows open orders" if is_listed else "does not show open orders; they are followed one by one"
    return f"the list of orders {shows}; the order is {last.status}"


def _far_order(client: Client) -> NewOrder:
    """A small buy far below the market, on the exchange's grid."""
    quote = client.exchange.spec.capabilities.default_quote
    base = next(asset.symbol for asset in client.list_assets(venue="cefi") if asset.is_tradeable)
    market = client.get_quote(base, quote=quote, side=Side.BUY, quantity=Decimal(100), unit="quote").price
    # Two digits are on every grid there is.
    price = _two_digits(market * _FAR, ROUND_DOWN)
    order = NewOrder.of(
        f"{base}/{quote}", side=Side.BUY, amount=f"{_two_digits(_WORTH / price, ROUND_UP):f}", price=price
    )
    sized = client.size_order(order)
    return NewOrder.of(f"{base}/{quote}", side=Side.BUY, amount=f"{sized.quantity:f}", price=price)


def _two_digits(value: Decimal, rounding: str) -> Decimal:
    return value.quantize(Decimal(1).scaleb(value.adjusted() - 1), rounding)


def _until_open(client: Client, intent_id: str, order: Order) -> Order:
    deadline = time.monotonic() + _RESTS_WITHIN_SECONDS
    while order.status is OrderStatus.PENDING and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
        order = client.desk.follow(intent_id)
    return order


def _is_listed(client: Client, order_id: str) -> bool:
    """Whether the list of open orders, asked several times, shows it."""
    deadline = time.monotonic() + _LISTED_WITHIN_SECONDS
    while True:
        if any(found.order_id == order_id for found in client.list_orders(statuses=[OrderStatus.OPEN])):
            return True
        if time.monotonic() >= deadline:
            return False
        time.sleep(_POLL_SECONDS)


def _cancel(client: Client, intent_id: str, order: Order, *, tell: Callable[[str], object]) -> Order:
    """Cancel first, by the id at hand, and look afterwards: what cannot be read must not stay behind."""
    tell(f"canceling order {order.order_id}")
    try:
        return _until_canceled(client, intent_id, order)
    except TradehookError as error:
        error.message = (
            f"The test order may still rest ({error.message}) Cancel it: tradehook order cancel {order.order_id}"
        )
        error.args = (error.message,)
        raise


def _until_canceled(client: Client, intent_id: str, order: Order) -> Order:
    try:
        order = client.cancel_order(order.order_id)
    except WrongState:
        order = client.desk.follow(intent_id)  # it has ended already
    deadline = time.monotonic() + _RESTS_WITHIN_SECONDS
    while not order.is_final and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
        order = client.desk.follow(intent_id)
    if not order.is_final:
        raise TradehookError(
            f"The test order still rests: it is {order.status}. Cancel it: tradehook order cancel {order.order_id}",
            exchange=client.exchange.spec.name,
        )
    return order
