"""What an account sent or may have sent, and what it weighs in the windows of its limits. Reads the journal only."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from sqlalchemy import or_, select

from tradehook.desk import worth
from tradehook.desk.intents import IN_DOUBT, PLACED, SENDERS, State, is_alive, iso
from tradehook.desk.tables import INTENT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection, Row

COUNTED = (*SENDERS, State.CREATED, *IN_DOUBT, *PLACED)
"""What was sent or may have been; REJECTED was not, and PREPARED is not yet or not any more."""
IN_FLIGHT = (*SENDERS, State.CREATED, State.UNKNOWN)
_HOUR = timedelta(hours=1)
_SLACK = timedelta(minutes=1)
"""Times are compared as text first, where fractions of a second are written or not; then exactly."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What something else of the account weighs."""

    intent_id: str
    kind: str
    state: State
    is_unknown: bool
    at: datetime
    worth: Decimal
    request: Mapping[str, Any] | None


def sent_by(
    connection: Connection, *, host: str, account_id: str, since: datetime, now: datetime, but: str = ""
) -> Sequence[Sent]:
    """What the account sent since then or in the last hour, and what is under way or in doubt however old.

    `but`: an intent that does not count.
    """
    earliest = iso(min(since, now - _HOUR) - _SLACK)
    pending = [str(state) for state in (*SENDERS, State.CREATED, *IN_DOUBT)]
    names = "intent_id kind state owner sending_at notional is_final seen request".split()  # noqa: SIM905 - columns
    query = (
        select(*(INTENT.c[name] for name in names))
        .where(INTENT.c.host == host, INTENT.c.account_id == account_id)
        .where(INTENT.c.kind != "plan", INTENT.c.intent_id != but)
        .where(INTENT.c.state.in_([str(state) for state in COUNTED]))
        .where(or_(INTENT.c.sending_at >= earliest, INTENT.c.state.in_(pending)))
        .order_by(INTENT.c.sending_at)
    )
    return [_sent(row) for row in connection.execute(query)]


def _sent(row: Row[Any]) -> Sent:
    state, at = State(row.state), datetime.fromisoformat(row.sending_at)
    reserved = Decimal(row.notional) if row.notional else Decimal(0)
    is_over = row.kind == "order" and row.is_final and row.seen
    return Sent(
        intent_id=row.intent_id,
        kind=row.kind,
        state=state,
        is_unknown=state in IN_DOUBT
        or (state in SENDERS and not (row.owner is not None and is_alive(row.owner, sending_at=at))),
        at=at,
        worth=worth.counted(reserved, json.loads(row.seen) if is_over else None),
        request=json.loads(row.request) if row.request and (row.kind == "transfer" or state not in PLACED) else None,
    )


def day_of(zone: str, now: datetime) -> tuple[datetime, datetime]:
    """When the day of a zone began and when it ends; 23 or 25 hours apart when clocks change."""
    where = ZoneInfo(zone)
    today = now.astimezone(where).date()
    begins, ends = (
        datetime.combine(day, time.min, tzinfo=where).astimezone(UTC) for day in (today, today + timedelta(days=1))
    )
    return begins, ends
