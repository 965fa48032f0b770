"""Spot orders: their record, and how the wire would show them if it showed any.

FinTrusted has no documented way to look at a spot order, so this is for `/_sandbox/fintrusted/orders`, for the stream,
and for the switches that answer with an order. See: fintrusted-api 8.1 and 8.2.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from tradehook_sandbox.fintrusted.coins import PAIRS, SCALE, Pair
from tradehook_sandbox.fintrusted.shapes import Moment, Units, Word
from tradehook_sandbox.walk import PRICE_SCALE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tradehook_sandbox.book import Side

Status = Literal["TRADING", "COMPLETED", "CANCELED"]

STATUSES: Final = ("TRADING", "COMPLETED", "CANCELED")
_DIRECTIONS: Final = {"buy": Word("BUY", 0), "sell": Word("SELL", 1)}


class Deal(NamedTuple):
    """One fill of an order."""

    price: int
    amount: int
    turnover: int
    fee: int
    at_micros: int


@dataclass(slots=True)
class SpotOrder:
    """One order. Amounts are whole units of the coin they are in; prices of `10**-PRICE_SCALE`."""

    order_id: str
    number: int
    member_id: int
    symbol: str
    side: Side
    type: Literal["limit", "market"]
    price: int
    """0 for a market order."""
    amount: int
    """Base units; quote units for a market buy by what it spends."""
    is_by_quote: bool
    created_micros: int
    status: Status = "TRADING"
    traded: int = 0
    turnover: int = 0
    frozen: int = 0
    """Units of this order in the member's frozen purse."""
    is_resting: bool = False
    """Whether it stands in the book, or as a market order in the queue."""
    arrive_micros: int | None = None
    """When it reaches the book."""
    cancel_micros: int | None = None
    """When its cancellation is done."""
    ended_micros: int | None = None
    deals: list[Deal] = field(default_factory=list)

    @property
    def pair(self) -> Pair:
        """What is traded for what."""
        return PAIRS[self.symbol]

    @property
    def going(self) -> str:
        """The coin it gives."""
        return self.pair.quote if self.side == "buy" else self.pair.base

    @property
    def coming(self) -> str:
        """The coin it gets, and pays its fee in."""
        return self.pair.base if self.side == "buy" else self.pair.quote

    @property
    def leaves(self) -> int:
        """Base units still to be traded, of an order that counts in base units."""
        return self.amount - self.traded

    @property
    def is_final(self) -> bool:
        """Whether nothing will happen to it any more."""
        return self.status != "TRADING"

    def row(self, *, is_reversed: bool) -> dict[str, object]:
        """The order as the look-alikes show it; `is_reversed`: with their ordinals for `type`."""
        is_second = (self.type == "market") is not is_reversed
        ended = None if self.ended_micros is None else Moment(self.ended_micros)
        return {
            "orderId": self.order_id,
            "memberId": self.member_id,
            "symbol": self.symbol,
            "coinSymbol": self.pair.base,
            "baseSymbol": self.pair.quote,
            "direction": _DIRECTIONS[self.side],
            "type": Word("MARKET_PRICE" if self.type == "market" else "LIMIT_PRICE", int(is_second)),
            "price": Units(self.price, PRICE_SCALE),
            "amount": Units(self.amount, SCALE),
            "tradedAmount": Units(self.traded, SCALE),
            "turnover": Units(self.turnover, SCALE),
            "status": Word(self.status, STATUSES.index(self.status)),
            "time": Moment(self.created_micros),
            "completedTime": ended if self.status == "COMPLETED" else None,
            "canceledTime": ended if self.status == "CANCELED" else None,
            "useDiscount": "0",
            "detail": [
                {
                    "orderId": self.order_id,
                    "price": Units(deal.price, PRICE_SCALE),
                    "amount": Units(deal.amount, SCALE),
                    "turnover": Units(deal.turnover, SCALE),
                    "fee": Units(deal.fee, SCALE),
                    "time": Moment(deal.at_micros),
                }
                for deal in self.deals
            ],
        }

    def as_json(self) -> dict[str, Any]:
        """The order for a store."""
        return asdict(self)

    @classmethod
    def restored(cls, content: dict[str, Any]) -> SpotOrder:
        """The order as `as_json` wrote it."""
        return cls(**{**content, "deals": [Deal(*deal) for deal in content["deals"]]})


class SpotOrders:
    """All spot orders, oldest first."""

    def __init__(self) -> None:
        self._by_id: dict[str, SpotOrder] = {}
        self.changed: set[str] = set()
        """Ids of orders that a store has not seen in their present form."""

    def __iter__(self) -> Iterator[SpotOrder]:
        return iter(self._by_id.values())

    def __len__(self) -> int:
        return len(self._by_id)

    def __getitem__(self, order_id: str) -> SpotOrder:
        return self._by_id[order_id]

    def get(self, order_id: str) -> SpotOrder | None:
        """The order with this id."""
        return self._by_id.get(order_id)

    def add(self, order: SpotOrder) -> SpotOrder:
        """The order is known."""
        self._by_id[order.order_id] = order
        self.touch(order)
        return order

    def touch(self, order: SpotOrder) -> None:
        """The order has changed, or is new."""
        self.changed.add(order.order_id)
