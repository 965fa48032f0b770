"""Prices that wander: a gentle, seeded path that is a pure function of time.

Several waves of random lattice points lie over each other, from seconds to a day, each smoothly interpolated. Any
moment can be looked up at the same small cost, so a clock that jumps a year is free, and the path does not depend on
when somebody looked.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any, Final

from tradehook_sandbox.seeded import draw
from tradehook_sandbox.units import divide_rounding

PRICE_SCALE: Final = 10
"""Decimals of a price in whole units: the finest tick of any instrument."""

_BILLION: Final = 1_000_000_000
_MILLION: Final = 1_000_000
_WAVES: Final = (
    # Steps between two lattice points (half a second each), and how far a point may lie off, in billionths.
    (16, 60_000),
    (120, 200_000),
    (1_200, 800_000),
    (14_400, 3_000_000),
    (172_800, 8_000_000),
)


@lru_cache(maxsize=4_096)
def _lattice(seed: int, symbol: str, wave: int, point: int) -> int:
    reach = _WAVES[wave][1]
    return draw("walk", seed, symbol, wave, point, below=2 * reach + 1) - reach


@lru_cache(maxsize=16_384)
def _drift(seed: int, symbol: str, step: int) -> int:
    """How far the path is off its middle, in billionths."""
    total = 0
    for wave, (period, _) in enumerate(_WAVES):
        point, rest = divmod(step, period)
        here, there = _lattice(seed, symbol, wave, point), _lattice(seed, symbol, wave, point + 1)
        share = rest * _MILLION // period
        smooth = share * share * (3 * _MILLION - 2 * share) // (_MILLION * _MILLION)
        total += here + (there - here) * smooth // _MILLION
    return total


@dataclass(slots=True)
class Walk:
    """One symbol's path. It passes through `anchor` at step `since`, and stands there while `is_still`."""

    seed: int
    symbol: str
    anchor: int
    """Price in units of 10^-PRICE_SCALE dollars."""
    since: int = 0
    is_still: bool = False

    def price(self, step: int) -> int:
        """The price at this step, in whole units; never less than one."""
        if self.is_still:
            return self.anchor
        moved = _drift(self.seed, self.symbol, step) - _drift(self.seed, self.symbol, self.since)
        return max(1, divide_rounding(self.anchor * (_BILLION + moved), _BILLION))

    def pin(self, price: int, *, step: int) -> None:
        """From this step on the path goes through this price."""
        self.anchor, self.since = price, step

    def hold(self, *, step: int, still: bool) -> None:
        """The path stands still where it is, or walks on from there."""
        self.pin(self.price(step), step=step)
        self.is_still = still

    def as_json(self) -> dict[str, Any]:
        """The path for a store."""
        return asdict(self)
