"""What the futures engine keeps books of: orders, positions, and wallets. No money moves here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Side = Literal["long", "short"]
Kind = Literal["market", "limit", "plan"]
Status = Literal["waiting", "canceled", "failed", "filled"]
Key = tuple[int, str, Side]
"""Whose position of which contract on which side."""


@dataclass(slots=True)
class Entrust:
    """One futures order."""

    number: int
    member_id: int
    symbol: str
    side: Side
    """The side of the position it opens or closes."""
    is_open: bool
    kind: Kind
    leverage: int
    is_cross: bool
    price: int
    """The limit, or 0."""
    trigger: int
    volume: int
    created_micros: int
    current_price: int
    """What the market was at then."""
    fires_above: bool = False
    """Whether a plan order waits for a price from below."""
    triggered_micros: int | None = None
    status: Status = "waiting"
    frozen: int = 0
    """Money of an opening order that waits."""
    margin: int = 0
    """What it set aside for the position, or released from it."""
    frozen_cost: int = 0
    """The prices of the contracts that a closing order which waits will take."""
    filled_price: int = 0
    fee: int = 0
    profit: int = 0
    is_blast: bool = False

    @property
    def is_buy(self) -> bool:
        """A close is an order of the other direction: BUY closes a short."""
        return (self.side == "long") is self.is_open

    @property
    def key(self) -> Key:
        """Whose position it is about."""
        return (self.member_id, self.symbol, self.side)


@dataclass(slots=True)
class Position:
    """What is held of one contract on one side."""

    number: int
    member_id: int
    symbol: str
    side: Side
    leverage: int
    is_cross: bool
    volume: int = 0
    frozen_volume: int = 0
    cost: int = 0
    """The sum of its contracts' prices: the exact entry price times the volume."""
    frozen_cost: int = 0
    margin: int = 0
    frozen_margin: int = 0

    @property
    def key(self) -> Key:
        """Whose position it is."""
        return (self.member_id, self.symbol, self.side)

    @property
    def entry(self) -> int:
        """The average price, rounded down."""
        return self.cost // self.volume if self.volume else 0

    @property
    def is_long(self) -> bool:
        """Long or short."""
        return self.side == "long"


@dataclass(slots=True)
class Purse:
    """One member's wallet of one contract, as far as the ledger does not know it."""

    member_id: int
    symbol: str
    profit: int = 0
    loss: int = 0

    @property
    def key(self) -> tuple[int, str]:
        """Whose wallet it is."""
        return (self.member_id, self.symbol)

    @property
    def available(self) -> str:
        """The ledger account of free margin."""
        return f"fintrusted:{self.member_id}:futures:{self.symbol}"

    @property
    def frozen(self) -> str:
        """The ledger account of the margin of positions and of orders that wait."""
        return f"fintrusted:{self.member_id}:futures-frozen:{self.symbol}"
