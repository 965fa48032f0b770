"""Copies of a journal: made while it is used, brought back into a new place, and what fills it thinned out."""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, exists, func, inspect, make_url, or_, select, text, update

from tradehook.desk import keeping, postgres
from tradehook.desk.events import add_event
from tradehook.desk.intents import PLACED, State, iso
from tradehook.desk.schema import open_database, reading, shown, writing
from tradehook.desk.tables import EVENT, INTENT
from tradehook.errors import ConfigurationError, InvalidInput, JournalUnavailable

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

_VERSION = "SELECT version_num FROM tradehook_version"
# Longer than every window, horizon and rerun that could ask for what is dropped.
_SHORTEST = timedelta(days=30)
_PRUNED = "pruned"
_BATCH = 500


def open_to_look(url: str) -> Engine:
    """An engine for a journal that exists, without upgrading it and without asking whose it is.

    Raises:
        InvalidInput: there is none.
        ConfigurationError: the address cannot be used.
    """
    engine = find(url)
    if engine is None:
        where = url.removeprefix("sqlite:///") if url.startswith("sqlite:") else postgres.place(make_url(url))
        raise InvalidInput(
            f"There is no journal in {where} yet. The first order makes one, or `tradehook journal upgrade`."
        )
    return engine


def find(url: str) -> Engine | None:
    """The same; `None` where there is no journal yet. Raises `ConfigurationError`."""
    if url.startswith("sqlite:////") and not Path(url.removeprefix("sqlite:///")).exists():
        return None
    engine = open_database(url)
    try:
        with reading(engine) as connection:
            is_there = inspect(connection).has_table("meta") and inspect(connection).has_table("tradehook_version")
    except BaseException:
        engine.dispose()
        raise
    if is_there:
        return engine
    engine.dispose()
    return None


def status(engine: Engine) -> dict[str, Any]:
    """What a journal is, holds, and whether it is whole. Reads everything; changes nothing."""
    path = keeping.path_of(engine)
    held_by, held = keeping.why_held(engine) or (None, None)
    with reading(engine) as connection:
        meta = keeping.read_meta(connection)
        states = select(INTENT.c.state, func.count()).group_by(INTENT.c.state).order_by(INTENT.c.state)
        times = connection.execute(select(func.min(INTENT.c.created_at), func.max(INTENT.c.created_at))).one()
        return {
            "journal": shown(engine),
            "kind": engine.dialect.name,
            "version": connection.execute(text(_VERSION)).scalar(),
            "bytes": _size(connection, path),
            "intents": {row[0]: row[1] for row in connection.execute(states)},
            "events": connection.execute(select(func.count()).select_from(EVENT)).scalar_one(),
            "oldest": times[0],
            "newest": times[1],
            "machine": _machine_words(meta, path),
            "epoch": int(meta["epoch"]) if "epoch" in meta else None,
            "held": held,
            "held_by": held_by,
            "integrity": _integrity(connection, path),
        }


def backup(engine: Engine, target: Path) -> dict[str, Any]:
    """A whole copy of a journal that may be in use, checked, in a file that did not exist.

    Raises:
        InvalidInput: the file exists, or the journal is on a server.
        ConfigurationError: the file cannot be made.
        JournalUnavailable: the journal cannot be read now, or the copy is not whole.
    """
    path = keeping.path_of(engine)
    if path is None:
        address = engine.url
        where = f"-h {address.host or address.query.get('host')} -U {address.username or 'USER'}"
        raise InvalidInput(
            f"A journal in PostgreSQL is copied by PostgreSQL's own program: pg_dump -Fc {where} "
            f"-f journal.dump {address.database}. What it copies is the journal at one moment."
        )
    copied = _copy(path, target)
    return {"backup": str(target), "bytes": target.stat().st_size, "intents": copied}


def restore(source: Path, url: str, *, by: str) -> dict[str, Any]:
    """Bring a copy back as the journal of this address, where there is none. Nothing is sent from it until accepted.

    Raises:
        InvalidInput: the copy is missing or is no journal, a journal is there already, or the address is a server's.
        ConfigurationError: the file cannot be made.
    """
    if not url.startswith("sqlite:////"):
        raise InvalidInput(
            "A journal in PostgreSQL is brought back by PostgreSQL's own program: pg_restore. tradehook notices it and "
            "sends nothing until `tradehook journal accept-restore`."
        )
    path = Path(url.removeprefix("sqlite:///"))
    if not source.is_file():
        raise InvalidInput(f"There is no file {source}.")
    # A log of the old journal must never be played into the copy.
    if there := [found for end in ("", "-wal", "-shm") if (found := Path(f"{path}{end}")).exists()]:
        raise InvalidInput(
            f"There is a journal at {there[0]} already, and it may know more than the copy. Stop what uses it, move it "
            "away with its -wal and -shm files (leave the .epoch file), and try again."
        )
    _check_is_journal(source)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    # The mark is made before the copy gets its name: there is no moment in which it could send.
    copied = _copy(source, path, mark={"by": by, "from": str(source)})
    return {"journal": str(path), "from": str(source), "intents": copied}


def prune(engine: Engine, *, older_than: timedelta, by: str, now: datetime | None = None) -> dict[str, int]:
    """Drop the stories of intents that ended long ago, and what was only there to find them again.

    Ids, states, exchange ids stay for good, and so does what was asked and what came of it: a rerun is still told that.

    Raises:
        InvalidInput: less than 30 days.
    """
    if older_than < _SHORTEST:
        raise InvalidInput(f"--older-than can be {_SHORTEST.days}d or more: what is younger may still be asked for.")
    before = iso((now or datetime.now(UTC)) - older_than)
    ended = or_(
        INTENT.c.state == str(State.REJECTED),
        INTENT.c.state.in_([str(state) for state in PLACED]) & INTENT.c.is_final.is_(True),
    )
    told = exists().where(EVENT.c.intent_id == INTENT.c.intent_id, EVENT.c.what != _PRUNED)
    query = select(INTENT.c.intent_id).where(ended, INTENT.c.updated_at < before, told).limit(_BATCH)
    intents = events = 0
    while True:
        # In batches: no order waits long behind this.
        with writing(engine) as connection:
            found = connection.execute(query).scalars().all()
            for intent_id in found:
                # Added before the others go: the highest number of an event is never given twice.
                add_event(connection, intent_id, _PRUNED, {"by": by})
                mine = (EVENT.c.intent_id == intent_id) & (EVENT.c.what != _PRUNED)
                events += connection.execute(delete(EVENT).where(mine)).rowcount
                row = INTENT.c.intent_id == intent_id
                connection.execute(update(INTENT).where(row).values(error=None, baseline=None))
        intents += len(found)
        if len(found) < _BATCH:
            return {"intents": intents, "events": events}


def _copy(source: Path, target: Path, *, mark: dict[str, str] | None = None) -> int:
    """Copy a database by SQLite itself, whole or not at all; returns how many intents it holds."""
    part = target.with_name(f"{target.name}.part")
    try:
        if target.exists():
            raise InvalidInput(f"The file {target} exists. Name one that does not.")
        os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        raise InvalidInput(f"The file {part} is there: another copy is being made, or one was cut off.") from None
    except OSError as error:
        raise ConfigurationError(f"The file {target} cannot be made: {error.strerror}.") from None
    try:
        with closing(_read_only(source)) as old, closing(sqlite3.connect(part)) as new:
            old.backup(new)
            # One file, without a log beside it, is what people copy on.
            new.execute("PRAGMA journal_mode=DELETE")
            if mark is not None:
                _mark(new, mark)
            found = new.execute("PRAGMA integrity_check").fetchone()[0]
            if found != "ok":
                raise JournalUnavailable(f"The copy of {source} is not whole: {str(found)[:200]}.")
            intents = int(new.execute("SELECT count(*) FROM intent").fetchone()[0])
        _sync(part)
        _name(part, target)
        _sync(target.parent)
    except FileExistsError:
        raise InvalidInput(f"The file {target} exists. Name one that does not.") from None
    except sqlite3.Error as error:
        raise JournalUnavailable(f"The journal {source} cannot be copied now: {error}.") from None
    except OSError as error:
        raise ConfigurationError(f"The file {target} cannot be made: {error.strerror}.") from None
    finally:
        part.unlink(missing_ok=True)
    return intents


def _name(part: Path, target: Path) -> None:
    """Give the copy its name, never over a file that came meanwhile."""
    try:
        os.link(part, target)
    except FileExistsError:
        raise
    except OSError:
        # A stick or a share without hard links.
        if target.exists():
            raise FileExistsError from None
        part.rename(target)


def _mark(database: sqlite3.Connection, mark: dict[str, str]) -> None:
    now = iso(datetime.now(UTC))
    why = f"It was restored from {Path(mark['from']).name}."
    rows = {
        "restored": json.dumps({"at": now, "why": why}),
        "machine": None,
        f"restored {now}": json.dumps({"at": now, **mark}),
    }
    with database:
        for name, value in rows.items():
            database.execute("DELETE FROM meta WHERE name = ?", (name,))
            if value is not None:
                database.execute("INSERT INTO meta (name, value) VALUES (?, ?)", (name, value))


def _check_is_journal(file: Path) -> None:
    try:
        with closing(_read_only(file)) as database:
            database.execute(_VERSION).fetchone()
    except sqlite3.Error as error:
        raise InvalidInput(f"The file {file} is no journal: {error}.") from None


def _read_only(file: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True, timeout=30)


def _sync(path: Path) -> None:
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def _size(connection: Connection, path: Path | None) -> int:
    if path is None:
        return int(connection.exec_driver_sql("SELECT pg_database_size(current_database())").scalar_one())
    beside = (Path(f"{path}{end}") for end in ("", "-wal"))
    return sum(file.stat().st_size for file in beside if file.exists())


def _machine_words(meta: dict[str, str], path: Path | None) -> str:
    if path is None:
        return "none"
    known = meta.get("machine")
    if known is None:
        return "not known yet"
    return "this one" if known == keeping.machine(path) else "another one"


def _integrity(connection: Connection, path: Path | None) -> str:
    if path is None:
        kept = connection.exec_driver_sql("SHOW data_checksums").scalar_one()
        return f"the server's own (data checksums are {kept})"
    found = [str(row[0]) for row in connection.exec_driver_sql("PRAGMA integrity_check")]
    loose = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
    if loose:
        found = [*(line for line in found if line != "ok"), f"{len(loose)} events without their intent"]
    return "; ".join(found)[:400]
