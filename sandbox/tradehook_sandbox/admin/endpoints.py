"""Which admin endpoints there are, and the one function that answers them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tradehook.wire import Response
from tradehook_sandbox.admin import description, fintrusted, money, staging, world
from tradehook_sandbox.admin.errands import Errand
from tradehook_sandbox.true_markets.calls import Refusal, reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from tradehook_sandbox.sandbox import Sandbox
    from tradehook_sandbox.true_markets.calls import Call

PREFIX: Final = "/_sandbox"
_FINTRUSTED: Final = "fintrusted"


def is_admin(path: str) -> bool:
    """Whether this path belongs to the admin."""
    return path == PREFIX or path.startswith(PREFIX + "/")


def handle(sandbox: Sandbox, call: Call) -> Response:
    """Answer one admin request; never raises for anything it is given."""
    sandbox.exchange.advance(sandbox.clock.now())
    sandbox.fintrusted.advance(sandbox.clock.now())
    name, _, rest = call.path.removeprefix(PREFIX).strip("/").partition("/")
    if name == _FINTRUSTED:
        subject, _, rest = rest.partition("/")
        name = f"{name}/{subject}"
    methods = _ENDPOINTS.get(name)
    try:
        if methods is None:
            raise Refusal(404, f"not found: GET {PREFIX}/ lists what there is")
        if call.method not in methods:
            raise Refusal(405, "method not allowed", headers={"allow": ", ".join(methods)})
        body = methods[call.method](Errand(sandbox, call, rest))
        sandbox.exchange.house.ledger.check()
        return body if isinstance(body, Response) else reply(200, body)
    except Refusal as refusal:
        return refusal.response()


def _get_overview(_: Errand) -> object:
    """The paths there are, with their methods."""
    return {f"{PREFIX}/{name}": list(methods) for name, methods in _ENDPOINTS.items()}


_ENDPOINTS: Final[dict[str, dict[str, Callable[[Errand], object]]]] = {
    "": {"GET": _get_overview},
    "openapi": {"GET": description.get_openapi},
    "docs": {"GET": description.get_docs},
    "prices": {"GET": world.get_prices, "POST": world.set_prices},
    "book": {"GET": world.get_book, "POST": world.set_book},
    "clock": {"GET": world.get_clock, "POST": world.set_clock},
    "balances": {"GET": money.get_balances, "POST": money.set_balances},
    "ledger": {"GET": money.get_ledger},
    "orders": {"GET": money.get_orders},
    "transfers": {"GET": money.get_transfers, "POST": money.end_transfer},
    "fintrusted/orders": {"GET": fintrusted.get_orders},
    "fintrusted/members": {"GET": fintrusted.get_members, "POST": fintrusted.set_member},
    "fintrusted/keys": {"GET": fintrusted.get_keys, "POST": fintrusted.create_key},
    "fintrusted/deposit": {"POST": fintrusted.deposit},
    "fintrusted/pairs": {"GET": fintrusted.get_pairs, "POST": fintrusted.set_pair},
    "faults": {"GET": staging.get_faults, "POST": staging.add_fault, "DELETE": staging.remove_faults},
}
