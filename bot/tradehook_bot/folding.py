"""Several letters as one: what happened while nobody could be told is told as one letter, not as a flood.

What needs a person is left out of it: a doubt of last night is told like one of now.
"""

from __future__ import annotations

from datetime import timedelta
from itertools import groupby
from typing import TYPE_CHECKING

from sqlalchemy import delete, select, update

from tradehook import render
from tradehook.desk.schema import reading, writing
from tradehook_bot.notices import Notices
from tradehook_bot.outbox import Letter, Outbox, Weight
from tradehook_bot.replies import bold, plain, text
from tradehook_bot.store import now, read_stamp, stamp
from tradehook_bot.tables import NOTICE, OUTBOX

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from typing import Any

    from sqlalchemy import Connection, Row, Select

    from tradehook_bot.store import Store

OLD = timedelta(hours=1)
FEW = 3
"""So many old letters go out one by one."""
_SHOWN = 20


def fold_old(store: Store, *, at: datetime | None = None) -> None:
    """Of each chat that waits for more than a few old letters, these are one. May be repeated. Blocking."""
    moment = at or now()
    # Never what may have been sent already: that has to say so.
    old = _letters(store).where(OUTBOX.c.state == "queued", OUTBOX.c.made_at < stamp(moment - OLD))
    _fold(store, old, few=FEW, at=moment)


def fold_kept(store: Store, chat_id: int, *, at: datetime | None = None) -> None:
    """What was kept for a person who blocked the bot is one letter. May be repeated. Blocking."""
    kept = _letters(store).where(OUTBOX.c.state == "held", OUTBOX.c.chat_id == chat_id)
    _fold(store, kept, few=1, at=at or now())


def _letters(store: Store) -> Select[Any]:
    """What may be told together, of all chats."""
    routine = OUTBOX.c.weight.in_([str(Weight.NEWS), str(Weight.ROUTINE)])
    query = select(OUTBOX).where(OUTBOX.c.bot_id == store.bot_id, routine)
    return query.order_by(OUTBOX.c.chat_id, OUTBOX.c.outbox_id)


def _fold(store: Store, query: Select[Any], *, few: int, at: datetime) -> None:
    """Each chat's letters of this query are one, where there are more than a few."""
    with reading(store.engine) as connection:
        # Mostly there are none, and then nothing is written.
        if len(connection.execute(query.limit(few + 1)).all()) <= few:
            return
    outbox = Outbox(store)
    with writing(store.engine) as connection:
        rows = connection.execute(query).all()
        for chat_id, group in groupby(rows, key=lambda row: row.chat_id):
            theirs = list(group)
            if len(theirs) <= few:
                continue
            facts = [_fact(store, connection, row) for row in theirs]
            connection.execute(
                update(OUTBOX)
                .where(OUTBOX.c.outbox_id.in_([row.outbox_id for row in theirs]))
                .values(state="folded", sent_at=stamp(at))
            )
            # A notice that never got its message begins anew with the next news of it.
            begun = [row.subject for row in theirs if row.subject is not None]
            here = (NOTICE.c.bot_id == store.bot_id) & (NOTICE.c.chat_id == chat_id) & NOTICE.c.subject.in_(begun)
            connection.execute(delete(NOTICE).where(here, NOTICE.c.message_id.is_(None)))
            key = f"folded:{theirs[0].outbox_id}:{theirs[-1].outbox_id}"
            letter = Letter(chat_id, key, _words(theirs, facts), has_freeze=True)
            outbox.put_within(connection, [letter], at=at)


def _fact(store: Store, connection: Connection, row: Row[Any]) -> str:
    """What a letter says, in a line; of a notice, what it says by now of all its orders."""
    if row.subject is not None:
        notice = Notices(store).get_within(connection, row.chat_id, row.subject)
        if notice is not None:
            return "; ".join(plain(line) for line in notice.body.split("\n")[: None if len(notice.parts) > 1 else 1])
    return plain(row.body).split("\n", 1)[0]


def _words(rows: Sequence[Row[Any]], facts: Sequence[str]) -> str:
    """Each by its fact, the newest last; the oldest are counted."""
    since = render.clock_of(rows[0].made_at)
    lines = [bold(f"While I could not reach you (since {since}), {len(rows)} things happened.")]
    if len(rows) > _SHOWN:
        lines.append(f"The first {len(rows) - _SHOWN} are left out here.")
    for row, fact in [*zip(rows, facts, strict=True)][-_SHOWN:]:
        lines.append(f"{read_stamp(row.made_at):%m-%d %H:%M} {text(fact)}")
    return "\n".join([*lines, "/unknown · /orders · /balance"])
