"""What the parts of the exchange share: the books, the money, the orders, and what is due when."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, Final

from tradehook_sandbox.seeded import draw, uuid_for
from tradehook_sandbox.true_markets.accounts import Accounts
from tradehook_sandbox.true_markets.orders import Orders

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tradehook_sandbox.ledger import Ledger
    from tradehook_sandbox.market import Market
    from tradehook_sandbox.true_markets.accounts import Account
    from tradehook_sandbox.true_markets.catalogue import Asset
    from tradehook_sandbox.true_markets.orders import Order, Step
    from tradehook_sandbox.true_markets.transfers import Transfer

_FASTEST_MICROS: Final = 200_000
_SLOWEST_MICROS: Final = 600_000
"""How long the exchange or a chain takes to confirm something."""


class House:
    """The shared state of one exchange."""

    def __init__(self, *, seed: int, market: Market, ledger: Ledger) -> None:
        self.seed = seed
        self.market = market
        self.ledger = ledger
        self.accounts = Accounts(ledger)
        self.orders = Orders()
        self.now = market.origin_micros
        """The moment up to which everything has happened, in microseconds."""
        self._due: list[tuple[int, int, str]] = []

    def next_number(self) -> int:
        """The number of the order that comes next."""
        return len(self.orders) + 1

    def order_id(self, number: int) -> str:
        """The id that belongs to an order's number: the same for the same seed and start, unlike any other run's."""
        return uuid_for("order", self.seed, self.market.origin_micros, number)

    def schedule(self, order: Order, what: Step) -> None:
        """This will happen to the order by itself, a moment from now."""
        order.due_micros, order.due_what = self._confirmed_at(order, what), what
        self.expect(order)

    def schedule_cancel(self, order: Order) -> None:
        """The order's cancellation will be confirmed, a moment from now."""
        order.cancel_micros = self._confirmed_at(order, "cancel")
        self.expect(order)

    def expect(self, order: Order) -> None:
        """Whatever is due for the order will be told by `next_due`."""
        for at_micros in (order.due_micros, order.cancel_micros):
            if at_micros is not None:
                heapq.heappush(self._due, (at_micros, order.number, order.order_id))
        self.touch(order)

    def due_at(self, until_micros: int) -> int:
        """When the next thing happens to an order; not later than this moment."""
        return min(self._due[0][0], until_micros) if self._due else until_micros

    def next_due(self, until_micros: int) -> tuple[int, Order] | None:
        """The next order to which something happens up to this moment, and when; it is told once."""
        if self._due and self._due[0][0] <= until_micros:
            at_micros, _, order_id = heapq.heappop(self._due)
            return at_micros, self.orders[order_id]
        return None

    def turn_back(self, to_micros: int) -> None:
        """It is earlier than it was: whatever was to happen soon happens as soon from this moment on."""
        earlier = self.now - to_micros
        self.now, self._due = to_micros, []
        for order in self.orders:
            if order.due_micros is not None:
                order.due_micros -= earlier
            if order.cancel_micros is not None:
                order.cancel_micros -= earlier
            if not order.is_final:
                self.expect(order)

    def touch(self, order: Order) -> None:
        """The order has changed."""
        self.orders.touch(order)

    def account(self, order: Order) -> Account:
        """Whose order it is."""
        return self.accounts[order.uid]

    def _confirmed_at(self, order: Order, what: str) -> int:
        spread = _SLOWEST_MICROS - _FASTEST_MICROS
        return self.now + _FASTEST_MICROS + draw("latency", self.seed, order.number, what, below=spread + 1)

    def move(self, asset: Asset, source: str, target: str, units: int, reason: str) -> None:
        """The units have moved, now. Raises `Overdrawn`."""
        self.ledger.move(asset.key, source=source, target=target, units=units, reason=reason, at_micros=self.now)

    def lock(self, order: Order, units: int) -> None:
        """Units of what the order gives are in the account's held purse, for this order. Raises `Overdrawn`."""
        account = self.account(order)
        self.move(order.going, account.available, account.held, units, f"hold {order.order_id}")
        order.hold += units
        self.touch(order)

    def unlock(self, order: Order, units: int) -> None:
        """The units are available again."""
        account = self.account(order)
        self.move(order.going, account.held, account.available, units, f"release {order.order_id}")
        order.hold -= units
        self.touch(order)

    def reserve_fee(self, order: Order, units: int) -> None:
        """Other orders can no longer spend what this one will pay in fees."""
        self.account(order).fee_reserve += units - order.fee_reserve
        order.fee_reserve = units
        self.touch(order)

    def audit(self, transfers: Iterable[Transfer] = ()) -> bool:
        """Whether every asset sums to zero and every held purse holds exactly what orders and transfers say."""
        expected: dict[tuple[str, str], int] = {}
        for transfer in transfers:
            purse = (self.accounts[transfer.uid].held, transfer.asset_key)
            expected[purse] = expected.get(purse, 0) + transfer.hold
        for order in self.orders:
            locked = [(order.going.key, order.hold)]
            if order.is_being_funded:
                locked += order.legs
            for key, units in locked:
                purse = (self.account(order).held, key)
                expected[purse] = expected.get(purse, 0) + units
        held = {
            (account, asset): units
            for account, asset, units in self.ledger.balances()
            if account.startswith("user:") and account.endswith(":held")
        }
        matches = all(held.get(purse, 0) == expected.get(purse, 0) for purse in {*held, *expected})
        return matches and not any(self.ledger.audit().values())
