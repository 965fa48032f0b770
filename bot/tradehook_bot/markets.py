"""From what somebody typed to a market that the exchange has, with a hint where it has none. Guesses nothing."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from tradehook.amounts import parse_market
from tradehook.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tradehook.client import AsyncClient


async def find_market(client: AsyncClient, typed: str, *, retry: str, elsewhere: str) -> tuple[str, str]:
    """Base and quote of a market on the exchange's own book.

    Args:
        client: the account.
        typed: `BTC`, `btc/pyusd`.
        retry: the chat command with another `{market}`, for what was perhaps meant.
        elsewhere: the command line for what is on chain, with `{market}` and `{chain}` to be filled in.

    Raises:
        InvalidInput: there is none of that name; says what was perhaps meant, or where the asset is.
    """
    capabilities = client.exchange.spec.capabilities
    base, quote = parse_market(typed, default_quote=capabilities.default_quote)
    assets = [asset async for asset in client.list_assets()]
    listed = sorted({asset.symbol for asset in assets if asset.chain is None and asset.is_tradeable})
    if base in listed:
        return base, quote
    chains = [asset.chain for asset in assets if asset.symbol == base and asset.chain]
    if chains and base != capabilities.chain_quote:
        market = f"{base}/{capabilities.chain_quote}"
        raise on_chain(elsewhere.format(market=market, chain=chains[0]), symbol=base, chains=chains)
    named = [asset.symbol for asset in assets if asset.chain is None and (asset.name or "").upper() == base]
    meant = (named or get_close_matches(base, listed, n=1, cutoff=0.6))[:1]
    hint = f"Did you mean {meant[0]}?" if meant else f"I can trade {', '.join(listed)}."
    raise InvalidInput(
        f"{base} is not traded here. {hint}", suggestions=tuple(retry.format(market=symbol) for symbol in meant)
    )


def on_chain(command: str, *, symbol: str, chains: Sequence[str]) -> InvalidInput:
    """The error for an order that only the command line can place so far."""
    return InvalidInput(
        f"{symbol} is on chain ({' and '.join(sorted(set(chains)))}), and on-chain orders cannot be given in chat yet. "
        f"On the machine: {command}",
        needs_example=False,
    )
