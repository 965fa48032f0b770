"""Deeds that are one intent of the desk, under the question's id: the journal decides what is said of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tradehook.desk.intents import State as IntentState
from tradehook.errors import InvalidInput
from tradehook_bot import ownership
from tradehook_bot.proposals import State

if TYPE_CHECKING:
    from tradehook_bot.accounts import Account
    from tradehook_bot.context import House
    from tradehook_bot.proposals import Proposal


def is_untouched(house: House, proposal: Proposal) -> bool:
    """Whether it certainly was not sent, nor will be: what was left unsigned is signed by nobody from then on."""
    try:
        intent = house.journal.get(proposal.proposal_id)
    except InvalidInput:
        return True  # it never came as far as the journal
    if intent.is_left_unsigned and intent.state is not IntentState.PREPARED:
        # Whoever prepared it may only have been stopped, on another machine: when it wakes up, its own step fails.
        house.journal.move(intent, IntentState.PREPARED, what="abandoned")
        intent = house.journal.get(proposal.proposal_id)
    return intent.reads_as is IntentState.PREPARED


async def begin(house: House, account: Account, proposal: Proposal, *, words: str | None = None) -> None:
    """The question's message is the deed's from now on, and says these words, as far as Telegram takes them at once.

    Args:
        house: where.
        account: whose money.
        proposal: confirmed.
        words: HTML; nothing is said now where they are left out.

    Raises:
        GuardRefused: another process took the question over.
    """
    assert proposal.message_id is not None  # noqa: S101 - a question without a message cannot be confirmed
    await house.store.do(
        house.order_messages.begin,
        proposal.proposal_id,
        chat_id=proposal.chat_id,
        account=account.name,
        message_id=proposal.message_id,
    )
    if words is not None:
        await house.voice.edit(proposal.chat_id, proposal.message_id, words, account=account.name, is_patient=False)
    # The last step before the desk, since all before may have taken any time.
    await house.store.do(ownership.check, house.store, proposal.proposal_id)


async def settle(house: House, proposal: Proposal) -> None:
    """The journal has the outcome: it tells from now on."""
    await house.store.do(house.proposals.close, proposal.proposal_id, State.SENT)
    await house.look()


async def tell(house: House, proposal: Proposal, _why: str) -> None:
    """The same for one that did not come to its end here: what the journal holds says more than the reason."""
    await settle(house, proposal)
