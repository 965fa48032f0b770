"""The limits that say no before anything is sent. Cancels pass all of them but the first two.

This first form knows three: nothing is written to a live exchange, "sandbox" must be proved by the
exchange itself, and a freeze holds (looked at in `Journal.start`, in the transaction that sends).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tradehook.errors import GuardRefused

if TYPE_CHECKING:
    from tradehook.contract import Exchange


async def check(exchange: Exchange) -> None:
    """Refuse what must not be written here.

    Raises:
        GuardRefused: `rule` is `live` or `environment`.
    """
    check_address(exchange)
    if _is_uat(exchange) or await exchange.issued_by_sandbox():
        return
    raise GuardRefused(
        f"The environment is called {exchange.environment}, but {exchange.host} did not sign in as a sandbox: "
        "its token is not the sandbox's. Nothing was sent. Check TRADEHOOK_TRUE_MARKETS_URL.",
        rule="environment",
        limit=exchange.environment,
        actual=exchange.host,
        exchange=exchange.spec.name,
    )


def check_address(exchange: Exchange) -> None:
    """The part that needs no network: live by name, or live by address.

    Raises:
        GuardRefused: `rule` is `live`.
    """
    if is_live(exchange):
        raise GuardRefused(
            f"Live trading is off in this version: {exchange.host} can be read, but nothing is sent to it. "
            "Trade in the sandbox: unset TRADEHOOK_ENVIRONMENT and TRADEHOOK_TRUE_MARKETS_URL, or set them to one.",
            rule="live",
            limit="read only",
            actual=exchange.host,
            exchange=exchange.spec.name,
        )


def is_live(exchange: Exchange) -> bool:
    """Whether real money is behind it: the environment says so, or the address does, whatever it is called."""
    host = _hostname(exchange)
    is_vendors = any(host == domain or host.endswith(f".{domain}") for domain in exchange.spec.live_domains)
    return exchange.environment == "live" or (is_vendors and not _is_uat(exchange))


def _is_uat(exchange: Exchange) -> bool:
    return exchange.environment == "uat" and exchange.spec.hosts["uat"].endswith(f"//{_hostname(exchange)}")


def _hostname(exchange: Exchange) -> str:
    return exchange.host.rpartition("@")[2].partition(":")[0].lower().rstrip(".")
