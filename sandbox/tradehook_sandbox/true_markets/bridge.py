"""The funding bridge: a buy on the exchange that its dollars do not cover, paid for with stablecoins from the wallets.

Signed transfers bring the missing dollars in, one for one; then the order goes on by itself.
See: truemarkets-api 5.8. Which wallet is drawn first is not documented: here the fuller one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tradehook_sandbox.clock import MICROS
from tradehook_sandbox.ledger import BRIDGE, Overdrawn
from tradehook_sandbox.true_markets import stamps
from tradehook_sandbox.true_markets.catalogue import BY_KEY, CHAINS, DOLLARS, dollars_on
from tradehook_sandbox.true_markets.defi import QUOTE_SECONDS
from tradehook_sandbox.units import divide_up, format_units

if TYPE_CHECKING:
    from tradehook_sandbox.true_markets.cefi import Cefi, Need
    from tradehook_sandbox.true_markets.house import House
    from tradehook_sandbox.true_markets.orders import Order

_ROOM_PERCENT: Final = 1
"""How much more is drawn for a market order sized in coins, whose cost moves until it is filled."""


class Bridge:
    """Brings dollars from the chains to the exchange."""

    def __init__(self, house: House, cefi: Cefi) -> None:
        self._house = house
        self._cefi = cefi

    def prepare(self, order: Order, need: Need) -> bool:
        """The order waits for signed transfers of what it lacks; False when the wallets lack it too."""
        missing = self._cefi.shortfall(order, need)
        if order.type == "market" and order.unit == "base":
            missing += divide_up((need.hold + need.fee) * _ROOM_PERCENT, 100)
        legs = self._legs(order, missing)
        if not legs:
            return False
        order.status = "initialized"
        order.expires_micros = self._house.now + QUOTE_SECONDS * MICROS
        order.legs = legs
        order.payloads = [self._payload(order, key, units) for key, units in legs]
        return True

    def submit(self, order: Order) -> None:
        """The signed transfers are on their way."""
        account = self._house.account(order)
        locked: list[tuple[str, int]] = []
        try:
            for key, units in order.legs:
                self._house.move(BY_KEY[key], account.available, account.held, units, f"bridge {order.order_id}")
                locked.append((key, units))
        except Overdrawn:
            # Spent in between. What was locked is free again, and the chain will tell.
            for key, units in locked:
                self._house.move(BY_KEY[key], account.held, account.available, units, f"release {order.order_id}")
            order.legs = []
        order.status = "pending"
        self._house.schedule(order, "fund")

    def settle(self, order: Order) -> None:
        """The dollars have arrived, and the order is on its way to the book; or they have not, and it failed.

        One that was canceled meanwhile ends here, and its dollars stay on the exchange.
        """
        account, dollars = self._house.account(order), BY_KEY[DOLLARS]
        legs, order.legs = order.legs, []
        for key, units in legs:
            asset = BY_KEY[key]
            self._house.move(asset, account.held, BRIDGE, units, f"bridge {order.order_id}")
            arrived = units * 10 ** (dollars.scale - asset.scale)
            self._house.move(dollars, BRIDGE, account.available, arrived, f"bridge {order.order_id}")
        if legs and order.status == "cancel_pending":
            self._cefi.canceled(order)
        elif not legs or not self._cefi.resubmit(order):
            order.status, order.failure_reason = "failed", "insufficient balance"
            self._house.touch(order)

    def _legs(self, order: Order, missing: int) -> list[tuple[str, int]]:
        """Which wallets give how much, in units of their stablecoins; nothing when they cannot."""
        account, dollars = self._house.account(order), BY_KEY[DOLLARS]
        wallets = [(self._house.accounts.available(account, dollars_on(chain)), chain) for chain in CHAINS]
        legs = []
        for holds, chain in sorted(wallets, reverse=True):
            asset = dollars_on(chain)
            wanted = divide_up(missing, 10 ** (dollars.scale - asset.scale))
            units = min(holds, wanted)
            if units > 0:
                legs.append((asset.key, units))
                missing -= units * 10 ** (dollars.scale - asset.scale)
        return legs if missing <= 0 else []

    def _payload(self, order: Order, key: str, units: int) -> dict[str, str]:
        asset = BY_KEY[key]
        chain = asset.chain or ""
        amount = format_units(units, asset.scale)
        return stamps.payload(
            order,
            chain=chain,
            wallet=self._house.account(order).wallet(chain),
            details={
                "action": "transfer",
                "assetIn": asset.address or "",
                "amountIn": amount,
                "assetOut": DOLLARS,
                "minimumOut": amount,
                "recipient": stamps.deposit_address(chain),
            },
            at_micros=self._house.now,
        )
