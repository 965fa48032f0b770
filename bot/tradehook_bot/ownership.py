"""Whose a confirmed question is: one process carries it out, and who tells of a dead one's takes it first.

A process on another machine counts as dead when it was silent for long, and may only have been stopped. When it wakes
up, the question is another's, and what it was about to send is not sent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select, update

from tradehook.desk.intents import this_owner
from tradehook.desk.schema import reading, writing
from tradehook.errors import GuardRefused
from tradehook_bot.proposals import State
from tradehook_bot.tables import PROPOSAL

if TYPE_CHECKING:
    from tradehook_bot.store import Store


def take(store: Store, proposal_id: str) -> None:
    """A confirmed question is this process's from now on. May be repeated. Blocking."""
    same = (PROPOSAL.c.bot_id == store.bot_id) & (PROPOSAL.c.proposal_id == proposal_id)
    with writing(store.engine) as connection:
        confirmed = PROPOSAL.c.state == str(State.CONFIRMED)
        connection.execute(update(PROPOSAL).where(same, confirmed).values(owner=this_owner()))


def check(store: Store, proposal_id: str) -> None:
    """Refuse to carry out what another process took over. Blocking.

    Raises:
        GuardRefused: `rule` is `instance`: it did, and tells that nothing was sent.
    """
    same = (PROPOSAL.c.bot_id == store.bot_id) & (PROPOSAL.c.proposal_id == proposal_id)
    ours = (PROPOSAL.c.state == str(State.CONFIRMED)) & (PROPOSAL.c.owner == this_owner())
    with reading(store.engine) as connection:
        if connection.execute(select(PROPOSAL.c.proposal_id).where(same, ours)).first() is None:
            raise GuardRefused("Another process of this bot took over before it was sent.", rule="instance")
