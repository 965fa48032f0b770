"""What a wallet tells of an order, where the exchange tells nothing more once it has taken it. Pure.

Compared are the balances right before it was sent and now. That is evidence, never proof: a deposit, or somebody who
trades by hand, moves a wallet as well. So the best that is said is *probably filled*, with what it was concluded from;
and where anything else of the account may have moved the same coins, nothing is concluded at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from tradehook.amounts import plain
from tradehook.desk.worth import WIDE
from tradehook.models import OrderStatus, Side, Unit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tradehook.models import SizedOrder

_FEE = Decimal("0.01")
"""No fee is larger than this share of what changes hands, as far as a wallet is believed."""
_PRICE = Decimal("0.05")
"""How far a market order may trade from the price that was looked at."""
_SETTLES_SECONDS = 60.0
"""How long after it was accepted an order may have left no trace yet."""


@dataclass(frozen=True, slots=True)
class Move:
    """How one asset's total, and what is held of it for orders, differ from before."""

    total: Decimal
    held: Decimal


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the wallet says, and why."""

    status: OrderStatus
    evidence: str


def moves(before: Mapping[str, str], after: Mapping[str, str], symbol: str) -> Move:
    """How an asset moved; each side is `total/available`, as the baseline keeps it."""
    (total_then, free_then), (total_now, free_now) = (_pair(side.get(symbol)) for side in (before, after))
    return Move(total=total_now - total_then, held=(total_now - free_now) - (total_then - free_then))


def judge(
    order: SizedOrder,
    *,
    base: Move,
    quote: Move,
    seconds: float,
    is_canceled: bool = False,
    others: int = 0,
    rests: bool = False,
) -> Verdict:
    """How an accepted order stands, by what has moved since it was sent.

    Args:
        order: what was sent.
        base: how its base moved.
        quote: how its quote moved.
        seconds: how long ago it was sent.
        is_canceled: the exchange accepted a cancel of it.
        others: how many other orders of the account may have moved the same coins.
        rests: so much is held that it must still rest as a whole.
    """
    seen = _words(order, base, quote)
    if rests:
        symbol, quantity = commitment(order)
        return Verdict(
            OrderStatus.CANCELING if is_canceled else OrderStatus.ACCEPTED,
            f"{plain(quantity)} {symbol} are held for it",
        )
    if others:
        return Verdict(
            OrderStatus.CANNOT_TELL, f"{seen}, and {others} other order{'s' if others > 1 else ''} may have done that"
        )
    spent = quote if order.side is Side.BUY else base
    # What is still held may be the last hundredth of it, which a fee would look like.
    rest_is_held = 0 < spent.held <= WIDE.multiply(commitment(order)[1], _FEE)
    if is_whole(order, base=base, quote=quote) and not rest_is_held:
        return Verdict(OrderStatus.PROBABLY_FILLED, seen)
    if is_canceled:
        return _after_cancel(order, base=base, quote=quote, is_held=spent.held > 0)
    if _contradicts(order, base, quote):
        return Verdict(OrderStatus.CANNOT_TELL, f"{seen}, which this order does not explain")
    if spent.held > 0 or seconds < _SETTLES_SECONDS:
        return Verdict(OrderStatus.ACCEPTED, seen)
    return Verdict(OrderStatus.CANNOT_TELL, f"{seen}, and nothing is held for it")


def _after_cancel(order: SizedOrder, *, base: Move, quote: Move, is_held: bool) -> Verdict:
    """How it stands when the exchange accepted a cancel of it, and the wallet did not move as the whole order would."""
    seen = _words(order, base, quote)
    if is_held:
        return Verdict(OrderStatus.CANCELING, seen)
    if is_all(order, base=base, quote=quote):
        # The cancel came too late, or somebody else moved as much: the price is not the one that it was sized at.
        return Verdict(OrderStatus.CANNOT_TELL, f"{seen}, which is all of it, at a price far from the expected one")
    if _contradicts(order, base, quote):
        return Verdict(OrderStatus.CANCELING, seen)
    return Verdict(OrderStatus.CANCELED, f"{seen}; nothing is held for it any more")


def commitment(order: SizedOrder) -> tuple[str, Decimal]:
    """What an order takes out of the wallet when it is filled as a whole, and so what is held for it while it rests."""
    if order.side is Side.SELL:
        return order.base, order.quantity
    price = order.price or order.reference_price or Decimal(0)
    return order.quote, order.quantity if order.unit is Unit.QUOTE else WIDE.multiply(order.quantity, price)


def covers(now: Mapping[str, str], orders: Sequence[SizedOrder], order: SizedOrder) -> bool:
    """Whether so much is held that all of these orders, `order` among them, must still rest as a whole.

    `now` has the balances as the baseline keeps them.
    """
    symbol, _ = commitment(order)
    total, free = _pair(now.get(symbol))
    wanted = [quantity for other, quantity in map(commitment, orders) if other == symbol]
    return total - free >= sum(wanted, Decimal(0)) > 0


def is_all(order: SizedOrder, *, base: Move, quote: Move) -> bool:
    """Whether as much moved as the order is for, whatever the price was, less a fee on what came in."""
    is_buy = order.side is Side.BUY
    came, went = (base.total, -quote.total) if is_buy else (quote.total, -base.total)
    if came <= 0 or went <= 0:
        return False
    if order.unit is Unit.QUOTE:
        # A sum of money is traded in whole steps of the base, so a little of it may be left.
        cost = went if is_buy else came
        return _within(cost, order.quantity, below=_FEE, above=Decimal(0) if is_buy else _FEE)
    # Where steps are not published the exchange rounds down to them.
    return _within(came if is_buy else went, order.quantity, below=_FEE, above=Decimal(0))


def is_whole(order: SizedOrder, *, base: Move, quote: Move) -> bool:
    """Whether the wallet moved as the whole order would have moved it, at a price near the one that it was sized at."""
    if not is_all(order, base=base, quote=quote):
        return False
    price = order.price or order.reference_price
    if price is None:
        return True
    is_buy = order.side is Side.BUY
    came, went = (base.total, -quote.total) if is_buy else (quote.total, -base.total)
    slack = _FEE if order.price is not None else _FEE + _PRICE
    if order.unit is Unit.QUOTE:
        cost, received = (went, came) if is_buy else (came, went)
        return _within(received, WIDE.divide(cost, price), below=slack, above=slack)
    if is_buy:
        return _within(went, WIDE.multiply(order.quantity, price), below=Decimal(1), above=slack)
    return came >= WIDE.multiply(WIDE.multiply(went, price), 1 - slack)


def _contradicts(order: SizedOrder, base: Move, quote: Move) -> bool:
    """Whether something moved in a way that no part of the order moves it."""
    into, out = (base, quote) if order.side is Side.BUY else (quote, base)
    if into.total < 0 or out.total > 0 or (into.total > 0) != (out.total < 0):
        return True
    if order.price is not None and order.unit is Unit.BASE:
        went = -quote.total if order.side is Side.BUY else WIDE.multiply(-base.total, order.price)
        came = WIDE.multiply(base.total, order.price) if order.side is Side.BUY else quote.total
        if WIDE.multiply(went, 1 - _FEE) > came:
            return True  # no limit order trades so dear
    if order.unit is Unit.BASE:
        return abs(base.total) > order.quantity
    return abs(quote.total) > WIDE.multiply(order.quantity, 1 + _FEE)


def _within(value: Decimal, wanted: Decimal, *, below: Decimal, above: Decimal) -> bool:
    return WIDE.multiply(wanted, 1 - below) <= value <= WIDE.multiply(wanted, 1 + above)


def _words(order: SizedOrder, base: Move, quote: Move) -> str:
    """`BTC +0.00999, USDT -740`; or that nothing moved, with what is held."""
    told = []
    for symbol, move in ((order.base, base), (order.quote, quote)):
        if move.total:
            told.append(f"{symbol} {'+' if move.total > 0 else ''}{plain(move.total)}")
        elif move.held:
            more = "more" if move.held > 0 else "less"
            told.append(f"{plain(abs(move.held))} {symbol} {more} held for orders")
    return f"since it was sent: {', '.join(told)}" if told else "nothing in the wallet has moved since it was sent"


def _pair(text: str | None) -> tuple[Decimal, Decimal]:
    total, _, free = (text or "0/0").partition("/")
    return Decimal(total), Decimal(free)
