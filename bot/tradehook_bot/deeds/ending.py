"""The end of a deed that the journal does not tell of by itself: its message says how, and the question is closed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tradehook_bot.outbox import Letter
from tradehook_bot.proposals import State

if TYPE_CHECKING:
    from tradehook_bot.context import House
    from tradehook_bot.proposals import Proposal


async def end(house: House, proposal: Proposal, words: str, *, above: str = "", has_letter: bool = False) -> None:
    """The message says it, or else a new one does. May be repeated: of two letters, one is sent.

    Args:
        house: where.
        proposal: confirmed, and done or given up.
        words: HTML.
        above: HTML that stays above them in the message.
        has_letter: a new message comes in any case.
    """
    body = f"{above}\n\n{words}" if above else words
    is_said = proposal.message_id is not None and await house.voice.edit(
        proposal.chat_id, proposal.message_id, body, account=proposal.account
    )
    if is_said:
        await house.store.do(house.proposals.buttons_are_gone, proposal.proposal_id)
    if has_letter or not is_said:
        letter = Letter(
            proposal.chat_id, f"{proposal.proposal_id}:done", words, proposal.message_id, account=proposal.account
        )
        await house.store.do(house.outbox.put, letter.at(proposal.where))
    await house.store.do(house.proposals.close, proposal.proposal_id, State.SENT)
    await house.look()
