"""The exchange's own books: what an order needs, and how it is matched and canceled.

A buy holds its notional, a sell its coins; what open buys will pay in fees is kept from being spent twice without
being shown as held. See: truemarkets-api 5.1, 5.3, 5.7 and 8.3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tradehook_sandbox.book import BASE_SCALE, NOTIONAL_SCALE, Book, Fill, notional
from tradehook_sandbox.seeded import draw
from tradehook_sandbox.true_markets.calls import Refusal, shown
from tradehook_sandbox.true_markets.catalogue import DOLLAR_NAMES, DOLLARS
from tradehook_sandbox.true_markets.increments import check_on_grid, increment_at
from tradehook_sandbox.true_markets.orders import Order
from tradehook_sandbox.true_markets.settlement import Till
from tradehook_sandbox.true_markets.sweep import Sweep, affordable, fee_on, opposite, sweep
from tradehook_sandbox.units import divide_rounding, format_units
from tradehook_sandbox.walk import PRICE_SCALE

if TYPE_CHECKING:
    from tradehook_sandbox.true_markets.accounts import Account
    from tradehook_sandbox.true_markets.house import House
    from tradehook_sandbox.true_markets.rules import Rules
    from tradehook_sandbox.true_markets.wishes import Wish

INSTRUMENTS: Final = ("BTC", "ETH")
_CERTAIN: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Need:
    """What an order locks: dollars for a buy, coins for a sell; and the dollars its fee will take from a buy."""

    hold: int
    fee: int


class Cefi:
    """The books of the exchange and everything that happens on them."""

    def __init__(self, house: House, rules: Rules) -> None:
        self._house = house
        self._rules = rules
        self._till = Till(house)
        self.books = {
            symbol: Book(f"{symbol}/{DOLLARS}", seed=house.seed, walk=house.market.walks[symbol], grid=increment_at)
            for symbol in INSTRUMENTS
        }

    # --- quotes and new orders ------------------------------------------------------------------------------------

    def quote(self, wish: Wish) -> dict[str, str]:
        """The output and effective price of a market order, were it sent now. Fees are not part of it.

        Raises:
            Refusal: 400 unsupported, off the grid or too large for the book; 503 for an unknown quote asset.
        """
        book = self._book(wish, unknown=400)
        quantity, _ = check_on_grid(wish, market_price=self._market_price(wish, book))
        found = _sweep_for(wish, book, quantity)
        if not (found.is_whole and found.quantity):
            raise Refusal(400, "insufficient liquidity for this size")
        average = divide_rounding(found.spent * 10 ** (PRICE_SCALE + BASE_SCALE - NOTIONAL_SCALE), found.quantity)
        tick = increment_at(average).tick
        output = (found.quantity, BASE_SCALE) if wish.side == "buy" else (found.spent, NOTIONAL_SCALE)
        return {
            "qty": format_units(*output),
            "price": format_units(divide_rounding(average, tick) * tick, PRICE_SCALE),
        }

    def draft(self, wish: Wish, account: Account) -> tuple[Order, Need]:
        """An order for the wish, checked but not known to anybody yet, and what it would lock.

        Raises:
            Refusal: 400, 404 for an unknown coin, 503 for an unknown quote asset.
        """
        book = self._book(wish, unknown=404)
        quantity, price = check_on_grid(wish, market_price=self._market_price(wish, book))
        number = self._house.next_number()
        order = Order(
            order_id=self._house.order_id(number),
            number=number,
            uid=account.uid,
            base_key=wish.base,
            quote_key=DOLLARS,
            base_as_sent=wish.base,
            quote_as_sent=wish.quote,
            side=wish.side,
            type=wish.type,
            unit=wish.unit,
            quantity=quantity,
            price=price,
            created_micros=self._house.now,
        )
        if order.type == "limit":
            order.expected = quantity
            cost = notional(order.price, quantity)
            return order, Need(cost, fee_on(cost)) if order.side == "buy" else Need(quantity, 0)
        found = _sweep_for(wish, book, quantity)
        order.expected = quantity if order.unit == "base" else found.quantity
        if order.side == "sell":
            return order, Need(quantity if order.unit == "base" else found.quantity, 0)
        cost = quantity if order.unit == "quote" else found.spent
        return order, Need(cost, fee_on(cost))

    def shortfall(self, order: Order, need: Need) -> int:
        """What the account lacks for the order: dollars for a buy, coins for a sell."""
        account = self._house.account(order)
        if order.side == "buy":
            return max(0, need.hold + need.fee - self._house.accounts.spendable(account))
        return max(0, need.hold - self._house.accounts.available(account, order.base))

    def submit(self, order: Order, need: Need) -> None:
        """The order has locked what it needs and is on its way to the book. Raises `Overdrawn`."""
        self._house.lock(order, need.hold)
        self._house.reserve_fee(order, need.fee)
        order.status = "pending"
        self._house.schedule(order, "arrive")

    def resubmit(self, order: Order) -> bool:
        """The same for an order whose account was funded in between; False when it is still too little."""
        book = self.books[order.base_key]
        funds = self._house.accounts.spendable(self._house.account(order))
        if order.type == "limit":
            cost = notional(order.price, order.quantity)
        elif order.unit == "quote":
            cost = order.quantity
        else:
            # Prices have moved since it was created; it gets what the money buys now.
            cost = min(sweep(book, "buy", quantity=order.quantity).spent, affordable(funds))
        if cost + fee_on(cost) > funds:
            return False
        self.submit(order, Need(cost, fee_on(cost)))
        return True

    # --- what happens later ---------------------------------------------------------------------------------------

    def arrive(self, order: Order) -> None:
        """The order has reached the book: it took what it could, and rests, is complete or is canceled."""
        book = self.books[order.base_key]
        found = self._sweep_arrived(order, book)
        for offer, quantity in found.takes:
            resting = self._house.orders[offer.order_id] if offer.order_id else None
            price = offer.price
            book.take(offer, quantity)
            self._till.fill(order, price, quantity)
            if resting is not None:
                self.filled(Fill(resting.order_id, price, quantity))
        if order.type == "limit":
            if order.executed >= order.quantity:
                self._till.close(order, "complete")
                return
            book.rest(order.order_id, order.side, price=order.price, quantity=order.quantity - order.executed)
            if order.status == "pending":
                order.status = "active"
            self._house.touch(order)
        else:
            self._till.close(order, "complete" if found.is_whole else "canceled")

    def cancel(self, order: Order) -> None:
        """The exchange will confirm the cancellation in a moment, unless the order is filled before.

        Raises:
            Refusal: 400 when it cannot be canceled.
        """
        if order.is_onchain or order.type != "limit":
            raise Refusal(400, "only limit orders on the exchange can be canceled")
        if order.status not in ("pending", "active"):
            raise Refusal(400, f"order cannot be canceled: it is {order.status}")
        order.status = "cancel_pending"
        self._house.schedule_cancel(order)

    def canceled(self, order: Order) -> None:
        """The exchange has confirmed the cancellation, unless a fill was quicker.

        One that still waits for its dollars ends when they are in.
        """
        if not (order.is_final or order.is_being_funded):
            self.books[order.base_key].withdraw(order.order_id, order.side)
            order.due_micros = None
            if order.hold and self._fill_wins(order):
                self.filled(Fill(order.order_id, order.price, order.quantity - order.executed))
            else:
                self._till.close(order, "canceled")

    def move_to(self, at_micros: int) -> None:
        """Prices have moved, and resting orders they reached are filled."""
        step = self._house.market.step_at(at_micros)
        for book in self.books.values():
            for fill in book.move_to(step):
                self.filled(fill)

    def relay(self) -> None:
        """Somebody set the prices or the depth; resting orders they reached are filled."""
        for book in self.books.values():
            for fill in book.relay():
                self.filled(fill)

    def filled(self, fill: Fill) -> None:
        """A resting order was filled by this much; the book has taken it out already."""
        order = self._house.orders[fill.order_id]
        self._till.fill(order, fill.price, fill.quantity)
        if order.executed >= order.quantity:
            self._till.close(order, "complete")

    def stand_again(self, order: Order) -> None:
        """An order that rested before a restart rests again."""
        quantity = order.quantity - order.executed
        self.books[order.base_key].rest(order.order_id, order.side, price=order.price, quantity=quantity)

    # --- looking up -----------------------------------------------------------------------------------------------

    def _book(self, wish: Wish, *, unknown: int) -> Book:
        if wish.base not in self.books:
            raise Refusal(unknown, f"unsupported asset: {shown(wish.base)}")
        if wish.quote not in DOLLAR_NAMES:
            if self._rules.unknown_quote == 400:
                raise Refusal(400, f"unsupported asset: {shown(wish.quote)}", fields=("quote_asset",))
            # Seen live: not a 400, as if the venue for it were down.
            raise Refusal(503, "venue unavailable")
        return self.books[wish.base]

    def _fill_wins(self, order: Order) -> bool:
        """Whether somebody has taken the whole order while it was being canceled."""
        drawn = draw("race", self._house.seed, order.number, below=_CERTAIN)
        return drawn < self._rules.cancel_race * _CERTAIN

    def _market_price(self, wish: Wish, book: Book) -> int:
        best = next(book.offers(opposite(wish.side)), None)
        return best.price if best else book.reference

    def _sweep_arrived(self, order: Order, book: Book) -> Sweep:
        if order.type == "limit":
            return sweep(book, order.side, quantity=order.quantity, limit=order.price)
        account = self._house.account(order)
        quantity = order.quantity if order.unit == "base" else None
        budget = order.quantity if order.unit == "quote" else None
        if order.side == "buy":
            # Prices may have moved against it: it never spends more than the account has.
            funds = order.hold + order.fee_reserve + self._house.accounts.spendable(account)
            budget = affordable(funds) if budget is None else min(budget, affordable(funds))
        elif quantity is None:
            quantity = order.hold + self._house.accounts.available(account, order.base)
        found = sweep(book, order.side, quantity=quantity, budget=budget)
        found.is_whole = _is_satisfied(order, found)
        return found


def _sweep_for(wish: Wish, book: Book, quantity: int) -> Sweep:
    if wish.unit == "base":
        return sweep(book, wish.side, quantity=quantity)
    return sweep(book, wish.side, budget=quantity)


def _is_satisfied(order: Order, found: Sweep) -> bool:
    """Whether a market order got what was asked for, and not only what the book or the account reached."""
    if order.unit == "base" or not found.takes:
        return 0 < order.quantity <= found.quantity and order.unit == "base"
    last_price = found.takes[-1][0].price
    return order.quantity - found.spent < notional(last_price, increment_at(last_price).lot)
