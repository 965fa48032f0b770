"""What can be held and traded: the exchange's coins and the tokens of two chains.

The ids and flags of the exchange's coins, and the addresses of the tokens, are the real ones.
See: truemarkets-api 7.1, 8.1, 8.2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from tradehook_sandbox.seeded import uuid_for

DOLLARS: Final = "PYUSD"
DOLLAR_NAMES: Final = frozenset({"PYUSD", "USD", "USDC"})
"""What people may write for the exchange's one dollar balance."""


@dataclass(frozen=True, slots=True)
class Asset:
    """One row of the catalogue."""

    symbol: str
    name: str
    decimals: int
    """What the exchange shows; `scale` is what it books."""
    scale: int
    asset_id: str
    chain: str | None = None
    address: str | None = None
    is_stable: bool = False
    is_tradeable: bool = True
    coin: str | None = None
    """The coin whose price it follows; `None` for a dollar."""
    networks: tuple[tuple[str, tuple[str, ...]], ...] = ()

    @property
    def key(self) -> str:
        """Its name in the ledger: on chain, the same symbol is another asset."""
        return f"{self.chain}:{self.symbol}" if self.chain else self.symbol

    @property
    def venue(self) -> str:
        """`cefi` or `defi`."""
        return "defi" if self.chain else "cefi"

    def as_row(self) -> dict[str, Any]:
        """The row as `/assets` shows it."""
        return {
            "id": self.asset_id,
            "chain": self.chain,
            "address": self.address,
            "symbol": self.symbol,
            "name": self.name,
            "slug": self.name.lower().replace(" ", "-"),
            "description": f"{self.name}, in the sandbox: play money.",
            "website": "",
            "decimals": self.decimals,
            "icon": None,
            "is_active": True,
            "tradeable": self.is_tradeable,
            "stable": self.is_stable,
            "venue": self.venue,
            "image": {"thumb": "", "small": "", "large": ""},
            "market_data": {"circulating_supply": 0, "total_supply": 0, "max_supply": 0},
            "socials": {"x_username": "", "facebook_username": "", "subreddit_url": "", "official_forum_url": ""},
            "networks": [{"network": name, "compatible_networks": list(others)} for name, others in self.networks],
            "status": "active",
            "type": "spot",
            "asset_class": "crypto",
        }


def _token(symbol: str, name: str, chain: str, address: str, *, scale: int, coin: str | None = None) -> Asset:
    return Asset(
        symbol,
        name,
        decimals=scale,
        scale=scale,
        asset_id=uuid_for("asset", chain, symbol),
        chain=chain,
        address=address,
        is_stable=coin is None,
        is_tradeable=True,
        coin=coin,
    )


_PYUSD_FRIENDS: Final = ("base", "xlayer", "ink", "robinhood", "polygon_pos", "arbitrum_one")

ASSETS: Final = (
    Asset(
        "BTC",
        "Bitcoin",
        decimals=8,
        scale=8,
        asset_id="b2538174-aae3-4b55-b79f-ac177c99f816",
        coin="BTC",
        networks=(("bitcoin", ()),),
    ),
    Asset(
        "ETH",
        "Ethereum",
        decimals=8,
        scale=8,
        asset_id="742f90d4-b0db-45a4-9c21-813c152aad15",
        coin="ETH",
        networks=(("ethereum", ()),),
    ),
    Asset(
        DOLLARS,
        "PayPal USD",
        decimals=6,
        # Three digits more than it shows, as seen live: it catches clients that cut amounts to `decimals`.
        scale=9,
        asset_id="810e932b-1638-4732-9127-240e64f95714",
        is_stable=True,
        is_tradeable=False,
        networks=(("ethereum", _PYUSD_FRIENDS), ("solana", ())),
    ),
    _token("SOL", "Solana", "solana", "So11111111111111111111111111111111111111112", scale=9, coin="SOL"),
    _token("USDC", "USD Coin", "solana", "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v", scale=6),
    _token("CBBTC", "Coinbase Wrapped BTC", "base", "0xcbb7c0000ab88b473b1f5afd9ef808440eed33bf", scale=8, coin="BTC"),
    _token("USDC", "USD Coin", "base", "0x833589fcd6edb6e08f4c7c32d4f71b54bda02913", scale=6),
)
BY_KEY: Final = {asset.key: asset for asset in ASSETS}
BY_ID: Final = {asset.asset_id: asset for asset in ASSETS}
CHAINS: Final = ("solana", "base")


def dollars_on(chain: str) -> Asset:
    """The stablecoin in which a chain's tokens trade."""
    return BY_KEY[f"{chain}:USDC"]


def token_at(chain: str, address: str) -> Asset | None:
    """The token with this address: letter case counts on Solana and does not on EVM chains."""
    for asset in ASSETS:
        if asset.chain == chain and asset.address is not None:
            same = address == asset.address if chain == "solana" else address.lower() == asset.address.lower()
            if same:
                return asset
    return None
