"""What an account sent or may have sent, and what it weighs in the windows of its limits. Reads the journal only."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from sqlalchemy import bindparam, case, or_, select

from tradehook.desk.intents import IN_DOUBT, PLACED, SENDERS, State, is_alive, iso
from tradehook.desk.tables import INTENT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection, Row

_PENDING = [str(state) for state in (*SENDERS, State.CREATED, *IN_DOUBT)]
_PLACED = [str(state) for state in PLACED]
"""These two count; REJECTED was not sent, and PREPARED is not yet or not any more."""
IN_FLIGHT = (*SENDERS, State.CREATED, State.UNKNOWN)
TRADES = ("order", "futures")
"""The kinds that count against the limits of orders."""
_HOUR = timedelta(hours=1)
_SLACK = timedelta(minutes=1)
"""Times are compared as text first, where fractions of a second are written or not; then exactly."""

_WEIGHED = (
    select(
        *(INTENT.c[name] for name in ("intent_id", "kind", "state", "owner", "sending_at", "notional")),
        # What is only summed needs no request: there may be thousands of it.
        case((or_(INTENT.c.kind == "transfer", INTENT.c.state.not_in(_PLACED)), INTENT.c.request)).label("request"),
    )
    .where(INTENT.c.host == bindparam("its_host"), INTENT.c.account_id == bindparam("its_account"))
    .where(INTENT.c.kind != "plan", INTENT.c.intent_id != bindparam("its_id"))
)
_UNDER_WAY = _WEIGHED.where(INTENT.c.state.in_(_PENDING))
_PLAN = INTENT.alias()
_OVERTAKEN = (
    select(INTENT.c.parent_id)
    .where(INTENT.c.host == bindparam("its_host"), INTENT.c.account_id == bindparam("its_account"))
    .where(INTENT.c.parent_id != bindparam("its_plan"), INTENT.c.state.in_([*_PENDING, *_PLACED]))
    .where(
        INTENT.c.sending_at
        > select(_PLAN.c.created_at).where(_PLAN.c.intent_id == bindparam("its_plan")).scalar_subquery()
    )
    .order_by(INTENT.c.sending_at)
    .limit(1)
)
_SINCE = _WEIGHED.where(INTENT.c.state.in_(_PLACED), INTENT.c.sending_at >= bindparam("earliest"))


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
    connection: Connection, *, host: str, account_id: str, since: datetime | None, now: datetime, but: str = ""
) -> Sequence[Sent]:
    """What the account sent since then or in the last hour, and what is under way or in doubt however old.

    Args:
        connection: a transaction.
        host: the exchange's.
        account_id: whose money it is.
        since: `None` for only what is under way or in doubt.
        now: the moment that the hour ends at.
        but: an intent that does not count.
    """
    which = {"its_host": host, "its_account": account_id, "its_id": but}
    rows = [*connection.execute(_UNDER_WAY, which)]
    if since is not None:
        rows += connection.execute(_SINCE, {**which, "earliest": iso(min(since, now - _HOUR) - _SLACK)})
    return sorted((_sent(row) for row in rows if not _is_let_go(row)), key=lambda sent: sent.at)


def overtaken_words(plan_id: str) -> str:
    """Why a leg of a plan that was overtaken is not sent."""
    return (
        f"Another rebalance of this account was carried out since this plan was made (intent {plan_id}), so what it "
        "wants may be done already. Not sent."
    )


def overtaken_by(connection: Connection, *, plan_id: str, host: str, account_id: str) -> str | None:
    """Another plan of which a leg was sent for this account, or may have been, since this plan was made."""
    which = {"its_plan": plan_id, "its_host": host, "its_account": account_id}
    return connection.execute(_OVERTAKEN, which).scalar_one_or_none()


def _is_let_go(row: Row[Any]) -> bool:
    """Whether it was to be signed, and whoever would have done that is gone: it moves nothing.

    Whoever takes it up again is held against the limits anew, in the step to EXECUTING as well.
    """
    return State(row.state) is State.CREATED and _is_left(row)


def _is_left(row: Row[Any]) -> bool:
    return row.owner is None or not is_alive(row.owner, sending_at=datetime.fromisoformat(row.sending_at))


def _sent(row: Row[Any]) -> Sent:
    state = State(row.state)
    return Sent(
        intent_id=row.intent_id,
        kind=row.kind,
        state=state,
        is_unknown=(state in SENDERS and _is_left(row)) or state in IN_DOUBT,
        at=datetime.fromisoformat(row.sending_at),
        worth=Decimal(row.notional) if row.notional else Decimal(0),
        request=json.loads(row.request) if row.request else None,
    )


def day_of(zone: str, now: datetime) -> tuple[datetime, datetime]:
    """When the day of a zone began and when it ends; 23 or 25 hours apart when clocks change."""
    where = ZoneInfo(zone)
    today = now.astimezone(where).date()
    begins, ends = (
        datetime.combine(day, time.min, tzinfo=where).astimezone(UTC) for day in (today, today + timedelta(days=1))
    )
    return begins, ends
