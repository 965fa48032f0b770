"""What a balance is waited for: at least or at most so much. Plain arithmetic on decimals; knows no Airflow."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tradehook.errors import InvalidInput
from tradehook_provider.arguments import as_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tradehook.models import Balance

COUNTED = ("available", "total")
_ZERO = re.compile(r"0+(\.0+)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class BalanceGoal:
    """How much of one asset, at one place."""

    asset: str
    at_least: Decimal | None
    at_most: Decimal | None
    counts: str = "available"
    chain: str | None = None

    @classmethod
    def of(cls, *, asset: object, at_least: object, at_most: object, counts: str, chain: object) -> BalanceGoal:
        """Read what arguments say.

        Raises:
            InvalidInput: one of them cannot be meant.
        """
        from tradehook.amounts import parse_symbol

        least, most = _bound(at_least, what="at_least"), _bound(at_most, what="at_most")
        if least is not None and most is not None and least > most:
            raise InvalidInput(f"at_least is {least} and at_most is {most}: nothing is both.")
        return cls(
            asset=parse_symbol(as_text(asset, what="asset")),
            at_least=least,
            at_most=most,
            counts=counts,
            chain=None if chain is None else as_text(chain, what="chain").lower(),
        )

    def balance_in(self, balances: Iterable[Balance]) -> Balance | None:
        """The asset's balance at the place that is meant; `None` where it is not held.

        Raises:
            InvalidInput: there are several of that symbol.
        """
        found = [held for held in balances if (held.symbol, held.chain) == (self.asset, self.chain)]
        if len(found) > 1:
            # Anybody can send a token of any name to a wallet.
            raise InvalidInput(f"There are {len(found)} assets that are called {self.asset} on {self.chain}.")
        return found[0] if found else None

    def nothing(self) -> Balance:
        """The balance of an asset that is not held."""
        from tradehook.models import Balance

        zero = Decimal(0)
        return Balance(symbol=self.asset, chain=self.chain, total=zero, available=zero, held=zero)

    def quantity(self, held: Balance) -> Decimal:
        """What counts of a balance."""
        return held.total if self.counts == "total" else held.available

    def sees(self, held: Balance) -> bool:
        """Whether this balance is what is waited for."""
        quantity = self.quantity(held)
        return (self.at_least is None or quantity >= self.at_least) and (
            self.at_most is None or quantity <= self.at_most
        )

    def to_arguments(self) -> dict[str, Any]:
        """The same as arguments that `of` reads, texts only."""
        from tradehook.amounts import plain

        return {
            "asset": self.asset,
            "at_least": None if self.at_least is None else plain(self.at_least),
            "at_most": None if self.at_most is None else plain(self.at_most),
            "counts": self.counts,
            "chain": self.chain,
        }

    def __str__(self) -> str:
        """As it is said to people: `at least 0.5`."""
        from tradehook.amounts import plain

        bounds = (("at least", self.at_least), ("at most", self.at_most))
        return " and ".join(f"{word} {plain(bound)}" for word, bound in bounds if bound is not None)


def _bound(value: object, *, what: str) -> Decimal | None:
    from tradehook.amounts import parse_decimal

    if value is None:
        return None
    text = as_text(value, what=what)
    return Decimal(0) if _ZERO.fullmatch(text) else parse_decimal(text, what=what)
