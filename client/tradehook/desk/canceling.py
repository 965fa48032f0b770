"""Cancels: asked for once or many times, always let through, and on the record even when what comes after fails."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tradehook.desk import guard
from tradehook.desk.standing import Orders
from tradehook.errors import TradehookError, WrongState
from tradehook.models import OrderStatus

if TYPE_CHECKING:
    from tradehook.desk.attempts import Attempts
    from tradehook.models import Order

_REFUSALS = (400, 409, 422)


async def cancel(attempts: Attempts, order_id: str) -> Order:
    """Ask for cancellation; see `Desk.cancel_order`."""
    exchange, journal = attempts.exchange, attempts.journal
    await guard.check(exchange, limits=journal.limits, is_cancel=True)
    write = exchange.cancel_order(order_id)
    refusal: TradehookError | None = None
    try:
        await exchange.session.read(write.request, write.read, kind="cancel")
    except TradehookError as error:
        is_refusal = isinstance(error, WrongState) or getattr(error, "status", 0) in _REFUSALS
        if error.may_have_happened or not is_refusal:
            raise
        refusal = error
    intent = journal.by_order(exchange.host, order_id)
    if intent is not None:
        journal.note(intent.intent_id, "cancel", {"accepted": refusal is None})
        if refusal is None and intent.last_order is not None and not exchange.spec.capabilities.can("orders"):
            # That it was asked for is all that will ever be known from the exchange itself.
            journal.see(intent.intent_id, intent.last_order.model_copy(update={"status": OrderStatus.CANCELING}))
    try:
        order = await Orders(exchange, journal).get(order_id)
    except TradehookError as error:
        known = intent.last_order if intent is not None else None
        if refusal is not None or known is None:
            said = "was accepted" if refusal is None else "was refused"
            error.message = (
                f"The cancel of order {order_id} {said}, but how it stands now could not be read: {error.message}"
            )
            error.args = (error.message,)
            raise
        return known.model_copy(update={"status": OrderStatus.CANCELING, "exchange_status": "unread"})
    if intent is not None:
        journal.see(intent.intent_id, order)
    if refusal is not None and order.status not in (OrderStatus.CANCELING, OrderStatus.CANCELED):
        refusal.message = f"{refusal.message} It is {order.status} now."
        refusal.args = (refusal.message,)
        raise refusal
    return order
