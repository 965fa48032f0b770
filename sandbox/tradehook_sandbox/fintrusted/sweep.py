"""What an incoming spot order would take from a book: one calculation for estimates, market orders and limits."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tradehook_sandbox.fintrusted.coins import turnover
from tradehook_sandbox.walk import PRICE_SCALE

if TYPE_CHECKING:
    from tradehook_sandbox.book import Book, Offer, Side


@dataclass(slots=True)
class Sweep:
    """Offers and how much of each is taken, best first. Nothing is taken by making one."""

    takes: list[tuple[Offer, int]] = field(default_factory=list)
    quantity: int = 0
    spent: int = 0
    is_whole: bool = False
    """Whether all that was wanted is there; for an order sized in quote: all that whole lots can come to."""

    def add(self, offer: Offer, quantity: int) -> None:
        """This much of the offer is part of it."""
        self.takes.append((offer, quantity))
        self.quantity += quantity
        self.spent += turnover(offer.price, quantity)


def sweep(
    book: Book,
    side: Side,
    *,
    lot: int,
    quantity: int | None = None,
    budget: int | None = None,
    limit: int | None = None,
) -> Sweep:
    """What an order of this side would get from the book now.

    Args:
        book: where.
        side: the order's own side.
        lot: the smallest step of a quantity.
        quantity: most base units to trade.
        budget: most quote units to spend.
        limit: the worst price.
    """
    found = Sweep()
    for offer in book.offers("sell" if side == "buy" else "buy"):
        if limit is not None and (offer.price > limit if side == "buy" else offer.price < limit):
            break
        wanted = offer.quantity if quantity is None else min(offer.quantity, quantity - found.quantity)
        if budget is not None:
            most = (budget - found.spent) * 10**PRICE_SCALE // offer.price // lot * lot
            if most < wanted:
                if most:
                    found.add(offer, most)
                # Sized in quote, the rest buys no lot more; sized in base, the money did not reach.
                found.is_whole = quantity is None
                break
        found.add(offer, wanted)
        if quantity is not None and found.quantity >= quantity:
            found.is_whole = True
            break
    return found
