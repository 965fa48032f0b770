"""How what was placed stands, as last seen at the exchange. What has ended never changes again."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from tradehook.desk import review
from tradehook.desk.events import add_event
from tradehook.desk.intents import PLACED, iso
from tradehook.desk.leases import is_held
from tradehook.desk.schema import reading, writing
from tradehook.desk.tables import CHANGE_INTENT, INTENT, INTENT_BY_ID

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection, Engine

    from tradehook.desk.deeds import Made

_AT_ONCE = 100
"""How many sightings one transaction records: others wait for no longer than that takes."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """An order or transfer that has not come to its end, as last seen."""

    intent_id: str
    kind: str
    exchange_id: str
    seen: Mapping[str, Any]

    def is_news(self, made: Made) -> bool:
        """Whether this differs from how it was last seen."""
        return _merged(self.seen, made) != self.seen


def waiting(engine: Engine, host: str, *, account_id: str) -> Sequence[Waiting]:
    """The orders and transfers of an account that have not come to their end, oldest first."""
    query = (
        select(INTENT.c.intent_id, INTENT.c.kind, INTENT.c.exchange_id, INTENT.c.seen)
        .where(INTENT.c.state.in_([str(state) for state in PLACED]), INTENT.c.is_final.is_(False))
        .where(INTENT.c.host == host, INTENT.c.account_id == account_id, INTENT.c.exchange_id.is_not(None))
        .order_by(INTENT.c.created_at)
    )
    with reading(engine) as connection:
        return [
            Waiting(row.intent_id, row.kind, row.exchange_id, json.loads(row.seen) if row.seen else {})
            for row in connection.execute(query)
        ]


def is_waiting(engine: Engine, host: str) -> bool:
    """Whether anything at this host has not come to its end, of whatever account."""
    query = (
        select(INTENT.c.intent_id)
        .where(INTENT.c.state.in_([str(state) for state in PLACED]), INTENT.c.is_final.is_(False))
        .where(INTENT.c.host == host, INTENT.c.exchange_id.is_not(None))
        .limit(1)
    )
    with reading(engine) as connection:
        return connection.execute(query).first() is not None


def youngest(engine: Engine, host: str, *, account_id: str | None = None) -> datetime | None:
    """When the last of the orders at this host was asked for that have not come to their end; `None` without any.

    One account's, if it is named.
    """
    query = select(func.max(INTENT.c.created_at)).where(
        INTENT.c.state.in_([str(state) for state in PLACED]), INTENT.c.is_final.is_(False)
    )
    query = query.where(INTENT.c.host == host, INTENT.c.kind == "order")
    if account_id is not None:
        query = query.where(INTENT.c.account_id == account_id)
    with reading(engine) as connection:
        found = connection.execute(query).scalar()
    return datetime.fromisoformat(found) if found is not None else None


def overdue(engine: Engine, host: str, *, at: datetime) -> Sequence[str]:
    """The intents at this host whose orders have rested for as long as they may, oldest first."""
    query = (
        select(INTENT.c.intent_id)
        .where(INTENT.c.state.in_([str(state) for state in PLACED]), INTENT.c.is_final.is_(False))
        .where(INTENT.c.host == host, INTENT.c.kind == "order", INTENT.c.exchange_id.is_not(None))
        .where(INTENT.c.good_until <= iso(at))
        .order_by(INTENT.c.created_at)
    )
    with reading(engine) as connection:
        return connection.execute(query).scalars().all()


def record(engine: Engine, sightings: Sequence[tuple[str, Made]], *, lease: str, owner: str) -> bool:
    """Record sightings, as long as the lease is the owner's; whether it was until the end.

    Whoever was stopped between looking and recording, while somebody else took over, records nothing that is old.
    """
    for start in range(0, len(sightings), _AT_ONCE):
        with writing(engine) as connection:
            if not is_held(connection, lease, owner=owner):
                return False
            for intent_id, made in sightings[start : start + _AT_ONCE]:
                see(connection, intent_id, made)
    return True


def see(connection: Connection, intent_id: str, made: Made) -> bool:
    """Record how an accepted order or transfer stands now; whether that is news."""
    row = connection.execute(INTENT_BY_ID, {"its_id": intent_id}).one()
    known = json.loads(row.seen) if row.seen else {}
    seen = _merged(known, made)
    if row.is_final or seen == known or row.exchange_id != made.exchange_id:
        return False
    values = {"seen": json.dumps(seen), "is_final": made.is_final, "updated_at": iso(datetime.now(UTC))}
    row = connection.execute(CHANGE_INTENT, {"its_id": intent_id, **values}).one()
    told = as_kept(made)
    detail = {f"{row.kind}_id": made.exchange_id, "status": str(made.status), "filled": told.get("filled")}
    add_event(connection, intent_id, row.kind, detail)
    review.conclude(connection, row)
    return True


def as_kept(made: Made) -> dict[str, Any]:
    """What is kept of an order or transfer; what is to be signed only while it may have to be signed again."""
    if made.awaits_signature:
        return {**made.to_dict(), "payloads": [payload.to_dict() for payload in made.payloads]}
    return made.model_copy(update={"payloads": ()}).to_dict()


def _merged(known: Mapping[str, Any], made: Made) -> dict[str, Any]:
    # A status alone must not wipe out what was known of it.
    return {**known, **{name: value for name, value in as_kept(made).items() if value is not None}}
