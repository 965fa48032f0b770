"""What the database picks is what a look at every row would pick."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import combinations, product

import pytest
from sqlalchemy import insert

from tradehook.desk import listing
from tradehook.desk.intents import SENDERS, State, iso, this_owner
from tradehook.desk.journal import Journal
from tradehook.desk.tables import INTENT

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
STORES = ("sqlite", "postgres")
OWNERS = {"lives": this_owner(), "dead": "elsewhere:1:1"}


def row(number, state, **more):
    at = iso(NOON + timedelta(minutes=number // 2))  # two of each minute, so that order is not by time alone
    row = {"intent_id": f"i-{number:04}", "kind": "order", "exchange": "x", "host": "here", "environment": "sandbox"}
    row |= {"account": "a", "source": "cli", "asked": "{}", "asked_hash": "", "state": str(state), "attempt": 1}
    return row | {"is_final": False, "created_at": at, "updated_at": at, **more}


@pytest.fixture
def journal(store, tmp_path):
    with Journal.open(store(tmp_path)) as journal:
        yield journal


def fill(journal, rows):
    with journal.engine.begin() as connection:
        connection.execute(insert(INTENT), rows)


def test_it_is_what_a_look_at_every_row_would_find(journal):
    every_one = product(OWNERS.values(), State, range(2))
    rows = [row(number, state, owner=owner) for number, (owner, state, _) in enumerate(every_one)]
    fill(journal, rows[::-1])  # so that they are not in order by themselves
    every = journal.list(limit=1000)
    assert [(-intent.created_at.timestamp(), intent.intent_id) for intent in every] == sorted(
        (-intent.created_at.timestamp(), intent.intent_id) for intent in every
    )
    assert {intent.reads_as for intent in every if intent.state in SENDERS} == {*SENDERS, State.UNKNOWN}
    for states in (pair for size in (1, 2, 3) for pair in combinations(State, size)):
        for limit in (3, 1000):
            wanted = [intent for intent in every if {intent.reads_as, intent.standing} & {*states}][:limit]
            assert journal.list(states=states, limit=limit) == wanted, states
    gone = [intent for intent in every if intent.state in SENDERS and intent.reads_as is State.UNKNOWN]
    assert journal.list(states=[State.UNKNOWN], stored=SENDERS, limit=1000) == gone


def test_it_can_be_of_a_kind_a_place_and_a_time(journal):
    kinds, hosts = ("order", "transfer"), ("here", "there")
    fill(journal, [row(n, State.ACCEPTED, kind=k, host=h) for n, (k, h) in enumerate(product(kinds, hosts))])
    found = journal.list(states=[State.ACCEPTED], kinds=["order"], host="there")
    assert [(intent.kind, intent.host) for intent in found] == [("order", "there")]
    late = journal.list(since=NOON + timedelta(minutes=1))
    assert {intent.kind for intent in late} == {"transfer"}


def test_a_long_journal_is_not_read_whole(journal, monkeypatch):
    fill(journal, [row(number, State.REJECTED) for number in range(500)])
    read, keep = [], listing.read_intent
    monkeypatch.setattr(listing, "read_intent", lambda found: read.append(found) or keep(found))
    assert len(journal.list(states=[State.REJECTED], limit=5)) == 5
    assert journal.list(states=[State.UNKNOWN], limit=5) == []
    assert len(read) == 5
