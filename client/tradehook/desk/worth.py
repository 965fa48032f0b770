"""What an order or a transfer is worth in the account's money. Pure: prices are given, never asked for here.

A figure errs on the high side: of two prices the one that makes more of it, and what is not known is not left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_UP, Context, Decimal
from typing import TYPE_CHECKING, Any

from tradehook.amounts import plain
from tradehook.desk.limits import MONEY
from tradehook.futures import SizedFuturesOrder
from tradehook.models import Order, OrderStatus, Side, SizedOrder, Unit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tradehook.desk.deeds import Settled

_PLACES = Decimal("0.00000001")
WIDE = Context(prec=80)
"""Room for what multiplying and summing adds; the usual 28 digits would round."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What was found out before a send, for the transaction that decides about it."""

    is_live: bool = False
    price: Decimal | None = None
    """What one of the base, or of what is transferred, is worth in money, by an independent price."""
    quote_price: Decimal | None = None
    """The same of one of the quote."""
    is_blind: bool = False
    """Whether the exchange tells nothing of orders, so that only the wallet shows what became of one."""

    def to_dict(self) -> dict[str, Any]:
        """A plain dict of JSON types, for the story of the intent."""
        return {
            "is_live": self.is_live,
            "price": plain(self.price) if self.price is not None else None,
            "quote_price": plain(self.quote_price) if self.quote_price is not None else None,
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Ground:
        """What `to_dict` gave."""
        return cls(
            is_live=bool(stored.get("is_live")),
            price=Decimal(stored["price"]) if stored.get("price") else None,
            quote_price=Decimal(stored["quote_price"]) if stored.get("quote_price") else None,
        )

    def reference(self, order: SizedOrder) -> Decimal | None:
        """The independent price of an order's base, in quote; `None` when it could not be had."""
        quote_price = money_price(order.quote, self.quote_price)
        if self.price is None or quote_price is None:
            return None
        return WIDE.divide(self.price, quote_price)


def money_price(symbol: str, price: Decimal | None) -> Decimal | None:
    """What one of an asset is worth: 1 for money, else the given price."""
    return Decimal(1) if symbol in MONEY else price


def notional(settled: Settled, ground: Ground) -> Decimal | None:
    """What is set aside for it; `None` when no price for it is known."""
    if isinstance(settled, SizedFuturesOrder):
        return settled.stake  # in the contract's dollars, taken one for one
    if not isinstance(settled, SizedOrder):
        return _times(settled.quantity, money_price(settled.asset, ground.price))
    quote_price = money_price(settled.quote, ground.quote_price)
    if settled.unit is Unit.QUOTE:
        return _times(settled.quantity, quote_price)
    reference = ground.reference(settled)
    if settled.price is not None and settled.side is Side.BUY:
        price: Decimal | None = settled.price  # it cannot cost more
    else:
        known = [each for each in (settled.price, settled.reference_price, reference) if each is not None]
        price = max(known, default=None)
    if price is None:
        # Without a price in quote, that of the base alone is as good.
        return _times(settled.quantity, money_price(settled.base, ground.price))
    return _times(settled.quantity, price, quote_price)


def counted(reserved: Decimal, order: Order) -> Decimal:
    """What something that was sent counts for now: what was set aside, until it ended and its fills are known.

    An order that was filled for more than was set aside counts for more; one that ended before it was whole, for what
    was filled.

    Args:
        reserved: what was set aside.
        order: as it was last seen.
    """
    if not order.is_final or order.filled is None:
        return reserved
    filled = _filled(order)
    if order.status is OrderStatus.FILLED:
        return max(reserved, filled or reserved)
    if order.filled == 0:
        return Decimal(0)
    if filled is not None:
        return filled
    if order.unit is Unit.BASE and order.quantity:
        share = WIDE.divide(order.filled, order.quantity)
        return WIDE.multiply(reserved, share).quantize(_PLACES, ROUND_UP, context=WIDE)
    return reserved


def _filled(order: Order) -> Decimal | None:
    """What was filled, in money, where the quote is money and the price was told."""
    if order.quote not in MONEY or order.filled is None or order.average_price is None:
        return None
    return _times(order.filled, order.average_price)


def total(amounts: list[Decimal]) -> Decimal:
    """Their sum, exactly."""
    found = Decimal(0)
    for amount in amounts:
        found = WIDE.add(found, amount)
    return found


def _times(quantity: Decimal, *prices: Decimal | None) -> Decimal | None:
    found = quantity
    for price in prices:
        if price is None:
            return None
        found = WIDE.multiply(found, price)
    return found.quantize(_PLACES, ROUND_UP, context=WIDE)


def cents(value: Decimal) -> str:
    """Money for a person. Up, so that it never reads as if it were within the limit; the details have it exactly."""
    return plain(value.quantize(Decimal("0.01"), ROUND_UP, context=WIDE))
