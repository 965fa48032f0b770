"""Which paths exist and who answers them, under both of the Gateway's prefixes.

See: truemarkets-api 1 (conductor and gateway) and 3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tradehook_sandbox.true_markets import gateway
from tradehook_sandbox.true_markets.calls import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from tradehook_sandbox.true_markets.calls import Call

PREFIXES: Final = ("/v1/conductor", "/v1/gateway")
SIGN_IN: Final = "/v1/auth/"


@dataclass(frozen=True, slots=True)
class Route:
    """One endpoint, found for one request."""

    answer: Callable[[gateway.Visit], tuple[int, object]]
    is_open: bool = False
    is_auth: bool = False
    order_id: str = ""


_GATEWAY: Final[dict[str, dict[str, Route]]] = {
    "/quotes": {"POST": Route(gateway.compute_quote, is_open=True)},
    "/orders": {"POST": Route(gateway.create_order), "GET": Route(gateway.list_orders)},
    "/orders/{id}": {"GET": Route(gateway.get_order), "DELETE": Route(gateway.cancel_order)},
    "/orders/{id}/status": {"GET": Route(gateway.get_status)},
    "/orders/{id}/execute": {"POST": Route(gateway.execute_order)},
    "/assets": {"GET": Route(gateway.list_assets, is_open=True)},
    "/balances": {"GET": Route(gateway.list_balances)},
    "/balances/unified": {"GET": Route(gateway.list_balances)},
}
_OTHERS: Final[dict[str, dict[str, Route]]] = {
    f"{SIGN_IN}api-key/token": {"POST": Route(gateway.mint, is_auth=True)},
    f"{SIGN_IN}token/refresh": {"POST": Route(gateway.refresh, is_auth=True)},
    "/.well-known/jwks.json": {"GET": Route(gateway.key_set, is_auth=True)},
}


def find(call: Call) -> Route:
    """The endpoint of a request.

    Raises:
        Refusal: 404, or 405 when the path exists with another method.
    """
    pattern, order_id = _pattern(call.path)
    methods = _GATEWAY.get(pattern) or _OTHERS.get(pattern)
    if methods is None:
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
    """A path as a key of the tables, and the order id in it."""
    below = below_prefix(path)
    if below is None:
        # The Gateway's own patterns must not be reachable without its prefix.
        return (path if path in _OTHERS else ""), ""
    parts = below.split("/")
    if len(parts) in (3, 4) and parts[1] == "orders":
        return "/".join(["", "orders", "{id}", *parts[3:]]), parts[2]
    return below, ""
