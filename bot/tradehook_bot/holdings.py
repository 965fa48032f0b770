"""What an account holds and what that is worth: balances at the prices of the last day, each place by itself."""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from tradehook.charts import Worth
from tradehook.errors import TradehookError
from tradehook.models import Side

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from tradehook.models import Balance
    from tradehook.prices import PriceHistory
    from tradehook_bot.accounts import Account

_NONE = Decimal(0)
_WINDOW = "24h"
_POINTS = 96
"""As many moments of the day as a picture shows."""


@dataclass(frozen=True, slots=True)
class Held:
    """One asset at one place."""

    symbol: str
    chain: str | None
    quantity: Decimal
    value: Decimal | None
    """`None` where no price is known."""
    change_percent: Decimal | None = None
    """How far its price moved in 24 hours; `None` for money, and where that is not known."""

    @property
    def label(self) -> str:
        """What it is called, told apart from its namesakes elsewhere."""
        return self.symbol if self.chain is None else f"{self.symbol} {self.chain}"


@dataclass(frozen=True, slots=True)
class Day:
    """What is held now, and what that was worth over the last day."""

    held: tuple[Held, ...]
    """Most valuable first."""
    worth: tuple[Worth, ...]
    """Oldest first; empty where the exchange tells no past prices."""

    @property
    def total(self) -> Decimal:
        """What all of it that has a price is worth now."""
        return sum((each.value for each in self.held if each.value is not None), Decimal(0))

    @property
    def change_percent(self) -> Decimal | None:
        """How much more it is worth than a day ago, with what is held now; `None` where that is not known."""
        if not self.worth or not self.worth[0].total:
            return None
        return (self.worth[-1].total / self.worth[0].total - 1) * 100


async def day_of(account: Account) -> Day:
    """What this account holds now at the prices of the last day.

    Raises:
        TradehookError: the balances could not be read.
    """
    balances = [row for row in await account.client.balances() if row.total]
    symbols = {row.symbol for row in balances if not row.is_stable}
    past = await histories(account, symbols)
    now = {symbol: found.points[-1].price for symbol, found in past.items()}
    now |= await _quoted(account, symbols - {*now})
    held = [_held(row, now=now, past=past) for row in balances]
    held.sort(key=lambda each: (each.value is None, -(each.value or Decimal(0)), each.label))
    return Day(tuple(held), _worth(held, past))


async def histories(account: Account, symbols: Collection[str]) -> Mapping[str, PriceHistory]:
    """The last day's prices of those that the exchange knows; one that it does not know is left out."""
    if not symbols or not account.spec.capabilities.has_prices:
        return {}
    try:
        found = await account.client.price_histories(sorted(symbols), window=_WINDOW)
    except TradehookError:
        return {}
    return {each.symbol: each for each in found if each.points}


def _held(row: Balance, *, now: Mapping[str, Decimal], past: Mapping[str, PriceHistory]) -> Held:
    price = Decimal(1) if row.is_stable else now.get(row.symbol)
    told = past.get(row.symbol)
    return Held(
        symbol=row.symbol,
        chain=row.chain,
        quantity=row.total,
        value=row.total * price if price is not None else None,
        change_percent=told.change_percent if told is not None else None,
    )


async def _quoted(account: Account, symbols: Collection[str]) -> Mapping[str, Decimal]:
    """What the exchange would pay for one of each, where it tells no prices."""
    quotes = await asyncio.gather(*(_quote(account, symbol) for symbol in sorted(symbols)))
    return {symbol: price for symbol, price in zip(sorted(symbols), quotes, strict=True) if price is not None}


async def _quote(account: Account, symbol: str) -> Decimal | None:
    try:
        return (await account.client.get_quote(symbol, side=Side.SELL, quantity=Decimal(1))).price
    except TradehookError:
        return None


def _worth(held: Sequence[Held], past: Mapping[str, PriceHistory]) -> tuple[Worth, ...]:
    """What is held now at moments of the day; a price that is not told for one is that of the moment before."""
    moments = sorted({point.at for found in past.values() for point in found.points})
    if len(moments) < 2:
        return ()
    chosen = [*moments[: -1 : max(1, len(moments) // _POINTS)], moments[-1]]
    prices = {symbol: _prices_at(found, chosen) for symbol, found in past.items()}
    priced = [each for each in held if each.value is not None]
    return tuple(
        Worth(
            at,
            {
                each.label: each.quantity * prices[each.symbol][place] if each.symbol in prices else each.value or _NONE
                for each in priced
            },
        )
        for place, at in enumerate(chosen)
    )


def _prices_at(past: PriceHistory, moments: Sequence[datetime]) -> list[Decimal]:
    """The last price at or before each moment; before the first, the first."""
    times = [point.at for point in past.points]
    return [past.points[max(bisect_right(times, at) - 1, 0)].price for at in moments]
