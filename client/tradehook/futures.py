"""Plain values of perpetual futures: what somebody wants, what the exchange says. Beside `models.py`, over it.

People say which *position* they mean, `long` or `short`, and whether they open or close it. Which side the order for
that is on (a close of a short is a buy) is worked out where the request is written, and nowhere else. `contracts` are
counted in whole contracts, `share` is what one of them is in units of the base; margins, fees and profits are in the
contract's `currency`; a `price` is in currency per base.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from pydantic import Field, field_validator, model_validator

from tradehook.amounts import parse_market, plain
from tradehook.errors import InvalidInput
from tradehook.models import OrderStatus, Payload, Value, instrument

if TYPE_CHECKING:
    from collections.abc import Mapping

UNNAMED = "unnamed-"
"""How the id begins that an order gets whose answer had none: nothing more can be asked about it."""
_MOST_LEVERAGE = 1_000


class PositionSide(StrEnum):
    """Which way a position gains."""

    LONG = "long"
    SHORT = "short"


class FuturesAction(StrEnum):
    """Whether a position is made larger or smaller."""

    OPEN = "open"
    CLOSE = "close"


class NewFuturesOrder(Value):
    """What somebody wants, as they asked for it: checked before any network, shown to a person, stored."""

    contract: str
    """The contract's market, `BTC/USDT`."""
    position_side: PositionSide
    action: FuturesAction
    contracts: Decimal | None = Field(default=None, gt=0, allow_inf_nan=False)
    """How many; `None` closes all that is there."""
    leverage: int | None = Field(default=None, ge=1, le=_MOST_LEVERAGE)
    """How many times the margin the position stands for. Only an opening order has one."""
    price: Decimal | None = Field(default=None, gt=0, allow_inf_nan=False)
    """A limit; `None` trades at the market."""
    trigger: Decimal | None = Field(default=None, gt=0, allow_inf_nan=False)
    """The price that the market must reach first."""

    @field_validator("contract")
    @classmethod
    def _read_contract(cls, value: str) -> str:
        return instrument(*parse_market(value, default_quote="USDT"))

    @field_validator("position_side", "action", mode="before")
    @classmethod
    def _read_word(cls, value: object) -> object:
        return value.strip().lower() if isinstance(value, str) else value

    @model_validator(mode="after")
    def _check(self) -> NewFuturesOrder:
        if self.action is FuturesAction.OPEN:
            if self.contracts is None:
                raise InvalidInput("Say how many contracts to open.", suggestions=("10",))
            if self.leverage is None:
                raise InvalidInput("Say with which leverage to open: it decides what is set aside, and what is lost.")
        elif self.leverage is not None:
            raise InvalidInput("A close has no leverage of its own: leave it out.")
        return self


class SizedFuturesOrder(Value):
    """A futures order with everything settled that will be sent."""

    contract: str
    contract_id: str | None = None
    """What the exchange calls the contract, where it wants that."""
    position_side: PositionSide
    action: FuturesAction
    contracts: Decimal = Field(gt=0, allow_inf_nan=False)
    leverage: int | None = None
    price: Decimal | None = Field(default=None, gt=0, allow_inf_nan=False)
    trigger: Decimal | None = Field(default=None, gt=0, allow_inf_nan=False)
    share: Decimal | None = Field(default=None, gt=0, allow_inf_nan=False)
    """What one contract is in units of the base; `None` where the exchange does not tell."""
    currency: str
    margin: Decimal | None = Field(default=None, ge=0, allow_inf_nan=False)
    """What will be set aside, at the higher of limit and market; `None` where it cannot be told."""
    fee: Decimal | None = Field(default=None, ge=0, allow_inf_nan=False)
    """What opening costs, the same way."""
    reference_price: Decimal | None = Field(default=None, gt=0, allow_inf_nan=False)
    """What the market was at."""

    @property
    def chain(self) -> str | None:
        """None: futures are at the exchange, so an order is one step."""
        return None

    @property
    def reduces(self) -> bool:
        """Whether it can only make a position smaller."""
        return self.action is FuturesAction.CLOSE

    @property
    def stake(self) -> Decimal | None:
        """What it puts at risk anew: margin and fee, or nothing when it closes; `None` where that cannot be told."""
        if self.reduces:
            return Decimal(0)
        return self.margin + self.fee if self.margin is not None and self.fee is not None else None


class FuturesOrder(Value):
    """A futures order as the exchange tells it. What it does not tell is `None`, never a guess."""

    order_id: str
    status: OrderStatus
    exchange_status: str
    """The exchange's own word."""
    contract: str | None = None
    position_side: PositionSide | None = None
    action: FuturesAction | None = None
    contracts: Decimal | None = None
    filled: Decimal | None = None
    """How many contracts were filled."""
    leverage: int | None = None
    price: Decimal | None = None
    """Its limit; `None` for one at the market."""
    trigger: Decimal | None = None
    average_price: Decimal | None = None
    margin: Decimal | None = None
    fee: Decimal | None = None
    profit: Decimal | None = None
    """What a close gained, before the fee."""
    is_liquidation: bool | None = None
    """Whether the exchange closed it by itself, for want of margin."""
    evidence: str | None = None
    """What the exchange says otherwise than what was sent, in words."""
    created_at: datetime | None = None
    payloads: tuple[Payload, ...] = Field(default=(), repr=False)
    """None ever: nothing of futures is signed."""

    @property
    def is_final(self) -> bool:
        """Whether nothing more is to be expected of it, or nothing more can be asked about it."""
        return self.status.is_final or self.order_id.startswith(UNNAMED)

    @property
    def exchange_id(self) -> str:
        """What the exchange calls it; other orders have the same name for theirs."""
        return self.order_id

    @property
    def awaits_signature(self) -> bool:
        """Never: it is one step."""
        return False

    @property
    def went_out(self) -> bool:
        """Whether it is certain that it was carried out or is being."""
        return self.status is not OrderStatus.UNRECOGNIZED


class Position(Value):
    """A position as it stands. What the exchange does not tell is `None`."""

    contract: str
    position_side: PositionSide
    contracts: Decimal
    """How many, those that are being closed among them."""
    closing: Decimal = Decimal(0)
    """How many of them an order is closing already."""
    entry_price: Decimal | None = None
    liquidation_price: Decimal | None = None
    """Where the exchange takes it away."""
    margin: Decimal | None = None
    leverage: int | None = None
    is_cross: bool | None = None
    """Whether it lives on the whole wallet, not on its own margin alone."""
    profit: Decimal | None = None
    """What it would gain if it were closed now, before the fee."""
    share: Decimal | None = None
    currency: str

    @property
    def available(self) -> Decimal:
        """How many contracts can be closed."""
        return self.contracts - self.closing


class FuturesWallet(Value):
    """The money for one contract, and what is known of the contract itself."""

    contract: str
    contract_id: str | None = None
    currency: str
    available: Decimal
    held: Decimal
    """Margin of positions and of orders that wait."""
    equity: Decimal | None = None
    """What it is worth with its positions at the market's price."""
    share: Decimal | None = None
    leverages: tuple[int, ...] = ()
    """Lowest and highest, or every one that there is; empty where that is not told."""
    open_fee_rate: Decimal | None = None
    """A fraction of what is opened."""
    positions: tuple[Position, ...] = ()
    """Those that the wallet tells of."""

    @property
    def total(self) -> Decimal:
        """What is in it, used or not."""
        return self.available + self.held


@dataclass(frozen=True, slots=True)
class FuturesOverview:
    """What the exchange lists of futures. Which of it is listed at all differs."""

    orders: tuple[FuturesOrder, ...] = ()
    """Newest first."""
    positions: tuple[Position, ...] = ()
    unknown: tuple[Mapping[str, Any], ...] = field(default=(), repr=False)
    """Entries that are neither, as they came."""
    prices: Mapping[str, Decimal] = field(default_factory=dict)
    """What contracts are at, by market."""

    def to_dict(self) -> dict[str, Any]:
        """A plain dict of JSON types; of what was not understood only how much it is."""
        return {
            "orders": [order.to_dict() for order in self.orders],
            "positions": [position.to_dict() for position in self.positions],
            "unknown": len(self.unknown),
            "prices": {market: plain(price) for market, price in self.prices.items()},
        }
