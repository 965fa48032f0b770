"""Follows orders and transfers to their end: one list for all open orders, one read for each that is not in it."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tradehook.errors import TradehookError
from tradehook.models import Order, OrderStatus

if TYPE_CHECKING:
    from tradehook.contract import Exchange
    from tradehook.desk.deeds import Made
    from tradehook.desk.intents import Intent
    from tradehook.desk.journal import Journal

_log = logging.getLogger(__name__)

OPEN_STATUSES = (OrderStatus.PENDING, OrderStatus.OPEN, OrderStatus.CANCELING)


@dataclass(frozen=True, slots=True)
class Change:
    """News of one order or transfer: its intent and how it stands now."""

    intent: Intent
    made: Made


async def sweep(exchange: Exchange, journal: Journal) -> list[Change]:
    """Look at the journal's open orders and transfers of this account and return those that changed.

    Costs nothing while nothing is open, else one request for a hundred open orders, one read for each order that is
    not in that list (it has ended, or the list shows none that are open), and one for each transfer. Reads only; may
    be repeated. What cannot be read now is left for the next sweep, so that it holds up nothing else.

    Raises:
        TradehookError: the list of open orders could not be read.
    """
    if not (journal.open_orders(exchange.host) or journal.open_orders(exchange.host, kind="transfer")):
        return []
    account_id = await exchange.account_id()
    return [
        *await _sweep_orders(exchange, journal, account_id=account_id),
        *await _sweep_transfers(exchange, journal, account_id=account_id),
    ]


async def open_orders(exchange: Exchange, journal: Journal) -> list[Order]:
    """Every order that is known to be open: those the exchange lists, and those placed from here that it does not.

    Whether the list shows open orders differs by deployment (`proofs.py`), so presence in it is taken for true and
    absence from it for nothing. Reads only; may be repeated.
    """
    found = [order async for order in exchange.list_orders(statuses=OPEN_STATUSES)]
    listed = {order.order_id for order in found}
    own = journal.open_orders(exchange.host, account_id=await exchange.account_id())
    for intent in own:
        if intent.order_id and intent.order_id not in listed:
            try:
                order = await exchange.get_order(intent.order_id)
            except TradehookError as error:
                # One that cannot be read hides no other: it is told as it was last seen.
                _log.warning("Order %s could not be read: %s", intent.order_id, error.message)
                order = intent.last_order or Order(
                    order_id=intent.order_id, status=OrderStatus.UNRECOGNIZED, exchange_status="unread"
                )
            else:
                journal.see(intent.intent_id, order)
            if not order.is_final:
                found.append(order)
    return sorted(found, key=lambda order: (order.created_at is None, order.created_at), reverse=True)


async def _sweep_orders(exchange: Exchange, journal: Journal, *, account_id: str) -> list[Change]:
    waiting = journal.open_orders(exchange.host, account_id=account_id)
    if not waiting:
        return []
    listed = {order.order_id: order async for order in exchange.list_orders(statuses=OPEN_STATUSES)}
    changes = []
    for intent in waiting:
        order_id = intent.order_id or ""
        try:
            order = listed.get(order_id) or await exchange.get_order(order_id)
        except TradehookError as error:
            _log.warning("Order %s could not be read: %s", order_id, error.message)
            continue
        if journal.see(intent.intent_id, order):
            changes.append(Change(intent=journal.get(intent.intent_id), made=order))
    return changes


async def _sweep_transfers(exchange: Exchange, journal: Journal, *, account_id: str) -> list[Change]:
    """One read for each: there are few of them, and their list takes one status at a time."""
    changes = []
    for intent in journal.open_orders(exchange.host, account_id=account_id, kind="transfer"):
        try:
            transfer = await exchange.get_transfer(intent.exchange_id or "")
        except TradehookError as error:
            _log.warning("Transfer %s could not be read: %s", intent.exchange_id, error.message)
            continue
        if journal.see(intent.intent_id, transfer):
            changes.append(Change(intent=journal.get(intent.intent_id), made=transfer))
    return changes
