"""The daily digest: what rests, how old and how far from the market it is, what money it holds. Once a day a chat.

The hour stands in the database, and whoever looks there each half minute finds what is due: so a restart, another time
zone and a clock that is put forward need nothing more. The scheduler's jobs are made anew at each boot.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert, or_, select, update

from tradehook import render
from tradehook.desk.intents import State
from tradehook.desk.schema import reading, writing
from tradehook.errors import TradehookError
from tradehook.models import OrderStatus, Side, Unit
from tradehook.prices import change_percent
from tradehook_bot.commands.orders import handles, open_orders, unknowns
from tradehook_bot.failures import words_for
from tradehook_bot.outbox import Letter, Weight
from tradehook_bot.replies import bold, text
from tradehook_bot.store import now
from tradehook_bot.tables import DIGEST

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tradehook.models import Order
    from tradehook_bot.accounts import Account
    from tradehook_bot.context import House
    from tradehook_bot.outbox import Outbox
    from tradehook_bot.store import Store

LATE = timedelta(hours=6)
"""One that is later than this waits for the next day: the bot was down."""
_LOOK_SECONDS = 20.0
_SHOWN = 15
_MOST_DONE = 500


@dataclass(frozen=True, slots=True)
class Wish:
    """When a chat wants its digest."""

    chat_id: int
    at: time
    told_on: str | None
    """The last day it was sent for, in the chat's zone."""

    def is_due(self, local: datetime) -> bool:
        """Whether it is time by the chat's own clock."""
        due_at = datetime.combine(local.date(), self.at, tzinfo=local.tzinfo)
        return self.told_on != local.date().isoformat() and timedelta(0) <= local - due_at <= LATE


class Digests:
    """This bot's digests. Blocking: call it through `Store.do`."""

    def __init__(self, store: Store) -> None:
        """Look at this bot's rows."""
        self._store = store
        self._mine = DIGEST.c.bot_id == store.bot_id

    def get(self, chat_id: int) -> Wish | None:
        """When this chat wants it, if it does."""
        return next((wish for wish in self.all() if wish.chat_id == chat_id), None)

    def all(self) -> Sequence[Wish]:
        """Every chat that wants one."""
        with reading(self._store.engine) as connection:
            rows = connection.execute(select(DIGEST).where(self._mine).order_by(DIGEST.c.chat_id))
            return [Wish(row.chat_id, time.fromisoformat(row.at), row.told_on) for row in rows]

    def set(self, chat_id: int, at: time, *, local: datetime) -> Wish:
        """From now on it comes at this hour, today if that is still to come. May be repeated."""
        told_on = local.date().isoformat() if local.time() >= at else None
        values: dict[str, Any] = {"at": at.isoformat("minutes"), "told_on": told_on}
        with writing(self._store.engine) as connection:
            here = self._mine & (DIGEST.c.chat_id == chat_id)
            if connection.execute(update(DIGEST).where(here).values(values)).rowcount == 0:
                connection.execute(insert(DIGEST).values(bot_id=self._store.bot_id, chat_id=chat_id, **values))
        return Wish(chat_id, at, told_on)

    def end(self, chat_id: int) -> None:
        """It comes no more. May be repeated."""
        with writing(self._store.engine) as connection:
            connection.execute(delete(DIGEST).where(self._mine, DIGEST.c.chat_id == chat_id))

    def tell(self, wish: Wish, body: str, *, day: str, outbox: Outbox) -> None:
        """It is queued for this day, once. May be repeated."""
        untold = or_(DIGEST.c.told_on.is_(None), DIGEST.c.told_on != day)
        with writing(self._store.engine) as connection:
            done = connection.execute(
                update(DIGEST).where(self._mine, DIGEST.c.chat_id == wish.chat_id, untold).values(told_on=day)
            )
            if done.rowcount == 1:
                outbox.put_within(connection, [Letter(wish.chat_id, f"digest:{day}", body, weight=Weight.NEWS)])


async def send_due(house: House) -> None:
    """Whoever's hour has come is told."""
    digests = Digests(house.store)
    for wish in await house.store.do(digests.all):
        zone = await house.store.do(house.chats.zone, wish.chat_id)
        local = now().astimezone(zone)
        if wish.is_due(local):
            body = await words(house, at=local)
            await house.store.do(digests.tell, wish, body, day=local.date().isoformat(), outbox=house.outbox)


async def words(house: House, *, at: datetime) -> str:
    """How everything stands, as HTML."""
    found = await asyncio.gather(*(_account(house, account) for account in house.accounts))
    trading = await house.store.do(house.journal.trading_state)
    lines = [bold(f"Digest of {at:%Y-%m-%d}, {render.clock(at)}")]
    if trading["state"] != "NORMAL":
        lines.append(bold(f"Trading is {trading['state']} by {trading['changed_by']}. /resume"))
    for account, about in zip(house.accounts, found, strict=True):
        lines += [*([bold(account.title)] if house.has_several else []), *about]
    return "\n".join(lines)


async def _account(house: House, account: Account) -> list[str]:
    """What rests at one account, what was done there, and what nobody knows of."""
    lines = [await _done(house, account)]
    doubtful = await unknowns(house, account)
    if doubtful:
        lines.append(bold(f"{len(doubtful)} UNKNOWN: may exist or not (/unknown)"))
    try:
        async with asyncio.timeout(_LOOK_SECONDS):
            resting = [order for order in await open_orders(account) if order.price is not None]
            prices = await _prices(account, resting)
    except TimeoutError:
        return [*lines, f"{text(account.spec.label)} did not answer, so I cannot tell what rests. /orders"]
    except TradehookError as error:
        return [*lines, f"What rests cannot be told: {words_for(error)}"]
    lines.append(bold(f"{len(resting)} order{'s rest' if len(resting) != 1 else ' rests'}") + ("" if resting else "."))
    lines += [
        f"{text(render.order_line(order))}\n{text(_facts(order, prices))} {handles(order)}"
        for order in resting[:_SHOWN]
    ]
    if len(resting) > _SHOWN:
        lines.append(f"and {len(resting) - _SHOWN} more: /orders")
    if resting:
        lines.append(text(f"Held by them: {', '.join(_held(resting)) or 'not told'}"))
    return lines


async def _done(house: House, account: Account) -> str:
    since = now() - timedelta(days=1)
    host = account.client.exchange.host
    recent = await house.store.do(
        house.journal.list, states=[State.ACCEPTED], kinds=["order"], host=host, since=since, limit=_MOST_DONE
    )
    filled = [
        intent
        for intent in recent
        if intent.last_order is not None
        and intent.last_order.status in (OrderStatus.FILLED, OrderStatus.PROBABLY_FILLED)
        and house.account_of(intent) is account
    ]
    return f"Filled in 24 h: {len(filled)}{' (/history)' if filled else ''}"


async def _prices(account: Account, orders: Sequence[Order]) -> Mapping[str, Decimal]:
    """What each asset costs now, as far as that is told."""
    prices: dict[str, Decimal] = {}
    for symbol in sorted({order.base for order in orders if order.base}):
        try:
            prices[symbol] = (await account.client.price(symbol)).price
        except TradehookError:
            continue  # its orders are told without a distance
    return prices


def _facts(order: Order, prices: Mapping[str, Decimal]) -> str:
    """How old it is, how far from the market, and what it holds."""
    facts = []
    if order.created_at is not None:
        facts.append(f"{age(now() - order.created_at)} old")
    market = prices.get(order.base or "")
    away = change_percent(market, order.price) if market and order.price else None
    if away is not None and market is not None:
        facts.append(
            f"{render.percent(abs(away))} {'above' if away > 0 else 'below'} the market ({render.price(market)})"
        )
    held = held_by(order)
    if held is not None:
        facts.append(f"holds {render.quantity(*held)}")
    return ", ".join(facts)


def held_by(order: Order) -> tuple[Decimal, str] | None:
    """The money or coins that an order that rests keeps from being used; `None` where that is not told."""
    if order.quantity is None or order.unit is Unit.QUOTE or order.price is None:
        return None
    left = order.remaining if order.remaining is not None else order.quantity - (order.filled or 0)
    if order.side is Side.SELL:
        return left, order.base or "?"
    return left * order.price, order.quote or "?"


def age(length: timedelta) -> str:
    """How old something is, in its largest unit and the next: `2 d 3 h`, `5 min`."""
    minutes = max(int(length.total_seconds()) // 60, 0)
    if minutes < 60:
        return f"{minutes} min"
    hours, days = minutes // 60, minutes // 1440
    return f"{days} d {hours % 24} h" if days else f"{hours} h {minutes % 60} min"


def _held(orders: Sequence[Order]) -> list[str]:
    sums: dict[str, Decimal] = {}
    for order in orders:
        if (held := held_by(order)) is not None:
            sums[held[1]] = sums.get(held[1], Decimal(0)) + held[0]
    return [render.quantity(value, symbol) for symbol, value in sorted(sums.items())]
