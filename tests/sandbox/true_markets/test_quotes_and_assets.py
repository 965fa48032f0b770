"""Quotes, the catalogue and balances, as they stand on the wire."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

import pytest

QUOTE = {"base_asset": "BTC", "quote_asset": "USD", "qty": "0.01", "qty_unit": "base", "side": "buy"}


def test_a_quote_is_two_decimal_texts(trader):
    status, body = trader.call("POST", "/quotes", QUOTE)
    assert status == 200
    assert set(body) == {"qty", "price"}
    assert body["qty"] == "0.01"
    assert abs(Decimal(body["price"]) - Decimal("67340.2")) < 10
    assert Decimal(body["price"]) % Decimal("0.1") == 0


def test_the_output_is_base_for_a_buy_and_dollars_for_a_sell_whatever_the_unit(trader):
    buy = trader.call("POST", "/quotes", {**QUOTE, "qty": "1000", "qty_unit": "quote"})[1]
    assert Decimal("0.0147") < Decimal(buy["qty"]) < Decimal("0.0149")
    assert Decimal(buy["qty"]) % Decimal("0.0001") == 0, "the largest lot multiple that the money buys"
    sell = trader.call("POST", "/quotes", {**QUOTE, "side": "sell"})[1]
    assert abs(Decimal(sell["qty"]) - Decimal("673.4")) < 1
    worth = trader.call("POST", "/quotes", {**QUOTE, "side": "sell", "qty": "1000", "qty_unit": "quote"})[1]
    assert Decimal(993) < Decimal(worth["qty"]) <= 1000


def test_a_larger_quote_walks_the_book(trader):
    small = trader.call("POST", "/quotes", QUOTE)[1]["price"]
    large = trader.call("POST", "/quotes", {**QUOTE, "qty": "5"})[1]["price"]
    assert Decimal(large) > Decimal(small)
    assert trader.call("POST", "/quotes", {**QUOTE, "qty": "100000"}) == (
        400,
        {"error": "", "message": "insufficient liquidity for this size", "code": 400},
    )


def test_the_overview_pages_body_works_as_printed(trader):
    assert trader.call("POST", "/quotes", {"base": "BTC", "quote": "USD", "side": "buy", "quantity": "0.01"})[0] == 200


def test_the_strict_switch_refuses_it_and_names_what_is_missing(new_trader):
    one = new_trader(strict_quotes=True)
    status, body = one.call("POST", "/quotes", {"base": "BTC", "quote": "USD", "side": "buy", "quantity": "0.01"})
    assert status == 400
    assert body["message"] == "missing required fields: base_asset, quote_asset, qty, qty_unit"
    assert one.call("POST", "/quotes", QUOTE)[0] == 200


def test_a_half_spelt_body_is_not_guessed_at(trader):
    status, body = trader.call("POST", "/quotes", {"base_asset": "BTC", "quote": "USD", "side": "buy", "qty": "1"})
    assert (status, body["message"]) == (400, "missing required fields: quote_asset, qty_unit")


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        ({"base_asset": "DOGE"}, 400, "unsupported asset"),
        ({"base_asset": "btc"}, 400, "unsupported asset"),
        ({"quote_asset": "EUR"}, 503, "venue unavailable"),
        ({"qty": "0"}, 400, "positive"),
        ({"qty": "-1"}, 400, "plain decimal"),
        ({"qty": "1e3"}, 400, "plain decimal"),
        ({"qty": 0.01}, 400, "qty must be a string"),
        ({"qty": "0.00015"}, 400, "lot size 0.0001"),
        ({"qty_unit": "lots"}, 400, "qty_unit must be one of base, quote"),
        ({"side": "hold"}, 400, "side must be one of buy, sell"),
        ({"qty": "5", "qty_unit": "quote"}, 400, "one lot of 0.0001"),
        ({"qty": "0.5", "qty_unit": "quote"}, 400, "minimum notional of 1.00"),
    ],
)
def test_what_cannot_be_quoted_is_said(trader, change, status, words):
    answered, body = trader.call("POST", "/quotes", {**QUOTE, **change})
    assert answered == status
    assert words in body["message"]


def test_quotes_show_your_own_resting_order(trader):
    best = Decimal(trader.call("POST", "/quotes", {**QUOTE, "side": "sell"})[1]["price"])
    trader.placed("buy", "0.1", price=str(best + 1))
    trader.settle()
    assert Decimal(trader.call("POST", "/quotes", {**QUOTE, "side": "sell"})[1]["price"]) == best + 1


def test_the_catalogue_has_the_real_ids_and_three_exchange_coins(trader):
    status, body = trader.call("GET", "/assets", query={"venue": "cefi"})
    assert status == 200
    assert body["pagination"] == {"next_cursor": None, "limit": 3}
    rows = {row["symbol"]: row for row in body["data"]}
    assert rows["BTC"]["id"] == "b2538174-aae3-4b55-b79f-ac177c99f816"
    assert rows["PYUSD"]["tradeable"] is False
    assert rows["PYUSD"]["decimals"] == 6
    assert rows["ETH"]["chain"] is None
    assert rows["BTC"]["networks"] == [{"network": "bitcoin", "compatible_networks": []}]


def test_the_catalogue_has_the_tokens_of_both_chains(trader):
    rows = trader.call("GET", "/assets", query={"venue": "defi"})[1]["data"]
    assert {(row["chain"], row["symbol"]) for row in rows} == {
        ("solana", "SOL"),
        ("solana", "USDC"),
        ("base", "CBBTC"),
        ("base", "USDC"),
    }
    everything = trader.call("GET", "/assets")[1]["data"]
    assert len(everything) == 7
    assert len({str(UUID(row["id"])) for row in everything}) == 7
    assert trader.call("GET", "/assets", query={"venue": "moon"})[0] == 400


def test_the_default_account_holds_what_is_promised(trader):
    status, body = trader.call("GET", "/balances/unified")
    assert status == 200
    holds = {(row["chain"], row["symbol"]): Decimal(row["total"]) for row in body["data"]}
    assert holds == {
        (None, "PYUSD"): 10_000,
        (None, "BTC"): Decimal("0.5"),
        (None, "ETH"): 5,
        ("solana", "USDC"): 1_000,
        ("solana", "SOL"): 20,
        ("base", "USDC"): 1_000,
        ("base", "CBBTC"): Decimal("0.05"),
    }
    assert trader.call("GET", "/balances")[1] == body, "the live service answers both alike"


def test_dollars_carry_nine_digits_whatever_decimals_says(trader):
    row = trader.balance("PYUSD")
    assert row["decimals"] == 6
    assert row["total"] == row["available"] == "10000.000000000"
    assert row["held"] == "0.000000000"
    assert row["stable"] is True


def test_both_prefixes_are_one_exchange(trader):
    order_id = trader.placed(price="60000.0")
    trader.prefix = "/v1/gateway"
    trader.settle()
    assert trader.status(order_id) == "active"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/conductor/nothing", 404),
        ("GET", "/orders", 404),
        ("GET", "/orders/{id}", 404),
        ("GET", "/v1/conductorx/orders", 404),
        ("GET", "/transfers", 404),
        ("POST", "/v1/conductor/v1/auth/api-key/token", 404),
        ("GET", "/v1/gateway/v1/defi/market/prices", 404),
        ("PUT", "/v1/conductor/orders", 405),
        ("GET", "/v1/conductor/quotes", 405),
        ("GET", "/v1/conductor/orders/", 400),
    ],
)
def test_paths_that_are_not_there_say_so(trader, method, path, status):
    response = trader.send(method, path)
    assert response.status == status
    assert response.json()["code"] == status
    if status == 405:
        assert response.headers["allow"]
