"""Follows orders to their end: one list of open orders for all of them, one read for each that left it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tradehook.errors import NotFound
from tradehook.models import OrderStatus

if TYPE_CHECKING:
    from tradehook.contract import Exchange
    from tradehook.desk.intents import Intent
    from tradehook.desk.journal import Journal
    from tradehook.models import Order

OPEN_STATUSES = (OrderStatus.PENDING, OrderStatus.OPEN, OrderStatus.CANCELING)


@dataclass(frozen=True, slots=True)
class Change:
    """News of one order: its intent and how it stands now."""

    intent: Intent
    order: Order


async def sweep(exchange: Exchange, journal: Journal) -> list[Change]:
    """Look at the journal's open orders and return those that changed.

    Costs nothing while nothing is open, else one request for a hundred open orders and one for each
    order that has left the list. Reads only; may be repeated.
    """
    waiting = journal.open_orders(exchange.host)
    if not waiting:
        return []
    listed = {order.order_id: order async for order in exchange.list_orders(statuses=OPEN_STATUSES)}
    changes = []
    for intent in waiting:
        order_id = intent.order_id or ""
        try:
            order = listed.get(order_id) or await exchange.get_order(order_id)
        except NotFound:
            continue  # it may surface later; the list is not proof
        if journal.see_order(intent.intent_id, order):
            changes.append(Change(intent=journal.get(intent.intent_id), order=order))
    return changes
