"""What somebody owns and has done: the portfolio adds up, and the transactions hold everything once."""

from __future__ import annotations

from decimal import Decimal

import pytest

BITCOIN = "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq"
SOLANA = "So11111111111111111111111111111111111111112"


def portfolio(trader):
    status, body = trader.call("GET", "/portfolio")
    assert status == 200, body
    return body


def transactions(trader, limit=100):
    """All of them, page by page; no page holds more than was asked for."""
    found, query = [], {"limit": str(limit)}
    while True:
        status, body = trader.call("GET", "/transactions", query=query)
        assert status == 200, body
        assert len(body["data"]) <= limit
        assert body["pagination"]["limit"] == limit
        found += body["data"]
        if body["pagination"]["next_cursor"] is None:
            return found
        query["cursor"] = body["pagination"]["next_cursor"]


def test_a_portfolio_is_the_balances_at_the_prices_of_the_market(trader):
    trader.admin("POST", "/prices", {"BTC": "70000", "ETH": "3000", "SOL": "100"})
    body = portfolio(trader)
    worth = {(row["symbol"], row["chain"]): row["value"] for row in body["balances"]}
    assert worth == {
        ("BTC", None): "35000",
        ("ETH", None): "15000",
        ("PYUSD", None): "10000",
        ("SOL", "solana"): "2000",
        ("USDC", "solana"): "1000",
        ("CBBTC", "base"): "3500",
        ("USDC", "base"): "1000",
    }
    assert (body["total_usd"], body["balances_usd"], body["cash_usd"]) == ("67500", "67500", "12000")
    assert {row["price"] for row in body["balances"] if row["stable"]} == {"1"}
    own = {(row["symbol"], row["chain"]): row["total"] for row in trader.call("GET", "/balances/unified")[1]["data"]}
    assert {(row["symbol"], row["chain"]): row["total"] for row in body["balances"]} == own
    assert body["positions"] == []


def test_what_is_locked_in_orders_and_transfers_is_still_owned(trader):
    before = portfolio(trader)["total_usd"]
    trader.placed("sell", "0.1", price="90000.0")
    trader.transfer("BTC", "0.1", BITCOIN)
    trader.settle()
    assert trader.balance("BTC")["held"] == "0.2"
    assert portfolio(trader)["total_usd"] == before
    trader.sandbox.clock.advance(5)
    assert Decimal(portfolio(trader)["total_usd"]) < Decimal(before), "now it has left"


def test_the_change_of_a_day_is_what_the_market_did(new_trader):
    trader = new_trader()
    trader.sandbox.clock.advance(3 * 86_400)
    body = portfolio(trader.mint())
    before = Decimal(0)
    for row in body["balances"]:
        query = {"symbol": row["symbol"], "timestamp": str(int(trader.sandbox.clock.now()) - 86_400)}
        point = trader.send("GET", "/v1/defi/market/prices/history/point", query=query).json()
        before += Decimal(row["total"]) * Decimal(point["price"])
        change = (Decimal(row["price"]) / Decimal(point["price"]) - 1) * 100
        assert abs(change - Decimal(row["change_24h_pct"])) < Decimal("0.1"), row
    change = Decimal(body["total_usd"]) - before
    assert change != 0
    assert abs(change - Decimal(body["change_24h_usd"])) < 25, "within what five seconds move"


def test_transactions_hold_orders_transfers_and_deposits_newest_first(trader):
    trader.sandbox.clock.advance(1)
    order_id = trader.placed("buy", "0.01")
    trader.sandbox.clock.advance(2)
    payout = trader.transfer("BTC", "0.1", BITCOIN)[1]
    trader.sandbox.clock.advance(5)
    waiting = trader.transfer("SOL", "1", SOLANA, chain="solana")[1]
    trader.sandbox.clock.advance(1)
    trader.admin("POST", "/balances", {"symbol": "PYUSD", "add": "-250.5"})
    money, signature, transfer, order, *opening = transactions(trader)
    assert (money["type"], money["asset_flow"], money["qty"], money["status"]) == ("ramp", "out", "250.5", "completed")
    assert (signature["id"], signature["status"], signature["completed_at"]) == (waiting["id"], "pending", None)
    assert (transfer["type"], transfer["id"], transfer["status"]) == ("transfer", payout["id"], "completed")
    assert (transfer["asset_flow"], transfer["qty"], transfer["transfer"]["fee"]) == ("out", "0.1", "0.00000276")
    assert transfer["completed_at"] > transfer["created_at"]
    assert transfer["tx_hash"] == transfer["transfer"]["tx_hash"] != ""
    assert (order["type"], order["id"], order["status"], order["asset_flow"]) == ("order", order_id, "completed", "in")
    assert order["order"] == trader.call("GET", "/orders")[1]["data"][0]
    assert order["transfer"] is None
    assert {(row["type"], row["asset_flow"], row["asset_symbol"], row["qty"]) for row in opening} == {
        ("ramp", "in", symbol, qty)
        for symbol, qty in (
            *(("PYUSD", "10000"), ("BTC", "0.5"), ("ETH", "5"), ("USDC", "1000"), ("SOL", "20"), ("CBBTC", "0.05")),
        )
    }
    assert len(opening) == 7


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 100])
def test_pages_hold_everything_once_though_time_stands_still(trader, limit):
    trader.sandbox.clock.advance(1)
    made = [trader.placed("buy", "0.0001", price="60000.0") for _ in range(4)]
    for _ in range(3):
        made.append(trader.transfer("SOL", "0.1", SOLANA, chain="solana")[1]["id"])
        trader.admin("POST", "/balances", {"symbol": "PYUSD", "add": "1"})
    rows = transactions(trader, limit)
    assert len(rows) == len({row["id"] for row in rows}) == 4 + 3 + 3 + 7
    assert {row["id"] for row in rows} > set(made)
    assert [row["created_at"] for row in rows] == sorted((row["created_at"] for row in rows), reverse=True)


def test_a_swap_that_nobody_signed_is_no_transaction(trader):
    created = trader.swap("buy", "10")[1]
    assert created["order_id"] not in {row["id"] for row in transactions(trader)}
    trader.execute(created)
    trader.settle()
    row = next(row for row in transactions(trader) if row["id"] == created["order_id"])
    assert (row["status"], row["tx_hash"], row["failure_reason"]) == ("completed", row["order"]["tx_hash"], None)


def test_what_failed_says_so(trader):
    payout = trader.transfer("BTC", "0.1", BITCOIN)[1]
    trader.admin("POST", "/transfers", {"id": payout["id"], "status": "failed"})
    row = next(row for row in transactions(trader) if row["id"] == payout["id"])
    assert (row["status"], row["failure_reason"]) == ("failed", "failed by the admin")


def test_nobody_sees_what_others_did(trader, another_trader):
    mine = trader.transfer("BTC", "0.1", BITCOIN)[1]["id"]
    assert mine not in {row["id"] for row in transactions(another_trader)}
    assert portfolio(another_trader)["total_usd"] == portfolio(trader)["total_usd"]


@pytest.mark.parametrize("query", [{"limit": "0"}, {"limit": "101"}, {"cursor": "yesterday"}])
def test_a_question_that_makes_no_sense_is_400(trader, query):
    assert trader.call("GET", "/transactions", query=query)[0] == 400


def test_in_june_there_was_neither(new_trader):
    trader = new_trader(revision="june")
    for path in ("/portfolio", "/transactions"):
        assert trader.call("GET", path)[0] == 404
    created = trader.transfer("BTC", "0.1", BITCOIN)[1]
    assert "explorer_url" not in created
    assert len(created) == 17, "the sixteen documented fields, and `network`"
