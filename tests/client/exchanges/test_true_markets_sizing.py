"""What somebody asks becomes what is sent: rounded down to the grid, never up, and both are known."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tradehook.errors import InvalidInput
from tradehook.exchanges.true_markets import TrueMarkets
from tradehook.exchanges.true_markets.increments import check_price, increment_at, round_quantity
from tradehook.exchanges.true_markets.sizing import size_at_exchange
from tradehook.models import Balance, NewOrder, Side, Unit
from tradehook.run import run

BALANCES = [
    Balance(symbol="BTC", total=Decimal("0.5"), available=Decimal("0.4"), held=Decimal("0.1")),
    Balance(symbol="PYUSD", total=Decimal("648.329672066"), available=Decimal("648.329672066"), held=Decimal(0)),
    Balance(symbol="PYUSD", chain="solana", total=Decimal(9999), available=Decimal(9999), held=Decimal(0)),
]


@pytest.mark.parametrize(
    ("price", "tick", "lot"),
    [
        ("600000", "1", "0.000001"), ("499999.5", "0.5", "0.00001"), ("100000", "0.5", "0.00001"),
        ("99999.9", "0.1", "0.0001"), ("67340.2", "0.1", "0.0001"), ("3456.78", "0.01", "0.001"),
        ("86.51", "0.001", "0.01"), ("9.9999", "0.0001", "1"), ("0.05", "0.000001", "100"),
        ("0.00005", "0.00000001", "10000"), ("0.000001", "0.0000000001", "1000000"),
    ],
)  # fmt: skip
def test_the_published_grid(price, tick, lot):
    row = increment_at(Decimal(price))
    assert (row.tick, row.lot) == (Decimal(tick), Decimal(lot))


def test_the_gap_in_the_published_table_is_said():
    with pytest.raises(InvalidInput, match="no increments"):
        increment_at(Decimal("0.0005"))


def test_a_price_between_two_ticks_is_refused_with_both():
    with pytest.raises(InvalidInput) as caught:
        check_price(Decimal("60000.05"))
    assert caught.value.suggestions == ("60000", "60000.1")
    check_price(Decimal("60000.1"))


def size(amount, *, side="buy", price=None, at="67340.2"):
    order = NewOrder.of("BTC/PYUSD", side=side, amount=amount, price=price)
    return size_at_exchange(order, price=price or Decimal(at), balances=BALANCES)


@pytest.mark.parametrize(
    ("amount", "side", "quantity", "unit"),
    [
        ("0.01", "buy", "0.01", Unit.BASE),
        ("0.01239", "buy", "0.0123", Unit.BASE),
        ("$250", "buy", "250", Unit.QUOTE),
        ("$250.9999", "buy", "250.99", Unit.QUOTE),
        ("50%", "sell", "0.2", Unit.BASE),
        ("max", "sell", "0.4", Unit.BASE),
        ("max", "buy", "647.68", Unit.QUOTE),
        ("50%", "buy", "323.84", Unit.QUOTE),
    ],
)
def test_sizes(amount, side, quantity, unit):
    sized = size(amount, side=side)
    assert (sized.quantity, sized.unit, sized.typed) == (Decimal(quantity), unit, amount)


def test_a_share_with_a_limit_is_in_base_with_the_fee_inside():
    sized = size("max", price=Decimal(60000))
    assert (sized.quantity, sized.unit) == (Decimal("0.0107"), Unit.BASE)
    assert sized.quantity * 60000 * Decimal("1.001") <= Decimal("648.329672066")


@pytest.mark.parametrize("amount", ["0.00009", "$1", "$6.7"])
def test_less_than_the_smallest_says_what_the_smallest_is(amount):
    with pytest.raises(InvalidInput) as caught:
        size(amount)
    assert size(caught.value.suggestions[0])


def test_a_share_of_nothing():
    with pytest.raises(InvalidInput, match="no ETH available"):
        size_at_exchange(NewOrder.of("ETH/PYUSD", side="sell", amount="max"), price=Decimal(3456), balances=BALANCES)


@given(
    st.decimals(min_value="0.0001", max_value="1000", places=8),
    st.decimals(min_value="1", max_value="900000", places=2),
)
def test_rounding_is_down_onto_the_grid_by_less_than_a_lot(quantity, price):
    assume(price > 0)
    rounded = round_quantity(quantity, price=price)
    lot = increment_at(price).lot
    assert 0 <= quantity - rounded < lot
    assert rounded % lot == 0


def test_names_of_the_dollar_are_settled_at_the_exchange_only(world):
    exchange = world.exchange()
    for name in ("USD", "USDC", "PYUSD"):
        sized = run(exchange.size_order(NewOrder.of(f"BTC/{name}", side="buy", amount="$50")))
        assert sized.market == "BTC/PYUSD"
    sized = run(exchange.size_order(NewOrder.of("CBBTC/USDC", side="buy", amount="$50", chain="base")))
    assert sized.market == "CBBTC/USDC"
    with pytest.raises(InvalidInput, match="on base"):
        run(exchange.size_order(NewOrder.of("CBBTC/PYUSD", side="buy", amount="$50", chain="base")))


def test_an_asset_elsewhere_is_pointed_to(world):
    exchange = world.exchange()
    with pytest.raises(InvalidInput, match="--chain base"):
        run(exchange.size_order(NewOrder.of("CBBTC/PYUSD", side="buy", amount="$50")))
    with pytest.raises(InvalidInput, match="solana"):
        run(exchange.size_order(NewOrder.of("SOL/USDC", side="buy", amount="$50", chain="base")))


def test_what_is_sized_is_accepted_by_the_exchange(world):
    """The sandbox refuses what is off the grid, so each of these must have been rounded onto it."""
    desk = world.desk()
    for number, (side, amount, price) in enumerate(
        [("buy", "0.00567", None), ("sell", "33%", None), ("buy", "$123.456789", None), ("buy", "7%", "61234.5")]
    ):
        order = NewOrder.of("BTC/PYUSD", side=side, amount=amount, price=Decimal(price) if price else None)
        assert desk.place_order(order, intent_id=f"i-{number}", source="test").order.order_id
        world.sandbox.clock.advance(2)


@pytest.mark.parametrize("side", ["buy", "sell"])
def test_a_quote_in_dollars_tells_what_really_changes_hands(world, side):
    """Whole lots are traded, so a dollar amount is an upper limit."""
    quote = run(world.exchange().get_quote("BTC", quote="USD", side=Side(side), quantity=Decimal(100), unit=Unit.QUOTE))
    assert Decimal(90) < quote.notional <= Decimal(100)
    assert quote.base_quantity == Decimal("0.0014")
    assert abs(quote.base_quantity * quote.price - quote.notional) < Decimal("0.01")


def test_the_newer_prefix_serves_as_well(world):
    exchange = world.exchange()
    newer = TrueMarkets(exchange.session.line, signer=exchange.signer, prefix="/v1/gateway")
    assert run(newer.balances()) == run(exchange.balances())
    assert any(request.path.startswith("/v1/gateway/") for request in world.lines[0].sent)
