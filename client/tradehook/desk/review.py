"""After the trade: an order that has ended counts what it cost, is held against its intent, and failures are counted.

Runs in the transaction that records the end, so no crash comes between the two. Reads the journal only. What does not
fit is never repaired: it is written into the intent's story, and the account sends nothing new until a person has
looked.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from tradehook.amounts import plain
from tradehook.desk import trading, worth
from tradehook.desk.events import add_event
from tradehook.desk.fingerprint import is_against
from tradehook.desk.intents import IN_DOUBT, PLACED, State
from tradehook.desk.limits import current
from tradehook.desk.tables import CHANGE_INTENT, EVENT, INTENT
from tradehook.desk.trading import TradingState
from tradehook.desk.worth import WIDE
from tradehook.errors import GuardRefused
from tradehook.models import Order, Side, SizedOrder, Unit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection, Row

REVIEWER = "tradehook"
_ROUNDED = Decimal("0.000001")
"""Share of a price that an average of fills may be off by, from being rounded."""
_WHOLE_LOTS = Decimal("0.001")
"""The same of a sum of money, whose average price may be told with few digits."""
_LARGEST_FEE = Decimal("0.05")
_SMALL_CHANGE = Decimal(1)
"""A fee up to this much is never odd: a small order may have a least fee."""
_LOOKED_AT = 200


def conclude(connection: Connection, row: Row[Any]) -> Row[Any]:
    """Look at an intent's row as it was just recorded, halt its account where it calls for that, and return the row."""
    if row.kind == "plan" or row.account_id is None:
        return row
    state = State(row.state)
    if state in PLACED and row.kind == "order" and row.is_final and row.seen and row.request:
        order = Order.model_validate(json.loads(row.seen))
        if row.notional is not None:
            cost = plain(worth.counted(Decimal(row.notional), order))
            row = connection.execute(CHANGE_INTENT, {"its_id": row.intent_id, "notional": cost}).one()
        found = mismatches(SizedOrder.model_validate(json.loads(row.request)), order)
        if found and not _is_told(connection, row.intent_id):
            add_event(connection, row.intent_id, "mismatch", {"found": list(found)})
            _halt(connection, row, f"Order {row.exchange_id} is not what intent {row.intent_id} asked for: {found[0]}")
    elif state is State.REJECTED or state in IN_DOUBT:
        _count_failures(connection, row)
    return row


def mismatches(asked: SizedOrder, order: Order) -> tuple[str, ...]:
    """What of an order does not fit what was sent for it, in words. What the exchange does not tell is not judged."""
    found = []
    if order.base is not None and order.base != asked.base:
        found.append(f"it trades {order.base}, not {asked.base}")
    if not is_against(asked, order.quote):
        found.append(f"it trades against {order.quote}, not {asked.quote}")
    if order.side is not None and order.side is not asked.side:
        found.append(f"it is a {order.side}, not a {asked.side}")
    if order.quantity is not None and order.unit is asked.unit and order.quantity > asked.quantity:
        found.append(f"its quantity is {plain(order.quantity)}, not {plain(asked.quantity)} {asked.quantity_asset}")
    return (*found, *_filled_otherwise(asked, order))


def _filled_otherwise(asked: SizedOrder, order: Order) -> Sequence[str]:
    found = []
    filled, price, bound = order.filled, order.average_price, asked.price
    cost = WIDE.multiply(filled, price) if filled is not None and price is not None else None
    if asked.unit is Unit.BASE and filled is not None and filled > asked.quantity:
        found.append(f"{plain(filled)} {asked.base} were filled, more than {plain(asked.quantity)}")
    if asked.unit is Unit.QUOTE and cost is not None and cost > WIDE.multiply(asked.quantity, 1 + _WHOLE_LOTS):
        found.append(f"{plain(cost)} {asked.quote} changed hands, more than {plain(asked.quantity)}")
    if price is not None and bound is not None:
        is_buy = asked.side is Side.BUY
        worst = WIDE.multiply(bound, 1 + _ROUNDED if is_buy else 1 - _ROUNDED)
        if (price > worst) if is_buy else (price < worst):
            found.append(f"its price is {plain(price)}, worse than the limit {plain(bound)}")
    if order.fee is not None and (order.fee < 0 or _is_odd(order.fee, cost)):
        found.append(f"its fee is {plain(order.fee)}")
    return found


def _is_odd(fee: Decimal, cost: Decimal | None) -> bool:
    return cost is not None and fee > _SMALL_CHANGE and fee > WIDE.multiply(cost, _LARGEST_FEE)


def _is_told(connection: Connection, intent_id: str) -> bool:
    query = select(EVENT.c.event_id).where(EVENT.c.intent_id == intent_id, EVENT.c.what == "mismatch").limit(1)
    return connection.execute(query).first() is not None


def _count_failures(connection: Connection, row: Row[Any]) -> None:
    """Halt the account when so many of its newest in a row are in doubt or were rejected by the exchange."""
    try:
        limits = current(connection, row.host, row.account_id)
    except GuardRefused:
        return  # what holds cannot be read: nothing new is sent anyway
    if limits is None or limits.halt_after is None:
        return
    ended = [str(state) for state in (*PLACED, *IN_DOUBT, State.REJECTED)]
    query = (
        select(INTENT.c.state, INTENT.c.error, INTENT.c.sending_at)
        .where(INTENT.c.host == row.host, INTENT.c.account_id == row.account_id)
        .where(INTENT.c.kind != "plan", INTENT.c.state.in_(ended), INTENT.c.sending_at.is_not(None))
        .order_by(INTENT.c.sending_at.desc())
        .limit(_LOOKED_AT + limits.halt_after)
    )
    since = _resumed_at(connection, row)
    failed = 0
    for other in connection.execute(query):
        if other.state in PLACED or datetime.fromisoformat(other.sending_at) < since:
            break
        if not _is_our_no(other.error):
            failed += 1
    if failed >= limits.halt_after:
        _halt(connection, row, f"The last {failed} in a row were rejected or are in doubt")


def _is_our_no(stored: str | None) -> bool:
    """Whether a person, or a rule of ours, said no to something that the exchange had made already."""
    return bool(stored) and json.loads(stored or "{}").get("type") == "GuardRefused"


def _resumed_at(connection: Connection, row: Row[Any]) -> datetime:
    """What failed before a person let the account go on does not count again."""
    found = trading.find(connection, trading.scope_of(row.host, row.account_id))
    return datetime.fromisoformat(found.changed_at) if found is not None else datetime.min.replace(tzinfo=UTC)


def _halt(connection: Connection, row: Row[Any], why: str) -> None:
    scope = trading.scope_of(row.host, row.account_id)
    found = trading.find(connection, scope)
    if found is None or found.state != TradingState.HALTED:
        trading.change(connection, scope, TradingState.HALTED, by=REVIEWER, why=why)
        add_event(connection, row.intent_id, "halted", {"why": why})
