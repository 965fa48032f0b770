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
        elsewhere: the command for what is on a chain, with `{market}` to be filled in.

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
        raise on_chain(there, chain_quote=capabilities.chain_quote, command=elsewhere)
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


def on_chain(there: Sequence[Asset], *, chain_quote: str, command: str) -> InvalidInput:
    """The error for a name that only chains have: where it is, whole addresses, and a button for each."""
    symbol = there[0].symbol
    return InvalidInput(
        f"{symbol} is on chain: {_where(there)}. It is not what the exchange itself trades. There it is "
        f"{symbol}/{chain_quote}, and what it comes to is told by an order that is prepared and not signed:",
        needs_example=False,
        offers=tuple(_offer(asset, command) for asset in there),
    )


async def find_on_chain(client: AsyncClient, typed: str, *, chain: str) -> tuple[str, str]:
    """Base and quote of what is traded on a chain under this name.

    Raises:
        InvalidInput: nothing of that name is there, or it is paid with something else.
    """
    paid_with = client.exchange.spec.capabilities.chain_quote
    symbol, quote = parse_market(typed, default_quote=paid_with)
    assets = [asset async for asset in client.list_assets()]
    if not any(asset.chain == chain for asset in places(assets, symbol, chain_quote=paid_with)):
        known = sorted({asset.symbol for asset in assets if asset.chain == chain and asset.symbol != paid_with})
        raise InvalidInput(f"There is no {symbol} on {chain}. It has {', '.join(known)}.", needs_example=False)
    if quote != paid_with:
        raise InvalidInput(f"On {chain}, {symbol} is paid with {paid_with}, not with {quote}.", needs_example=False)
    return symbol, quote


async def told_by_preview(client: AsyncClient, symbol: str, *, chain: str, command: str) -> InvalidInput:
    """The error for who asks for a quote of something on a chain, where only an order tells a price."""
    quote = client.exchange.spec.capabilities.chain_quote
    assets = [asset async for asset in client.list_assets()]
    there = [asset for asset in places(assets, symbol, chain_quote=quote) if asset.chain == chain]
    return on_chain(there, chain_quote=quote, command=command)


async def namesakes(client: AsyncClient, symbol: str, *, command: str) -> tuple[str, ...]:
    """What to say of assets on chains that are called as one at the exchange is: nothing where there are none."""
    assets = [asset async for asset in client.list_assets()]
    return also_there(assets, symbol, chain_quote=client.exchange.spec.capabilities.chain_quote, command=command)


def also_there(assets: Sequence[Asset], symbol: str, *, chain_quote: str, command: str) -> tuple[str, ...]:
    """The same of assets that are known."""
    there = places(assets, symbol, chain_quote=chain_quote)
    if not there:
        return ()
    typed = f"{command.format(market=symbol)} on {there[0].chain}"
    return (f"This is {symbol} at the exchange. {symbol} on {_where(there)} is something else: {typed}",)


def _where(there: Sequence[Asset]) -> str:
    return " and ".join(f"{asset.chain} ({asset.address or 'no address'})" for asset in there)


def take_chain(words: Sequence[str], chains: Sequence[str]) -> tuple[tuple[str, ...], str | None]:
    """The words without `on solana`, wherever it stands, or `solana` alone at their end; and the chain."""
    for at, word in enumerate(words[1:], start=1):
        is_named = words[at - 1].lower() in _CHAIN_WORDS
        if word.lower() in chains and (is_named or at == len(words) - 1):
            return (*words[: at - is_named], *words[at + 1 :]), word.lower()
    return tuple(words), None


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
    # What the button asks for: a quote of something on a chain is told by an order that one would really give.
    deed = next((f"{verb} " for verb in ("Buy", "Sell") if retry.startswith(f"/{verb.lower()} ")), "")
    label = f"{deed}{asset.symbol} on {asset.chain} ({short_address(asset.address or '?')})"
    return Offer(label, f"{retry.format(market=asset.symbol)} on {asset.chain}")
