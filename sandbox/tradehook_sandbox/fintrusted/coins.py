"""What FinTrusted trades: its coins, its pairs, and what a pair allows.

No number of the real exchange is known: precision, minimum and fee are this emulator's own. See: fintrusted-api 5.7.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tradehook_sandbox.book import BASE_SCALE, Increment
from tradehook_sandbox.units import format_units
from tradehook_sandbox.walk import PRICE_SCALE

DOLLARS: Final = "USDT"
COINS: Final = {"USDT": "Tether", "BTC": "Bitcoin", "ETH": "Ethereum"}
SCALE: Final = BASE_SCALE
"""Decimals in which every coin is booked. Tick times lot always fits, so no turnover is ever rounded."""
SCALES: Final = dict.fromkeys(COINS, SCALE)


@dataclass(frozen=True, slots=True)
class Pair:
    """What is traded for what, in which steps."""

    base: str
    price_scale: int
    """Decimals of a price."""
    amount_scale: int
    """Decimals of an amount of the base coin."""
    least_amount: int
    """The smallest order, in units of the base coin."""
    most_amount: int
    least_turnover: int
    """The smallest market buy, in units of the quote coin."""
    quote: str = DOLLARS

    @property
    def symbol(self) -> str:
        """Its name, as `BTC/USDT`."""
        return f"{self.base}/{self.quote}"

    @property
    def grid(self) -> Increment:
        """Tick and lot, the same at every price."""
        return Increment(0, 10 ** (PRICE_SCALE - self.price_scale), 10 ** (SCALE - self.amount_scale))

    def grid_at(self, _: int) -> Increment:
        """The same, as a book asks for it."""
        return self.grid


_ONE: Final[int] = 10**SCALE

PAIRS: Final = {
    pair.symbol: pair
    for pair in (
        Pair("BTC", 2, 6, least_amount=_ONE // 100_000, most_amount=100 * _ONE, least_turnover=_ONE),
        Pair("ETH", 2, 5, least_amount=_ONE // 10_000, most_amount=2_000 * _ONE, least_turnover=_ONE),
    )
}
BY_COIN: Final = {pair.base: pair for pair in PAIRS.values()}


def turnover(price: int, quantity: int) -> int:
    """What a quantity on the grid costs at a price on the grid, in units of the quote coin; exact."""
    return price * quantity // 10**PRICE_SCALE


def text_of(units: int) -> str:
    """Units of a coin as decimal text."""
    return format_units(units, SCALE)
