"""JSON with decimals as they were written: what a person typed is what Airflow is sent, digit by digit."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

_FURTHEST = 30
"""Places before or behind the point; beyond that nobody meant it."""


def write(value: Any) -> str:
    """The JSON of plain values and decimals.

    Raises:
        ValueError: a number in it is none, or has more places than anybody means.
    """
    if isinstance(value, Decimal):
        return number(value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(str(name))}: {write(each)}" for name, each in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(write(each) for each in value) + "]"
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def number(value: Decimal) -> str:
    """A decimal as JSON has it, without exponent.

    Raises:
        ValueError: it is none, or has more places than anybody means.
    """
    if not value.is_finite() or abs(value.adjusted()) > _FURTHEST or len(value.as_tuple().digits) > _FURTHEST:
        raise ValueError("not a number that anybody means")
    return f"{value:f}"
