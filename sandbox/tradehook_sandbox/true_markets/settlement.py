"""Money on the exchange's books: what a fill moves, and what an order gives back when it ends.

The 4 bps fee is charged in dollars with each fill. See: truemarkets-api 8.4.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from tradehook_sandbox.book import notional
from tradehook_sandbox.ledger import FEES, MAKER
from tradehook_sandbox.true_markets.sweep import fee_on

if TYPE_CHECKING:
    from tradehook_sandbox.true_markets.house import House
    from tradehook_sandbox.true_markets.orders import Order


class Till:
    """Pays for what the books have matched."""

    def __init__(self, house: House) -> None:
        self._house = house

    def fill(self, order: Order, price: int, quantity: int) -> None:
        """Coins, dollars and the fee of one fill have moved; a buy's surplus over its limit is free again."""
        house, account = self._house, self._house.account(order)
        cost, reason = notional(price, quantity), f"fill {order.order_id}"
        given, got = (cost, quantity) if order.side == "buy" else (quantity, cost)
        from_hold = min(order.hold, given)
        house.move(order.going, account.held, MAKER, from_hold, reason)
        house.move(order.going, account.available, MAKER, given - from_hold, reason)
        order.hold -= from_hold
        house.move(order.coming, MAKER, account.available, got, reason)
        if order.type == "limit" and order.side == "buy":
            house.unlock(order, min(order.hold, notional(order.price, quantity) - cost))
        order.executed += quantity
        order.spent += cost
        # The fee is rounded over the whole order, so many small fills cost what one large one does.
        fee = fee_on(order.spent) - order.fee
        order.fee += fee
        house.move(order.quote, account.available, FEES, fee, f"fee {order.order_id}")
        house.reserve_fee(order, max(0, order.fee_reserve - fee))

    def close(self, order: Order, status: Literal["complete", "canceled"]) -> None:
        """Nothing will happen to the order any more, and what it still held is free."""
        house = self._house
        order.status = status
        house.unlock(order, order.hold)
        house.reserve_fee(order, 0)
