"""How an order stands: as the exchange tells it, or where it tells nothing, as the journal and the wallet show.

Everything in the desk that wants to know how an order stands asks here. See `Capabilities.cannot` and `wallet.py`.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sqlalchemy import or_, select

from tradehook.amounts import plain
from tradehook.desk import wallet
from tradehook.desk.intents import IN_DOUBT, PLACED, SENDERS, iso
from tradehook.desk.schema import reading
from tradehook.desk.tables import INTENT
from tradehook.errors import GuardRefused, NotFound
from tradehook.models import OrderStatus, SizedOrder

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Sequence
    from datetime import datetime

    from sqlalchemy import Connection, Select

    from tradehook.contract import Exchange
    from tradehook.desk.intents import Intent
    from tradehook.desk.journal import Journal
    from tradehook.models import Balance, Order


class Orders:
    """Reads orders of one account. What it reads of the wallet it reads once, so make one for each look."""

    def __init__(self, exchange: Exchange, journal: Journal) -> None:
        """Make one. Reads nothing yet."""
        self._exchange = exchange
        self._journal = journal
        self._balances: Sequence[Balance] | None = None

    async def get(self, order_id: str) -> Order:
        """An order as it stands now. Reads only; may be repeated.

        Raises:
            NotFound: the exchange does not know it; or it tells of no orders, and this one was not placed from here.
        """
        if self._exchange.spec.capabilities.can("orders"):
            return await self._exchange.get_order(order_id)
        intent = self._journal.by_order(self._exchange.host, order_id)
        if intent is None or intent.last_order is None:
            label = self._exchange.spec.label
            raise NotFound(
                f"{label} tells of no orders, and {order_id[:60]} was not placed from here, so nothing is known of it. "
                f"Look at {label}'s own page.",
                exchange=self._exchange.spec.name,
            )
        if intent.last_order.is_final or intent.sized is None or intent.baseline is None:
            return intent.last_order
        return await self._by_wallet(intent, intent.last_order, intent.sized)

    async def placed(
        self, *, statuses: Collection[OrderStatus] = (), since: datetime | None = None
    ) -> AsyncIterator[Order]:
        """The orders that were placed from here, newest first, each as it stands now. Costs one read at most."""
        account_id = await self._exchange.account_id()
        query = (
            select(INTENT.c.exchange_id)
            .where(INTENT.c.host == self._exchange.host, INTENT.c.account_id == account_id, INTENT.c.kind == "order")
            .where(INTENT.c.state.in_([str(state) for state in PLACED]), INTENT.c.exchange_id.is_not(None))
            .order_by(INTENT.c.created_at.desc())
        )
        if since is not None:
            query = query.where(INTENT.c.created_at >= iso(since))
        with reading(self._journal.engine) as connection:
            found = [*connection.execute(query).scalars()]
        for order_id in found:
            order = await self.get(order_id)
            if not statuses or order.status in statuses:
                yield order

    async def _by_wallet(self, intent: Intent, known: Order, sized: SizedOrder) -> Order:
        if self._balances is None:
            self._balances = await self._exchange.balances()
        before = (intent.baseline or {}).get("balances", {})
        after = held(self._balances, (sized.base, sized.quote))
        sent_at = intent.sending_at or intent.created_at
        if known.created_at is None:
            known = known.model_copy(update={"created_at": sent_at})
        others, rests = self._beside(intent, sized)
        found = wallet.judge(
            sized,
            base=wallet.moves(before, after, sized.base),
            quote=wallet.moves(before, after, sized.quote),
            seconds=self._exchange.session.line.now() - sent_at.timestamp(),
            is_canceled=known.status in (OrderStatus.CANCELING, OrderStatus.CANCELED),
            others=others,
            rests=rests,
        )
        # The words change with every balance; they are news only together with the status.
        evidence = known.evidence if found.status is known.status and known.evidence else found.evidence
        return known.model_copy(update={"status": found.status, "evidence": evidence})

    def _beside(self, intent: Intent, sized: SizedOrder) -> tuple[int, bool]:
        """How many orders may have moved the same coins since this one's balances were read, and whether it rests.

        An order rests while what is held in the wallet covers all that the open orders would take: it moved nothing.
        """
        query = _orders(intent, account_id=intent.account_id)
        noted = intent.baseline or {}
        # By the journal's clock, as what it is compared with: by the exchange's, another end may seem to lie before.
        since = noted.get("noted_at", noted.get("at", ""))
        query = query.where(or_(INTENT.c.is_final.is_(False), INTENT.c.updated_at > since))
        with reading(self._journal.engine) as connection:
            rows = [
                (SizedOrder.model_validate_json(row.request), row) for row in connection.execute(query) if row.request
            ]
        resting = [other for other, row in rows if not row.is_final and other.price is not None]
        now = held(self._balances or (), (sized.base, sized.quote))
        moved = [
            other
            for other, row in rows
            if sized.base in (other.base, other.quote) and not (other in resting and wallet.covers(now, resting, other))
        ]
        return len(moved), sized.price is not None and wallet.covers(now, [sized, *resting], sized)


def check_evidence(connection: Connection, intent: Intent, order: SizedOrder, *, account_id: str) -> None:
    """Refuse a second order that could not be told from the first by what it does to the wallet.

    Raises:
        GuardRefused: `rule` is `evidence`.
    """
    for row in connection.execute(_orders(intent, account_id=account_id).where(INTENT.c.is_final.is_(False))):
        other = SizedOrder.model_validate_json(row.request) if row.request else None
        if other is not None and (other.base, other.side) == (order.base, order.side):
            raise GuardRefused(
                f"Not sent: an order to {other.side} {other.base} has not ended yet (intent {row.intent_id}), and this "
                "exchange tells nothing of orders. Only the wallet shows what became of one, and two of the same "
                f"kind could not be told apart. Wait for it, or cancel it: `tradehook intents show {row.intent_id}`.",
                rule="evidence",
                limit="1",
                actual=row.intent_id,
            )


def _orders(intent: Intent, *, account_id: str | None) -> Select[Any]:
    """The other orders of its account that were placed or may have been."""
    states = [str(state) for state in (*PLACED, *IN_DOUBT, *SENDERS)]
    return (
        select(INTENT.c.intent_id, INTENT.c.request, INTENT.c.is_final)
        .where(INTENT.c.host == intent.host, INTENT.c.account_id == account_id, INTENT.c.kind == "order")
        .where(INTENT.c.intent_id != intent.intent_id, INTENT.c.state.in_(states))
    )


def held(balances: Sequence[Balance], symbols: Sequence[str]) -> dict[str, str]:
    """What the exchange itself holds of these assets, as `total/available`."""
    found = {symbol: [Decimal(0), Decimal(0)] for symbol in symbols}
    for row in balances:
        if row.chain is None and row.symbol in found:
            found[row.symbol][0] += row.total
            found[row.symbol][1] += row.available
    return {symbol: f"{plain(total)}/{plain(available)}" for symbol, (total, available) in found.items()}
