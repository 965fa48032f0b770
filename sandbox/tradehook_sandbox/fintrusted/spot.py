"""Spot trading: what an order freezes, how it is matched and canceled, and where the money goes.

Orders meet books of FinTrusted's own, with liquidity around the prices that the whole sandbox shares.
See: fintrusted-api 6.3 and 8.1.
"""

from __future__ import annotations

import heapq
from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

from tradehook_sandbox.book import Book
from tradehook_sandbox.clock import MICROS
from tradehook_sandbox.fintrusted import messages
from tradehook_sandbox.fintrusted.calls import Refused
from tradehook_sandbox.fintrusted.coins import PAIRS, turnover
from tradehook_sandbox.fintrusted.orders import Deal, SpotOrder, SpotOrders
from tradehook_sandbox.fintrusted.sweep import sweep
from tradehook_sandbox.fintrusted.wishes import Closures, read_wish
from tradehook_sandbox.ledger import FEES, MAKER
from tradehook_sandbox.seeded import draw
from tradehook_sandbox.units import divide_up

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tradehook_sandbox.book import Fill, Side
    from tradehook_sandbox.fintrusted.floor import Floor
    from tradehook_sandbox.fintrusted.members import Member
    from tradehook_sandbox.fintrusted.orders import Status
    from tradehook_sandbox.fintrusted.sweep import Sweep
    from tradehook_sandbox.fintrusted.wishes import Wish

_MILLION: Final = 1_000_000
_TRADES_KEPT: Final = 500


class Trade(NamedTuple):
    """Something was traded by a member of this sandbox."""

    symbol: str
    price: int
    amount: int
    side: Side
    """Of whoever came last."""
    order_id: str
    other_id: str
    """Empty when the other side is the sandbox's own liquidity."""
    at_micros: int


class Spot:
    """All spot orders and their books."""

    def __init__(self, floor: Floor) -> None:
        self._floor = floor
        self.orders = SpotOrders()
        self.closures = {symbol: Closures() for symbol in PAIRS}
        self.trades: dict[str, deque[Trade]] = {symbol: deque(maxlen=_TRADES_KEPT) for symbol in PAIRS}
        self._queues: dict[str, list[SpotOrder]] = {symbol: [] for symbol in PAIRS}
        self._due: list[tuple[int, int, str]] = []
        self.books: dict[str, Book] = {}
        for pair in PAIRS.values():
            walk = floor.market.walks[pair.base]
            book = Book(f"fintrusted:{pair.symbol}", seed=floor.seed, walk=walk, grid=pair.grid_at)
            book.jump_to(floor.market.step_at(floor.now))
            self.books[pair.symbol] = book

    # --- what members do ------------------------------------------------------------------------------------------

    def add(self, form: Mapping[str, str], member: Member) -> SpotOrder:
        """The order has frozen what it may cost, and is on its way to the book.

        Raises:
            Refused: it is not to be had.
        """
        floor, rules = self._floor, self._floor.rules
        wish = read_wish(form, member, rules=rules, closures=self.closures)
        if rules.most_open and self._open_count(member, wish) >= rules.most_open:
            raise Refused(messages.TOO_MANY_OPEN)
        cost = self._cost(wish)
        coin = wish.pair.quote if wish.side == "buy" else wish.pair.base
        if floor.ledger.balance(member.available, coin) < cost:
            raise Refused(coin if rules.bare_insufficient else messages.INSUFFICIENT + coin)
        number = len(self.orders) + 1
        order = SpotOrder(
            order_id=self._order_id(number),
            number=number,
            member_id=member.member_id,
            symbol=wish.pair.symbol,
            side=wish.side,
            type=wish.type,
            price=wish.price,
            amount=wish.amount,
            is_by_quote=wish.is_by_quote,
            created_micros=floor.now,
            frozen=cost,
            arrive_micros=floor.now + round(rules.add_seconds * MICROS),
        )
        floor.move(coin, member.available, member.frozen, cost, f"freeze {order.order_id}")
        self.orders.add(order)
        self.expect(order)
        return order

    def cancel(self, order_id: str, member: Member) -> SpotOrder:
        """The order will be canceled in a moment, unless it is filled before.

        Raises:
            Refused: there is no such order, it is somebody else's, or it has ended.
        """
        order = self.orders.get(order_id)
        if order is None:
            raise Refused(messages.NO_ORDER)
        if order.member_id != member.member_id:
            raise Refused(messages.FORBIDDEN)
        if order.is_final:
            raise Refused(messages.WRONG_STATE)
        if order.cancel_micros is None:
            order.cancel_micros = self._floor.now + round(self._floor.rules.cancel_seconds * MICROS)
            self.expect(order)
        return order

    # --- what happens later ---------------------------------------------------------------------------------------

    def next_due(self, until_micros: int) -> int | None:
        """When something next happens to an order by itself, if that is up to this moment."""
        return self._due[0][0] if self._due and self._due[0][0] <= until_micros else None

    def happen(self) -> None:
        """The next thing that is due has happened."""
        at_micros, _, order_id = heapq.heappop(self._due)
        order = self.orders[order_id]
        if order.is_final:
            return
        if order.arrive_micros == at_micros:
            order.arrive_micros = None
            self._arrive(order)
        elif order.cancel_micros == at_micros:
            order.cancel_micros = None
            self._end_by_cancel(order)

    def move_to(self, at_micros: int) -> None:
        """Prices have moved, and the orders that they reached are filled."""
        step = self._floor.market.step_at(at_micros)
        for symbol, book in self.books.items():
            if book.step < step:
                self._filled_all(book.move_to(step))
                self._serve_queue(symbol)

    def relay(self) -> None:
        """Somebody set the prices or the depth, and the orders that they reached are filled."""
        for symbol, book in self.books.items():
            self._filled_all(book.relay())
            self._serve_queue(symbol)

    def turn_back(self, earlier_micros: int) -> None:
        """The clock was turned back by this much: what was to happen soon happens as soon from now on."""
        self._due = []
        for order in self.orders:
            if order.is_final:
                continue
            if order.arrive_micros is not None:
                order.arrive_micros -= earlier_micros
            if order.cancel_micros is not None:
                order.cancel_micros -= earlier_micros
            self.expect(order)
        for book in self.books.values():
            book.jump_to(self._floor.market.step_at(self._floor.now))

    def expect(self, order: SpotOrder) -> None:
        """Whatever is due for the order will happen."""
        for at_micros in (order.arrive_micros, order.cancel_micros):
            if at_micros is not None:
                heapq.heappush(self._due, (at_micros, order.number, order.order_id))
        self.orders.touch(order)

    def stand_again(self, order: SpotOrder) -> None:
        """An order that was there before a restart is there again."""
        self.orders.add(order)
        if order.is_final:
            return
        self.expect(order)
        if order.is_resting and order.type == "market":
            self._queues[order.symbol].append(order)
        elif order.is_resting:
            self.books[order.symbol].rest(order.order_id, order.side, price=order.price, quantity=order.leaves)

    def frozen(self) -> dict[tuple[str, str], int]:
        """What each frozen purse holds by the orders' own account: (ledger account, coin) to units."""
        expected: dict[tuple[str, str], int] = {}
        for order in self.orders:
            purse = (self._member(order).frozen, order.going)
            expected[purse] = expected.get(purse, 0) + order.frozen
        return expected

    # --- matching -------------------------------------------------------------------------------------------------

    def _arrive(self, order: SpotOrder) -> None:
        book = self.books[order.symbol]
        found = self._take(order)
        if order.type == "limit":
            if order.leaves:
                book.rest(order.order_id, order.side, price=order.price, quantity=order.leaves)
                order.is_resting = True
                self.orders.touch(order)
                # A market order that waits in the queue may take it at once.
                self._serve_queue(order.symbol)
            else:
                self._close(order, "COMPLETED")
        elif found.is_whole:
            self._close(order, "COMPLETED")
        elif self._floor.rules.market_leftover == "queue":
            order.is_resting = True
            self._queues[order.symbol].append(order)
            self.orders.touch(order)
        else:
            self._close(order, "CANCELED")

    def _take(self, order: SpotOrder) -> Sweep:
        """The order has taken from the book what it could."""
        book = self.books[order.symbol]
        budget = order.frozen if order.type == "market" and order.side == "buy" else None
        found = sweep(
            book,
            order.side,
            lot=order.pair.grid.lot,
            quantity=None if order.is_by_quote else order.leaves,
            budget=budget,
            limit=order.price if order.type == "limit" else None,
        )
        for offer, quantity in found.takes:
            resting = self.orders[offer.order_id] if offer.order_id else None
            price = offer.price
            book.take(offer, quantity)
            self._note(order, resting, price, quantity)
            self._fill(order, price, quantity)
            if resting is not None:
                self._fill(resting, price, quantity)
                if not resting.leaves:
                    self._close(resting, "COMPLETED")
        return found

    def _serve_queue(self, symbol: str) -> None:
        """Market orders that wait have taken what there is now."""
        for order in list(self._queues[symbol]):
            if self._take(order).is_whole:
                self._close(order, "COMPLETED")

    def _filled_all(self, fills: Iterable[Fill]) -> None:
        """The sandbox's own liquidity has reached resting orders; the book has taken out what was filled."""
        for fill in fills:
            order = self.orders[fill.order_id]
            self._note(order, None, fill.price, fill.quantity)
            self._fill(order, fill.price, fill.quantity)
            if not order.leaves:
                self._close(order, "COMPLETED")

    def _end_by_cancel(self, order: SpotOrder) -> None:
        if self._fill_wins(order):
            self.books[order.symbol].withdraw(order.order_id, order.side)
            quantity = order.leaves
            self._note(order, None, order.price, quantity)
            self._fill(order, order.price, quantity)
            self._close(order, "COMPLETED")
        else:
            self._close(order, "CANCELED")

    def _fill_wins(self, order: SpotOrder) -> bool:
        """Whether somebody has taken the whole order while it was being canceled."""
        drawn = draw("fintrusted race", self._floor.seed, order.number, below=_MILLION)
        return order.type == "limit" and drawn < self._floor.rules.cancel_race * _MILLION

    # --- money ----------------------------------------------------------------------------------------------------

    def _cost(self, wish: Wish) -> int:
        """What the order may give, to be frozen."""
        if wish.is_by_quote or wish.side == "sell":
            return wish.amount
        if wish.type == "limit":
            return turnover(wish.price, wish.amount)
        # A market buy by its base amount: what it costs now, and a hundredth, as prices move until it arrives.
        found = sweep(self.books[wish.pair.symbol], "buy", lot=wish.pair.grid.lot, quantity=wish.amount)
        return divide_up(found.spent * 101, 100)

    def _fill(self, order: SpotOrder, price: int, quantity: int) -> None:
        member, floor = self._member(order), self._floor
        value = turnover(price, quantity)
        given, got = (value, quantity) if order.side == "buy" else (quantity, value)
        fee = divide_up(got * floor.rules.fee_millionths, _MILLION)
        reason = f"fill {order.order_id}"
        floor.move(order.going, member.frozen, MAKER, given, reason)
        floor.move(order.coming, MAKER, member.available, got - fee, reason)
        floor.move(order.coming, MAKER, FEES, fee, f"fee {order.order_id}")
        order.frozen -= given
        order.traded += quantity
        order.turnover += value
        order.deals.append(Deal(price, quantity, value, fee, floor.now))
        self.orders.touch(order)

    def _close(self, order: SpotOrder, status: Status) -> None:
        """The order has ended, and what it did not need is available again."""
        if order.is_resting and order.type == "market":
            self._queues[order.symbol].remove(order)
        else:
            self.books[order.symbol].withdraw(order.order_id, order.side)
        member = self._member(order)
        self._floor.move(order.going, member.frozen, member.available, order.frozen, f"release {order.order_id}")
        order.frozen, order.is_resting = 0, False
        order.status, order.ended_micros = status, self._floor.now
        self.orders.touch(order)

    # --- looking up -----------------------------------------------------------------------------------------------

    def _member(self, order: SpotOrder) -> Member:
        member = self._floor.members.by_id(order.member_id)
        if member is None:
            raise AssertionError("an order has lost its member")
        return member

    def _open_count(self, member: Member, wish: Wish) -> int:
        mine = (order for order in self.orders if order.member_id == member.member_id and not order.is_final)
        return sum((order.symbol, order.side) == (wish.pair.symbol, wish.side) for order in mine)

    def _order_id(self, number: int) -> str:
        """The id that belongs to an order's number: unlike any other run's, and the same for the same seed and time."""
        salt = draw("fintrusted order", self._floor.seed, self._floor.market.origin_micros, number, below=1_000)
        return f"E{self._floor.now // 1_000}{salt:03d}{number:05d}"

    def _note(self, order: SpotOrder, resting: SpotOrder | None, price: int, quantity: int) -> None:
        other_id = "" if resting is None else resting.order_id
        self.trades[order.symbol].append(
            Trade(order.symbol, price, quantity, order.side, order.order_id, other_id, self._floor.now)
        )
