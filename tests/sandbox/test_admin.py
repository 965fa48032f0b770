"""The admin: prices, clock, balances, the books, and clear words for wrong input."""

from __future__ import annotations

from decimal import Decimal

import pytest


def test_the_overview_lists_what_there_is(trader):
    assert trader.admin("GET", "/")["/_sandbox/ledger"] == ["GET"]
    assert trader.admin("GET", "")["/_sandbox/faults"] == ["GET", "POST", "DELETE"]


def test_prices_can_be_read_and_set(trader):
    assert trader.admin("GET", "/prices") == {"BTC": "67340.2", "ETH": "3456.78", "SOL": "86.51"}
    assert trader.admin("POST", "/prices", {"BTC": "70000.5", "SOL": "90"}) == {
        "BTC": "70000.5",
        "ETH": "3456.78",
        "SOL": "90",
    }
    price = trader.call(
        "POST",
        "/quotes",
        {"base_asset": "BTC", "quote_asset": "USD", "qty": "0.01", "qty_unit": "base", "side": "buy"},
    )[1]["price"]
    assert abs(Decimal(price) - 70_000) < 5


def test_prices_stand_still_and_walk_again(trader):
    trader.sandbox.clock.advance(100)
    still = trader.admin("GET", "/prices")
    assert still == {"BTC": "67340.2", "ETH": "3456.78", "SOL": "86.51"}
    trader.admin("POST", "/prices", {"walk": True})
    assert trader.admin("GET", "/prices") == still, "from where they stand"
    trader.sandbox.clock.advance(100)
    assert trader.admin("GET", "/prices") != still


def test_the_clock_can_be_advanced_and_set(trader):
    assert trader.admin("GET", "/clock") == {
        "now": "2026-09-21T14:13:20.000000Z",
        "unix_seconds": 1_790_000_000.0,
        "offset_seconds": 0.0,
    }
    assert trader.admin("POST", "/clock", {"advance": 90.5})["now"] == "2026-09-21T14:14:50.500000Z"
    assert trader.admin("POST", "/clock", {"offset": -3600})["offset_seconds"] == -3600.0
    assert trader.send("GET", "/v1/conductor/assets").headers["date"] == "Mon, 21 Sep 2026 13:13:20 GMT"


def test_advancing_lets_things_happen_at_once(trader):
    trader.placed()
    trader.admin("POST", "/clock", {"advance": 1})
    assert trader.admin("GET", "/orders")["data"][0]["status"] == "complete"


def test_balances_can_be_set_and_added_to_and_the_ledger_stays_balanced(trader, another_trader):
    trader.admin("POST", "/balances", {"symbol": "PYUSD", "available": "500.123456789"})
    assert trader.balance("PYUSD")["available"] == "500.123456789"
    trader.admin("POST", "/balances", {"symbol": "SOL", "chain": "solana", "add": "-19.5"})
    assert trader.balance("SOL", "solana")["available"] == "0.5"
    body = trader.admin("POST", "/balances", {"account": "other", "symbol": "BTC", "add": "1"})
    assert set(body) == {"default", "other"}
    assert another_trader.balance("BTC")["total"] == "1.5"
    assert trader.ledger()["balanced"]


def test_the_clock_stays_within_ten_years_of_real_time(trader):
    trader.admin("POST", "/clock", {"offset": 316_000_000})
    response = trader.send("POST", "/_sandbox/clock", {"advance": 316_000_000})
    assert (response.status, response.json()["message"]) == (400, "the clock can be moved ten years at most")


def test_what_open_orders_need_cannot_be_taken_away(trader):
    trader.placed("buy", "0.1", price="60000.0")
    response = trader.send("POST", "/_sandbox/balances", {"symbol": "PYUSD", "available": "2"})
    assert response.status == 400
    assert response.json()["message"] == "2.4 PYUSD must stay: open orders need it"
    trader.admin("POST", "/balances", {"symbol": "PYUSD", "available": "2.4"})
    assert trader.balance("PYUSD")["held"] == "6000.000000000"


def test_the_ledger_counts_orders_that_exist_for_money(trader):
    trader.placed()
    trader.swap("buy", "10")
    executed = trader.swap("buy", "10")[1]
    trader.execute(executed)
    trader.placed("buy", "8", qty_unit="quote")
    assert trader.order("buy", "5", qty_unit="quote")[0] == 400, "what was refused does not exist"
    body = trader.ledger()
    assert {name: body[name] for name in ("balanced", "orders", "initialized", "transfers")} == {
        "balanced": True,
        "orders": 3,
        "initialized": 1,
        "transfers": 0,
    }
    last = body["recent"][-1]
    assert (last["number"], last["amount"], last["asset"]) == (body["entries"], "8", "PYUSD")
    assert last["reason"].startswith("hold ")


def test_the_ledger_admits_when_it_is_wrong(trader):
    ledger = trader.sandbox.exchange.house.ledger
    key = next(iter(ledger._balances))
    ledger._balances[key] += 1
    assert trader.ledger()["balanced"] is False
    ledger._balances[key] -= 1
    order = trader.sandbox.exchange.house.orders[trader.placed(price="60000.0")]
    order.hold += 1
    assert trader.ledger()["balanced"] is False, "a hold that no order explains"


def test_the_book_shows_people_among_the_liquidity(trader):
    order_id = trader.placed("buy", "0.1", price="67339.0")
    trader.settle()
    book = trader.admin("GET", "/book")["BTC/PYUSD"]
    assert book["depth_percent"] == 100
    assert order_id in [level["order_id"] for level in book["bids"]]
    assert Decimal(book["bids"][0]["price"]) < Decimal(book["asks"][0]["price"])
    thin = trader.admin("POST", "/book", {"symbol": "ETH", "depth_percent": 0})["ETH/PYUSD"]
    assert thin == {"depth_percent": 0, "bids": [], "asks": []}


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "words"),
    [
        ("GET", "/nothing", None, 404, "GET /_sandbox/ lists"),
        ("PUT", "/prices", {}, 405, "method not allowed"),
        ("POST", "/prices", {"DOGE": "1"}, 400, "unknown field 'DOGE': expected some of walk, BTC, ETH, SOL"),
        ("POST", "/prices", {"BTC": 1}, 400, "BTC must be a string"),
        ("POST", "/prices", {"BTC": "-1"}, 400, "BTC must be a plain decimal"),
        ("POST", "/prices", {"BTC": "0"}, 400, "BTC must be positive"),
        ("POST", "/prices", {"walk": "no"}, 400, "walk must be true or false"),
        ("POST", "/prices", b"{", 400, "not valid JSON"),
        ("POST", "/prices", [], 400, "must be a JSON object"),
        ("POST", "/clock", {}, 400, "give either advance or offset"),
        ("POST", "/clock", {"advance": 1, "offset": 1}, 400, "give either advance or offset"),
        ("POST", "/clock", {"advance": -1}, 400, "advance must be a number of seconds from 0"),
        ("POST", "/clock", {"advance": "60"}, 400, "advance must be a number"),
        ("POST", "/clock", {"advance": True}, 400, "advance must be a number"),
        ("POST", "/clock", {"offset": 1e300}, 400, "offset must be a number"),
        ("POST", "/clock", b'{"offset": 1e999999999999999999999}', 400, "not valid JSON"),
        ("POST", "/clock", b'{"offset": NaN}', 400, "not valid JSON"),
        ("POST", "/balances", {"symbol": "PYUSD"}, 400, "give either available or add"),
        ("POST", "/balances", {"symbol": "DOGE", "available": "1"}, 400, "there is no such balance"),
        ("POST", "/balances", {"symbol": "SOL", "chain": "base", "add": "1"}, 400, "solana:SOL"),
        ("POST", "/balances", {"symbol": "SOL", "chain": [], "add": "1"}, 400, "there is no such balance"),
        ("POST", "/balances", {"symbol": "BTC", "available": "-1"}, 400, "plain decimal"),
        ("POST", "/balances", {"symbol": "BTC", "add": "-1"}, 400, "0 BTC must stay"),
        ("POST", "/balances", {"symbol": "BTC", "add": "1", "account": "nobody"}, 404, "no such account"),
        ("POST", "/book", {"symbol": "SOL", "depth_percent": 1}, 400, "symbol must be one of BTC, ETH"),
        ("POST", "/book", {"symbol": "BTC", "depth_percent": -1}, 400, "whole number from 0"),
        ("POST", "/book", {"symbol": "BTC"}, 400, "missing required field: depth_percent"),
        ("POST", "/faults", {}, 400, "missing required field: kind"),
        ("POST", "/faults", {"kind": "explode"}, 400, "kind must be one of error_before, error_after"),
        ("POST", "/faults", {"kind": "slow", "path": "orders"}, 400, "path must begin with /"),
        ("POST", "/faults", {"kind": "slow", "method": "post"}, 400, "method must be one of *, GET, POST, DELETE"),
        ("POST", "/faults", {"kind": "slow", "status": 200}, 400, "status must be a whole number from 400 to 599"),
        ("POST", "/faults", {"kind": "slow", "times": 0}, 400, "times must be a whole number from 1"),
        ("POST", "/faults", {"kind": "slow", "delay_seconds": None}, 400, "delay_seconds must be a number"),
        ("POST", "/faults", {"kind": "slow", "delay": 3}, 400, "unknown field 'delay'"),
        ("DELETE", "/faults/99", None, 404, "no such fault"),
        ("DELETE", "/faults/x", None, 400, "is a number"),
    ],
)
def test_wrong_input_is_refused_with_what_would_be_right(trader, *, method, path, body, status, words):
    before = trader.ledger()
    response = trader.send(method, "/_sandbox" + path, body)
    assert response.status == status
    assert words in response.json()["message"]
    assert trader.ledger() == before


def test_removing_all_faults_says_how_many_there_were(trader):
    for kind in ("slow", "garbled"):
        trader.admin("POST", "/faults", {"kind": kind})
    assert [fault["id"] for fault in trader.admin("GET", "/faults")["data"]] == [1, 2]
    assert trader.admin("DELETE", "/faults") == {"removed": 2}
