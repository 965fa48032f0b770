"""What says no before anything is sent, as far as it asks the exchange. Cancels pass all of it but the sandbox's proof.

Three questions are asked here: is it a live exchange that nobody opened, is "sandbox" proved by the exchange itself,
and what is it worth by an independent price. The limits themselves are looked at in the transaction that sends, see
`reserve.py`.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from tradehook.desk.destinations import smallest_cap
from tradehook.desk.limits import MONEY
from tradehook.desk.reserve import live_is_off
from tradehook.desk.worth import Ground
from tradehook.errors import GuardRefused, TradehookError
from tradehook.futures import SizedFuturesOrder
from tradehook.models import SizedOrder
from tradehook.settings import prefix_of

if TYPE_CHECKING:
    from decimal import Decimal

    from tradehook.contract import Exchange
    from tradehook.desk.deeds import Settled
    from tradehook.desk.journal import Journal
    from tradehook.desk.limits import LimitsBook

_log = logging.getLogger(__name__)


async def check(exchange: Exchange, *, limits: LimitsBook | None = None, is_cancel: bool = False) -> None:
    """Refuse what must not be written here.

    Args:
        exchange: where it would be written.
        limits: the journal's; without them nothing is written live.
        is_cancel: it only cancels, so an account that is not live any more may still do it.

    Raises:
        GuardRefused: `rule` is `live`, `environment` or `budget`.
    """
    check_address(exchange, limits=limits, is_cancel=is_cancel)
    if not is_cancel:
        check_budget(exchange)
    if is_live(exchange):
        known = limits.get(exchange.host, await exchange.account_id()) if limits is not None else None
        if known is None or not (known.live or is_cancel):
            raise live_is_off(exchange.host, exchange=exchange.spec.name)
        return
    if _is_uat(exchange) or await exchange.issued_by_sandbox():
        return
    raise GuardRefused(
        f"The environment is called {exchange.environment}, but {exchange.host} did not sign in as a sandbox: "
        f"its token is not the sandbox's. Nothing was sent. Check {prefix_of(exchange.spec.name)}URL.",
        rule="environment",
        limit=exchange.environment,
        actual=exchange.host,
        exchange=exchange.spec.name,
    )


def check_address(exchange: Exchange, *, limits: LimitsBook | None = None, is_cancel: bool = False) -> None:
    """The part that needs no network: live by name or by address, and no account of it was ever opened.

    Raises:
        GuardRefused: `rule` is `live`.
    """
    if is_live(exchange) and (limits is None or not limits.has_live(exchange.host, at_all=is_cancel)):
        raise live_is_off(exchange.host, exchange=exchange.spec.name)


def check_budget(exchange: Exchange) -> None:
    """Refuse what is new while requests cannot be counted together with the other processes.

    Raises:
        GuardRefused: `rule` is `budget`.
    """
    session = exchange.session
    trouble = session.budget.trouble(now=session.line.monotonic())
    if trouble is not None:
        raise GuardRefused(
            f"Requests cannot be counted now: {trouble} Nothing new is sent until they can; cancels, and looking at "
            "what was sent, go on slowly.",
            rule="budget",
            exchange=exchange.spec.name,
        )


async def survey(exchange: Exchange, journal: Journal, *, settled: Settled) -> Ground:
    """What the limits need to know that only the exchange tells: independent prices, where there are limits.

    Without limits nothing is asked for. A price that cannot be had is left out; the limits that need it then refuse.
    """
    live = is_live(exchange)
    limits = journal.limits.get(exchange.host, await exchange.account_id())
    if isinstance(settled, SizedFuturesOrder):
        return Ground(is_live=live)  # it was settled with what it puts at risk
    if isinstance(settled, SizedOrder):
        is_blind = not exchange.spec.capabilities.can("orders")
        if limits is None:
            return Ground(is_live=live, is_blind=is_blind)
        price = await _price(exchange, settled.base, chain=settled.chain, address=settled.base_address)
        quote = await _price(exchange, settled.quote, chain=settled.chain, address=settled.quote_address)
        return Ground(is_live=live, price=price, quote_price=quote, is_blind=is_blind)
    there = journal.destinations.list(exchange.host)
    if limits is None and smallest_cap(there, address=settled.address, network=settled.network) is None:
        return Ground(is_live=live)
    price = await _price(exchange, settled.asset, chain=settled.chain, address=settled.asset_address)
    return Ground(is_live=live, price=price)


async def _price(exchange: Exchange, symbol: str, *, chain: str | None, address: str | None) -> Decimal | None:
    """What an asset costs in money, told by the prices for everybody and not by the book; `None` if they do not say.

    On a chain, a price that is told for another address of the same name is none.
    """
    if symbol in MONEY or exchange.prices is None:
        return None
    try:
        ticker = await exchange.prices.ticker(symbol)
    except TradehookError as error:
        _log.warning("No price of %s could be had: %s", symbol, error.message)
        return None
    if chain is not None:
        told = {candle.address.lower() for candle in ticker.candles if candle.address and candle.chain == chain}
        elsewhere = any(candle.address for candle in ticker.candles)
        if elsewhere and (address or "").lower() not in told:
            return None
    return ticker.price if ticker.price > 0 else None


def is_live(exchange: Exchange) -> bool:
    """Whether real money is behind it: the environment says so, or the address does, whatever it is called."""
    host = _hostname(exchange)
    is_vendors = any(host == domain or host.endswith(f".{domain}") for domain in exchange.spec.live_domains)
    return exchange.environment == "live" or (is_vendors and not _is_uat(exchange))


def _is_uat(exchange: Exchange) -> bool:
    return exchange.environment == "uat" and exchange.spec.hosts["uat"].endswith(f"//{_hostname(exchange)}")


def _hostname(exchange: Exchange) -> str:
    return exchange.host.rpartition("@")[2].partition(":")[0].lower().rstrip(".")
