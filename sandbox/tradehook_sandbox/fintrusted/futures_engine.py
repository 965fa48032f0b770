"""The futures engine: orders, positions, margin and liquidation, on the shared ledger, in whole units.

Nobody trades against anybody: an order is filled whole, at the price that the market has, by the house. Each contract
has a wallet of its own, and a long and a short may stand beside each other in it. See: fintrusted-api 6.4 and 8.3.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final

from tradehook_sandbox.fintrusted.futures_books import Entrust, Key, Position, Purse
from tradehook_sandbox.fintrusted.futures_contracts import CONTRACTS, MILLION, Contract
from tradehook_sandbox.ledger import FEES, MAKER, OUTSIDE
from tradehook_sandbox.market import STEP_MICROS
from tradehook_sandbox.units import divide_up

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from tradehook_sandbox.fintrusted.floor import Floor

OPENING: Final = 10_000 * 10**8
"""What every contract's wallet holds at first, in units."""
_MOST_SAMPLES: Final = 600
_KEPT: Final = 1_000


class NoMargin(Exception):
    """The wallet does not have what the order needs."""


@dataclass(slots=True, eq=False)
class Engine:
    """All futures of one exchange."""

    floor: Floor
    contracts: dict[str, Contract] = field(default_factory=lambda: dict(CONTRACTS))
    orders: list[Entrust] = field(default_factory=list)
    positions: dict[Key, Position] = field(default_factory=dict)
    purses: dict[tuple[int, str], Purse] = field(default_factory=dict)
    now: int = 0
    numbers: int = 0

    # --- wallets ----------------------------------------------------------------------------------------------

    def purse(self, member_id: int, symbol: str) -> Purse:
        """A member's wallet of a contract; opened with play money when it is first asked for."""
        found = self.purses.get((member_id, symbol))
        if found is None:
            found = self.purses[member_id, symbol] = Purse(member_id, symbol)
            self._move(symbol, OUTSIDE, found.available, OPENING, "futures opening")
        return found

    def balances(self, purse: Purse) -> tuple[int, int]:
        """What is free in a wallet, and what is frozen."""
        quote, balance = self.contracts[purse.symbol].quote, self.floor.ledger.balance
        return balance(purse.available, quote), balance(purse.frozen, quote)

    def equity(self, purse: Purse, price: int) -> int:
        """What a wallet is worth with all its positions at a price."""
        return sum(self.balances(purse)) + sum(self.floating(position, price) for position in self._held(purse))

    def floating(self, position: Position, price: int) -> int:
        """What a position would gain if it were closed at a price, without fees."""
        contract = self.contracts[position.symbol]
        return contract.profit(entry_cost=position.cost, exit_cost=price * position.volume, is_long=position.is_long)

    def force_price(self, position: Position, *, price: int) -> int:
        """Where a position is taken away; for one in cross mode, as far as the rest of its wallet stays as it is."""
        contract = self.contracts[position.symbol]
        if not position.is_cross:
            return contract.liquidation_price(
                cost=position.cost,
                volume=position.volume,
                margin=position.margin,
                is_long=position.is_long,
                family_short=self.floor.rules.family_liq_short,
            )
        purse = self.purse(position.member_id, position.symbol)
        spare = self.equity(purse, price) - self._maintenance(purse)
        move = spare * 10**10 // (contract.share * position.volume)
        return max(price - move if position.is_long else price + move, 0)

    # --- orders -----------------------------------------------------------------------------------------------

    def market_price(self, symbol: str, *, is_buy: bool, at_micros: int | None = None) -> int:
        """What a market order gets now: the price and the contract's spread against whoever asks."""
        contract = self.contracts[symbol]
        price = self.floor.price(contract.coin, at_micros)
        spread = divide_up(price * self.floor.rules.futures_spread_millionths, MILLION)
        tick = contract.pair.grid.tick
        return divide_up(price + spread, tick) * tick if is_buy else (price - spread) // tick * tick

    def place(self, order: Entrust) -> None:
        """Take an order: freeze what it needs, and fill it at once where it can be.

        Raises:
            NoMargin: there is not enough to freeze.
        """
        self.purse(order.member_id, order.symbol)
        self._freeze(order)
        self.numbers += 1
        order.number = self.numbers
        self.orders.append(order)
        self._forget_old()
        if order.kind != "plan":
            self._try(order, is_new=True)

    def closable(self, key: Key) -> int:
        """How many contracts of a position no order is closing yet."""
        position = self.positions.get(key)
        return position.volume - position.frozen_volume if position else 0

    def cancel(self, order: Entrust) -> None:
        """Take back an order that waits."""
        if order.status == "waiting":
            self._unfreeze(order)
            order.status = "canceled"

    def orders_of(self, member_id: int) -> Iterator[Entrust]:
        """A member's orders, newest first."""
        return (order for order in reversed(self.orders) if order.member_id == member_id)

    def positions_of(self, member_id: int) -> list[Position]:
        """A member's positions."""
        return [position for position in self.positions.values() if position.member_id == member_id]

    # --- time -------------------------------------------------------------------------------------------------

    def advance(self, until_micros: int) -> None:
        """Everything due up to this moment has happened: triggers, fills, liquidations; samples of a long jump."""
        start, self.now = self.now, max(until_micros, self.now)
        if not (self.positions or any(order.status == "waiting" for order in self.orders)):
            return
        first, last = start // STEP_MICROS + 1, self.now // STEP_MICROS
        stride = max(1, (last - first) // _MOST_SAMPLES)
        for step in range(first, last, stride):
            self._look(step * STEP_MICROS)
        self._look(self.now)  # also when no time has passed: somebody may have set the price

    def _look(self, at_micros: int) -> None:
        prices = {symbol: self.floor.price(one.coin, at_micros) for symbol, one in self.contracts.items()}
        for purse in list(self.purses.values()):
            self._liquidate(purse, prices[purse.symbol], at_micros)
        for order in [order for order in self.orders if order.status == "waiting"]:
            price = prices[order.symbol]
            if order.kind == "plan" and order.triggered_micros is None:
                if (price >= order.trigger) if order.fires_above else (price <= order.trigger):
                    order.triggered_micros = at_micros
                    self._triggered(order, at_micros)
            elif order.status == "waiting":
                self._try(order, at_micros=at_micros)

    def _triggered(self, order: Entrust, at_micros: int) -> None:
        try:
            if not order.is_open and self.closable(order.key) < order.volume:
                raise NoMargin
            self._freeze(order)
        except NoMargin:
            order.status = "failed"
        else:
            self._try(order, at_micros=at_micros, is_new=True)

    def _try(self, order: Entrust, *, at_micros: int | None = None, is_new: bool = False) -> None:
        """Fill the order if the market has reached it: a new one at the market's price, one that waited at its own."""
        market = self.market_price(order.symbol, is_buy=order.is_buy, at_micros=at_micros)
        if order.price and ((market > order.price) if order.is_buy else (market < order.price)):
            return
        self._fill(order, market if is_new or not order.price else order.price)

    # --- money ------------------------------------------------------------------------------------------------

    def _needs(self, order: Entrust, price: int) -> tuple[int, int]:
        """Margin and fee of an opening order at a price."""
        contract = self.contracts[order.symbol]
        cost = price * order.volume
        return contract.margin(cost, order.leverage), contract.fee(contract.notional(cost), contract.open_fee)

    def _freeze(self, order: Entrust) -> None:
        """Set aside what the order needs. A plan order needs nothing before it is triggered."""
        if order.kind == "plan" and order.triggered_micros is None:
            return
        if order.is_open:
            price = order.price or self.market_price(
                order.symbol, is_buy=order.is_buy, at_micros=order.triggered_micros
            )
            purse = self.purse(order.member_id, order.symbol)
            needed = sum(self._needs(order, price))
            if needed > self.balances(purse)[0]:
                raise NoMargin
            self._move(order.symbol, purse.available, purse.frozen, needed, "futures freeze")
            order.frozen = needed
            return
        position = self.positions[order.key]
        left = position.volume - position.frozen_volume
        order.margin = order.volume * (position.margin - position.frozen_margin) // left
        order.frozen_cost = order.volume * (position.cost - position.frozen_cost) // left
        position.frozen_volume += order.volume
        position.frozen_margin += order.margin
        position.frozen_cost += order.frozen_cost

    def _unfreeze(self, order: Entrust) -> None:
        if order.is_open:
            purse = self.purse(order.member_id, order.symbol)
            self._move(order.symbol, purse.frozen, purse.available, order.frozen, "futures unfreeze")
            order.frozen = 0
        elif order.key in self.positions and (order.kind != "plan" or order.triggered_micros is not None):
            self._thaw(self.positions[order.key], order)

    def _thaw(self, position: Position, order: Entrust) -> None:
        position.frozen_volume -= order.volume
        position.frozen_margin -= order.margin
        position.frozen_cost -= order.frozen_cost

    def _fill(self, order: Entrust, price: int) -> None:
        order.filled_price, order.status = price, "filled"
        if order.is_open:
            self._fill_open(order, price)
        else:
            self._fill_close(order, price)

    def _fill_open(self, order: Entrust, price: int) -> None:
        purse = self.purse(order.member_id, order.symbol)
        order.margin, order.fee = self._needs(order, price)
        # A better price than the limit needs less: a short's fill above its limit needs more, from what is free.
        short = order.margin + order.fee - order.frozen
        if short > self.balances(purse)[0]:
            self._unfreeze(order)
            order.status, order.margin, order.fee, order.filled_price = "failed", 0, 0, 0
            return
        self._move(order.symbol, purse.available, purse.frozen, max(short, 0), "futures freeze")
        self._move(order.symbol, purse.frozen, purse.available, max(-short, 0), "futures unfreeze")
        self._move(order.symbol, purse.frozen, FEES, order.fee, "futures open fee")
        order.frozen = 0
        position = self.positions.get(order.key)
        if position is None:
            self.numbers += 1
            position = Position(
                self.numbers, order.member_id, order.symbol, order.side, order.leverage, is_cross=order.is_cross
            )
            self.positions[order.key] = position
        position.volume += order.volume
        position.cost += price * order.volume
        position.margin += order.margin

    def _fill_close(self, order: Entrust, price: int) -> None:
        position, contract = self.positions[order.key], self.contracts[order.symbol]
        self._thaw(position, order)
        position.volume -= order.volume
        position.margin -= order.margin
        position.cost -= order.frozen_cost
        if not position.volume:
            del self.positions[order.key]
        order.profit = contract.profit(
            entry_cost=order.frozen_cost, exit_cost=price * order.volume, is_long=position.is_long
        )
        fee = contract.fee(order.margin * position.leverage, contract.close_fee)
        self._settle(order, fee=fee, is_cross=position.is_cross)

    def _settle(self, order: Entrust, *, fee: int, is_cross: bool) -> None:
        """Pay out what a close brought. An isolated position never costs more than its margin and its gain."""
        purse = self.purse(order.member_id, order.symbol)
        free = self.balances(purse)[0] if is_cross else 0
        self._move(order.symbol, purse.frozen, purse.available, order.margin, "futures release")
        limit = free + order.margin
        order.profit = max(order.profit, -limit)
        order.fee = min(fee, limit + order.profit)
        self._move(order.symbol, MAKER, purse.available, max(order.profit, 0), "futures profit")
        self._move(order.symbol, purse.available, MAKER, max(-order.profit, 0), "futures loss")
        self._move(order.symbol, purse.available, FEES, order.fee, "futures close fee")
        purse.profit += max(order.profit, 0)
        purse.loss += max(-order.profit, 0)

    # --- liquidation ------------------------------------------------------------------------------------------

    def _liquidate(self, purse: Purse, price: int, at_micros: int) -> None:
        held = self._held(purse)
        for position in held:
            if position.is_cross:
                continue
            force = self.force_price(position, price=price)
            if (price <= force) if position.is_long else (price >= force):
                self._blast(position, force, at_micros)
        crossed = [position for position in held if position.is_cross]
        if crossed and self.equity(purse, price) <= self._maintenance(purse):
            for position in crossed:
                self._blast(position, price, at_micros)

    def _maintenance(self, purse: Purse) -> int:
        """What a wallet must be worth to keep its positions: isolated margin, and the least of the others."""
        contract, needed = self.contracts[purse.symbol], 0
        for order in self.orders:
            if order.status == "waiting" and order.key[:2] == purse.key:
                needed += order.frozen
        for position in self._held(purse):
            notional = contract.notional(position.cost)
            least = contract.fee(notional, contract.maintenance) + contract.fee(notional, contract.close_fee)
            needed += least if position.is_cross else position.margin
        return needed

    def _blast(self, position: Position, price: int, at_micros: int) -> None:
        """Take the position away at a price; what is left of an isolated one's margin goes with it."""
        for other in self.orders:
            if other.status == "waiting" and not other.is_open and other.key == position.key:
                self.cancel(other)
        order = Entrust(
            number=0,
            member_id=position.member_id,
            symbol=position.symbol,
            side=position.side,
            is_open=False,
            kind="market",
            leverage=position.leverage,
            is_cross=position.is_cross,
            price=0,
            trigger=0,
            volume=position.volume,
            created_micros=at_micros,
            current_price=price,
            is_blast=True,
        )
        self._freeze(order)
        self.numbers += 1
        order.number = self.numbers
        self.orders.append(order)
        purse = self.purse(position.member_id, position.symbol)
        before = self.balances(purse)[0]
        self._fill(order, price)
        if not position.is_cross:
            rest = max(self.balances(purse)[0] - before, 0)
            self._move(position.symbol, purse.available, FEES, rest, "futures liquidation")
            order.fee += rest

    def _held(self, purse: Purse) -> list[Position]:
        """The long and the short of a wallet, as far as there are any."""
        return [held for held in self.positions.values() if (held.member_id, held.symbol) == purse.key]

    # --- keeping ----------------------------------------------------------------------------------------------

    def audit(self) -> dict[tuple[str, str], int]:
        """What the ledger must hold frozen, by account and coin, counted from positions and orders."""
        expected = {(purse.frozen, self.contracts[purse.symbol].quote): 0 for purse in self.purses.values()}
        for held in self.positions.values():
            purse = self.purses[held.member_id, held.symbol]
            expected[purse.frozen, self.contracts[held.symbol].quote] += held.margin
        for order in self.orders:
            if order.status == "waiting":
                purse = self.purses[order.key[:2]]
                expected[purse.frozen, self.contracts[order.symbol].quote] += order.frozen
        return expected

    def as_rows(self, *, but: Collection[str] = ()) -> list[tuple[str, dict[str, Any]]]:
        """Everything for a store: an id and plain data for each thing; orders in `but` are left out."""
        return [
            ("engine", {"now": self.now, "numbers": self.numbers}),
            *((name, asdict(order)) for order in self.orders if (name := f"order-{order.number}") not in but),
            *((f"position-{'-'.join(map(str, key))}", asdict(held)) for key, held in self.positions.items()),
            *((f"purse-{'-'.join(map(str, key))}", asdict(purse)) for key, purse in self.purses.items()),
        ]

    def restore(self, identity: str, content: dict[str, Any]) -> None:
        """One row of `as_rows`, in any order."""
        match identity.partition("-")[0]:
            case "engine":
                self.now, self.numbers = content["now"], content["numbers"]
            case "order":
                self.orders.append(Entrust(**content))
                self.orders.sort(key=lambda order: order.number)
            case "position":
                position = Position(**content)
                self.positions[position.key] = position
            case _:
                purse = Purse(**content)
                self.purses[purse.member_id, purse.symbol] = purse

    def _forget_old(self) -> None:
        """Orders that ended long ago are forgotten."""
        if len(self.orders) > 2 * _KEPT:
            done = [order for order in self.orders if order.status != "waiting"][:-_KEPT]
            gone = {order.number for order in done}
            self.orders = [order for order in self.orders if order.number not in gone]

    def _move(self, symbol: str, source: str, target: str, units: int, reason: str) -> None:
        self.floor.move(self.contracts[symbol].quote, source, target, units, reason)
