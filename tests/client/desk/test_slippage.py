"""How much worse than the market an order may trade: to the last thousandth, on both sides, and never by a guess."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tradehook.desk import slippage
from tradehook.errors import GuardRefused, InvalidInput
from tradehook.models import ChainQuote, NewOrder, Order, OrderStatus, SizedOrder
from tradehook.run import run


@pytest.fixture
def exchange(world):
    return world.exchange()


def at(exchange, monkeypatch, *, market, quoted=None):
    """The exchange, where the market is at a price, and a quote says another. Everything else stays the sandbox's."""
    ticker, quote = exchange.prices.ticker, exchange.get_quote

    async def priced(symbol):
        return (await ticker(symbol)).model_copy(update={"price": Decimal(market)})

    async def offered(*args, **more):
        return (await quote(*args, **more)).model_copy(update={"price": Decimal(quoted)})

    monkeypatch.setattr(exchange.prices, "ticker", priced)
    monkeypatch.setattr(exchange, "get_quote", offered)
    return exchange


def sized(side="buy", quantity="0.001", unit="base", slippage="1", **more):
    return SizedOrder(
        base="BTC", quote="PYUSD", side=side, quantity=quantity, unit=unit, typed="x", max_slippage=slippage, **more
    )


def to_sign(*gets):
    """What the exchange asks to sign: what goes in and what comes out; or it does not say."""
    quote = None
    if gets:
        quote = ChainQuote(base="BTC", quote="PYUSD", quantity=gets[0], output=gets[1], fee="0", fee_asset="PYUSD")
    return Order(order_id="o-1", status=OrderStatus.CREATED, exchange_status="x", chain_quote=quote)


@pytest.mark.parametrize(
    ("side", "quoted", "passes"),
    [
        ("buy", "101", True), ("buy", "101.001", False), ("buy", "1", True),
        ("sell", "99", True), ("sell", "98.999", False), ("sell", "1000", True),
    ],
)  # fmt: skip
def test_a_quote_may_be_as_much_worse_as_was_said_and_no_more(exchange, monkeypatch, side, quoted, passes):
    at(exchange, monkeypatch, market=100, quoted=quoted)
    if passes:
        run(slippage.check(exchange, sized(side)))
        return
    with pytest.raises(GuardRefused) as caught:
        run(slippage.check(exchange, sized(side)))
    error = caught.value
    assert (error.rule, error.limit, error.actual) == ("slippage", "1 %", "1.001 %")
    assert error.message == (
        f"Nothing was sent: this {side} would trade at about {quoted}, 1.001 % worse than the market at 100. "
        "At most 1 % was allowed. Try later, trade less, or allow more."
    )


@pytest.mark.parametrize(
    "order", [sized(slippage=None), sized(bounded=True), sized(chain="base")], ids=["none", "bounded", "chain"]
)
def test_what_is_not_to_be_compared_asks_for_no_price(world, order):
    exchange = world.exchange()
    run(slippage.check(exchange, order))
    assert [request.path for line in world.lines for request in line.sent] == []


def test_the_quote_is_asked_for_what_is_sent(exchange, monkeypatch):
    asked = []
    quote = exchange.get_quote

    async def noted(*args, **more):
        asked.append((args, more))
        return await quote(*args, **more)

    monkeypatch.setattr(exchange, "get_quote", noted)
    run(slippage.check(exchange, sized("sell", "20", "quote", slippage="50")))
    assert asked == [(("BTC",), {"quote": "PYUSD", "side": "sell", "quantity": Decimal(20), "unit": "quote"})]


@pytest.mark.parametrize(
    ("order", "gets", "passes"),
    [
        (sized("buy", "101", "quote", chain="base"), ("101", "1"), True),
        (sized("buy", "101.001", "quote", chain="base"), ("101.001", "1"), False),
        (sized("buy", "202", "quote", chain="base"), ("202", "2"), True),
        (sized("sell", "1", "base", chain="base"), ("1", "99"), True),
        (sized("sell", "1", "base", chain="base"), ("1", "98.999"), False),
        (sized("sell", "2", "base", chain="base"), ("2", "198"), True),
        (sized("sell", "2", "base", chain="base"), ("2", "197.998"), False),
        (sized("sell", "2", "base", chain="base", slippage=None), ("2", "1"), True),
    ],
)
def test_an_order_on_a_chain_is_held_against_what_it_would_get(exchange, monkeypatch, order, gets, passes):
    at(exchange, monkeypatch, market=100)
    created = to_sign(*gets)
    if passes:
        run(slippage.check_created(exchange, order, created))
        return
    with pytest.raises(GuardRefused) as caught:
        run(slippage.check_created(exchange, order, created))
    assert (caught.value.rule, caught.value.actual) == ("slippage", "1.001 %")


@pytest.mark.parametrize("gets", [(), ("1", "0")])
def test_without_a_word_on_what_it_would_get_it_is_not_signed(exchange, gets):
    created = to_sign(*gets)
    with pytest.raises(GuardRefused) as caught:
        run(slippage.check_created(exchange, sized(chain="base"), created))
    assert caught.value.rule == "slippage"
    assert caught.value.message == (
        "Not signed: a slippage was given, and the exchange did not say what the order would get."
    )
    run(slippage.check_created(exchange, sized(chain="base", slippage=None), created))


@pytest.mark.parametrize(("side", "price"), [("buy", "102"), ("sell", "98")])
def test_a_bounded_order_gets_the_market_and_its_slippage_as_its_limit(exchange, monkeypatch, side, price):
    at(exchange, monkeypatch, market=100)
    bounds = []
    monkeypatch.setattr(exchange, "bound_order", lambda sized, *, at: bounds.append((sized, at)) or sized)
    asked = NewOrder.of("BTC/PYUSD", side=side, amount="0.001", max_slippage=Decimal(2), bounded=True)
    plain = sized(side, bounded=True)
    assert run(slippage.bound(exchange, asked, plain)) is plain
    assert bounds == [(plain, Decimal(price))]
    assert run(slippage.bound(exchange, asked.model_copy(update={"bounded": False}), plain)) is plain
    assert len(bounds) == 1


def test_a_price_that_cannot_be_had_is_said_with_its_reason(world):
    exchange = world.exchange()
    world.fault("error_before", method="GET", path="/v1/defi/market/prices", status=404)
    with pytest.raises(GuardRefused) as caught:
        run(slippage.market_price(exchange, "BTC"))
    assert (caught.value.rule, caught.value.actual) == ("slippage", "no price")
    assert "the price of BTC to compare with cannot be had (" in caught.value.message


def test_where_no_prices_are_published_slippage_cannot_be_asked_for(exchange, monkeypatch):
    monkeypatch.setattr(exchange, "prices", None)
    with pytest.raises(InvalidInput, match="True Markets publishes no prices, so slippage cannot be told"):
        run(slippage.check(exchange, sized()))
