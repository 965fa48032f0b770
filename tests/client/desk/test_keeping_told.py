"""What a person is told of a journal that is not the one it was, and what is kept of what they did."""

from __future__ import annotations

import json
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tradehook.desk import keeping
from tradehook.desk.epoch import Counter
from tradehook.desk.journal import Journal
from tradehook.desk.schema import open_database, reading, writing
from tradehook.errors import ConfigurationError, GuardRefused, InvalidInput

WHAT_TO_DO = (
    "Settle what is open (`tradehook intents reconcile`), look for orders and transfers that it lacks (`tradehook "
    "orders`, `tradehook transfers`), then type `tradehook journal accept-restore`."
)


@pytest.fixture(autouse=True)
def machine_id(tmp_path, monkeypatch):
    """The machine's id, to be changed: the file is real, only its place is not."""
    file = tmp_path / "machine-id"
    file.write_text("0123456789abcdef\n")
    monkeypatch.setattr(keeping, "MACHINE_ID", file)
    return file


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal.db"


@pytest.fixture
def url(path):
    return f"sqlite:///{path}"


def meta(url) -> dict[str, str]:
    engine = open_database(url)
    with reading(engine) as connection:
        found = keeping.read_meta(connection)
    engine.dispose()
    return found


def put(url, **values):
    """Values of the journal as if they had always been there: nothing counts this write. `None` takes one away."""
    engine = open_database(url)
    with engine.begin() as connection:
        for name, value in values.items():
            connection.exec_driver_sql("DELETE FROM meta WHERE name = ?", (name,))
            if value is not None:
                connection.exec_driver_sql("INSERT INTO meta VALUES (?, ?)", (name, value))
    engine.dispose()


def records(url, what):
    return [json.loads(value) for name, value in meta(url).items() if name.startswith(f"{what} ")]


def refusal(url) -> str | None:
    with Journal.open(url) as journal, writing(journal.engine) as connection:
        try:
            keeping.check_may_send(connection)
        except GuardRefused as error:
            assert (error.rule, error.actual) == ("epoch", "restored")
            return str(error)
    return None


# --- the machine ------------------------------------------------------------------------------------------------


def test_a_machine_is_known_by_what_journals_of_older_versions_hold(path, machine_id):
    """If this changed, each journal would be another machine's."""
    assert keeping.machine(path) == "1692068c45a06f17037e7e2630b5d0d9"
    machine_id.write_text("another")
    assert keeping.machine(path) != "1692068c45a06f17037e7e2630b5d0d9"


@pytest.mark.parametrize("content", [None, "\n"])
def test_a_container_is_known_by_its_name_and_the_id_beside_the_journal(path, machine_id, monkeypatch, content):
    machine_id.unlink() if content is None else machine_id.write_text(content)
    Path(f"{path}.machine").write_text("beside\n")
    monkeypatch.setattr(socket, "gethostname", lambda: "box-7")
    assert keeping.machine(path) == "10ad8c3ea4f2fc3e60c9038780dd6a10"
    monkeypatch.setattr(socket, "gethostname", lambda: "box-8")
    assert keeping.machine(path) != "10ad8c3ea4f2fc3e60c9038780dd6a10"


def test_an_id_that_was_made_stays_and_two_journals_have_two(path, machine_id, tmp_path):
    machine_id.unlink()
    first = keeping.machine(path)
    assert keeping.machine(path) == first != keeping.machine(tmp_path / "other.db")
    (tmp_path / "link.db").symlink_to(path)
    assert keeping.machine(tmp_path / "link.db") == first
    assert sorted(file.name for file in tmp_path.glob("*machine*")) == ["journal.db.machine", "other.db.machine"]


def test_why_an_id_cannot_be_made(path, machine_id):
    machine_id.unlink()
    place = Path(f"{path}.machine")
    place.mkdir()
    with pytest.raises(ConfigurationError) as told:
        keeping.machine(path)
    assert str(told.value) == f"The file {place} cannot be made: Is a directory."


def test_whose_journal_it_is_and_what_to_type(path, url, machine_id):
    Journal.open(url).close()
    machine_id.write_text("another")
    with pytest.raises(ConfigurationError) as told:
        Journal.open(url)
    assert str(told.value) == (
        f"The journal {path} belongs to another machine. Two machines with a copy each would send twice. If it was "
        "moved here on purpose and nothing uses the old one, type `tradehook journal adopt`."
    )


def test_who_adopted_it_is_kept_with_both_machines(path, url, machine_id):
    Journal.open(url).close()
    before = keeping.machine(path)
    machine_id.write_text("another")
    engine = open_database(url)
    keeping.adopt(engine, by="cli:ann")
    with pytest.raises(InvalidInput) as told:
        keeping.adopt(engine, by="cli:bob")
    assert str(told.value) == f"The journal {path} belongs to this machine already."
    engine.dispose()
    (record,) = records(url, "adopted")
    at = datetime.fromisoformat(record.pop("at"))
    assert datetime.now(UTC) - at < timedelta(minutes=5)
    assert record == {"by": "cli:ann", "why": "", "from": before, "to": keeping.machine(path)}
    assert meta(url)["machine"] == keeping.machine(path)


def test_a_journal_that_came_into_a_container_is_adopted_by_its_id(path, url, machine_id):
    Journal.open(url).close()
    machine_id.unlink()
    engine = open_database(url)
    keeping.adopt(engine, by="cli:ann")
    engine.dispose()
    Journal.open(url).close()
    assert meta(url)["machine"] == keeping.machine(path)


def test_a_journal_without_a_machine_becomes_this_ones(path, url):
    Journal.open(url).close()
    put(url, machine=None)
    assert refusal(url) is None
    assert meta(url)["machine"] == keeping.machine(path)


# --- the count --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kept", "told", "why"),
    [
        ("7", 7, None),
        ("8", 7, None),
        ("6", 7, "It counts 6 writes, but there were 7: it is an older copy."),
        ("7", None, "The file journal.db.epoch is missing beside it, so it may be an older copy."),
        ("0", 0, None),
        (None, 7, "It counts 0 writes, but there were 7: it is an older copy."),
        (None, 1, "It counts 0 writes, but there were 1: it is an older copy."),
        (None, 0, None),
        (None, None, None),
    ],
)
def test_a_journal_is_held_exactly_when_it_counts_less_than_was_told(path, url, kept, told, why):
    Journal.open(url).close()
    put(url, epoch=kept)
    counter = Counter(path)
    counter.path.unlink()
    if told is not None:
        counter.path.write_text(f"{told}\n")
    before = None if why is None else f"Nothing is sent from this journal: it may not know what was sent last. {why} "
    assert refusal(url) == (None if before is None else before + WHAT_TO_DO)
    # And it stays so, whatever was counted meanwhile.
    assert refusal(url) == (None if before is None else before + WHAT_TO_DO)
    assert counter.highest() >= max(int(kept or 0), told or 0)


def test_the_first_reason_stays_and_says_when(url):
    with Journal.open(url) as journal:
        for why in ("First.", "Second."):
            with writing(journal.engine) as connection:
                keeping.hold(connection, why)
        held = keeping.accept_restore(journal.engine, by="cli:ann", why="compared")
    assert datetime.now(UTC) - datetime.fromisoformat(held.pop("at")) < timedelta(minutes=5)
    assert held == {"why": "First."}


def test_who_let_a_journal_send_again_is_kept_with_what_was_held_against_it(path, url):
    Journal.open(url).close()
    Counter(path).path.write_text("900\n")
    with Journal.open(url) as journal:
        held = keeping.accept_restore(journal.engine, by="cli:ann")
    (record,) = records(url, "accepted")
    assert record.pop("at") >= held["at"]
    assert record == {"by": "cli:ann", "why": "", "held": held}
    assert refusal(url) is None
    # It counts on from the highest, so that the copy which was lost stays older.
    assert int(meta(url)["epoch"]) >= 900


def test_a_count_that_was_lost_is_made_anew_when_its_journal_is_accepted(path, url):
    Journal.open(url).close()
    engine = open_database(url)
    with writing(engine) as connection:
        keeping.hold(connection, "It was restored.")
    Counter(path).path.unlink()
    put(url, epoch="41")
    keeping.accept_restore(engine, by="cli:ann")
    with writing(engine) as connection:
        keeping.hold(connection, "Again.")
    engine.dispose()
    assert Counter(path).highest() == int(meta(url)["epoch"]) > 41


def test_a_copy_from_before_the_count_is_accepted(path, url):
    Journal.open(url).close()
    put(url, epoch=None, restored='{"why": "It was restored."}')
    Counter(path).path.write_text("41\n")
    engine = open_database(url)
    assert keeping.accept_restore(engine, by="cli:ann") == {"why": "It was restored."}
    engine.dispose()
    assert Counter(path).highest() >= int(meta(url)["epoch"]) >= 41
    assert refusal(url) is None


def test_there_is_nothing_to_accept_of_a_journal_that_is_what_it_was(url):
    with Journal.open(url) as journal, pytest.raises(InvalidInput) as told:
        keeping.accept_restore(journal.engine, by="cli:ann")
    assert str(told.value) == "The journal is the one it was: there is nothing to accept."


def test_why_the_file_of_the_count_cannot_be_used(path, url):
    Journal.open(url).close()
    Counter(path).path.unlink()
    Counter(path).path.mkdir()
    with pytest.raises(ConfigurationError) as told:
        Journal.open(url)
    assert str(told.value) == (f"The file {path}.epoch belongs to the journal and cannot be used: Is a directory.")
