"""What each endpoint answers: one function an endpoint, from a visit to a status and a body.

See: truemarkets-api 2 to 7.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tradehook_sandbox.true_markets import stamps, wording
from tradehook_sandbox.true_markets.calls import Refusal, shown, uuid_text
from tradehook_sandbox.true_markets.catalogue import ASSETS
from tradehook_sandbox.true_markets.orders import FINAL, STATUSES
from tradehook_sandbox.true_markets.wishes import read_order, read_quote

if TYPE_CHECKING:
    from tradehook_sandbox.true_markets.accounts import Account
    from tradehook_sandbox.true_markets.calls import Call
    from tradehook_sandbox.true_markets.exchange import TrueMarkets
    from tradehook_sandbox.true_markets.keys import KeyRing
    from tradehook_sandbox.true_markets.orders import Order
    from tradehook_sandbox.true_markets.rules import Rules
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
    seen_micros: int | None = None
    """Reads show orders as they were at this moment; `None`: as they are."""

    @property
    def account(self) -> Account:
        """Whose request it is."""
        if self.claims is None:
            raise Refusal(401, "missing or malformed bearer token")
        return self.exchange.house.accounts[self.claims.uid]

    @property
    def rules(self) -> Rules:
        """How the exchange answers."""
        return self.exchange.rules

    def order(self) -> Order:
        """The order in the path.

        Raises:
            Refusal: 400 when it is not a UUID, 404 when the account has no such order.
        """
        order = self.exchange.house.orders.get(uuid_text(self.order_id, "order id"))
        if order is None or order.uid != self.account.uid:
            raise Refusal(404, "order not found")
        return order

    def order_to_show(self) -> Order:
        """The same for a read, which may be behind the times."""
        order = self.order()
        shown_order = order if self.seen_micros is None else order.as_of(self.seen_micros)
        if shown_order is None:
            raise Refusal(404, "order not found")
        return shown_order


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
    wish = read_quote(visit.call.content(), strict=visit.rules.strict_quotes)
    return 200, visit.exchange.cefi.quote(wish)


def create_order(visit: Visit) -> tuple[int, object]:
    """`POST /orders`: submitted, or initialized with something to sign."""
    wish = read_order(visit.call.content(), rules=visit.rules)
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
    body: dict[str, Any] = {"order_id": "", "status": "initialized", "payloads": [], "quote": draft.quote(visit.rules)}
    if not draft.issues or visit.rules.keep_order_with_issues:
        exchange.defi.prepare(draft, visit.account)
        order = exchange.house.orders.add(draft.order)
        body.update(order_id=order.order_id, payloads=order.payloads)
    # With issues there is no order, unless the rules keep it, and the empty id says so. See: truemarkets-api 5.1.
    return 201, body


def execute_order(visit: Visit) -> tuple[int, object]:
    """`POST /orders/{id}/execute`: the signed order is on its way."""
    exchange, order = visit.exchange, visit.order()
    signatures = stamps.check_signatures(visit.call.content())
    if order.status != "initialized":
        raise Refusal(409, f"order cannot be executed: it is {order.status}")
    if exchange.house.now > order.expires_micros:
        raise Refusal(
            visit.rules.stale_execute, "quote is stale: it has expired, create a new order", error="quote_stale"
        )
    stamps.verify(signatures, order.payloads, exchange.keys.of(order.uid))
    (exchange.defi if order.is_onchain else exchange.bridge).submit(order)
    if order.is_onchain and visit.rules.execute_answers == "complete":
        exchange.defi.settle(order)
    return 200, {"status": order.status}


def cancel_order(visit: Visit) -> tuple[int, object]:
    """`DELETE /orders/{id}`: the cancellation is on its way."""
    visit.exchange.cefi.cancel(visit.order())
    return 202, {}


def get_status(visit: Visit) -> tuple[int, object]:
    """`GET /orders/{id}/status`: the status word."""
    return 200, {"status": wording.status(visit.order_to_show().status, visit.rules)}


def get_order(visit: Visit) -> tuple[int, object]:
    """`GET /orders/{id}`: one order. It lacks `explorer_url`, as seen in the newer revision."""
    row = wording.row("order", visit.order_to_show().as_row(), visit.rules)
    row.pop("explorer_url", None)
    return 200, row


def list_orders(visit: Visit) -> tuple[int, object]:
    """`GET /orders`: one page, newest first, of all statuses or some."""
    limit, before = visit.call.limit(), wording.page_end(visit.call, visit.rules)
    orders, has_more = visit.exchange.house.orders.page(
        visit.account.uid,
        limit=limit,
        before_micros=before,
        statuses=_statuses(visit),
        seen_micros=visit.seen_micros,
    )
    cursor = wording.cursor(orders[-1].created_micros, visit.rules) if has_more else None
    return 200, {
        "data": [wording.row("order", order.as_row(), visit.rules) for order in orders],
        "pagination": {"next_cursor": cursor, "limit": limit},
    }


def _statuses(visit: Visit) -> frozenset[str]:
    """Which orders a list is asked for, and may show."""
    words = [word.strip() for word in visit.call.query.get("status", "").split(",") if word.strip()]
    if visit.rules.cancelled_spelling:
        words = ["canceled" if word == "cancelled" else word for word in words]
    for word in words:
        if word not in STATUSES:
            raise Refusal(
                400, f"unknown status {shown(word)}: expected some of {', '.join(STATUSES)}", fields=("status",)
            )
    asked = frozenset(words or STATUSES)
    return asked & FINAL if visit.rules.list_terminal_only else asked


# --- assets and balances ----------------------------------------------------------------------------------------------


def list_assets(visit: Visit) -> tuple[int, object]:
    """`GET /assets`: the catalogue, whole or of one venue."""
    venue = visit.call.query.get("venue", "")
    if venue not in ("", "cefi", "defi"):
        raise Refusal(400, "venue must be one of cefi, defi", fields=("venue",))
    rows = [wording.row("asset", asset.as_row(), visit.rules) for asset in ASSETS if venue in ("", asset.venue)]
    # As seen live, `limit` repeats the number of rows here.
    return 200, {"data": rows, "pagination": {"next_cursor": None, "limit": len(rows)}}


def list_balances(visit: Visit) -> tuple[int, object]:
    """`GET /balances/unified`: a row for each asset on the exchange and on each chain."""
    rows = visit.exchange.house.accounts.rows(visit.account)
    return 200, {"data": [wording.row("balance", row, visit.rules) for row in rows]}


def get_balances(visit: Visit) -> tuple[int, object]:
    """`GET /balances`: live the same as above; documented otherwise. See: truemarkets-api 7.2."""
    if not visit.rules.documented_balances:
        return list_balances(visit)
    rows = visit.exchange.house.accounts.rows(visit.account)
    return 200, {
        "balances": [{"asset_name": row["name"], "asset_id": row["asset_id"], "balance": row["total"]} for row in rows]
    }
