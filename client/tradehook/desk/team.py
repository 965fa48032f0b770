"""Several accounts under one deed: their desks by name, over one journal, and what each has now."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from tradehook.errors import ConfigurationError, InvalidInput, NotFound, Rejected, Unavailable
from tradehook.models import Side, Unit
from tradehook.rebalance_across import Place, plan_across
from tradehook.run import run

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tradehook.contract import Exchange
    from tradehook.desk.submit import Desk
    from tradehook.portfolio_goal import Goal
    from tradehook.portfolio_plan import Plan

PRICED_FOR = Decimal(100)
"""Prices are asked for selling this much quote: small enough for every book, large enough for every lot."""


def by_name(desks: Sequence[Desk]) -> dict[str, Desk]:
    """The desks by what people call their accounts, in that order.

    Raises:
        InvalidInput: a name stands for two of them.
        ConfigurationError: they do not share a journal, which alone can say what was sent before.
    """
    found = {desk.account: desk for desk in sorted(desks, key=lambda desk: desk.account)}
    if len(found) < len(desks):
        raise InvalidInput("An account is named twice. Name each once.")
    if len(found) == 1:
        return found
    journals = {name: desk.journal.namespace() for name, desk in found.items()}
    first = next(iter(journals))
    for name, namespace in journals.items():
        if namespace != journals[first]:
            raise ConfigurationError(
                f"{first} and {name} keep different journals, so nothing could say what was sent before. Give both the "
                "same journal_url."
            )
    return found


async def owners(exchanges: Mapping[str, Exchange]) -> dict[str, str]:
    """Whose account each is, as exchange, host and user id.

    Raises:
        InvalidInput: two of them are one account, which would be counted twice.
    """
    found: dict[str, str] = {}
    for name, exchange in exchanges.items():
        owner = f"{exchange.spec.name} {exchange.host} {await exchange.account_id()}"
        for other, seen in found.items():
            if seen == owner:
                raise InvalidInput(
                    f"{other} and {name} are the same account, so all of it would count twice. Name it once, or look "
                    "at `tradehook accounts`."
                )
        found[name] = owner
    return found


def make_across(exchanges: Mapping[str, Exchange], goal: Goal) -> Plan:
    """The plan over these accounts that would be carried out now. Reads only. Each exchange over a blocking line.

    Raises:
        InvalidInput: a target is traded at none of them, two are one account, or there is nothing to divide.
    """
    return run(_make(exchanges, goal))


async def _make(exchanges: Mapping[str, Exchange], goal: Goal) -> Plan:
    await owners(exchanges)
    own = {exchange.spec.capabilities.default_quote for exchange in exchanges.values()}
    # The cash that one of them uses by itself says nothing about the others.
    quote = "" if goal.quote in own else goal.quote
    return plan_across(
        goal, places=[await _place(name, exchange, goal, quote=quote) for name, exchange in exchanges.items()]
    )


async def _place(name: str, exchange: Exchange, goal: Goal, *, quote: str) -> Place:
    capabilities = exchange.spec.capabilities
    quote, prices = await _prices(exchange, goal, quote=quote)
    observed = (capabilities.fee_rate_observed or Decimal(0)) * 100
    return Place(
        account=name,
        quote=quote,
        balances=await exchange.balances(),
        prices=prices,
        lots={symbol: exchange.lot_size(price) for symbol, price in prices.items()},
        fee=max(goal.fee, observed),
        no_buys="" if capabilities.can("quote_buys") else capabilities.cannot["quote_buys"],
    )


async def _prices(exchange: Exchange, goal: Goal, *, quote: str) -> tuple[str, dict[str, Decimal]]:
    """What is cash there, and what the targets that are traded there cost in it.

    That is `quote` where it is traded against that, else what the exchange trades against by itself.
    """
    default = exchange.spec.capabilities.default_quote
    settled, prices = default, dict[str, Decimal]()
    for wanted in dict.fromkeys((quote or default, default)):
        try:
            settled, prices = await _quoted(exchange, goal, quote=wanted)
        except Unavailable:  # how an exchange may say that it has no such market; the next one tells
            if wanted == default:
                raise
        if prices:
            break
    return settled, prices


async def _quoted(exchange: Exchange, goal: Goal, *, quote: str) -> tuple[str, dict[str, Decimal]]:
    settled, prices = quote, dict[str, Decimal]()
    for symbol in goal.symbols:
        try:
            found = await exchange.get_quote(symbol, quote=quote, side=Side.SELL, quantity=PRICED_FOR, unit=Unit.QUOTE)
        except (InvalidInput, NotFound, Rejected):  # not traded there, or not against that
            continue
        settled, prices[symbol] = found.quote, found.price
    return settled, prices
