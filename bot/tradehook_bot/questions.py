"""Asks whether an order shall be placed: sizes it, looks at price and balances, shows the card."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import TYPE_CHECKING

from pydantic import AwareDatetime

from tradehook.desk import guard
from tradehook.desk.questions import questions
from tradehook.errors import GuardRefused
from tradehook.models import SizedOrder, Value
from tradehook.render import kept_words
from tradehook_bot import cards, on_chain
from tradehook_bot.deeds import asking

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tradehook.desk.previews import Preview
    from tradehook.models import NewOrder, Quote
    from tradehook_bot.accounts import Account
    from tradehook_bot.context import House
    from tradehook_bot.proposals import Where


class OrderAsked(Value):
    """What is stored of a question about an order."""

    sized: SizedOrder
    """What will be sent, exactly."""
    shown_price: Decimal | None = None
    good_until_price: Decimal | None = None
    """The worst price at Confirm that needs no new question; `None` for a limit order, which has its own."""
    worth: Decimal | None = None
    """What it came to when it was asked, in its quote; `None` in rows of a version that did not say."""
    preview_id: str | None = None
    """The preview that was shown of an order on a chain."""
    prepared_at: AwareDatetime | None = None


async def ask(
    house: House, account: Account, order: NewOrder, *, where: Where, typed: str, notes: Sequence[str] = ()
) -> None:
    """Ask whether this order shall be placed in this account.

    Raises:
        GuardRefused: nothing may be sent here or now, so nothing is asked.
        InvalidInput: it cannot be traded as typed, or the account clearly cannot pay it.
        TradehookError: the exchange could not be asked.
    """
    await check_open(house)
    await guard.check(account.client.exchange, limits=house.journal.limits)
    sized = await account.client.size_order(order)
    await ask_sized(house, account, sized, where=where, typed=typed, notes=notes)


async def ask_sized(
    house: House,
    account: Account,
    sized: SizedOrder,
    *,
    where: Where,
    typed: str,
    notes: Sequence[str] = (),
    shown: Preview | None = None,
) -> None:
    """The same for an order whose quantity is settled.

    Args:
        house: where.
        account: whose money; the question stays about it, whatever the chat is about later.
        sized: what will be sent, exactly, if the answer is yes.
        where: who may answer, and where.
        typed: the command, to be shown when it has to be given again.
        notes: what to say before the question.
        shown: a young preview of it, if there is one already.

    Raises:
        InvalidInput: the account clearly cannot pay it.
        GuardRefused: it needs a code, and its person can give none, or not there.
        TradehookError: the exchange could not be asked.
    """
    capabilities = account.spec.capabilities
    shows_holdings = await house.shows_holdings(where)
    if sized.chain is None:
        quote, balances = await asyncio.gather(current_price(account, sized), account.client.balances())
        terms = cards.Terms.of(sized, quote, fee_rate=capabilities.fee_rate_observed)
        cards.check_funds(terms, balances, command=str(sized.side), shows_holdings=shows_holdings)
    else:
        balances = await account.client.balances()
        # Before the exchange makes an order of it; and that as late as can be, since it ages.
        cards.check_pays(sized, sized.quantity, balances, command=str(sized.side), shows_holdings=shows_holdings)
        shown = shown or await on_chain.preview(account, sized, user_id=where.user_id)
        terms = on_chain.terms_of(shown)
        quote = terms.quote
    exchange = account.client.exchange
    account_id = await exchange.account_id()
    odd = await house.store.do(
        questions, house.journal.engine, sized, host=exchange.host, account_id=account_id, balances=balances
    )
    lifetime = cards.lifetime(sized, house.settings)
    tolerance = house.settings.tolerance_percent
    asked = OrderAsked(
        sized=sized,
        shown_price=quote.price,
        good_until_price=cards.good_until(sized, quote, tolerance_percent=tolerance),
        # A sale far below the market trades at the market, whatever its limit says.
        worth=max(terms.notional, terms.base_quantity * quote.price),
        preview_id=shown.preview_id if shown is not None else None,
        prepared_at=shown.asked_at if shown is not None else None,
    )
    if needs_code(house, asked):
        above = f"{house.settings.step_up(house.environment):f} {sized.quote}"
        await asking.check_code(house, where, what=f"An order above {above}", limit=above)
        notes = (*notes, f"It is above {above}: after Confirm I ask for a code from your authenticator app.")
    question = asking.Question(
        kind="order",
        parameters=asked,
        deed=terms.deed,
        typed=typed,
        lifetime=lifetime,
        account=account.name,
    )
    await asking.ask(
        house,
        question,
        where=where,
        body=lambda expires_at: cards.body(
            terms,
            balances,
            account=account.name,
            exchange=account.spec.label,
            tolerance_percent=tolerance,
            expires_at=expires_at,
            seconds=round(lifetime.total_seconds()),
            shows_holdings=shows_holdings,
            notes=(*notes, *odd, *(f"{words[0].upper()}{words[1:]}." for words in kept_words(sized))),
        ),
    )


def needs_code(house: House, asked: OrderAsked) -> bool:
    """Whether the order is worth so much that a code is asked for."""
    return house.settings.needs_code(house.environment, asked.worth)


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
