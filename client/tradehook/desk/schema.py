"""Brings a database up to the newest migration, one process at a time.

The same way serves every package that keeps tables beside the journal: each has its migrations in a
folder and its version in a table of its own. Alembic is imported only when there is something to do.
"""

from __future__ import annotations

import sqlite3
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import URL, Engine, create_engine, event, inspect, text
from sqlalchemy.exc import DataError, DBAPIError, SQLAlchemyError

from tradehook.desk import postgres
from tradehook.desk.epoch import counter_of
from tradehook.errors import ConfigurationError, InvalidInput, JournalUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from sqlalchemy import Connection

_WAIT_MILLISECONDS = 30_000
_LEAST_SQLITE = (3, 35)
"""The first that tells what it changed (RETURNING)."""
_SWITCH_TRIES = 200
_SWITCH_PAUSE_SECONDS = 0.05


def open_database(url: str) -> Engine:
    """An engine for a journal's address; the folder is made if it is missing.

    Commits are durable when they return (WAL with synchronous=FULL), because what was recorded before
    a send must survive a power cut. Writes take the lock at their beginning, see `writing`.

    Raises:
        ConfigurationError: the address cannot be used.
    """
    if url.startswith(("postgresql://", "postgresql+psycopg://")):
        return postgres.open_server(url)
    if not url.startswith("sqlite:////") or "?" in url or not url.isprintable():
        # A path that depends on the current folder would mean two journals, and so two orders for one intent.
        raise ConfigurationError(
            "TRADEHOOK_JOURNAL_URL should be a whole path, like sqlite:////home/you/journal.db, without options; "
            "or a database in PostgreSQL, like postgresql://user@host/database."
        )
    if sqlite3.sqlite_version_info < _LEAST_SQLITE:
        raise ConfigurationError(
            f"The journal needs SQLite {'.'.join(map(str, _LEAST_SQLITE))} or newer, and this Python has "
            f"{sqlite3.sqlite_version}. Use a newer Python, or set TRADEHOOK_JOURNAL_URL to a database in PostgreSQL."
        )
    path = Path(url.removeprefix("sqlite:///"))
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not path.exists():
            path.touch(mode=0o600)
    except OSError as error:
        raise ConfigurationError(f"The journal at {path} cannot be made: {error.strerror}.") from None
    address = URL.create("sqlite", database=str(path))
    engine = create_engine(address, connect_args={"timeout": _WAIT_MILLISECONDS / 1000, "check_same_thread": False})

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves
        for pragma in (f"busy_timeout={_WAIT_MILLISECONDS}", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")
        _use_wal(connection)

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        is_writing = connection.get_execution_options().get("is_writing", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if is_writing else "BEGIN")

    return engine


def _use_wal(connection: sqlite3.Connection) -> None:
    """Switch a new database to WAL. Of two that switch at once, SQLite refuses one without waiting: try again."""
    for _ in range(_SWITCH_TRIES):
        if connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal":
            return
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error):
                raise
            time.sleep(_SWITCH_PAUSE_SECONDS)


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction that holds the write lock from its first moment, so that what it reads stays true.

    Raises:
        JournalUnavailable: the database is locked for too long, full, read-only or gone.
        InvalidInput: a text that cannot be stored.
    """
    with _told(engine), engine.connect().execution_options(is_writing=True) as connection:
        counter, count = counter_of(engine), None
        with connection.begin():
            before = _changes(connection) if counter else 0
            yield connection
            if counter and _changes(connection) != before:
                count = counter.rise(connection)
        if counter and count is not None:
            counter.tell(count)


def _changes(connection: Connection) -> int:
    """How many rows this connection to SQLite ever changed: what changed none must not cost a write."""
    return int(connection.connection.dbapi_connection.total_changes)  # type: ignore[union-attr]


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A connection to read from. Raises `JournalUnavailable` as `writing` does."""
    with _told(engine), engine.connect() as connection:
        yield connection


@contextmanager
def _told(engine: Engine) -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        if isinstance(error, DataError):
            # PostgreSQL minds what SQLite lets pass: a text too long for its column, a NUL in it.
            raise InvalidInput(f"What is to be stored does not fit the journal: {_reason(engine, error)}.") from None
        raise JournalUnavailable(f"The journal {shown(engine)} cannot be used now: {_reason(engine, error)}.") from None
    except UnicodeEncodeError:
        raise InvalidInput("What is to be stored holds bytes that are no text (UTF-8).") from None


def shown(engine: Engine) -> str:
    """What a message calls the database: a path, or a database and its host. Never a password."""
    return postgres.place(engine.url) if is_server(engine) else str(engine.url.database)


def is_server(engine: Engine) -> bool:
    """Whether it is PostgreSQL, and so for several machines."""
    return engine.dialect.name == "postgresql"


def _reason(engine: Engine, error: SQLAlchemyError) -> str:
    said = getattr(error, "orig", None)
    if is_server(engine):
        return postgres.reason(said or error, engine.url)
    return str(said or type(error).__name__)[:200]


def upgrade(engine: Engine, *, scripts: Path, version_table: str, newest: str, may_upgrade: bool = True) -> None:
    """Bring the tables up to `newest`. Safe to call from many processes at once.

    Args:
        engine: the database.
        scripts: the folder of the migrations.
        version_table: where the version is kept.
        newest: the version that is wanted.
        may_upgrade: whether tables that exist already may be changed. New ones are made in any case.

    Raises:
        ConfigurationError: the database was written by a newer version, cannot be opened, or waits for an
            upgrade that may not happen here.
        JournalUnavailable: a server that does not answer now.
    """
    try:
        found = _version(engine, version_table)
        if found == newest:
            return
        if found is not None and found < newest and not may_upgrade:
            raise ConfigurationError(
                f"The journal {shown(engine)} is of version {found}, this tradehook needs {newest}. Tasks never change "
                "it: stop what uses it, then run `tradehook journal upgrade`."
            )
        _migrate(engine, scripts=scripts, version_table=version_table, found=found)
    except DBAPIError as error:
        if is_server(engine) and not postgres.needs_mending(error):
            raise JournalUnavailable(
                f"The journal {shown(engine)} cannot be used now: {_reason(engine, error)}."
            ) from None
        raise ConfigurationError(f"The journal {shown(engine)} cannot be used: {_reason(engine, error)}.") from None


def _version(engine: Engine, version_table: str) -> str | None:
    with engine.connect() as connection:
        if not inspect(connection).has_table(version_table):
            return None
        return connection.execute(text(f"SELECT version_num FROM {version_table}")).scalar()  # noqa: S608 - our own name


def _migrate(engine: Engine, *, scripts: Path, version_table: str, found: str | None) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(scripts).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if found is not None and found not in known:
        raise ConfigurationError(
            f"The journal {shown(engine)} was written by a newer tradehook ({found}). Update tradehook."
        )
    with writing(engine) as connection:
        config.attributes["connection"] = connection
        config.attributes["version_table"] = version_table
        command.upgrade(config, "head")
