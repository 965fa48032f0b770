"""Trading on a chain: a quote with something to sign, then a swap that lands or reverts a moment later.

See: truemarkets-api 5.1, 5.2 and 8.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from tradehook_sandbox.clock import MICROS
from tradehook_sandbox.ledger import FEES, Overdrawn, pool
from tradehook_sandbox.true_markets import stamps
from tradehook_sandbox.true_markets.calls import Refusal, shown
from tradehook_sandbox.true_markets.catalogue import Asset, dollars_on, token_at
from tradehook_sandbox.true_markets.orders import Order
from tradehook_sandbox.true_markets.pools import Swap, swap
from tradehook_sandbox.units import format_units
from tradehook_sandbox.walk import PRICE_SCALE

if TYPE_CHECKING:
    from tradehook_sandbox.true_markets.accounts import Account
    from tradehook_sandbox.true_markets.house import House
    from tradehook_sandbox.true_markets.rules import Rules
    from tradehook_sandbox.true_markets.wishes import Wish

QUOTE_SECONDS: Final = 60
"""How long something may wait to be signed."""
_SHOWN: Final = 10 ** (PRICE_SCALE - 6)
"""An order's record keeps six decimals of the reference price."""


@dataclass(frozen=True, slots=True)
class Issue:
    """Something that stands in an order's way; for one about money, what there is and what is needed."""

    message: str
    actual: str = ""
    expected: str = ""

    def told(self, rules: Rules) -> str | dict[str, Any]:
        """The issue as text, or as the object of the other API. See: truemarkets-api 13 (row 12)."""
        if rules.issues == "strings":
            return self.message
        balance = {"balance": {"actual": self.actual, "expected": self.expected}} if self.expected else {}
        return {"message": self.message, **balance}


@dataclass(frozen=True, slots=True)
class Draft:
    """An on-chain order before it is known to anybody, and its price."""

    order: Order
    swap: Swap
    issues: list[Issue]

    def quote(self, rules: Rules) -> dict[str, Any]:
        """The price as the create response shows it."""
        going, coming = self.swap.asset_in, self.swap.asset_out
        return {
            "base_asset": self.order.base_as_sent,
            "quote_asset": self.order.quote_as_sent,
            "qty": format_units(self.swap.amount_in, going.scale),
            "qty_out": format_units(self.swap.amount_out, coming.scale),
            "fee": format_units(self.swap.fee, self.order.quote.scale),
            "fee_asset": self.order.quote.symbol,
            "issues": [issue.told(rules) for issue in self.issues],
        }


class Defi:
    """Swaps on the two chains."""

    def __init__(self, house: House) -> None:
        self._house = house

    def draft(self, wish: Wish, account: Account) -> Draft:
        """An order for the wish with its price and whatever stands in its way.

        Raises:
            Refusal: 400 or 404.
        """
        chain = wish.chain or ""
        token, dollars = token_at(chain, wish.base), dollars_on(chain)
        if token is None:
            raise Refusal(404, f"asset not found on {chain}: {shown(wish.base)}")
        if token_at(chain, wish.quote) != dollars:
            raise Refusal(400, f"quote_asset must be USDC on {chain}: {dollars.address}")
        if token == dollars:
            raise Refusal(400, "base_asset and quote_asset are the same")
        quantity = wish.quantity_units((dollars if wish.unit == "quote" else token).scale)
        priced = self._price(token, wish, quantity)
        issues = []
        has, scale = self._house.accounts.available(account, priced.asset_in), priced.asset_in.scale
        if quantity > has:
            issues.append(Issue("insufficient balance", format_units(has, scale), format_units(quantity, scale)))
        if priced.is_too_small:
            issues.append(Issue("trade size below minimum"))
        number = self._house.next_number()
        order = Order(
            order_id=self._house.order_id(number),
            number=number,
            uid=account.uid,
            base_key=token.key,
            quote_key=dollars.key,
            base_as_sent=wish.base,
            quote_as_sent=wish.quote,
            side=wish.side,
            type="market",
            unit=wish.unit,
            quantity=quantity,
            price=self._reference(token) // _SHOWN * _SHOWN,
            created_micros=self._house.now,
            status="initialized",
            expected=priced.tokens,
            minimum_out=priced.minimum_out,
            legs=[(priced.asset_in.key, quantity)],
            expires_micros=self._house.now + QUOTE_SECONDS * MICROS,
        )
        return Draft(order, priced, issues)

    def prepare(self, draft: Draft, account: Account) -> None:
        """The draft's order has its payloads."""
        going, coming = draft.swap.asset_in, draft.swap.asset_out
        chain = going.chain or ""
        details = {
            "assetIn": going.address or "",
            "amountIn": format_units(draft.swap.amount_in, going.scale),
            "assetOut": coming.address or "",
            "minimumOut": format_units(draft.swap.minimum_out, coming.scale),
            "recipient": stamps.router(chain),
        }
        # An EVM token is not the router's to take until its owner approves it: two things to sign, in order.
        actions = ("swap",) if chain == "solana" else ("approve", "swap")
        draft.order.payloads = [
            stamps.payload(
                draft.order,
                chain=chain,
                wallet=account.wallet(chain),
                details={"action": action, **details},
                at_micros=self._house.now,
            )
            for action in actions
        ]

    def submit(self, order: Order) -> None:
        """The signed swap is on its way to the chain."""
        try:
            self._house.lock(order, order.legs[0][1])
        except Overdrawn:
            # Another order has spent it in between: the chain will say so, as it does.
            order.hold = 0
        order.status = "pending"
        order.tx_hash = stamps.transaction_hash(order, order.base.chain or "")
        self._house.schedule(order, "settle")

    def settle(self, order: Order) -> None:
        """The swap has landed at the price of this moment, or it reverted."""
        order.due_micros = None
        amount_in = order.legs[0][1]
        now = swap(order.side, order.base, amount_in, price=self._reference(order.base))
        if order.hold < amount_in:
            self._fail(order, "insufficient balance")
        elif now.amount_out < order.minimum_out:
            self._fail(order, "slippage tolerance exceeded")
        else:
            self._land(order, now)

    def _land(self, order: Order, landed: Swap) -> None:
        house, account = self._house, self._house.account(order)
        reserve = pool(order.base.chain or "")
        reason = f"swap {order.order_id}"
        house.move(landed.asset_in, account.held, reserve, landed.amount_in, reason)
        house.move(landed.asset_out, reserve, account.available, landed.amount_out, reason)
        house.move(order.quote, reserve, FEES, landed.fee, f"fee {order.order_id}")
        order.hold = 0
        order.executed = order.expected = landed.tokens
        order.spent, order.fee = landed.dollars, landed.fee
        order.status = "complete"
        house.touch(order)

    def _fail(self, order: Order, reason: str) -> None:
        self._house.unlock(order, order.hold)
        order.status, order.failure_reason = "failed", reason

    def _price(self, token: Asset, wish: Wish, quantity: int) -> Swap:
        return swap(wish.side, token, quantity, price=self._reference(token))

    def _reference(self, token: Asset) -> int:
        return self._house.market.price(token.coin or "", self._house.now)
