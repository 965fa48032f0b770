"""Old news told together: what nobody could be told for an hour comes as one letter, not as a flood.

What needs a person is left out of it: a doubt of last night is told like one of now.
"""

from __future__ import annotations

from datetime import timedelta
from itertools import groupby
from typing import TYPE_CHECKING

from sqlalchemy import select, update

from tradehook import render
from tradehook.desk.schema import reading, writing
from tradehook_bot.outbox import Letter, Outbox, Weight
from tradehook_bot.replies import bold, plain, text
from tradehook_bot.store import now, read_stamp, stamp
from tradehook_bot.tables import OUTBOX

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from typing import Any

    from sqlalchemy import Row

    from tradehook_bot.store import Store

OLD = timedelta(hours=1)
FEW = 3
"""So many old letters go out one by one."""
_SHOWN = 20


def fold_old(store: Store, *, at: datetime | None = None) -> None:
    """Of each chat that waits for more than a few old letters, these are one. May be repeated. Blocking."""
    moment = at or now()
    # Never what may have been sent already: that has to say so.
    old = (
        select(OUTBOX)
        .where(
            OUTBOX.c.bot_id == store.bot_id,
            OUTBOX.c.state == "queued",
            OUTBOX.c.made_at < stamp(moment - OLD),
            OUTBOX.c.weight.in_([str(Weight.NEWS), str(Weight.ROUTINE)]),
        )
        .order_by(OUTBOX.c.chat_id, OUTBOX.c.outbox_id)
    )
    with reading(store.engine) as connection:
        # Mostly there are none, and then nothing is written.
        if len(connection.execute(old.limit(FEW + 1)).all()) <= FEW:
            return
    outbox = Outbox(store)
    with writing(store.engine) as connection:
        rows = connection.execute(old).all()
        for chat_id, group in groupby(rows, key=lambda row: row.chat_id):
            theirs = list(group)
            if len(theirs) <= FEW:
                continue
            connection.execute(
                update(OUTBOX)
                .where(OUTBOX.c.outbox_id.in_([row.outbox_id for row in theirs]))
                .values(state="folded", sent_at=stamp(moment))
            )
            key = f"folded:{theirs[0].outbox_id}:{theirs[-1].outbox_id}"
            outbox.put_within(connection, [Letter(chat_id, key, _words(theirs), has_freeze=True)], at=moment)


def _words(rows: Sequence[Row[Any]]) -> str:
    """Each by its first line, the newest last; the oldest are counted."""
    since = render.clock_of(rows[0].made_at)
    lines = [bold(f"While I could not reach you (since {since}), {len(rows)} things happened.")]
    if len(rows) > _SHOWN:
        lines.append(f"The first {len(rows) - _SHOWN} are left out here.")
    for row in rows[-_SHOWN:]:
        fact = plain(row.body).split("\n", 1)[0]
        lines.append(f"{read_stamp(row.made_at):%m-%d %H:%M} {text(fact)}")
    return "\n".join([*lines, "/unknown · /orders · /balance"])
