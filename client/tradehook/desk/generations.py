"""Doing the same again on purpose: an intent id leads to the newest generation of what it names.

A scheduler or a chat asks with the id it always has. When a person has said that it is to happen once more, that id
leads to a new intent, `ID~2`; the old one and its story stay as they are.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sqlalchemy import bindparam, insert, select, update

from tradehook.desk.intents import iso
from tradehook.desk.tables import GENERATION
from tradehook.errors import InvalidInput

if TYPE_CHECKING:
    from sqlalchemy import Connection

_CURRENT = select(GENERATION.c.generation).where(GENERATION.c.intent_id == bindparam("its_id"))


def current_id(connection: Connection, intent_id: str) -> str:
    """The id that this one leads to now."""
    generation = connection.execute(_CURRENT, {"its_id": intent_id}).scalar_one_or_none()
    return f"{intent_id}~{generation}" if generation else intent_id


def first_id(intent_id: str) -> str:
    """The id that the first generation had."""
    head, mark, tail = intent_id.rpartition("~")
    return head if mark and tail.isdigit() else intent_id


def check_new(connection: Connection, intent_id: str) -> None:
    """Raises `InvalidInput` for a new id that looks like a generation and is none: it would be taken for one."""
    if first_id(intent_id) != intent_id and current_id(connection, first_id(intent_id)) != intent_id:
        raise InvalidInput(f"{intent_id[:80]!r} ends like a repetition (~2); choose an id that does not.")


def begin_next(connection: Connection, intent_id: str, *, by: str, why: str) -> str:
    """Let the id lead to a new intent from now on, and return that one's id."""
    intent_id = first_id(intent_id)
    generation = (connection.execute(_CURRENT, {"its_id": intent_id}).scalar_one_or_none() or 1) + 1
    values = {"generation": generation, "asked_by": by[:255], "why": why, "asked_at": iso(datetime.now(UTC))}
    done = connection.execute(update(GENERATION).where(GENERATION.c.intent_id == intent_id).values(values))
    if done.rowcount == 0:
        connection.execute(insert(GENERATION).values(intent_id=intent_id, **values))
    return f"{intent_id}~{generation}"
