"""Follows orders to their end: one list of open orders for all of them, one read for each that left it."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tradehook.errors import TradehookError
from tradehook.models import OrderStatus

if TYPE_CHECKING:
    from tradehook.contract import Exchange
    from tradehook.desk.intents import Intent
    from tradehook.desk.journal import Journal
    from tradehook.models import Order

_log = logging.getLogger(__name__)

OPEN_STATUSES = (OrderStatus.PENDING, OrderStatus.OPEN, OrderStatus.CANCELING)


@dataclass(frozen=True, slots=True)
class Change:
    """News of one order: its intent and how it stands now."""

    intent: Intent
    order: Order


async def sweep(exchange: Exchange, journal: Journal) -> list[Change]:
    """Look at the journal's open orders of this account and return those that changed.

    Costs nothing while nothing is open, else one request for a hundred open orders, and for each order that
    has left that list the reading of it. Reads only; may be repeated. An order that cannot be read now is
    left for the next sweep, so that it holds up no other.

    Raises:
        TradehookError: the list of open orders could not be read.
    """
    if not journal.open_orders(exchange.host):
        return []
    waiting = journal.open_orders(exchange.host, account_id=await exchange.account_id())
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
        if journal.see_order(intent.intent_id, order):
            changes.append(Change(intent=journal.get(intent.intent_id), order=order))
    return changes
