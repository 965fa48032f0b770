"""What a row of the journal means to everybody: a sender who is gone leaves doubt, and an error comes back as it was."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import pytest

from tradehook.desk.intents import (
    IN_DOUBT,
    PLACED,
    SENDERS,
    Intent,
    State,
    check_intent_id,
    derived_id,
    error_from_dict,
    error_to_dict,
    hash_of,
    is_alive,
    iso,
    read_intent,
    this_owner,
)
from tradehook.errors import GuardRefused, InvalidInput, TradehookError
from tradehook.models import OrderStatus

HOST = socket.gethostname()
AT = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
STAMP = "2026-11-21T12:00:00.000000Z"
ORDER = {"base": "BTC", "quote": "PYUSD", "side": "buy", "quantity": "0.5", "unit": "base", "typed": "0.5"}
SEEN = {
    "order_id": "o-1",
    "status": "filled",
    "exchange_status": "complete",
    "payloads": [{"digest": "d", "payload": "p"}],
}
COLUMNS = {
    "intent_id": "i-1", "kind": "order", "exchange": "true_markets", "host": "h", "environment": "sandbox",
    "account": "main", "account_id": "me", "source": "test", "asked": '{"n": 1}', "asked_hash": "x",
    "request": None, "state": "PREPARED", "attempt": 0, "owner": None, "sending_at": None, "exchange_id": None,
    "seen": None, "is_final": False, "error": None, "created_at": STAMP, "updated_at": STAMP, "notional": None,
    "fingerprint": None, "baseline": None, "looking_until": None, "resolution": None, "good_until": None,
    "parent_id": None,
}  # fmt: skip


def row(**columns) -> Intent:
    return read_intent(SimpleNamespace(**{**COLUMNS, **columns}))


# --- how a row reads ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stored", "owner", "reads", "stands"),
    [
        ("PREPARED", None, "PREPARED", "PREPARED"),
        ("SENDING", "me", "SENDING", "SENDING"),
        ("SENDING", "dead", "UNKNOWN", "UNKNOWN"),
        ("SENDING", None, "UNKNOWN", "UNKNOWN"),
        ("EXECUTING", "me", "EXECUTING", "EXECUTING"),
        ("EXECUTING", "dead", "UNKNOWN", "UNKNOWN"),
        ("CREATED", "dead", "CREATED", "CREATED"),
        ("ACCEPTED", "dead", "ACCEPTED", "ACCEPTED"),
        ("REJECTED", "dead", "REJECTED", "REJECTED"),
        ("UNKNOWN", "me", "UNKNOWN", "UNKNOWN"),
        ("MATCHED", "dead", "ACCEPTED", "MATCHED"),
        ("NEEDS_HUMAN", "dead", "UNKNOWN", "NEEDS_HUMAN"),
        ("PROVED_ABSENT", "dead", "UNKNOWN", "PROVED_ABSENT"),
    ],
)
def test_how_a_row_reads(stored, owner, reads, stands):
    owners = {"me": this_owner(), "dead": f"{HOST}:999999:1"}
    intent = row(state=stored, owner=owners.get(owner), sending_at=STAMP)
    assert (intent.reads_as, intent.standing) == (reads, stands)


def test_every_state_is_placed_in_doubt_sent_or_none_of_them():
    assert not set(PLACED) & set(IN_DOUBT)
    assert not set(SENDERS) & {*PLACED, *IN_DOUBT}
    assert set(State) - {*PLACED, *IN_DOUBT, *SENDERS} == {State.PREPARED, State.CREATED, State.REJECTED}


def test_what_is_empty_in_a_row_is_none():
    intent = row()
    empty = (
        "request",
        "sending_at",
        "seen",
        "error",
        "notional",
        "baseline",
        "looking_until",
        "resolution",
        "good_until",
    )
    assert [getattr(intent, name) for name in empty] == [None] * len(empty)
    assert (intent.sized, intent.last_order, intent.last_transfer, intent.last_futures) == (None, None, None, None)
    assert (intent.order_id, intent.stored_error, intent.has_living_owner) == (None, None, False)
    assert (intent.asked, intent.attempt, intent.state, intent.is_final) == ({"n": 1}, 0, State.PREPARED, False)
    assert (intent.created_at, intent.updated_at) == (AT, AT)


def test_what_is_in_a_row_is_read_as_what_it_is():
    plain = {
        "asked_hash": "y", "owner": "o", "exchange_id": "o-1", "fingerprint": "f", "parent_id": "p", "attempt": 3,
        "is_final": True,
    }  # fmt: skip
    intent = row(
        **plain, request='{"a": 1}', sending_at=STAMP, seen='{"b": 2}', error='{"c": 3}', notional="1.50",
        baseline='{"d": 4}', looking_until="2026-11-21T12:10:00.000000Z", resolution='{"e": 5}',
        good_until="2026-11-21T13:00:00.000000Z",
    )  # fmt: skip
    assert {name: getattr(intent, name) for name in plain} == plain
    assert (intent.request, intent.seen, intent.error) == ({"a": 1}, {"b": 2}, {"c": 3})
    assert (intent.baseline, intent.resolution, intent.notional) == ({"d": 4}, {"e": 5}, Decimal("1.50"))
    assert intent.sending_at == AT
    assert intent.looking_until == AT + timedelta(minutes=10)
    assert intent.good_until == AT + timedelta(hours=1)
    for name in ("intent_id", "kind", "exchange", "host", "environment", "account", "account_id", "source"):
        assert getattr(intent, name) == COLUMNS[name]


def test_what_came_of_it_is_read_as_its_own_kind_only():
    intent = replace(row(), request=ORDER, seen=SEEN, exchange_id="o-1")
    assert (intent.sized.quantity, intent.last_order.status, intent.order_id) == (
        Decimal("0.5"),
        OrderStatus.FILLED,
        "o-1",
    )
    assert (intent.last_transfer, intent.last_futures, intent.noun) == (None, None, "order")
    paid = replace(
        row(kind="transfer"), request={"a": 1}, exchange_id="t-1",
        seen={"transfer_id": "t-1", "status": "pending", "exchange_status": "x"},
    )  # fmt: skip
    assert (paid.last_transfer.transfer_id, paid.last_order, paid.last_futures) == ("t-1", None, None)
    assert (paid.sized, paid.order_id, paid.noun) == (None, None, "transfer")
    opened = replace(row(kind="futures"), seen=SEEN, exchange_id="o-1")
    assert (opened.last_futures.order_id, opened.last_order, opened.last_transfer) == ("o-1", None, None)
    assert (opened.order_id, opened.noun) == (None, "futures order")


def test_an_intent_is_told_as_plain_values():
    intent = replace(
        row(state="MATCHED", attempt=2, parent_id="p"), request=ORDER, seen=SEEN, exchange_id="o-1",
        error={"type": "Rejected"}, resolution={"how": "looked"}, looking_until=AT, good_until=AT + timedelta(hours=1),
    )  # fmt: skip
    assert intent.to_dict() == {
        "intent_id": "i-1", "kind": "order", "state": "ACCEPTED", "standing": "MATCHED", "exchange": "true_markets",
        "environment": "sandbox", "account": "main", "source": "test", "asked": {"n": 1}, "request": ORDER,
        "attempt": 2, "order_id": "o-1", "order": {**SEEN, "payloads": []}, "error": {"type": "Rejected"},
        "resolution": {"how": "looked"}, "looking_until": STAMP, "good_until": "2026-11-21T13:00:00.000000Z",
        "parent_id": "p", "created_at": STAMP, "updated_at": STAMP,
    }  # fmt: skip
    bare = row(kind="transfer").to_dict()
    assert (bare["transfer_id"], bare["transfer"], bare["looking_until"], bare["good_until"]) == (
        None,
        None,
        None,
        None,
    )


# --- ids ------------------------------------------------------------------------------------------------------------


def test_times_sort_as_texts():
    assert [iso(AT), iso(AT + timedelta(microseconds=1))] == [STAMP, "2026-11-21T12:00:00.000001Z"]


@pytest.mark.parametrize("good", ["a", "!", "~", "x" * 200, "dag:run/1~2"])
def test_what_is_an_intent_id(good):
    assert check_intent_id(good) == good


@pytest.mark.parametrize("bad", ["", "x" * 201, "a b", "a\n", "é", "\x7f"])
def test_what_is_no_intent_id(bad):
    with pytest.raises(InvalidInput) as caught:
        check_intent_id(bad)
    assert caught.value.message == (
        "An intent id is 1 to 200 letters, digits and signs without spaces; this one is not."
    )


def test_hashes_stay_what_they_were():
    """Journals hold them: an update that changes one sends again what was sent."""
    assert hash_of({"b": 1, "a": "x"}) == hash_of({"a": "x", "b": 1})
    assert hash_of({"b": 1, "a": "x"}) == "cdab067e9f3beb32d1252cfd63e492592fecbf591b0d08cadb24bb17f3864246"
    assert derived_id("ns", "dag", "run") == "96f4d4680bf3c5c97564a17283e2d86e5cc46701c1693bc788f72ef2661c53b8"
    assert derived_id("ns", "dag", "run") != derived_id("ns", "dagrun")


# --- owners ---------------------------------------------------------------------------------------------------------


def test_this_process_lives_and_one_that_has_its_number_later_is_another():
    owner = this_owner()
    assert is_alive(owner, sending_at=None)
    assert owner.split(":")[:2] == [HOST, str(os.getpid())]
    assert is_alive(f"{owner}:and more", sending_at=None)
    assert not is_alive(f"{HOST}:{os.getpid()}:1", sending_at=None)
    assert not is_alive(f"{HOST}:{os.getpid()}", sending_at=None)
    assert not is_alive(f"{HOST}:999999:1", sending_at=None)
    assert not is_alive(f"{HOST}:999999:", sending_at=None)


def test_a_process_that_died_and_was_not_buried_is_dead():
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    started = _ticks(child.pid)
    owner = f"{HOST}:{child.pid}:{started}"
    assert is_alive(owner, sending_at=None)
    child.stdin.close()
    while _letter(child.pid) != "Z":
        time.sleep(0.01)
    assert not is_alive(owner, sending_at=None)
    child.wait()
    assert not is_alive(owner, sending_at=None)


def test_a_process_may_have_any_name(tmp_path):
    program = tmp_path / "a) R 1"
    program.symlink_to(shutil.which("sleep"))
    child = subprocess.Popen([program, "60"])
    try:
        while "a) R 1" not in Path(f"/proc/{child.pid}/stat").read_text():
            time.sleep(0.01)
        assert is_alive(f"{HOST}:{child.pid}:{_ticks(child.pid)}", sending_at=None)
    finally:
        child.kill()
        child.wait()


def _fields(pid):
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def _ticks(pid):
    return _fields(pid)[19]


def _letter(pid):
    return _fields(pid)[0]


@pytest.mark.parametrize("owner", ["elsewhere:1:1", f"{HOST}:odd:1", "elsewhere", f"{HOST}"])
def test_whom_we_cannot_look_at_is_taken_to_live_for_three_minutes(owner):
    now = datetime.now(UTC)
    assert is_alive(owner, sending_at=now - timedelta(seconds=170))
    assert not is_alive(owner, sending_at=now - timedelta(seconds=180))
    assert not is_alive(owner, sending_at=None)


# --- errors ---------------------------------------------------------------------------------------------------------


def test_an_error_comes_back_as_it_was():
    error = GuardRefused("No.", rule="day", limit="5", actual="6", exchange="true_markets", frees_at="x")
    stored = error_to_dict(error)
    assert (stored["type"], stored["message"], stored["exchange"]) == ("GuardRefused", "No.", "true_markets")
    back = error_from_dict(stored)
    assert type(back) is GuardRefused
    assert (back.message, back.rule, back.limit, back.actual, back.exchange) == ("No.", "day", "5", "6", "true_markets")
    assert back.details == error.details
    assert row(error='{"type": "Rejected", "message": "It said no."}').stored_error.message == "It said no."


def test_what_is_not_plain_in_an_error_is_left_out():
    error = TradehookError("No.", exchange="x", count=3, share=0.5, none=None, odd=["a"], amount=Decimal(1))
    assert error_to_dict(error)["details"] == {"count": 3, "share": 0.5, "none": None}


@pytest.mark.parametrize("kind", ["NoSuchError", "annotations", "ClassVar", None])
def test_an_error_of_another_version_is_still_an_error(kind):
    found = error_from_dict({"type": kind, "message": "It failed.", "exchange": "x"})
    assert (type(found), found.message, found.exchange) == (TradehookError, "It failed.", "x")
