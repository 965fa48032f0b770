"""The journal: what is written is durable, what is expected is named, what is newer is refused."""

from __future__ import annotations

import multiprocessing
import sqlite3
import threading

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from tradehook.desk import journal as module
from tradehook.desk.intents import State, derived_id
from tradehook.desk.journal import Journal
from tradehook.desk.tables import metadata
from tradehook.errors import ConfigurationError, InvalidInput

ASKED = {"base": "BTC", "quote": "PYUSD", "side": "buy", "amount": "1", "price": None, "chain": None}


def prepare(journal: Journal, intent_id: str = "i-1"):
    return journal.prepare(
        intent_id, kind="order", exchange="true_markets", host="h", environment="sandbox", account="main",
        source="test", asked=ASKED,
    )  # fmt: skip


@pytest.fixture
def journal(tmp_path):
    with Journal.open(f"sqlite:///{tmp_path}/deep/er/journal.db") as opened:
        yield opened


def test_commits_are_durable_and_readers_do_not_block(journal):
    with journal.engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2  # FULL


def test_migrations_make_exactly_the_declared_tables(journal):
    def ours(_object, name, kind, _reflected, _other):
        return not (kind == "table" and name == "tradehook_version")

    with journal.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"include_object": ours, "compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_the_newest_migration_is_the_one_we_name():
    from pathlib import Path

    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(Path(module.__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    assert ScriptDirectory.from_config(config).get_current_head() == module.NEWEST


def test_a_newer_journal_is_refused(tmp_path):
    path = tmp_path / "journal.db"
    Journal.open(f"sqlite:///{path}").close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE tradehook_version SET version_num = '9999'")
    connection.close()
    with pytest.raises(ConfigurationError, match="newer"):
        Journal.open(f"sqlite:///{path}")


@pytest.mark.parametrize(
    "url",
    ["", "nonsense", "sqlite://", "sqlite:///", "sqlite:///:memory:", "postgresql://h", "postgres://h/d", "mysql://x"],
)
def test_addresses_that_cannot_hold_a_journal(url):
    with pytest.raises(ConfigurationError, match="TRADEHOOK_JOURNAL_URL"):
        Journal.open(url)


def test_a_python_with_an_old_sqlite_is_told_so_and_nothing_is_made(tmp_path, monkeypatch):
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 34, 1))
    monkeypatch.setattr(sqlite3, "sqlite_version", "3.34.1")
    with pytest.raises(ConfigurationError, match=r"needs SQLite 3\.35 or newer, and this Python has 3\.34\.1"):
        Journal.open(f"sqlite:///{tmp_path}/journal.db")
    assert [*tmp_path.iterdir()] == []
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 35, 0))
    Journal.open(f"sqlite:///{tmp_path}/journal.db").close()


def test_a_file_that_is_no_database(tmp_path):
    (tmp_path / "journal.db").write_text("this is not a database, whatever its name says" * 50)
    with pytest.raises(ConfigurationError, match="cannot be used"):
        Journal.open(f"sqlite:///{tmp_path}/journal.db")


def test_only_the_owner_can_read_it(tmp_path):
    Journal.open(f"sqlite:///{tmp_path}/journal.db").close()
    assert (tmp_path / "journal.db").stat().st_mode & 0o077 == 0


def test_moves_name_what_they_expect(journal):
    intent, is_new = prepare(journal)
    assert is_new
    sending = journal.start(intent, to=State.SENDING, owner="o", account_id="a")
    assert journal.start(intent, to=State.SENDING, owner="other", account_id="a") is None
    unknown = journal.move(sending, State.UNKNOWN)
    assert unknown.state is State.UNKNOWN
    # A paused sender that wakes up late changes nothing.
    assert journal.move(sending, State.PREPARED) is None
    assert journal.get("i-1").state is State.UNKNOWN


def test_found_by_the_beginning_of_the_id(journal):
    for name in ("abc-1", "abd-2", "x_%"):
        prepare(journal, name)
    assert journal.find("abc").intent_id == "abc-1"
    assert journal.find("x_%").intent_id == "x_%"
    for wrong in ("ab", "zz", "%"):
        with pytest.raises(InvalidInput):
            journal.find(wrong)


def test_the_namespace_is_made_once(journal, tmp_path):
    first = journal.namespace()
    with Journal.open(f"sqlite:///{tmp_path}/deep/er/journal.db") as again:
        assert again.namespace() == first


def test_derived_ids_do_not_run_together():
    assert derived_id("a", "bc") != derived_id("ab", "c")
    assert derived_id("a", "b") == derived_id("a", "b")


def test_a_new_journal_can_be_opened_by_many_at_once(tmp_path):
    """SQLite refuses one of two that switch a database to WAL at the same moment, whatever its time-out."""
    for number in range(30):
        url = f"sqlite:///{tmp_path}/journal{number}.db"
        barrier, results = threading.Barrier(6), []

        def open_it(url=url, barrier=barrier, results=results):
            barrier.wait()
            try:
                Journal.open(url).close()
                results.append("opened")
            except ConfigurationError as error:
                results.append(error)

        threads = [threading.Thread(target=open_it) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert results == ["opened"] * 6


def _open(url, barrier, results):
    barrier.wait()
    with Journal.open(url) as journal:
        results.put(prepare(journal)[1])


def test_eight_processes_make_one_journal_and_one_intent(tmp_path):
    context = multiprocessing.get_context("spawn")
    barrier, results = context.Barrier(8), context.Queue()
    url = f"sqlite:///{tmp_path}/journal.db"
    processes = [context.Process(target=_open, args=(url, barrier, results)) for _ in range(8)]
    for process in processes:
        process.start()
    answers = [results.get(timeout=60) for _ in processes]
    for process in processes:
        process.join()
    assert sorted(answers) == [False] * 7 + [True]


def test_a_journal_of_the_first_version_is_brought_up_with_all_it_holds(tmp_path):
    from pathlib import Path

    from alembic import command
    from alembic.config import Config

    from tradehook.desk.schema import open_database, writing

    url = f"sqlite:///{tmp_path}/journal.db"
    engine = open_database(url)
    config = Config()
    config.set_main_option("script_location", str(Path(module.__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    with writing(engine) as connection:
        config.attributes |= {"connection": connection, "version_table": "tradehook_version"}
        command.upgrade(config, "0001")
        connection.exec_driver_sql(
            "INSERT INTO intent (intent_id, kind, exchange, host, environment, account, source, asked, asked_hash, state,"
            " attempt, order_id, order_seen, order_is_final, created_at, updated_at) VALUES ('old', 'order',"
            " 'true_markets', 'h', 'sandbox', 'main', 'cli', '{}', 'x', 'ACCEPTED', 1, 'an-order',"
            ' \'{"order_id": "an-order", "status": "open", "exchange_status": "active"}\', 0,'
            " '2026-11-01T00:00:00Z', '2026-11-01T00:00:00Z')"
        )
    engine.dispose()
    with Journal.open(url) as journal:
        intent = journal.get("old")
        assert (intent.order_id, str(intent.last_order.status), intent.is_final) == ("an-order", "open", False)
        assert [found.intent_id for found in journal.open_orders("h")] == ["old"]
        assert journal.destinations.list("h") == []
