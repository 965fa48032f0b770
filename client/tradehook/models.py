"""Plain values: what somebody wants, and what the exchange says.

Money is `Decimal`, never float. A `quantity` always stands beside its `unit`; a `price` is in quote
per base; every `*_at` is aware UTC. Vendor names live only in each exchange's `parse.py`.
"""

from __future__ import annotations

from contextlib import contextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_serializer, field_validator, model_validator

from tradehook.amounts import Amount, parse_amount, parse_market, parse_symbol, plain
from tradehook.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterator

_EIGHT_PLACES = Decimal("0.00000001")
_ADDED = frozenset({"good_for", "max_slippage", "bounded"})
_MOST_SLIPPAGE = 50


@contextmanager
def typed_in() -> Iterator[None]:
    """What a model finds wrong with values that a person gave has become one `InvalidInput`, about the first."""
    try:
        yield
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InvalidInput(f"The {where} cannot be used: {first['msg']}.") from None


class Side(StrEnum):
    """Which way the base asset moves."""

    BUY = "buy"
    SELL = "sell"


class Unit(StrEnum):
    """What a quantity counts."""

    BASE = "base"
    QUOTE = "quote"


class OrderStatus(StrEnum):
    """Where an order stands, in the field's words."""

    CREATED = "created"
    """Made, but not sent to market: it waits for signatures, and no money has moved."""
    PENDING = "pending"
    OPEN = "open"
    """Resting in the book, perhaps filled in part."""
    CANCELING = "canceling"
    FILLED = "filled"
    CANCELED = "canceled"
    """Ended before it was whole; part of it may have been filled."""
    FAILED = "failed"
    ACCEPTED = "accepted"
    """The exchange took it, and tells no more of it (`Capabilities.cannot`)."""
    PROBABLY_FILLED = "probably_filled"
    """The same, and the wallet has moved as the whole order would have moved it: `Order.evidence` says how."""
    CANNOT_TELL = "cannot_tell"
    """The same, but the wallet has moved otherwise, or something else may have moved it."""
    UNRECOGNIZED = "unrecognized"
    """The exchange used a word this version does not know; never taken as final."""

    @property
    def is_final(self) -> bool:
        """Whether nothing more is to be expected of it."""
        return self in (
            OrderStatus.FILLED,
            OrderStatus.CANCELED,
            OrderStatus.FAILED,
            OrderStatus.PROBABLY_FILLED,
        )


class Value(BaseModel):
    """The form of every model: frozen, strict about names, decimals as text in JSON."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", ser_json_inf_nan="strings", arbitrary_types_allowed=True, defer_build=True
    )

    def to_dict(self) -> dict[str, Any]:
        """A plain dict of JSON types, decimals as text without exponent: for `--json`, XCom and the journal."""
        return {name: _plain_json(value) for name, value in self.model_dump(mode="python").items()}


def _plain_json(value: Any) -> Any:
    match value:
        case Decimal():
            return plain(value)
        case Amount() | StrEnum():
            return str(value)
        case datetime():
            return value.isoformat().replace("+00:00", "Z")
        case timedelta():
            return int(value.total_seconds())
        case dict():
            return {key: _plain_json(item) for key, item in value.items()}
        case list() | tuple():
            return [_plain_json(item) for item in value]
        case _:
            return value


def instrument(base: str, quote: str) -> str:
    """A market's name, as it settles: `BTC/PYUSD`."""
    return f"{base}/{quote}"


class NewOrder(Value):
    """What somebody wants, as they asked for it: checked before any network, shown to a person, stored.

    A `price` makes it a limit order, none a market order. A `chain` sends it on chain (`defi`).

    What the exchange does not know tradehook keeps itself: `good_for`, after which what still rests of a limit order
    is canceled; `max_slippage`, how many percent worse than the market's price a market order may be expected to
    trade; and `bounded`, which sends it as a limit at that bound and cancels what does not trade at once.
    """

    base: str
    quote: str
    side: Side
    amount: Amount
    price: Decimal | None = Field(default=None, gt=0, allow_inf_nan=False)
    chain: str | None = Field(default=None, pattern=r"^[a-z][a-z0-9_]{0,31}$")
    good_for: timedelta | None = Field(default=None, ge=timedelta(seconds=1), le=timedelta(days=365))
    max_slippage: Decimal | None = Field(default=None, allow_inf_nan=True)  # what is none is told in our words
    bounded: bool = False

    @field_validator("max_slippage")
    @classmethod
    def _check_slippage(cls, percent: Decimal | None) -> Decimal | None:
        if percent is not None and not (percent.is_finite() and 0 < percent <= _MOST_SLIPPAGE):
            raise InvalidInput(
                f"A slippage of {str(percent)[:20]} % is none: write percent, more than 0 and at most {_MOST_SLIPPAGE}."
            )
        return percent

    @field_validator("amount", mode="before")
    @classmethod
    def _read_amount(cls, value: object) -> object:
        return parse_amount(value) if isinstance(value, str) else value

    @field_serializer("amount")
    def _write_amount(self, amount: Amount) -> str:
        return str(amount)

    @field_validator("base", "quote")
    @classmethod
    def _read_symbol(cls, value: str) -> str:
        return parse_symbol(value)

    @model_validator(mode="after")
    def _check(self) -> NewOrder:
        if self.chain and self.price is not None:
            raise InvalidInput("A limit order cannot go on chain: leave out the price or the chain.")
        if self.price is not None and self.amount.kind == "quote":
            raise InvalidInput(
                f"A limit order is sized in {self.base}, not in {self.quote}.",
                suggestions=(plain(self.amount.value / self.price)[:20],),
            )
        if self.good_for is not None and self.price is None:
            raise InvalidInput("Only a limit order rests: leave out how long it is good for, or give a price.")
        if self.max_slippage is not None and self.price is not None:
            raise InvalidInput("A limit order never trades past its price: leave out the slippage, or the price.")
        if self.bounded and (self.max_slippage is None or self.chain is not None):
            raise InvalidInput("`bounded` needs a `max_slippage` to be bound by, and no chain.")
        return self

    def to_dict(self) -> dict[str, Any]:
        """See `Value`. What was added later and is not given is left out, so that an old request stays the same one."""
        told = super().to_dict()
        return {name: value for name, value in told.items() if name not in _ADDED or value not in (None, False)}

    @classmethod
    def of(
        cls,
        market: str,
        *,
        side: Side | str,
        amount: Amount | str,
        price: Decimal | None = None,
        chain: str | None = None,
        good_for: timedelta | None = None,
        max_slippage: Decimal | None = None,
        bounded: bool = False,
    ) -> NewOrder:
        """Make one from a market name such as `BTC/PYUSD`.

        Raises:
            InvalidInput: the market, side, amount or price is not what it should be.
        """
        base, quote = parse_market(market)
        if str(side) not in ("buy", "sell"):
            raise InvalidInput(f"{str(side)[:20]!r} is not a side: write buy or sell.", suggestions=("buy", "sell"))
        if isinstance(amount, str):
            amount = parse_amount(amount)
        return cls(
            base=base,
            quote=quote,
            side=Side(side),
            amount=amount,
            price=price,
            chain=chain,
            good_for=good_for,
            max_slippage=max_slippage,
            bounded=bounded,
        )

    @property
    def market(self) -> str:
        """The market's name, `BTC/PYUSD`."""
        return instrument(self.base, self.quote)


class SizedOrder(Value):
    """A new order with everything settled that will be sent: quantity, unit, assets by address.

    `typed` is the amount as somebody wrote it; `quantity` is what is sent. They differ when the
    exchange's increment asked for rounding down.
    """

    base: str
    quote: str
    side: Side
    quantity: Decimal = Field(gt=0, allow_inf_nan=False)
    unit: Unit
    price: Decimal | None = Field(default=None, gt=0, allow_inf_nan=False)
    chain: str | None = None
    base_address: str | None = None
    quote_address: str | None = None
    base_decimals: int | None = None
    quote_decimals: int | None = None
    typed: str
    reference_price: Decimal | None = Field(default=None, gt=0, allow_inf_nan=False)
    """The price the sizing looked at, for showing and for the price collar; in quote per base."""
    tag: Decimal = Field(default=Decimal(0), ge=0, allow_inf_nan=False)
    """How much was taken off the quantity to tell this order from a person's identical one."""
    good_for: timedelta | None = None
    """How long it may rest before tradehook cancels it."""
    max_slippage: Decimal | None = None
    """How many percent worse than the market it may be expected to trade; looked at right before it is sent."""
    bounded: bool = False
    """Whether `price` is the bound of a market order, and the rest is canceled at once."""

    @property
    def market(self) -> str:
        """The market's name, `BTC/PYUSD`."""
        return instrument(self.base, self.quote)

    @property
    def quantity_asset(self) -> str:
        """The symbol that `quantity` counts."""
        return self.base if self.unit is Unit.BASE else self.quote


class Payload(Value):
    """Something the exchange asks us to sign, unchanged."""

    digest: str
    payload: str = Field(repr=False)


class ChainQuote(Value):
    """What an on-chain order will do: `quantity` goes in, `output` comes out after `fee`."""

    base: str
    quote: str
    quantity: Decimal
    output: Decimal
    fee: Decimal | None
    fee_asset: str | None
    issues: tuple[str, ...] = ()

    def price_of(self, side: Side) -> Decimal:
        """What one of the base costs or brings, the fee included; in the other asset."""
        return self.quantity / self.output if side is Side.BUY else self.output / self.quantity


class Order(Value):
    """An order as the exchange tells it. What it does not tell is `None`, never a guess."""

    order_id: str
    status: OrderStatus
    exchange_status: str
    """The exchange's own word."""
    base: str | None = None
    quote: str | None = None
    side: Side | None = None
    quantity: Decimal | None = None
    unit: Unit | None = None
    price: Decimal | None = None
    chain: str | None = None
    filled: Decimal | None = None
    """Base filled so far."""
    remaining: Decimal | None = None
    average_price: Decimal | None = None
    fee: Decimal | None = None
    created_at: datetime | None = None
    payloads: tuple[Payload, ...] = Field(default=(), repr=False)
    chain_quote: ChainQuote | None = None
    evidence: str | None = None
    """What the status was concluded from, where the exchange does not tell it."""

    @property
    def is_final(self) -> bool:
        """Whether nothing more is to be expected of it."""
        return self.status.is_final

    @property
    def exchange_id(self) -> str:
        """What the exchange calls it; transfers have the same name for theirs."""
        return self.order_id

    @property
    def awaits_signature(self) -> bool:
        """Whether it moves nothing until it is signed."""
        return self.status is OrderStatus.CREATED

    @property
    def went_out(self) -> bool:
        """Whether it is certain that it was carried out or is being."""
        return self.status not in (OrderStatus.CREATED, OrderStatus.UNRECOGNIZED)

    @property
    def is_limit(self) -> bool | None:
        """Whether it has a limit price; `None` when the exchange did not say."""
        return None if self.base is None else self.price is not None


class Quote(Value):
    """A non-binding price for a market order, without fee.

    `quantity` in `unit` was asked; `output` comes back: base on a buy, quote on a sell. An amount in quote is an
    upper limit: the exchange trades whole lots, so what changes hands may be a little less.
    """

    base: str
    quote: str
    side: Side
    quantity: Decimal
    unit: Unit
    output: Decimal
    price: Decimal
    quoted_at: datetime

    @property
    def base_quantity(self) -> Decimal:
        """The base that changes hands."""
        if self.unit is Unit.BASE:
            return self.quantity
        return self.output if self.side is Side.BUY else (self.output / self.price).quantize(_EIGHT_PLACES)

    @property
    def notional(self) -> Decimal:
        """The quote that changes hands, without fee."""
        return self.output if self.side is Side.SELL else self.base_quantity * self.price


class Asset(Value):
    """Something that can be held. The same symbol may exist at several places: tell them apart by `asset_id`."""

    asset_id: str
    symbol: str
    name: str | None = None
    venue: str
    chain: str | None = None
    address: str | None = None
    decimals: int | None = None
    is_tradeable: bool = False
    is_stable: bool = False
    networks: tuple[str, ...] = ()
    """Where what the exchange holds of it can be paid out to or in from; empty for what is on a chain."""


class Balance(Value):
    """How much of one asset stands at one place. `total` = `available` + `held`."""

    symbol: str
    chain: str | None = None
    """`None` for what the exchange holds."""
    address: str | None = None
    total: Decimal
    available: Decimal
    held: Decimal
    is_stable: bool = False
