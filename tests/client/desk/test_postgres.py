"""The journal on a real PostgreSQL server: the same promises as on SQLite, and its own ways to fail."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from tradehook.desk import copies, keeping
from tradehook.desk.intents import State
from tradehook.desk.journal import Journal
from tradehook.desk.schema import open_database, reading, shown, writing
from tradehook.desk.tables import metadata
from tradehook.errors import ConfigurationError, GuardRefused, InvalidInput, JournalUnavailable


def prepare(journal: Journal, intent_id: str = "i-1"):
    return journal.prepare(
        intent_id, kind="order", exchange="true_markets", host="h", environment="sandbox", account="main",
        source="test", asked={"base": "BTC"},
    )  # fmt: skip


@pytest.fixture
def url(postgres):
    return postgres.new_database()


@pytest.fixture
def journal(url):
    with Journal.open(url) as opened:
        yield opened


def database_of(url: str) -> str:
    return url.rpartition("?")[0].rpartition("/")[2]


def test_migrations_make_exactly_the_declared_tables(journal):
    def ours(_object, name, kind, _reflected, _other):
        return not (kind == "table" and name == "tradehook_version")

    with journal.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"include_object": ours, "compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_eight_open_a_new_journal_at_once(url):
    barrier = threading.Barrier(8)

    def open_it(_number):
        barrier.wait()
        with Journal.open(url) as journal:
            return prepare(journal)[1], journal.namespace()

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(open_it, range(8)))
    assert sorted(is_new for is_new, _ in results) == [False] * 7 + [True]
    assert len({namespace for _, namespace in results}) == 1


def _overspend(url: str, open_transaction) -> int:
    """Eight who each look at what is spent, and spend 30 if 100 allow it; returns what was spent."""
    engine = open_database(url)
    with engine.connect() as connection, connection.begin():
        connection.exec_driver_sql("CREATE TABLE spent (amount INTEGER NOT NULL)")
    barrier = threading.Barrier(8)

    def spend(_number):
        barrier.wait()
        with open_transaction(engine) as connection:
            spent = connection.exec_driver_sql("SELECT coalesce(sum(amount), 0) FROM spent").scalar_one()
            # Time for the others, so that the control shows what it is there to show.
            connection.exec_driver_sql("SELECT pg_sleep(0.05)")
            if spent + 30 <= 100:
                connection.exec_driver_sql("INSERT INTO spent VALUES (30)")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(spend, range(8)))
    with engine.connect() as connection:
        total = connection.exec_driver_sql("SELECT sum(amount) FROM spent").scalar_one()
    engine.dispose()
    return total


def test_writers_come_one_after_the_other(url):
    assert _overspend(url, writing) == 90


def test_without_the_lock_they_overspend(url):
    """The control: PostgreSQL's own default lets both look before either writes."""
    assert _overspend(url, lambda engine: engine.begin()) > 100


def test_commits_are_durable_whatever_the_server_prefers(postgres, url):
    postgres.run(f"ALTER DATABASE {database_of(url)} SET synchronous_commit = off")
    engine = open_database(url)
    with writing(engine) as connection:
        assert connection.exec_driver_sql("SHOW synchronous_commit").scalar_one() == "on"
        assert connection.exec_driver_sql("SHOW idle_in_transaction_session_timeout").scalar_one() == "30s"
    engine.dispose()


def test_a_server_that_forgets_at_a_power_cut_is_refused(postgres, url):
    postgres.run("ALTER SYSTEM SET fsync = off")
    postgres.run("SELECT pg_reload_conf()")
    try:
        for _ in range(200):
            if postgres.run("SHOW fsync") == [("off",)]:
                break
        with pytest.raises(ConfigurationError, match="fsync=on") as told:
            Journal.open(url)
        assert "correct-horse" not in str(told.value)
    finally:
        postgres.run("ALTER SYSTEM RESET fsync")
        postgres.run("SELECT pg_reload_conf()")


def test_without_the_driver_it_says_what_to_install(url, monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(ConfigurationError, match=r"tradehook\[postgres\]"):
        open_database(url)


def test_a_stricter_server_stays_as_strict(postgres, url):
    postgres.run(f"ALTER DATABASE {database_of(url)} SET synchronous_commit = remote_apply")
    engine = open_database(url)
    with reading(engine) as connection:
        assert connection.exec_driver_sql("SHOW synchronous_commit").scalar_one() == "remote_apply"
    engine.dispose()


def test_who_waits_too_long_for_the_lock_is_told_so(journal):
    engine = journal.engine
    held, done = threading.Event(), threading.Event()

    def hold():
        with writing(engine):
            held.set()
            done.wait(60)

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait(60)
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql("SET lock_timeout = 50")
            connection.commit()
        # The pool hands the same connection out again: it is the only one that is free.
        with pytest.raises(JournalUnavailable, match="lock timeout"), writing(engine):
            pytest.fail("two writers at once")
    finally:
        done.set()
        holder.join()
    prepare(journal)


_HOLDER = """
import os, sys, time
from tradehook.desk.journal import Journal
from tradehook.desk.schema import writing
journal = Journal.open(os.environ["URL"])
with writing(journal.engine) as connection:
    connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 300")
    connection.exec_driver_sql("INSERT INTO meta VALUES ('half', 'done')")
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGSTOP])
def test_a_holder_that_is_killed_or_stopped_blocks_nobody_for_good(journal, url, sign):
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLDER], env={**os.environ, "URL": url}, stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout.readline() == "held\n"
        holder.send_signal(sign)
        assert prepare(journal)[1]
        with reading(journal.engine) as connection:
            assert "half" not in keeping.read_meta(connection)
    finally:
        holder.kill()
        holder.wait()
        holder.stdout.close()


def test_a_connection_that_is_cut_in_a_transaction(journal, postgres, url):
    with pytest.raises(JournalUnavailable) as told, writing(journal.engine) as connection:
        connection.exec_driver_sql("INSERT INTO meta VALUES ('half', 'done')")
        mine = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
        postgres.run(f"SELECT pg_terminate_backend({mine})")
        connection.exec_driver_sql("SELECT 1")
    assert database_of(url) in str(told.value)
    with reading(journal.engine) as connection:  # and it goes on with a new one
        assert "half" not in keeping.read_meta(connection)


def test_a_server_that_is_restarted(journal, postgres, url):
    prepare(journal)
    postgres.stop()
    try:
        with pytest.raises(JournalUnavailable):
            journal.get("i-1")
        with pytest.raises(JournalUnavailable):
            Journal.open(url)
    finally:
        postgres.start()
    assert journal.get("i-1").state is State.PREPARED
    assert prepare(journal)[1] is False


def test_no_message_names_the_password(postgres, url):
    wrong = postgres.url(database_of(url), password=":not-the-one")
    gone = url.replace(database_of(url), "no_such_database")
    for address, words in ((wrong, "authentication failed"), (gone, "does not exist")):
        with pytest.raises(ConfigurationError, match=words) as told:
            Journal.open(address)
        for secret in ("not-the-one", "correct-horse"):
            assert secret not in f"{told.value!r} {told.value.__cause__} {told.value.details}"
    engine = open_database(url)
    assert "correct-horse" not in repr(engine) + shown(engine)
    engine.dispose()


def test_the_password_may_come_from_the_environment(postgres, url, monkeypatch):
    bare = postgres.url(database_of(url), password="")
    monkeypatch.delenv("PGPASSWORD", raising=False)
    with pytest.raises(ConfigurationError, match="no password supplied"):
        Journal.open(bare)
    monkeypatch.setenv("PGPASSWORD", "correct-horse/battery@staple")
    Journal.open(bare).close()


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://",
        "postgresql://host",
        "postgresql:///database",
        "postgresql://me:se@cret@host/database",
        "postgresql://me:cret/database",
        "postgresql://host/database?options=-c%20synchronous_commit=off",
        "postgresql://host/data\nbase",
    ],
)
def test_addresses_that_cannot_be_used_are_not_repeated(url):
    with pytest.raises(ConfigurationError, match="TRADEHOOK_JOURNAL_URL") as told:
        open_database(url)
    assert "cret" not in str(told.value)


def test_texts_that_do_not_fit_are_bad_input(journal):
    prepare(journal)
    for text in ("a\0b", "x" * 41):
        with pytest.raises(InvalidInput, match="does not fit"):
            journal.note("i-1", text, {})
    assert [event["what"] for event in journal.events("i-1")] == ["prepared"]


def test_a_newer_journal_is_refused_and_a_task_upgrades_nothing(journal, url, postgres):
    for version, words in (("0002", "tradehook journal upgrade"), ("9999", "newer")):
        postgres.run(f"UPDATE tradehook_version SET version_num = '{version}'", database=database_of(url))
        with pytest.raises(ConfigurationError, match=words):
            Journal.open(url, may_upgrade=False)


def test_a_role_without_rights_is_told_so(journal, postgres, url):
    name = database_of(url)
    postgres.run(f"CREATE ROLE guest_{name} LOGIN PASSWORD 'open'")
    with pytest.raises(ConfigurationError, match="permission denied"):
        Journal.open(url.replace("//tradehook:correct-horse%2Fbattery%40staple", f"//guest_{name}:open"))


def _program(postgres, url: str, name: str, *arguments: str, given: bytes = b"") -> bytes:
    done = subprocess.run(
        [str(postgres.programs / name), *arguments, "-h", str(postgres.folder), "-U", "tradehook", database_of(url)],
        env={**os.environ, "PGPASSWORD": "correct-horse/battery@staple"},
        input=given,
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _load(postgres, url: str, dump: bytes) -> None:
    _program(postgres, url, "psql", "-q", "-v", "ON_ERROR_STOP=1", given=dump)


def test_what_pg_dump_brought_back_is_held_until_it_is_accepted(postgres, url):
    """Also for a program that runs all the while: the check stands in the transaction that sends."""
    with Journal.open(url) as journal:
        dump = _program(postgres, url, "pg_dump", "--clean")
        intent, _ = prepare(journal)
        _load(postgres, url, dump)
        with pytest.raises(InvalidInput, match="no intent"):
            journal.get(intent.intent_id)
        intent, is_new = prepare(journal)
        assert is_new  # it does not know what it lost
        with pytest.raises(GuardRefused, match="accept-restore") as refused:
            journal.start(intent, to=State.SENDING, owner="o", account_id="a")
        assert refused.value.rule == "epoch"
        keeping.accept_restore(journal.engine, by="cli:ann")
        assert journal.start(intent, to=State.SENDING, owner="o", account_id="a").state is State.SENDING
        with pytest.raises(InvalidInput, match="nothing to accept"):
            keeping.accept_restore(journal.engine, by="cli:ann")


def test_a_dump_in_another_database_is_held_when_it_is_opened(postgres, url):
    with Journal.open(url) as journal:
        prepare(journal)
    other = postgres.new_database()
    _load(postgres, other, _program(postgres, url, "pg_dump"))
    with Journal.open(other) as journal, pytest.raises(GuardRefused, match="history"):
        journal.start(journal.get("i-1"), to=State.SENDING, owner="o", account_id="a")


def test_it_belongs_to_no_machine(journal):
    with pytest.raises(InvalidInput, match="no machine"):
        keeping.adopt(journal.engine, by="cli:ann")


def test_status_backup_and_restore_say_what_a_server_needs(journal, url, tmp_path):
    prepare(journal)
    found = copies.status(journal.engine)
    assert (found["kind"], found["intents"], found["machine"], found["held"]) == (
        "postgresql",
        {"PREPARED": 1},
        "none",
        None,
    )
    assert found["bytes"] > 0
    with pytest.raises(InvalidInput, match="pg_dump -Fc") as told:
        copies.backup(journal.engine, tmp_path / "copy.db")
    assert "correct-horse" not in str(told.value)
    with pytest.raises(InvalidInput, match="pg_restore"):
        copies.restore(tmp_path / "copy.db", url, by="cli:ann")


def test_the_bots_tables_stand_beside_the_journals(journal):
    from tradehook_bot.store import Store

    store = Store(journal.engine, bot_id=5_000_000_000)
    try:
        store.set_mark("offset", 2**40)
        assert store.mark("offset") == 2**40
    finally:
        store.close()
    Journal.open(journal.engine.url.render_as_string(hide_password=False)).close()
