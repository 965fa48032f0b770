"""What FinTrusted's stream tells beside tickers and plates: candles and strangers' trades, from the shared market.

Pure functions of the market and a moment: nothing is recorded, so whoever subscribes anew hears the same past. A trade
belongs to a step of the market; a candle looks at no more than so many steps, all of them where it is a minute long.
While it is open, a longer one may show a high that its closed form has not. Volumes are made up, here as in the ticker,
and of the same order. See: fintrusted-api 8.2 and 9.3.
"""

from __future__ import annotations

import calendar
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from tradehook_sandbox.clock import MICROS
from tradehook_sandbox.fintrusted.coins import BY_COIN, SCALE, turnover
from tradehook_sandbox.market import STEP_MICROS
from tradehook_sandbox.seeded import draw
from tradehook_sandbox.units import divide_rounding
from tradehook_sandbox.walk import PRICE_SCALE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tradehook_sandbox.fintrusted.floor import Floor

INTERVALS: Final = {
    "1m": 60,
    "5m": 300,
    "15m": 900,
    "30m": 1_800,
    "1h": 3_600,
    "4h": 14_400,
    "1d": 86_400,
    "1w": 604_800,
    "1M": 0,
}
"""Seconds; a month has none of its own."""
_MONDAY: Final = 4 * 86_400
"""1970 began on a Thursday; weeks begin on Mondays."""
_LOOKS: Final = 120
"""Moments that a candle looks at: each step of a minute."""
_DAY_MICROS: Final = 86_400 * MICROS
_TRADE_DOLLARS: Final = (10, 500)
_MOST_TRADES: Final = 3
_SPREAD: Final = 20
"""Millionths between the middle and a trade's price."""


class Candle(NamedTuple):
    """Prices over an interval; all whole units."""

    opened: int
    """Microseconds since 1970."""
    ends: int
    open: int
    high: int
    low: int
    close: int
    volume: int
    """In base, of `10**-SCALE`."""
    turnover: int
    """In quote, of `10**-SCALE`."""


class Trade(NamedTuple):
    """One trade of strangers."""

    price: int
    amount: int
    direction: str
    at: int
    number: int


def trades_of(floor: Floor, coin: str, step: int) -> list[Trade]:
    """What strangers traded in one step of the market."""
    price = floor.market.walks[coin].price(step)
    seed = floor.market.walks[coin].seed
    at = floor.market.origin_micros + step * STEP_MICROS
    found = []
    for number in range(draw("trades", seed, coin, step, below=_MOST_TRADES)):
        key = (seed, coin, step, number)
        is_buy = draw("taker", *key, below=2)
        paid = _snapped(coin, price * (1_000_000 + (_SPREAD if is_buy else -_SPREAD)) // 1_000_000)
        low, high = _TRADE_DOLLARS
        dollars = low + draw("dollars", *key, below=high - low)
        lot = BY_COIN[coin].grid.lot
        amount = max(lot, dollars * 10 ** (PRICE_SCALE + SCALE) // paid // lot * lot)
        found.append(Trade(paid, amount, "BUY" if is_buy else "SELL", at, at // STEP_MICROS * _MOST_TRADES + number))
    return found


def trades(floor: Floor, coin: str, *, after_step: int, until_step: int, limit: int) -> list[Trade]:
    """The newest trades of the steps in between, oldest first; the last step is one of them, the first is not."""
    found: list[Trade] = []
    for step in range(until_step, after_step, -1):
        found = [*trades_of(floor, coin, step), *found]
        if len(found) >= limit:
            break
    return found[-limit:]


def begin_of(interval: str, at: int) -> int:
    """When the candle began in which this moment lies, in microseconds."""
    seconds = INTERVALS[interval]
    whole = at // MICROS
    if not seconds:
        month = datetime.fromtimestamp(whole, UTC).replace(day=1, hour=0, minute=0, second=0)
        return int(month.timestamp()) * MICROS
    shift = _MONDAY if interval == "1w" else 0
    return ((whole - shift) // seconds * seconds + shift) * MICROS


def end_of(interval: str, begin: int) -> int:
    """When the candle ends that began at this moment."""
    seconds = INTERVALS[interval]
    if not seconds:
        month = datetime.fromtimestamp(begin // MICROS, UTC)
        seconds = calendar.monthrange(month.year, month.month)[1] * 86_400
    return begin + seconds * MICROS


def candle(floor: Floor, coin: str, begin: int, end: int, *, now: int) -> Candle:
    """The candle of this stretch as it is now; it is closed when the stretch lies behind.

    It closes with the price that the next one opens with.
    """
    if now < end:
        return _looked(floor, coin, begin, end, now)
    walk = floor.market.walks[coin]
    return _closed(floor, coin, begin, end, (walk.anchor, walk.since, walk.is_still))


@lru_cache(maxsize=8_192)
def _closed(floor: Floor, coin: str, begin: int, end: int, _path: tuple[int, int, bool]) -> Candle:
    """A candle that is over; worked out once, until somebody sets the price."""
    return _looked(floor, coin, begin, end, end)


def _looked(floor: Floor, coin: str, begin: int, end: int, until: int) -> Candle:
    stride = max(STEP_MICROS, (end - begin) // _LOOKS)
    looks = range(begin, until, stride)
    prices = [floor.price(coin, at) for at in looks] or [floor.price(coin, begin)]
    close = floor.price(coin, until)
    volume = money = 0
    for at in looks:
        for trade in trades_of(floor, coin, floor.market.step_at(at)):
            volume += trade.amount
            money += turnover(trade.price, trade.amount)
    steps = max(1, stride // STEP_MICROS)
    return Candle(
        begin,
        end,
        prices[0],
        max(*prices, close),
        min(*prices, close),
        close,
        volume * steps,
        money * steps,
    )


def candles(floor: Floor, coin: str, interval: str, *, now: int, last: int = 0, since: int = 0) -> list[Candle]:
    """Candles of an interval, oldest first, the open one among them.

    Args:
        floor: where prices are from.
        coin: whose.
        interval: one of `INTERVALS`.
        now: microseconds since 1970.
        last: how many at most.
        since: the moment at which the oldest one may begin.
    """
    return list(_backwards(floor, coin, interval, now=now, last=last, since=since))[::-1]


def _backwards(floor: Floor, coin: str, interval: str, *, now: int, last: int, since: int) -> Iterator[Candle]:
    begin = begin_of(interval, now)
    for _ in range(last):
        if begin < since:
            return
        yield candle(floor, coin, begin, end_of(interval, begin), now=now)
        begin = begin_of(interval, begin - 1)


def _snapped(coin: str, price: int) -> int:
    tick = BY_COIN[coin].grid.tick
    return max(tick, divide_rounding(price, tick) * tick)
