"""From True Markets' market data, as answered and as streamed, to our models.

As tolerant and as strict as `parse.py`: what is added is let pass, what is missing is `UnexpectedResponse`.
Candles have other field names over the WebSocket than over REST. See: truemarkets-api 14 and 15.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tradehook.exchanges.true_markets.parse import (
    mapping,
    maybe_number,
    maybe_text,
    maybe_time,
    number,
    safe_text,
    text,
    unexpected,
)
from tradehook.prices import (
    MarketCap,
    PriceCandle,
    PriceHistory,
    PriceItem,
    PricePoint,
    PriceRange,
    ReferencePrice,
    ReferenceSource,
    SurgingAsset,
    Ticker,
    Topic,
    TrendingAsset,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def ticker(body: object, *, symbol: str, told_at: datetime) -> Ticker:
    """An asset's current candles, and its price: the close of the shortest, usually that of 30 s."""
    candles = [_rest_candle(mapping(row), symbol=symbol) for row in _list(mapping(body), "candles")]
    made = Ticker.of(symbol, candles, told_at=told_at)
    if made is None:
        raise unexpected("there is no price in the answer")
    return made


def _rest_candle(row: Mapping[str, Any], *, symbol: str) -> PriceCandle:
    return PriceCandle(
        symbol=symbol,
        interval=text(row, "interval"),
        open=number(row, "openPrice"),
        high=number(row, "highPrice"),
        low=number(row, "lowPrice"),
        close=number(row, "closePrice"),
    )


def history(body: object, *, symbol: str, venue: str, window: str, resolution: str) -> PriceHistory:
    """The points of a window, oldest first, each moment once."""
    content = mapping(body)
    points = {point.at: point for point in (_point(mapping(row)) for row in _list(content, "points"))}
    return PriceHistory(
        symbol=symbol,
        venue=venue,
        window=window,
        resolution=resolution,
        points=tuple(points[at] for at in sorted(points)),
    )


def histories(
    body: object, *, symbols: tuple[str, ...], venue: str, window: str, resolution: str
) -> tuple[PriceHistory, ...]:
    """One history for each symbol that was asked for, in that order; what failed says why."""
    told = {text(row, "symbol").upper(): row for row in map(mapping, _list(mapping(body), "results"))}
    found = []
    for symbol in symbols:
        row = told.get(symbol, {"error": "not answered"})
        problem = row.get("error")
        if problem:
            words = maybe_text(problem, "message") if isinstance(problem, dict) else problem
            row, problem = {"points": []}, safe_text(words) or "unnamed"
        read = history(row, symbol=symbol, venue=venue, window=window, resolution=resolution)
        found.append(read.model_copy(update={"problem": problem}) if problem else read)
    return tuple(found)


def _point(row: Mapping[str, Any]) -> PricePoint:
    return PricePoint(at=_moment(row, "t"), price=number(row, "price"))


def point(body: object) -> PricePoint:
    """The last price at or before a moment, with its own moment."""
    content = mapping(body)
    return PricePoint(at=_moment(content, "timestamp"), price=number(content, "price"))


def price_range(body: object, *, symbol: str, venue: str, window: str) -> PriceRange:
    """The lowest and the highest price of a window."""
    content = mapping(body)
    return PriceRange(
        symbol=symbol,
        venue=venue,
        window=window,
        low=number(content, "min_price"),
        high=number(content, "max_price"),
        low_at=_moment(content, "min_timestamp"),
        high_at=_moment(content, "max_timestamp"),
    )


def market_cap(body: object) -> MarketCap:
    """What all of an asset is worth."""
    content = mapping(body)
    return MarketCap(symbol=text(content, "symbol"), value=number(content, "market_cap"))


def market_caps(body: object) -> list[MarketCap]:
    """The same of many, largest first."""
    return [market_cap(row) for row in _list(mapping(body), "assets")]


# --- what the WebSocket pushes ------------------------------------------------------------------------------------


def symbol_of(topic: Topic, row: Mapping[str, Any]) -> str:
    """Which asset a row is about, upper-cased: `BTC`, also of `BTC|USD`."""
    symbol = text(row, "symbol").upper()
    return symbol.partition("|")[0] if topic is Topic.REFERENCE_PRICES else symbol


def pushed(topic: Topic, row: Mapping[str, Any], *, at: datetime) -> PriceItem:
    """One row of a batch; `at` is the batch's time."""
    return _ITEMS[topic](row, at)


def batch_time(message: Mapping[str, Any]) -> datetime:
    """When a batch was made: one time for all of it."""
    return _moment(message, "timestamp")


def _candle(row: Mapping[str, Any], _at: datetime) -> PriceCandle:
    return PriceCandle(
        symbol=symbol_of(Topic.PRICE_CANDLES, row),
        interval=text(row, "interval"),
        open=number(row, "open"),
        high=number(row, "high"),
        low=number(row, "low"),
        close=number(row, "close"),
        chain=maybe_text(row, "chain"),
        address=maybe_text(row, "address"),
    )


def _trending(row: Mapping[str, Any], _at: datetime) -> TrendingAsset:
    return TrendingAsset(
        symbol=symbol_of(Topic.TRENDING_ASSETS, row),
        chain=maybe_text(row, "chain"),
        address=maybe_text(row, "address"),
        market_cap=maybe_number(row, "market_cap"),
        ratio=number(row, "trending_ratio"),
        recent_volume=maybe_number(row, "recent_volume"),
        usual_volume=maybe_number(row, "historical_volume"),
    )


def _surging(row: Mapping[str, Any], _at: datetime) -> SurgingAsset:
    return SurgingAsset(
        symbol=symbol_of(Topic.SURGING_ASSETS, row),
        chain=maybe_text(row, "chain"),
        address=maybe_text(row, "address"),
        price=number(row, "current_price"),
        change_1h_percent=maybe_number(row, "price_change_pct_1h"),
        change_4h_percent=maybe_number(row, "price_change_pct_4h"),
        change_24h_percent=maybe_number(row, "price_change_pct_24h"),
        price_1h_ago=maybe_number(row, "price_1h_ago"),
        price_4h_ago=maybe_number(row, "price_4h_ago"),
        price_24h_ago=maybe_number(row, "price_24h_ago"),
    )


def _reference(row: Mapping[str, Any], at: datetime) -> ReferencePrice:
    return ReferencePrice(
        symbol=symbol_of(Topic.REFERENCE_PRICES, row),
        quote=text(row, "symbol").upper().partition("|")[2] or "USD",
        price=number(row, "mid_price"),
        bid=maybe_number(row, "bid"),
        ask=maybe_number(row, "ask"),
        sources=tuple(_source(mapping(source)) for source in _list(row, "sources")),
        at=_maybe_moment(row, "timestamp") or at,
    )


def _source(row: Mapping[str, Any]) -> ReferenceSource:
    return ReferenceSource(
        name=maybe_text(row, "source") or "unnamed",
        bid=maybe_number(row, "bid"),
        ask=maybe_number(row, "ask"),
        price=maybe_number(row, "mid_price"),
        weight_percent=maybe_number(row, "weight_pct"),
        at=_maybe_moment(row, "timestamp"),
    )


_ITEMS: Mapping[Topic, Callable[[Mapping[str, Any], datetime], PriceItem]] = {
    Topic.PRICE_CANDLES: _candle,
    Topic.TRENDING_ASSETS: _trending,
    Topic.SURGING_ASSETS: _surging,
    Topic.REFERENCE_PRICES: _reference,
}


def _list(content: Mapping[str, Any], name: str) -> list[Any]:
    """A list that may be null when it is empty, but must be there."""
    if name not in content:
        raise unexpected(f"`{name}` is missing")
    value = content[name]
    if value is None:
        return []
    if not isinstance(value, list):
        raise unexpected(f"`{name}` is not a list")
    return value


def _moment(content: Mapping[str, Any], name: str) -> datetime:
    at = _maybe_moment(content, name)
    if at is None:
        raise unexpected(f"`{name}` is missing")
    return at


def _maybe_moment(content: Mapping[str, Any], name: str) -> datetime | None:
    """A time, as text or as whole seconds since 1970: both are used side by side."""
    seconds = content.get(name)
    if isinstance(seconds, str) and seconds.isascii() and seconds.isdigit() and len(seconds) <= 12:
        seconds = int(seconds)
    if isinstance(seconds, int) and not isinstance(seconds, bool):
        try:
            return datetime.fromtimestamp(seconds, UTC)
        except (ValueError, OverflowError, OSError):
            raise unexpected(f"`{name}` is not a time") from None
    return maybe_time(content, name)
