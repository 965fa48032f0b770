"""Amounts as whole numbers of an asset's smallest unit, and the decimal text they travel as.

Integers only: no binary floats, and no `Decimal` context that could round behind our back.
"""

from __future__ import annotations

import re
from typing import Final

LONGEST_INTEGER: Final = 15
"""Digits before the point that the exchange reads; more is a mistake, not an amount."""

_PLAIN: Final = re.compile(r"(?=\.?[0-9])([0-9]*)(?:\.([0-9]*))?", re.ASCII)


def parse_units(text: str, scale: int) -> int:
    """Decimal text as a whole number of units, exactly.

    Args:
        text: digits with at most one point; a leading point is fine, signs and exponents are not.
        scale: decimals of the unit, 8 for satoshi.

    Raises:
        ValueError: not a plain decimal, too long, or finer than one unit. The message is fit for a response.
    """
    match = _PLAIN.fullmatch(text) if len(text) <= LONGEST_INTEGER + 40 else None
    if match is None:
        raise ValueError("must be a plain decimal like 0.01")
    whole, fraction = match[1] or "", (match[2] or "").rstrip("0")
    if len(whole.lstrip("0")) > LONGEST_INTEGER:
        raise ValueError("is too large")
    if len(fraction) > scale:
        raise ValueError(f"has more than {scale} decimals")
    return int((whole or "0") + fraction.ljust(scale, "0"))


def format_units(units: int, scale: int, *, keep: int = 0) -> str:
    """Units as decimal text without trailing zeros, except for the first `keep` decimals."""
    sign, magnitude = ("-", -units) if units < 0 else ("", units)
    digits = str(magnitude).rjust(scale + 1, "0")
    whole, fraction = (digits[:-scale], digits[-scale:]) if scale else (digits, "")
    shown = fraction.rstrip("0")
    if len(shown) < keep:
        shown = fraction[:keep]
    return f"{sign}{whole}.{shown}" if shown else f"{sign}{whole}"


def divide_rounding(numerator: int, denominator: int) -> int:
    """The quotient of two numbers that are not negative, rounded half up."""
    return (2 * numerator + denominator) // (2 * denominator)


def divide_up(numerator: int, denominator: int) -> int:
    """The quotient of two numbers that are not negative, rounded up."""
    return -(-numerator // denominator)
