"""From a confirmed question to its deed, whatever its kind; and what is said when it cannot be done."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from tradehook.errors import TradehookError
from tradehook_bot import ownership
from tradehook_bot.deeds.table import kind_of
from tradehook_bot.failures import new_error_id, words_for
from tradehook_bot.outbox import Letter
from tradehook_bot.proposals import State
from tradehook_bot.replies import bold, code, text

if TYPE_CHECKING:
    from tradehook_bot.accounts import Account
    from tradehook_bot.context import House
    from tradehook_bot.proposals import Proposal

_log = logging.getLogger(__name__)


async def carry_out(house: House, proposal: Proposal) -> None:
    """The confirmed question has led to its deed, to a new question, or to words that say why not.

    It is about the account that it was asked for, whatever the chat is about by now. Never raises: whoever pressed
    Confirm hears the truth, whatever happens; where it cannot be told now, `make_up_for` tells it later.
    """
    if proposal.proposal_id in house.given_up:
        _log.warning("Proposal %s came too late to be carried out: it was told that it was not.", proposal.proposal_id)
        return
    house.under_way.add(proposal.proposal_id)
    try:
        await _carry_out(house, proposal)
    except Exception:  # noqa: BLE001 - what was done is done, and telling of it is tried again
        _log.exception("What became of proposal %s could not be told yet.", proposal.proposal_id)
    finally:
        house.under_way.discard(proposal.proposal_id)


async def _carry_out(house: House, proposal: Proposal) -> None:
    account = _account(house, proposal)
    if account is None:
        await never_done(house, proposal, f"The account {text(proposal.account or '')} is not served any more.")
        return
    try:
        await kind_of(proposal).carry_out(house, account, proposal)
    except TradehookError as error:
        await tell_how_it_stands(house, proposal, words_for(error))
    except TimeoutError:
        await tell_how_it_stands(house, proposal, f"{text(account.spec.label)} did not answer in time.")
    except Exception:  # noqa: BLE001 - whatever it is, the person hears the truth
        error_id = new_error_id()
        _log.exception("Error %s while carrying out proposal %s.", error_id, proposal.proposal_id)
        await tell_how_it_stands(house, proposal, f"Something went wrong on this machine (id {error_id}).")


async def make_up_for(house: House, proposal: Proposal) -> None:
    """A confirmed question of which nobody was told: it is told how far that came. Nothing is done now, nor later."""
    if proposal.proposal_id in house.under_way:
        return
    # No await in between: of the deed and these words, whichever comes first is the only one.
    house.given_up.add(proposal.proposal_id)
    await house.store.do(ownership.take, house.store, proposal.proposal_id)
    why = house.reasons.get(proposal.proposal_id, "I was stopped before it was done.")
    await tell_how_it_stands(house, proposal, why)


async def tell_how_it_stands(house: House, proposal: Proposal, why: str) -> None:
    """It did not come to its end. What is said follows from what is written down, not from the reason.

    Args:
        house: where.
        proposal: confirmed.
        why: HTML.
    """
    kind = kind_of(proposal)
    house.reasons[proposal.proposal_id] = why
    try:
        is_untouched = await house.store.do(kind.is_untouched, house, proposal)
    except Exception:  # noqa: BLE001
        # The journal itself is out of reach: it is looked at again, and until then nobody knows.
        _log.exception("The journal could not be asked about proposal %s.", proposal.proposal_id)
        if proposal.proposal_id in house.said_unknown:
            return
        await house.voice.say(
            proposal.chat_id,
            f"{bold(f'UNKNOWN: {proposal.deed}')}\nThe journal cannot be read, so I do not know whether this was "
            "done. Do not enter it again. Look at /orders.",
            account=proposal.account,
            thread_id=proposal.where.thread_id,
        )
        house.said_unknown.add(proposal.proposal_id)
        return
    if is_untouched:
        await never_done(house, proposal, why)
    else:
        await kind.tell(house, proposal, why)
    house.reasons.pop(proposal.proposal_id, None)


async def never_done(house: House, proposal: Proposal, why: str) -> None:
    """The question is closed, and its message and a new one say that nothing was done. May be repeated.

    Args:
        house: where.
        proposal: confirmed, and certainly never carried out.
        why: HTML.
    """
    kind = kind_of(proposal)
    words = f"{bold(f'{kind.not_done}: {proposal.deed}')}\n{why}\n{kind.nothing} To ask again: {code(proposal.typed)}"
    if await house.store.do(house.order_messages.get, proposal.proposal_id) is not None:
        await house.store.do(house.order_messages.end, proposal.proposal_id, last_words=words)
    elif proposal.message_id is not None and await house.voice.edit(
        proposal.chat_id, proposal.message_id, words, account=proposal.account
    ):
        await house.store.do(house.proposals.buttons_are_gone, proposal.proposal_id)
    letter = Letter(
        proposal.chat_id,
        f"{proposal.proposal_id}:never sent",
        words,
        reply_to=proposal.message_id,
        account=proposal.account,
    )
    await house.store.do(house.outbox.put, letter.at(proposal.where))
    # Last, so that after a crash in between the next boot does all of it again; the letter is still one.
    await house.store.do(house.proposals.close, proposal.proposal_id, State.NOT_SENT)
    await house.look()


def _account(house: House, proposal: Proposal) -> Account | None:
    return house.named(proposal.account) if kind_of(proposal).is_of_one_account else house.accounts[0]
