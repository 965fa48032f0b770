"""Questions that wait for their person, read for a list. Whether one may be answered is decided in `proposals.py`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import select

from tradehook_bot.store import now, read_stamp, stamp
from tradehook_bot.tables import PROPOSAL

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from tradehook_bot.store import Store

_UNANSWERED = ("open", "code")


@dataclass(frozen=True, slots=True)
class OpenQuestion:
    """One of them."""

    deed: str
    account: str | None
    message_id: int | None
    expires_at: datetime


def open_questions(store: Store, *, user_id: int, chat_id: int, at: datetime | None = None) -> Sequence[OpenQuestion]:
    """Those that this person can still answer in this chat, the first to expire first. Blocking."""
    columns = (PROPOSAL.c.deed, PROPOSAL.c.account, PROPOSAL.c.message_id, PROPOSAL.c.expires_at)
    query = (
        select(*columns)
        .where(PROPOSAL.c.bot_id == store.bot_id, PROPOSAL.c.user_id == user_id, PROPOSAL.c.chat_id == chat_id)
        .where(PROPOSAL.c.state.in_(_UNANSWERED), PROPOSAL.c.expires_at > stamp(at or now()))
        # Airflow's have a question for each answer, and a list of their own.
        .where(PROPOSAL.c.kind != "approval")
        .order_by(PROPOSAL.c.expires_at)
    )
    with store.engine.connect() as connection:
        rows = connection.execute(query).all()
    return [OpenQuestion(row.deed, row.account, row.message_id, read_stamp(row.expires_at)) for row in rows]
