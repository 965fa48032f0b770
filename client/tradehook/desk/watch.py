"""Follows orders and transfers to their end: one process looks at the exchange, all others at what it wrote down.

A look of the one who sweeps costs a request for a hundred open orders, and one read for each order that has left their
list. The others read the journal's events, which costs no request. See: docs/explanation/watching.md.
"""

from __future__ import annotations

import logging
import math
import uuid
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tradehook.desk import events, futures_deed, sightings
from tradehook.desk.intents import derived_id, this_owner
from tradehook.desk.leases import Leases
from tradehook.desk.previews import Previews
from tradehook.desk.standing import Orders
from tradehook.errors import TradehookError
from tradehook.models import Order, OrderStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tradehook.contract import Exchange
    from tradehook.desk.deeds import Made
    from tradehook.desk.events import Event
    from tradehook.desk.intents import Intent
    from tradehook.desk.journal import Journal
    from tradehook.desk.sightings import Waiting

_log = logging.getLogger(__name__)

OPEN_STATUSES = (OrderStatus.PENDING, OrderStatus.OPEN, OrderStatus.CANCELING)
TOLD = ("order", "transfer", futures_deed.KIND)
"""The events that say how something that was placed stands now."""

_PAGE = 100
_SHARE = 0.5
"""How much of what is left for reads watching may take: the rest is for people and tasks who ask for themselves."""
_FASTEST_SECONDS, _SLOWEST_SECONDS = 2.0, 600.0
_SHORTEST_LEASE_SECONDS = 15.0
_BATCH = 500


@dataclass(frozen=True, slots=True)
class Change:
    """News of one order, transfer or futures order."""

    intent: Intent
    made: Made
    """How it stands as far as is known by now."""
    event_id: int
    """The event that tells of it; rises from news to news."""
    status: str
    """How it stood when the event was written."""


class Watcher:
    """Watches one account for one consumer. One look at a time; as many watchers as there are processes."""

    def __init__(self, exchange: Exchange, journal: Journal, *, after: int | None = None) -> None:
        """Make one. Reads nothing yet.

        Args:
            exchange: the account.
            journal: where what is seen is kept.
            after: the last event that this consumer was told of (`cursor` of its last life); without it, what happens
                from the first look on is told.
        """
        self.cursor = after
        """The last event that was told."""
        self.is_sweeper = False
        """Whether the last look asked the exchange."""
        self.owner = f"{this_owner()}:{uuid.uuid4().hex[:8]}"
        self._exchange = exchange
        self._journal = journal
        self._leases = Leases(journal.engine)
        self._name = ""
        self._renew_at = self._looked_at = -math.inf
        self._look_again_at = -math.inf
        self._spent: deque[tuple[float, int]] = deque()
        self._sweep_seconds = _FASTEST_SECONDS
        self._read_last: dict[str, int] = {}
        self._sweeps = 0
        self._listed: set[str] = set()

    @property
    def sweep_seconds(self) -> float:
        """How often the exchange is asked, by whoever does it: as old may news be."""
        return self._sweep_seconds

    @property
    def interval_seconds(self) -> float:
        """How long to wait before the next look. One that only reads the journal costs no request, so it is short."""
        return self._sweep_seconds if self.is_sweeper else _FASTEST_SECONDS

    @property
    def is_due(self) -> bool:
        """Whether `interval_seconds` have passed since the last look that was not in vain."""
        return self._exchange.session.line.monotonic() >= self._look_again_at

    async def look(self) -> list[Change]:
        """Look once, at the exchange if nobody else does, and return each change that was not told yet.

        Costs nothing while nothing is open. Reads only; may be repeated. What cannot be read now is left for the next
        look, so that it holds up nothing else.

        Raises:
            TradehookError: the list of open orders could not be read.
        """
        self._look_again_at = -math.inf
        changes = await self._look()
        self._look_again_at = self._exchange.session.line.monotonic() + self.interval_seconds
        return changes

    async def _look(self) -> list[Change]:
        if self.cursor is None:
            self.cursor = events.newest_event(self._journal.engine)
        self.is_sweeper = False
        if sightings.is_waiting(self._journal.engine, self._exchange.host):
            account_id = await self._exchange.account_id()
            await self._sweep_if_mine(account_id)
        elif not events.events_after(self._journal.engine, self.cursor, kinds=TOLD, limit=1):
            self.release()
            return []
        return self._news(await self._exchange.account_id())

    def release(self) -> None:
        """Let the next process sweep at once. May be repeated."""
        name, self._name = self._name, ""
        self._renew_at = -math.inf
        if name:
            self._leases.release(name, owner=self.owner)

    # --- who sweeps -----------------------------------------------------------------------------------------

    async def _sweep_if_mine(self, account_id: str) -> None:
        name = f"sweep {derived_id(self._exchange.host, account_id)}"
        gap = self._now() - self._looked_at
        self._looked_at = self._now()
        # A process that looks seldom holds it for longer, or the sweeping would go round with every look.
        seconds = max(3 * max(self._sweep_seconds, gap if math.isfinite(gap) else 0.0), _SHORTEST_LEASE_SECONDS)
        seconds = min(seconds, 3 * _SLOWEST_SECONDS)
        if not self._hold(name, seconds=seconds, account_id=account_id):
            return
        try:
            self.is_sweeper = await self._sweep(account_id, name=name, lease_seconds=seconds)
        except BaseException:
            self.release()  # whoever can reach the exchange shall not wait for one who cannot
            raise

    def _hold(self, name: str, *, seconds: float, account_id: str) -> bool:
        """Whether the lease is ours, taken or renewed; else learn from it how often its owner sweeps."""
        if self._name == name and self._now() < self._renew_at:
            return True
        lease = self._leases.take(
            name,
            owner=self.owner,
            seconds=seconds,
            now=datetime.fromtimestamp(self._now(), UTC),
            detail={"host": self._exchange.host, "account_id": account_id, "sweep_seconds": self._sweep_seconds},
        )
        if lease.owner != self.owner:
            told = lease.detail.get("sweep_seconds")
            self._sweep_seconds = told if isinstance(told, int | float) else _FASTEST_SECONDS
            self._name, self._renew_at = "", -math.inf
            return False
        self._name, self._renew_at = name, self._now() + seconds / 3
        return True

    # --- the sweep ------------------------------------------------------------------------------------------

    async def _sweep(self, account_id: str, *, name: str, lease_seconds: float) -> bool:
        """Look at everything that is open; whether it could be recorded, as it can while the lease is ours."""
        waiting = sightings.waiting(self._journal.engine, self._exchange.host, account_id=account_id)
        if not waiting:
            return True
        self._sweeps += 1

        def hold() -> bool:
            return self._hold(name, seconds=lease_seconds, account_id=account_id)

        listed: dict[str, Order] = {}
        requests = 0
        if any(entry.kind == "order" for entry in waiting):
            async for order in self._exchange.list_orders(statuses=OPEN_STATUSES):
                listed[order.order_id] = order
                if len(listed) % _PAGE:
                    continue
                if not await self._pace(hold):
                    return False
            requests += max(math.ceil(len(listed) / _PAGE), 1)
        seen: list[tuple[str, Made]] = [
            (entry.intent_id, listed[entry.exchange_id])
            for entry in waiting
            if entry.kind == "order" and entry.exchange_id in listed and entry.is_news(listed[entry.exchange_id])
        ]
        chosen = self._to_read([entry for entry in waiting if entry.exchange_id not in listed])
        orders = Orders(self._exchange, self._journal)
        for entry in chosen:
            if not hold():
                return False
            made = await self._read(entry, orders)
            if made is not None and entry.is_news(made):
                seen.append((entry.intent_id, made))
        self._listed = {entry.exchange_id for entry in waiting if entry.exchange_id in listed}
        self._settle_pace(requests + len(chosen))
        return sightings.record(self._journal.engine, seen, lease=name, owner=self.owner)

    def _to_read(self, unlisted: Sequence[Waiting]) -> list[Waiting]:
        """Those that are read one by one now: first what has just left the list, then who was read longest ago.

        As many as the budget has room for: where the list shows no open orders, all of them would be too many.
        """
        self._read_last = {entry.exchange_id: self._read_last.get(entry.exchange_id, 0) for entry in unlisted}
        in_turn = sorted(
            unlisted, key=lambda entry: (entry.exchange_id not in self._listed, self._read_last[entry.exchange_id])
        )
        budget = self._exchange.session.budget
        left = budget.left(now=self._exchange.session.line.monotonic(), lane="read")
        return in_turn[: max(int(left * _SHARE), 1)]

    async def _read(self, entry: Waiting, orders: Orders) -> Made | None:
        self._read_last[entry.exchange_id] = self._sweeps
        try:
            if entry.kind == "transfer":
                return await self._exchange.get_transfer(entry.exchange_id)
            if entry.kind == futures_deed.KIND:
                return await futures_deed.standing(self._exchange, entry.exchange_id)
            return await orders.get(entry.exchange_id)
        except TradehookError as error:
            _log.warning("%s %s could not be read: %s", entry.kind.capitalize(), entry.exchange_id, error.message)
            return None

    # --- how often ------------------------------------------------------------------------------------------

    async def _pace(self, hold: Callable[[], bool]) -> bool:
        """Wait between two pages of a long list until half of the lane is free again; whether the lease is still ours.

        After a whole window it goes on all the same: others may always leave less than that.
        """
        session = self._exchange.session
        budget, line = session.budget, session.line
        half = (budget.requests - budget.reserve) * _SHARE
        until = line.monotonic() + budget.window_seconds
        while budget.left(now=line.monotonic(), lane="read") < half and line.monotonic() < until and hold():
            await line.pause(budget.window_seconds / half)
        return hold()

    def _settle_pace(self, requests: int) -> None:
        """How often to sweep, from what a sweep costs and what others leave of the lane."""
        session = self._exchange.session
        budget, now = session.budget, session.line.monotonic()
        self._spent.append((now, requests))
        while self._spent[0][0] <= now - budget.window_seconds:
            self._spent.popleft()
        ours = sum(spent for _, spent in self._spent)
        lane = budget.requests - budget.reserve
        left = min(budget.left(now=now, lane="read") + ours, lane)
        rate = _SHARE * max(left, lane / 10) / budget.window_seconds
        self._sweep_seconds = min(max(requests / rate, _FASTEST_SECONDS), _SLOWEST_SECONDS)

    # --- what is told ---------------------------------------------------------------------------------------

    def _news(self, account_id: str) -> list[Change]:
        found: list[Event] = []
        while True:
            batch = events.events_after(
                self._journal.engine,
                found[-1].event_id if found else self.cursor or 0,
                kinds=TOLD,
                limit=_BATCH,
                host=self._exchange.host,
                account_id=account_id,
            )
            found.extend(batch)
            if len(batch) < _BATCH:
                break
        intents = {event.intent_id: self._journal.get(event.intent_id) for event in found}
        changes = []
        for event in found:
            intent = intents[event.intent_id]
            if intent.made is not None:
                changes.append(Change(intent, intent.made, event.event_id, str(event.detail.get("status"))))
        if found:
            self.cursor = found[-1].event_id  # not before: what a journal that fails in between kept back is told later
        return changes

    def _now(self) -> float:
        return self._exchange.session.line.now()


async def open_orders(exchange: Exchange, journal: Journal) -> list[Order]:
    """Every order that is known to be open: those the exchange lists, and those placed from here that it does not.

    Whether the list shows open orders differs by deployment (`proofs.py`), so presence in it is taken for true and
    absence from it for nothing. Reads only; may be repeated.
    """
    found = [order async for order in exchange.list_orders(statuses=OPEN_STATUSES)]
    # However the exchange calls what was made only to see its price: it is no order before somebody wants it.
    shown_only = Previews(journal.engine).unsigned(exchange.host, [order.order_id for order in found])
    found = [order for order in found if order.order_id not in shown_only]
    listed = {order.order_id for order in found}
    own = journal.open_orders(exchange.host, account_id=await exchange.account_id())
    standing = Orders(exchange, journal)
    for intent in own:
        if intent.order_id and intent.order_id not in listed:
            try:
                order = await standing.get(intent.order_id)
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
