"""How what was placed stands: what has not ended, how old the youngest is, what is overdue, and what is news."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select, update
from tests.client.desk.test_usage import ACCOUNT, HOST, NOW, sent

from tradehook.desk import sightings
from tradehook.desk.intents import State, iso
from tradehook.desk.journal import Journal
from tradehook.desk.schema import reading, writing
from tradehook.desk.tables import INTENT
from tradehook.models import Order, OrderStatus, Payload

ENDED = {"is_final": True}


@pytest.fixture
def journal(tmp_path):
    with Journal.open(f"sqlite:///{tmp_path}/journal.db") as opened:
        yield opened


def made(name="o-1", status=OrderStatus.OPEN, **more):
    return Order(order_id=name, status=status, exchange_status="x", **more)


def placed(journal, name, *, asked=NOW, **values):
    """An order that was placed, as `o-NAME`, and has not ended."""
    sent(journal, name, "1")
    fields = {"exchange_id": f"o-{name}", "is_final": False, "created_at": iso(asked), "good_until": iso(NOW)}
    with writing(journal.engine) as connection:
        connection.execute(update(INTENT).where(INTENT.c.intent_id == name).values({**fields, **values}))


def waiting(journal):
    return [one.intent_id for one in sightings.waiting(journal.engine, HOST, account_id=ACCOUNT)]


def see(journal, name, order):
    with writing(journal.engine) as connection:
        return sightings.see(connection, name, order)


def kept(journal, name):
    with reading(journal.engine) as connection:
        return connection.execute(select(INTENT).where(INTENT.c.intent_id == name)).one()


# --- what has not ended -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "values",
    [{}, {"state": "MATCHED"}, {"state": "UNKNOWN"}, ENDED, {"host": "x"}, {"account_id": "x"}, {"exchange_id": None},
     {"kind": "transfer"}, {"good_until": None}],
    ids=lambda values: next(iter(values), "as it is"),
)  # fmt: skip
def test_who_waits_for_what(journal, values):
    """Of an order that rests; of one that a look found; of a doubt; of what ended, is elsewhere, nameless, no order."""
    placed(journal, "one", **values)
    is_here = values in ({}, {"state": "MATCHED"}, {"kind": "transfer"}, {"good_until": None})
    assert (waiting(journal) == ["one"]) is is_here
    assert sightings.is_waiting(journal.engine, HOST) is (is_here or values == {"account_id": "x"})
    has_age = "good_until" in values or values in ({}, {"state": "MATCHED"}, {"account_id": "x"}, {"exchange_id": None})
    assert (sightings.youngest(journal.engine, HOST) == NOW) is has_age
    is_mine = has_age and "account_id" not in values
    assert (sightings.youngest(journal.engine, HOST, account_id=ACCOUNT) == NOW) is is_mine
    is_due = values in ({}, {"state": "MATCHED"}, {"account_id": "x"})
    assert (list(sightings.overdue(journal.engine, HOST, at=NOW)) == ["one"]) is is_due


def test_the_oldest_comes_first_and_the_youngest_counts(journal):
    for name, hours in (("a", 2), ("c", 3), ("b", 1)):
        placed(journal, name, asked=NOW - timedelta(hours=hours))
    assert waiting(journal) == ["c", "a", "b"]
    assert list(sightings.overdue(journal.engine, HOST, at=NOW)) == ["c", "a", "b"]
    assert sightings.youngest(journal.engine, HOST) == NOW - timedelta(hours=1)


def test_an_order_is_overdue_from_its_last_moment_on(journal):
    placed(journal, "one")
    assert list(sightings.overdue(journal.engine, HOST, at=NOW)) == ["one"]
    assert list(sightings.overdue(journal.engine, HOST, at=NOW - timedelta(microseconds=1))) == []


def test_what_is_waited_for_is_told_as_it_was_last_seen(journal):
    placed(journal, "one")
    (one,) = sightings.waiting(journal.engine, HOST, account_id=ACCOUNT)
    assert (one.kind, one.exchange_id, one.seen) == ("order", "o-one", {})
    assert one.is_news(made("o-one"))
    see(journal, "one", made("o-one", filled=Decimal(1)))
    (one,) = sightings.waiting(journal.engine, HOST, account_id=ACCOUNT)
    assert not one.is_news(made("o-one"))  # that nothing is said of its fills now is no news
    assert one.is_news(made("o-one", filled=Decimal(2)))
    assert one.is_news(made("o-one", OrderStatus.CANCELED))


# --- what is news -------------------------------------------------------------------------------------------------


def test_news_are_kept_once_with_their_story_and_a_status_wipes_nothing_out(journal):
    placed(journal, "one", updated_at=iso(NOW - timedelta(days=9)))
    before = datetime.now(UTC)
    assert see(journal, "one", made("o-one", filled=Decimal(1)))
    assert not see(journal, "one", made("o-one", filled=Decimal(1)))
    assert see(journal, "one", made("o-one", OrderStatus.CANCELED))
    row = kept(journal, "one")
    assert row.is_final
    assert before <= datetime.fromisoformat(row.updated_at) <= datetime.now(UTC)
    assert journal.get("one").last_order.filled == 1
    told = [event for event in journal.events("one") if event["what"] == "order"]
    assert [(event["order_id"], event["status"], event["filled"]) for event in told] == [
        ("o-one", "open", "1"), ("o-one", "canceled", None),
    ]  # fmt: skip


@pytest.mark.parametrize("values", [ENDED, {"exchange_id": "another"}])
def test_what_has_ended_and_what_is_another_stay_as_they_are(journal, values):
    placed(journal, "one", **values)
    assert not see(journal, "one", made("o-one"))
    assert kept(journal, "one").seen is None
    assert [event["what"] for event in journal.events("one")] == ["prepared"]


def test_what_is_to_be_signed_is_kept_only_while_it_may_be():
    payload = Payload(digest="d", payload="p")
    created = made(status=OrderStatus.CREATED, payloads=(payload,))
    assert created.awaits_signature
    assert sightings.as_kept(created)["payloads"] == [payload.to_dict()]
    assert Order.model_validate(sightings.as_kept(created)).payloads == (payload,)
    assert sightings.as_kept(created.model_copy(update={"status": OrderStatus.OPEN}))["payloads"] == []


# --- together -----------------------------------------------------------------------------------------------------


def test_sightings_are_recorded_as_long_as_the_lease_is_held(journal):
    names = [f"n{number}" for number in range(3)]
    for name in names:
        placed(journal, name)
    seen = [(name, made(f"o-{name}")) for name in names]
    assert sightings.record(journal.engine, [], lease="look", owner="me")
    assert not sightings.record(journal.engine, seen, lease="look", owner="me")
    assert kept(journal, "n0").seen is None
    journal.leases.take("look", owner="me", seconds=60, now=NOW)
    assert not sightings.record(journal.engine, seen, lease="look", owner="you")
    assert not sightings.record(journal.engine, seen, lease="another", owner="me")
    assert sightings.record(journal.engine, seen, lease="look", owner="me")
    assert [journal.get(name).last_order.order_id for name in names] == [f"o-{name}" for name in names]
    assert journal.get("n0").state is State.ACCEPTED


def test_others_wait_for_a_hundred_at_most_and_a_lease_that_is_lost_in_between_ends_it(journal, monkeypatch):
    monkeypatch.setattr(sightings, "_AT_ONCE", 2)
    names = [f"n{number}" for number in range(5)]
    for name in names:
        placed(journal, name)
    seen = [(name, made(f"o-{name}")) for name in names]
    held = iter([True, True, False])
    monkeypatch.setattr(sightings, "is_held", lambda *_, **__: next(held))
    assert not sightings.record(journal.engine, seen, lease="look", owner="me")
    assert [kept(journal, name).seen is not None for name in names] == [True, True, True, True, False]
