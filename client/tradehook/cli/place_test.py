"""`tradehook doctor --place-test`: finds out by a real order, far from the market, what no document can tell.

The order is a small buy, rests where nothing trades, is looked for in the list of orders and then canceled. Where an
exchange tells of no orders, the wallet is looked at instead: what it holds for the order shows that it rests. It is
never a sell, and of BTC where there is some: were the exchange's codes not what they are taken for, next to nothing
would be lost. What was found is kept in the journal (`desk/proofs.py`); until then, nothing relies on it.
See: fintrusted-api 6.1.
"""

from __future__ import annotations

import time
from decimal import ROUND_DOWN, ROUND_UP, Decimal
from typing import TYPE_CHECKING

from tradehook.amounts import plain
from tradehook.errors import Rejected, TradehookError, WrongState
from tradehook.models import NewOrder, OrderStatus, Side

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tradehook.client import Client
    from tradehook.models import Balance, Order

_FAR = Decimal("0.7")
"""A buy at this share of the price: nothing falls so far in the seconds this takes."""
_RESTS_WITHIN_SECONDS = 20.0
_LISTED_WITHIN_SECONDS = 10.0
_POLL_SECONDS = 0.5
_WORTH = Decimal(15)
"""What the order is worth, in quote: above every minimum, and never traded."""
_SAFEST = "BTC"
"""Its amounts are tiny numbers: an exchange that took one for a sum of money would spend next to nothing."""
_A_LITTLE = Decimal("0.01")


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

    if not client.exchange.spec.capabilities.can("orders"):
        return _by_wallet(client, tell=tell)
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
    traded = [asset.symbol for asset in client.list_assets(venue="cefi") if asset.is_tradeable]
    base = _SAFEST if _SAFEST in traded else traded[0]
    market = client.get_quote(base, quote=quote, side=Side.SELL, quantity=_A_LITTLE, unit="base").price
    # Two digits are on every grid there is.
    price = _two_digits(market * _FAR, ROUND_DOWN)
    order = NewOrder.of(
        f"{base}/{quote}", side=Side.BUY, amount=f"{_two_digits(_WORTH / price, ROUND_UP):f}", price=price
    )
    sized = client.size_order(order)
    return NewOrder.of(f"{base}/{quote}", side=Side.BUY, amount=f"{sized.quantity:f}", price=price)


# --- where the exchange tells of no orders ------------------------------------------------------------------------


def _by_wallet(client: Client, *, tell: Callable[[str], object]) -> str:
    from tradehook.client import new_intent_id
    from tradehook.desk.proofs import LIMITS_REST
    from tradehook.run import run

    order = _far_order(client)
    price = order.price or Decimal(0)
    wanted = order.amount.value * price
    tell(f"placing a limit buy of {order.amount} {order.base} at {plain(price)}, far below the market")
    before = client.balances()
    try:
        outcome = client.desk.place_order(order, intent_id=new_intent_id("place-test"), source="cli:place-test")
    except Rejected as error:
        unfit = f"If that fits no limit order of {plain(wanted)} {order.quote}:"
        error.message = f"{error.message} {unfit} {_reversed(client)}"
        error.args = (error.message,)
        raise
    try:
        rests = _until(lambda: _is_held(before, client.balances(), order, wanted))
    except BaseException:
        _cancel(client, outcome.intent_id, outcome.order, tell=tell)
        raise
    account_id = run(client.exchange.account_id())
    held = f"{plain(wanted)} {order.quote}"
    detail = f"of order {outcome.order.order_id}, {held} were {'' if rests else 'not '}held"
    client.desk.journal.proofs.record(client.exchange.host, account_id, LIMITS_REST, is_true=rests, detail=detail)
    if not rests:
        raise _does_not_rest(client, outcome.intent_id, outcome.order, held=held, tell=tell)
    last = _cancel(client, outcome.intent_id, outcome.order, tell=tell)
    if not _until(lambda: not _is_held(before, client.balances(), order, wanted)):
        raise TradehookError(
            f"The cancel of the test order was taken, but {held} are still held. Look on the exchange's own page; "
            f"perhaps again: tradehook order cancel {outcome.order.order_id}",
            exchange=client.exchange.spec.name,
        )
    return f"a limit order rests: the wallet held {held} for it, and no longer after the cancel; it is {last.status}"


def _is_held(before: Sequence[Balance], now: Sequence[Balance], order: NewOrder, wanted: Decimal) -> bool:
    """Whether the wallet holds so much more than before, and nothing was bought."""
    was, base_was = _pot(before, order.quote), _pot(before, order.base)
    is_, base_is = _pot(now, order.quote), _pot(now, order.base)
    return is_[1] - was[1] >= wanted and is_[0] == was[0] and base_is[0] == base_was[0]


def _pot(balances: Sequence[Balance], symbol: str) -> tuple[Decimal, Decimal]:
    """All that there is of an asset, and what is held of it for orders."""
    rows = [row for row in balances if row.symbol == symbol]
    total, free = (sum(values, Decimal(0)) for values in ((r.total for r in rows), (r.available for r in rows)))
    return total, total - free


def _until(holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + _LISTED_WITHIN_SECONDS
    while not holds():
        if time.monotonic() >= deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def _does_not_rest(
    client: Client, intent_id: str, order: Order, *, held: str, tell: Callable[[str], object]
) -> TradehookError:
    """Try to cancel it all the same, and say what is known."""
    card = client.exchange.spec
    try:
        became = f"It is {_cancel(client, intent_id, order, tell=tell).status} now."
    except TradehookError as error:
        became = error.message
    return TradehookError(
        f"{card.label} took the order, but the wallet does not hold {held} for it: it does not rest. "
        f"{_reversed(client)} {became}",
        exchange=card.name,
    )


def _reversed(client: Client) -> str:
    page = client.exchange.spec.name.replace("_", "-")
    return (
        "Perhaps the code for limit orders means market orders there. Place none before that is settled, see "
        f"docs/reference/{page}.md."
    )


# --- parts --------------------------------------------------------------------------------------------------------


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
