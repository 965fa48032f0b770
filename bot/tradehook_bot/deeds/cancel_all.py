"""Several orders are canceled after one question. It names each; an order that is opened later is none of them."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from typing import TYPE_CHECKING

from tradehook import render
from tradehook.errors import TradehookError
from tradehook.models import OrderStatus, Value
from tradehook_bot.commands import orders
from tradehook_bot.deeds import asking, ending
from tradehook_bot.deeds.kind import Kind
from tradehook_bot.failures import words_for
from tradehook_bot.proposals import State
from tradehook_bot.replies import bold, text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tradehook.models import Order
    from tradehook_bot.accounts import Account
    from tradehook_bot.context import House
    from tradehook_bot.proposals import Proposal, Where

NAME = "cancel_all"
SHOWN = 15
_AT_ONCE = 2
"""As many threads as the desk has for cancels."""
_BETWEEN_EDITS_SECONDS = 1.5
_AFTER_FREEZE = timedelta(hours=1)


class OrderToCancel(Value):
    """One order that the question names."""

    account: str
    order_id: str
    words: str


class CancelAllAsked(Value):
    """What is stored of the question."""

    orders: tuple[OrderToCancel, ...]
    above: str = ""
    """HTML that stays above, whatever is answered: what the message told before it asked."""


async def ask(house: House, account: Account, *, where: Where, typed: str) -> bool:
    """Ask whether every open order of this account shall be canceled; whether there is one to ask about.

    Raises:
        TradehookError: the exchange could not be asked.
    """
    found = named(account, await orders.open_orders(account))
    if not found:
        return False
    asked = CancelAllAsked(orders=found)
    question = asking.Question(
        kind=NAME,
        parameters=asked,
        deed=_deed(found),
        typed=typed,
        lifetime=house.settings.limit_lasts(),
        account=account.name,
        no="Leave them",
    )
    lines = [text(each.words) for each in found[:SHOWN]]
    if len(found) > SHOWN:
        lines.append(f"and {len(found) - SHOWN} more")
    await asking.ask(
        house,
        question,
        where=where,
        body=asking.until([text(account.title), bold(f"{_deed(found)}?"), *lines, ""]),
    )
    return True


async def offer(
    house: House,
    found: Sequence[OrderToCancel],
    *,
    where: Where,
    typed: str,
    above: str,
    body: str,
    instead_of: int,
) -> None:
    """The same under a message that tells of these orders already.

    Args:
        house: where.
        found: the orders.
        where: who may answer, and where.
        typed: what would ask again.
        above: HTML that stays, whatever is answered.
        body: the same with the question.
        instead_of: the message.
    """
    question = asking.Question(
        kind=NAME,
        parameters=CancelAllAsked(orders=tuple(found), above=above),
        deed=_deed(found),
        typed=typed,
        lifetime=_AFTER_FREEZE,
        no="Leave them",
    )
    await asking.ask(house, question, where=where, body=lambda _expires_at: body, instead_of=instead_of)


def named(account: Account, found: Sequence[Order]) -> tuple[OrderToCancel, ...]:
    """Those that can be canceled and are not being so already, as a question names them."""
    return tuple(
        OrderToCancel(account=account.name, order_id=order.order_id, words=render.order_line(order))
        for order in found
        if orders.can_cancel(order) and order.status is not OrderStatus.CANCELING
    )


async def carry_out(house: House, _account: Account, proposal: Proposal) -> None:
    """Each order that the question named was asked to be canceled, and the message says how each stands."""
    asked = proposal.read(CancelAllAsked)
    turn = asyncio.Semaphore(_AT_ONCE)
    looked_at = time.monotonic()
    lines: list[str] = []
    for done in asyncio.as_completed([_cancel(house, each, turn) for each in asked.orders]):
        lines.append(await done)
        if time.monotonic() - looked_at >= _BETWEEN_EDITS_SECONDS:
            looked_at = time.monotonic()
            await _say(house, proposal, f"{bold('Canceling')}: {len(lines)} of {len(asked.orders)} asked for…")
    count = _count(len(asked.orders))
    words = [
        bold(f"Asked for the cancellation of {count}."),
        *lines,
        "Each is told of when it has ended; until then it may still be filled. /orders shows what is open.",
    ]
    await _end(house, proposal, "\n".join(words))


async def tell(house: House, proposal: Proposal, why: str) -> None:
    """It was stopped in the middle. A cancellation may be asked for again, so that is what is offered."""
    await _end(
        house,
        proposal,
        f"{bold(f'Cut off: {proposal.deed}')}\n{why}\nSome of the cancellations may have gone out. "
        "/orders shows what is still open, /cancel_all asks again.",
    )


def is_untouched(_house: House, _proposal: Proposal) -> bool:
    """Nothing is written down before a cancel goes out, so nobody can say that none did."""
    return False


def over(proposal: Proposal) -> str:
    """The orders were left."""
    said = {
        State.DECLINED: "You said no: they were left as they are.",
        State.EXPIRED: "Nobody answered in time: they were left as they are. /cancel_all asks again.",
    }.get(proposal.state, "They were left as they are. /cancel_all asks again.")
    above = proposal.read(CancelAllAsked).above
    return f"{above}\n\n{said}" if above else f"{bold(f'Not done: {proposal.deed}')}\n{said}"


async def _cancel(house: House, wanted: OrderToCancel, turn: asyncio.Semaphore) -> str:
    """Ask for one cancellation, and say what came of it (HTML)."""
    account = house.named(wanted.account)
    if account is None:
        return f"{text(wanted.words)}\nThe account {text(wanted.account)} is not served any more."
    async with turn:
        try:
            return text(render.order_line(await account.client.cancel_order(wanted.order_id)))
        except TradehookError as error:
            doubt = " The cancellation may have gone out." if error.may_have_happened else ""
            return f"{text(wanted.words)}\nNot canceled: {words_for(error)}{doubt}"


async def _say(house: House, proposal: Proposal, words: str) -> bool:
    above = proposal.read(CancelAllAsked).above
    body = f"{above}\n\n{words}" if above else words
    return proposal.message_id is None or await house.voice.edit(
        proposal.chat_id, proposal.message_id, body, account=proposal.account
    )


async def _end(house: House, proposal: Proposal, words: str) -> None:
    await ending.end(house, proposal, words, above=proposal.read(CancelAllAsked).above)


def _deed(found: Sequence[OrderToCancel]) -> str:
    return f"Cancel all {len(found)} orders" if len(found) > 1 else "Cancel 1 order"


def _count(orders: int) -> str:
    return f"{orders} order{'' if orders == 1 else 's'}"


KIND = Kind(
    name=NAME,
    carry_out=carry_out,
    is_untouched=is_untouched,
    tell=tell,
    is_of_one_account=False,
    not_done="Not done",
    nothing="They were left as they are.",
    over=over,
)
