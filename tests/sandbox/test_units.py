"""Amounts: exact both ways, and nothing but plain decimals."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tradehook_sandbox.units import divide_rounding, divide_up, format_units, parse_units


@pytest.mark.parametrize(
    ("text", "scale", "units"),
    [("1", 8, 10**8), (".0001", 8, 10_000), ("0.5", 1, 5), ("5.", 2, 500), ("1.50000000000", 2, 150), ("007", 0, 7)],
)
def test_plain_decimals_are_read_exactly(text, scale, units):
    assert parse_units(text, scale) == units


@pytest.mark.parametrize(
    "text", ["", ".", "1e5", "-1", "+1", " 1", "1,0", "NaN", "Infinity", "٣", "1_0", "0x1", "1.2.3"]
)
def test_anything_else_is_refused(text):
    with pytest.raises(ValueError, match="plain decimal"):
        parse_units(text, 8)


def test_more_digits_than_the_asset_has_are_refused_not_cut():
    with pytest.raises(ValueError, match="more than 8 decimals"):
        parse_units("0.000000001", 8)


def test_absurd_sizes_are_refused():
    with pytest.raises(ValueError, match="too large"):
        parse_units("1" * 16, 2)
    with pytest.raises(ValueError, match="plain decimal"):
        parse_units("1" * 5_000, 2)


@settings(max_examples=200, database=None)
@given(st.integers(min_value=0, max_value=10**24), st.integers(min_value=0, max_value=18))
def test_what_is_written_reads_back_as_the_same(units, scale):
    text = format_units(units, scale)
    assert Decimal(text) * 10**scale == units
    if len(text.partition(".")[0]) <= 15:
        assert parse_units(text, scale) == units


def test_zeros_are_trimmed_except_where_they_are_kept():
    assert format_units(1_500_000_000, 9) == "1.5"
    assert format_units(1_500_000_000, 9, keep=9) == "1.500000000"
    assert format_units(-5, 1) == "-0.5"
    assert format_units(7, 0) == "7"


def test_divisions_round_as_they_say():
    assert [divide_rounding(number, 2) for number in (1, 2, 3)] == [1, 1, 2]
    assert [divide_up(number, 3) for number in (0, 1, 3, 4)] == [0, 1, 1, 2]
