"""Spot orders: what they freeze, how they are matched, what a cancellation gives back. See: fintrusted-api 6.3, 8.1."""

from __future__ import annotations

from decimal import Decimal

import pytest

FEE = Decimal("0.001")


def test_a_resting_order_is_filled_at_its_own_price_when_the_market_comes(caller):
    order_id = caller.placed("buy", "0.01", "73000")
    caller.settle()
    assert caller.order(order_id)["is_resting"]
    assert caller.wallets()["USDT"] == (99_270, 730)
    caller.price("72000")
    order = caller.order(order_id)
    assert (order["status"], order["turnover"]) == ("COMPLETED", "730")
    wallets = caller.wallets()
    assert wallets["USDT"] == (99_270, 0)
    assert wallets["BTC"] == (1 + Decimal("0.01") * (1 - FEE), 0), "the fee is taken from what comes in"


def test_a_limit_order_that_crosses_gets_the_better_price_and_the_rest_back(caller):
    order_id = caller.placed("buy", "0.01", "80000")
    assert caller.wallets()["USDT"] == (99_200, 800)
    caller.settle()
    order = caller.order(order_id)
    spent = Decimal(order["turnover"])
    assert order["status"] == "COMPLETED"
    assert 740 <= spent < 741
    assert caller.wallets()["USDT"] == (100_000 - spent, 0)


def test_a_market_sell_gets_dollars_less_the_fee(caller):
    order_id = caller.placed("sell", "0.25")
    assert caller.wallets()["BTC"] == (Decimal("0.75"), Decimal("0.25"))
    caller.settle()
    turnover = Decimal(caller.order(order_id)["turnover"])
    wallets = caller.wallets()
    assert wallets["BTC"] == (Decimal("0.75"), 0)
    gained = wallets["USDT"][0] - 100_000
    assert turnover - turnover * FEE - Decimal("0.000001") < gained <= turnover - turnover * FEE


def test_a_market_buy_spends_its_amount_but_for_less_than_a_step(caller):
    order_id = caller.placed("buy", "1000")
    assert caller.wallets()["USDT"] == (99_000, 1_000)
    caller.settle()
    order = caller.order(order_id)
    assert order["status"] == "COMPLETED"
    left = 1_000 - Decimal(order["turnover"])
    assert 0 <= left < Decimal("0.0741"), "less than a millionth of a bitcoin"
    assert caller.wallets()["USDT"] == (99_000 + left, 0)


def test_an_order_is_filled_in_parts_and_its_rest_can_be_canceled(caller):
    order_id = caller.placed("sell", "0.9", "74100")
    caller.settle()
    caller.depth(1)
    caller.price("74300")
    order = caller.order(order_id)
    traded = Decimal(order["traded_amount"])
    assert order["status"] == "TRADING", "there is no state for a part"
    assert 0 < traded < Decimal("0.9")
    caller.depth(0)
    caller.cancel(order_id)
    caller.settle()
    order = caller.order(order_id)
    assert (order["status"], Decimal(order["traded_amount"])) == ("CANCELED", traded)
    assert caller.wallets()["BTC"] == (1 - traded, 0)


def test_two_members_trade_with_each_other_at_the_price_of_who_was_first(caller, another):
    caller.depth(0)
    resting = caller.placed("sell", "0.1", "74000")
    caller.settle()
    coming = another.placed("buy", "0.04", "75000")
    caller.settle()
    assert another.order(coming)["turnover"] == "2960"
    assert caller.order(resting)["traded_amount"] == "0.04"
    assert another.wallets()["USDT"] == (97_040, 0)
    assert another.wallets()["BTC"][0] == 1 + Decimal("0.04") * (1 - FEE)
    assert caller.wallets()["USDT"][0] == 100_000 + 2_960 * (1 - FEE)


def test_an_order_trades_with_itself_if_it_is_asked_to(caller):
    caller.depth(0)
    caller.placed("sell", "0.1", "74000")
    caller.settle()
    caller.placed("buy", "0.1", "74000")
    caller.settle()
    wallets = caller.wallets()
    assert wallets["USDT"] == (100_000 - 7_400 * FEE, 0)
    assert wallets["BTC"] == (1 - Decimal("0.1") * FEE, 0)


def test_what_is_below_the_steps_is_cut_off_never_rounded(caller):
    order_id = caller.placed("buy", "0.0012349", "70000.019")
    order = caller.order(order_id)
    assert (order["amount"], order["price"]) == ("0.001234", "70000.01")


# --- refusals, in the order in which they are looked for ---

GOOD = {"symbol": "BTC/USDT", "direction": "0", "type": "0", "price": "70000", "amount": "0.001"}
REFUSALS = [
    ({"direction": None, "price": "0"}, "illegal argument"),
    ({"direction": "BUY"}, "illegal argument"),
    ({"type": None}, "illegal argument"),
    ({"type": "2"}, "illegal argument"),
    ({"price": None}, "illegal argument"),
    ({"price": "7e4"}, "illegal argument"),
    ({"price": "70,000"}, "illegal argument"),
    ({"amount": ""}, "illegal argument"),
    ({"amount": "１"}, "illegal argument"),
    ({"price": "0", "amount": "0"}, "exorbitant prices!"),
    ({"price": "-1"}, "exorbitant prices!"),
    ({"amount": "0", "symbol": "X/Y"}, "number of illegal!"),
    ({"amount": "-0.001"}, "number of illegal!"),
    ({"symbol": "BTCUSDT", "amount": "0.000001"}, "nonsupport coin!"),
    ({"symbol": None}, "nonsupport coin!"),
    ({"amount": "0.000009"}, "amount too small 0.00001"),
    ({"amount": "101"}, "amount too large 100"),
    ({"price": "0.009"}, "exorbitant prices!"),
    ({"type": "1", "amount": "0.99"}, "amount too small 1"),
    ({"amount": "2"}, "insufficient coin:USDT"),
    ({"direction": "1", "amount": "1.1"}, "insufficient coin:BTC"),
]


@pytest.mark.parametrize(("wrong", "text"), REFUSALS)
def test_an_order_is_refused_for_the_first_thing_that_is_wrong(caller, wrong, text):
    form = {name: value for name, value in {**GOOD, **wrong}.items() if value is not None}
    response = caller.send("POST", "/tx/spot/add", form)
    assert (response.status, response.json()) == (200, {"code": 500, "message": text})
    assert caller.wallets()["USDT"] == (100_000, 0)
    assert caller.admin("GET", "/fintrusted/orders")["data"] == []


def test_a_field_given_twice_is_refused(caller):
    body = b"symbol=BTC/USDT&direction=0&direction=1&type=0&price=70000&amount=0.001"
    assert caller.post("/tx/spot/add", body)["message"] == "illegal argument"


@pytest.mark.parametrize(
    ("closed", "order", "text"),
    [
        ({"is_disabled": True}, ("buy", "0.001", "70000"), "the coin is forbidden now"),
        ({"no_market_buys": True}, ("buy", "100"), "market orders are not supported"),
        ({"no_market_sells": True}, ("sell", "0.1"), "market orders are not supported"),
        ({"min_sell_price": "75000"}, ("sell", "0.1", "74999"), "exorbitant prices!"),
        ({"min_sell_price": "75000"}, ("sell", "0.1"), "exorbitant prices!"),
        ({"max_buy_price": "73000"}, ("buy", "0.1", "73001"), "exorbitant prices!"),
        ({"max_buy_price": "73000"}, ("buy", "100"), "exorbitant prices!"),
    ],
)
def test_a_pair_can_be_closed_in_part(caller, closed, order, text):
    assert caller.add(*order)["code"] == 0
    caller.admin("POST", "/fintrusted/pairs", {"symbol": "BTC/USDT", **closed})
    assert caller.add(*order) == {"code": 500, "message": text}
    assert caller.add("buy", "0.1", "3000", symbol="ETH/USDT")["code"] == 0


def test_a_member_can_be_disabled_and_a_wallet_locked(caller):
    caller.admin("POST", "/fintrusted/members", {"email": "demo@example.com", "is_disabled": True})
    assert caller.add("buy", "0.1", "3000")["message"] == "account disabled"
    caller.admin("POST", "/fintrusted/members", {"email": "demo@example.com", "is_disabled": False})
    caller.admin("POST", "/fintrusted/members", {"email": "demo@example.com", "locked_coins": ["BTC"]})
    assert caller.add("buy", "0.1", "3000")["message"] == "wallet locked"
    assert caller.add("buy", "0.1", "3000", symbol="ETH/USDT")["code"] == 0
    locks = {row["coin"]["unit"]: row["isLock"] for row in caller.get("/uc/asset/spot-wallets")["data"]}
    assert locks == {"USDT": 0, "BTC": 1, "ETH": 0}


# --- canceling ---


def test_only_ones_own_orders_can_be_canceled(caller, another):
    order_id = caller.placed("buy", "0.001", "70000")
    assert another.cancel(order_id) == {"code": 500, "message": "forbidden operation"}
    assert another.cancel("E1") == {"code": 500, "message": "order does not exist"}
    assert another.post("/tx/spot/cancel") == {"code": 500, "message": "illegal argument"}


def test_a_fill_may_be_quicker_than_a_cancellation(caller):
    order_id = caller.placed("buy", "0.001", "73000")
    caller.settle()
    assert caller.cancel(order_id)["code"] == 0
    caller.price("72000")
    assert caller.order(order_id)["status"] == "COMPLETED"
    caller.settle()
    assert caller.wallets()["USDT"] == (99_927, 0)


def test_an_order_can_be_canceled_before_it_rests(caller):
    order_id = caller.placed("buy", "0.001", "73000")
    assert caller.cancel(order_id)["code"] == 0
    assert caller.cancel(order_id)["code"] == 0, "it has not ended yet"
    caller.settle()
    assert caller.order(order_id)["status"] == "CANCELED"
    assert caller.wallets()["USDT"] == (100_000, 0)


def test_a_clock_that_is_turned_back_keeps_what_was_to_come(caller):
    order_id = caller.placed("buy", "0.001", "73000")
    caller.sandbox.clock.advance(-3_600)
    assert not caller.order(order_id)["is_resting"]
    caller.settle()
    assert caller.order(order_id)["is_resting"]
