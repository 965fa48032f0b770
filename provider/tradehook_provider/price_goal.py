"""What a price is waited for: a level, a crossing or a change. Plain arithmetic on decimals; knows no Airflow."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from tradehook.errors import InvalidInput
from tradehook_provider.arguments import as_text

if TYPE_CHECKING:
    from collections.abc import Mapping

GOALS = ("above", "below", "crosses", "change_percent")
_MEASURED = ("crosses", "change_percent")


@dataclass(slots=True)
class PriceGoal:
    """One goal, and where it is measured from as far as that is known by now."""

    kind: str
    level: Decimal
    """A price; of a change, percent."""
    sign: str = ""
    """Of a change: `+`, `-`, or empty for either way."""
    reference: Decimal | None = None
    """Where a change is measured from, or the price on the other side of a crossing."""

    @classmethod
    def of(cls, goals: Mapping[str, object], *, reference: object = None) -> PriceGoal:
        """Read the one goal that is given.

        Raises:
            InvalidInput: an argument cannot be meant.
        """
        from tradehook.amounts import parse_decimal

        kind, given = one_of(goals)
        text, sign = as_text(given, what="price" if kind != "change_percent" else "change"), ""
        if kind == "change_percent":
            text = text.removesuffix("%").strip()
            sign, text = (text[0], text[1:]) if text[:1] in ("+", "-") else ("", text)
        level = parse_decimal(text, what="price" if kind != "change_percent" else "change in percent")
        start = None if reference is None else parse_decimal(as_text(reference, what="reference"), what="reference")
        if start is not None and kind not in _MEASURED:
            raise InvalidInput(f"A reference belongs to {' or '.join(_MEASURED)}: leave it out with {kind}.")
        if kind == "crosses" and start == level:
            raise InvalidInput("The reference is the level itself; give a price on the side that it should come from.")
        return cls(kind, level, sign, start)

    def sees(self, price: Decimal) -> bool:
        """Whether the goal is reached at this price; the first one is remembered where it is measured from that."""
        match self.kind:
            case "above":
                return price >= self.level
            case "below":
                return price <= self.level
            case "crosses" if self.reference is not None:
                return price >= self.level if self.reference < self.level else price <= self.level
            case "crosses" if price == self.level:
                return False  # not yet on either side
            case "change_percent" if self.reference is not None:
                change = self.change(price) or Decimal(0)
                return (
                    change <= -self.level if self.sign == "-" else (change if self.sign else abs(change)) >= self.level
                )
        self.reference = price
        return False

    def change(self, price: Decimal) -> Decimal | None:
        """How far a price is from the reference, in percent; `None` without one."""
        from tradehook.prices import change_percent

        return None if self.reference is None else change_percent(self.reference, price)

    def to_arguments(self) -> dict[str, str | None]:
        """The same as arguments that `of` reads, texts only."""
        from tradehook.amounts import plain

        given = {kind: f"{self.sign}{plain(self.level)}" if kind == self.kind else None for kind in GOALS}
        return {**given, "reference": None if self.reference is None else plain(self.reference)}

    def __str__(self) -> str:
        """As it is said to people: `above 70000`, `a change of -5 %`."""
        from tradehook.amounts import plain

        if self.kind == "change_percent":
            return f"a change of {self.sign}{plain(self.level)} %"
        return f"{'across' if self.kind == 'crosses' else self.kind} {plain(self.level)}"


def one_of(goals: Mapping[str, object]) -> tuple[str, object]:
    """The one goal that is given.

    Raises:
        InvalidInput: there is none, or there are several.
    """
    given = [(kind, value) for kind, value in goals.items() if value is not None]
    if len(given) != 1:
        raise InvalidInput(f"A price is waited for in one way: give one of {', '.join(GOALS)}, not {len(given)}.")
    return given[0]
