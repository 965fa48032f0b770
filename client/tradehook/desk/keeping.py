"""Whether this is the journal it was: on its own machine, and not older than it has been.

A journal from elsewhere is refused. One that was restored opens, so that doubts can be reconciled, but
nothing is sent from it until a person accepts it.
See: docs/how-to/keep-the-journal.md.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import socket
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import DBAPIError

from tradehook.desk.epoch import Counter, count_writes
from tradehook.desk.intents import iso
from tradehook.desk.schema import is_server, reading, writing
from tradehook.desk.tables import META
from tradehook.errors import ConfigurationError, GuardRefused, InvalidInput

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

MACHINE_ID = Path("/etc/machine-id")
MOUNTS = Path("/proc/self/mountinfo")

# Their locks do not hold between machines, or not between a machine and itself.
_NETWORK = frozenset(
    {
        *("nfs", "nfs4", "cifs", "smb", "smb2", "smb3", "smbfs", "afs", "ceph", "lustre", "davfs"),
        *("fuse.sshfs", "fuse.ceph", "fuse.glusterfs", "fuse.rclone", "fuse.s3fs", "fuse.gcsfuse", "fuse.davfs"),
    }
)
# A server is told by itself, its line of history, the database and the table: each restore changes one of them.
_SERVER = (
    "SELECT concat_ws('/', (SELECT system_identifier FROM pg_control_system()),"
    " substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8),"
    " (SELECT oid FROM pg_database WHERE datname = current_database()), 'intent'::regclass::oid)"
)
OTHER_HISTORY = "The server's history is another one: a restore, a failover or a copy."
_ALL = select(META.c.name, META.c.value)
_OCTAL = re.compile(r"\\([0-7]{3})")
_ACCEPT = (
    "Settle what is open (`tradehook intents reconcile`), look for orders and transfers that it lacks (`tradehook "
    "orders`, `tradehook transfers`), then type `tradehook journal accept-restore`."
)


def path_of(engine: Engine) -> Path | None:
    """The journal's file; `None` on a server."""
    return None if is_server(engine) else Path(str(engine.url.database))


# --- the machine ------------------------------------------------------------------------------------------------


def machine(path: Path) -> str:
    """What tells this machine from others, as a hash: its own id, else its name with an id beside the journal."""
    try:
        found = MACHINE_ID.read_text().strip()
    except OSError:
        found = ""
    if not found:
        found = f"{socket.gethostname()} {_id_beside(path)}"
    return hashlib.sha256(f"tradehook journal {found}".encode()).hexdigest()[:32]


def check_place(engine: Engine) -> None:
    """Refuse a journal in a file that is on a network, or belongs to another machine. Before it is upgraded.

    Raises:
        ConfigurationError: with what to do.
    """
    path = path_of(engine)
    if path is None:
        return
    kind = file_system(path)
    if kind in _NETWORK:
        raise ConfigurationError(
            f"The journal {path} is on a network file system ({kind}), where locks do not hold, so an order could be "
            "sent twice. Set TRADEHOOK_JOURNAL_URL to a file on this machine's own disk, or to PostgreSQL."
        )
    known = _known_machine(engine)
    if known is not None and known != machine(path):
        raise ConfigurationError(
            f"The journal {path} belongs to another machine. Two machines with a copy each would send twice. If it was "
            "moved here on purpose and nothing uses the old one, type `tradehook journal adopt`."
        )


def check_foreign(engine: Engine) -> Path:
    """The file of a journal that is to be adopted.

    Raises:
        InvalidInput: it is this machine's own already, or it is on a server.
    """
    path = path_of(engine)
    if path is None:
        raise InvalidInput("A journal in PostgreSQL belongs to no machine: there is nothing to adopt.")
    if _known_machine(engine) == machine(path):
        raise InvalidInput(f"The journal {path} belongs to this machine already.")
    return path


def adopt(engine: Engine, *, by: str, why: str = "") -> None:
    """Make a journal that was moved here this machine's own.

    Raises:
        InvalidInput: it is that already, or it is on a server.
    """
    path = check_foreign(engine)
    this = machine(path)
    with writing(engine) as connection:
        before = read_meta(connection).get("machine")
        if before == this:
            raise InvalidInput(f"The journal {path} belongs to this machine already.")
        _put(connection, "machine", this)
        _record(connection, "adopted", {"by": by, "why": why, "from": before, "to": this})


def file_system(path: Path) -> str:
    """The type of the file system that a path is on, as Linux names it; empty elsewhere."""
    try:
        # Only a new line ends one: a name may hold whatever else counts as such.
        mounts = [line for line in os.fsdecode(MOUNTS.read_bytes()).split("\n") if line]
    except OSError:
        return ""
    where, best, kind = path.resolve(), -1, ""
    for line in mounts:
        before, _, after = line.partition(" - ")
        point = Path(_OCTAL.sub(lambda code: chr(int(code[1], 8)), before.split(" ")[4]))
        # Of two mounts on one point, the later one is what is seen.
        if (point == where or point in where.parents) and len(point.parts) >= best:
            best, kind = len(point.parts), after.split(" ")[0]
    return kind


def _known_machine(engine: Engine) -> str | None:
    try:
        with engine.connect() as connection:
            if connection.exec_driver_sql("SELECT 1 FROM sqlite_master WHERE name = 'meta'").scalar() is None:
                return None
            return read_meta(connection).get("machine")
    except DBAPIError:
        return None  # what cannot be read at all is told by the upgrade that follows


def _id_beside(path: Path) -> str:
    """An id in a file beside the journal, made once: containers have no id of their own."""
    place = Path(f"{path.resolve()}.machine")
    try:
        # Whole or not at all: of two processes that make it at once, one wins.
        made = place.with_name(f"{place.name}.{os.getpid()}.{uuid.uuid4().hex}")
        if not place.exists():
            made.write_text(uuid.uuid4().hex)
            made.chmod(0o600)
            try:
                os.link(made, place)
            except FileExistsError:
                pass
            finally:
                made.unlink()
        return place.read_text().strip()
    except OSError as error:
        raise ConfigurationError(f"The file {place} cannot be made: {error.strerror}.") from None


# --- the epoch --------------------------------------------------------------------------------------------------


def settle(engine: Engine) -> None:
    """Notice whether the journal is older than it was, and count its writes from now on. After its upgrade.

    Raises:
        ConfigurationError: the file of the count cannot be used.
    """
    path = path_of(engine)
    if path is None:
        with reading(engine) as connection:
            meta, now = read_meta(connection), server_of(connection)
        if meta.get("server") != now:
            with writing(engine) as connection:
                known = read_meta(connection).get("server")
                if known is None:
                    _put(connection, "server", now)
                elif known != now:
                    hold(connection, OTHER_HISTORY)
        return
    counter = Counter(path)
    try:
        _settle_file(engine, path, counter)
    except OSError as error:
        raise ConfigurationError(_unusable(counter, error)) from None


def _settle_file(engine: Engine, path: Path, counter: Counter) -> None:
    with reading(engine) as connection:
        meta = read_meta(connection)
    told = counter.highest()
    count_writes(engine, counter)
    if "machine" in meta and "epoch" in meta and told is not None and int(meta["epoch"]) >= told:
        if int(meta["epoch"]) > told:
            counter.tell(int(meta["epoch"]))
        return
    with writing(engine) as connection:
        # Again, now that nobody else can change it.
        meta, told = read_meta(connection), counter.highest()
        if "machine" not in meta:
            _put(connection, "machine", machine(path))
        if why := _older(meta, counter, told):
            hold(connection, why)
        if "epoch" not in meta:
            _put(connection, "epoch", "0")
        counter.make()


def _older(meta: dict[str, str], counter: Counter, told: int | None) -> str | None:
    """Why a journal may be older than it was, from its own count and the highest that was told."""
    if told is None:
        missing = f"The file {counter.path.name} is missing beside it, so it may be an older copy."
        return missing if "epoch" in meta else None
    if int(meta.get("epoch", 0)) < told:
        return f"It counts {meta.get('epoch', 0)} writes, but there were {told}: it is an older copy."
    return None


def why_held(engine: Engine) -> tuple[str, str] | None:
    """What the next order would be told if nothing may be sent: by `place` or by `epoch`, and why. Changes nothing."""
    try:
        check_place(engine)
    except ConfigurationError as error:
        return "place", error.message
    return _why_older(engine)


def check_held(engine: Engine) -> str:
    """Why nothing is sent from this journal that could be accepted. Changes nothing.

    Raises:
        InvalidInput: nothing is held against it.
    """
    found = _why_older(engine)
    if found is None:
        raise InvalidInput("The journal is the one it was: there is nothing to accept.")
    return found[1]


def _why_older(engine: Engine) -> tuple[str, str] | None:
    path, told = path_of(engine), None
    counter = Counter(path) if path is not None else None
    if counter is not None:
        try:
            # Before the journal is read: what others write meanwhile makes no older copy of it.
            told = counter.highest()
        except OSError as error:
            return "place", _unusable(counter, error)
    with reading(engine) as connection:
        meta = read_meta(connection)
        if "restored" in meta:
            return "epoch", str(json.loads(meta["restored"])["why"])
        if counter is not None:
            why = _older(meta, counter, told)
        else:
            why = OTHER_HISTORY if "server" in meta and meta["server"] != server_of(connection) else None
    return ("epoch", why) if why else None


def _unusable(counter: Counter, error: OSError) -> str:
    return f"The file {counter.path} belongs to the journal and cannot be used: {error.strerror}."


def check_may_send(connection: Connection) -> None:
    """Refuse to send from a journal that is older than it was. In the transaction that takes the intent.

    Raises:
        GuardRefused: `rule` is `epoch`.
    """
    meta = read_meta(connection)
    if "restored" in meta:
        why = str(json.loads(meta["restored"])["why"])
    elif connection.dialect.name == "postgresql" and meta.get("server") != server_of(connection):
        why = OTHER_HISTORY
    else:
        return
    raise GuardRefused(
        f"Nothing is sent from this journal: it may not know what was sent last. {why} {_ACCEPT}",
        rule="epoch",
        actual="restored",
    )


def accept_restore(engine: Engine, *, by: str, why: str = "") -> dict[str, Any]:
    """Let a journal send again that was held; returns what was held against it.

    Raises:
        InvalidInput: nothing is held against it.
    """
    path = path_of(engine)
    with writing(engine) as connection:
        meta = read_meta(connection)
        now = server_of(connection) if path is None else None
        held = json.loads(meta.get("restored", "{}"))
        if path is not None and not held:
            # Nobody opened it for sending since it became older, so it was not marked yet.
            counter = Counter(path)
            reason = _older(meta, counter, counter.highest())
            held = {"why": reason} if reason else {}
        if not held and (now is None or meta.get("server") == now):
            raise InvalidInput("The journal is the one it was: there is nothing to accept.")
        connection.execute(delete(META).where(META.c.name == "restored"))
        if now is not None:
            _put(connection, "server", now)
        if path is not None:
            counter = Counter(path)
            counter.make()
            count_writes(engine, counter)
            _put(connection, "epoch", str(max(int(meta.get("epoch", 0)), counter.highest() or 0)))
        _record(connection, "accepted", {"by": by, "why": why, "held": held})
    return dict(held)


def hold(connection: Connection, why: str) -> None:
    """From now on, nothing is sent from this journal. The first reason stays."""
    if "restored" not in read_meta(connection):
        _put(connection, "restored", json.dumps({"at": iso(datetime.now(UTC)), "why": why}))


def server_of(connection: Connection) -> str:
    """What tells a PostgreSQL server with its history from every other."""
    return str(connection.exec_driver_sql(_SERVER).scalar_one())


def read_meta(connection: Connection) -> dict[str, str]:
    """What the journal knows of itself."""
    return {row.name: row.value for row in connection.execute(_ALL)}


def _put(connection: Connection, name: str, value: str) -> None:
    if connection.execute(update(META).where(META.c.name == name).values(value=value)).rowcount == 0:
        connection.execute(insert(META).values(name=name, value=value))


def _record(connection: Connection, what: str, detail: dict[str, Any]) -> None:
    """Keep who did something to the journal itself; these rows are never changed."""
    now = iso(datetime.now(UTC))
    connection.execute(insert(META).values(name=f"{what} {now}", value=json.dumps({"at": now, **detail})))
