"""Puts the question "shall I?" to a person: sizes the order, looks at price and balances, shows the card.

The row comes first, then the message, then the two are bound; a question whose message was never heard of can never be
answered with yes.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tradehook.desk import guard
from tradehook.desk.questions import questions
from tradehook.errors import GuardRefused
from tradehook.render import kept_words
from tradehook_bot import cards, keyboards

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tradehook.models import NewOrder, Quote, SizedOrder
    from tradehook_bot.accounts import Account
    from tradehook_bot.context import House

_LONGEST_TYPED = 200


async def ask(house: House, account: Account, order: NewOrder, *, user_id: int, chat_id: int, typed: str) -> None:
    """Ask whether this order shall be placed in this account.

    Raises:
        GuardRefused: nothing may be sent here or now, so nothing is asked.
        InvalidInput: it cannot be traded as typed, or the account clearly cannot pay it.
        TradehookError: the exchange could not be asked.
    """
    await check_open(house)
    await guard.check(account.client.exchange, limits=house.journal.limits)
    sized = await account.client.size_order(order)
    await ask_sized(house, account, sized, user_id=user_id, chat_id=chat_id, typed=typed)


async def ask_sized(
    house: House,
    account: Account,
    sized: SizedOrder,
    *,
    user_id: int,
    chat_id: int,
    typed: str,
    notes: Sequence[str] = (),
) -> None:
    """The same for an order whose quantity is settled.

    Args:
        house: where.
        account: whose money; the question stays about it, whatever the chat is about later.
        sized: what will be sent, exactly, if the answer is yes.
        user_id: who may answer.
        chat_id: where they may.
        typed: the command, to be shown when it has to be given again.
        notes: what to say before the question.

    Raises:
        InvalidInput: the account clearly cannot pay it.
        TradehookError: the exchange could not be asked.
    """
    capabilities = account.spec.capabilities
    quote, balances = await asyncio.gather(current_price(account, sized), account.client.balances())
    terms = cards.Terms.of(sized, quote, fee_rate=capabilities.fee_rate_observed)
    cards.check_funds(terms, balances, command=str(sized.side))
    exchange = account.client.exchange
    account_id = await exchange.account_id()
    odd = await house.store.do(
        questions, house.journal.engine, sized, host=exchange.host, account_id=account_id, balances=balances
    )
    lifetime = cards.lifetime(sized, house.settings)
    tolerance = house.settings.tolerance_percent
    proposal, token = await house.store.do(
        house.proposals.make,
        sized,
        user_id=user_id,
        chat_id=chat_id,
        account=account.name,
        typed=" ".join(typed.split())[:_LONGEST_TYPED],
        shown_price=quote.price,
        good_until_price=cards.good_until(sized, quote, tolerance_percent=tolerance),
        deed=terms.deed,
        lifetime=lifetime,
    )
    body = cards.body(
        terms,
        balances,
        account=account.name,
        exchange=account.spec.label,
        tolerance_percent=tolerance,
        expires_at=proposal.expires_at,
        seconds=round(lifetime.total_seconds()),
        notes=(*notes, *odd, *(f"{words[0].upper()}{words[1:]}." for words in kept_words(sized))),
    )
    keyboard = keyboards.question(token, deed=terms.deed)
    message_id = await house.voice.say(chat_id, body, account=account.name, keyboard=keyboard)
    await house.store.do(house.proposals.bind, proposal.proposal_id, message_id=message_id)


async def current_price(account: Account, sized: SizedOrder) -> Quote:
    """What the order would get at the market now."""
    return await account.client.get_quote(
        sized.base, quote=sized.quote, side=sized.side, quantity=sized.quantity, unit=sized.unit
    )


async def check_open(house: House) -> None:
    """Refuse while trading is frozen: a question that cannot lead anywhere is not asked.

    Raises:
        GuardRefused: it is.
    """
    trading = await house.store.do(house.journal.trading_state)
    if trading["state"] == "HALTED":  # REDUCING still lets sells through: the desk tells which
        why = f": {trading['why']}" if trading["why"] else ""
        raise GuardRefused(
            f"Trading is frozen by {trading['changed_by']}{why}. Nothing was sent. /resume lifts it.",
            rule="frozen",
            actual=trading["state"],
        )
