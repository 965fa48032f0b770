"""Faults that let things happen and spoil the answer: broken off, out of date, with words and fields nobody expects."""

from __future__ import annotations

import pytest

from tradehook.errors import Disconnected
from tradehook.run import run
from tradehook.testing import MemoryLine
from tradehook.wire import Request
from tradehook_sandbox import Clock, Sandbox
from tradehook_sandbox.faults import KINDS, Fault

ORDERS = "/v1/conductor/orders"
BUY = {"base_asset": "BTC", "quote_asset": "PYUSD", "qty": "0.01", "qty_unit": "base", "type": "market", "side": "buy"}


def fault(trader, kind, **fields):
    return trader.admin("POST", "/faults", {"method": "POST", "path": "/orders", "kind": kind, **fields})


def test_truncated_breaks_off_and_it_happened(trader):
    fault(trader, "truncated")
    answer = trader.answer("POST", ORDERS, BUY)
    assert (answer.is_cut, answer.response.status) == (True, 201)
    assert trader.ledger()["orders"] == 1
    assert not trader.answer("POST", ORDERS, BUY).is_cut


def test_a_line_in_memory_sees_a_broken_connection(trader):
    line = MemoryLine(trader.sandbox.respond, clock=trader.sandbox.clock)
    request = Request("GET", f"http://sandbox.test{ORDERS}", headers={"Authorization": f"Bearer {trader.token}"})
    fault(trader, "truncated", method="GET")
    with pytest.raises(Disconnected):
        run(line.send(request))
    assert run(line.send(request)).status == 200


def listed(trader, **query):
    return trader.call("GET", "/orders", query=query)[1]["data"]


def test_stale_list_does_not_show_what_is_newer_and_shows_the_rest_as_it_was(trader):
    old = trader.placed("buy", "0.1", price="60000.0")
    trader.settle()
    before = listed(trader)
    trader.sandbox.clock.advance(60)
    trader.call("DELETE", f"/orders/{old}")
    trader.settle()
    new = trader.placed("buy", "0.01")
    fault(trader, "stale_list", method="GET", delay_seconds=30, times=2)
    assert listed(trader) == before
    assert listed(trader, status="canceled") == []
    now = listed(trader)
    assert [(row["order_id"], row["status"]) for row in now] == [(new, "pending"), (old, "canceled")]


def test_stale_single_reads_are_behind_the_times_too(trader):
    order_id = trader.placed("buy", "0.01")
    trader.settle()
    assert trader.status(order_id) == "complete"
    for path in (f"/orders/{order_id}/status", f"/orders/{order_id}"):
        fault(trader, "stale_list", method="GET", path="*", delay_seconds=1.4, times=1)
        status, body = trader.call("GET", path)
        assert (status, body["status"]) == (200, "pending")
        fault(trader, "stale_list", method="GET", path="*", delay_seconds=10, times=1)
        assert trader.call("GET", path)[0] == 404, "it was not there yet"
        assert trader.call("GET", path)[1]["status"] == "complete"


def test_stale_steps_of_one_order_come_back_in_order(trader):
    order_id = trader.placed("buy", "0.1", price="60000.0")
    began = trader.sandbox.clock.now()
    trader.sandbox.clock.advance(10)
    trader.call("DELETE", f"/orders/{order_id}")
    trader.sandbox.clock.advance(10)

    def status_at(seconds):
        delay = trader.sandbox.clock.now() - began - seconds
        fault(trader, "stale_list", method="GET", path="*", delay_seconds=delay)
        return trader.status(order_id)

    assert [status_at(seconds) for seconds in (0.1, 5, 10.1, 15)] == ["pending", "active", "cancel_pending", "canceled"]


def test_what_was_so_is_known_after_a_restart(trader_class, tmp_path):
    clock = Clock.frozen()
    sandbox = Sandbox(state=tmp_path / "state.db", clock=clock, rate_limit=0)
    trader = trader_class(sandbox).mint()
    order_id = trader.placed("buy", "0.01")
    trader.settle()
    assert trader.status(order_id) == "complete"
    trader.admin(
        "POST",
        "/faults",
        {"kind": "stale_list", "path": "/orders/{id}/status", "delay_seconds": 1.4, "probability": 0.5, "times": 4},
    )
    first = [trader.status(order_id) for _ in range(3)]
    sandbox.close()
    trader.sandbox = Sandbox(state=tmp_path / "state.db", clock=Clock.frozen(), rate_limit=0)
    seen = first + [trader.status(order_id) for _ in range(12)]
    assert seen.count("pending") == 4, "chance and count go on where they were"
    assert set(seen) == {"pending", "complete"}
    trader.sandbox.close()


def test_stale_changes_nothing_about_what_is_done(trader):
    fault(trader, "stale_list", delay_seconds=60)
    assert trader.send("POST", ORDERS, BUY).status == 201
    assert trader.ledger()["orders"] == 1


@pytest.mark.parametrize(
    ("field", "changed"), [(None, "status"), ("status", "status"), ("side", "side"), ("venue", "venue")]
)
def test_unknown_enum_is_a_word_nobody_knows(trader, field, changed):
    trader.placed("buy", "0.01")
    trader.placed("sell", "0.01")
    plain = listed(trader)
    fault(trader, "unknown_enum", method="GET", field=field)
    rows = listed(trader)
    assert [row[changed] for row in rows] == ["unheard_of"] * 2
    assert [{**row, changed: None} for row in rows] == [{**row, changed: None} for row in plain]


def test_unknown_enum_takes_the_chain_where_there_is_no_status(trader):
    fault(trader, "unknown_enum", method="GET", path="/balances/unified")
    rows = trader.call("GET", "/balances/unified")[1]["data"]
    assert {row["chain"] for row in rows} == {None, "unheard_of"}


def test_extra_field_is_in_every_object(trader):
    trader.placed("buy", "0.01")
    fault(trader, "extra_field", method="GET")
    body = trader.call("GET", "/orders")[1]
    for record in (body, body["pagination"], body["data"][0]):
        assert "x_sandbox_extra" in record
        record.pop("x_sandbox_extra")
    assert body == trader.call("GET", "/orders")[1]


def test_missing_field_drops_the_one_it_names_everywhere(trader):
    trader.placed("buy", "0.01")
    fault(trader, "missing_field", method="GET", field="created_at")
    body, plain = trader.call("GET", "/orders")[1], trader.call("GET", "/orders")[1]
    del plain["data"][0]["created_at"]
    assert body == plain


def test_missing_field_drops_one_by_chance_that_the_seed_decides(new_trader):
    def dropped(seed):
        trader = new_trader(seed=seed)
        whole = set(trader.call("GET", "/balances/unified")[1]["data"][0]) | {"data"}
        fault(trader, "missing_field", method="GET", path="/balances/unified", times=None)
        missing = []
        for _ in range(8):
            body = trader.call("GET", "/balances/unified")[1]
            here = set(body) | (set(body["data"][0]) if "data" in body else whole - {"data"})
            missing += whole - here
        return missing

    first = dropped(2)
    assert len(first) == 8
    assert len(set(first)) > 1
    assert dropped(2) == first
    assert dropped(3) != first


@pytest.mark.parametrize("kind", ["unknown_enum", "extra_field", "missing_field", "stale_list", "truncated"])
def test_spoilt_answers_are_answers_to_something_that_happened(trader, kind):
    fault(trader, kind)
    assert trader.answer("POST", ORDERS, BUY).response.status == 201
    assert trader.ledger()["orders"] == 1


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"timeout_after", "late_accept"}))
def test_no_kind_breaks_on_an_answer_that_is_an_error_or_a_page(trader, kind):
    fault(trader, kind, method="*", path="*", times=2)
    assert trader.answer("GET", "/nowhere").response is not None
    assert trader.answer("DELETE", f"{ORDERS}/x", b"\xff").response is not None


def test_stale_transfers_are_shown_as_they_were(trader):
    asset_id = next(row["asset_id"] for row in trader.call("GET", "/balances")[1]["data"] if row["symbol"] == "BTC")
    body = {
        "asset_id": asset_id,
        "qty": "0.01",
        "qty_unit": "base",
        "to": "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq",
        "network": "bitcoin",
    }
    status, made = trader.call("POST", "/transfers", body)
    assert (status, made["status"]) == (201, "pending")
    path = f"/transfers/{made['id']}"
    trader.sandbox.clock.advance(60)
    done = trader.call("GET", path)[1]
    assert done["status"] == "completed"
    for seconds, statuses in ((59, ["pending"]), (61, []), (10, ["completed"])):
        fault(trader, "stale_list", method="GET", path="/transfers", delay_seconds=seconds)
        assert [row["status"] for row in trader.call("GET", "/transfers")[1]["data"]] == statuses
        fault(trader, "stale_list", method="GET", path="/transfers/{id}", delay_seconds=seconds)
        status, row = trader.call("GET", path)
        assert (status, row.get("status")) == (200, *statuses) if statuses else status == 404
    assert trader.call("GET", path)[1] == done


@pytest.mark.parametrize("kind", ["missing_field", "extra_field", "unknown_enum"])
def test_numbers_that_are_not_text_stay_as_they_are(kind):
    """Found by the state machine over FinTrusted, whose answers have them."""
    sandbox = Sandbox()
    path = "http://sandbox.test/market/data/quotations/coin?coin=BTC"
    whole = sandbox.respond(Request("GET", path)).response.json()
    sandbox.faults.add(Fault(kind=kind, path="*", field="message" if kind == "missing_field" else None))
    spoilt = sandbox.respond(Request("GET", path)).response
    assert "message" in whole
    told = {name: value for name, value in spoilt.json()["data"].items() if name in whole["data"]}
    assert told == whole["data"]
