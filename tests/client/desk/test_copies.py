"""Copies of a journal: whole while others write, held when they come back, and thinned without forgetting."""

from __future__ import annotations

import sqlite3
import threading
from datetime import UTC, datetime, timedelta

import pytest

from tradehook.desk import copies, keeping
from tradehook.desk.intents import State
from tradehook.desk.journal import Journal
from tradehook.desk.schema import open_database
from tradehook.errors import ConfigurationError, GuardRefused, InvalidInput, JournalUnavailable
from tradehook.models import NewOrder, OrderStatus

BUY = NewOrder.of("BTC/PYUSD", side="buy", amount="0.001")


def prepare(journal: Journal, intent_id: str):
    return journal.prepare(
        intent_id, kind="order", exchange="true_markets", host="h", environment="sandbox", account="main",
        source="test", asked={"base": "BTC"},
    )[0]  # fmt: skip


def place(world, intent_id: str):
    desk = world.desk()
    try:
        return desk.place_order(BUY, intent_id=intent_id, source="test")
    finally:
        desk.close()
        desk.journal.close()
        world.desks.remove(desk)


def test_a_backup_is_whole_while_others_write(tmp_path):
    url = f"sqlite:///{tmp_path}/journal.db"
    stop = threading.Event()
    with Journal.open(url) as journal:
        prepare(journal, "first")

        def write():
            number = 0
            while not stop.is_set():
                prepare(journal, f"i-{number}")
                number += 1

        writer = threading.Thread(target=write)
        writer.start()
        try:
            made = [copies.backup(journal.engine, tmp_path / f"copy{number}.db") for number in range(5)]
        finally:
            stop.set()
            writer.join()
    for number, entry in enumerate(made):
        file = tmp_path / f"copy{number}.db"
        assert file.stat().st_mode & 0o077 == 0
        with sqlite3.connect(file) as copy:
            # Each intent has its event: the copy is one moment, not several.
            assert copy.execute("SELECT count(*) FROM intent").fetchone()[0] == entry["intents"] > 0
            assert copy.execute("SELECT count(*) FROM intent_event").fetchone()[0] == entry["intents"]
        copy.close()
    assert [entry["intents"] for entry in made] == sorted(entry["intents"] for entry in made)
    assert not list(tmp_path.glob("*.part"))


def test_a_backup_overwrites_nothing(tmp_path):
    (tmp_path / "copy.db").write_text("precious")
    with Journal.open(f"sqlite:///{tmp_path}/journal.db") as journal:
        with pytest.raises(InvalidInput, match="exists"):
            copies.backup(journal.engine, tmp_path / "copy.db")
        with pytest.raises(ConfigurationError, match="cannot be made"):
            copies.backup(journal.engine, tmp_path / "no folder" / "copy.db")
    assert (tmp_path / "copy.db").read_text() == "precious"


def test_what_was_restored_sends_nothing_until_it_is_accepted(world, tmp_path):
    place(world, "before")
    with Journal.open(world.journal_url) as journal:
        copies.backup(journal.engine, tmp_path / "copy.db")
    place(world, "lost")
    with pytest.raises(InvalidInput, match="already"):
        copies.restore(tmp_path / "copy.db", world.journal_url, by="cli:ann")
    (tmp_path / "new").mkdir()
    world.journal_url = f"sqlite:///{tmp_path}/new/journal.db"
    assert copies.restore(tmp_path / "copy.db", world.journal_url, by="cli:ann")["intents"] == 1
    with pytest.raises(GuardRefused, match=r"restored from copy\.db"):
        place(world, "lost")
    with Journal.open(world.journal_url) as journal:
        keeping.accept_restore(journal.engine, by="cli:ann")
    assert place(world, "before").is_stored
    place(world, "new")
    assert world.orders_placed() == 3


def test_a_log_that_was_left_behind_is_never_played_into_the_copy(tmp_path):
    url = f"sqlite:///{tmp_path}/journal.db"
    with Journal.open(url) as journal:
        copies.backup(journal.engine, tmp_path / "copy.db")
    (tmp_path / "journal.db").unlink()
    (tmp_path / "journal.db-wal").write_bytes(b"old")
    with pytest.raises(InvalidInput, match="-wal already"):
        copies.restore(tmp_path / "copy.db", url, by="cli:ann")


@pytest.mark.parametrize("content", [None, b"", b"no database" * 200])
def test_what_is_no_copy_is_not_restored(tmp_path, content):
    if content is not None:
        (tmp_path / "copy.db").write_bytes(content)
    with pytest.raises(InvalidInput):
        copies.restore(tmp_path / "copy.db", f"sqlite:///{tmp_path}/journal.db", by="cli:ann")
    assert not (tmp_path / "journal.db").exists()


def test_pruning_keeps_ids_and_what_came_of_them(world):
    kept, later = place(world, "old"), datetime.now(UTC) + timedelta(days=500)
    with Journal.open(world.journal_url) as journal:
        prepare(journal, "never sent")
        old = journal.get("old")
        journal.see("old", old.last_order.model_copy(update={"status": OrderStatus.FILLED}))
        highest = journal.events("old")
        before = journal.get("old")
        with pytest.raises(InvalidInput, match="30d or more"):
            copies.prune(journal.engine, older_than=timedelta(days=29), by="cli:ann")
        assert copies.prune(journal.engine, older_than=timedelta(days=400), by="cli:ann") == {"intents": 0, "events": 0}
        pruned = copies.prune(journal.engine, older_than=timedelta(days=400), by="cli:ann", now=later)
        assert pruned == {"intents": 1, "events": len(highest)}
        again = copies.prune(journal.engine, older_than=timedelta(days=400), by="cli:ann", now=later)
        assert again == {"intents": 0, "events": 0}
        after = journal.get("old")
        names = (
            "intent_id",
            "asked_hash",
            "request",
            "state",
            "exchange_id",
            "seen",
            "is_final",
            "notional",
            "attempt",
        )
        assert [getattr(after, name) for name in names] == [getattr(before, name) for name in names]
        assert [event["what"] for event in journal.events("old")] == ["pruned"]
        assert [event["what"] for event in journal.events("never sent")] == ["prepared"]
    assert place(world, "old").order.order_id == kept.order.order_id
    assert world.orders_placed() == 1


def test_a_long_prune_goes_in_batches(tmp_path, monkeypatch):
    monkeypatch.setattr(copies, "_BATCH", 2)
    later = datetime.now(UTC) + timedelta(days=500)
    with Journal.open(f"sqlite:///{tmp_path}/journal.db") as journal:
        for number in range(5):
            sending = journal.start(prepare(journal, f"i-{number}"), to=State.SENDING, owner="o", account_id="a")
            journal.move(sending, State.REJECTED if number else State.UNKNOWN)
        pruned = copies.prune(journal.engine, older_than=timedelta(days=400), by="cli:ann", now=later)
        assert pruned == {"intents": 4, "events": 12}
        assert len(journal.events("i-0")) == 3  # in doubt: its story stays


def test_a_copy_that_is_being_made_is_not_disturbed(tmp_path):
    (tmp_path / "copy.db.part").write_text("half")
    url = f"sqlite:///{tmp_path}/journal.db"
    with Journal.open(url) as journal, pytest.raises(InvalidInput, match="another copy is being made"):
        copies.backup(journal.engine, tmp_path / "copy.db")
    assert (tmp_path / "copy.db.part").read_text() == "half"


def test_a_broken_journal_gives_no_copy(tmp_path):
    path = tmp_path / "journal.db"
    with Journal.open(f"sqlite:///{path}") as journal:
        for number in range(300):
            prepare(journal, f"i-{number}")
    data = path.read_bytes()
    # Pages from the middle on: the head still says that it is a database.
    path.write_bytes(data[: len(data) // 2] + b"\xff" * (len(data) - len(data) // 2))
    with pytest.raises(JournalUnavailable):
        copies.backup(open_database(f"sqlite:///{path}"), tmp_path / "copy.db")
    assert not list(tmp_path.glob("copy.db*"))


def test_the_number_of_an_event_is_never_given_twice(world):
    """Who follows the events by number, as the bot does, must not miss any after a prune."""
    place(world, "old")
    with Journal.open(world.journal_url) as journal:
        journal.see("old", journal.get("old").last_order.model_copy(update={"status": OrderStatus.FILLED}))

        def highest():
            with journal.engine.connect() as connection:
                return connection.exec_driver_sql("SELECT max(event_id) FROM intent_event").scalar_one()

        before = highest()
        later = datetime.now(UTC) + timedelta(days=500)
        copies.prune(journal.engine, older_than=timedelta(days=400), by="cli:ann", now=later)
        prepare(journal, "new")
        with journal.engine.connect() as connection:
            found = connection.exec_driver_sql("SELECT min(event_id) FROM intent_event").scalar_one()
        assert found > before


def test_status_finds_what_is_broken(tmp_path):
    path = tmp_path / "journal.db"
    with Journal.open(f"sqlite:///{path}") as journal:
        for number in range(200):
            prepare(journal, f"i-{number}")
        found = copies.status(journal.engine)
        assert (found["integrity"], found["held"], found["machine"]) == ("ok", None, "this one")
        assert (found["intents"], found["events"]) == ({"PREPARED": 200}, 200)
    with sqlite3.connect(path) as connection:
        connection.execute("DELETE FROM intent WHERE intent_id = 'i-7'")
    connection.close()
    engine = copies.open_to_look(f"sqlite:///{path}")
    assert "1 events without their intent" in copies.status(engine)["integrity"]
    engine.dispose()
    with path.open("r+b") as file:
        file.seek(8192)
        file.write(b"\xff" * 4096)
    try:
        engine = copies.open_to_look(f"sqlite:///{path}")
        assert copies.status(engine)["integrity"] != "ok"
        engine.dispose()
    except JournalUnavailable as error:
        assert "malformed" in str(error)


def test_looking_makes_no_journal(tmp_path):
    with pytest.raises(InvalidInput, match="no journal"):
        copies.open_to_look(f"sqlite:///{tmp_path}/journal.db")
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_no_journal_is_neither_found_nor_taken_for_a_missing_one(tmp_path):
    (tmp_path / "journal.db").write_text("not a database, " * 100)
    with pytest.raises((ConfigurationError, JournalUnavailable), match="not a database"):
        copies.find(f"sqlite:///{tmp_path}/journal.db")
