"""A journal on a server: the addresses that are taken and refused, what is set on each connection, what is told of it."""

from __future__ import annotations

import sys

import psycopg
import pytest
from sqlalchemy import make_url
from sqlalchemy.exc import OperationalError

from tradehook.desk import postgres, schema
from tradehook.desk.journal import Journal
from tradehook.desk.schema import open_database, reading, writing
from tradehook.errors import ConfigurationError, InvalidInput, JournalUnavailable

LIKE_THIS = (
    "TRADEHOOK_JOURNAL_URL should look like postgresql://user@host/database. "
    "In a password, write @ as %40, / as %2F and : as %3A, or leave it to PGPASSWORD or ~/.pgpass."
)
TAKEN = "host, port, sslcert, sslkey, sslmode, sslrootcert, target_session_attrs"


def said(caught) -> str:
    return str(caught.value)


@pytest.mark.parametrize(
    ("url", "told_so"),
    [
        ("postgresql://host", LIKE_THIS),
        ("postgresql:///database", LIKE_THIS),
        ("postgresql://host:none/database", LIKE_THIS),
        ("postgresql://me:se@cret@host/database", LIKE_THIS),
        ("postgresql://host/data@base", LIKE_THIS),
        ("postgresql://host/data\nbase", LIKE_THIS),
        (
            f"postgresql://host/d?sslmode=require&zone=1&options=-cfsync=off&{'o' * 50}=1",
            f"TRADEHOOK_JOURNAL_URL has an option that a journal does not take: {'o' * 40}. It takes {TAKEN}.",
        ),
    ],
)
def test_an_address_on_a_server_that_cannot_be_used_says_how_it_looks(url, told_so):
    with pytest.raises(ConfigurationError) as told:
        open_database(url)
    assert said(told) == told_so


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("postgresql://me:secret@box/books", "books at box"),
        ("postgresql+psycopg://box:6432/books?sslmode=require", "books at box"),
        ("postgresql:///books?host=/run/pg&port=6432", "books at /run/pg"),
        ("postgresql:///books?host=one&host=two", "books at one"),
    ],
)
def test_a_server_is_called_by_database_and_host(url, place):
    engine = open_database(url)
    assert schema.shown(engine) == place
    assert (schema.is_server(engine), engine.driver, engine.hide_parameters) == (True, "psycopg", True)
    assert postgres.place(make_url("postgresql:///books")) == "books at this machine"


class _Said(psycopg.Error):
    """What the driver raises, with the state that a server would give."""

    def __init__(self, words: str, state: str | None = None) -> None:
        super().__init__(words)
        self.sqlstate = state


@pytest.mark.parametrize(
    ("state", "words", "is_a_persons"),
    [
        ("28P01", "", True),
        ("3D000", "", True),
        ("42501", "", True),
        ("3F000", "", True),
        ("57P01", "the database does not exist", False),
        ("42601", "", False),
        (None, "FATAL: password authentication failed for user", True),
        (None, "fe_sendauth: no password supplied", True),
        (None, 'FATAL: database "x" does not exist', True),
        (None, "FATAL: no pg_hba.conf entry for host", True),
        (None, "connection refused", False),
    ],
)
def test_what_a_person_has_to_mend_is_told_from_what_may_pass(state, words, is_a_persons):
    assert postgres.needs_mending(OperationalError("", {}, _Said(words, state))) is is_a_persons


@pytest.mark.parametrize(
    ("words", "told_so"),
    [
        ("connection failed: one\nFATAL:  two.\n\n", "FATAL:  two"),
        ("the password is secret, really secret", "the password is ***, really ***"),
        ("connection failed: refused\n\tIs the server running on that host?\n", "connection failed: refused"),
        ("connection failed:\nrefused\n\tIs the server running on that host?", "refused"),
        ("Did you mean it?", "Did you mean it?"),
        ("there is no role X.", "there is no role X"),
        ("x" * 300, "x" * 200),
        ("", ""),
    ],
)
def test_what_a_server_says_is_one_line_without_the_password(words, told_so):
    assert postgres.reason(_Said(words), make_url("postgresql://me:secret@h/d")) == told_so
    if "secret" not in words:
        assert postgres.reason(_Said(words), make_url("postgresql://me@h/d")) == told_so


def test_what_is_no_servers_word_is_told_as_it_is():
    assert postgres.reason(TimeoutError("nothing is free"), make_url("postgresql://h/d")) == "nothing is free"


def test_without_the_driver_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(ConfigurationError) as told:
        open_database("postgresql://h/d")
    assert said(told) == "A journal in PostgreSQL needs a driver: pip install 'tradehook[postgres]'."


def test_each_connection_to_a_server_has_its_limits_and_its_name(postgres):
    engine = open_database(postgres.new_database())
    with reading(engine) as connection:
        told = {
            name: connection.exec_driver_sql(f"SHOW {name}").scalar()
            for name in ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout", "application_name")
        }
        parameters = connection.connection.dbapi_connection.info.get_parameters()
        assert connection.exec_driver_sql("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'").scalar() == 0
    assert told == {
        "lock_timeout": "30s", "statement_timeout": "1min", "idle_in_transaction_session_timeout": "30s",
        "application_name": "tradehook",
    }  # fmt: skip
    assert parameters["connect_timeout"] == "10"
    assert "tcp_user_timeout=30000" in parameters["options"]
    engine.dispose()


@pytest.mark.parametrize(("preferred", "used"), [("off", "on"), ("local", "on"), ("remote_write", "remote_write")])
def test_what_is_committed_is_on_the_servers_disk(postgres, preferred, used):
    url = postgres.new_database()
    name = url.rpartition("?")[0].rpartition("/")[2]
    postgres.run(f"ALTER DATABASE {name} SET synchronous_commit = {preferred}")
    engine = open_database(url)
    with writing(engine) as connection:
        assert connection.exec_driver_sql("SHOW synchronous_commit").scalar() == used
    engine.dispose()


def test_a_connection_that_was_cut_while_it_waited_is_not_noticed(postgres):
    engine = open_database(postgres.new_database())
    with reading(engine) as connection:
        mine = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar()
    postgres.run(f"SELECT pg_terminate_backend({mine}, 5000)")
    with writing(engine) as connection:
        assert connection.exec_driver_sql("SELECT pg_backend_pid()").scalar() != mine
    engine.dispose()


def test_what_does_not_fit_a_column_or_cannot_be_reached_is_told(postgres):
    url = postgres.new_database()
    name = url.rpartition("?")[0].rpartition("/")[2]
    place = f"{name} at {postgres.folder}"
    engine = open_database(url)
    with pytest.raises(InvalidInput) as told, writing(engine) as connection:
        connection.exec_driver_sql("SELECT 'x'::varchar(1)::int")
    assert said(told) == ('What is to be stored does not fit the journal: invalid input syntax for type integer: "x".')
    with pytest.raises(JournalUnavailable) as told, reading(engine) as connection:
        connection.exec_driver_sql("SELECT 1 FROM nothing_there")
    assert said(told) == f'The journal {place} cannot be used now: relation "nothing_there" does not exist.'
    engine.dispose()
    gone = url.replace(str(postgres.folder), "/nowhere")
    with pytest.raises(JournalUnavailable, match=rf"^The journal {name} at /nowhere .* No such file or directory\.$"):
        Journal.open(gone)
    with pytest.raises(ConfigurationError) as told:
        Journal.open(url.replace(name, "no_such"))
    assert said(told).startswith(f"The journal no_such at {postgres.folder} cannot be used: ")
    assert said(told).endswith('FATAL:  database "no_such" does not exist.')
