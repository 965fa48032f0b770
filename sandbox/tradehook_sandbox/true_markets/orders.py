"""Orders: their record, their list, and how the wire shows them.

See: truemarkets-api 5.5 to 5.7.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from tradehook_sandbox.clock import rfc3339
from tradehook_sandbox.true_markets import past
from tradehook_sandbox.true_markets.catalogue import BY_KEY, Asset
from tradehook_sandbox.units import divide_rounding, format_units
from tradehook_sandbox.walk import PRICE_SCALE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tradehook_sandbox.book import Side

Status = Literal["initialized", "pending", "active", "cancel_pending", "complete", "canceled", "failed"]
Unit = Literal["base", "quote"]
Step = Literal["arrive", "settle", "fund"]
"""It reaches the book; its swap lands; the dollars it waits for come in."""

STATUSES: Final[tuple[Status, ...]] = (
    "initialized",
    "pending",
    "active",
    "cancel_pending",
    "complete",
    "canceled",
    "failed",
)
FINAL: Final = frozenset({"complete", "canceled", "failed"})
_REMEMBERED: Final = ("status", "executed", "spent", "fee", "expected", "tx_hash", "failure_reason")
"""What an answer that is behind the times shows as it was."""


@dataclass(slots=True)
class Order:
    """One order. Amounts are whole units: of the base asset, of the quote asset, or of prices."""

    order_id: str
    number: int
    uid: str
    base_key: str
    quote_key: str
    base_as_sent: str
    quote_as_sent: str
    side: Side
    type: Literal["market", "limit"]
    unit: Unit
    quantity: int
    price: int
    """The limit, or the reference price when a market order was created."""
    created_micros: int
    status: Status = "pending"
    executed: int = 0
    spent: int = 0
    fee: int = 0
    expected: int = 0
    """Base units that a whole fill comes to; an estimate for orders sized in quote."""
    hold: int = 0
    """Units of this order in the account's held purse."""
    fee_reserve: int = 0
    minimum_out: int = 0
    legs: list[tuple[str, int]] = field(default_factory=list)
    """What leaves the wallets when it is executed: ledger key and units."""
    payloads: list[dict[str, str]] = field(default_factory=list)
    expires_micros: int = 0
    due_micros: int | None = None
    """When the next thing happens to it by itself, and what."""
    due_what: Step | None = None
    cancel_micros: int | None = None
    tx_hash: str = ""
    failure_reason: str = ""
    past: past.States = field(default_factory=list)
    """What it was like since when, for an hour at least; see `as_of`."""

    @property
    def base(self) -> Asset:
        """What is bought or sold."""
        return BY_KEY[self.base_key]

    @property
    def quote(self) -> Asset:
        """What it is paid with."""
        return BY_KEY[self.quote_key]

    @property
    def going(self) -> Asset:
        """What the account gives: dollars for a buy, coins for a sell."""
        return self.quote if self.side == "buy" else self.base

    @property
    def coming(self) -> Asset:
        """What it gets."""
        return self.base if self.side == "buy" else self.quote

    @property
    def is_onchain(self) -> bool:
        """Whether it trades on a chain."""
        return self.base.chain is not None

    @property
    def is_final(self) -> bool:
        """Whether nothing will happen to it any more."""
        return self.status in FINAL

    @property
    def is_being_funded(self) -> bool:
        """Whether signed transfers are on their way to pay for it."""
        return self.due_what == "fund" and self.due_micros is not None

    @property
    def leaves(self) -> int:
        """Base units still open; what a canceled order did not get."""
        return 0 if self.status == "complete" else max(0, self.expected - self.executed)

    def as_row(self) -> dict[str, Any]:
        """The order as the list shows it."""
        quantity_scale = (self.base if self.unit == "base" else self.quote).scale
        return {
            "order_id": self.order_id,
            "base_asset": self.base_as_sent,
            "quote_asset": self.quote_as_sent,
            "type": self.type,
            "side": self.side,
            "status": self.status,
            "price": format_units(self.price, PRICE_SCALE),
            "qty": format_units(self.quantity, quantity_scale),
            "qty_unit": self.unit,
            "executed_qty": format_units(self.executed, self.base.scale),
            "leaves_qty": format_units(self.leaves, self.base.scale),
            "executed_vwap": self._average_price(),
            "fee": format_units(self.fee, self.quote.scale),
            "created_at": rfc3339(self.created_micros),
            "venue": self.base.venue,
            "chain": self.base.chain,
            "asset_id": self.base.asset_id,
            "asset_symbol": self.base.symbol,
            "tx_hash": self.tx_hash,
            "explorer_url": f"https://explorer.sandbox.invalid/tx/{self.tx_hash}" if self.tx_hash else "",
            "failure_reason": self.failure_reason or None,
        }

    def _average_price(self) -> str:
        if not self.executed:
            return "0"
        numerator = self.spent * 10 ** (PRICE_SCALE + self.base.scale)
        return format_units(divide_rounding(numerator, self.executed * 10**self.quote.scale), PRICE_SCALE)

    def remember(self, at_micros: int) -> None:
        """From this moment on it is as it is now."""
        past.remember(self, _REMEMBERED, at_micros)

    def as_of(self, at_micros: int) -> Order | None:
        """The order as it was at this moment, to be shown only; `None` when it was not there yet."""
        return past.as_of(self, _REMEMBERED, at_micros)

    def as_json(self) -> dict[str, Any]:
        """The order for a store."""
        return asdict(self)

    @classmethod
    def restored(cls, content: dict[str, Any]) -> Order:
        """The order as `as_json` wrote it."""
        legs = [(str(key), int(units)) for key, units in content["legs"]]
        return cls(**{**content, "legs": legs, "past": past.restored(content.get("past", ()))})


class Orders:
    """All orders: by id, and by account with the oldest first."""

    def __init__(self) -> None:
        self._by_id: dict[str, Order] = {}
        self._by_uid: dict[str, list[Order]] = {}
        self.changed: set[str] = set()
        """Ids of orders that a store has not seen in their present form."""
        self._moved: dict[str, Order] = {}

    def __iter__(self) -> Iterator[Order]:
        return iter(self._by_id.values())

    def __len__(self) -> int:
        return len(self._by_id)

    def __getitem__(self, order_id: str) -> Order:
        return self._by_id[order_id]

    def get(self, order_id: str) -> Order | None:
        """The order with this id."""
        return self._by_id.get(order_id)

    def of(self, uid: str) -> list[Order]:
        """The account's orders, oldest first."""
        return self._by_uid.get(uid, [])

    def add(self, order: Order) -> Order:
        """The order is known. No two of an account share a creation time, so a page border never falls inside one."""
        mine = self._by_uid.setdefault(order.uid, [])
        behind = mine[-1].created_micros - order.created_micros if mine else -1
        if 0 <= behind <= len(mine):
            # Many in one microsecond, as under a clock that stands still: they follow each other.
            order.created_micros = mine[-1].created_micros + 1
        index = bisect_left(mine, order.created_micros, key=_created)
        while index < len(mine) and mine[index].created_micros == order.created_micros:
            order.created_micros += 1
            index += 1
        # Nearly always the end; a clock that was turned back puts it between others.
        mine.insert(index, order)
        self._by_id[order.order_id] = order
        self.touch(order)
        return order

    def touch(self, order: Order) -> None:
        """The order has changed, or is new."""
        self.changed.add(order.order_id)
        self._moved[order.order_id] = order

    def remember(self, at_micros: int) -> None:
        """Whatever changed since the last time has been as it is now since this moment."""
        for order in self._moved.values():
            order.remember(at_micros)
        self._moved.clear()

    def page(
        self,
        uid: str,
        *,
        limit: int,
        before_micros: int | None,
        statuses: frozenset[str],
        seen_micros: int | None = None,
    ) -> tuple[list[Order], bool]:
        """Up to `limit` orders of the account, newest first, and whether there are older ones.

        Args:
            uid: whose.
            limit: most of them.
            before_micros: only orders created before this moment.
            statuses: only orders in these.
            seen_micros: as they were at this moment; those that are newer are not shown.
        """
        mine = self._by_uid.get(uid, [])
        end = len(mine)
        if before_micros is not None:
            end = bisect_left(mine, before_micros, key=_created)
        found: list[Order] = []
        for index in range(end - 1, -1, -1):
            order = mine[index] if seen_micros is None else mine[index].as_of(seen_micros)
            if order is not None and order.status in statuses:
                if len(found) == limit:
                    return found, True
                found.append(order)
        return found, False


def _created(order: Order) -> int:
    return order.created_micros
