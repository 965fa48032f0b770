"""Intents by how they stand, picked by the database: a journal of years answers as one of a day."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from sqlalchemy import select

from tradehook.desk.intents import IN_DOUBT, SENDERS, Intent, State, iso, read_intent
from tradehook.desk.schema import reading
from tradehook.desk.tables import INTENT

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement, Engine, Select

_ALSO = {State.MATCHED: State.ACCEPTED, **dict.fromkeys(IN_DOUBT, State.UNKNOWN)}
"""What a stored state reads as, where that is not itself; of a sender only its process tells. See `Intent.reads_as`."""


class Which(TypedDict, total=False):
    """What else an intent has to be."""

    stored: Collection[State]
    """Its row says one of these, whatever that reads as."""
    kinds: Collection[str]
    host: str
    since: datetime
    """It was changed then or later."""


def listed(engine: Engine, *, states: Collection[State], limit: int, **which: Unpack[Which]) -> Sequence[Intent]:
    """Intents, newest first; see `Journal.list`."""
    query = select(INTENT).order_by(INTENT.c.created_at.desc(), INTENT.c.intent_id)
    if kinds := which.get("kinds"):
        query = query.where(INTENT.c.kind.in_([*kinds]))
    if host := which.get("host"):
        query = query.where(INTENT.c.host == host)
    if since := which.get("since"):
        query = query.where(INTENT.c.updated_at >= iso(since))
    stored, wanted = {*which.get("stored", State)}, {*states} or {*State}
    sure = [state for state in stored if _is_sure(state, wanted)]
    found = _read(engine, query.where(_says(sure)).limit(limit)) if sure else []
    # Whether a sender still lives is asked of its process. There are few: what is being sent, and what a crash left.
    unsure = [state for state in stored.intersection(SENDERS).difference(sure) if wanted & {state, State.UNKNOWN}]
    if unsure:
        found += [intent for intent in _read(engine, query.where(_says(unsure))) if intent.reads_as in wanted]
        found.sort(key=lambda intent: intent.intent_id)
        found.sort(key=lambda intent: intent.created_at, reverse=True)
    return found[:limit]


def _is_sure(state: State, wanted: Collection[State]) -> bool:
    """Whether every row of this stored state is wanted."""
    if state in SENDERS:
        return state in wanted and State.UNKNOWN in wanted
    return state in wanted or _ALSO.get(state) in wanted


def _says(states: Collection[State]) -> ColumnElement[bool]:
    return INTENT.c.state.in_([str(state) for state in states])


def _read(engine: Engine, query: Select[Any]) -> list[Intent]:
    with reading(engine) as connection:
        return [read_intent(row) for row in connection.execute(query)]
