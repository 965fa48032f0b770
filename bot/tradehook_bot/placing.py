"""Orders behind a question: what is stored of one, and the way from Confirm to the desk.

At Confirm everything is looked at once more, then the desk is asked, once. Whatever goes wrong, the journal decides
what is said: nothing was sent, it was refused, or nobody knows.
"""

from __future__ import annotations

import asyncio
from decimal import ROUND_UP, Decimal
from typing import TYPE_CHECKING

from tradehook.amounts import Amount
from tradehook.errors import InvalidOrder
from tradehook.models import NewOrder, SizedOrder, Unit
from tradehook_bot import cards, on_chain, questions
from tradehook_bot.deeds import asking, journalled
from tradehook_bot.deeds.kind import Kind
from tradehook_bot.questions import OrderAsked
from tradehook_bot.replies import bold, text

if TYPE_CHECKING:
    from tradehook.desk.previews import Preview
    from tradehook_bot.accounts import Account
    from tradehook_bot.context import House
    from tradehook_bot.proposals import Proposal

_CENT = Decimal("0.01")
_PRICE_SECONDS = 15.0


async def carry_out(house: House, account: Account, proposal: Proposal) -> None:
    """The confirmed question has led to an order, or to a new question. Raises when it has not."""
    asked = await _still_good(house, account, proposal, proposal.read(OrderAsked))
    if asked is not None:
        await _place(house, account, proposal, asked)


async def _still_good(house: House, account: Account, proposal: Proposal, asked: OrderAsked) -> OrderAsked | None:
    """What may be sent as confirmed; `None` where the person has been asked again."""
    await questions.check_open(house)
    if asked.good_until_price is None or on_chain.is_still_young(account, asked):
        return asked
    shown: Preview | None = None
    async with asyncio.timeout(_PRICE_SECONDS):
        if asked.sized.chain is None:
            price = (await questions.current_price(account, asked.sized)).price
        else:
            shown = await on_chain.preview(account, asked.sized, user_id=proposal.user_id)
            price = shown.quote.price_of(asked.sized.side)
    if not on_chain.is_worse(price, asked.good_until_price, side=asked.sized.side):
        return asked if shown is None else asked.model_copy(update={"preview_id": shown.preview_id})
    note = cards.drift_note(asked.shown_price or asked.good_until_price, price)
    # The new question first: if it cannot be asked, the person hears that nothing was sent.
    await questions.ask_sized(
        house,
        account,
        asked.sized,
        where=proposal.where,
        typed=proposal.typed,
        notes=(note,),
        shown=shown,
    )
    await asking.asked_again(house, proposal, note=f"{text(note)} Asked again below.")
    return None


async def _place(house: House, account: Account, proposal: Proposal, asked: OrderAsked) -> None:
    sized = asked.sized
    await journalled.begin(house, account, proposal, words=f"{bold('Submitting')}: {text(proposal.deed)}…")
    future = account.client.desk.start_order(
        _as_order(sized),
        intent_id=proposal.proposal_id,
        source=f"chat:{proposal.user_id}",
        sized=sized,
        approve=on_chain.approval(asked),
        preview=asked.preview_id,
    )
    try:
        # Shielded: whoever stops waiting does not stop the order.
        await asyncio.shield(asyncio.wrap_future(future))
    except InvalidOrder as error:
        if getattr(error, "code", None) != "unit" or sized.unit is not Unit.BASE or sized.price is not None:
            raise
        await journalled.settle(house, proposal)
        await _offer_sum(house, account, proposal, refused=sized)
        return
    await journalled.settle(house, proposal)


async def _offer_sum(house: House, account: Account, proposal: Proposal, *, refused: SizedOrder) -> None:
    """The exchange takes this market order only as a sum of money: ask anew, never send it by itself."""
    quote = await questions.current_price(account, refused)
    order = NewOrder(
        base=refused.base,
        quote=refused.quote,
        side=refused.side,
        # Up to the cent: a fraction less would buy a whole lot less.
        amount=Amount.quote(quote.notional.quantize(_CENT, ROUND_UP)),
    )
    sized = await account.client.size_order(order)
    await questions.ask_sized(
        house,
        account,
        sized.model_copy(update={"typed": refused.typed}),
        where=proposal.where,
        typed=proposal.typed,
        notes=(f"{account.spec.label} takes this only as an amount of {sized.quote}. Nothing was traded. Instead:",),
    )


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


KIND = Kind(
    name="order",
    carry_out=carry_out,
    is_untouched=journalled.is_untouched,
    tell=journalled.tell,
    needs_code=lambda house, proposal: questions.needs_code(house, proposal.read(OrderAsked)),
)
