"""`/orders`, `/order` and `/cancel`: what is open, how one order stands, and asking the exchange to cancel it."""

from __future__ import annotations

import asyncio
from itertools import islice
from typing import TYPE_CHECKING

from tradehook import render
from tradehook.desk.intents import State
from tradehook.desk.watch import OPEN_STATUSES
from tradehook.errors import InvalidInput, InvalidOrder, NotFound
from tradehook.registry import spec
from tradehook_bot import news
from tradehook_bot.replies import bold, code, text
from tradehook_bot.sweeping import in_thread
from tradehook_bot.words import deed_of
from tradehook_bot.zones import clock, day_and_clock

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import tzinfo

    from tradehook.desk.intents import Intent
    from tradehook.models import Order
    from tradehook_bot.accounts import Account
    from tradehook_bot.context import Ask, House

_SHOWN = 15
_WHOLE_ID = 36
_UUID = 32
_MOST_DOUBTS = 1_000


async def orders(ask: Ask) -> None:
    """The person has seen what is open, and what nobody knows about."""
    account = ask.account
    found = await open_orders(account)
    doubtful = await unknowns(ask.house, account)
    zone = await ask.zone()
    lines = [bold(f"{len(found)} open" if found else "No open orders")]
    if (why := account.spec.capabilities.cannot.get("orders")) is not None:
        lines.append(f"{text(why)} Here are those that tradehook placed, by what the wallet shows.")
    lines += [f"{text(render.order_line(order))}\n{handles(order)}" for order in islice(found, _SHOWN)]
    if len(found) > _SHOWN:
        lines.append(f"and {len(found) - _SHOWN} more")
    if doubtful:
        lines.append(bold(f"{len(doubtful)} UNKNOWN: may exist or not, do not enter them again"))
        lines += [text(_doubt(intent, zone)) for intent in doubtful[:_SHOWN]]
        lines.append("/unknown tells more")
    await ask.reply("\n".join(lines))


async def order(ask: Ask) -> None:
    """The person has seen how one order stands at the exchange now."""
    wanted = _one_id(ask, command="order")
    house = ask.house
    if wanted.startswith("chat-") or len(wanted) > _WHOLE_ID:
        intent = await house.store.do(house.journal.get, wanted)
        label = spec(intent.exchange).label
        await ask.reply(news.words(intent, exchange=label, is_from_chat=intent.source.startswith("chat")))
        return
    found = await _find(ask.account, wanted)
    host = ask.account.client.exchange.host
    intent_ = await house.store.do(house.journal.by_order, host, found.order_id)
    lines = [bold(render.order_line(found)), f"order {code(found.order_id)}"]
    if found.created_at is not None:
        lines.append(text(f"made {day_and_clock(found.created_at, await ask.zone())}"))
    if intent_ is not None:
        lines.append(f"from {text(render.source_words(intent_.source))} · intent {code(intent_.intent_id)}")
    if can_cancel(found):
        lines.append(f"/cancel_{text(render.short_id(found.order_id))}")
    await ask.reply("\n".join(lines))


async def cancel(ask: Ask) -> None:
    """The exchange was asked to cancel the order. Works in a freeze. May be repeated."""
    wanted = _one_id(ask, command="cancel")
    account = ask.account
    found = await _find(account, wanted)
    after = await account.client.cancel_order(found.order_id)
    lines = [bold(render.order_line(after)), f"order {code(render.short_id(found.order_id))}"]
    if not after.is_final:
        lines.append("The exchange confirms it in a moment; it may still be filled until then.")
    await ask.reply("\n".join(lines))
    await ask.house.look()


async def open_orders(account: Account) -> list[Order]:
    """Every order that is known to be open, whoever placed it; not every exchange lists them all."""
    return await asyncio.wrap_future(in_thread(account.client.desk.open_orders))


async def unknowns(house: House, account: Account) -> Sequence[Intent]:
    """Intents of this account of which nobody knows whether their order exists."""
    host = account.client.exchange.host
    found = await house.store.do(
        house.journal.list, states=[State.UNKNOWN], kinds=news.TOLD, host=host, limit=_MOST_DOUBTS
    )
    return [intent for intent in found if house.account_of(intent) is account]


def handles(order: Order) -> str:
    """What can be tapped about an order, as HTML."""
    short = text(render.short_id(order.order_id))
    return f"/order_{short}" + (f"  /cancel_{short}" if can_cancel(order) else "")


def can_cancel(order: Order) -> bool:
    """Whether asking for cancellation makes sense."""
    return order.status in (*OPEN_STATUSES, *news.UNTOLD) and order.is_limit is not False


async def _find(account: Account, wanted: str) -> Order:
    """The one order whose id is this or begins so.

    Raises:
        InvalidInput: several begin so.
        NotFound: none does.
    """
    try:
        return await account.client.find_order(wanted)
    except (InvalidOrder, NotFound):
        # The exchange calls a beginning that it does not know malformed; to a person it is unknown all the same.
        raise NotFound(
            f"There is no order {wanted}. /orders shows what is open.", status=404, exchange=account.spec.name
        ) from None


def _doubt(intent: Intent, zone: tzinfo) -> str:
    at = f", sent {clock(intent.sending_at, zone)}" if intent.sending_at else ""
    return f"{deed_of(intent)}{at}"


def _one_id(ask: Ask, *, command: str) -> str:
    """The id that was typed, whole or its beginning.

    Raises:
        InvalidInput: none, several, or something that cannot begin one.
    """
    if len(ask.words) != 1:
        raise InvalidInput(f"Which order? Write its id, or the beginning of it: /{command} 3f2a. /orders lists them.")
    word = ask.words[0]
    if not (word.isascii() and word.replace("-", "").isalnum()) or len(word) < 4:
        raise InvalidInput(
            f"{ask.words[0][:40]!r} cannot be an order's id. Write at least its first four characters. "
            "/orders lists them."
        )
    # A whole id is a UUID, which means the same in capitals; others may not.
    return word.lower() if len(word) >= _UUID else word
