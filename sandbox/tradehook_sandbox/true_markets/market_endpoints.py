"""What the market-data paths answer; all are open to everybody. See: truemarkets-api 14."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tradehook_sandbox.clock import MICROS, rfc3339
from tradehook_sandbox.true_markets import market_data
from tradehook_sandbox.true_markets.calls import Refusal
from tradehook_sandbox.true_markets.market_data import Window

if TYPE_CHECKING:
    from collections.abc import Callable

    from tradehook_sandbox.true_markets.gateway import Visit

_MOST_SYMBOLS: Final = 50
_LARGEST_TIMESTAMP: Final = 10**11


def prices(visit: Visit) -> tuple[int, object]:
    """`GET /v1/defi/market/prices`: the four current candles of a symbol."""
    symbol = _required(visit, "symbol").upper()
    coin = market_data.on_chain(symbol)
    rows = []
    for name, seconds in market_data.INTERVALS.items():
        opened, high, low, close = market_data.candle(visit.exchange.house, coin, seconds)
        rows.append({"interval": name, "openPrice": opened, "closePrice": close, "highPrice": high, "lowPrice": low})
    return 200, {"symbol": symbol, "candles": rows}


def history(visit: Visit) -> tuple[int, object]:
    """`GET /v1/defi/market/prices/history`: prices of a symbol over a window."""
    return _history(visit, market_data.on_chain)


def book_history(visit: Visit) -> tuple[int, object]:
    """`GET /v1/cefi/market/prices/history`: midpoints of a book over a window."""
    return _history(visit, market_data.on_book)


def _history(visit: Visit, coin_of: Callable[[str], str]) -> tuple[int, object]:
    symbol = _required(visit, "symbol").upper()
    window, resolution = _window(visit), _resolution(visit)
    points = market_data.points(visit.exchange.house, coin_of(symbol), window, resolution)
    return 200, {"symbol": symbol, "window": window.text, "resolution": resolution.text, "points": points}


def histories(visit: Visit) -> tuple[int, object]:
    """`GET /v1/defi/market/prices/history/batch`: the same for several symbols; each fails by itself."""
    symbols = [word.strip().upper() for word in _required(visit, "symbols").split(",") if word.strip()]
    if not 0 < len(symbols) <= _MOST_SYMBOLS:
        raise Refusal(400, f"symbols must name between 1 and {_MOST_SYMBOLS} symbols")
    window, resolution = _window(visit), _resolution(visit)
    if window.seconds // resolution.seconds * len(symbols) > market_data.MOST_POINTS * 2:
        raise Refusal(400, "resolution is too fine for that many symbols")
    results: list[dict[str, object]] = []
    for symbol in symbols:
        try:
            coin = market_data.on_chain(symbol)
        except Refusal as refusal:
            results.append({"symbol": symbol[:40], "error": refusal.message})
            continue
        points = market_data.points(visit.exchange.house, coin, window, resolution)
        results.append({"symbol": symbol, "points": points})
    return 200, {"window": window.text, "resolution": resolution.text, "results": results}


def point(visit: Visit) -> tuple[int, object]:
    """`GET /v1/defi/market/prices/history/point`: the last price at or before a moment."""
    symbol, text = _required(visit, "symbol").upper(), _required(visit, "timestamp")
    if not (text.isascii() and text.isdigit() and len(text) <= 11 and int(text) < _LARGEST_TIMESTAMP):
        raise Refusal(400, "timestamp must be unix seconds")
    at, price = market_data.last_point(visit.exchange.house, market_data.on_chain(symbol), int(text))
    return 200, {"symbol": symbol, "timestamp": at, "price": price}


def price_range(visit: Visit) -> tuple[int, object]:
    """`GET /v1/defi/market/prices/range`: the lowest and the highest price of a symbol over a window."""
    return _range(visit, market_data.on_chain)


def book_range(visit: Visit) -> tuple[int, object]:
    """`GET /v1/cefi/market/prices/range`: the same of a book."""
    return _range(visit, market_data.on_book)


def _range(visit: Visit, coin_of: Callable[[str], str]) -> tuple[int, object]:
    symbol, window = _required(visit, "symbol").upper(), _window(visit)
    lowest, highest = market_data.extremes(visit.exchange.house, coin_of(symbol), window.seconds)
    return 200, {
        "symbol": symbol,
        "window": window.text,
        "min_price": market_data.text_of(lowest[0]),
        "max_price": market_data.text_of(highest[0]),
        "min_timestamp": rfc3339(lowest[1] * MICROS),
        "max_timestamp": rfc3339(highest[1] * MICROS),
    }


def market_cap(visit: Visit) -> tuple[int, object]:
    """`GET /v1/defi/market/market-data/market-cap`: what all of an asset is worth."""
    symbol = _required(visit, "symbol").upper()
    market_data.on_chain(symbol)
    return 200, {"symbol": symbol, "market_cap": str(market_data.market_value(visit.exchange.house, symbol))}


def market_caps(visit: Visit) -> tuple[int, object]:
    """`GET /v1/defi/market/market-data/market-caps`: the largest, with what they are worth."""
    limit = visit.call.limit(default=10)
    rows = market_data.market_values(visit.exchange.house)[:limit]
    return 200, {"assets": [{"symbol": symbol, "market_cap": str(value)} for symbol, value in rows]}


def _required(visit: Visit, name: str) -> str:
    value = visit.call.query.get(name, "").strip()
    if not value:
        raise Refusal(400, f"{name} is required")
    return value


def _window(visit: Visit) -> Window:
    return Window.read(visit.call.query.get("window") or "1h", "window")


def _resolution(visit: Visit) -> Window:
    return Window.read(visit.call.query.get("resolution") or "5s", "resolution")
