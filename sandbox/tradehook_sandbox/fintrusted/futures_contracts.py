"""What a futures contract is, and its arithmetic: notional, margin, fees, profit, and where a position is liquidated.

The linear model of the look-alikes, in whole units; nothing here moves money. See: fintrusted-api 6.4.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from tradehook_sandbox.fintrusted.coins import DOLLARS, PAIRS, SCALE, Pair
from tradehook_sandbox.walk import PRICE_SCALE

MILLION: Final = 1_000_000
_ONE: Final[int] = 10**SCALE
_UNITS: Final[int] = 10**PRICE_SCALE
"""Price units times units of the base coin are so many times the units of the quote coin."""


@dataclass(frozen=True, slots=True)
class Contract:
    """A perpetual contract, margined in dollars. Rates are millionths."""

    contract_id: int
    pair: Pair
    share: int
    """What one contract is of the base coin, in its units."""
    most_leverage: int = 100
    open_fee: int = 500
    close_fee: int = 500
    maintenance: int = 5_000
    most_contracts: int = 1_000_000

    @property
    def symbol(self) -> str:
        """Its name, as `BTC/USDT`."""
        return self.pair.symbol

    @property
    def coin(self) -> str:
        """What it follows the price of."""
        return self.pair.base

    @property
    def quote(self) -> str:
        """What it is margined and settled in."""
        return self.pair.quote

    def notional(self, cost: int) -> int:
        """What contracts stand for, in dollars' units; `cost` is the sum of their prices, one for each contract."""
        return cost * self.share // _UNITS

    def margin(self, cost: int, leverage: int) -> int:
        """What is set aside for contracts, rounded down."""
        return self.notional(cost) // leverage

    def fee(self, notional: int, rate: int) -> int:
        """What is taken of a notional, rounded down."""
        return notional * rate // MILLION

    def profit(self, *, entry_cost: int, exit_cost: int, is_long: bool) -> int:
        """What contracts gained, in dollars' units; below zero when they lost."""
        change = exit_cost - entry_cost if is_long else entry_cost - exit_cost
        # Rounded to zero, so that a loss and the same gain are the same sum.
        units = abs(change) * self.share // _UNITS
        return units if change >= 0 else -units

    def liquidation_price(self, *, cost: int, volume: int, margin: int, is_long: bool, family_short: bool) -> int:
        """Where an isolated position is taken away, in units of a price; rounded down, and never below 0.

        Args:
            cost: the sum of the prices of its contracts.
            volume: how many contracts.
            margin: what is set aside for them.
            is_long: long or short.
            family_short: a short's closing fee is added, as the look-alikes do, not taken off.
        """
        entry = Fraction(cost, volume)
        notional = self.notional(cost)
        kept = Fraction(margin, notional) - Fraction(self.maintenance, MILLION)
        closing = Fraction(self.fee(notional, self.close_fee) * _UNITS, self.share * volume)
        if is_long:
            price = entry * (1 - kept) + closing
        else:
            price = entry * (1 + kept) + (closing if family_short else -closing)
        return max(int(price), 0)


CONTRACTS: Final = {
    contract.symbol: contract
    for contract in (
        Contract(1, PAIRS[f"BTC/{DOLLARS}"], share=_ONE // 1_000),
        Contract(2, PAIRS[f"ETH/{DOLLARS}"], share=_ONE // 100),
    )
}
BY_ID: Final = {contract.contract_id: contract for contract in CONTRACTS.values()}
