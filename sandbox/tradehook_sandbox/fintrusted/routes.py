"""Which paths exist and who answers them: the documented ones, and nothing else. See: fintrusted-api 5."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from tradehook_sandbox.fintrusted import endpoints, quotations
from tradehook_sandbox.fintrusted.calls import Refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from tradehook_sandbox.fintrusted.calls import Visit
    from tradehook_sandbox.fintrusted.rules import FinTrustedRules

_ROOTS: Final = ("/market/", "/tx/", "/uc/")
CANCEL: Final = "/tx/spot/cancel"
THUMBS: Final = "/tx/spot/symbol-thumb-v2"


class Route(NamedTuple):
    """One endpoint."""

    answer: Callable[[Visit], object]
    needs_token: bool = True


def is_fintrusted(path: str) -> bool:
    """Whether this path belongs to FinTrusted."""
    return path.startswith(_ROOTS)


def find(method: str, path: str, rules: FinTrustedRules) -> tuple[Route, str]:
    """The endpoint at this path, and what of the path is left.

    Raises:
        Refused: 404 or 405.
    """
    rest = ""
    if path.startswith(CANCEL + "/"):
        path, rest = CANCEL, path.removeprefix(CANCEL + "/")
    route = ROUTES.get((method, path))
    if route is None:
        if any(known == path for _, known in ROUTES):
            raise Refused("method not allowed", code=405, status=405)
        raise Refused("not found", code=404, status=404)
    if path == THUMBS and rules.thumb_needs_token:
        return route._replace(needs_token=True), rest
    return route, rest


def is_bare(path: str, rules: FinTrustedRules) -> bool:
    """Whether what is answered here has no envelope."""
    return path == THUMBS and rules.bare_market


ROUTES: Final[dict[tuple[str, str], Route]] = {
    ("POST", "/uc/v2/login"): Route(endpoints.login, needs_token=False),
    ("GET", "/market/data/quotations/home"): Route(quotations.get_home, needs_token=False),
    ("GET", "/market/data/quotations/coin"): Route(quotations.get_coin, needs_token=False),
    ("GET", "/market/data/quotations/sparklines"): Route(quotations.get_sparklines, needs_token=False),
    ("GET", "/market/convert/price"): Route(quotations.get_convert_price, needs_token=False),
    ("POST", "/tx/spot/add"): Route(endpoints.add_order),
    ("POST", CANCEL): Route(endpoints.cancel_order),
    ("GET", THUMBS): Route(quotations.list_thumbs, needs_token=False),
    ("POST", "/tx/uorder/open"): Route(lambda visit: visit.exchange.futures.open(visit)),
    ("POST", "/tx/uorder/close"): Route(lambda visit: visit.exchange.futures.close(visit)),
    ("GET", "/tx/uorder/list"): Route(lambda visit: visit.exchange.futures.list(visit)),
    ("GET", "/uc/asset/spot-wallets"): Route(endpoints.list_spot_wallets),
    ("GET", "/uc/asset/futures-wallets"): Route(lambda visit: visit.exchange.futures.wallets(visit)),
    ("POST", "/uc/user-info"): Route(endpoints.get_user_info),
    ("POST", "/uc/referral/count"): Route(endpoints.count_referrals),
}
