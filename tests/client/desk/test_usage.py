"""What people see of their limits' use is the count that refuses: the same windows, the same doubts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import update

from tradehook.desk.intents import State, iso, this_owner
from tradehook.desk.journal import Journal
from tradehook.desk.schema import writing
from tradehook.desk.tables import INTENT
from tradehook.desk.usage import usage

HOST, ACCOUNT = "127.0.0.1:8787", "user-1"
NOW = datetime(2030, 11, 21, 12, 0, tzinfo=UTC)
INSTANT = timedelta(microseconds=1)
NOTHING = {
    "day": "0", "hour": "0", "transfer_day": "0", "orders_hour": 0, "in_flight": 0, "unknowns": 0,
    "day_ends": "2030-11-22T00:00:00.000000Z", "hour_frees_at": None,
}  # fmt: skip


@pytest.fixture
def journal(tmp_path):
    with Journal.open(f"sqlite:///{tmp_path}/journal.db") as opened:
        yield opened


def sent(
    journal, name, worth, *, at=NOW, kind="order", state=State.ACCEPTED, account_id=ACCOUNT, host=HOST, owner="o:1:1"
):
    journal.prepare(
        name, kind=kind, exchange="true_markets", host=host, environment="sandbox", account="main", source="test",
        asked={"name": name},
    )  # fmt: skip
    values = {"state": str(state), "account_id": account_id, "owner": owner, "sending_at": iso(at), "notional": worth}
    with writing(journal.engine) as connection:
        connection.execute(update(INTENT).where(INTENT.c.intent_id == name).values(values))


def used(journal, *, zone="UTC", now=NOW):
    return usage(journal.engine, host=HOST, account_id=ACCOUNT, zone=zone, now=now).to_dict()


def test_an_account_that_sent_nothing_used_nothing(journal):
    assert used(journal) == NOTHING


def test_each_window_begins_where_the_limits_window_does(journal):
    midnight, hour_ago = NOW - timedelta(hours=12), NOW - timedelta(hours=1)
    sent(journal, "yesterday", "1000", at=midnight - INSTANT)
    sent(journal, "first", "1", at=midnight)
    sent(journal, "an hour ago", "2", at=hour_ago)
    sent(journal, "within", "4.5", at=hour_ago + INSTANT)
    sent(journal, "futures", "8", kind="futures")
    sent(journal, "t-yesterday", "2000", at=midnight - INSTANT, kind="transfer")
    sent(journal, "t-first", "16", at=midnight, kind="transfer")
    sent(journal, "t-now", "32", kind="transfer")
    sent(journal, "refused", "64", state=State.REJECTED)
    sent(journal, "plan", "128", kind="plan")
    sent(journal, "another's", "256", account_id="user-2")
    sent(journal, "elsewhere", "512", host="elsewhere")
    frees = {"hour_frees_at": "2030-11-21T12:00:00.000001Z"}
    assert used(journal) == NOTHING | frees | {"day": "15.5", "hour": "12.5", "transfer_day": "48", "orders_hour": 2}


def test_the_hour_reaches_over_midnight_and_the_day_does_not(journal):
    midnight = datetime(2030, 11, 22, tzinfo=UTC)
    sent(journal, "before", "3", at=midnight - timedelta(minutes=10))
    sent(journal, "after", "5", at=midnight)
    found = used(journal, now=midnight + timedelta(minutes=5))
    assert (found["day"], found["hour"], found["orders_hour"]) == ("5", "8", 2)
    assert found["day_ends"] == "2030-11-23T00:00:00.000000Z"


def test_a_day_is_the_zones(journal):
    sent(journal, "yesterday there", "3", at=datetime(2030, 11, 20, 22, 59, tzinfo=UTC))
    sent(journal, "today there", "5", at=datetime(2030, 11, 20, 23, 0, tzinfo=UTC))
    found = used(journal, zone="Europe/Berlin")
    assert (found["day"], found["day_ends"]) == ("5", "2030-11-21T23:00:00.000000Z")


def test_what_is_in_doubt_counts_however_old_it_is(journal):
    long_ago = datetime(2026, 1, 1, tzinfo=UTC)
    for state in (State.UNKNOWN, State.NEEDS_HUMAN, State.PROVED_ABSENT, State.SENDING, State.EXECUTING):
        sent(journal, f"old-{state}", "1", state=state, at=long_ago)
    sent(journal, "alive", "1", state=State.SENDING, owner=this_owner())
    found = used(journal)
    assert (found["in_flight"], found["unknowns"]) == (4, 5)  # a person's or an absent one is not under way any more
    assert (found["day"], found["hour"], found["orders_hour"]) == ("1", "1", 1)


def test_what_was_to_be_signed_counts_as_long_as_its_process_lives(journal):
    an_hour_ago = datetime.now(UTC) - timedelta(hours=1)
    sent(journal, "left", "1", state=State.CREATED, owner="elsewhere:1:1", at=an_hour_ago)
    assert used(journal) == NOTHING
    sent(journal, "signing", "2", state=State.CREATED, owner=this_owner())
    found = used(journal)
    assert (found["in_flight"], found["unknowns"], found["day"]) == (1, 0, "2")


def test_a_sender_on_another_machine_is_taken_to_live_for_a_while(journal):
    sent(journal, "i-1", "1", state=State.SENDING, owner="elsewhere:1:1", at=datetime.now(UTC))
    assert used(journal)["unknowns"] == 0
    sent(journal, "i-2", "1", state=State.SENDING, owner=None, at=datetime.now(UTC))
    assert used(journal)["unknowns"] == 1


def test_what_was_sent_without_a_known_price_counts_as_one_order_worth_nothing(journal):
    sent(journal, "i-1", None)
    assert used(journal) == NOTHING | {"orders_hour": 1, "hour_frees_at": "2030-11-21T13:00:00.000000Z"}


def test_without_a_moment_it_is_now(journal):
    sent(journal, "i-1", "7", at=datetime.now(UTC))
    found = usage(journal.engine, host=HOST, account_id=ACCOUNT, zone="UTC")
    assert found.hour == Decimal(7)
    assert timedelta(0) < found.day_ends - datetime.now(UTC) <= timedelta(days=1)
