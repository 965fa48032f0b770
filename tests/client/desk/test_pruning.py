"""What a prune takes of a journal, and what it leaves: ids, states, and the stories of all that may still matter."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from tests.client.desk.test_journal_rows import change, prepare

from tradehook.desk import copies
from tradehook.desk.epoch import Counter
from tradehook.desk.intents import iso
from tradehook.desk.journal import Journal
from tradehook.errors import InvalidInput

NOW = datetime(2030, 6, 1, tzinfo=UTC)
MONTH = timedelta(days=30)


@pytest.fixture
def journal(tmp_path):
    with Journal.open(f"sqlite:///{tmp_path}/journal.db") as opened:
        yield opened


@pytest.mark.parametrize(
    ("stored", "is_taken"),
    [
        ({"state": "REJECTED"}, True),
        ({"state": "ACCEPTED", "is_final": True}, True),
        ({"state": "MATCHED", "is_final": True}, True),
        ({"state": "ACCEPTED"}, False),
        ({"state": "MATCHED"}, False),
        ({"state": "UNKNOWN", "is_final": True}, False),
        ({"state": "PREPARED"}, False),
        ({"state": "REJECTED", "updated_at": iso(NOW - MONTH)}, False),
        ({"state": "REJECTED", "updated_at": iso(NOW - MONTH - timedelta(seconds=1))}, True),
    ],
)
def test_only_the_story_of_what_ended_long_ago_is_taken(journal, stored, is_taken):
    old = iso(NOW - timedelta(days=300))
    for name in ("i-1", "young"):
        prepare(journal, name)
        journal.note(name, "looked", {})
        kept = {"error": '{"type": "Rejected"}', "baseline": '{"orders": []}', "updated_at": old}
        change(journal, name, **{**kept, **stored, **({"updated_at": iso(NOW)} if name == "young" else {})})
    before = journal.get("i-1"), journal.get("young"), journal.events("young")
    found = copies.prune(journal.engine, older_than=MONTH, by="cli:ann", now=NOW)
    assert found == {"intents": int(is_taken), "events": 2 * is_taken}
    assert (journal.get("young"), journal.events("young")) == before[1:]
    after, story = journal.get("i-1"), journal.events("i-1")
    if is_taken:
        assert (after.error, after.baseline) == (None, None)
        assert [{**event, "at": ""} for event in story] == [{"what": "pruned", "by": "cli:ann", "at": ""}]
        # What is written of it afterwards is taken the next time, and so told.
        journal.note("i-1", "looked", {})
        assert copies.prune(journal.engine, older_than=MONTH, by="cli:bob", now=NOW) == {"intents": 1, "events": 1}
    else:
        assert (after, [event["what"] for event in story]) == (before[0], ["prepared", "looked"])


def test_less_than_a_month_is_not_taken(journal):
    with pytest.raises(InvalidInput) as told:
        copies.prune(journal.engine, older_than=MONTH - timedelta(seconds=1), by="cli:ann")
    assert str(told.value) == "--older-than can be 30d or more: what is younger may still be asked for."
    prepare(journal)
    change(journal, "i-1", state="REJECTED", updated_at=iso(datetime.now(UTC) - MONTH + timedelta(minutes=1)))
    assert copies.prune(journal.engine, older_than=MONTH, by="cli:ann") == {"intents": 0, "events": 0}
    change(journal, "i-1", updated_at=iso(datetime.now(UTC) - MONTH - timedelta(minutes=1)))
    assert copies.prune(journal.engine, older_than=MONTH, by="cli:ann") == {"intents": 1, "events": 1}


def test_a_long_prune_lets_orders_through_in_between(journal, tmp_path, monkeypatch):
    monkeypatch.setattr(copies, "_BATCH", 2)
    for number in range(5):
        prepare(journal, f"i-{number}")
        change(journal, f"i-{number}", state="REJECTED", updated_at=iso(NOW - 2 * MONTH))
    counter = Counter(tmp_path / "journal.db")
    before = counter.highest()
    assert copies.prune(journal.engine, older_than=MONTH, by="cli:ann", now=NOW) == {"intents": 5, "events": 5}
    assert counter.highest() == before + 3  # one write for each two of them
