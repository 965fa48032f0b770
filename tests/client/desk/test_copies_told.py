"""What is told of a journal and its copies, and what a copy is and holds. In words and figures."""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import update
from tests.client.desk.test_journal_rows import change, prepare

from tradehook.desk import copies, keeping
from tradehook.desk.epoch import Counter
from tradehook.desk.journal import NEWEST, Journal
from tradehook.desk.schema import open_database, writing
from tradehook.desk.tables import META
from tradehook.errors import ConfigurationError, InvalidInput, JournalUnavailable


@pytest.fixture
def journal(tmp_path):
    with Journal.open(f"sqlite:///{tmp_path}/journal.db") as opened:
        yield opened


def rows(file, query):
    with closing(sqlite3.connect(file)) as database:
        return database.execute(query).fetchall()


def said(caught) -> str:
    return str(caught.value)


# --- what is there ----------------------------------------------------------------------------------------------


def test_the_status_of_a_journal_is_told_whole(journal, tmp_path):
    for number, state in enumerate(("UNKNOWN", "ACCEPTED", "PREPARED", "ACCEPTED")):
        prepare(journal, f"i-{number}")
        change(journal, f"i-{number}", state=state, created_at=f"2026-11-0{number + 1}T00:00:00.000000Z")
    path = tmp_path / "journal.db"
    found = copies.status(journal.engine)
    assert list(found["intents"].items()) == [("ACCEPTED", 2), ("PREPARED", 1), ("UNKNOWN", 1)]
    assert found == {
        "journal": str(path),
        "kind": "sqlite",
        "version": NEWEST,
        "bytes": path.stat().st_size + Path(f"{path}-wal").stat().st_size,
        "intents": found["intents"],
        "events": 4,
        "oldest": "2026-11-01T00:00:00.000000Z",
        "newest": "2026-11-04T00:00:00.000000Z",
        "machine": "this one",
        "epoch": Counter(path).highest(),
        "held": None,
        "held_by": None,
        "integrity": "ok",
    }


def test_a_journal_that_holds_nothing_yet_has_a_status(journal, tmp_path):
    with writing(journal.engine) as connection:
        connection.execute(META.delete())
    found = copies.status(journal.engine)
    told = {name: found[name] for name in ("intents", "events", "oldest", "newest", "machine", "epoch", "held")}
    assert told == {
        "intents": {}, "events": 0, "oldest": None, "newest": None, "machine": "not known yet", "epoch": None,
        "held": f"It counts 0 writes, but there were {Counter(tmp_path / 'journal.db').highest()}: it is an older copy.",
    }  # fmt: skip


def test_in_a_container_it_is_told_by_the_id_beside_it(tmp_path, monkeypatch):
    monkeypatch.setattr(keeping, "MACHINE_ID", tmp_path / "none")
    with Journal.open(f"sqlite:///{tmp_path}/journal.db") as journal:
        assert copies.status(journal.engine)["machine"] == "this one"


def test_what_is_held_and_whose_it_is_is_told(journal, tmp_path):
    path = tmp_path / "journal.db"
    with writing(journal.engine) as connection:
        keeping.hold(connection, "It was restored.")
        connection.execute(update(META).where(META.c.name == "machine").values(value="another"))
    found = copies.status(journal.engine)
    assert (found["held_by"], found["machine"]) == ("place", "another one")
    assert "type `tradehook journal adopt`" in found["held"]
    with writing(journal.engine) as connection:
        connection.execute(update(META).where(META.c.name == "machine").values(value=keeping.machine(path)))
    found = copies.status(journal.engine)
    assert (found["held_by"], found["held"], found["machine"]) == ("epoch", "It was restored.", "this one")


def test_where_no_journal_is_is_told_by_its_path(tmp_path):
    with pytest.raises(InvalidInput) as told:
        copies.open_to_look(f"sqlite:///{tmp_path}/journal.db")
    assert said(told) == (
        f"There is no journal in {tmp_path}/journal.db yet. The first order makes one, or `tradehook journal upgrade`."
    )


def test_where_no_journal_is_on_a_server_is_told_without_the_password(postgres):
    url = postgres.new_database()
    with pytest.raises(InvalidInput) as told:
        copies.open_to_look(url)
    name = url.rpartition("?")[0].rpartition("/")[2]
    assert said(told).startswith(f"There is no journal in {name} at {postgres.folder} yet.")
    with Journal.open(url) as journal:
        prepare(journal)
        found = copies.status(journal.engine)
    engine = copies.find(url)
    assert (found["journal"], found["version"], found["epoch"]) == (f"{name} at {postgres.folder}", NEWEST, None)
    assert found["integrity"].startswith("the server's own (data checksums are o")
    engine.dispose()


@pytest.mark.parametrize("table", ["meta", "tradehook_version", "neither"])
def test_a_database_of_something_else_is_no_journal(tmp_path, table):
    """Both tables stand beside the bot's, which may be there first."""
    with closing(sqlite3.connect(tmp_path / "journal.db")) as database:
        database.execute(f"CREATE TABLE {table} (name TEXT)")
    assert copies.find(f"sqlite:///{tmp_path}/journal.db") is None


def test_what_is_broken_is_told_beside_what_is_loose(journal, tmp_path):
    prepare(journal)
    journal.note("i-1", "looked", {})
    with closing(sqlite3.connect(tmp_path / "journal.db", isolation_level=None)) as database:
        database.execute("DELETE FROM intent")
    assert copies.status(journal.engine)["integrity"] == "2 events without their intent"


def test_everything_that_is_broken_is_told(journal, tmp_path):
    for number in range(2):
        prepare(journal, f"i-{number}")
    with closing(sqlite3.connect(tmp_path / "journal.db", isolation_level=None)) as database:
        database.execute("PRAGMA writable_schema = ON")
        database.execute(
            "UPDATE sqlite_master SET sql = replace(sql, 'account_id VARCHAR(255)', 'account_id TEXT NOT NULL')"
            " WHERE name = 'intent'"
        )
    journal.close()
    engine = open_database(f"sqlite:///{tmp_path}/journal.db")
    assert copies.status(engine)["integrity"] == "; ".join(["NULL value in intent.account_id"] * 2)
    engine.dispose()


# --- a copy -----------------------------------------------------------------------------------------------------


def test_a_copy_is_one_file_that_only_its_owner_reads(journal, tmp_path):
    prepare(journal)
    target = tmp_path / "copy.db"
    made = copies.backup(journal.engine, target)
    assert made == {"backup": str(target), "bytes": target.stat().st_size, "intents": 1}
    assert target.stat().st_mode & 0o777 == 0o600
    assert rows(target, "PRAGMA journal_mode") == [("delete",)]
    assert sorted(file.name for file in tmp_path.glob("copy*")) == ["copy.db"]
    assert rows(target, "SELECT count(*) FROM meta WHERE name LIKE 'restored%'") == [(0,)]


def test_a_copy_that_cannot_be_made_says_why(journal, tmp_path):
    (tmp_path / "there.db").touch()
    (tmp_path / "half.db.part").touch()
    for name, kind, why in (
        ("there.db", InvalidInput, "The file {} exists. Name one that does not."),
        ("half.db", InvalidInput, "The file {}.part is there: another copy is being made, or one was cut off."),
        ("no/folder.db", ConfigurationError, "The file {} cannot be made: No such file or directory."),
    ):
        with pytest.raises(kind) as told:
            copies.backup(journal.engine, tmp_path / name)
        assert said(told) == why.format(tmp_path / name)


@pytest.mark.parametrize("comes_meanwhile", [False, True])
def test_where_there_are_no_hard_links_it_gets_its_name_all_the_same(journal, tmp_path, monkeypatch, comes_meanwhile):
    def link(_part, target):
        if comes_meanwhile:
            target.write_text("precious")
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", link)
    target = tmp_path / "copy.db"
    if comes_meanwhile:
        with pytest.raises(InvalidInput, match="exists"):
            copies.backup(journal.engine, target)
        assert target.read_text() == "precious"
    else:
        copies.backup(journal.engine, target)
        assert rows(target, "SELECT count(*) FROM intent") == [(0,)]
    assert sorted(file.name for file in tmp_path.glob("copy*")) == ["copy.db"]


def test_a_journal_that_another_holds_is_not_copied_and_leaves_nothing(journal, tmp_path):
    (tmp_path / "journal.db").rename(tmp_path / "moved.db")
    with pytest.raises(JournalUnavailable, match=rf"The journal {tmp_path}/journal\.db cannot be copied now: unable"):
        copies.backup(journal.engine, tmp_path / "copy.db")
    assert not list(tmp_path.glob("copy*"))


@pytest.mark.parametrize(
    ("address", "where"),
    [
        ("postgresql://ann:se-cret@box/books", "-h box -U ann"),
        ("postgresql://box/books", "-h box -U USER"),
        ("postgresql://ann@/books?host=/run/pg", "-h /run/pg -U ann"),
    ],
)
def test_on_a_server_it_says_what_to_type(tmp_path, address, where):
    engine = open_database(address)
    with pytest.raises(InvalidInput) as told:
        copies.backup(engine, tmp_path / "copy.db")
    assert said(told) == (
        f"A journal in PostgreSQL is copied by PostgreSQL's own program: pg_dump -Fc {where} -f journal.dump books. "
        "What it copies is the journal at one moment."
    )
    with pytest.raises(InvalidInput) as told:
        copies.restore(tmp_path / "copy.db", address, by="cli:ann")
    assert said(told) == (
        "A journal in PostgreSQL is brought back by PostgreSQL's own program: pg_restore. tradehook notices it and "
        "sends nothing until `tradehook journal accept-restore`."
    )


# --- brought back -----------------------------------------------------------------------------------------------


def test_what_was_brought_back_says_from_where_and_by_whom(journal, tmp_path):
    prepare(journal)
    copy, path = tmp_path / "copy.db", tmp_path / "new" / "er" / "journal.db"
    copies.backup(journal.engine, copy)
    with writing(journal.engine) as connection:
        keeping.hold(connection, "An older reason.")
    assert copies.restore(copy, f"sqlite:///{path}", by="cli:ann") == {
        "journal": str(path), "from": str(copy), "intents": 1,
    }  # fmt: skip
    assert path.stat().st_mode & 0o777 == 0o600
    assert {folder.stat().st_mode & 0o777 for folder in (path.parent,)} == {0o700}
    found = dict(rows(path, "SELECT name, value FROM meta"))
    held = json.loads(found.pop("restored"))
    assert held == {"at": held["at"], "why": "It was restored from copy.db."}
    assert json.loads(found.pop(f"restored {held['at']}")) == {
        "at": held["at"], "by": "cli:ann", "from": str(copy),
    }  # fmt: skip
    assert datetime.now(UTC) - datetime.fromisoformat(held["at"]) < timedelta(minutes=5)
    assert "machine" not in found  # it is whose it comes to


def test_a_copy_of_what_was_held_is_held_for_the_newer_reason(journal, tmp_path):
    with writing(journal.engine) as connection:
        keeping.hold(connection, "An older reason.")
    copies.backup(journal.engine, tmp_path / "copy.db")
    copies.restore(tmp_path / "copy.db", f"sqlite:///{tmp_path}/new.db", by="cli:ann")
    engine = copies.open_to_look(f"sqlite:///{tmp_path}/new.db")
    assert copies.status(engine)["held"] == "It was restored from copy.db."
    engine.dispose()


def test_a_copy_is_brought_back_only_where_nothing_of_a_journal_is(journal, tmp_path):
    copy = tmp_path / "copy.db"
    copies.backup(journal.engine, copy)
    for end in ("", "-wal", "-shm"):
        there = tmp_path / f"old.db{end}"
        there.touch()
        with pytest.raises(InvalidInput) as told:
            copies.restore(copy, f"sqlite:///{tmp_path}/old.db", by="cli:ann")
        assert said(told) == (
            f"There is a journal at {there} already, and it may know more than the copy. Stop what uses it, move it "
            "away with its -wal and -shm files (leave the .epoch file), and try again."
        )
        there.unlink()
    with pytest.raises(InvalidInput) as told:
        copies.restore(tmp_path / "none.db", f"sqlite:///{tmp_path}/old.db", by="cli:ann")
    assert said(told) == f"There is no file {tmp_path}/none.db."
    (tmp_path / "text.db").write_text("no database " * 200)
    with pytest.raises(InvalidInput) as told:
        copies.restore(tmp_path / "text.db", f"sqlite:///{tmp_path}/old.db", by="cli:ann")
    assert said(told) == f"The file {tmp_path}/text.db is no journal: file is not a database."
    assert not list(tmp_path.glob("old*"))
