"""A transfer is sent to a destination on the list, once, after Confirm and a code."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import TYPE_CHECKING

from tradehook import render
from tradehook.amounts import parse_amount
from tradehook.desk import guard
from tradehook.errors import InvalidInput
from tradehook.models import Value
from tradehook.run import run
from tradehook.transfers import NewTransfer, SizedTransfer
from tradehook_bot.deeds import asking, journalled
from tradehook_bot.deeds.kind import Kind
from tradehook_bot.questions import check_open
from tradehook_bot.replies import bold, code, text
from tradehook_bot.sweeping import in_thread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tradehook.models import Balance
    from tradehook_bot.accounts import Account
    from tradehook_bot.context import House
    from tradehook_bot.proposals import Proposal, Where

NAME = "transfer"


class TransferAsked(Value):
    """What is stored of the question."""

    wanted: NewTransfer
    sized: SizedTransfer
    """What will be sent, exactly, and to which address."""


async def ask(house: House, account: Account, wanted: NewTransfer, *, where: Where, typed: str) -> None:
    """Ask whether this transfer shall be sent from this account.

    Raises:
        GuardRefused: nothing may be sent here or now, or its person can give no code.
        InvalidInput: it cannot be sent as typed, or the account clearly does not hold it.
        TradehookError: the exchange could not be asked.
    """
    await check_open(house)
    desk = account.client.desk
    account.spec.capabilities.check("transfers", exchange=account.spec.name)
    await guard.check(account.client.exchange, limits=house.journal.limits)
    await house.store.do(house.totp.check_ready, where.user_id, what="A transfer")
    # The desk's own exchange has a blocking line: it is asked on a thread.
    sized = await asyncio.wrap_future(in_thread(lambda: run(desk.size_transfer(wanted))))
    balances, odd = await asyncio.gather(
        account.client.balances(), asyncio.wrap_future(in_thread(lambda: desk.questions(sized)))
    )
    left = _left(sized, balances)
    question = asking.Question(
        kind=NAME,
        parameters=TransferAsked(wanted=wanted, sized=sized),
        deed=f"Send {render.quantity(sized.quantity, sized.asset)} to {sized.to}",
        typed=typed,
        lifetime=house.settings.limit_lasts(),
        account=account.name,
    )
    lines = [
        text(account.title),
        *(text(note) for note in odd),
        bold(f"Send {render.quantity(sized.quantity, sized.asset)} {_from(sized)} to {sized.to}?"),
        *_typed(sized),
        *_where_to(sized),
        "Fee: the network's; it comes off the amount and is not told beforehand",
        f"Available after: {text(render.quantity(left, sized.asset))}",
        "It cannot be called back. After Confirm I ask for a code from your authenticator app.",
    ]
    await asking.ask(
        house,
        question,
        where=where,
        body=asking.until(lines),
    )


async def carry_out(house: House, account: Account, proposal: Proposal) -> None:
    """The transfer was sent, once; the journal tells how it stands. Raises when it was not."""
    await check_open(house)
    asked = proposal.read(TransferAsked)
    words = f"{bold('Submitting')}: {text(render.transfer_words(asked.sized))}…"
    await journalled.begin(house, account, proposal, words=words)
    # As the label is now is checked by the desk, right before it sends: an address that was changed is refused.
    future = account.client.desk.start_transfer(
        asked.wanted, intent_id=proposal.proposal_id, source=f"chat:{proposal.user_id}", sized=asked.sized
    )
    # Shielded: whoever stops waiting does not stop the transfer.
    await asyncio.shield(asyncio.wrap_future(future))
    await journalled.settle(house, proposal)


def _left(sized: SizedTransfer, balances: Sequence[Balance]) -> Decimal:
    """What is free of the asset afterwards.

    Raises:
        InvalidInput: less is there than is to be sent.
    """
    there = sum(
        (row.available for row in balances if (row.symbol, row.chain) == (sized.asset, sized.chain)), Decimal(0)
    )
    if sized.quantity > there:
        raise InvalidInput(
            f"This sends {render.quantity(sized.quantity, sized.asset)}, and {render.quantity(there, sized.asset)} is "
            f"available {f'on {sized.chain}' if sized.chain else 'at the exchange'}.",
            suggestions=(f"/transfer {sized.asset} max {sized.to}",) if there else (),
        )
    return there - sized.quantity


def _from(sized: SizedTransfer) -> str:
    return f"on {sized.chain}" if sized.chain else "from the exchange"


def _typed(sized: SizedTransfer) -> list[str]:
    """What was typed beside what will be sent, where they differ."""
    typed = parse_amount(sized.typed)
    if typed.kind == "base" and typed.value == sized.quantity:
        return []
    return [text(f"Typed {sized.typed}, sends {render.quantity(sized.quantity, sized.asset)}")]


def _where_to(sized: SizedTransfer) -> list[str]:
    return [f"Address: {code(sized.address)}", f"Network: {text(sized.network)}"]


def details(proposal: Proposal) -> Sequence[str]:
    """Where the money goes, for the moment before the code."""
    return _where_to(proposal.read(TransferAsked).sized)


KIND = Kind(
    name=NAME,
    carry_out=carry_out,
    is_untouched=journalled.is_untouched,
    tell=journalled.tell,
    needs_code=lambda _house, _proposal: True,
    details=details,
)
