"""What survives a restart, and what may go wrong on the way. See: fintrusted-api 11."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from tradehook.wire import Request
from tradehook_sandbox import Clock, Sandbox
from tradehook_sandbox.clock import FROZEN_START
from tradehook_sandbox.state import StateError

WALLETS = "/uc/asset/spot-wallets"


@pytest.fixture
def opened(tmp_path, caller_class):
    """Open the sandbox on one file again and again; returns a member with the token of before."""
    running, tokens = [], [""]

    def open_it(*, later: float = 0, **switches):
        if running:
            tokens[0] = running[-1].token
            running[-1].sandbox.close()
        clock = Clock(lambda: FROZEN_START + later)
        caller = caller_class(Sandbox(clock=clock, state=tmp_path / "state.sqlite", **switches))
        caller.token = tokens[0]
        running.append(caller)
        return caller

    yield open_it
    running[-1].sandbox.close()


# --- state ---


def test_everything_is_there_after_a_restart(opened):
    caller = opened().login()
    caller.price("74000")
    caller.admin("POST", "/fintrusted/members", {"email": "ann@example.com", "password": "other"})
    caller.admin("POST", "/fintrusted/pairs", {"symbol": "ETH/USDT", "is_disabled": True})
    resting = caller.placed("buy", "0.01", "73000")
    filled = caller.placed("sell", "0.1")
    caller.settle()
    coming = caller.placed("sell", "0.2", "80000")
    before, orders = caller.wallets(), caller.admin("GET", "/fintrusted/orders")
    members = caller.admin("GET", "/fintrusted/members")

    caller = opened()
    assert caller.wallets() == before, "with the same token"
    assert caller.admin("GET", "/fintrusted/orders") == orders
    assert caller.admin("GET", "/fintrusted/members") == members
    assert caller.order(filled)["status"] == "COMPLETED"
    assert caller.admin("GET", "/fintrusted/pairs")["ETH/USDT"]["is_disabled"] is True
    caller.settle()
    assert caller.order(coming)["is_resting"]
    caller.price("72000")
    assert caller.order(resting)["status"] == "COMPLETED"
    caller.cancel(coming)
    caller.settle()
    assert caller.wallets()["BTC"] == (Decimal("0.9") + Decimal("0.00999"), 0)
    assert caller.is_balanced()


def test_a_queued_market_order_waits_on_after_a_restart(opened):
    caller = opened(fintrusted_market_leftover="queue").login()
    caller.depth(0)
    order_id = caller.placed("sell", "0.1")
    caller.settle()
    caller = opened(fintrusted_market_leftover="queue")
    assert caller.admin("GET", "/book")["BTC/USDT"]["depth_percent"] == 0
    assert caller.order(order_id)["is_resting"]
    caller.depth(100)
    assert caller.order(order_id)["status"] == "COMPLETED"


def test_what_was_due_while_it_was_stopped_has_happened(opened):
    caller = opened().login()
    order_id = caller.placed("buy", "0.01", "1000")
    caller.cancel(order_id)
    caller = opened(later=3_600)
    assert caller.order(order_id)["status"] == "CANCELED"


def test_a_file_from_before_there_was_fintrusted_is_still_good(opened, tmp_path):
    import sqlite3

    opened().sandbox.close()
    with sqlite3.connect(tmp_path / "state.sqlite") as database:
        content = json.loads(database.execute("SELECT content FROM facts").fetchone()[0])
        del content["fintrusted"]
        database.execute("UPDATE facts SET content = ?", (json.dumps(content),))
        database.execute("DROP TABLE fintrusted")
    database.close()
    assert opened().login().wallets()["USDT"] == (100_000, 0)


def test_a_damaged_file_is_refused_with_a_sentence(opened, tmp_path):
    import sqlite3

    opened().login().sandbox.close()
    with sqlite3.connect(tmp_path / "state.sqlite") as database:
        database.execute("UPDATE fintrusted SET content = '{}'")
    database.close()
    with pytest.raises(StateError, match=r"is damaged \(TypeError\): remove it to start anew"):
        Sandbox(state=tmp_path / "state.sqlite")


def test_true_markets_has_nothing_of_it_until_it_is_asked_for(caller_class):
    sandbox = Sandbox()
    caller = caller_class(sandbox)
    assert "USDT" not in json.dumps(caller.admin("GET", "/ledger"))
    caller.login()
    ledger = caller.admin("GET", "/ledger")
    assert ledger["accounts"]["fintrusted:1001:available"] == {"USDT": "100000", "BTC": "1"}
    assert ledger["balanced"]


# --- faults ---


def stage(caller, kind: str, path: str = "/tx/spot/add", **more) -> None:
    caller.admin("POST", "/faults", {"kind": kind, "path": path, **more})


def test_an_order_that_gets_no_answer_is_there_all_the_same(caller):
    stage(caller, "timeout_after")
    form = {"symbol": "BTC/USDT", "direction": "0", "type": "0", "price": "70000", "amount": "0.001"}
    assert caller.answer("POST", "/tx/spot/add", form).response is None
    assert caller.wallets()["USDT"] == (99_930, 70)
    assert len(caller.admin("GET", "/fintrusted/orders")["data"]) == 1


@pytest.mark.parametrize(
    ("kind", "more", "status", "there"),
    [
        ("error_before", {"status": 502}, 502, 0),
        ("error_after", {"status": 502}, 502, 1),
        ("rate_limited", {"delay_seconds": 7}, 429, 0),
        ("edge_html", {}, 403, 0),
        ("edge_html", {"status": 502}, 502, 0),
        ("late_accept", {}, 503, 0),
        ("garbled", {}, 200, 1),
        ("slow", {}, 200, 1),
    ],
)
def test_faults_strike_fintrusted_in_its_own_words(caller, kind, more, status, there):
    stage(caller, kind, **more)
    answer = caller.answer("POST", "/tx/spot/add", b"symbol=BTC/USDT&direction=0&type=0&price=70000&amount=0.001")
    assert answer.response.status == status
    assert len(caller.admin("GET", "/fintrusted/orders")["data"]) == there
    if kind == "edge_html":
        assert answer.response.body.startswith(b"<!DOCTYPE html>")
    elif kind == "garbled":
        with pytest.raises(ValueError, match=r"Expecting|Unterminated"):
            answer.response.json()
    elif status != 200:
        assert answer.response.json()["code"] == status
    if kind == "rate_limited":
        assert answer.response.headers["retry-after"] == "7"
    if kind == "late_accept":
        caller.sandbox.clock.advance(4)
        assert len(caller.admin("GET", "/fintrusted/orders")["data"]) == 1
    assert caller.add("buy", "0.001", "70000")["code"] == 0, "it struck once"


def test_a_fault_of_one_exchange_leaves_the_other_alone(caller):
    stage(caller, "error_before", "/orders", times=None)
    assert caller.add("buy", "0.001", "70000")["code"] == 0
    stage(caller, "error_before", WALLETS, times=None)
    assert caller.send("GET", WALLETS).status == 503
    response = caller.sandbox.respond(Request("GET", "http://sandbox.test/v1/conductor/orders")).response
    assert response.status == 503
    assert "error" in response.json(), "True Markets has other words"


def test_wallets_may_be_behind_the_times(caller):
    caller.sandbox.clock.advance(10)
    caller.placed("buy", "0.001", "70000")
    caller.sandbox.clock.advance(2)
    stage(caller, "stale_list", WALLETS, delay_seconds=5)
    assert caller.wallets()["USDT"] == (100_000, 0)
    assert caller.wallets()["USDT"] == (99_930, 70)


def test_a_fault_strikes_by_chance(caller):
    stage(caller, "error_before", WALLETS, times=None, probability=0.5)
    statuses = [caller.send("GET", WALLETS).status for _ in range(60)]
    assert 10 < statuses.count(503) < 50


# --- the admin ---


def test_orders_by_status(caller):
    done, resting = caller.placed("buy", "100"), caller.placed("buy", "0.001", "70000")
    caller.settle()
    for status, ids in (("TRADING", [resting]), ("completed", [done]), ("CANCELED", []), ("", [resting, done])):
        rows = caller.admin("GET", f"/fintrusted/orders?status={status}" if status else "/fintrusted/orders")["data"]
        assert [row["order_id"] for row in rows] == ids


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("deposit", {"coin": "USDT", "add": "-100001"}, 400),
        ("deposit", {"coin": "DOGE", "add": "1"}, 400),
        ("deposit", {"coin": "USDT", "add": "1", "email": "nobody@example.com"}, 404),
        ("members", {"email": "me@mail.test", "password": "x"}, 400),
        ("members", {"email": "demo@example.com", "password": "x"}, 400),
        ("members", {"email": "nobody@example.com"}, 404),
        ("members", {"email": "demo@example.com", "is_disabled": 1}, 400),
        ("members", {"email": "demo@example.com", "locked_coins": ["DOGE"]}, 400),
        ("pairs", {"symbol": "BTC/USDT", "is_disabled": "no"}, 400),
        ("pairs", {"symbol": "BTC/USDT", "min_sell_price": "-1"}, 400),
        ("nothing", {}, 404),
    ],
)
def test_the_admin_refuses_what_is_wrong(caller, path, body, status):
    request = Request("POST", f"http://sandbox.test/_sandbox/fintrusted/{path}", body=json.dumps(body).encode())
    assert caller.sandbox.respond(request).response.status == status
    assert caller.wallets()["USDT"] == (100_000, 0)


def test_money_comes_in_and_goes_out(caller):
    caller.admin("POST", "/fintrusted/deposit", {"coin": "ETH", "add": "2.5"})
    caller.admin("POST", "/fintrusted/deposit", {"coin": "USDT", "add": "-99999.5"})
    wallets = caller.wallets()
    assert (wallets["ETH"], wallets["USDT"]) == ((Decimal("2.5"), 0), (Decimal("0.5"), 0))
    assert caller.is_balanced()
