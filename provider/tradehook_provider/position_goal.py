"""What is waited for of a futures position, read strictly once, for the sensor and its trigger alike."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Self

from tradehook.errors import InvalidInput
from tradehook_provider.arguments import as_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tradehook.futures import Position

STATES = ("open", "closed")


@dataclass(frozen=True, slots=True)
class PositionGoal:
    """A position is open with at least so many contracts, or is closed."""

    contract: str
    side: str
    state: str
    contracts: Decimal

    @classmethod
    def of(cls, *, contract: object, position_side: object, state: str, contracts: object) -> Self:
        """The goal that rendered arguments stand for.

        Raises:
            InvalidInput: an argument cannot be meant.
        """
        from tradehook.amounts import parse_decimal, parse_market
        from tradehook.models import instrument

        side = as_text(position_side, what="position's side").lower()
        if side not in ("long", "short"):
            raise InvalidInput(f"{side[:20]!r} is no side of a position: write long or short.")
        return cls(
            contract=instrument(*parse_market(as_text(contract, what="contract"), default_quote="USDT")),
            side=side,
            state=state,
            contracts=parse_decimal(as_text(contracts, what="number of contracts"), what="number of contracts"),
        )

    def position_in(self, positions: Iterable[Position]) -> Position | None:
        """The position that is meant; `None` where there is none."""
        return next(
            (one for one in positions if (one.contract, str(one.position_side)) == (self.contract, self.side)), None
        )

    def sees(self, position: Position | None) -> bool:
        """Whether this is what is waited for."""
        size = position.contracts if position is not None else Decimal(0)
        return size >= self.contracts if self.state == "open" else size == 0

    def to_arguments(self) -> dict[str, str]:
        """What a trigger is made with, all of it text."""
        return {
            "contract": self.contract,
            "position_side": self.side,
            "state": self.state,
            "contracts": f"{self.contracts:f}",
        }

    def __str__(self) -> str:
        """In words."""
        return f"at least {self.contracts:f} contracts" if self.state == "open" else "none"
