"""A journal in a file: the addresses that are taken and refused, in words, and what is set on each connection."""

from __future__ import annotations

import os
import sqlite3
import threading
from contextlib import closing

import pytest
from sqlalchemy.exc import TimeoutError as NobodyFree

from tradehook.desk import schema
from tradehook.desk.journal import NEWEST, Journal
from tradehook.desk.schema import open_database, reading, writing
from tradehook.errors import ConfigurationError, InvalidInput, JournalUnavailable

WHOLE = (
    "TRADEHOOK_JOURNAL_URL should be a whole path, like sqlite:////home/you/journal.db, without options; "
    "or a database in PostgreSQL, like postgresql://user@host/database."
)


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path}/journal.db"


def said(caught) -> str:
    return str(caught.value)


# --- a file -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "",
        "sqlite:///journal.db",
        "sqlite:///:memory:",
        "sqlite:////tmp/j.db?timeout=1",
        "sqlite:////tmp/j\n.db",
        "mysql://h/d",
    ],
)
def test_an_address_that_means_no_one_file_is_refused(url):
    with pytest.raises(ConfigurationError) as told:
        open_database(url)
    assert said(told) == WHOLE


def test_a_file_and_its_folders_are_their_owners(tmp_path):
    open_database(f"sqlite:///{tmp_path}/deep/er/journal.db").dispose()
    assert (tmp_path / "deep" / "er").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "deep" / "er" / "journal.db").stat().st_mode & 0o777 == 0o600
    open_database(f"sqlite:///{tmp_path}/deep/er/other.db").dispose()


def test_a_file_that_is_there_is_not_touched(tmp_path, url):
    Journal.open(url).close()
    (tmp_path / "journal.db").chmod(0o640)
    os.utime(tmp_path / "journal.db", (1, 1))
    open_database(url).dispose()
    assert (tmp_path / "journal.db").stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "journal.db").stat().st_mtime == 1


def test_why_a_file_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError) as told:
        open_database(f"sqlite:///{tmp_path}/file/journal.db")
    assert said(told) == f"The journal at {tmp_path}/file/journal.db cannot be made: File exists."


def test_an_old_sqlite_is_told_with_what_to_do(url, monkeypatch):
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 34, 1))
    monkeypatch.setattr(sqlite3, "sqlite_version", "3.34.1")
    with pytest.raises(ConfigurationError) as told:
        open_database(url)
    assert said(told) == (
        "The journal needs SQLite 3.35 or newer, and this Python has 3.34.1. Use a newer Python, or set "
        "TRADEHOOK_JOURNAL_URL to a database in PostgreSQL."
    )


def test_each_connection_is_durable_patient_and_minds_what_belongs_together(url):
    engine = open_database(url)
    for _ in range(2):
        with reading(engine) as connection:
            told = {
                name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
                for name in ("busy_timeout", "synchronous", "foreign_keys", "journal_mode")
            }
        assert told == {"busy_timeout": 30_000, "synchronous": 2, "foreign_keys": 1, "journal_mode": "wal"}
        engine.dispose()


def test_a_new_file_that_somebody_else_begins_at_the_same_moment_is_waited_for(tmp_path, url, monkeypatch):
    """SQLite refuses a switch to its log without waiting while somebody else writes."""
    waited = []
    with closing(sqlite3.connect(tmp_path / "journal.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")

        def let_go(seconds):
            waited.append(seconds)
            other.execute("ROLLBACK")

        monkeypatch.setattr(schema.time, "sleep", let_go)
        engine = open_database(url)
        with reading(engine) as connection:
            assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
    assert len(waited) == 1
    assert waited[0] > 0
    engine.dispose()


def test_a_connection_may_pass_from_thread_to_thread(url):
    engine = open_database(url)
    heard = []

    def read():
        with reading(engine) as connection:
            heard.append(connection.exec_driver_sql("SELECT 1").scalar())

    read()
    thread = threading.Thread(target=read)
    thread.start()
    thread.join()
    assert heard == [1, 1]
    engine.dispose()


def test_who_writes_keeps_others_from_writing_and_nobody_from_reading(url):
    engine = open_database(url)
    with writing(engine), closing(sqlite3.connect(engine.url.database, timeout=0, isolation_level=None)) as other:
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")
        other.execute("BEGIN")
        assert other.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
    with reading(engine) as connection, closing(sqlite3.connect(engine.url.database, timeout=0)) as other:
        connection.exec_driver_sql("SELECT count(*) FROM sqlite_master").scalar()
        other.execute("BEGIN IMMEDIATE")
    engine.dispose()


def test_what_goes_wrong_in_the_file_is_told_with_its_path(tmp_path, url):
    engine = open_database(url)
    with pytest.raises(JournalUnavailable) as told, reading(engine) as connection:
        connection.exec_driver_sql(f"SELECT 1 FROM {'x' * 300}")
    assert said(told) == f"The journal {tmp_path}/journal.db cannot be used now: no such table: {'x' * 185}."
    with pytest.raises(JournalUnavailable) as told, reading(engine):
        raise NobodyFree
    assert said(told) == f"The journal {tmp_path}/journal.db cannot be used now: TimeoutError."
    with pytest.raises(InvalidInput) as told, writing(engine) as connection:
        connection.exec_driver_sql("SELECT ?", ("\udce9",))
    assert said(told) == "What is to be stored holds bytes that are no text (UTF-8)."
    engine.dispose()


def test_a_version_that_does_not_fit_is_told(tmp_path, url):
    Journal.open(url).close()
    path = tmp_path / "journal.db"
    for version, may_upgrade, told_so in (
        (
            "0001", False,
            (f"The journal {path} is of version 0001, this tradehook needs {NEWEST}. Tasks never change it: stop what uses "
            "it, then run `tradehook journal upgrade`."),
        ),
        ("9999", True, f"The journal {path} was written by a newer tradehook (9999). Update tradehook."),
        ("9999", False, f"The journal {path} was written by a newer tradehook (9999). Update tradehook."),
    ):  # fmt: skip
        with closing(sqlite3.connect(path)) as database, database:
            database.execute("UPDATE tradehook_version SET version_num = ?", (version,))
        with pytest.raises(ConfigurationError) as told:
            Journal.open(url, may_upgrade=may_upgrade)
        assert said(told) == told_so


def test_a_file_that_is_no_database_is_told(tmp_path, url):
    (tmp_path / "journal.db").write_text("no database " * 200)
    with pytest.raises(ConfigurationError) as told:
        Journal.open(url)
    assert said(told) == f"The journal {tmp_path}/journal.db cannot be used: file is not a database."


def test_a_migration_may_stand_in_a_folder_of_any_name(tmp_path, url):
    scripts = tmp_path / "100% sure"
    (scripts / "versions").mkdir(parents=True)
    (scripts / "env.py").write_text(
        "from alembic import context\n"
        "attributes = context.config.attributes\n"
        "context.configure(connection=attributes['connection'], version_table=attributes['version_table'])\n"
        "with context.begin_transaction():\n    context.run_migrations()\n"
    )
    (scripts / "versions" / "0001.py").write_text(
        "from alembic import op\nrevision = '0001'\ndown_revision = None\n"
        "def upgrade():\n    op.execute('CREATE TABLE mine (name TEXT)')\n"
    )
    engine = open_database(url)
    for _ in range(2):
        schema.upgrade(engine, scripts=scripts, version_table="my_version", newest="0001", may_upgrade=False)
    (scripts / "versions" / "0002.py").write_text(
        "from alembic import op\nrevision = '0002'\ndown_revision = '0001'\n"
        "def upgrade():\n    op.execute('CREATE TABLE yours (name TEXT)')\n"
    )
    with pytest.raises(ConfigurationError, match="is of version 0001, this tradehook needs 0002"):
        schema.upgrade(engine, scripts=scripts, version_table="my_version", newest="0002", may_upgrade=False)
    schema.upgrade(engine, scripts=scripts, version_table="my_version", newest="0002")
    with reading(engine) as connection:
        assert connection.exec_driver_sql("SELECT version_num FROM my_version").scalars().all() == ["0002"]
        for table in ("mine", "yours"):
            assert connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar() == 0
    engine.dispose()
