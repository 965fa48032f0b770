"""Plain values of moving coins out, and of what an account did and is worth. Beside `models.py`, over it.

A transfer names its destination by the label under which a person put it on the list (`desk/destinations.py`),
never by an address: what is typed twice and checked once cannot be mistyped at two in the morning.
"""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Literal

from pydantic import Field, field_serializer, field_validator

from tradehook.amounts import Amount, parse_amount, parse_symbol
from tradehook.errors import InvalidInput
from tradehook.models import Payload, Value

_LABEL = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}", re.ASCII)


class TransferStatus(StrEnum):
    """Where a transfer stands, in the field's words."""

    CREATED = "created"
    """Made, but not sent: it waits for signatures, and no money has moved."""
    PENDING = "pending"
    COMPLETED = "completed"
    FAILED = "failed"
    UNRECOGNIZED = "unrecognized"
    """The exchange used a word this version does not know; never taken as final."""

    @property
    def is_final(self) -> bool:
        """Whether nothing can change any more."""
        return self in (TransferStatus.COMPLETED, TransferStatus.FAILED)


class NewTransfer(Value):
    """What somebody wants to send, as they asked for it: checked before any network, shown to a person, stored.

    Without a `chain` it leaves from the exchange, which pays out without any signature; with one, from the wallet
    on that chain.
    """

    asset: str
    amount: Amount
    to: str
    """The label of a destination on the list."""
    chain: str | None = Field(default=None, pattern=r"^[a-z][a-z0-9_]{0,31}$")

    @field_validator("amount", mode="before")
    @classmethod
    def _read_amount(cls, value: object) -> object:
        amount = parse_amount(value) if isinstance(value, str) else value
        if isinstance(amount, Amount) and amount.kind == "quote":
            # What "worth so much" does at the exchange is not documented, and an address gets no change back.
            raise InvalidInput("A transfer is sized in the asset itself: leave out the $.", suggestions=("5",))
        return amount

    @field_serializer("amount")
    def _write_amount(self, amount: Amount) -> str:
        return str(amount)

    @field_validator("asset")
    @classmethod
    def _read_symbol(cls, value: str) -> str:
        return parse_symbol(value)

    @field_validator("to")
    @classmethod
    def _read_label(cls, value: str) -> str:
        return check_label(value)


class Destination(Value):
    """An address that money may be sent to, put on the list by a person."""

    label: str
    network: str
    """The network it is on: `bitcoin`, `ethereum`, `solana`, `base`."""
    address: str
    added_by: str
    added_at: datetime
    day_cap: Decimal | None = Field(default=None, ge=0, allow_inf_nan=False)
    """The most that may go there a day, in the account's money."""


class SizedTransfer(Value):
    """A new transfer with everything settled that will be sent: asset by id, quantity, address.

    `typed` is the amount as somebody wrote it; `quantity` is what is sent.
    """

    asset: str
    asset_id: str
    quantity: Decimal = Field(gt=0, allow_inf_nan=False)
    to: str
    """The destination's label."""
    address: str
    network: str
    chain: str | None = None
    """The chain whose wallet it leaves from; `None` from the exchange."""
    asset_address: str | None = None
    typed: str


class Transfer(Value):
    """A transfer as the exchange tells it. What it does not tell is `None`, never a guess."""

    transfer_id: str
    status: TransferStatus
    exchange_status: str
    """The exchange's own word."""
    asset: str | None = None
    asset_id: str | None = None
    chain: str | None = None
    """`None` for what left from the exchange."""
    network: str | None = None
    to: str | None = None
    """The address."""
    quantity: Decimal | None = None
    sent: Decimal | None = None
    fee: Decimal | None = None
    received: Decimal | None = None
    """What the exchange says arrived; seen to be less than `sent`, as if the fee were taken twice. The chain knows."""
    tx_hash: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    payloads: tuple[Payload, ...] = Field(default=(), repr=False)

    @property
    def is_final(self) -> bool:
        """Whether nothing can change any more."""
        return self.status.is_final

    @property
    def exchange_id(self) -> str:
        """What the exchange calls it; orders have the same name for theirs."""
        return self.transfer_id

    @property
    def awaits_signature(self) -> bool:
        """Whether it moves nothing until it is signed."""
        return self.status is TransferStatus.CREATED

    @property
    def went_out(self) -> bool:
        """Whether it is certain that it was carried out or is being."""
        return self.status not in (TransferStatus.CREATED, TransferStatus.UNRECOGNIZED)


class Transaction(Value):
    """Something that changed what the account holds: an order, a transfer, or money in or out."""

    transaction_id: str
    kind: str
    """The exchange's word: `order`, `transfer` or `ramp`."""
    direction: Literal["in", "out"] | None
    status: str
    asset: str | None
    quantity: Decimal | None
    tx_hash: str | None
    reason: str | None
    """Why it failed, when it did."""
    created_at: datetime | None
    completed_at: datetime | None


class PortfolioPart(Value):
    """One balance and what it is worth; `None` while the exchange has no price for it."""

    symbol: str
    chain: str | None
    quantity: Decimal
    price: Decimal | None
    value: Decimal | None


class Portfolio(Value):
    """What an account is worth in US dollars, as the exchange reckons."""

    total: Decimal
    cash: Decimal | None
    change_24h: Decimal | None
    change_24h_percent: Decimal | None
    unrealized_profit: Decimal | None
    realized_profit: Decimal | None
    parts: tuple[PortfolioPart, ...]


def check_label(text: str) -> str:
    """A destination's label, in lower case.

    Raises:
        InvalidInput: an address, or anything else that is no label.
    """
    word = text.strip().lower()
    if not _LABEL.fullmatch(word) or (len(word) > 24 and word.isalnum()):
        raise InvalidInput(
            f"{text.strip()[:60]!r} is not a destination's label: that is up to 40 small letters, digits, - and _, "
            "like cold or my-bank. Money is sent to labels, not to addresses: put the address on the list first with "
            "`tradehook destinations add LABEL --network NETWORK ADDRESS`.",
            suggestions=("tradehook destinations",),
        )
    return word
