"""What a swap on a chain comes to: a constant-product pool around the reference price.

The pool has no memory; its depth only makes large swaps dearer. All amounts are whole units, rounded against whoever
swaps. See: truemarkets-api 5.1 (quote), 8.3 (the one-dollar minimum), 8.4.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tradehook_sandbox.true_markets.catalogue import Asset, dollars_on
from tradehook_sandbox.units import divide_up
from tradehook_sandbox.walk import PRICE_SCALE

if TYPE_CHECKING:
    from tradehook_sandbox.book import Side

FEE_BASIS_POINTS: Final = 25
"""The platform fee of a swap, in the chain's dollars."""
SLIPPAGE_BASIS_POINTS: Final = 100
"""How much less than quoted a swap may bring before it reverts."""
_WHOLE: Final = 10_000
_POOL_DOLLARS: Final = 20_000_000
MINIMUM_DOLLARS: Final = 1


@dataclass(frozen=True, slots=True)
class Swap:
    """One swap: what goes in, what comes out after the fee, and the fee in dollars. Whole units."""

    side: Side
    token: Asset
    amount_in: int
    amount_out: int
    fee: int

    @property
    def asset_in(self) -> Asset:
        """What goes in."""
        return dollars_on(self.token.chain or "") if self.side == "buy" else self.token

    @property
    def asset_out(self) -> Asset:
        """What comes out."""
        return self.token if self.side == "buy" else dollars_on(self.token.chain or "")

    @property
    def tokens(self) -> int:
        """Units of the token that change hands."""
        return self.amount_out if self.side == "buy" else self.amount_in

    @property
    def dollars(self) -> int:
        """What the tokens cost or brought, without the fee."""
        return self.amount_in - self.fee if self.side == "buy" else self.amount_out + self.fee

    @property
    def minimum_out(self) -> int:
        """The least that must come out, or it reverts."""
        return self.amount_out * (_WHOLE - SLIPPAGE_BASIS_POINTS) // _WHOLE

    @property
    def is_too_small(self) -> bool:
        """Whether it is worth less than the exchange trades, or would bring nothing."""
        worth = self.amount_in if self.side == "buy" else self.dollars
        smallest: int = MINIMUM_DOLLARS * 10 ** dollars_on(self.token.chain or "").scale
        return worth < smallest or not self.amount_out


def swap(side: Side, token: Asset, amount_in: int, *, price: int) -> Swap:
    """What this amount comes to at this reference price, in units of `10**-PRICE_SCALE` dollars."""
    scale = dollars_on(token.chain or "").scale
    dollars = _POOL_DOLLARS * 10**scale
    tokens = max(1, dollars * 10 ** (PRICE_SCALE + token.scale - scale) // price)
    if side == "buy":
        fee = divide_up(amount_in * FEE_BASIS_POINTS, _WHOLE)
        net = amount_in - fee
        return Swap(side, token, amount_in, tokens * net // (dollars + net), fee)
    gross = dollars * amount_in // (tokens + amount_in)
    fee = divide_up(gross * FEE_BASIS_POINTS, _WHOLE)
    return Swap(side, token, amount_in, gross - fee, fee)
