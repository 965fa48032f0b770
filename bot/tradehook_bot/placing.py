"""From a confirmed question to an order: everything is looked at once more, then the desk is asked, once.

Whatever goes wrong, the journal decides what is said: nothing was sent, it was refused, or nobody knows.
"""

from __future__ import annotations

import asyncio
import logging
from decimal import ROUND_UP, Decimal
from typing import TYPE_CHECKING

from tradehook.amounts import Amount
from tradehook.desk.intents import State as IntentState
from tradehook.errors import InvalidInput, InvalidOrder, TradehookError
from tradehook.models import NewOrder, SizedOrder, Unit
from tradehook_bot import cards, questions
from tradehook_bot.failures import new_error_id, words_for
from tradehook_bot.outbox import Letter
from tradehook_bot.proposals import State
from tradehook_bot.replies import bold, code, text

if TYPE_CHECKING:
    from tradehook.models import Quote
    from tradehook_bot.accounts import Account
    from tradehook_bot.context import House
    from tradehook_bot.proposals import Proposal

_log = logging.getLogger(__name__)
_CENT = Decimal("0.01")
_PRICE_SECONDS = 15.0


async def carry_out(house: House, proposal: Proposal) -> None:
    """The confirmed question has led to an order, to a new question, or to words that say why not.

    It is about the account that it was asked for, whatever the chat is about by now. Never raises: whoever pressed
    Confirm hears the truth, whatever happens.
    """
    account = house.named(proposal.account)
    if account is None:
        await never_sent(house, proposal, f"The account {text(proposal.account or '')} is not served any more.")
        return
    try:
        if await _is_still_good(house, account, proposal):
            await _place(house, account, proposal)
    except TradehookError as error:
        await _tell_by_journal(house, proposal, words_for(error))
    except TimeoutError:
        await _tell_by_journal(house, proposal, f"{text(account.spec.label)} did not tell a price in time.")
    except Exception:  # noqa: BLE001 - whatever it is, the person hears the truth
        error_id = new_error_id()
        _log.exception("Error %s while carrying out proposal %s.", error_id, proposal.proposal_id)
        await _tell_by_journal(house, proposal, f"Something went wrong on this machine (id {error_id}).")


async def never_sent(house: House, proposal: Proposal, why: str) -> None:
    """The question is closed, and its message and a new one say that nothing was sent. May be repeated.

    Args:
        house: where.
        proposal: confirmed, and certainly never sent.
        why: HTML.
    """
    words = f"{bold(f'Not sent: {proposal.deed}')}\n{why}\nNothing was sent. To ask again: {code(proposal.typed)}"
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
    await house.store.do(house.outbox.put, letter)
    # Last, so that after a crash in between the next boot does all of it again; the letter is still one.
    await house.store.do(house.proposals.close, proposal.proposal_id, State.NOT_SENT)
    await house.look()


async def _is_still_good(house: House, account: Account, proposal: Proposal) -> bool:
    """Whether it may be sent as confirmed; if not, the person has been told or asked again."""
    await questions.check_open(house)
    if proposal.good_until_price is None:
        return True
    async with asyncio.timeout(_PRICE_SECONDS):
        quote = await questions.current_price(account, proposal.sized)
    if not _is_worse(quote, proposal.good_until_price, is_buy=proposal.sized.side == "buy"):
        return True
    note = cards.drift_note(proposal.shown_price or proposal.good_until_price, quote.price)
    # The new question first: if it cannot be asked, the person hears that nothing was sent.
    await questions.ask_sized(
        house,
        account,
        proposal.sized,
        user_id=proposal.user_id,
        chat_id=proposal.chat_id,
        typed=proposal.typed,
        notes=(note,),
    )
    await house.store.do(house.proposals.close, proposal.proposal_id, State.ASKED_AGAIN)
    words = f"{bold(f'Not sent: {proposal.deed}')}\n{text(note)} Asked again below."
    if proposal.message_id is None or await house.voice.edit(
        proposal.chat_id, proposal.message_id, words, account=account.name
    ):
        await house.store.do(house.proposals.buttons_are_gone, proposal.proposal_id)
    return False


def _is_worse(quote: Quote, limit: Decimal, *, is_buy: bool) -> bool:
    """Only what costs the person more counts; a better price needs no question."""
    return quote.price > limit if is_buy else quote.price < limit


async def _place(house: House, account: Account, proposal: Proposal) -> None:
    sized = proposal.sized
    assert proposal.message_id is not None  # noqa: S101 - a question without a message cannot be confirmed
    await house.store.do(
        house.order_messages.begin,
        proposal.proposal_id,
        chat_id=proposal.chat_id,
        account=account.name,
        message_id=proposal.message_id,
    )
    words = f"{bold('Submitting')}: {text(proposal.deed)}…"
    await house.voice.edit(proposal.chat_id, proposal.message_id, words, account=account.name)
    future = account.client.desk.start_order(
        _as_order(sized), intent_id=proposal.proposal_id, source=f"chat:{proposal.user_id}", sized=sized
    )
    try:
        # Shielded: whoever stops waiting does not stop the order.
        await asyncio.shield(asyncio.wrap_future(future))
    except InvalidOrder as error:
        if getattr(error, "code", None) != "unit" or sized.unit is not Unit.BASE or sized.price is not None:
            raise
        await _settle(house, proposal)
        await _offer_sum(house, account, proposal)
        return
    await _settle(house, proposal)


async def _settle(house: House, proposal: Proposal) -> None:
    """The journal has the outcome: it tells from now on."""
    await house.store.do(house.proposals.close, proposal.proposal_id, State.SENT)
    await house.look()


async def _offer_sum(house: House, account: Account, proposal: Proposal) -> None:
    """The exchange takes this market order only as a sum of money: ask anew, never send it by itself."""
    quote = await questions.current_price(account, proposal.sized)
    order = NewOrder(
        base=proposal.sized.base,
        quote=proposal.sized.quote,
        side=proposal.sized.side,
        # Up to the cent: a fraction less would buy a whole lot less.
        amount=Amount.quote(quote.notional.quantize(_CENT, ROUND_UP)),
    )
    sized = await account.client.size_order(order)
    await questions.ask_sized(
        house,
        account,
        sized.model_copy(update={"typed": proposal.sized.typed}),
        user_id=proposal.user_id,
        chat_id=proposal.chat_id,
        typed=proposal.typed,
        notes=(f"{account.spec.label} takes this only as an amount of {sized.quote}. Nothing was traded. Instead:",),
    )


async def _tell_by_journal(house: House, proposal: Proposal, why: str) -> None:
    """An error came. What is said follows from what the journal holds, not from the error."""
    try:
        intent = await house.store.do(house.journal.get, proposal.proposal_id)
        is_untouched = intent.reads_as is IntentState.PREPARED
    except InvalidInput:
        is_untouched = True  # it never came as far as the journal
    except Exception:  # noqa: BLE001
        # The journal itself is out of reach: the next boot looks again, and until then nobody knows.
        _log.exception("The journal could not be asked about proposal %s.", proposal.proposal_id)
        await house.voice.say(
            proposal.chat_id,
            f"{bold(f'UNKNOWN: {proposal.deed}')}\nThe journal cannot be read, so I do not know whether this was "
            "sent. Do not enter it again. Look at /orders.",
            account=proposal.account,
        )
        return
    if is_untouched:
        await never_sent(house, proposal, why)
    else:
        await _settle(house, proposal)


def _as_order(sized: SizedOrder) -> NewOrder:
    """The order with its concrete amount: what was shown is what is asked of the desk."""
    return NewOrder(
        base=sized.base,
        quote=sized.quote,
        side=sized.side,
        amount=Amount("base" if sized.unit is Unit.BASE else "quote", sized.quantity),
        price=sized.price,
        chain=sized.chain,
        good_for=sized.good_for,
    )
