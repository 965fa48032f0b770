"""The story of each intent: one row for each thing that happened, never changed and never taken away.

Rows are written one transaction after the other, so their numbers rise in the order in which they can be read: who
keeps the number of the last one it was told of, and asks for what came after it, is told everything once.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, insert, select

from tradehook.desk.intents import iso
from tradehook.desk.schema import reading
from tradehook.desk.tables import EVENT, INTENT

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from sqlalchemy import Connection, Engine

# Without `.inline()`, PostgreSQL would be asked for the number that it gave, and nobody wants to know it.
_ADD = insert(EVENT).inline()


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to an intent."""

    event_id: int
    intent_id: str
    at: datetime
    what: str
    """`prepared`, `sending`, `accepted`, ...; `order` and `transfer` for how what was placed stands now."""
    detail: Mapping[str, Any]


def add_event(connection: Connection, intent_id: str, what: str, detail: Mapping[str, Any]) -> None:
    """Add to an intent's story, in the transaction that makes it so."""
    now = iso(datetime.now(UTC))
    connection.execute(_ADD, {"intent_id": intent_id, "at": now, "what": what, "detail": json.dumps(dict(detail))})


def newest_event(engine: Engine, *, before: datetime | None = None) -> int:
    """The number of the last event, or of the last before a moment; 0 before the first."""
    query = select(func.max(EVENT.c.event_id))
    if before is not None:
        query = query.where(EVENT.c.at < iso(before))
    with reading(engine) as connection:
        return connection.execute(query).scalar() or 0


def events_after(
    engine: Engine,
    event_id: int,
    *,
    kinds: Collection[str] = (),
    limit: int = 200,
    host: str | None = None,
    account_id: str | None = None,
) -> Sequence[Event]:
    """What happened after an event, oldest first; see `Journal.events_after`.

    With `host` and `account_id`, only to the intents of these.
    """
    query = select(EVENT).where(EVENT.c.event_id > event_id).order_by(EVENT.c.event_id).limit(limit)
    if kinds:
        query = query.where(EVENT.c.what.in_([*kinds]))
    if host is not None:
        query = query.join(INTENT, INTENT.c.intent_id == EVENT.c.intent_id).where(INTENT.c.host == host)
        if account_id is not None:
            query = query.where(INTENT.c.account_id == account_id)
    with reading(engine) as connection:
        return [
            Event(row.event_id, row.intent_id, datetime.fromisoformat(row.at), row.what, json.loads(row.detail))
            for row in connection.execute(query)
        ]
