"""Plain values of what things cost and did cost: candles, histories, ranges, and what a stream of prices says.

Prices are in US dollars unless a model says otherwise. Beside `models.py`, over it; knows no exchange and no wire.
"""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from pydantic import Field

from tradehook.models import Value

if TYPE_CHECKING:
    from collections.abc import Sequence

_PERCENT = Decimal(100)
_INTERVAL = re.compile(r"(\d{1,4})([smhdw])", re.ASCII)
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_UNKNOWN_LENGTH = 10**9


class Topic(StrEnum):
    """What a stream of prices can be asked for."""

    PRICE_CANDLES = "price_candles"
    TRENDING_ASSETS = "trending_assets"
    SURGING_ASSETS = "surging_assets"
    REFERENCE_PRICES = "reference_prices"
    KLINES = "klines"
    TRADES = "trades"
    DEPTH = "depth"


class PriceCandle(Value):
    """One asset's prices over the interval that ends now."""

    symbol: str
    interval: str
    """How long it is: `30s`, `1h`, `4h`, `24h`."""
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    chain: str | None = None
    """Where the asset stands, when that was told: the same symbol may exist at several places."""
    address: str | None = None

    @property
    def change_percent(self) -> Decimal | None:
        """How far the price moved; `None` when it began at nothing."""
        return change_percent(self.open, self.close)


class Ticker(Value):
    """What an asset costs now, and its candles."""

    symbol: str
    price: Decimal
    """The close of the shortest candle: no price of a last trade is published."""
    candles: tuple[PriceCandle, ...]
    told_at: datetime

    def candle(self, interval: str) -> PriceCandle | None:
        """The candle of that length, if there is one."""
        return next((candle for candle in self.candles if candle.interval == interval), None)

    def change_percent(self, interval: str) -> Decimal | None:
        """How far the price moved over that interval; `None` when it was not told."""
        candle = self.candle(interval)
        return candle.change_percent if candle else None

    def after(self, update: PriceUpdate) -> Ticker:
        """The ticker as it is once this was heard; what is about another asset or topic changes nothing.

        Of several assets that share the symbol, the one that was heard first stays: prices never jump between them.
        """
        fresh = update.item
        if not isinstance(fresh, PriceCandle) or fresh.symbol != self.symbol:
            return self
        place = next(((held.chain, held.address) for held in self.candles if held.chain or held.address), None)
        if place is not None and (fresh.chain, fresh.address) not in (place, (None, None)):
            return self
        others = (candle for candle in self.candles if candle.interval != fresh.interval)
        candles = tuple(sorted((*others, fresh), key=lambda candle: _length(candle.interval)))
        return self.model_copy(update={"candles": candles, "price": candles[0].close, "told_at": update.at})

    @classmethod
    def of(cls, symbol: str, candles: Sequence[PriceCandle], *, told_at: datetime) -> Ticker | None:
        """The ticker that these candles make; `None` without any. Of the same length, the first counts."""
        known = {candle.interval: candle for candle in reversed(candles)}
        ordered = tuple(sorted(known.values(), key=lambda candle: _length(candle.interval)))
        return cls(symbol=symbol, price=ordered[0].close, candles=ordered, told_at=told_at) if ordered else None


class PricePoint(Value):
    """What something cost at a moment."""

    at: datetime
    price: Decimal


class PriceHistory(Value):
    """Prices over a window, oldest first. There is no volume."""

    symbol: str
    venue: str
    """`defi`: the asset's price on chains; `cefi`: the middle of the exchange's own book."""
    window: str
    resolution: str
    points: tuple[PricePoint, ...]
    problem: str | None = None
    """Why there are no points, where several symbols were asked for at once and this one failed."""

    @property
    def change_percent(self) -> Decimal | None:
        """How far the price moved from the first point to the last; `None` without points."""
        return change_percent(self.points[0].price, self.points[-1].price) if self.points else None

    @property
    def low(self) -> PricePoint | None:
        """The first of the lowest points."""
        return min(self.points, key=lambda point: point.price, default=None)

    @property
    def high(self) -> PricePoint | None:
        """The first of the highest points."""
        return max(self.points, key=lambda point: point.price, default=None)


class PriceRange(Value):
    """The lowest and the highest price within a window, and when they were."""

    symbol: str
    venue: str
    """As in `PriceHistory`."""
    window: str
    low: Decimal
    high: Decimal
    low_at: datetime
    high_at: datetime


class MarketCap(Value):
    """What all of an asset is worth, in US dollars."""

    symbol: str
    value: Decimal


class TrendingAsset(Value):
    """An asset that is traded more than usual."""

    symbol: str
    chain: str | None
    address: str | None
    market_cap: Decimal | None
    ratio: Decimal
    """How much more than usual."""
    recent_volume: Decimal | None
    usual_volume: Decimal | None


class SurgingAsset(Value):
    """An asset whose price moves; changes in percent."""

    symbol: str
    chain: str | None
    address: str | None
    price: Decimal
    change_1h_percent: Decimal | None
    change_4h_percent: Decimal | None
    change_24h_percent: Decimal | None
    price_1h_ago: Decimal | None
    price_4h_ago: Decimal | None
    price_24h_ago: Decimal | None


class ReferenceSource(Value):
    """One market that a reference price looks at."""

    name: str
    bid: Decimal | None
    ask: Decimal | None
    price: Decimal | None
    weight_percent: Decimal | None
    at: datetime | None


class ReferencePrice(Value):
    """A fair value made of several markets."""

    symbol: str
    quote: str
    price: Decimal
    bid: Decimal | None
    ask: Decimal | None
    sources: tuple[ReferenceSource, ...]
    at: datetime


class Kline(Value):
    """Prices over a stretch of a chart, which began at a moment; its last figures count once it is closed."""

    symbol: str
    quote: str
    interval: str
    """How long it is: `1m`, `5m`, `1h`, `1d`, `1M` (a month)."""
    opened_at: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal | None = None
    """In the asset itself, where it is told."""
    is_closed: bool


class PublicTrade(Value):
    """A trade of two strangers."""

    symbol: str
    quote: str
    price: Decimal
    quantity: Decimal
    side: str | None
    """`buy` or `sell`, whoever came later; `None` where it is not told."""
    at: datetime


class DepthLevel(NamedTuple):
    """What is offered at a price."""

    price: Decimal
    quantity: Decimal


class Depth(Value):
    """A book as it stands, best prices first, as deep as it is told."""

    symbol: str
    quote: str
    bids: tuple[DepthLevel, ...]
    asks: tuple[DepthLevel, ...]


PriceItem = PriceCandle | TrendingAsset | SurgingAsset | ReferencePrice | Kline | PublicTrade | Depth


class PriceUpdate(Value):
    """One thing that a stream of prices said, or that was read anew because the stream had not been heard."""

    topic: Topic
    item: PriceItem = Field(union_mode="smart")
    at: datetime
    is_reread: bool = False
    """Whether it was read beside the stream, to close the gap after a connection."""


class PriceGap(Value):
    """The stream was lost: what came since is not known, and is read anew once it is back."""

    reason: str
    again_in_seconds: float
    at: datetime


def _length(interval: str) -> int:
    """An interval's seconds, for order; one that is written in a way nobody knows comes last."""
    match = _INTERVAL.fullmatch(interval)
    return int(match[1]) * _SECONDS[match[2]] if match else _UNKNOWN_LENGTH


def change_percent(before: Decimal, after: Decimal) -> Decimal | None:
    """How far from one price to the next, in percent; `None` when it began at nothing."""
    return (after - before) * _PERCENT / before if before else None
