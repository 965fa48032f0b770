"""Market data: tickers, sparklines and conversion prices, all from the paths that the books follow.

Everything is a pure function of the market and a moment, except what the switches make of it; nothing is recorded.
See: fintrusted-api 5.1 to 5.4.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tradehook_sandbox.clock import MICROS
from tradehook_sandbox.fintrusted import messages
from tradehook_sandbox.fintrusted.calls import Refused
from tradehook_sandbox.fintrusted.coins import BY_COIN, DOLLARS, PAIRS, SCALE, turnover
from tradehook_sandbox.fintrusted.shapes import Moment, Page, Text, Units
from tradehook_sandbox.seeded import draw
from tradehook_sandbox.units import divide_rounding, divide_up
from tradehook_sandbox.walk import PRICE_SCALE

if TYPE_CHECKING:
    from tradehook_sandbox.fintrusted.calls import Visit
    from tradehook_sandbox.fintrusted.coins import Pair
    from tradehook_sandbox.fintrusted.floor import Floor

HOUR: Final = 3_600 * MICROS
DAY: Final = 24 * HOUR
_QUARTER: Final = HOUR // 4
"""Between two prices that are looked at for a day's highest and lowest."""
_CHANGE_SCALE: Final = 4
_RATE_SCALE: Final = 8
_VOLUMES: Final = {"BTC": 40, "ETH": 600}
"""What is traded in an hour at most, in whole coins. The sandbox has no trades of others, so this is made up."""
_SHORT: Final = {
    "open": "openPrice",
    "high": "high24h",
    "low": "low24h",
    "close": "last",
    "change": "priceChange",
    "chg": "changePercent",
    "volume": "vol",
    "turnover": "quoteVolume",
}


def ticker(floor: Floor, pair: Pair, at_micros: int | None = None) -> dict[str, object]:
    """The last 24 hours of a pair, at a moment, by default now."""
    now = floor.now if at_micros is None else at_micros
    # At full quarters of hours, so that what a sparkline shows lies between the day's low and high.
    first = (now - DAY) // _QUARTER * _QUARTER + _QUARTER
    prices = [floor.price(pair.base, at) for at in (now - DAY, *range(first, now, _QUARTER), now)]
    opened, close, low = prices[0], prices[-1], min(prices)
    change = close - opened
    if floor.rules.chg_by_low:
        share = divide_up(abs(change) * 10**_CHANGE_SCALE, low)
    else:
        share = divide_rounding(abs(change) * 10**_CHANGE_SCALE, opened)
    volume = sum(_volume(floor, pair, now // HOUR - hour) for hour in range(24))
    row: dict[str, object] = {
        "symbol": pair.symbol,
        "open": Units(opened, PRICE_SCALE),
        "high": Units(max(prices), PRICE_SCALE),
        "low": Units(low, PRICE_SCALE),
        "close": Units(close, PRICE_SCALE),
        "change": Units(change, PRICE_SCALE),
        "chg": Units(share if change >= 0 else -share, _CHANGE_SCALE),
        "volume": Units(volume, SCALE),
        "turnover": Units(turnover((opened + close) // 2, volume), SCALE),
    }
    if floor.rules.ticker_names == "family":
        return row
    return {"coin": pair.base.lower(), **{_SHORT.get(name, name): value for name, value in row.items()}}


def get_home(visit: Visit) -> object:
    """`GET /market/data/quotations/home`: all tickers."""
    tickers = _tickers(visit)
    match visit.rules.home:
        case "groups":
            return {"recommend": tickers[:1], "changeRank": tickers}
        case "map":
            return dict(zip(PAIRS, tickers, strict=True))
        case _:
            return Page(tickers)


def get_coin(visit: Visit) -> object:
    """`GET /market/data/quotations/coin?coin=btc`: one ticker."""
    pair = BY_COIN.get(visit.query.get("coin", "").upper())
    if pair is None:
        if visit.rules.unknown_coin == "null" and visit.query.get("coin"):
            return None
        raise Refused(messages.UNKNOWN_SYMBOL)
    found = ticker(visit.floor, pair)
    return [found] if visit.rules.coin == "list" else found


def get_sparklines(visit: Visit) -> object:
    """`GET /market/data/quotations/sparklines`: the closes of the last 24 hours, hourly, oldest first; the last is now.

    The 23 before it are those of full hours.
    """
    floor, moments = visit.floor, _hours(visit.floor.now)
    series = {
        pair.base.lower(): [Units(floor.price(pair.base, at), PRICE_SCALE) for at in moments] for pair in PAIRS.values()
    }
    match visit.rules.sparklines:
        case "trend":
            rows = zip(_tickers(visit), series.values(), strict=True)
            return [{**row, "trend": prices} for row, prices in rows]
        case "pairs":
            return {
                coin: [[Moment(at), price] for at, price in zip(moments, prices, strict=True)]
                for coin, prices in series.items()
            }
        case _:
            return series


def get_convert_price(visit: Visit) -> object:
    """`GET /market/convert/price?fromUnit=BTC&toUnit=USDT`: what one is worth in the other."""
    source, target = (visit.query.get(name, "") for name in ("fromUnit", "toUnit"))
    floor = visit.floor
    if all(unit == DOLLARS or unit in BY_COIN for unit in (source, target)):
        if target == DOLLARS:
            rate = Units(_dollars(floor, source), PRICE_SCALE)
        else:
            scaled = _dollars(floor, source) * 10**_RATE_SCALE
            rate = Units(divide_rounding(scaled, _dollars(floor, target)), _RATE_SCALE)
    elif visit.rules.zero_rate_on_missing:
        rate = Units(0, 0)
    else:
        raise Refused(messages.NO_RATE)
    match visit.rules.convert:
        case "number":
            return rate
        case "string":
            return Text(rate)
        case "rate":
            return {"rate": rate, "sourceCoin": source, "targetCoin": target}
        case _:
            return {"fromUnit": source, "toUnit": target, "price": rate}


def list_thumbs(visit: Visit) -> object:
    """`GET /tx/spot/symbol-thumb-v2`: the tickers of all spot pairs, or of some by `baseSymbol` and `keyWord`."""
    quote, word = visit.query.get("baseSymbol", ""), visit.query.get("keyWord", "").upper()
    rows = [
        row
        for pair, row in zip(PAIRS.values(), _tickers(visit), strict=True)
        if quote in ("", pair.quote) and word in pair.symbol
    ]
    return Page(rows)


def _tickers(visit: Visit) -> list[dict[str, object]]:
    return [ticker(visit.floor, pair) for pair in PAIRS.values()]


def _hours(now_micros: int) -> list[int]:
    """The ends of the last 23 full hours, and now."""
    last = now_micros // HOUR
    return [*((last - back) * HOUR for back in range(22, -1, -1)), now_micros]


def _dollars(floor: Floor, coin: str) -> int:
    return 10**PRICE_SCALE if coin == DOLLARS else floor.price(coin)


def _volume(floor: Floor, pair: Pair, hour: int) -> int:
    most: int = _VOLUMES[pair.base] * 10**pair.amount_scale
    return (most // 4 + draw("fintrusted volume", floor.seed, pair.base, hour, below=most)) * pair.grid.lot
