"""From what somebody typed to a market that the exchange has, with an offer where it has none. Guesses nothing.

What stands on a chain is told apart by chain and address, and is never taken for its namesake at the exchange.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from tradehook.amounts import parse_market
from tradehook.errors import InvalidInput
from tradehook.render import short_address
from tradehook_bot.offers import Offer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tradehook.client import AsyncClient
    from tradehook.models import Asset

_CHAIN_WORDS = ("on", "--chain")
_OFFERED = 3
_LIKE = 0.6


async def find_market(client: AsyncClient, typed: str, *, retry: str, elsewhere: str) -> tuple[str, str]:
    """Base and quote of a market on the exchange's own book.

    Args:
        client: the account.
        typed: `BTC`, `btc/pyusd`.
        retry: the chat command with another `{market}`, for what was perhaps meant.
        elsewhere: the command line for what is on chain, with `{market}` and `{chain}` to be filled in.

    Raises:
        InvalidInput: there is none of that name; offers what was perhaps meant, or where the asset is.
    """
    capabilities = client.exchange.spec.capabilities
    base, quote = parse_market(typed, default_quote=capabilities.default_quote)
    assets = [asset async for asset in client.list_assets()]
    listed = sorted({asset.symbol for asset in assets if asset.chain is None and asset.is_tradeable})
    if base in listed:
        return base, quote
    there = places(assets, base, chain_quote=capabilities.chain_quote)
    if there:
        market = f"{base}/{capabilities.chain_quote}"
        raise on_chain(elsewhere.format(market=market, chain=there[0].chain), there=there, retry=retry)
    raise _nothing_called(base, assets, listed, chain_quote=capabilities.chain_quote, retry=retry)


async def find_asset(client: AsyncClient, typed: str, *, retry: str) -> str:
    """The symbol of something that is held or traded, at the exchange or on a chain: for looking, not for orders.

    Raises:
        InvalidInput: there is none of that name; offers what was perhaps meant.
    """
    capabilities = client.exchange.spec.capabilities
    base, _ = parse_market(typed, default_quote=capabilities.default_quote)
    assets = [asset async for asset in client.list_assets()]
    if base in {asset.symbol for asset in assets}:
        return base
    listed = sorted({asset.symbol for asset in assets if asset.chain is None and asset.is_tradeable})
    raise _nothing_called(base, assets, listed, chain_quote=capabilities.chain_quote, retry=retry)


def places(assets: Sequence[Asset], symbol: str, *, chain_quote: str) -> list[Asset]:
    """Where an asset stands on chains, unless it is what everything there is paid with."""
    found = [asset for asset in assets if asset.symbol == symbol and asset.chain]
    return sorted(found, key=lambda asset: (asset.chain or "", asset.address or "")) if symbol != chain_quote else []


def on_chain(command: str, *, there: Sequence[Asset], retry: str = "") -> InvalidInput:
    """The error for an order that only the command line can place so far: where the asset is, each with its address."""
    symbol = there[0].symbol
    where = " and ".join(f"{asset.chain} ({asset.address or 'no address'})" for asset in there)
    several = len({asset.chain for asset in there}) > 1
    offers = tuple(_offer(asset, retry) for asset in there) if several and retry else ()
    return InvalidInput(
        f"{symbol} is on chain: {where}. It is not what the exchange itself trades, and on-chain orders cannot be "
        f"given in chat yet. On the machine: {command}",
        needs_example=False,
        offers=offers,
    )


async def on_that_chain(client: AsyncClient, symbol: str, *, chain: str, command: str) -> InvalidInput:
    """The same where the person named the chain; says so where nothing of that name is there."""
    quote = client.exchange.spec.capabilities.chain_quote
    assets = [asset async for asset in client.list_assets()]
    there = [asset for asset in places(assets, symbol, chain_quote=quote) if asset.chain == chain]
    if there:
        return on_chain(command, there=there)
    known = sorted({asset.symbol for asset in assets if asset.chain == chain and asset.symbol != quote})
    return InvalidInput(f"There is no {symbol} on {chain}. It has {', '.join(known)}.", needs_example=False)


def take_chain(words: Sequence[str], chains: Sequence[str]) -> tuple[tuple[str, ...], str | None]:
    """The words without `on solana` (or `solana` alone) at their end, and the chain."""
    rest = list(words)
    if not rest or rest[-1].lower() not in chains:
        return tuple(rest), None
    chain = rest.pop().lower()
    if rest and rest[-1].lower() in _CHAIN_WORDS:
        rest.pop()
    return tuple(rest), chain


def _nothing_called(
    base: str, assets: Sequence[Asset], listed: Sequence[str], *, chain_quote: str, retry: str
) -> InvalidInput:
    """The error for a name that nothing has, with what was perhaps meant as buttons."""
    named = [asset.symbol for asset in assets if asset.chain is None and (asset.name or "").upper() == base]
    chained = {asset.symbol for asset in assets if asset.chain and asset.symbol != chain_quote}
    meant = named[:1] or get_close_matches(base, sorted({*listed, *chained}), n=_OFFERED, cutoff=_LIKE)
    if not meant:
        return InvalidInput(f"{base} is not traded here. I can trade {', '.join(listed)}.")
    offers: list[Offer] = []
    for symbol in meant:
        if symbol in listed:
            offers.append(Offer(f"{symbol} at the exchange", retry.format(market=symbol)))
        offers += [_offer(asset, retry) for asset in places(assets, symbol, chain_quote=chain_quote)]
    here = [symbol for symbol in meant if symbol in listed]
    return InvalidInput(
        f"{base} is not traded here. Did you mean {' or '.join(meant)}?",
        suggestions=tuple(retry.format(market=symbol) for symbol in here),
        offers=tuple(offers),
        needs_example=False,
    )


def _offer(asset: Asset, retry: str) -> Offer:
    label = f"{asset.symbol} on {asset.chain} ({short_address(asset.address or '?')})"
    return Offer(label, f"{retry.format(market=asset.symbol)} on {asset.chain}")
