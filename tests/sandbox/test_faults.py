"""Faults: each does exactly what it says, to exactly the requests it names, and the money agrees."""

from __future__ import annotations

import json

import pytest

ORDERS = "/v1/conductor/orders"
BUY = {"base_asset": "BTC", "quote_asset": "PYUSD", "qty": "0.01", "qty_unit": "base", "type": "market", "side": "buy"}


def fault(trader, kind, **fields):
    return trader.admin("POST", "/faults", {"method": "POST", "path": "/orders", "kind": kind, **fields})


def test_error_before_answers_and_nothing_happened(trader):
    fault(trader, "error_before", status=500)
    response = trader.send("POST", ORDERS, BUY)
    assert response.status == 500
    assert response.json() == {"error": "", "message": "internal server error", "code": 500}
    assert trader.ledger()["orders"] == 0


def test_error_after_answers_and_it_happened(trader):
    fault(trader, "error_after")
    assert trader.send("POST", ORDERS, BUY).status == 503
    trader.settle()
    assert trader.ledger()["orders"] == 1
    assert trader.balance("BTC")["total"] == "0.51"


def test_timeout_after_never_answers_and_it_happened(trader):
    fault(trader, "timeout_after")
    assert trader.answer("POST", ORDERS, BUY).response is None
    assert trader.ledger()["orders"] == 1


def test_slow_answers_truly_but_late(trader):
    fault(trader, "slow", delay_seconds=12.5)
    answer = trader.answer("POST", ORDERS, BUY)
    assert answer.delay_seconds == 12.5
    assert answer.response.status == 201
    assert trader.ledger()["orders"] == 1


def test_garbled_is_cut_in_half_and_it_happened(trader):
    fault(trader, "garbled")
    response = trader.send("POST", ORDERS, BUY)
    assert response.status == 201
    with pytest.raises(ValueError, match=r".+"):
        json.loads(response.body)
    assert trader.ledger()["orders"] == 1


def test_rate_limited_is_429_with_its_reset_and_nothing_happened(trader):
    fault(trader, "rate_limited", delay_seconds=7)
    response = trader.send("POST", ORDERS, BUY)
    assert response.status == 429
    assert response.headers["x-ratelimit-remaining"] == "0"
    assert 7 <= int(response.headers["x-ratelimit-reset"]) - trader.sandbox.clock.now() <= 8
    assert trader.ledger()["orders"] == 0


def test_edge_html_is_a_page_and_nothing_happened(trader):
    fault(trader, "edge_html")
    response = trader.send("POST", ORDERS, BUY)
    assert response.status == 403
    assert response.headers["cf-mitigated"] == "challenge"
    assert response.body.startswith(b"<!DOCTYPE html>")
    fault(trader, "edge_html", status=503)
    assert trader.send("POST", ORDERS, BUY).status == 503
    assert trader.ledger()["orders"] == 0


def test_late_accept_refuses_at_once_and_places_the_order_seconds_later(trader):
    fault(trader, "late_accept", delay_seconds=4)
    began = trader.sandbox.clock.now()
    assert trader.send("POST", ORDERS, BUY).status == 503
    assert trader.ledger()["orders"] == 0
    trader.sandbox.clock.advance(3.9)
    assert trader.ledger()["orders"] == 0
    assert trader.admin("GET", "/faults")["late"] == 1
    trader.sandbox.clock.advance(60)
    assert trader.ledger()["orders"] == 1
    row = trader.call("GET", "/orders")[1]["data"][0]
    assert row["status"] == "complete"
    assert row["created_at"] == "2026-09-21T14:13:24.000000Z"
    assert trader.sandbox.clock.now() - began > 60


def test_a_late_order_that_the_exchange_refuses_never_exists(trader):
    fault(trader, "late_accept", delay_seconds=1)
    trader.send("POST", ORDERS, {**BUY, "qty": "0.00001"})
    trader.settle()
    assert trader.ledger()["orders"] == 0


def test_a_fault_strikes_as_often_as_it_says(trader):
    fault(trader, "error_before", times=2)
    assert [trader.send("POST", ORDERS, BUY).status for _ in range(3)] == [503, 503, 201]
    assert trader.admin("GET", "/faults")["data"] == []


def test_a_fault_without_a_count_strikes_until_it_is_removed(trader):
    made = fault(trader, "error_before", times=None)
    assert [trader.send("POST", ORDERS, BUY).status for _ in range(5)] == [503] * 5
    assert trader.admin("GET", "/faults")["data"][0]["struck"] == 5
    assert trader.admin("DELETE", f"/faults/{made['id']}") == {"removed": 1}
    assert trader.send("POST", ORDERS, BUY).status == 201


def test_faults_queue_in_the_order_they_were_given(trader):
    fault(trader, "error_before", status=500)
    fault(trader, "error_after", status=502)
    assert [trader.send("POST", ORDERS, BUY).status for _ in range(3)] == [500, 502, 201]


def test_a_fault_strikes_only_its_method_and_path(trader):
    fault(trader, "error_before")
    assert trader.call("GET", "/orders")[0] == 200
    assert trader.call("GET", "/assets")[0] == 200
    order_id = "11111111-2222-4333-8444-555555555555"
    assert trader.call("POST", f"/orders/{order_id}/execute", {})[0] == 404
    assert trader.send("POST", "/v1/gateway/orders", BUY).status == 503, "under either prefix"


def test_a_pattern_stands_for_any_id(trader):
    order_id = trader.placed(price="60000.0")
    trader.settle()
    fault(trader, "error_after", method="DELETE", path="/orders/{id}")
    assert trader.call("DELETE", f"/orders/{order_id}")[0] == 503
    assert trader.status(order_id) == "cancel_pending"


@pytest.mark.parametrize("path", ["/auth/api-key/token", "/v1/auth/api-key/token", "*"])
def test_signing_in_can_fail_too(trader, path):
    fault(trader, "error_before", path=path)
    assert trader.send("POST", "/v1/auth/api-key/token", trader.mint_body()).status == 503
    assert trader.send("POST", "/v1/auth/api-key/token", trader.mint_body()).status == 200


def test_the_admin_is_never_struck(trader):
    fault(trader, "timeout_after", path="*", method="*", times=None)
    assert trader.ledger()["balanced"]
    trader.admin("DELETE", "/faults")


def test_every_answer_has_a_date_from_the_sandboxes_clock(trader):
    for kind in ("error_before", "edge_html", "rate_limited", "garbled"):
        fault(trader, kind)
        assert trader.send("POST", ORDERS, BUY).headers["date"] == "Mon, 21 Sep 2026 14:13:20 GMT"


# --- chance -----------------------------------------------------------------------------------------------------------


def strikes(new_trader, seed, requests=200):
    """Which of so many requests a fault with an even chance strikes."""
    trader = new_trader(seed=seed)
    fault(trader, "error_before", method="GET", probability=0.5, times=None)
    statuses = [trader.call("GET", "/orders")[0] for _ in range(requests)]
    (waiting,) = trader.admin("GET", "/faults")["data"]
    assert (waiting["met"], waiting["struck"]) == (requests, statuses.count(503))
    return statuses


def test_a_probable_fault_strikes_about_as_often_and_the_same_with_the_same_seed(new_trader):
    first = strikes(new_trader, seed=5)
    assert 70 <= first.count(503) <= 130
    assert strikes(new_trader, seed=5) == first
    assert strikes(new_trader, seed=6) != first


def test_a_fault_without_a_chance_never_strikes_and_lets_the_next_one(trader):
    fault(trader, "error_before", method="GET", probability=0, times=None)
    fault(trader, "error_before", method="GET", status=500)
    assert [trader.call("GET", "/orders")[0] for _ in range(3)] == [500, 200, 200]


def test_a_probable_fault_strikes_no_more_often_than_it_says(trader):
    fault(trader, "error_before", method="GET", probability=0.5, times=3)
    statuses = [trader.call("GET", "/orders")[0] for _ in range(60)]
    assert statuses.count(503) == 3
    assert trader.admin("GET", "/faults")["data"] == []


def test_websocket_faults_wait_for_a_websocket(trader):
    for kind in ("drop_websocket", "silent_websocket"):
        fault(trader, kind, method="*", path="*")
    assert trader.call("GET", "/orders")[0] == 200
    assert [one["struck"] for one in trader.admin("GET", "/faults")["data"]] == [0, 0]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"kind": "explode"}, "kind must be one of error_before, "),
        ({"kind": "slow", "probability": 1.01}, "probability must be a number from 0 to 1"),
        ({"kind": "slow", "probability": "0.5"}, "probability must be a number from 0 to 1"),
        ({"kind": "slow", "probability": True}, "probability must be a number from 0 to 1"),
        ({"kind": "slow", "probability": None}, "probability must be a number from 0 to 1"),
        ({"kind": "stale_list", "delay_seconds": -1}, "delay_seconds must be a number of seconds"),
        ({"kind": "missing_field", "field": 7}, "field must be a string"),
        ({"kind": "missing_field", "fields": "status"}, "unknown field 'fields'"),
        ({"kind": "slow", "times": 0}, "times must be a whole number"),
    ],
)
def test_what_cannot_be_staged_says_why(trader, fields, words):
    response = trader.send("POST", "/_sandbox/faults", fields)
    assert response.status == 400
    assert response.json()["message"].startswith(words)
    assert trader.admin("GET", "/faults")["data"] == []
