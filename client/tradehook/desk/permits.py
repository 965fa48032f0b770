"""The store of request permits: one sliding window for all processes that share a key.

It lies beside a SQLite journal, in a file of its own, or in the database of a journal in PostgreSQL. It holds nothing
but what was counted in the last minute, so it need not survive a power cut, and whoever finds it broken may delete it.

A row is a batch: how many permits were taken, and until when they may be used. It counts until a window after that, or
after its last use once the process that took it has said when that was.
"""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from tradehook.budget import BATCH_SECONDS, Granted, StoreUnavailable
from tradehook.errors import TradehookError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tradehook.budget import Spent
    from tradehook.contract import Exchange

_WAIT_SECONDS = 2
"""How long another process may hold the store before it counts as unusable: a count takes less than a millisecond."""
_PAUSE_SECONDS = 0.01
_COLUMNS = "(batch {key}, scope VARCHAR(64) NOT NULL, count BIGINT NOT NULL, until {number} NOT NULL)"
_SHARE_OF_REST = 4
"""Nobody takes more than this part of what is left at once, as long as it is more than one."""
_ALL = 10**12


class Store(Protocol):
    """Where rows are kept."""

    def transaction(self, scope: str) -> Any:
        """A context in which nobody else changes this scope: gives `run(sql, *values)` and the time in seconds."""
        ...


class StoredPermits:
    """The permits of one key. Safe for processes; its `Budget` lets one thread at a time in."""

    def __init__(self, store: Store, *, scope: str) -> None:
        self._store = store
        # Keys have names; they are nobody's business here.
        self._scope = sha256(scope.encode()).hexdigest()

    def lease(self, wanted: int, *, most: int, window_seconds: float, spent: Spent | None) -> Granted:
        """See `Permits.lease`."""
        with self._store.transaction(self._scope) as (run, now):
            if spent is not None:
                self._settle(run, spent, now=now)
            rows = self._rows(run, now, window_seconds)
            free = most - sum(count for count, _ in rows)
            if free <= 0:
                return Granted(0, 0, self._wait(rows, most=most, now=now, window_seconds=window_seconds))
            count = min(wanted, max(free // _SHARE_OF_REST, 1))
            added = "INSERT INTO permit (scope, count, until) VALUES (?, ?, ?) RETURNING batch"
            ((batch,),) = run(added, self._scope, count, now + BATCH_SECONDS)
            return Granted(batch, count, 0.0)

    def settle(self, spent: Spent) -> None:
        """See `Permits.settle`."""
        with self._store.transaction(self._scope) as (run, now):
            self._settle(run, spent, now=now)

    def _settle(self, run: Callable[..., list[Any]], spent: Spent, *, now: float) -> None:
        settled = "UPDATE permit SET count = ?, until = ? WHERE batch = ? AND scope = ?"
        run(settled, spent.used, now - spent.idle_seconds, spent.batch, self._scope)

    def out(self, *, window_seconds: float) -> int:
        """See `Permits.out`."""
        with self._store.transaction(self._scope) as (run, now):
            return sum(count for count, _ in self._rows(run, now, window_seconds))

    def close_window(self, seconds: float, *, window_seconds: float) -> None:
        """See `Permits.close_window`: one row that takes everything, and leaves the window when it opens again."""
        with self._store.transaction(self._scope) as (run, now):
            self._rows(run, now, window_seconds)
            closed = "INSERT INTO permit (scope, count, until) VALUES (?, ?, ?) RETURNING batch"
            run(closed, self._scope, _ALL, now + seconds - window_seconds)

    def _rows(self, run: Callable[..., list[Any]], now: float, window_seconds: float) -> list[tuple[int, float]]:
        """What counts now, oldest first; what does not any more is taken away."""
        # What lies further ahead than a batch can last is from before a restart of the machine, whose clock began anew.
        past, ahead = now - window_seconds, now + BATCH_SECONDS + 1
        run("DELETE FROM permit WHERE scope = ? AND (until <= ? OR until > ?)", self._scope, past, ahead)
        return [(int(row[0]), row[1]) for row in run(_READ, self._scope)]

    def _wait(self, rows: list[tuple[int, float]], *, most: int, now: float, window_seconds: float) -> float:
        total = sum(count for count, _ in rows)
        for count, until in rows:
            total -= count
            if total < most:
                # Not longer than a batch lasts: then others have given back what they did not use.
                return min(max(until + window_seconds - now, 0.01), BATCH_SECONDS)
        return BATCH_SECONDS  # pragma: no cover - without rows everything is free


_READ = "SELECT count, until FROM permit WHERE scope = ? ORDER BY until"


class SqliteStore:
    """A file for the processes of one machine. Their clock is the machine's own, which nobody sets."""

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.path = path
        self._clock = clock
        self._connection: sqlite3.Connection | None = None
        self._process = 0
        self._inherited: list[sqlite3.Connection | None] = []

    @contextmanager
    def transaction(self, scope: str) -> Iterator[tuple[Callable[..., list[Any]], float]]:  # noqa: ARG002 - one lock
        """Hold the file's write lock. Raises `StoreUnavailable`."""
        try:
            connection = self._open()
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield lambda sql, *values: connection.execute(sql, values).fetchall(), self._clock()
                connection.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")
                raise
        except (sqlite3.Error, OSError) as error:
            self._connection = None
            raise StoreUnavailable(
                f"{self.path}: {error}. It only counts the requests of the last minute: if it is broken, delete it."
            ) from None

    def _open(self) -> sqlite3.Connection:
        if self._connection is not None and self._process == os.getpid():
            return self._connection
        # A connection that came by a fork must not even be closed here: that would give up the parent's locks.
        if self._process != os.getpid():
            self._inherited.append(self._connection)
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not self.path.exists():
            self.path.touch(mode=0o600)
        connection = sqlite3.connect(self.path, timeout=_WAIT_SECONDS, isolation_level=None, check_same_thread=False)
        _use_wal(connection)
        connection.execute("PRAGMA synchronous=NORMAL")
        columns = _COLUMNS.format(key="INTEGER PRIMARY KEY AUTOINCREMENT", number="REAL")
        connection.execute(f"CREATE TABLE IF NOT EXISTS permit {columns}")
        self._connection, self._process = connection, os.getpid()
        return connection


def _use_wal(connection: sqlite3.Connection) -> None:
    """Switch a new file to WAL. Of two that switch at once, SQLite refuses one without waiting: try again."""
    until = time.monotonic() + _WAIT_SECONDS
    while connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > until:
                raise
            time.sleep(_PAUSE_SECONDS)


class ServerStore:
    """A table in the journal's database, for several machines. Their clock is the server's."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._engine: Any = None
        self._process = 0
        self._inherited: list[Any] = []

    @contextmanager
    def transaction(self, scope: str) -> Iterator[tuple[Callable[..., list[Any]], float]]:
        """Hold a lock of this scope alone, so that nobody waits for the journal. Raises `StoreUnavailable`."""
        from sqlalchemy.exc import SQLAlchemyError

        from tradehook.desk.postgres import place, reason

        try:
            with self._open().begin() as connection:

                def run(sql: str, *values: Any) -> list[Any]:
                    done = connection.exec_driver_sql(sql.replace("?", "%s"), values)
                    return list(done) if done.returns_rows else []

                run(f"SET LOCAL lock_timeout = '{_WAIT_SECONDS}s'")
                run("SET LOCAL synchronous_commit = off")
                run("SELECT pg_advisory_xact_lock(hashtextextended(?, 0))", scope)
                ((now,),) = run("SELECT EXTRACT(EPOCH FROM clock_timestamp())::float8")
                yield run, now
        except SQLAlchemyError as error:
            engine, self._engine = self._engine, None
            if engine is None:
                raise StoreUnavailable(type(error).__name__) from None
            engine.dispose()
            said = reason(getattr(error, "orig", None) or error, engine.url)
            raise StoreUnavailable(f"{place(engine.url)}: {said}.") from None
        except TradehookError as error:
            raise StoreUnavailable(error.message) from None

    def _open(self) -> Any:
        from tradehook.desk.postgres import LOCK, open_server

        if self._engine is not None and self._process == os.getpid():
            return self._engine
        if self._process != os.getpid():
            self._inherited.append(self._engine)  # its sockets are the parent's
        self._engine, self._process = open_server(self._url), os.getpid()
        columns = _COLUMNS.format(key="BIGSERIAL PRIMARY KEY", number="DOUBLE PRECISION")
        with self._engine.begin() as connection:
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK + 1})")  # of two that make it, one waits
            connection.exec_driver_sql(f"CREATE UNLOGGED TABLE IF NOT EXISTS permit {columns}")
        return self._engine


def share_budget(exchange: Exchange, journal_url: str) -> Exchange:
    """The same account, whose budget is shared from now on with all that use this journal and key. Opens nothing yet.

    A journal whose address cannot be used has no store: whatever would write says so when it opens the journal.
    """
    budget = exchange.session.budget
    if budget.scope and journal_url.startswith(("postgresql://", "postgresql+psycopg://")):
        budget.share(StoredPermits(ServerStore(journal_url), scope=budget.scope))
    elif budget.scope and journal_url.startswith("sqlite:////") and "?" not in journal_url:
        path = Path(journal_url.removeprefix("sqlite:///")).resolve()
        budget.share(StoredPermits(SqliteStore(Path(f"{path}.permits")), scope=budget.scope))
    return exchange
