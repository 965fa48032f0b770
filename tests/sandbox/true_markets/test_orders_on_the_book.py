"""Orders on the exchange's own books: rules, holds, fills, fees, cancels."""

from __future__ import annotations

from decimal import Decimal

import pytest

FEE = Decimal("0.0004")


def number(text):
    return Decimal(text)


def test_a_created_order_is_two_fields_and_pending(trader):
    status, body = trader.order()
    assert status == 201
    assert set(body) == {"order_id", "status"}
    assert body["status"] == "pending"
    assert trader.status(body["order_id"]) == "pending"


def test_a_market_order_completes_within_a_second_and_the_money_is_exact(trader):
    order_id = trader.placed("buy", "0.01")
    trader.sandbox.clock.advance(0.19)
    assert trader.status(order_id) == "pending"
    trader.sandbox.clock.advance(0.42)
    row = trader.detail(order_id)
    assert row["status"] == "complete"
    assert (row["executed_qty"], row["leaves_qty"]) == ("0.01", "0")
    cost = number(row["executed_vwap"]) * number("0.01")
    assert number(row["fee"]) == cost * FEE
    assert number(trader.balance("PYUSD")["total"]) == 10_000 - cost - number(row["fee"])
    assert trader.balance("BTC")["total"] == "0.51"
    ledger = trader.ledger()
    assert ledger["balanced"]
    assert number(ledger["accounts"]["fees"]["PYUSD"]) == number(row["fee"])


def test_a_sell_brings_its_proceeds_less_the_fee(trader):
    order_id = trader.placed("sell", "0.1")
    trader.settle()
    row = trader.detail(order_id)
    proceeds = number(row["executed_vwap"]) * number("0.1")
    assert number(trader.balance("PYUSD")["available"]) == 10_000 + proceeds - number(row["fee"])
    assert trader.balance("BTC") | {"total": "0.4", "available": "0.4", "held": "0"} == trader.balance("BTC")


def test_things_happen_at_their_own_moment_however_often_somebody_looks(new_trader):
    def prices(looks):
        one = new_trader(seed=11)
        found = []
        for _ in range(10):
            one.sandbox.clock.advance(0.45)
            order_id = one.placed("buy", "0.01")
            for _ in range(looks):
                one.sandbox.clock.advance(600 / looks)
                one.status(order_id)
            found.append(one.mint().detail(order_id)["executed_vwap"])
        return found

    assert prices(looks=1) == prices(looks=4_000)


def test_a_buy_sized_in_dollars_gets_the_most_lots_they_pay_for(trader):
    order_id = trader.placed("buy", "500", qty_unit="quote")
    trader.settle()
    row = trader.detail(order_id)
    assert row["status"] == "complete"
    spent = number(row["executed_qty"]) * number(row["executed_vwap"])
    assert number(row["executed_qty"]) % number("0.0001") == 0
    assert 500 - number("6.8") < spent <= 500
    assert number(trader.balance("PYUSD")["total"]) == 10_000 - spent - number(row["fee"])


def test_a_sell_sized_in_dollars_sells_no_more_than_they_come_to(trader):
    order_id = trader.placed("sell", "500", qty_unit="quote")
    trader.settle()
    row = trader.detail(order_id)
    assert row["status"] == "complete"
    assert 500 - number("6.8") < number(row["executed_qty"]) * number(row["executed_vwap"]) <= 500


def test_a_resting_buy_holds_its_notional_and_nothing_else(trader):
    order_id = trader.placed("buy", "0.1", price="60000.0")
    row = trader.balance("PYUSD")
    assert (row["total"], row["available"], row["held"]) == ("10000.000000000", "4000.000000000", "6000.000000000")
    trader.settle()
    detail = trader.detail(order_id)
    assert detail["status"] == "active"
    assert (detail["price"], detail["qty"], detail["executed_qty"], detail["leaves_qty"]) == (
        "60000",
        "0.1",
        "0",
        "0.1",
    )


def test_a_resting_sell_holds_its_coins(trader):
    trader.placed("sell", "0.2", price="80000.0")
    assert trader.balance("BTC") | {"available": "0.3", "held": "0.2"} == trader.balance("BTC")


def test_the_fee_of_open_buys_cannot_be_spent_twice(trader):
    trader.placed("buy", "0.1", price="60000.0")
    # 4,000 are available and 2.4 of them will be the fee.
    assert trader.order("buy", "3998", qty_unit="quote", base="ETH")[1].keys() > {"payloads"}, "only over the bridge"
    trader.placed("buy", "3990", qty_unit="quote", base="ETH")
    trader.admin("POST", "/prices", {"BTC": "59000"})
    trader.sandbox.clock.advance(10)
    assert number(trader.balance("PYUSD")["available"]) > 0
    assert trader.ledger()["balanced"]


def test_a_marketable_limit_fills_at_the_books_price_not_its_own(trader):
    order_id = trader.placed("sell", "0.05", price="60000.0")
    trader.settle()
    row = trader.detail(order_id)
    assert row["status"] == "complete"
    assert number(row["executed_vwap"]) > 67_300
    buy = trader.placed("buy", "0.05", price="80000.0")
    trader.settle()
    assert number(trader.detail(buy)["executed_vwap"]) < 67_400
    row = trader.balance("PYUSD")
    assert row["held"] == "0.000000000", "what the limit held beyond the price is free again"


def test_a_large_limit_fills_as_far_as_its_price_reaches_and_rests(trader):
    trader.admin("POST", "/balances", {"symbol": "PYUSD", "available": "5000000"})
    order_id = trader.placed("buy", "30", price="67360.0")
    trader.settle()
    row = trader.detail(order_id)
    assert row["status"] == "active"
    assert 0 < number(row["executed_qty"]) < 30
    assert number(row["executed_qty"]) + number(row["leaves_qty"]) == 30
    assert number(row["executed_vwap"]) <= 67_360
    assert number(trader.balance("PYUSD")["held"]) == number(row["leaves_qty"]) * 67_360, "for what is still open"
    before = number(row["executed_qty"])
    trader.sandbox.clock.advance(2)
    assert number(trader.detail(order_id)["executed_qty"]) > before, "new liquidity comes to it"
    trader.sandbox.clock.advance(120)
    row = trader.detail(order_id)
    assert row["status"] == "complete"
    spent = number(row["executed_qty"]) * 67_360
    assert number(row["fee"]) <= spent * FEE
    assert trader.balance("BTC")["total"] == "30.5"
    assert trader.balance("PYUSD")["held"] == "0.000000000"
    assert trader.ledger()["balanced"]


def test_a_resting_order_is_filled_at_its_own_price_when_the_market_comes(trader):
    order_id = trader.placed("buy", "0.1", price="67000.0")
    trader.settle()
    trader.admin("POST", "/prices", {"BTC": "66900"})
    row = trader.detail(order_id)
    assert (row["status"], row["executed_vwap"], row["fee"]) == ("complete", "67000", "2.68")
    assert trader.balance("PYUSD")["total"] == "3297.320000000"


def test_a_market_order_without_liquidity_is_canceled_and_costs_nothing(trader):
    trader.admin("POST", "/book", {"symbol": "BTC", "depth_percent": 0})
    for fields in ({"side": "buy", "qty": "0.01"}, {"side": "sell", "qty": "0.01"}, {"side": "buy", "qty": "100"}):
        unit = "quote" if fields["qty"] == "100" else "base"
        order_id = trader.placed(**fields, qty_unit=unit)
        trader.settle()
        row = trader.detail(order_id)
        assert (row["status"], row["executed_qty"], row["fee"]) == ("canceled", "0", "0")
    assert trader.balance("PYUSD")["available"] == "10000.000000000"
    assert trader.balance("BTC")["available"] == "0.5"


def test_a_market_order_larger_than_the_book_is_canceled_with_what_it_got(trader):
    trader.admin("POST", "/balances", {"symbol": "BTC", "available": "1000"})
    order_id = trader.placed("sell", "900")
    trader.settle()
    row = trader.detail(order_id)
    assert row["status"] == "canceled"
    assert 0 < number(row["executed_qty"]) < 900
    assert number(row["executed_qty"]) + number(row["leaves_qty"]) == 900
    assert trader.balance("BTC")["held"] == "0"


def test_a_market_buy_never_spends_more_than_there_is(trader):
    order_id = trader.placed("buy", "0.148")
    trader.admin("POST", "/prices", {"BTC": "90000"})
    trader.settle()
    row = trader.detail(order_id)
    assert row["status"] == "canceled"
    assert number("0.11") < number(row["executed_qty"]) < number("0.112")
    assert 0 <= number(trader.balance("PYUSD")["available"]) < 10
    assert trader.ledger()["balanced"]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"price": "60000.0", "qty_unit": "quote"}, "qty_unit must be base for a limit order"),
        ({"type": "limit"}, "price is required"),
        ({"type": "market", "price": "60000.0"}, "price is not allowed"),
        ({"type": "limit", "price": "60000.0", "chain": "solana"}, "limit orders are not available on a chain"),
        ({"type": "stop"}, "type must be one of market, limit"),
        ({"chain": "ethereum"}, "chain must be one of solana, base"),
        ({"price": "60000.05"}, "tick size 0.1"),
        ({"price": "5000.001", "base": "ETH"}, "tick size 0.01"),
        ({"price": "60000.0", "qty": "0.00011"}, "lot size 0.0001"),
        ({"qty": "0.0105", "base": "ETH"}, "lot size 0.001"),
        ({"price": "0.5", "qty": "1"}, "minimum notional of 1.00"),
        ({"price": "0", "qty": "1"}, "price must be positive"),
        ({"qty": "0.00"}, "qty must be positive"),
        ({"qty": "abc"}, "plain decimal"),
        ({"qty": "1" * 300}, "qty is too long"),
        ({"qty": None}, "missing required field: qty"),
        ({"quote_asset": None, "side": None}, "missing required fields: quote_asset, side"),
        ({"qty": "1", "side": "sell"}, "insufficient balance"),
        ({"qty": "100000", "qty_unit": "quote"}, "insufficient balance"),
    ],
)
def test_a_broken_rule_is_400_names_it_and_leaves_nothing(trader, fields, words):
    status, body = trader.order(**fields)
    assert status == 400
    assert words in body["message"]
    assert (body["error"], body["code"]) == ("", 400)
    assert trader.ledger()["orders"] == 0
    assert trader.balance("PYUSD")["held"] == "0.000000000"


def test_an_unknown_coin_is_404_and_an_unknown_dollar_503(trader):
    assert trader.order(base="DOGE")[0] == 404
    assert trader.order(quote_asset="EUR") == (503, {"error": "", "message": "venue unavailable", "code": 503})


@pytest.mark.parametrize("dollar", ["USD", "USDC", "PYUSD"])
def test_three_names_stand_for_one_dollar_balance_and_are_echoed_as_sent(trader, dollar):
    order_id = trader.placed(quote_asset=dollar)
    trader.settle()
    assert trader.detail(order_id)["quote_asset"] == dollar
    assert number(trader.balance("PYUSD")["total"]) < 10_000


def test_a_market_buy_in_base_units_is_accepted_unless_strict(trader, new_trader):
    assert trader.order("buy", "0.01")[0] == 201
    strict = new_trader(strict_units=True)
    assert strict.order("buy", "0.01") == (
        400,
        {"error": "", "message": "qty_unit must be quote for a market buy", "code": 400},
    )
    assert strict.order("buy", "100", qty_unit="quote")[0] == 201
    assert strict.order("sell", "0.01")[0] == 201
    assert strict.order("buy", "0.01", price="60000.0")[0] == 201


def test_the_newer_form_with_an_asset_id_works_too(trader):
    body = {
        "asset_id": "b2538174-aae3-4b55-b79f-ac177c99f816",
        "side": "buy",
        "qty": "100",
        "qty_unit": "quote",
        "type": "market",
    }
    status, created = trader.call("POST", "/orders", body)
    assert status == 201
    assert trader.detail(created["order_id"])["base_asset"] == "BTC"
    unknown = {**body, "asset_id": "11111111-2222-4333-8444-555555555555"}
    assert trader.call("POST", "/orders", unknown)[0] == 404
    assert trader.call("POST", "/orders", {**body, "asset_id": "x"})[0] == 400


def test_extra_fields_are_ignored_and_a_leading_point_is_fine(trader):
    assert trader.order("buy", ".0001", venue="cefi")[0] == 201


def test_a_cancel_is_accepted_first_and_true_a_moment_later(trader):
    order_id = trader.placed("buy", "0.1", price="60000.0")
    trader.settle()
    assert trader.call("DELETE", f"/orders/{order_id}") == (202, {})
    assert trader.status(order_id) == "cancel_pending"
    assert trader.balance("PYUSD")["held"] == "6000.000000000", "held until it is confirmed"
    again, body = trader.call("DELETE", f"/orders/{order_id}")
    assert (again, body["message"]) == (400, "order cannot be canceled: it is cancel_pending")
    trader.sandbox.clock.advance(0.61)
    row = trader.detail(order_id)
    assert (row["status"], row["leaves_qty"]) == ("canceled", "0.1")
    assert trader.balance("PYUSD")["available"] == "10000.000000000"
    assert trader.call("DELETE", f"/orders/{order_id}")[0] == 400


def test_an_order_that_is_still_on_its_way_can_be_canceled(trader):
    order_id = trader.placed("buy", "0.1", price="60000.0")
    assert trader.call("DELETE", f"/orders/{order_id}")[0] == 202
    trader.settle()
    assert trader.status(order_id) == "canceled"
    assert trader.balance("PYUSD")["held"] == "0.000000000"


def test_a_fill_can_win_the_race_against_a_cancel(trader):
    order_id = trader.placed("buy", "0.1", price="67000.0")
    trader.settle()
    assert trader.call("DELETE", f"/orders/{order_id}")[0] == 202
    trader.admin("POST", "/prices", {"BTC": "66000"})
    assert trader.status(order_id) == "complete"
    trader.settle()
    assert trader.status(order_id) == "complete"
    assert trader.balance("BTC")["total"] == "0.6"


def test_a_canceled_order_keeps_what_it_got(trader):
    trader.admin("POST", "/balances", {"symbol": "PYUSD", "available": "5000000"})
    order_id = trader.placed("buy", "30", price="67360.0")
    trader.settle()
    trader.call("DELETE", f"/orders/{order_id}")
    trader.settle()
    row = trader.detail(order_id)
    assert row["status"] == "canceled"
    assert 0 < number(row["executed_qty"]) < 30
    assert trader.balance("PYUSD")["held"] == "0.000000000"
    assert trader.ledger()["balanced"]


def test_market_orders_and_finished_orders_cannot_be_canceled(trader):
    market = trader.placed("buy", "0.01")
    assert trader.call("DELETE", f"/orders/{market}")[0] == 400
    limit = trader.placed("sell", "0.01", price="60000.0")
    trader.settle()
    assert trader.call("DELETE", f"/orders/{limit}")[0] == 400


def test_orders_of_others_do_not_exist(trader, another_trader):
    order_id = trader.placed("buy", "0.1", price="60000.0")
    for method, path in (("GET", ""), ("GET", "/status"), ("DELETE", ""), ("POST", "/execute")):
        body = {"signatures": ["x"], "auth_type": "api_key"} if method == "POST" else None
        assert another_trader.call(method, f"/orders/{order_id}{path}", body)[0] == 404
    assert another_trader.call("GET", "/orders")[1]["data"] == []
    assert trader.call("GET", "/orders/not-a-uuid/status")[0] == 400


def test_two_people_can_trade_with_each_other(trader, another_trader):
    maker = trader.placed("sell", "0.1", price="67339.9")
    trader.admin("POST", "/book", {"symbol": "BTC", "depth_percent": 0})
    trader.settle()
    taker = another_trader.placed("buy", "0.04", price="67350.0")
    trader.settle()
    assert another_trader.detail(taker)["executed_vwap"] == "67339.9"
    row = trader.detail(maker)
    assert (row["status"], row["executed_qty"]) == ("active", "0.04")
    assert another_trader.balance("BTC")["total"] == "0.54"
    ledger = trader.ledger()
    assert ledger["balanced"]
    assert ledger["accounts"]["market-maker"] == {"PYUSD": "0", "BTC": "0"}, "what passed through left nothing"


def test_the_same_seed_and_clock_give_the_same_world(new_trader):
    def story(**options):
        one = new_trader(**options)
        ids = [one.placed("buy", "0.01"), one.placed("buy", "0.1", price="67300.0")]
        one.sandbox.clock.advance(300)
        return [one.detail(order_id) for order_id in ids], one.call("GET", "/balances")

    assert story(seed=5) == story(seed=5)
    assert story(seed=5) != story(seed=6)


def test_a_clock_that_is_turned_back_does_not_stop_the_exchange(trader):
    first = trader.placed("buy", "0.01")
    trader.admin("POST", "/clock", {"advance": 3_000})
    waiting = trader.placed("buy", "0.01")
    leaving = trader.placed("buy", "0.01", price="60000.0")
    trader.call("DELETE", f"/orders/{leaving}")
    trader.admin("POST", "/clock", {"offset": 0})
    assert trader.status(leaving) == "cancel_pending"
    second = trader.placed("buy", "0.01")
    trader.settle()
    assert [trader.status(order_id) for order_id in (first, waiting, second)] == ["complete"] * 3
    assert trader.status(leaving) == "canceled"
    created = [row["created_at"] for row in trader.call("GET", "/orders")[1]["data"]]
    assert created == sorted(created, reverse=True)
