"""Orders that rest only for a while. The exchange knows no expiry, so tradehook cancels them itself.

That happens in every sweep (`Desk.sweep`), so a program that sweeps must run: the bot, a sensor, or
`tradehook order expire`. Canceling passes every limit and may be repeated.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from tradehook.desk import sightings
from tradehook.desk.canceling import cancel
from tradehook.desk.intents import PLACED, iso
from tradehook.errors import TradehookError

if TYPE_CHECKING:
    from tradehook.desk.attempts import Attempts
    from tradehook.desk.intents import Intent
    from tradehook.models import Order, SizedOrder

_log = logging.getLogger(__name__)

AT_ONCE = timedelta(seconds=30)
"""When a bounded order is canceled at the latest, should whoever sent it be gone."""
_LOOKS = (0.2, 0.5, 1.0, 2.0)
"""How long a bounded order may take to trade, pause by pause."""


def good_until(sized: SizedOrder, *, now: float) -> str | None:
    """When tradehook cancels what is left of it, as the journal's column holds it."""
    lasts = AT_ONCE if sized.bounded else sized.good_for
    return iso(datetime.fromtimestamp(now, UTC) + lasts) if lasts is not None else None


async def expire(attempts: Attempts, *, only: str | None = None) -> list[Intent]:
    """Cancel every order of this account whose time is up; the intents it was asked for.

    `only` names the one intent that is looked at. An order that cannot be canceled now is left for the next time.
    """
    now = datetime.fromtimestamp(attempts.exchange.session.line.now(), UTC)
    due = [
        attempts.journal.get(intent_id)
        for intent_id in sightings.overdue(attempts.journal.engine, attempts.exchange.host, at=now)
        if only is None or intent_id == only
    ]
    if not due:
        return []
    account_id = await attempts.exchange.account_id()
    return [
        attempts.journal.get(intent.intent_id)
        for intent in due
        if intent.account_id == account_id and await _cancel(attempts, intent, why="its time is up")
    ]


async def cancel_rest(attempts: Attempts, intent: Intent) -> Intent:
    """Give a bounded order the moment that it needs to trade, cancel what is left of it; the intent after that."""
    sized = intent.sized
    if sized is None or not sized.bounded or intent.state not in PLACED:
        return intent
    await _trade_and_cancel(attempts, intent)
    return attempts.journal.get(intent.intent_id)


async def _trade_and_cancel(attempts: Attempts, intent: Intent) -> None:
    line = attempts.exchange.session.line
    for pause in _LOOKS:
        try:
            if (await attempts.follow(attempts.journal.get(intent.intent_id))).is_final:
                return
        except TradehookError as error:
            _log.warning("Order %s could not be read: %s", intent.order_id, error.message)
        await line.pause(pause)
    if await _cancel(attempts, intent, why="it is bounded"):
        for pause in _LOOKS:
            if (await attempts.follow(attempts.journal.get(intent.intent_id))).is_final:
                return
            await line.pause(pause)


async def _cancel(attempts: Attempts, intent: Intent, *, why: str) -> Order | None:
    try:
        order = await cancel(attempts, intent.order_id or "")
    except TradehookError as error:
        _log.warning("Order %s could not be canceled (%s): %s", intent.order_id, why, error.message)
        return None
    attempts.journal.note(intent.intent_id, "expired", {"why": why, "status": str(order.status)})
    return order
