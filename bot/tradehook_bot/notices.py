"""One message in a chat for each order or DAG run that did not come from it: what it says, and what it should say.

As with order messages, `wanted` is written in the transaction that sees the news and `shown` after the edit has
arrived. A notice has no message before its letter has arrived.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import insert, select, update

from tradehook.desk.schema import reading, writing
from tradehook_bot.store import now, stamp
from tradehook_bot.tables import NOTICE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection, Row

    from tradehook_bot.store import Store

_SHOWN = 25


class Part(NamedTuple):
    """What there is to say of one order, as HTML."""

    words: str
    """With all that can be tapped, where it is the only one."""
    line: str
    """In a line, where there are several."""


@dataclass(frozen=True, slots=True)
class Notice:
    """Where a notice's message stands, and what it should say."""

    chat_id: int
    subject: str
    account: str | None
    message_id: int | None
    head: str
    parts: Mapping[str, Part]
    wanted: str
    shown: str | None

    @property
    def body(self) -> str:
        """What it should say, as HTML."""
        return body_of(self.head, self.parts)


class Notices:
    """This bot's notices. Blocking: call it through `Store.do`."""

    def __init__(self, store: Store) -> None:
        """Look at this bot's rows."""
        self._store = store
        self._mine = NOTICE.c.bot_id == store.bot_id

    def get(self, chat_id: int, subject: str) -> Notice | None:
        """The notice of this subject in this chat."""
        with reading(self._store.engine) as connection:
            return self.get_within(connection, chat_id, subject)

    def get_within(self, connection: Connection, chat_id: int, subject: str) -> Notice | None:
        """The same inside a transaction."""
        row = connection.execute(select(NOTICE).where(self._mine, _here(chat_id, subject))).one_or_none()
        return _notice(row) if row is not None else None

    def begin_within(
        self,
        connection: Connection,
        chat_id: int,
        subject: str,
        *,
        account: str | None,
        head: str,
        key: str,
        part: Part,
    ) -> str:
        """There is a notice of this subject, with one part and no message yet. Returns what it says, as HTML."""
        parts = {key: part}
        connection.execute(
            insert(NOTICE).values(
                bot_id=self._store.bot_id,
                chat_id=chat_id,
                subject=subject,
                account=account,
                head=head,
                parts=json.dumps(parts),
                wanted=_digest(body_of(head, parts)),
                made_at=stamp(now()),
            )
        )
        return body_of(head, parts)

    def want_within(self, connection: Connection, notice: Notice, *, key: str, part: Part) -> None:
        """The notice should say this of one of its orders."""
        parts = {**notice.parts, key: part}
        connection.execute(
            update(NOTICE)
            .where(self._mine, _here(notice.chat_id, notice.subject))
            .values(parts=json.dumps(parts), wanted=_digest(body_of(notice.head, parts)))
        )

    def due(self) -> list[Notice]:
        """Notices whose message does not say what it should."""
        query = select(NOTICE).where(
            self._mine, NOTICE.c.message_id.is_not(None), NOTICE.c.shown.is_distinct_from(NOTICE.c.wanted)
        )
        with reading(self._store.engine) as connection:
            return [_notice(row) for row in connection.execute(query)]

    def shows(self, notice: Notice) -> None:
        """The message says what was wanted of it."""
        with writing(self._store.engine) as connection:
            connection.execute(
                update(NOTICE).where(self._mine, _here(notice.chat_id, notice.subject)).values(shown=notice.wanted)
            )


def body_of(head: str, parts: Mapping[str, Part]) -> str:
    """What a notice with these parts says, as HTML."""
    if len(parts) == 1:
        return next(iter(parts.values())).words
    lines = [part.line for part in parts.values()]
    left_out = len(lines) - _SHOWN
    more = [f"and {left_out} before these"] if left_out > 0 else []
    return "\n".join([f"<b>{head}: {len(lines)} orders</b>", *more, *lines[-_SHOWN:]])


def _here(chat_id: int, subject: str) -> Any:
    return (NOTICE.c.chat_id == chat_id) & (NOTICE.c.subject == subject)


def _digest(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()[:40]


def _notice(row: Row[Any]) -> Notice:
    return Notice(
        chat_id=row.chat_id,
        subject=row.subject,
        account=row.account,
        message_id=row.message_id,
        head=row.head,
        parts={key: Part(*part) for key, part in json.loads(row.parts).items()},
        wanted=row.wanted,
        shown=row.shown,
    )
