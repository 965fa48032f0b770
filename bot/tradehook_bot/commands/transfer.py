"""`/transfer ASSET AMOUNT LABEL`: asks whether coins shall be sent to a destination on the list."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import ValidationError

from tradehook.amounts import parse_asset_amount
from tradehook.errors import InvalidInput
from tradehook.transfers import NewTransfer
from tradehook_bot.deeds import transfer as deed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tradehook_bot.context import Ask

_ON = ("on", "--chain")


async def transfer(ask: Ask) -> None:
    """The person is asked whether to send it, with the whole address."""
    ask.check_chosen()
    account = ask.account
    labels = [
        each.label
        for each in await ask.house.store.do(ask.house.journal.destinations.list, account.client.exchange.host)
    ]
    try:
        wanted = read_transfer(ask.words, chains=account.spec.capabilities.chains, labels=labels)
        await deed.ask(ask.house, account, wanted, where=ask.where, typed=ask.text)
    except InvalidInput as error:
        raise _with_commands(error, ask.words, labels=labels) from None


def read_transfer(words: Sequence[str], *, chains: Sequence[str] = (), labels: Sequence[str] = ()) -> NewTransfer:
    """Read `USDC 5 cold`, `5 USDC to cold`, `USDC 50% cold on base`.

    Raises:
        InvalidInput: it cannot be read; says what is missing, and which labels there are.
    """
    rest, chain = list(words), None
    if rest and rest[-1].lower() in chains:
        chain = rest.pop().lower()
        if rest and rest[-1].lower() in _ON:
            rest.pop()
    if len(rest) == 4 and rest[2].lower() == "to":
        del rest[2]
    if len(rest) != 3:
        there = f"Destinations: {', '.join(labels)}." if labels else "No destination is on the list yet."
        raise InvalidInput(
            f"Write what, how much and where to. {there} They are put on the list at the machine, with `tradehook "
            "destinations add`.",
            suggestions=(f"/transfer USDC 5 {labels[0] if labels else 'cold'}",),
        )
    asset, amount = parse_asset_amount(rest[:2])
    try:
        return NewTransfer(asset=asset, amount=amount, to=rest[2], chain=chain)
    except ValidationError as error:
        raise InvalidInput(f"{error.errors()[0]['msg'].removeprefix('Value error, ')}.") from None


def _with_commands(error: InvalidInput, words: Sequence[str], *, labels: Sequence[str]) -> InvalidInput:
    """The same error; labels that it offers as whole commands."""
    offers = [str(offer) for offer in error.details.get("suggestions", ())]
    if not offers or len(words) < 2 or not all(offer in labels for offer in offers):
        return error
    return InvalidInput(
        error.message, suggestions=tuple(f"/transfer {words[0][:20]} {words[1][:40]} {offer}" for offer in offers)
    )
