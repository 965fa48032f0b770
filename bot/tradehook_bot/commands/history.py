"""`/history`: what was done, newest first, whoever did it. Where the exchange is silent, what the journal knows."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast

from tradehook import render
from tradehook.desk.intents import State
from tradehook.desk.previews import Previews
from tradehook.errors import TradehookError
from tradehook.futures_words import futures_line
from tradehook.models import Order
from tradehook_bot.commands.counts import read_count
from tradehook_bot.commands.orders import unknowns
from tradehook_bot.failures import words_for
from tradehook_bot.replies import bold, text
from tradehook_bot.zones import moment

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence

    from tradehook.desk.intents import Intent
    from tradehook.transfers import Transfer
    from tradehook_bot.accounts import Account
    from tradehook_bot.context import Ask, House

_USUAL, _MOST = 10, 50
_LOOKED_AT = 300
"""How many rows of the exchange or the journal are looked at for that many that are done."""
_PATIENCE_SECONDS = 12.0
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Past:
    """Something that came to its end."""

    exchange_id: str
    line: str
    at: datetime | None
    source: str | None
    """Where it came from; `None`: not through tradehook, as far as this journal knows."""
    is_order: bool = False


async def history(ask: Ask) -> None:
    """The person has seen what was done last in the chat's account."""
    count = read_count(ask.words, command="history", usual=_USUAL, most=_MOST)
    house, account = ask.house, ask.account
    zone = await ask.zone()
    kept = await house.store.do(_kept, house, account)
    listed, problem = await _listed(house, account, count)
    # How the exchange tells it now wins over how it was last seen.
    found = {past.exchange_id: past for past in (*kept, *listed)}
    rows = sorted(found.values(), key=lambda past: past.at or _LONG_AGO, reverse=True)[:count]
    lines = [bold(f"The last {len(rows)} at {account.spec.label}" if rows else "Nothing was done here yet.")]
    if problem:
        lines.append(f"{problem} This is what the journal knows; what was placed elsewhere is missing.")
    elif not account.spec.capabilities.can("orders"):
        lines.append(f"{text(account.spec.capabilities.cannot['orders'])} Orders placed elsewhere are not here.")
    for past in rows:
        when = f"{moment(past.at, zone)} · " if past.at is not None else ""
        short = f" · /order_{render.short_id(past.exchange_id)}" if past.is_order else ""
        lines.append(f"{text(past.line)}\n{text(when)}{text(_origin(past.source))}{text(short)}")
    if doubtful := await unknowns(house, account):
        lines.append(f"{len(doubtful)} UNKNOWN: /unknown")
    await ask.reply("\n".join(lines))


async def _listed(house: House, account: Account, count: int) -> tuple[list[Past], str]:
    """What the exchange lists as done, and why that is nothing, as HTML."""
    client = account.client
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            can = account.spec.capabilities.can
            orders = await _done(client.list_orders(), count) if can("orders") else []
            transfers = await _done(client.list_transfers(), count) if can("transfers") else []
    except TimeoutError:
        return [], f"{text(account.spec.label)} did not answer in time."
    except TradehookError as error:
        return [], words_for(error)
    made = [*orders, *transfers]
    ids = [each.exchange_id for each in made]
    intents = await house.store.do(_intents_of, house, client.exchange.host, ids)
    previews = await house.store.do(Previews(house.journal.engine).unsigned, client.exchange.host, ids)
    return [_past(each, intents.get(each.exchange_id)) for each in made if each.exchange_id not in previews], ""


async def _done(rows: AsyncIterator[Order] | AsyncIterator[Transfer], count: int) -> list[Order | Transfer]:
    found: list[Order | Transfer] = []
    seen = 0
    async with aclosing(cast("AsyncGenerator[Order | Transfer, None]", rows)) as pages:
        async for row in pages:
            seen += 1
            if row.is_final:
                found.append(row)
            if len(found) >= count or seen >= _LOOKED_AT:
                break
    return found


def _intents_of(house: House, host: str, ids: Iterable[str]) -> dict[str, Intent]:
    found = ((identity, house.journal.by_order(host, identity)) for identity in ids)
    return {identity: intent for identity, intent in found if intent is not None}


def _kept(house: House, account: Account) -> Sequence[Past]:
    """What the journal knows to be done in this account."""
    return [
        past
        for intent in house.journal.list(limit=_LOOKED_AT)
        if intent.is_final and intent.reads_as is State.ACCEPTED and house.account_of(intent) is account
        if (past := _past_of(intent)) is not None
    ]


def _past_of(intent: Intent) -> Past | None:
    made = intent.last_order or intent.last_transfer
    if made is not None:
        return _past(made, intent)
    if intent.last_futures is None or intent.exchange_id is None:
        return None
    return Past(intent.exchange_id, futures_line(intent.last_futures), intent.created_at, intent.source)


def _past(made: Order | Transfer, intent: Intent | None) -> Past:
    is_order = isinstance(made, Order)
    line = render.order_line(made) if isinstance(made, Order) else render.transfer_line(made)
    at = made.created_at or (intent.created_at if intent is not None else None)
    return Past(made.exchange_id, line, at, intent.source if intent is not None else None, is_order=is_order)


def _origin(source: str | None) -> str:
    return "elsewhere" if source is None else f"from {render.source_words(source)}"
