"""What an account sent, as the limits see it: with its request where that is compared, and without where it is only summed."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from tests.client.desk.test_limits import ACCOUNT, HOST, NOW, order, transfer
from tests.client.desk.test_limits import sent as put
from tests.client.desk.test_usage import sent

from tradehook.desk.intents import State
from tradehook.desk.journal import Journal
from tradehook.desk.schema import reading
from tradehook.desk.sent import day_of, sent_by

INSTANT = timedelta(microseconds=1)


@pytest.fixture
def journal(tmp_path):
    with Journal.open(f"sqlite:///{tmp_path}/journal.db") as opened:
        yield opened


def found(journal, *, since=NOW - timedelta(hours=12), **more):
    with reading(journal.engine) as connection:
        return {
            each.intent_id: each
            for each in sent_by(connection, host=HOST, account_id=ACCOUNT, since=since, now=NOW, **more)
        }


def test_a_request_is_read_where_it_is_compared(journal):
    put(journal, "placed", order("1"))
    put(journal, "in doubt", order("2"), state=State.UNKNOWN)
    put(journal, "paid", transfer("3"))
    put(journal, "paid perhaps", transfer("4"), state=State.UNKNOWN)
    told = found(journal)
    assert {name: each.request and each.request["quantity"] for name, each in told.items()} == {
        "placed": None, "in doubt": "2", "paid": "3", "paid perhaps": "4",
    }  # fmt: skip
    assert {name: each.kind for name, each in told.items()} == {
        "placed": "order", "in doubt": "order", "paid": "transfer", "paid perhaps": "transfer",
    }  # fmt: skip


def test_a_plan_and_the_intent_itself_are_no_others(journal):
    for name in ("XXXX", "i-1"):
        sent(journal, name, "1")
    sent(journal, "plan", "1", kind="plan")
    sent(journal, "plan in doubt", "1", kind="plan", state=State.UNKNOWN)
    assert set(found(journal)) == {"XXXX", "i-1"}
    assert set(found(journal, but="i-1")) == {"XXXX"}


@pytest.mark.parametrize("state", [State.ACCEPTED, State.UNKNOWN])
def test_what_is_anothers_weighs_nothing(journal, state):
    sent(journal, "mine", "1", state=state)
    sent(journal, "another account's", "1", state=state, account_id="x")
    sent(journal, "another exchange's", "1", state=state, host="x")
    assert list(found(journal)) == ["mine"]


def test_what_ended_is_read_as_far_back_as_it_counts_and_what_is_in_doubt_always(journal):
    """A minute more is read, since times are compared as text first; whoever sums compares them exactly."""
    since = NOW - timedelta(hours=12)
    sent(journal, "just", "1", at=since - timedelta(minutes=1))
    sent(journal, "before", "1", at=since - timedelta(minutes=1) - INSTANT)
    sent(journal, "long ago", "1", at=NOW - timedelta(days=99), state=State.UNKNOWN)
    assert list(found(journal)) == ["long ago", "just"]
    assert list(found(journal, since=None)) == ["long ago"]
    sent(journal, "this hour", "1", at=NOW - timedelta(hours=1))
    assert list(found(journal, since=NOW)) == ["long ago", "this hour"]


def test_days_are_told_in_utc_whatever_the_machines_own_time_is(monkeypatch):
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        told = day_of("Europe/Berlin", NOW)
    time.tzset()
    assert [str(moment.tzinfo) for moment in told] == ["UTC", "UTC"]
