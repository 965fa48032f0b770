"""What prices are and were, from the same paths that the books follow: candles, histories, ranges, market values.

Everything is a pure function of the market and a moment: nothing is recorded, and any past can be asked for. When the
admin sets a price, the path before it moves along. See: truemarkets-api 14 and 15.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from tradehook_sandbox.clock import MICROS
from tradehook_sandbox.market import STEP_MICROS
from tradehook_sandbox.true_markets.calls import Refusal, shown
from tradehook_sandbox.true_markets.catalogue import ASSETS
from tradehook_sandbox.true_markets.increments import increment_at
from tradehook_sandbox.units import divide_rounding, format_units
from tradehook_sandbox.walk import PRICE_SCALE

if TYPE_CHECKING:
    from collections.abc import Callable

    from tradehook_sandbox.true_markets.house import House

_ONE: Final[int] = 10**PRICE_SCALE
_CENT: Final[int] = 10 ** (PRICE_SCALE - 2)
_DURATION: Final = re.compile(r"([1-9][0-9]{0,3})([smhdwM])", re.ASCII)
_SECONDS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800, "M": 31 * 86_400}
"""`m` is a minute and `M` a month."""
_LONGEST_SECONDS: Final = 366 * 86_400
MOST_POINTS: Final = 3_000
_GRIDS: Final = (5, 15, 30, 60, 300, 900, 1_800, 3_600, 21_600, 86_400)
"""Seconds between the prices that a range looks at: as few as stay below the limit."""
_SAMPLES: Final = 60
"""Prices looked at within a candle, for its highest and lowest."""
_POINT_SECONDS: Final = 5
INTERVALS: Final = {"30s": 30, "1h": 3_600, "4h": 14_400, "24h": 86_400}
_SUPPLIES: Final = {"BTC": 19_900_000, "ETH": 120_700_000, "SOL": 545_000_000, "CBBTC": 62_000}
_STABLE_SUPPLIES: Final = {"USDC": 61_000_000_000, "PYUSD": 3_400_000_000}
_PAIRS: Final = {"BTC-USD": "BTC", "ETH-USD": "ETH"}
"""Books of the exchange, as market data spells them."""


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of time as somebody wrote it."""

    text: str
    seconds: int

    @classmethod
    def read(cls, text: str, name: str) -> Window:
        """Read `5s`, `5m`, `1h`, `7d`, `1M`.

        Raises:
            Refusal: 400.
        """
        match = _DURATION.fullmatch(text)
        seconds = int(match[1]) * _SECONDS[match[2]] if match else 0
        if not 0 < seconds <= _LONGEST_SECONDS:
            raise Refusal(400, f"invalid {name} {shown(text)}: expected a duration such as 5s, 5m, 1h, 1d or 1M")
        return cls(text, seconds)


def coin_of(symbol: str) -> str | None:
    """The coin whose price a symbol follows; empty for a dollar, `None` when there is no such symbol."""
    for asset in ASSETS:
        if asset.symbol == symbol:
            return asset.coin or ""
    return None


def on_chain(symbol: str) -> str:
    """The coin of a symbol of the chains' market data.

    Raises:
        Refusal: 404.
    """
    coin = coin_of(symbol)
    if coin is None:
        raise Refusal(404, "symbol not found")
    return coin


def on_book(symbol: str) -> str:
    """The coin of a symbol of the exchange's market data, such as `BTC-USD`.

    Raises:
        Refusal: 404.
    """
    if symbol not in _PAIRS:
        raise Refusal(404, "symbol not found")
    return _PAIRS[symbol]


def price_at(house: House, coin: str, at_micros: int) -> int:
    """A coin's price at a moment, on its grid, in whole units."""
    if not coin:
        return _ONE
    price = house.market.price(coin, at_micros)
    tick = increment_at(price).tick
    return max(tick, divide_rounding(price, tick) * tick)


def text_of(price: int) -> str:
    """A price as the wire shows it."""
    return format_units(price, PRICE_SCALE)


def points(house: House, coin: str, window: Window, resolution: Window) -> list[dict[str, str]]:
    """Prices over the window that ends now, one for each bucket it touches, oldest first.

    Raises:
        Refusal: 400 when that would be too many.
    """
    if window.seconds // resolution.seconds > MOST_POINTS:
        raise Refusal(400, f"resolution is too fine for the window: at most {MOST_POINTS} points")
    step = resolution.seconds
    now = house.now // MICROS
    first, last = (now - window.seconds) // step * step, now // step * step
    return [
        {"t": _short_time(at), "price": text_of(price_at(house, coin, at * MICROS))}
        for at in range(first, last + 1, step)
    ]


def extremes(house: House, coin: str, seconds: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """The lowest and the highest price of the last so many seconds, each with its moment in seconds.

    Looks where a history of the same window does, so that no point of that lies outside.
    """
    step = next(step for step in _GRIDS if seconds // step < MOST_POINTS)
    now = house.now // MICROS
    moments = [*range((now - seconds) // step * step, now, step), now]
    found = [(price_at(house, coin, at * MICROS), at) for at in moments]
    lowest = min(found)
    highest = max(found, key=lambda pair: pair[0])
    return lowest, highest


def candle(house: House, coin: str, seconds: int) -> tuple[str, str, str, str]:
    """Open, high, low and close of the last so many seconds. A longer candle never lacks what a shorter one has."""
    within = [shorter for shorter in INTERVALS.values() if shorter < seconds]
    moments = [*_moments(house.now, seconds), *(at for shorter in within for at in _moments(house.now, shorter))]
    prices = [price_at(house, coin, at) for at in moments]
    opened, close = prices[0], price_at(house, coin, house.now)
    return text_of(opened), text_of(max(prices)), text_of(min(prices)), text_of(close)


def market_value(house: House, symbol: str) -> int:
    """What all of an asset is worth, in whole dollars."""
    if symbol in _STABLE_SUPPLIES:
        return _STABLE_SUPPLIES[symbol]
    return _SUPPLIES[symbol] * price_at(house, on_chain(symbol), house.now) // _ONE


def market_values(house: House) -> list[tuple[str, int]]:
    """Every asset with what all of it is worth, the largest first."""
    symbols = [*_SUPPLIES, *_STABLE_SUPPLIES]
    return sorted(((symbol, market_value(house, symbol)) for symbol in symbols), key=lambda pair: -pair[1])


def last_point(house: House, coin: str, seconds: int) -> tuple[int, str]:
    """The last price at or before a moment, and its own moment in seconds.

    Raises:
        Refusal: 404 before anything is known.
    """
    now = house.now // MICROS
    if seconds < now - _LONGEST_SECONDS:
        raise Refusal(404, "no price at or before that time")
    at = min(seconds, now) // _POINT_SECONDS * _POINT_SECONDS
    return at, text_of(price_at(house, coin, at * MICROS))


# --- what the WebSocket pushes ----------------------------------------------------------------------------------------


def candles(house: House) -> list[dict[str, Any]]:
    """The four current candles of everything on the chains, and of the exchange's coins."""
    found = []
    for asset in ASSETS:
        for name, seconds in INTERVALS.items():
            opened, high, low, close = candle(house, asset.coin or "", seconds)
            found.append({**_named(asset), "interval": name, "open": opened, "high": high, "low": low, "close": close})
    return found


def trending(house: House) -> list[dict[str, Any]]:
    """What is traded more than usual, as far as prices that moved more than usual tell."""
    found = []
    for asset in ASSETS:
        if not asset.coin:
            continue
        recent, usual = _spread(house, asset.coin, 3_600), _spread(house, asset.coin, 86_400)
        found.append(
            {
                **_named(asset),
                "market_cap": str(market_value(house, asset.symbol)),
                "trending_ratio": _percent(recent * 24, max(usual, 1)),
                "recent_volume": str(recent),
                "historical_volume": str(usual),
            }
        )
    return found


def surging(house: House) -> list[dict[str, Any]]:
    """How prices have changed over an hour, four hours and a day."""
    found = []
    for asset in ASSETS:
        if not asset.coin:
            continue
        now = price_at(house, asset.coin, house.now)
        row: dict[str, Any] = {**_named(asset), "current_price": text_of(now)}
        for name in ("1h", "4h", "24h"):
            before = price_at(house, asset.coin, house.now - INTERVALS[name] * MICROS)
            row[f"price_change_pct_{name}"] = _percent((now - before) * 100, before)
            row[f"price_{name}_ago"] = text_of(before)
        found.append(row)
    return found


def reference_prices(house: House) -> list[dict[str, Any]]:
    """Fair values of the coins that have a book, with their sources."""
    found = []
    for coin in _PAIRS.values():
        middle = price_at(house, coin, house.now)
        tick = increment_at(middle).tick
        half = max(tick, middle // 20_000 // tick * tick)
        sides = {"mid_price": text_of(middle), "bid": text_of(middle - half), "ask": text_of(middle + half)}
        moment = house.now // MICROS
        source = {"source": "sandbox", **sides, "weight_pct": "100", "timestamp": moment}
        found.append({"symbol": f"{coin}|USD", **sides, "sources": [source], "timestamp": moment})
    return found


BATCHES: Final[dict[str, Callable[[House], list[dict[str, Any]]]]] = {
    "price_candles": candles,
    "trending_assets": trending,
    "surging_assets": surging,
    "reference_prices": reference_prices,
}


def _named(asset: Any) -> dict[str, Any]:
    return {"symbol": asset.symbol, "address": asset.address or "", "chain": asset.chain or ""}


def _moments(now_micros: int, seconds: int) -> range:
    """Evenly spread moments of the last so many seconds, the last of them now; a step apart at least."""
    step = max(STEP_MICROS, seconds * MICROS // _SAMPLES)
    count = seconds * MICROS // step
    return range(now_micros - count * step, now_micros + 1, step)


def _spread(house: House, coin: str, seconds: int) -> int:
    prices = [price_at(house, coin, at) for at in _moments(house.now, seconds)]
    return (max(prices) - min(prices)) // _CENT


def _percent(numerator: int, denominator: int) -> str:
    """A quotient with four decimals."""
    sign = -1 if numerator < 0 else 1
    return format_units(sign * divide_rounding(abs(numerator) * 10_000, denominator), 4)


def _short_time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
