"""The doubts of a journal: whose they are, which ids are ours, and what of a look is worth an event."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from tradehook.desk.intents import State, this_owner
from tradehook.desk.journal import Journal
from tradehook.desk.schema import writing
from tradehook.desk.tables import INTENT
from tradehook.models import Order, OrderStatus

ASKED = {"base": "BTC", "quote": "PYUSD", "side": "buy", "amount": "1", "price": None, "chain": None}
DEAD = "elsewhere:1:1"
LOOKED = {"how": "looked", "looked_at": "2030-01-01T00:00:00Z", "found": [], "balances_changed": {}, "clean_scans": []}


@pytest.fixture
def journal(tmp_path):
    with Journal.open(f"sqlite:///{tmp_path}/journal.db") as opened:
        yield opened


def doubt(journal, intent_id, *, host="h", account_id="a", kind="order"):
    intent, _ = journal.prepare(
        intent_id, kind=kind, exchange="true_markets", host=host, environment="sandbox", account="main", source="test",
        asked=ASKED,
    )  # fmt: skip
    with journal.engine.begin() as connection:  # what is in doubt is of interest here, not how it came to be
        connection.exec_driver_sql(
            f"UPDATE intent SET state = 'UNKNOWN', account_id = '{account_id}' WHERE intent_id = '{intent_id}'"
        )
    return journal.get(intent.intent_id)


def made(order_id) -> Order:
    return Order(order_id=order_id, status=OrderStatus.PENDING, exchange_status="x")


def listed(journal, host, **more):
    return [intent.intent_id for intent in journal.doubts.list(host, **more)]


# --- whose they are -----------------------------------------------------------------------------------------------


def test_doubts_are_told_oldest_first_by_exchange_and_by_account(journal):
    for name, more in {
        "first": {},
        "elsewhere": {"host": "g"},
        "others": {"account_id": "b"},
        "a-later": {},
        "plan": {"kind": "plan"},
        "sum": {"kind": "transfer"},
    }.items():
        doubt(journal, name, **more)
    assert listed(journal, "h") == ["first", "others", "a-later", "sum"]
    assert listed(journal, "h", account_id="a") == ["first", "a-later", "sum"]
    assert listed(journal, "g") == ["elsewhere"]
    assert listed(journal, "g", account_id="b") == []


def test_what_a_dead_process_was_sending_is_a_doubt_and_what_has_ended_is_none(journal):
    for state in State:
        doubt(journal, f"i-{state.lower()}")
    with journal.engine.begin() as connection:
        connection.exec_driver_sql(f"UPDATE intent SET state = upper(substr(intent_id, 3)), owner = '{DEAD}'")
    assert set(listed(journal, "h")) == {
        "i-unknown", "i-needs_human", "i-proved_absent", "i-sending", "i-executing",
    }  # fmt: skip


# --- which ids are ours -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 499, 500, 501, 1001])
def test_of_however_many_ids_those_that_came_from_here_are_told(journal, count):
    ids = [f"o-{number}" for number in range(count)]
    journal.move(doubt(journal, "i-1"), State.MATCHED, made=made(ids[-1]))
    journal.move(doubt(journal, "i-2"), State.MATCHED, made=made("not asked for"))
    journal.move(doubt(journal, "i-3", host="g"), State.MATCHED, made=made(ids[0]))
    assert set(journal.doubts.bound("h", ids)) == {ids[-1]}
    assert set(journal.doubts.bound("g", ids)) == {ids[0]}
    assert set(journal.doubts.bound("h", [])) == set()


# --- what a look showed -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "is_news"),
    [
        ({}, False),
        ({"looked_at": "2030-01-01T00:01:00Z"}, False),
        ({"why_not_absent": "nothing proves it"}, False),
        ({"found": ["o-1"]}, True),
        ({"balances_changed": {"BTC": "+1 (+1 available)"}}, True),
        ({"clean_scans": [1.0]}, True),
    ],
)
def test_each_look_is_kept_and_an_event_only_when_it_shows_something_else(journal, change, is_news):
    doubt(journal, "i-1")
    journal.doubts.keep(journal.get("i-1"), LOOKED)
    journal.doubts.keep(journal.get("i-1"), {**LOOKED, **change})
    assert journal.get("i-1").resolution == {**LOOKED, **change}
    looks = [event for event in journal.events("i-1") if event["what"] == "looked"]
    assert len(looks) == (2 if is_news else 1)
    assert {name: looks[-1][name] for name in LOOKED} == ({**LOOKED, **change} if is_news else LOOKED)


@pytest.mark.parametrize("change", ["state = 'MATCHED'", "attempt = 7"])
def test_what_changed_during_a_look_is_left_as_it_is(journal, change):
    before = doubt(journal, "i-1")
    with journal.engine.begin() as connection:
        connection.exec_driver_sql(f"UPDATE intent SET {change}")
    journal.doubts.keep(before, LOOKED)
    assert journal.get("i-1").resolution is None
    assert [event["what"] for event in journal.events("i-1")] == ["prepared"]


def test_a_look_is_kept_for_its_own_intent_alone(journal):
    doubt(journal, "i-2")
    journal.doubts.keep(doubt(journal, "i-1"), LOOKED)
    assert journal.get("i-2").resolution is None


# --- once more ----------------------------------------------------------------------------------------------------


def test_once_more_is_on_the_record_with_who_and_why(journal):
    journal.move(doubt(journal, "i-1"), State.REJECTED)
    assert journal.doubts.newest_id("i-1") == "i-1"
    assert journal.doubts.again(journal.get("i-1"), by="ana", why="support asked for it") == "i-1~2"
    assert journal.doubts.newest_id("i-1") == "i-1~2"
    event = journal.events("i-1")[-1]
    assert {name: event[name] for name in ("what", "by", "why", "as")} == {
        "what": "again", "by": "ana", "why": "support asked for it", "as": "i-1~2",
    }  # fmt: skip


def test_a_sender_that_lives_is_no_doubt_before_its_time_has_passed(journal):
    for name in ("late", "early", "untimed"):
        doubt(journal, name)
        change(journal, name, state="SENDING", owner=this_owner())
    change(journal, "late", looking_until="2030-01-01T00:00:00.000000Z")
    change(journal, "early", looking_until="2030-01-01T00:10:00.000000Z")
    until = datetime(2030, 1, 1, tzinfo=UTC)
    assert [intent.intent_id for intent in journal.doubts.list("h", at=until + timedelta(seconds=1))] == ["late"]
    assert listed(journal, "h", at=until) == listed(journal, "h") == []


# --- what else moved ----------------------------------------------------------------------------------------------

NOTED = "2030-01-01T00:00:00.000000Z"
LATER, EARLIER = "2030-01-01T00:00:01.000000Z", "2029-12-31T23:59:59.000000Z"
ORDER = (
    '{"base": "BTC", "quote": "PYUSD", "side": "buy", "quantity": "1", "unit": "base", "typed": "1", "price": null, '
    '"chain": null}'
)
TRANSFER = '{"asset": "PYUSD", "asset_id": "x", "quantity": "1", "to": "cold", "address": "a", "network": "n", "chain": null, "typed": "1"}'


@pytest.mark.parametrize(
    ("others", "count"),
    [
        ({}, 1),
        ({"state": "UNKNOWN"}, 1),
        ({"state": "SENDING", "owner": DEAD}, 1),
        ({"is_final": True}, 1),
        ({"is_final": True, "updated_at": EARLIER}, 0),
        ({"updated_at": EARLIER}, 1),
        ({"state": "PREPARED"}, 0),
        ({"state": "REJECTED", "is_final": True}, 0),
        ({"account_id": "b"}, 0),
        ({"host": "g"}, 0),
        ({"request": ORDER.replace("BTC", "ETH")}, 1),
        ({"request": ORDER.replace("BTC", "ETH").replace("PYUSD", "USDC")}, 0),
        ({"kind": "transfer", "request": TRANSFER}, 1),
        ({"kind": "transfer", "request": TRANSFER.replace("PYUSD", "ETH")}, 0),
        ({"kind": "plan"}, 0),
        ({"request": None}, 0),
    ],
)
def test_others_count_that_may_have_moved_the_same(journal, others, count):
    lost = doubt(journal, "lost")
    doubt(journal, "other")
    change(journal, "lost", baseline=f'{{"noted_at": "{NOTED}"}}', request=ORDER)
    change(journal, "other", **{"state": "ACCEPTED", "request": ORDER, "updated_at": LATER, "is_final": False} | others)
    lost = journal.get("lost")
    assert journal.doubts.moved_beside(lost, ["BTC", "PYUSD"]) == count
    assert journal.doubts.moved_beside(lost, []) == 0


@pytest.mark.parametrize(
    ("noted", "ended", "count"),
    [
        (f'{{"at": "{NOTED}"}}', LATER, 1),
        (f'{{"at": "{NOTED}"}}', EARLIER, 0),
        (f'{{"noted_at": "{NOTED}", "at": "{LATER}"}}', LATER, 1),
        (f'{{"noted_at": "{NOTED}", "at": "{EARLIER}"}}', EARLIER, 0),
        ("{}", EARLIER, 1),
        (None, EARLIER, 1),
    ],
)
def test_a_note_of_an_older_version_has_the_exchanges_time_and_without_any_everything_counts(
    journal, noted, ended, count
):
    doubt(journal, "lost")
    doubt(journal, "other")
    change(journal, "lost", baseline=noted, request=ORDER)
    change(journal, "other", state="ACCEPTED", request=ORDER, updated_at=ended, is_final=True)
    assert journal.doubts.moved_beside(journal.get("lost"), ["BTC"]) == count


def change(journal, intent_id, **columns):
    with writing(journal.engine) as connection:
        connection.execute(update(INTENT).where(INTENT.c.intent_id == intent_id).values(**columns))
