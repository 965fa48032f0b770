"""What an incoming order would take from a book: the one calculation behind quotes, market orders and limits."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from tradehook_sandbox.book import notional, quantity_for
from tradehook_sandbox.true_markets.increments import increment_at
from tradehook_sandbox.units import divide_rounding

if TYPE_CHECKING:
    from tradehook_sandbox.book import Book, Offer, Side

FEE_BASIS_POINTS: Final = 4
_WHOLE: Final = 10_000


def fee_on(spent: int) -> int:
    """The exchange's fee on this much notional, in the same units. See: truemarkets-api 8.4."""
    return divide_rounding(spent * FEE_BASIS_POINTS, _WHOLE)


def affordable(funds: int) -> int:
    """The largest notional that these funds pay for, fee included."""
    cap = max(0, funds) * _WHOLE // (_WHOLE + FEE_BASIS_POINTS)
    # The fee is rounded to the nearest unit, so one unit more is sometimes still paid for.
    while cap + 1 + fee_on(cap + 1) <= funds:
        cap += 1
    return cap


def opposite(side: Side) -> Side:
    """The side an order of this side trades with."""
    return "sell" if side == "buy" else "buy"


@dataclass(slots=True)
class Sweep:
    """Offers and how much of each is taken, best first. Nothing is taken by making one."""

    takes: list[tuple[Offer, int]] = field(default_factory=list)
    quantity: int = 0
    spent: int = 0
    is_whole: bool = False
    """Whether all that was wanted is there; for an order sized in dollars: all that whole lots can come to."""

    def add(self, offer: Offer, quantity: int) -> None:
        """This much of the offer is part of it."""
        self.takes.append((offer, quantity))
        self.quantity += quantity
        self.spent += notional(offer.price, quantity)


def sweep(
    book: Book, side: Side, *, quantity: int | None = None, budget: int | None = None, limit: int | None = None
) -> Sweep:
    """What an order of this side would get from the book now.

    Args:
        book: where.
        side: the order's own side.
        quantity: most base units to trade.
        budget: most notional to trade; then only whole lots are traded, at the price of each level in turn.
        limit: the worst price.
    """
    found = Sweep()
    for offer in book.offers(opposite(side)):
        if limit is not None and (offer.price > limit if side == "buy" else offer.price < limit):
            break
        wanted = offer.quantity if quantity is None else min(offer.quantity, quantity - found.quantity)
        if budget is not None:
            most = quantity_for(budget - found.spent, offer.price)
            if most < wanted:
                lot = increment_at(offer.price).lot
                if most >= lot:
                    found.add(offer, most // lot * lot)
                found.is_whole = True
                break
        found.add(offer, wanted)
        if quantity is not None and found.quantity >= quantity:
            found.is_whole = True
            break
    return found
