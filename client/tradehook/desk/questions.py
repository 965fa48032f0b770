"""What a person is asked about before something odd is sent: it looks like a slip, but it may be meant.

Nothing here refuses, and whoever asks nobody (a scheduler) is not held up. What must never be sent is in `reserve.py`.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from statistics import median
from typing import TYPE_CHECKING

from sqlalchemy import select

from tradehook.amounts import plain
from tradehook.desk import worth
from tradehook.desk.intents import PLACED, SENDERS, State, iso
from tradehook.desk.limits import Limits, current
from tradehook.desk.reserve import twin_mark
from tradehook.desk.schema import reading
from tradehook.desk.tables import INTENT
from tradehook.desk.worth import WIDE, Ground
from tradehook.futures import SizedFuturesOrder
from tradehook.models import Side, SizedOrder, Unit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection, Engine

    from tradehook.contract import Exchange
    from tradehook.desk.deeds import Settled
    from tradehook.models import Balance
    from tradehook.transfers import SizedTransfer

_SAME_AGAIN = timedelta(seconds=60)
_OWN = 20
_FEWEST = 5
"""Fewer own orders than this have no median worth the name."""


async def ask(exchange: Exchange, engine: Engine, settled: Settled) -> tuple[str, ...]:
    """The questions about something that the account of this exchange would send. Reads its balances."""
    account_id = await exchange.account_id()
    balances = await exchange.balances()
    return questions(engine, settled, host=exchange.host, account_id=account_id, balances=balances)


def questions(
    engine: Engine,
    settled: Settled,
    *,
    host: str,
    account_id: str,
    balances: Sequence[Balance] = (),
    now: datetime | None = None,
) -> tuple[str, ...]:
    """What to ask before this is sent, in sentences; nothing where nothing is odd.

    Args:
        engine: the journal's.
        settled: what would be sent.
        host: the exchange's.
        account_id: whose money it is.
        balances: what the account holds; without them no share of it is looked at.
        now: the moment that it would be sent at.
    """
    now = now or datetime.now(UTC)
    kind = "order" if isinstance(settled, SizedOrder) else "transfer"
    if isinstance(settled, SizedFuturesOrder):
        kind = "futures"
    with reading(engine) as connection:
        limits = current(connection, host, account_id) or Limits()
        asked = [
            _same_again(connection, settled, host=host, account_id=account_id, kind=kind, now=now),
            _share(settled, limits, balances),
        ]
        if isinstance(settled, SizedOrder):
            amount = worth.notional(settled, Ground())
            asked.append(_unusual(connection, limits, amount, host=host, account_id=account_id))
    return tuple(question for question in asked if question is not None)


def _same_again(
    connection: Connection, settled: Settled, *, host: str, account_id: str, kind: str, now: datetime
) -> str | None:
    states = [str(state) for state in (*PLACED, *SENDERS, State.CREATED)]
    query = (
        select(INTENT.c.intent_id, INTENT.c.request, INTENT.c.sending_at)
        .where(INTENT.c.host == host, INTENT.c.account_id == account_id, INTENT.c.kind == kind)
        .where(INTENT.c.state.in_(states), INTENT.c.request.is_not(None))
        .where(INTENT.c.sending_at >= iso(now - _SAME_AGAIN - timedelta(seconds=1)))
        .order_by(INTENT.c.sending_at.desc())
    )
    wanted = twin_mark(kind, settled.to_dict())
    for row in connection.execute(query):
        ago = now - datetime.fromisoformat(row.sending_at)
        if ago <= _SAME_AGAIN and twin_mark(kind, json.loads(row.request)) == wanted:
            seconds = max(0, int(ago.total_seconds()))
            what = "futures order" if kind == "futures" else kind
            return f"The same {what} was sent {seconds} s ago (intent {row.intent_id}). Send it once more?"
    return None


def _share(settled: Settled, limits: Limits, balances: Sequence[Balance]) -> str | None:
    """Whether it is a large share of what is available of the asset that leaves."""
    if limits.fat_finger_percent is None or isinstance(settled, SizedFuturesOrder):
        return None  # futures have a wallet of their own
    amount, symbol = _leaves(settled)
    there = sum((row.available for row in balances if row.symbol == symbol and row.chain == settled.chain), Decimal(0))
    if amount is None or there <= 0 or WIDE.multiply(amount, Decimal(100)) <= there * limits.fat_finger_percent:
        return None
    percent = round(WIDE.divide(amount * 100, there), 1)
    return f"That is {plain(percent)}% of the {plain(there)} {symbol} that are available. Is it meant?"


def _leaves(settled: SizedOrder | SizedTransfer) -> tuple[Decimal | None, str]:
    if not isinstance(settled, SizedOrder):
        return settled.quantity, settled.asset
    if settled.side is Side.SELL:
        if settled.unit is Unit.BASE:
            return settled.quantity, settled.base
        price = settled.price or settled.reference_price
        return (WIDE.divide(settled.quantity, price) if price else None), settled.base
    if settled.unit is Unit.QUOTE:
        return settled.quantity, settled.quote
    price = settled.price or settled.reference_price
    return (WIDE.multiply(settled.quantity, price) if price else None), settled.quote


def _unusual(
    connection: Connection, limits: Limits, amount: Decimal | None, *, host: str, account_id: str
) -> str | None:
    """Whether it is many times what the account's orders usually are."""
    if limits.fat_finger_times is None or amount is None:
        return None
    query = (
        select(INTENT.c.notional)
        .where(INTENT.c.host == host, INTENT.c.account_id == account_id, INTENT.c.kind == "order")
        .where(INTENT.c.state.in_([str(state) for state in PLACED]), INTENT.c.notional.is_not(None))
        .order_by(INTENT.c.sending_at.desc())
        .limit(_OWN)
    )
    own = [Decimal(text) for text in connection.execute(query).scalars()]
    if len(own) < _FEWEST:
        return None
    usual = median(own)
    if usual <= 0 or amount <= usual * limits.fat_finger_times:
        return None
    times = round(WIDE.divide(amount, usual), 1)
    return (
        f"That is {plain(times)} times what your last {len(own)} orders were worth (about {plain(usual)}). Is it meant?"
    )
