"""What coins are worth in the sandbox's world: one seeded path per coin, shared by all exchanges."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tradehook_sandbox.clock import MICROS
from tradehook_sandbox.units import format_units, parse_units
from tradehook_sandbox.walk import PRICE_SCALE, Walk

if TYPE_CHECKING:
    from collections.abc import Mapping

START_PRICES: Final = {"BTC": "67340.2", "ETH": "3456.78", "SOL": "86.51"}
STEP_MICROS: Final = MICROS // 2
"""Prices move and liquidity is laid anew twice a second."""


class Market:
    """Reference prices in dollars, as whole units of `10**-PRICE_SCALE`."""

    def __init__(self, *, seed: int, origin_micros: int) -> None:
        self.origin_micros = origin_micros
        self.walks = {
            symbol: Walk(seed=seed, symbol=symbol, anchor=parse_units(price, PRICE_SCALE))
            for symbol, price in START_PRICES.items()
        }

    @classmethod
    def restored(cls, content: Mapping[str, Any]) -> Market:
        """The market as `as_json` wrote it."""
        market = cls(seed=0, origin_micros=int(content["origin_micros"]))
        market.walks = {walk["symbol"]: Walk(**walk) for walk in content["walks"]}
        return market

    def step_at(self, at_micros: int) -> int:
        """The number of the step in which this moment lies."""
        return (at_micros - self.origin_micros) // STEP_MICROS

    def price(self, symbol: str, at_micros: int) -> int:
        """The reference price at this moment."""
        return self.walks[symbol].price(self.step_at(at_micros))

    def set_price(self, symbol: str, price: int, at_micros: int) -> None:
        """From now on the path goes on from this price."""
        self.walks[symbol].pin(price, step=self.step_at(at_micros))

    def hold(self, at_micros: int, *, still: bool) -> None:
        """All prices stand still where they are, or walk on from there."""
        for walk in self.walks.values():
            if walk.is_still != still:
                walk.hold(step=self.step_at(at_micros), still=still)

    def shown(self, at_micros: int) -> dict[str, str]:
        """Every coin's price as text, with three decimals at most."""
        prices = {symbol: self.price(symbol, at_micros) for symbol in self.walks}
        return {symbol: format_units(_short(price), PRICE_SCALE) for symbol, price in prices.items()}

    def as_json(self) -> dict[str, Any]:
        """The paths for a store."""
        return {"origin_micros": self.origin_micros, "walks": [walk.as_json() for walk in self.walks.values()]}


def _short(price: int) -> int:
    # Small prices keep their digits; a bitcoin does not need ten decimals.
    unit = 10 ** (PRICE_SCALE - 3)
    return price // unit * unit if price > 1_000 * unit else price
