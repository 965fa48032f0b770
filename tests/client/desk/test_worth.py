"""What something is worth errs on the high side, and is exact: prices are taken, multiplied, never made up."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tradehook.desk.worth import Ground, counted, money_price, notional, total
from tradehook.futures import SizedFuturesOrder
from tradehook.models import Order, OrderStatus, SizedOrder
from tradehook.transfers import SizedTransfer


def order(quantity="2", *, side="buy", unit="base", base="ETH", quote="BTC", price=None, reference=None) -> SizedOrder:
    return SizedOrder(
        base=base,
        quote=quote,
        side=side,
        quantity=quantity,
        unit=unit,
        price=price,
        reference_price=reference,
        typed="x",
    )


def ground(price=None, quote=None) -> Ground:
    return Ground(
        price=Decimal(price) if price is not None else None, quote_price=Decimal(quote) if quote is not None else None
    )


@pytest.mark.parametrize(
    "kept",
    [
        Ground(),
        Ground(is_live=True, price=Decimal("1.50"), quote_price=Decimal("0.0000001")),
        Ground(price=Decimal("1E+3")),
        Ground(quote_price=Decimal(7)),
    ],
)
def test_what_was_found_out_is_the_same_from_the_story(kept):
    assert Ground.from_dict(kept.to_dict()) == kept
    assert all("E" not in str(value) for value in kept.to_dict().values())


def test_a_story_without_it_tells_nothing():
    assert Ground.from_dict({}) == Ground()


def test_the_reference_of_an_order_is_in_its_quote():
    assert ground("3000", "60000").reference(order()) == Decimal("0.05")
    assert ground("3000").reference(order(quote="USDC")) == 3000
    assert ground("3000", "60000").reference(order(quote="USDC")) == 3000
    assert ground("3000").reference(order()) is None
    assert ground(quote="60000").reference(order()) is None


def test_money_is_worth_one_whatever_its_price():
    for symbol in ("USD", "USDC", "PYUSD", "USDT"):
        assert money_price(symbol, Decimal("0.9")) == 1
    assert money_price("BTC", Decimal(9)) == 9
    assert money_price("BTC", None) is None


@pytest.mark.parametrize(
    ("settled", "found_out", "worth"),
    [
        # A sum in the quote is worth the quote's price, whatever is bought.
        (order("2", unit="quote"), ground("3000", "60000"), "120000"),
        (order("2", unit="quote", quote="USDC"), ground("3000"), "2"),
        (order("2", unit="quote", price="1"), ground("3000"), None),
        # A limit buy costs its price and no more.
        (order(price="0.04", reference="0.06"), ground("3000", "60000"), "4800"),
        # Anything else: the highest of the prices that are known.
        (order(side="sell", price="0.04", reference="0.05"), ground("3600", "60000"), "7200"),
        (order(side="sell", price="0.07", reference="0.05"), ground("3600", "60000"), "8400"),
        (order(side="sell", price="0.04", reference="0.08"), ground("3600", "60000"), "9600"),
        (order(reference="0.05"), ground("2400", "60000"), "6000"),
        (order(reference="0.05"), ground("3600", "60000"), "7200"),
        # Without the quote's price there is none, unless nothing in quote is known and the base's own is.
        (order(reference="0.05"), ground("3000"), None),
        (order(), ground("3000"), "6000"),
        (order(base="USDC"), ground(), "2"),
        (order(), ground(), None),
        # What is left over is rounded up.
        (order("0.000000001", base="BTC", quote="USDC", price="1"), ground(), "0.00000001"),
        (order("3", base="BTC", quote="USDC", price="0.333333333"), ground(), "1"),
        (
            SizedTransfer(
                asset="BTC", asset_id="x", quantity="0.5", to="cold", address="y", network="bitcoin", typed="x"
            ),
            ground("60000"),
            "30000",
        ),
        (
            SizedTransfer(asset="USDC", asset_id="x", quantity="5", to="cold", address="y", network="base", typed="x"),
            ground(),
            "5",
        ),
        (
            SizedTransfer(
                asset="BTC", asset_id="x", quantity="5", to="cold", address="y", network="bitcoin", typed="x"
            ),
            ground(quote="1"),
            None,
        ),
    ],
)
def test_what_is_set_aside(settled, found_out, worth):
    assert notional(settled, found_out) == (Decimal(worth) if worth is not None else None)


@pytest.mark.parametrize(
    ("action", "margin", "fee", "worth"),
    [("open", "40", "2", "42"), ("open", None, "2", None), ("open", "40", None, None), ("close", None, None, "0")],
)
def test_futures_set_aside_what_they_put_at_risk(action, margin, fee, worth):
    settled = SizedFuturesOrder(
        contract="BTC/USDT", position_side="long", action=action, contracts=3, currency="USDT", margin=margin, fee=fee
    )
    assert notional(settled, ground("1", "1")) == (Decimal(worth) if worth is not None else None)


def ended(status=OrderStatus.CANCELED, *, quantity="2", unit="base", quote="USDC", filled=None, price=None) -> Order:
    return Order(
        order_id="o-1", status=status, exchange_status="x", quote=quote, quantity=quantity, unit=unit, filled=filled,
        average_price=price,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("seen", "counts"),
    [
        (ended(OrderStatus.OPEN, filled="1", price="1"), "100"),  # it may still be filled
        (ended(), "100"),
        (ended(OrderStatus.FILLED), "100"),
        (ended(OrderStatus.FILLED, filled="2", price="60"), "120"),
        (ended(OrderStatus.FILLED, filled="2", price="40"), "100"),
        (ended(OrderStatus.FILLED, filled="2"), "100"),
        (ended(filled="0", price="50"), "0"),
        (ended(filled="1", price="60"), "60"),
        (ended(filled="1", price="60", quote="BTC"), "50"),
        (ended(filled="1", price="60", quote=None), "50"),
        (ended(filled="1"), "50"),
        (ended(filled="1", quantity="3"), "33.33333334"),
        (ended(filled="1", unit="quote"), "100"),
        (ended(filled="1", quantity=None), "100"),
        (ended(filled="1", quantity="0"), "100"),
        (ended(filled="0.000000001", price="1"), "0.00000001"),
    ],
)
def test_what_counts_of_what_was_set_aside(seen, counts):
    assert counted(Decimal(100), seen) == Decimal(counts)


def test_what_is_worth_more_than_28_digits_is_still_exact():
    assert counted(Decimal("1e24"), ended(filled="1")) == Decimal("5e23")
    assert notional(order("1e24", unit="quote", quote="USDC"), ground()) == Decimal("1e24")


def test_a_sum_has_room_for_more_digits_than_the_usual_28():
    large, small = Decimal("1e20"), Decimal("1e-18")
    assert total([large, small, small]) == Decimal("100000000000000000000.000000000000000002")
    assert total([]) == 0
