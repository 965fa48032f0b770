"""The published grid, row by row."""

from __future__ import annotations

import pytest

from tradehook_sandbox.book import BASE_SCALE
from tradehook_sandbox.true_markets.increments import increment_at
from tradehook_sandbox.units import format_units, parse_units
from tradehook_sandbox.walk import PRICE_SCALE


@pytest.mark.parametrize(
    ("price", "tick", "lot"),
    [
        ("1000000", "1", "0.000001"),
        ("500000", "1", "0.000001"),
        ("499999.5", "0.5", "0.00001"),
        ("100000", "0.5", "0.00001"),
        ("99999.9", "0.1", "0.0001"),
        ("67340.2", "0.1", "0.0001"),
        ("10000", "0.1", "0.0001"),
        ("9999.99", "0.01", "0.001"),
        ("1000", "0.01", "0.001"),
        ("999.999", "0.001", "0.01"),
        ("9.9999", "0.0001", "1"),
        ("0.099999", "0.000001", "100"),
        ("0.00009999", "0.00000001", "10000"),
        ("0.0000099999", "0.0000000001", "1000000"),
    ],
)
def test_the_table_is_the_documented_one(price, tick, lot):
    row = increment_at(parse_units(price, PRICE_SCALE))
    assert (format_units(row.tick, PRICE_SCALE), format_units(row.lot, BASE_SCALE)) == (tick, lot)
