"""A journal on a server that is not the one it was: held, told, and let go on by a person. In words."""

from __future__ import annotations

import json
from datetime import datetime

import pytest
from tests.client.desk.test_keeping_told import WHAT_TO_DO

from tradehook.desk import copies, keeping
from tradehook.desk.journal import Journal
from tradehook.desk.schema import open_database, reading, writing
from tradehook.errors import GuardRefused, InvalidInput

HISTORY = "The server's history is another one: a restore, a failover or a copy."


@pytest.fixture
def url(postgres):
    return postgres.new_database()


def meta(journal) -> dict[str, str]:
    with reading(journal.engine) as connection:
        return keeping.read_meta(connection)


def elsewhere(journal):
    """As if it had come from another server."""
    with journal.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE meta SET value = 'another' WHERE name = 'server'")


def refusal(journal) -> str | None:
    with writing(journal.engine) as connection:
        try:
            keeping.check_may_send(connection)
        except GuardRefused as error:
            assert (error.rule, error.actual) == ("epoch", "restored")
            return str(error)
    return None


def test_it_is_known_by_its_server_and_counts_nothing(url):
    with Journal.open(url) as journal:
        first = meta(journal)
        assert len(first["server"].split("/")) == 4
        assert "machine" not in first
        assert "epoch" not in first
    with Journal.open(url) as journal:
        assert meta(journal) == first
        assert refusal(journal) is None


@pytest.mark.parametrize("is_opened_anew", [True, False])
def test_from_another_server_it_sends_nothing_until_a_person_says_so(url, is_opened_anew):
    journal = Journal.open(url)
    here = meta(journal)["server"]
    elsewhere(journal)
    assert copies.status(journal.engine)["held"] == HISTORY
    if is_opened_anew:
        journal.close()
        journal = Journal.open(url)
    assert (
        refusal(journal)
        == f"Nothing is sent from this journal: it may not know what was sent last. {HISTORY} {WHAT_TO_DO}"
    )
    held = keeping.accept_restore(journal.engine, by="cli:ann", why="compared")
    assert held.get("why") == (HISTORY if is_opened_anew else None)
    found = meta(journal)
    assert found["server"] == here
    assert refusal(journal) is None
    ((name, record),) = [(name, json.loads(value)) for name, value in found.items() if name.startswith("accepted ")]
    assert name == f"accepted {record['at']}"
    assert datetime.fromisoformat(record.pop("at")).tzinfo is not None
    assert record == {"by": "cli:ann", "why": "compared", "held": held}
    with pytest.raises(InvalidInput) as told:
        keeping.accept_restore(journal.engine, by="cli:ann")
    assert str(told.value) == "The journal is the one it was: there is nothing to accept."
    journal.close()


def test_what_was_held_already_says_its_first_reason(url):
    with Journal.open(url) as journal:
        with writing(journal.engine) as connection:
            keeping.hold(connection, "First.")
        elsewhere(journal)
    with Journal.open(url) as journal:
        assert copies.status(journal.engine)["held"] == "First."
        assert str(refusal(journal)).startswith(
            "Nothing is sent from this journal: it may not know what was sent last. First. "
        )


def test_there_is_nothing_to_adopt(url):
    engine = open_database(url)
    with pytest.raises(InvalidInput) as told:
        keeping.adopt(engine, by="cli:ann")
    assert str(told.value) == "A journal in PostgreSQL belongs to no machine: there is nothing to adopt."
    engine.dispose()
