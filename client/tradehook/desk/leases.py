"""Who does what only one process may do, and until when unless it says so again.

A lease only saves work: whoever holds one may be stopped and wake up after it passed to somebody else. What must not
happen twice is guarded by the journal's own states, never by a lease.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert, select, update

from tradehook.desk.intents import is_alive, iso
from tradehook.desk.schema import reading, writing
from tradehook.desk.tables import LEASE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection, Engine, Row


@dataclass(frozen=True, slots=True)
class Lease:
    """Something that one process does now."""

    name: str
    owner: str
    until: datetime
    detail: Mapping[str, Any]
    """What the owner tells the others of it."""


class Leases:
    """The leases in one journal. An owner is `this_owner()`, with a part of its own where one process has several."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def take(
        self, name: str, *, owner: str, seconds: float, now: datetime, detail: Mapping[str, Any] | None = None
    ) -> Lease:
        """The lease as it stands after this try; it is the caller's exactly when it names the caller as its owner.

        One that is the caller's already is renewed. One that passed, or whose owner's process is gone, is taken over.
        May be repeated. While it is somebody else's, nothing is written.
        """
        with reading(self._engine) as connection:
            found = _find(connection, name)
        if found is not None and not _is_open(found, owner=owner, now=now):
            return found
        until = now + timedelta(seconds=seconds)
        values = {"owner": owner, "until": iso(until), "detail": json.dumps(dict(detail or {}))}
        with writing(self._engine) as connection:
            # Looked at again under the write lock: of two that found it free, one is first.
            found = _find(connection, name)
            if found is None:
                connection.execute(insert(LEASE).values(name=name, **values))
            elif _is_open(found, owner=owner, now=now):
                connection.execute(update(LEASE).where(LEASE.c.name == name).values(values))
            else:
                return found
        return Lease(name, owner, until, dict(detail or {}))

    def get(self, name: str) -> Lease | None:
        """The lease as it was last written, passed or not; `None` when nobody ever had it or it was given back."""
        with reading(self._engine) as connection:
            return _find(connection, name)

    def release(self, name: str, *, owner: str) -> bool:
        """Give it back, so that the next one need not wait; whether it was the caller's. May be repeated."""
        with writing(self._engine) as connection:
            done = connection.execute(delete(LEASE).where(LEASE.c.name == name, LEASE.c.owner == owner))
        return done.rowcount == 1


def is_held(connection: Connection, name: str, *, owner: str) -> bool:
    """Whether the lease still names this owner, inside a transaction that somebody holds."""
    found = _find(connection, name)
    return found is not None and found.owner == owner


def _is_open(lease: Lease, *, owner: str, now: datetime) -> bool:
    # An owner on another machine cannot be looked at: it counts as alive, and only time tells.
    return lease.owner == owner or lease.until <= now or not is_alive(lease.owner, sending_at=datetime.now(UTC))


def _find(connection: Connection, name: str) -> Lease | None:
    row = connection.execute(select(LEASE).where(LEASE.c.name == name)).one_or_none()
    return _read(row) if row is not None else None


def _read(row: Row[Any]) -> Lease:
    return Lease(row.name, row.owner, datetime.fromisoformat(row.until), json.loads(row.detail))
