"""The exchange's price grid: tick and lot by price, as published, and the check of an order against it.

An order off the grid is rejected, never rounded, and told the increment. This is the sandbox's own copy of the table,
so that a mistake in a client's copy shows instead of cancelling out. See: truemarkets-api 8.3. The published table
leaves 0.0001 to 0.001 out; here the row below covers it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tradehook_sandbox.book import BASE_SCALE, NOTIONAL_SCALE, Increment, notional
from tradehook_sandbox.true_markets.calls import Refusal
from tradehook_sandbox.true_markets.wishes import positive
from tradehook_sandbox.units import format_units, parse_units
from tradehook_sandbox.walk import PRICE_SCALE

if TYPE_CHECKING:
    from tradehook_sandbox.true_markets.wishes import Wish

MINIMUM_NOTIONAL: Final = 10**NOTIONAL_SCALE
"""1.00 dollars at every price."""

TABLE: Final = tuple(
    Increment(parse_units(price, PRICE_SCALE), parse_units(tick, PRICE_SCALE), parse_units(lot, BASE_SCALE))
    for price, tick, lot in (
        ("500000", "1", "0.000001"),
        ("100000", "0.5", "0.00001"),
        ("10000", "0.1", "0.0001"),
        ("1000", "0.01", "0.001"),
        ("10", "0.001", "0.01"),
        ("0.1", "0.0001", "1"),
        ("0.001", "0.000001", "100"),
        ("0.00001", "0.00000001", "10000"),
        ("0", "0.0000000001", "1000000"),
    )
)


def increment_at(price: int) -> Increment:
    """The row that applies at this price in whole units."""
    return next(row for row in TABLE if price >= row.price_from)


def check_on_grid(wish: Wish, *, market_price: int) -> tuple[int, int]:
    """The wish's quantity and price in whole units, both on the grid and together above the minimum.

    Args:
        wish: what somebody asked for.
        market_price: what a market order would trade at; returned, on the grid, when the wish has no price.

    Raises:
        Refusal: 400 naming the increment.
    """
    price = market_price if wish.price is None else positive(wish.price, "price", PRICE_SCALE)
    increment = increment_at(price)
    if wish.price is None:
        price = max(increment.tick, price // increment.tick * increment.tick)
    elif price % increment.tick:
        raise Refusal(400, f"price must be a multiple of the tick size {format_units(increment.tick, PRICE_SCALE)}")
    if wish.unit == "quote":
        return _check_dollars(wish.quantity_units(NOTIONAL_SCALE), price, increment), price
    quantity = wish.quantity_units(BASE_SCALE)
    if quantity % increment.lot:
        raise Refusal(400, f"qty must be a multiple of the lot size {_lot_text(increment)}")
    if notional(price, quantity) < MINIMUM_NOTIONAL:
        raise Refusal(400, "order is below the minimum notional of 1.00")
    return quantity, price


def _check_dollars(quantity: int, price: int, increment: Increment) -> int:
    if quantity < MINIMUM_NOTIONAL:
        raise Refusal(400, "order is below the minimum notional of 1.00")
    if quantity < notional(price, increment.lot):
        raise Refusal(400, f"qty is worth less than one lot of {_lot_text(increment)} at the current price")
    return quantity


def _lot_text(increment: Increment) -> str:
    return format_units(increment.lot, BASE_SCALE)
