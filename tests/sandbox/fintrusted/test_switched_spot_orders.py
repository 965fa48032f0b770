"""Every switch of spot orders, turned either way. See: fintrusted-api 5.5, 5.6, 6 and 14."""

from __future__ import annotations

from decimal import Decimal

import pytest


def test_family_enums(new_caller):
    for is_reversed, kinds in ((False, ["limit", "market"]), (True, ["market", "limit"])):
        caller = new_caller(family_enums=is_reversed)
        found = [caller.placed("buy", "1", "1000", type=code) for code in ("0", "1")]
        assert [caller.order(order_id)["type"] for order_id in found] == kinds


def test_market_buy_unit(new_caller):
    by_quote, by_base = (new_caller(market_buy_unit=unit) for unit in ("quote", "base"))
    assert by_quote.order(by_quote.placed("buy", "370"))["amount_unit"] == "quote"
    order_id = by_base.placed("buy", "0.5")
    frozen = by_base.wallets()["USDT"][1]
    assert 37_000 < frozen < 38_000
    by_base.settle()
    order = by_base.order(order_id)
    assert (order["status"], order["traded_amount"], order["amount_unit"]) == ("COMPLETED", "0.5", "base")
    assert by_base.wallets()["USDT"] == (100_000 - Decimal(order["turnover"]), 0)
    assert by_base.add("buy", "5")["message"] == "insufficient coin:USDT"


def test_market_needs_price(new_caller):
    assert new_caller(market_needs_price=False).add("buy", "100", price=None)["code"] == 0
    for needs, code in ((False, 0), (True, 500)):
        caller = new_caller(market_needs_price=needs)
        form = {"symbol": "BTC/USDT", "direction": "0", "type": "1", "amount": "100"}
        assert caller.post("/tx/spot/add", form)["code"] == code
        assert caller.post("/tx/spot/add", {**form, "price": "0"})["code"] == 0


def test_market_leftover(new_caller):
    for leftover, status in (("cancel", "CANCELED"), ("queue", "TRADING")):
        caller = new_caller(market_leftover=leftover)
        caller.depth(0)
        order_id = caller.placed("sell", "0.5")
        caller.settle()
        assert caller.order(order_id)["status"] == status
        assert caller.wallets()["BTC"] == ((1, 0) if status == "CANCELED" else (Decimal("0.5"), Decimal("0.5")))


def test_a_queued_market_order_takes_what_comes(new_caller):
    caller = new_caller(market_leftover="queue")
    caller.depth(0)
    waiting, given_up = caller.placed("sell", "0.5"), caller.placed("buy", "100")
    caller.settle()
    assert caller.order(given_up)["status"] == caller.order(waiting)["status"] == "TRADING", "they never meet"
    caller.cancel(given_up)
    limit = caller.placed("buy", "0.2", "70000")
    caller.settle()
    assert caller.order(given_up)["status"] == "CANCELED"
    assert (caller.order(limit)["status"], caller.order(waiting)["turnover"]) == ("COMPLETED", "14000")
    caller.depth(100)
    assert caller.order(waiting)["status"] == "COMPLETED"


def test_bare_insufficient(new_caller):
    assert new_caller(bare_insufficient=False).add("sell", "2")["message"] == "insufficient coin:BTC"
    assert new_caller(bare_insufficient=True).add("sell", "2")["message"] == "BTC"


def test_add_response(new_caller):
    def data(shape: str):
        caller = new_caller(add_response=shape)
        found = caller.add("buy", "0.001", "70000")["data"]
        return found, caller.admin("GET", "/fintrusted/orders")["data"][0]["order_id"]

    found, order_id = data("id")
    assert found == order_id
    found, order_id = data("object")
    assert found == {"orderId": order_id}
    found, order_id = data("order")
    assert (found["orderId"], found["coinSymbol"], found["baseSymbol"]) == (order_id, "BTC", "USDT")
    assert data("none")[0] is None


@pytest.mark.parametrize(
    ("name", "understood"),
    [
        ("any", {"orderId", "id", "?orderId", "?id"}),
        ("orderId", {"orderId", "?orderId"}),
        ("id", {"id", "?id"}),
        ("order_id", {"order_id", "?order_id"}),
        ("path", {"/"}),
    ],
)
def test_cancel_name(new_caller, name, understood):
    caller = new_caller(cancel_name=name)
    works = set()
    for way in ("orderId", "id", "order_id", "?orderId", "?id", "?order_id", "/"):
        order_id = caller.placed("buy", "0.001", "70000")
        if way == "/":
            body = caller.post(f"/tx/spot/cancel/{order_id}")
        elif way[0] == "?":
            body = caller.post(f"/tx/spot/cancel{way}={order_id}")
        else:
            body = caller.post("/tx/spot/cancel", {way: order_id})
        caller.settle()
        assert (caller.order(order_id)["status"] == "CANCELED") is (body["code"] == 0)
        works |= {way} if body["code"] == 0 else set()
    assert works == understood


def test_cancel_race(new_caller):
    for chance, status in ((0.0, "CANCELED"), (1.0, "COMPLETED")):
        caller = new_caller(cancel_race=chance)
        order_id = caller.placed("buy", "0.001", "70000")
        caller.settle()
        caller.cancel(order_id)
        caller.settle()
        assert caller.order(order_id)["status"] == status
        assert caller.wallets()["USDT"] == ((100_000, 0) if chance == 0 else (99_930, 0))


def test_add_seconds_and_cancel_seconds(new_caller):
    at_once, slow = new_caller(add_seconds=0, cancel_seconds=0), new_caller(add_seconds=10, cancel_seconds=20)
    order_id = at_once.placed("buy", "0.001", "70000")
    assert at_once.order(order_id)["is_resting"]
    at_once.cancel(order_id)
    assert at_once.order(order_id)["status"] == "CANCELED"
    order_id = slow.placed("buy", "0.001", "70000")
    slow.sandbox.clock.advance(9)
    assert not slow.order(order_id)["is_resting"]
    slow.sandbox.clock.advance(1)
    assert slow.order(order_id)["is_resting"]
    slow.cancel(order_id)
    slow.sandbox.clock.advance(19)
    assert slow.order(order_id)["is_canceling"]
    slow.sandbox.clock.advance(1)
    assert slow.order(order_id)["status"] == "CANCELED"


def test_fee_millionths(new_caller):
    for millionths in (0, 1_000, 100_000):
        caller = new_caller(fee_millionths=millionths)
        caller.depth(0)
        caller.placed("sell", "0.1", "74000")
        caller.settle()
        caller.placed("buy", "0.1", "74000")
        caller.settle()
        assert caller.wallets()["USDT"][0] == 100_000 - Decimal(7_400) * millionths / 1_000_000


def test_most_open(new_caller):
    caller = new_caller(most_open=2)
    first = caller.placed("buy", "0.001", "70000")
    caller.placed("buy", "0.001", "70000")
    assert caller.add("buy", "0.001", "70000") == {"code": 500, "message": "too many open orders"}
    assert caller.add("sell", "0.001", "80000")["code"] == 0
    assert caller.add("buy", "0.01", "2000", symbol="ETH/USDT")["code"] == 0
    caller.cancel(first)
    caller.settle()
    assert caller.add("buy", "0.001", "70000")["code"] == 0
    free = new_caller(most_open=0)
    assert {free.add("buy", "0.001", "70000")["code"] for _ in range(5)} == {0}
