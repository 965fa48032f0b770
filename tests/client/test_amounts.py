"""Amounts are one language, and what is ambiguous is refused with both readings."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradehook.amounts import (
    Amount,
    parse_amount,
    parse_asset_amount,
    parse_decimal,
    parse_market,
    parse_symbol,
    plain,
)
from tradehook.errors import InvalidInput


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("0.01", Amount.base("0.01")),
        (".5", Amount.base("0.5")),
        ("12", Amount.base(12)),
        ("0.001", Amount.base("0.001")),
        ("0.500", Amount.base("0.5")),
        ("$250", Amount.quote(250)),
        ("$0.99", Amount.quote("0.99")),
        ("50%", Amount("percent", Decimal(50))),
        ("MAX", Amount("max", Decimal(0))),
        ("1.0000", Amount.base(1)),
        ("67340.123", Amount.base("67340.123")),
    ],
)
def test_reads(text, amount):
    assert parse_amount(text) == amount


@pytest.mark.parametrize(
    ("text", "readings"),
    [
        ("1,000", ("1000", "1.0000")),
        ("1.000", ("1000", "1.0000")),
        ("12.345", ("12345", "12.3450")),
        ("1,5", ("15", "1.5")),
        ("50,5", ("505", "50.5")),
        ("0,25", ("0.25",)),
        ("50,", ("50.0",)),
        ("$1,250.50", ("$1250.50",)),
        ("1,250.500", ("1250500", "1250.5000")),
        ("1.000.000", ("1000000", "1000.0000")),
    ],
)
def test_ambiguous_is_refused_with_its_readings(text, readings):
    with pytest.raises(InvalidInput) as caught:
        parse_amount(text)
    for reading in readings:
        assert reading in caught.value.suggestions
        assert reading in caught.value.message
        assert parse_amount(reading)  # what is offered is accepted
    assert len(caught.value.suggestions) == len(readings)


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "abc", "-1", "+1", "0", "0.0", "$0", "0%", "101%", "1e9", "0x1", "NaN", "inf", "1_000", "١٢", "１２",
        "$", "%", "$-5", "1 000", "--", ",", ".", "1.2.3", "9" * 40, "1." + "0" * 40, "50%%", "$$5", "⁵", "1\n2",
    ],
)  # fmt: skip
def test_everything_else_is_refused(text):
    with pytest.raises(InvalidInput):
        parse_amount(text)


@given(st.text(max_size=60))
def test_any_text_is_an_amount_or_a_clear_refusal(text):
    try:
        amount = parse_amount(text)
    except InvalidInput as error:
        assert error.message
    else:
        assert parse_amount(str(amount)) == amount


@given(st.decimals(min_value="0.00000001", max_value=10**15, allow_nan=False, allow_infinity=False, places=8))
def test_what_is_printed_can_be_read_or_is_offered_in_readable_form(value):
    text = plain(value)
    try:
        assert parse_decimal(text) == value
    except InvalidInput as error:
        assert value in [Decimal(offer) for offer in error.suggestions]


@pytest.mark.parametrize("words", [["BTC", "0.01"], ["0.01", "BTC"]])
def test_asset_and_amount_in_either_order(words):
    assert parse_asset_amount(words) == ("BTC", Amount.base("0.01"))


@pytest.mark.parametrize("words", [[], ["BTC"], ["0.01"], ["0.01", "0.02"], ["BTC", "ETH", "1"], ["BTC", "ETH"]])
def test_not_asset_and_amount(words):
    with pytest.raises(InvalidInput):
        parse_asset_amount(words)


def test_markets():
    assert parse_market("btc/pyusd") == ("BTC", "PYUSD")
    assert parse_market("BTC-USD") == ("BTC", "USD")
    assert parse_market("eth", default_quote="PYUSD") == ("ETH", "PYUSD")
    for wrong in ("", "BTC", "BTC/", "/USD", "BTC/USD/X", "BTC/BTC", "B T/C", "<b>/USD"):
        with pytest.raises(InvalidInput):
            parse_market(wrong)


@given(st.text(max_size=30))
def test_symbols_are_ascii_or_refused(text):
    try:
        symbol = parse_symbol(text)
    except InvalidInput:
        return
    assert symbol.isascii()
    assert symbol.isalnum()
