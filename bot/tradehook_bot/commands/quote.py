"""`/quote`: what buying and what selling would come to now, side by side."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import TYPE_CHECKING

from tradehook import render
from tradehook.amounts import Amount, parse_asset_amount
from tradehook.errors import InvalidInput
from tradehook.models import Side, Unit
from tradehook_bot.markets import find_market, find_on_chain, take_chain, told_by_preview
from tradehook_bot.replies import bold, text
from tradehook_bot.zones import clock

if TYPE_CHECKING:
    from datetime import tzinfo

    from tradehook.models import Quote
    from tradehook_bot.context import Ask

_SAMPLE = Amount.quote(Decimal(1000))
"""What a bare `/quote BTC` is quoted for."""


async def quote(ask: Ask) -> None:
    """The person has seen both prices. Nothing is asked and nothing is held."""
    capabilities = ask.account.spec.capabilities
    words, chain = take_chain(ask.words, capabilities.chains)
    market, amount = read_words(words)
    client = ask.account.client
    # On a chain one pays with dollars and sells coins; a price is told only of what one would really do.
    preview = f"/{Side.SELL if amount.kind == 'base' else Side.BUY} {{market}} {amount}"
    if chain is not None:
        base, _ = await find_on_chain(client, market, chain=chain)
        raise await told_by_preview(client, base, chain=chain, command=preview)
    base, counter = await find_market(client, market, retry=f"/quote {{market}} {amount}", elsewhere=preview)
    unit = Unit.BASE if amount.kind == "base" else Unit.QUOTE
    buying, selling = await asyncio.gather(
        *(
            client.get_quote(base, quote=counter, side=side, quantity=amount.value, unit=unit)
            for side in (Side.BUY, Side.SELL)
        )
    )
    await ask.reply(_words(buying, selling, fee_rate=capabilities.fee_rate_observed, zone=await ask.zone()))


def read_words(words: tuple[str, ...]) -> tuple[str, Amount]:
    """Market and amount.

    Raises:
        InvalidInput: there is no asset, or the amount depends on what one has.
    """
    if len(words) == 1 and words[0][:1].isalpha():
        return words[0], _SAMPLE
    market, amount = parse_asset_amount(list(words))
    if amount.depends_on_balance:
        raise InvalidInput("A quote needs an amount of its own.", suggestions=(f"/quote {market.upper()[:20]} 0.05",))
    return market, amount


def _words(buying: Quote, selling: Quote, *, fee_rate: Decimal | None, zone: tzinfo) -> str:
    asked = render.quantity(buying.quantity, buying.base if buying.unit is Unit.BASE else buying.quote)
    fee = "The fee is not in it; the exchange does not tell it beforehand"
    if fee_rate is not None:
        fee += f" ({render.percent(fee_rate * 100)} was seen so far, not promised)"
    return "\n".join(
        [
            bold(f"{buying.base}/{buying.quote}, {asked}"),
            text(_side("Buy", buying)),
            text(_side("Sell", selling)),
            f"{text(fee)}.",
            text(f"At {clock(max(buying.quoted_at, selling.quoted_at), zone)}; it binds nobody."),
        ]
    )


def _side(verb: str, found: Quote) -> str:
    if found.unit is Unit.BASE:
        comes_to = render.quantity(found.notional.quantize(Decimal("0.01")), found.quote)
    else:
        comes_to = render.about(found.base_quantity, found.base)
    return f"{verb} at {render.price(found.price)}: {comes_to}"
