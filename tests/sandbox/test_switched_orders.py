"""Switches that change how orders are made, executed and canceled, and how errors are worded."""

from __future__ import annotations

NOBODY = "11111111-2222-4333-8444-555555555555"


def still(trader):
    trader.admin("POST", "/prices", {"walk": False})
    return trader


# --- errors -----------------------------------------------------------------------------------------------------------


def test_errors_have_the_body_that_the_live_service_used(trader):
    status, body = trader.call("GET", f"/orders/{NOBODY}")
    assert (status, body) == (404, {"error": "", "message": "order not found", "code": 404})


def test_plain_errors_are_a_message_alone(new_trader):
    trader = new_trader(errors="plain")
    assert trader.call("GET", f"/orders/{NOBODY}") == (404, {"message": "order not found"})
    trader.admin("POST", "/faults", {"kind": "error_before", "path": "/orders"})
    assert trader.call("GET", "/orders") == (503, {"message": "service unavailable"})


def test_september_errors_say_their_type_and_a_request_id(new_trader):
    trader = new_trader(errors="september")
    quote = {"base_asset": "BTC", "quote_asset": "EUR", "qty": "1", "qty_unit": "base", "side": "buy"}
    for method, path, body, expected in (
        ("POST", "/orders", b"{", (400, "invalid_argument")),
        ("GET", f"/orders/{NOBODY}", None, (404, "not_found")),
        ("DELETE", "/assets", None, (405, "unimplemented")),
        ("POST", "/quotes", quote, (503, "unavailable")),
    ):
        answers = [trader.call(method, path, body) for _ in range(2)]
        for status, content in answers:
            assert (status, content["type"]) == expected
            assert set(content) == {"type", "message", "request_id"}
        assert answers[0][1]["request_id"] != answers[1][1]["request_id"]


def test_september_errors_name_the_fields_that_are_wrong(new_trader):
    trader = new_trader(errors="september")
    for body, names in (
        ({"base_asset": "BTC", "side": "buy", "type": "market"}, ["quote_asset", "qty", "qty_unit"]),
        ({"base_asset": "BTC", "quote_asset": "USD", "qty": "-1", "qty_unit": "base", "type": "market", "side": "buy"},
         ["qty"]),
        ({"base_asset": "BTC", "quote_asset": "USD", "qty": "1", "qty_unit": "base", "type": "market", "side": "up"},
         ["side"]),
    ):  # fmt: skip
        content = trader.call("POST", "/orders", body)[1]
        assert [one["field"] for one in content["field_violations"]] == names
        assert all(one["message"] == content["message"] for one in content["field_violations"])
    assert trader.call("GET", "/orders", query={"limit": "0"})[1]["field_violations"][0]["field"] == "limit"


def test_september_errors_reach_signing_in_the_budget_and_faults(new_trader):
    trader = new_trader(errors="september", rate_limit=1)
    assert trader.send("GET", "/v1/conductor/orders", headers={"Authorization": "Bearer x"}).json()["type"] == (
        "unauthenticated"
    )
    assert trader.call("GET", "/orders")[1]["type"] == "resource_exhausted"
    trader.admin("POST", "/faults", {"kind": "error_before", "status": 500})
    assert trader.call("GET", "/orders")[1]["type"] == "internal"


# --- orders -----------------------------------------------------------------------------------------------------------


def stale(trader):
    """What executing a swap answers once it has expired."""
    created = trader.swap("buy", "10")[1]
    trader.sandbox.clock.advance(61)
    return trader.execute(created)


def test_a_stale_order_answers_422_or_409(new_trader):
    status, body = stale(new_trader())
    assert (status, body["error"]) == (422, "quote_stale")
    status, body = stale(new_trader(stale_execute=409))
    assert (status, body["error"]) == (409, "quote_stale")
    status, body = stale(new_trader(errors="september"))
    assert (status, body["type"], body["code"]) == (422, "failed_precondition", "quote_stale")


def test_an_unknown_quote_asset_answers_503_or_400(new_trader):
    for switches, expected in (({}, 503), ({"unknown_quote": 400}, 400)):
        trader = new_trader(**switches)
        assert trader.order("buy", "0.01", quote_asset="EUR")[0] == expected
        body = {"base_asset": "BTC", "quote_asset": "EUR", "qty": "1", "qty_unit": "base", "side": "buy"}
        assert trader.call("POST", "/quotes", body)[0] == expected


def test_execute_can_answer_complete_and_then_it_is(new_trader):
    trader = still(new_trader(execute_answers="complete"))
    created = trader.swap("buy", "100")[1]
    assert trader.execute(created) == (200, {"status": "complete"})
    row = trader.detail(created["order_id"])
    assert (row["status"], row["executed_qty"]) == ("complete", created["quote"]["qty_out"])
    assert trader.balance("USDC", "solana")["total"] == "900"
    trader.settle()
    assert trader.detail(created["order_id"]) == row, "it happened once"
    assert trader.ledger()["balanced"]


def test_a_funded_buy_is_pending_even_then(new_trader):
    trader = still(new_trader(execute_answers="complete"))
    trader.admin("POST", "/balances", {"symbol": "PYUSD", "available": "0"})
    created = trader.order("buy", "0.01")[1]
    assert trader.execute(created) == (200, {"status": "pending"})
    trader.settle()
    trader.settle()
    assert trader.status(created["order_id"]) == "complete"


def test_cancelled_is_spelled_so_everywhere(new_trader):
    trader = new_trader(cancelled_spelling=True)
    order_id = trader.placed(price="60000.0")
    trader.settle()
    trader.call("DELETE", f"/orders/{order_id}")
    assert trader.status(order_id) == "cancel_pending"
    trader.settle()
    assert trader.status(order_id) == trader.detail(order_id)["status"] == "cancelled"
    for word in ("cancelled", "canceled"):
        rows = trader.call("GET", "/orders", query={"status": word})[1]["data"]
        assert [row["status"] for row in rows] == ["cancelled"]


def test_a_fill_that_wins_the_race_completes_the_order_it_was_to_cancel(new_trader):
    trader = still(new_trader(cancel_race=1))
    order_id = trader.placed("buy", "0.1", price="60000.0")
    trader.settle()
    assert trader.call("DELETE", f"/orders/{order_id}") == (202, {})
    assert trader.status(order_id) == "cancel_pending"
    trader.settle()
    row = trader.detail(order_id)
    assert (row["status"], row["executed_qty"], row["executed_vwap"]) == ("complete", "0.1", "60000")
    assert trader.balance("BTC")["total"] == "0.6"
    assert trader.balance("PYUSD")["total"] == "3997.600000000", "6000 and 4 basis points of fee"
    assert trader.balance("PYUSD")["held"] == "0.000000000"
    assert trader.ledger()["balanced"]


def test_a_race_is_won_as_often_as_it_says_and_repeats_with_the_seed(new_trader):
    def outcomes(seed):
        trader = still(new_trader(cancel_race=0.5, seed=seed))
        ids = [trader.placed("buy", "0.0001", price="60000.0") for _ in range(60)]
        trader.settle()
        for order_id in ids:
            trader.call("DELETE", f"/orders/{order_id}")
        trader.settle()
        assert trader.ledger()["balanced"]
        return [trader.status(order_id) for order_id in ids]

    first = outcomes(3)
    assert outcomes(3) == first
    assert outcomes(4) != first
    assert 15 <= first.count("complete") <= 45
    assert set(first) == {"complete", "canceled"}


def test_without_a_race_a_cancellation_always_wins(trader):
    ids = [trader.placed("buy", "0.0001", price="60000.0") for _ in range(20)]
    trader.settle()
    for order_id in ids:
        trader.call("DELETE", f"/orders/{order_id}")
    trader.settle()
    assert {trader.status(order_id) for order_id in ids} == {"canceled"}


def test_issues_as_objects_say_what_there_is_and_what_is_needed(new_trader, trader):
    assert trader.swap("buy", "5000")[1]["quote"]["issues"] == ["insufficient balance"]
    objects = new_trader(issues="objects")
    assert objects.swap("buy", "5000")[1]["quote"]["issues"] == [
        {"message": "insufficient balance", "balance": {"actual": "1000", "expected": "5000"}}
    ]
    assert objects.swap("buy", "0.5")[1]["quote"]["issues"] == [{"message": "trade size below minimum"}]
    assert objects.swap("buy", "10")[1]["quote"]["issues"] == []


def test_an_order_kept_with_issues_fails_when_it_is_executed(new_trader):
    trader = still(new_trader(keep_order_with_issues=True))
    created = trader.swap("buy", "5000")[1]
    assert created["quote"]["issues"] == ["insufficient balance"]
    assert trader.execute(created) == (200, {"status": "pending"})
    trader.settle()
    row = trader.detail(created["order_id"])
    assert (row["status"], row["failure_reason"]) == ("failed", "insufficient balance")
    assert trader.balance("USDC", "solana")["total"] == "1000"
    small = trader.swap("buy", "0.5")[1]
    assert small["quote"]["issues"] == ["trade size below minimum"]
    assert trader.execute(small)[0] == 200
    trader.settle()
    assert trader.status(small["order_id"]) == "complete"
    assert trader.ledger()["balanced"]
