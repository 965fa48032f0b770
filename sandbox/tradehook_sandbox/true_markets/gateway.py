"""What each endpoint answers: one function an endpoint, from a visit to a status and a body.

See: truemarkets-api 2 to 7.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tradehook_sandbox.clock import rfc3339
from tradehook_sandbox.true_markets import stamps
from tradehook_sandbox.true_markets.calls import Refusal, shown, uuid_text
from tradehook_sandbox.true_markets.catalogue import ASSETS
from tradehook_sandbox.true_markets.orders import STATUSES
from tradehook_sandbox.true_markets.wishes import read_order, read_quote

if TYPE_CHECKING:
    from tradehook_sandbox.true_markets.accounts import Account
    from tradehook_sandbox.true_markets.calls import Call
    from tradehook_sandbox.true_markets.exchange import TrueMarkets
    from tradehook_sandbox.true_markets.keys import KeyRing
    from tradehook_sandbox.true_markets.orders import Order
    from tradehook_sandbox.true_markets.tokens import Claims
    from tradehook_sandbox.true_markets.wishes import Wish


@dataclass(frozen=True, slots=True)
class Visit:
    """One request at one endpoint."""

    exchange: TrueMarkets
    call: Call
    order_id: str
    claims: Claims | None
    now: float

    @property
    def account(self) -> Account:
        """Whose request it is."""
        if self.claims is None:
            raise Refusal(401, "missing or malformed bearer token")
        return self.exchange.house.accounts[self.claims.uid]

    def order(self) -> Order:
        """The order in the path.

        Raises:
            Refusal: 400 when it is not a UUID, 404 when the account has no such order.
        """
        order = self.exchange.house.orders.get(uuid_text(self.order_id, "order id"))
        if order is None or order.uid != self.account.uid:
            raise Refusal(404, "order not found")
        return order


def key_named_in(call: Call, keys: KeyRing) -> str | None:
    """The registered key a sign-in is for, if it names one."""
    try:
        key_id = call.content().get("key_id")
    except Refusal:
        return None
    return key_id if isinstance(key_id, str) and keys.get(key_id) else None


# --- signing in -------------------------------------------------------------------------------------------------------


def mint(visit: Visit) -> tuple[int, object]:
    """`POST /v1/auth/api-key/token`: a first pair of tokens."""
    return 200, visit.exchange.tokens.mint(visit.call.content(), now=visit.now)


def refresh(visit: Visit) -> tuple[int, object]:
    """`POST /v1/auth/token/refresh`: the next pair of tokens."""
    return 200, visit.exchange.tokens.refresh(visit.call.content(), now=visit.now)


def key_set(visit: Visit) -> tuple[int, object]:
    """`GET /.well-known/jwks.json`: the key that signs tokens."""
    return 200, visit.exchange.tokens.key_set()


# --- quotes and orders ------------------------------------------------------------------------------------------------


def compute_quote(visit: Visit) -> tuple[int, object]:
    """`POST /quotes`: what a market order would come to."""
    wish = read_quote(visit.call.content(), strict=visit.exchange.rules.strict_quotes)
    return 200, visit.exchange.cefi.quote(wish)


def create_order(visit: Visit) -> tuple[int, object]:
    """`POST /orders`: submitted, or initialized with something to sign."""
    wish = read_order(visit.call.content(), strict_units=visit.exchange.rules.strict_units)
    return _create_onchain(visit, wish) if wish.chain else _create_on_book(visit, wish)


def _create_on_book(visit: Visit, wish: Wish) -> tuple[int, object]:
    exchange = visit.exchange
    order, need = exchange.cefi.draft(wish, visit.account)
    if not exchange.cefi.shortfall(order, need):
        exchange.house.orders.add(order)
        exchange.cefi.submit(order, need)
        return 201, {"order_id": order.order_id, "status": order.status}
    if order.side == "sell" or not exchange.bridge.prepare(order, need):
        raise Refusal(400, "insufficient balance")
    exchange.house.orders.add(order)
    return 201, {"order_id": order.order_id, "status": order.status, "payloads": order.payloads}


def _create_onchain(visit: Visit, wish: Wish) -> tuple[int, object]:
    exchange = visit.exchange
    draft = exchange.defi.draft(wish, visit.account)
    body: dict[str, Any] = {"order_id": "", "status": "initialized", "payloads": [], "quote": draft.quote()}
    if not draft.issues:
        exchange.defi.prepare(draft, visit.account)
        order = exchange.house.orders.add(draft.order)
        body.update(order_id=order.order_id, payloads=order.payloads)
    # With issues there is no order, and the empty id says so. See: truemarkets-api 5.1.
    return 201, body


def execute_order(visit: Visit) -> tuple[int, object]:
    """`POST /orders/{id}/execute`: the signed order is on its way."""
    exchange, order = visit.exchange, visit.order()
    signatures = stamps.check_signatures(visit.call.content())
    if order.status != "initialized":
        raise Refusal(409, f"order cannot be executed: it is {order.status}")
    if exchange.house.now > order.expires_micros:
        raise Refusal(422, "quote is stale: it has expired, create a new order", error="quote_stale")
    stamps.verify(signatures, order.payloads, exchange.keys.of(order.uid))
    (exchange.defi if order.is_onchain else exchange.bridge).submit(order)
    return 200, {"status": order.status}


def cancel_order(visit: Visit) -> tuple[int, object]:
    """`DELETE /orders/{id}`: the cancellation is on its way."""
    visit.exchange.cefi.cancel(visit.order())
    return 202, {}


def get_status(visit: Visit) -> tuple[int, object]:
    """`GET /orders/{id}/status`: the status word."""
    return 200, {"status": visit.order().status}


def get_order(visit: Visit) -> tuple[int, object]:
    """`GET /orders/{id}`: one order. It lacks `explorer_url`, as seen in the newer revision."""
    row = visit.order().as_row()
    del row["explorer_url"]
    return 200, row


def list_orders(visit: Visit) -> tuple[int, object]:
    """`GET /orders`: one page, newest first, of all statuses or some."""
    limit, before = visit.call.limit(), visit.call.cursor()
    words = [word.strip() for word in visit.call.query.get("status", "").split(",") if word.strip()]
    for word in words:
        if word not in STATUSES:
            raise Refusal(400, f"unknown status {shown(word)}: expected some of {', '.join(STATUSES)}")
    orders, has_more = visit.exchange.house.orders.page(
        visit.account.uid, limit=limit, before_micros=before, statuses=frozenset(words)
    )
    cursor = rfc3339(orders[-1].created_micros) if has_more else None
    return 200, {
        "data": [order.as_row() for order in orders],
        "pagination": {"next_cursor": cursor, "limit": limit},
    }


# --- assets and balances ----------------------------------------------------------------------------------------------


def list_assets(visit: Visit) -> tuple[int, object]:
    """`GET /assets`: the catalogue, whole or of one venue."""
    venue = visit.call.query.get("venue", "")
    if venue not in ("", "cefi", "defi"):
        raise Refusal(400, "venue must be one of cefi, defi")
    rows = [asset.as_row() for asset in ASSETS if venue in ("", asset.venue)]
    # As seen live, `limit` repeats the number of rows here.
    return 200, {"data": rows, "pagination": {"next_cursor": None, "limit": len(rows)}}


def list_balances(visit: Visit) -> tuple[int, object]:
    """`GET /balances/unified`, and `GET /balances`, which live has the same shape."""
    return 200, {"data": visit.exchange.house.accounts.rows(visit.account)}
