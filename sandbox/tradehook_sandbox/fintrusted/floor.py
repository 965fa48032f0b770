"""What the parts of FinTrusted share: time, prices, money and members."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tradehook_sandbox.fintrusted.coins import BY_COIN
from tradehook_sandbox.fintrusted.members import Members
from tradehook_sandbox.units import divide_rounding

if TYPE_CHECKING:
    from tradehook_sandbox.fintrusted.rules import FinTrustedRules
    from tradehook_sandbox.ledger import Ledger
    from tradehook_sandbox.market import Market


class Floor:
    """The shared state of one FinTrusted. Market and ledger are the whole sandbox's."""

    def __init__(self, *, seed: int, market: Market, ledger: Ledger, rules: FinTrustedRules) -> None:
        self.seed = seed
        self.market = market
        self.ledger = ledger
        self.rules = rules
        self.members = Members(ledger)
        self.now = market.origin_micros
        """The moment up to which everything has happened, in microseconds."""

    def price(self, coin: str, at_micros: int | None = None) -> int:
        """A coin's price in dollars at a moment, by default now, on its tick, in units of `10**-PRICE_SCALE`."""
        tick = BY_COIN[coin].grid.tick
        price = self.market.price(coin, self.now if at_micros is None else at_micros)
        return max(tick, divide_rounding(price, tick) * tick)

    def move(self, coin: str, source: str, target: str, units: int, reason: str) -> None:
        """The units have moved, now. Raises `Overdrawn`."""
        self.ledger.move(coin, source=source, target=target, units=units, reason=reason, at_micros=self.now)
