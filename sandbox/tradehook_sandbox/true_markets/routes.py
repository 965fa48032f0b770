"""Which paths exist and who answers them, under both of the Gateway's prefixes.

See: truemarkets-api 1 (conductor and gateway) and 3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tradehook_sandbox.true_markets import gateway, history, market_endpoints, transfer_endpoints
from tradehook_sandbox.true_markets.calls import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from tradehook_sandbox.true_markets.calls import Call
    from tradehook_sandbox.true_markets.rules import Rules

PREFIXES: Final = ("/v1/conductor", "/v1/gateway")
SIGN_IN: Final = "/v1/auth/"
_CHAINS: Final = "/v1/defi/market"
_BOOKS: Final = "/v1/cefi/market"


@dataclass(frozen=True, slots=True)
class Route:
    """One endpoint, found for one request."""

    answer: Callable[[gateway.Visit], tuple[int, object]]
    is_open: bool = False
    is_auth: bool = False
    """Whether no token is looked at: signing in, and what is open to all without one."""
    is_newer: bool = False
    """Whether it was not there in June 2026."""
    order_id: str = ""


_GATEWAY: Final[dict[str, dict[str, Route]]] = {
    "/quotes": {"POST": Route(gateway.compute_quote, is_open=True)},
    "/orders": {"POST": Route(gateway.create_order), "GET": Route(gateway.list_orders)},
    "/orders/{id}": {"GET": Route(gateway.get_order, is_newer=True), "DELETE": Route(gateway.cancel_order)},
    "/orders/{id}/status": {"GET": Route(gateway.get_status)},
    "/orders/{id}/execute": {"POST": Route(gateway.execute_order)},
    "/transfers": {
        "POST": Route(transfer_endpoints.create_transfer),
        "GET": Route(transfer_endpoints.list_transfers),
    },
    "/transfers/{id}": {"GET": Route(transfer_endpoints.get_transfer)},
    "/transfers/{id}/execute": {"POST": Route(transfer_endpoints.execute_transfer)},
    "/portfolio": {"GET": Route(history.get_portfolio, is_newer=True)},
    "/transactions": {"GET": Route(history.list_transactions, is_newer=True)},
    "/assets": {"GET": Route(gateway.list_assets, is_open=True)},
    "/balances": {"GET": Route(gateway.get_balances)},
    "/balances/unified": {"GET": Route(gateway.list_balances)},
}
_OTHERS: Final[dict[str, dict[str, Route]]] = {
    f"{SIGN_IN}api-key/token": {"POST": Route(gateway.mint, is_auth=True)},
    f"{SIGN_IN}token/refresh": {"POST": Route(gateway.refresh, is_auth=True)},
    "/.well-known/jwks.json": {"GET": Route(gateway.key_set, is_auth=True)},
    f"{_CHAINS}/prices": {"GET": Route(market_endpoints.prices, is_auth=True)},
    f"{_CHAINS}/prices/history": {"GET": Route(market_endpoints.history, is_auth=True)},
    f"{_CHAINS}/prices/history/batch": {"GET": Route(market_endpoints.histories, is_auth=True)},
    f"{_CHAINS}/prices/history/point": {"GET": Route(market_endpoints.point, is_auth=True)},
    f"{_CHAINS}/prices/range": {"GET": Route(market_endpoints.price_range, is_auth=True)},
    f"{_CHAINS}/market-data/market-cap": {"GET": Route(market_endpoints.market_cap, is_auth=True)},
    f"{_CHAINS}/market-data/market-caps": {"GET": Route(market_endpoints.market_caps, is_auth=True)},
    f"{_BOOKS}/prices/history": {"GET": Route(market_endpoints.book_history, is_auth=True)},
    f"{_BOOKS}/prices/range": {"GET": Route(market_endpoints.book_range, is_auth=True)},
}


def find(call: Call, rules: Rules) -> Route:
    """The endpoint of a request, if the revision that the rules ask for has it.

    Raises:
        Refusal: 404, or 405 when the path exists with another method.
    """
    pattern, order_id = _pattern(call.path)
    methods = _GATEWAY.get(pattern) or _OTHERS.get(pattern) or {}
    if rules.revision == "june":
        methods = {name: route for name, route in methods.items() if not route.is_newer}
    if not methods:
        raise Refusal(404, "not found")
    route = methods.get(call.method)
    if route is None:
        raise Refusal(405, "method not allowed", headers={"allow": ", ".join(methods)})
    return Route(route.answer, is_open=route.is_open, is_auth=route.is_auth, order_id=order_id)


def below_prefix(path: str) -> str | None:
    """The path below whichever Gateway prefix it has; `None` without one."""
    for prefix in PREFIXES:
        if path.startswith(prefix + "/"):
            return path[len(prefix) :]
    return None


def _pattern(path: str) -> tuple[str, str]:
    """A path as a key of the tables, and the id in it."""
    below = below_prefix(path)
    if below is None:
        # The Gateway's own patterns must not be reachable without its prefix.
        return (path if path in _OTHERS else ""), ""
    parts = below.split("/")
    if len(parts) in (3, 4) and parts[1] in ("orders", "transfers"):
        return "/".join(["", parts[1], "{id}", *parts[3:]]), parts[2]
    # Nor may the other paths be reachable below it.
    return (below if below in _GATEWAY else ""), ""
