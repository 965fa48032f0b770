"""The grid on which True Markets' own book trades: tick and lot by price.

The API does not publish it, so it stands here as data. An order off the grid is rejected, not
rounded, by the exchange; we round quantities down before sending and show both.
See: truemarkets-api 8.3 (docs.truemarkets.co, increment sizes).
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, Decimal

from tradehook.amounts import plain
from tradehook.errors import InvalidInput

MINIMUM_NOTIONAL = Decimal("1.00")
"""Smallest order in quote units, at every price."""


@dataclass(frozen=True, slots=True)
class Increment:
    """From this price upward, prices are multiples of `tick` and base quantities of `lot`."""

    price_from: Decimal
    tick: Decimal
    lot: Decimal


_TABLE = tuple(
    Increment(Decimal(price), Decimal(tick), Decimal(lot))
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
_UNPUBLISHED = (Decimal("0.0001"), Decimal("0.001"))


def increment_at(price: Decimal) -> Increment:
    """The row that applies at this price.

    Raises:
        InvalidInput: the published table leaves this price out (0.0001 to 0.001).
    """
    if _UNPUBLISHED[0] <= price < _UNPUBLISHED[1]:
        raise InvalidInput(f"True Markets publishes no increments for prices like {plain(price)}.")
    return next(row for row in _TABLE if price >= row.price_from)


def round_quantity(quantity: Decimal, *, price: Decimal) -> Decimal:
    """Down to whole lots. 0 when it is less than one."""
    lot = increment_at(price).lot
    return (quantity / lot).to_integral_value(ROUND_DOWN) * lot


def check_price(price: Decimal) -> None:
    """Refuse a limit price between two ticks; a person's price is never changed silently.

    Raises:
        InvalidInput: with the nearest prices below and above as suggestions.
    """
    tick = increment_at(price).tick
    below = (price / tick).to_integral_value(ROUND_FLOOR) * tick
    if below != price:
        above = (price / tick).to_integral_value(ROUND_CEILING) * tick
        raise InvalidInput(
            f"{plain(price)} lies between two prices: here they go in steps of {plain(tick)}. "
            f"Write {plain(below)} or {plain(above)}.",
            suggestions=(plain(below), plain(above)),
        )
