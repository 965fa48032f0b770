"""In which chats a person's word has ended a doubt: there, the question's own message tells what became of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from tradehook.desk.schema import reading
from tradehook_bot.proposals import State
from tradehook_bot.tables import PROPOSAL

if TYPE_CHECKING:
    from tradehook_bot.store import Store

RESOLVE = "resolve"
"""The kind of the question whether a doubt shall be ended so."""


def answered_in(store: Store, intent_id: str) -> set[int]:
    """The chats in which somebody has confirmed how this doubt ended. Blocking."""
    about = PROPOSAL.c.parameters.contains(f'"intent_id":"{intent_id}"', autoescape=True)
    confirmed = PROPOSAL.c.state.in_([str(State.CONFIRMED), str(State.SENT)])
    query = select(PROPOSAL.c.chat_id).where(
        PROPOSAL.c.bot_id == store.bot_id, PROPOSAL.c.kind == RESOLVE, confirmed, about
    )
    with reading(store.engine) as connection:
        return {*connection.execute(query).scalars()}
