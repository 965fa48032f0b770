"""Orders: what is sent, what is understood of the answer, and what is refused. U8 to U13, U24, and the order codes."""

from __future__ import annotations

from decimal import Decimal
from urllib.parse import parse_qsl

import pytest
from tests.client.exchanges.far import ADD, CANCEL, COIN, CONVERT, GOLDEN, THUMBS, WALLETS, no, ok

from tradehook.desk.deeds import OrderDeed
from tradehook.errors import (
    GuardRefused,
    InsufficientFunds,
    InvalidInput,
    NotFound,
    TradehookError,
    Unavailable,
    UnexpectedResponse,
    WrongState,
)
from tradehook.models import NewOrder, OrderStatus, Side, SizedOrder, Unit
from tradehook.retry import Verdict, verdict
from tradehook.run import run, run_each
from tradehook.wire import Response

RULES = "BTC/USDT price=0.5 amount=0.0001 minimum=5"
YES, NOT = ({"code": 0, "message": "success", "data": word} for word in (True, False))
LIMIT = NewOrder.of("BTC/USDT", side="buy", amount="0.001", price=Decimal(70000))


def sized(exchange, market="BTC/USDT", **order) -> SizedOrder:
    return run(exchange.size_order(NewOrder.of(market, **order)))


def sent(exchange, write):
    """What the desk does with a write, once, without its journal."""
    request, _ = run(exchange.session.prepare(write.request))
    return exchange.session.understand(run(exchange.session.send_once(request)), write.read)


def form(request) -> dict[str, str]:
    return dict(parse_qsl(request.body.decode(), keep_blank_values=True))


def placed(exchange, **order):
    return sent(exchange, exchange.new_order(sized(exchange, **order)))


# --- what is sent: U10, U11, U12, U24 ---------------------------------------------------------------------------------


def test_the_golden_order_is_a_form_sent_once_over_a_connection_of_its_own(far):
    exchange = far.exchange()
    write = exchange.new_order(run(exchange.size_order(LIMIT)))
    assert (write.kind, write.request.lane, write.request.is_fresh) == ("single", "money", True)
    order = sent(exchange, write)
    (request,) = far.to(ADD)
    assert request.body == b"symbol=BTC%2FUSDT&direction=0&type=0&price=70000&amount=0.001"
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert (order.order_id, order.status) == ("E170000000000000001", OrderStatus.ACCEPTED)
    assert (order.base, order.quote, order.side, order.quantity, order.unit, order.price) == (
        "BTC", "USDT", Side.BUY, Decimal("0.001"), Unit.BASE, Decimal(70000),
    )  # fmt: skip
    assert not order.is_final
    assert order.evidence is None


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        (
            {"side": "sell", "amount": "0.001", "price": Decimal(80000)},
            {"direction": "1", "type": "0", "price": "80000"},
        ),
        ({"side": "sell", "amount": "0.001"}, {"direction": "1", "type": "1", "price": "0", "amount": "0.001"}),
        ({"side": "buy", "amount": "$50"}, {"direction": "0", "type": "1", "price": "0", "amount": "50"}),
        ({"side": "sell", "amount": "$50"}, {"direction": "1", "type": "1", "amount": "0.00067567"}),
        ({"side": "sell", "amount": "50%"}, {"amount": "0.5"}),
        ({"side": "buy", "amount": "max"}, {"amount": "99730.53892215"}),
        ({"side": "buy", "amount": "max", "price": Decimal(70000)}, {"amount": "1.42472198"}),
        ({"side": "sell", "amount": "0.1234567891"}, {"amount": "0.1234567891"}),
    ],
)
def test_codes_and_amounts(far, order, expected):
    exchange = far.exchange()
    placed(exchange, **order)
    assert expected.items() <= form(far.to(ADD)[0]).items()


def test_codes_are_settings(far):
    exchange = far.exchange(type_codes="limit=1,market=0", direction_codes="buy=1,sell=2")
    placed(exchange, side="buy", amount="0.001", price=Decimal(70000))
    placed(exchange, side="sell", amount="0.001")
    assert [(form(one)["type"], form(one)["direction"]) for one in far.to(ADD)] == [("1", "1"), ("0", "2")]


def test_a_market_order_without_a_price_field_is_a_setting(far):
    placed(far.exchange(market_price_param="-"), side="sell", amount="0.001")
    assert "price" not in form(far.to(ADD)[0])


def test_a_market_buys_unit_is_a_setting_and_the_capabilities_say_so(far):
    quote, base, none = (far.exchange(market_buy_unit=unit) for unit in ("quote", "base", "forbid"))
    assert [each.spec.capabilities.can("base_buys") for each in (quote, base, none)] == [False, True, False]
    assert [each.spec.capabilities.can("quote_buys") for each in (quote, base, none)] == [True, False, False]
    assert sized(quote, side="buy", amount="$50").unit is Unit.QUOTE
    assert sized(base, side="buy", amount="0.001").unit is Unit.BASE
    assert sized(base, side="buy", amount="50%").unit is Unit.BASE
    with pytest.raises(InvalidInput, match="what is spent") as caught:
        sized(quote, side="buy", amount="0.001")
    assert caught.value.suggestions == ("$74",)
    with pytest.raises(InvalidInput, match="what is bought") as caught:
        sized(base, side="buy", amount="$74")
    assert caught.value.suggestions == ("0.001",)
    for amount in ("0.001", "$50", "50%"):
        with pytest.raises(InvalidInput, match="does not tell whether"):
            sized(none, side="buy", amount=amount)
    assert sized(none, side="buy", amount="0.001", price=Decimal(70000))
    # What was settled under another setting is not sent under this one.
    for exchange, order in (
        (none, sized(quote, side="buy", amount="$50")),
        (quote, sized(base, side="buy", amount="1")),
    ):
        with pytest.raises(InvalidInput):
            exchange.new_order(order)
    assert far.to(ADD) == []


def test_without_rules_nothing_typed_is_rounded(far):
    order = sized(far.exchange(), side="buy", amount="0.123456789012", price=Decimal("70000.123456789"))
    assert (order.quantity, order.price) == (Decimal("0.123456789012"), Decimal("70000.123456789"))


def test_with_rules_amounts_are_rounded_down_and_prices_refused_between_steps(far):
    exchange = far.exchange(symbol_rules=RULES)
    assert sized(exchange, side="sell", amount="0.12345").quantity == Decimal("0.1234")
    assert sized(exchange, side="buy", amount="$50.70").quantity == Decimal("50.5")
    with pytest.raises(InvalidInput, match="between two prices") as caught:
        sized(exchange, side="buy", amount="0.001", price=Decimal("70000.3"))
    assert caught.value.suggestions == ("70000", "70000.5")
    with pytest.raises(InvalidInput, match="smallest quantity"):
        sized(exchange, side="sell", amount="0.00001")
    with pytest.raises(InvalidInput, match="smallest order is 5"):
        sized(exchange, side="buy", amount="$4")
    assert sized(exchange, "ETH/USDT", side="sell", amount="0.00001", price=Decimal("3000.3")).quantity == Decimal(
        "0.00001"
    )


def test_lots_tags_and_bounds_go_by_the_rules(far):
    plain, ruled = far.exchange(), far.exchange(symbol_rules=RULES)
    assert plain.lot_size(Decimal(74000)) == Decimal("0.00000001")
    assert ruled.lot_size(Decimal(74000)) == Decimal("0.0001")
    order = sized(plain, side="sell", amount="1")
    assert plain.tag_order(order, by="x") == order
    tagged = ruled.tag_order(order, by="x")
    assert tagged.quantity + tagged.tag == 1
    assert 0 < tagged.tag <= Decimal("0.001")
    assert tagged.tag % Decimal("0.0001") == 0
    assert tagged == ruled.tag_order(order, by="x")
    small = sized(ruled, side="sell", amount="0.0001")
    assert ruled.tag_order(small, by="x") == small
    spent = sized(plain, side="buy", amount="$50")
    bound = ruled.bound_order(spent, at=Decimal("74000.7"))
    assert (bound.price, bound.quantity, bound.unit, bound.bounded) == (
        Decimal("74000.5"), Decimal("0.0006"), Unit.BASE, True,
    )  # fmt: skip
    assert ruled.bound_order(order, at=Decimal("74000.7")).price == 74001
    with pytest.raises(InvalidInput, match="smallest order"):
        ruled.bound_order(sized(plain, side="buy", amount="$5"), at=Decimal(74000))


def test_a_slippage_that_could_not_be_told_is_refused_and_a_bound_is_kept(far):
    exchange = far.exchange(market_buy_unit="forbid")
    with pytest.raises(InvalidInput, match="--bounded"):
        sized(exchange, side="sell", amount="0.001", max_slippage=Decimal(1))
    for side, price in (("buy", 74740), ("sell", 73260)):
        order = NewOrder.of("BTC/USDT", side=side, amount="$50", max_slippage=Decimal(1), bounded=True)
        order = run(OrderDeed(order).settle(exchange))
        assert (order.price, order.unit, order.bounded) == (price, Unit.BASE, True)
        assert exchange.new_order(order)
    far.answers[THUMBS] = ok([{"symbol": "ETH/BTC", "close": "0.04"}])
    far.answers[CONVERT] = ok(0)
    exchange = far.exchange()
    order = sized(exchange, "ETH/BTC", side="sell", amount="1", max_slippage=Decimal(1), bounded=True)
    with pytest.raises(InvalidInput, match="bound in BTC"):
        exchange.bound_order(order, at=Decimal(3000))


def test_markets_that_are_not_there_are_refused_with_those_that_are(far):
    exchange = far.exchange()
    for market, offered in (("BTC/USD", "BTC/USDT"), ("ETC/USDT", "ETH/USDT"), ("ETH/EUR", "ETH/USDT")):
        with pytest.raises(InvalidInput, match="has no market") as caught:
            sized(exchange, market, side="sell", amount="1")
        assert offered in caught.value.suggestions
    with pytest.raises(InvalidInput, match="chain"):
        run(exchange.size_order(NewOrder.of("BTC/USDT", side="buy", amount="$5", chain="base")))
    assert far.to(ADD) == []


def test_a_share_of_nothing_is_refused(far):
    far.answers[WALLETS] = ok(None)
    with pytest.raises(InvalidInput, match="no BTC available"):
        sized(far.exchange(), side="sell", amount="max")


# --- the price it is sized by: T8 -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("rate", "is_refused"), [(74700, False), (73300, False), (75000, True), (73000, True)])
def test_two_prices_that_contradict_each_other_size_nothing(far, rate, is_refused):
    far.answers[CONVERT] = ok(str(rate))
    exchange = far.exchange()
    if is_refused:
        with pytest.raises(InvalidInput, match=f"74000 by its ticker and {rate} by its conversion"):
            sized(exchange, side="sell", amount="0.001")
    else:
        assert sized(exchange, side="sell", amount="0.001").reference_price == 74000
    assert sized(exchange, side="sell", amount="0.001", price=Decimal(70000))  # a limit is the user's own price


@pytest.mark.parametrize("answer", [ok(0), ok("0"), ok(None), no("no such rate"), Response(404)])
def test_no_rate_is_no_contradiction(far, answer):
    far.answers[CONVERT] = answer
    assert sized(far.exchange(), side="sell", amount="0.001").reference_price == 74000


# --- what is answered: U8 ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "order_id"),
    [
        (ok("E17"), "E17"),
        (ok(17), "17"),
        (ok({"orderId": "E17", "status": "TRADING", "type": "LIMIT_PRICE", "direction": "BUY"}), "E17"),
        (ok({"orderNo": "E17"}), "E17"),
        ({"code": 0, "orderId": "E17"}, "E17"),
        ({"data": "E17"}, "E17"),
        ({"orderId": "E17"}, "E17"),
    ],
)
def test_the_orders_id_is_found_in_every_answer(far, answer, order_id):
    far.answers[ADD] = answer
    order = placed(far.exchange(), side="buy", amount="0.001", price=Decimal(70000))
    assert (order.order_id, order.status, order.evidence) == (order_id, OrderStatus.ACCEPTED, None)


@pytest.mark.parametrize("answer", [ok(None), YES, ok({}), ok("success"), {"code": 200, "msg": "ok"}])
def test_an_order_without_an_id_is_accepted_and_cannot_be_canceled_from_here(far, answer):
    far.answers[ADD] = answer
    exchange = far.exchange()
    order = placed(exchange, side="buy", amount="0.001", price=Decimal(70000))
    assert order.status is OrderStatus.ACCEPTED
    assert order.order_id.startswith("unnamed-")
    assert len(order.order_id) == 20
    assert order.order_id != placed(exchange, side="buy", amount="0.001", price=Decimal(70000)).order_id
    with pytest.raises(InvalidInput, match="cannot be canceled from here"):
        exchange.cancel_order(order.order_id)


@pytest.mark.parametrize(
    "answer", [{}, [], {"data": None}, {"message": "fine"}, NOT, ok("../../x"), Response(200), Response(502)]
)
def test_an_answer_that_says_neither_yes_nor_no_leaves_the_order_in_doubt(far, answer):
    far.answers[ADD] = answer
    with pytest.raises((UnexpectedResponse, Unavailable)) as caught:
        placed(far.exchange(), side="buy", amount="0.001", price=Decimal(70000))
    assert verdict("single", caught.value) is Verdict.UNKNOWN


def test_a_refusal_is_a_no(far):
    far.answers[ADD] = no("insufficient coin:USDT")
    with pytest.raises(InsufficientFunds) as caught:
        placed(far.exchange(), side="buy", amount="5", price=Decimal(70000))
    assert verdict("single", caught.value) is Verdict.NO


def test_an_order_that_comes_back_as_another_one_is_told(far):
    far.answers[ADD] = ok({"orderId": "E17", "type": "MARKET_PRICE", "direction": "SELL", "status": 1})
    order = placed(far.exchange(), side="buy", amount="0.001", price=Decimal(70000))
    assert order.status is OrderStatus.ACCEPTED
    assert "a market order, and a limit order was meant and a sell, and a buy was meant" in order.evidence
    assert "TYPE_CODES" in order.evidence


# --- canceling: U9 ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "path", "fields"),
    [
        ({}, CANCEL, {"orderId": "E17"}),
        ({"cancel_id_param": "id"}, CANCEL, {"id": "E17"}),
        ({"cancel_fallback": "true"}, CANCEL, {"orderId": "E17", "id": "E17"}),
        ({"cancel_fallback": "path"}, f"{CANCEL}/E17", {"orderId": "E17", "id": "E17"}),
    ],
)
def test_how_an_order_is_named_to_cancel_it_is_a_setting(far, options, path, fields):
    far.answers[path] = ok(None)
    exchange = far.exchange(**options)
    write = exchange.cancel_order("E17")
    assert write.kind == "cancel"
    assert sent(exchange, write) is None
    assert form(far.to(path)[0]) == fields


def test_a_cancel_that_comes_too_late_is_the_wrong_state(far):
    far.answers[CANCEL] = no("order state error (completed or canceled)")
    exchange = far.exchange()
    with pytest.raises(WrongState):
        sent(exchange, exchange.cancel_order("E17"))
    for answer in ({}, [], NOT):
        far.answers[CANCEL] = answer
        with pytest.raises(UnexpectedResponse):
            sent(exchange, exchange.cancel_order("E17"))
    for order_id in ("", "../x", "a b", "x" * 65):
        with pytest.raises(InvalidInput):
            exchange.cancel_order(order_id)


# --- the order codes of a live account: 6.1 ---------------------------------------------------------------------------


def live(far, **options):
    return far.exchange(environment="live", **options)


def test_no_live_order_leaves_before_the_codes_are_confirmed(far):
    shown = run(far.exchange().size_order(LIMIT))
    for exchange in (live(far), far.exchange(base_url="https://www.fintrusted.com")):
        for attempt in (lambda it=exchange: run(it.size_order(LIMIT)), lambda it=exchange: it.new_order(shown)):
            with pytest.raises(GuardRefused) as caught:
                attempt()
            assert caught.value.rule == "enum_mapping"
            for words in ("BUY", "three quarters", "rests", "frozen", "Never try with a SELL"):
                assert words in caught.value.message
    assert far.to(ADD) == []


def test_the_test_lets_through_one_harmless_kind_of_order(far):
    exchange = live(far, confirm_enum_mapping="test")
    harmless = NewOrder.of("BTC/USDT", side="buy", amount="0.0005", price=Decimal(55000))
    assert exchange.new_order(run(exchange.size_order(harmless)))
    for market, order in (
        ("BTC/USDT", {"side": "sell", "amount": "0.0005", "price": Decimal(55000)}),
        ("BTC/USDT", {"side": "buy", "amount": "0.0005", "price": Decimal(56000)}),
        ("BTC/USDT", {"side": "buy", "amount": "0.001", "price": Decimal(55000)}),
        ("BTC/USDT", {"side": "sell", "amount": "0.0005"}),
        ("ETH/USDT", {"side": "buy", "amount": "0.0005", "price": Decimal(100)}),
        ("BTC/USDT", {"side": "buy", "amount": "2", "price": Decimal("0.01")}),
    ):
        far.answers[COIN] = GOLDEN[COIN] if market == "BTC/USDT" else ok({"coin": "ETH", "close": 3000})
        far.answers[CONVERT] = ok(0)
        with pytest.raises(GuardRefused):
            sized(exchange, market, **order)
    assert far.to(ADD) == []


def test_once_confirmed_live_orders_are_sent(far):
    exchange = live(far, confirm_enum_mapping="true")
    assert placed(exchange, side="sell", amount="0.001", price=Decimal(80000)).order_id == "E170000000000000001"


# --- what it cannot do ------------------------------------------------------------------------------------------------


def test_what_it_cannot_do_is_refused_with_its_sentence(far):
    exchange = far.exchange()
    order = run(exchange.size_order(LIMIT))
    for ability, attempt in (
        ("orders", lambda: run(exchange.get_order("E17"))),
        ("transfers", lambda: run(exchange.get_transfer("x"))),
        ("transfers", lambda: list(run_each(exchange.list_transfers()))),
        ("transfers", lambda: run(exchange.size_transfer(None, destination=None))),
        ("transfers", lambda: exchange.new_transfer(None)),
        ("transfers", lambda: exchange.execute_transfer(None, created=None)),
        ("portfolio", lambda: run(exchange.portfolio())),
        ("transactions", lambda: list(run_each(exchange.list_transactions()))),
    ):
        assert not exchange.spec.capabilities.can(ability)
        with pytest.raises(InvalidInput) as caught:
            attempt()
        assert caught.value.message == exchange.spec.capabilities.cannot[ability]
    with pytest.raises(InvalidInput, match="nothing to sign"):
        exchange.execute_order(order, created=None)
    assert list(run_each(exchange.list_orders())) == []


def test_quotes_are_the_tickers_price(far):
    exchange = far.exchange()
    for side in Side:
        base = run(exchange.get_quote("BTC", quote="USDT", side=side, quantity=Decimal("0.5"), unit=Unit.BASE))
        assert (base.price, base.notional) == (74000, 37000)
        quote = run(exchange.get_quote("BTC", quote="USDT", side=side, quantity=Decimal(37000), unit=Unit.QUOTE))
        assert quote.base_quantity == Decimal("0.5")
    far.answers[COIN] = no("nonsupport coin!")
    with pytest.raises(NotFound):
        run(exchange.get_quote("NOSUCH", quote="USDT", side=Side.BUY, quantity=Decimal(1), unit=Unit.BASE))


def test_the_list_of_markets_is_read_once_in_ten_minutes_and_without_a_token_too(far):
    exchange = far.exchange()
    assets = list(run_each(exchange.list_assets()))
    assert [(one.symbol, one.is_tradeable, one.is_stable) for one in assets] == [
        ("BTC", True, False), ("ETH", True, False), ("USDT", False, True),
    ]  # fmt: skip
    assert list(run_each(exchange.list_assets(venue="defi"))) == []
    with pytest.raises(InvalidInput):
        list(run_each(exchange.list_assets(venue="moon")))
    assert len(far.to(THUMBS)) == 1
    assert "Authorization" in far.to(THUMBS)[0].headers
    far.clock.advance(601)
    list(run_each(exchange.list_assets()))
    assert len(far.to(THUMBS)) == 2
    nobody = far.exchange(token="")
    assert list(run_each(nobody.list_assets()))
    assert "Authorization" not in far.to(THUMBS)[2].headers


def test_other_currencies_than_usdt_are_priced_from_the_list_of_markets(far):
    far.answers[THUMBS] = ok([{"symbol": "ETH/BTC", "close": "0.04"}, {"symbol": "ETH/USDT", "close": 3000}])
    far.answers[CONVERT] = ok("0.04")
    order = sized(far.exchange(), "ETH/BTC", side="sell", amount="1")
    assert (order.market, order.reference_price) == ("ETH/BTC", Decimal("0.04"))


def test_errors_are_ours_whatever_comes(far):
    far.answers[WALLETS] = {"code": 0, "data": 5}
    with pytest.raises(TradehookError):
        run(far.exchange().balances())
