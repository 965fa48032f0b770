"""`/price`: what something costs and did cost, as a picture; in words alone where the exchange tells no past."""

from __future__ import annotations

import asyncio
import re
from decimal import Decimal
from typing import TYPE_CHECKING

from tradehook import charts, render
from tradehook.errors import InvalidInput, NotFound
from tradehook.models import Side
from tradehook_bot import pictures
from tradehook_bot.markets import find_asset, places, take_chain
from tradehook_bot.replies import bold, text
from tradehook_bot.zones import clock, moment

if TYPE_CHECKING:
    from datetime import tzinfo

    from tradehook.prices import PriceHistory
    from tradehook_bot.context import Ask

_UNITS = {"m": "min", "h": "h", "d": "d", "M": "mo"}
_WINDOWS = ("1h", "24h", "7d", "30d")
_WINDOW = re.compile(r"\d{1,3}[mhdM]", re.ASCII)


async def price(ask: Ask) -> None:
    """The person has seen what it costs. Nothing is asked."""
    capabilities = ask.account.spec.capabilities
    words, _chain = take_chain(ask.words, capabilities.chains)
    typed, window = _read(words)
    symbol = await find_asset(ask.account.client, typed, retry=f"/price {{market}} {window}")
    zone = await ask.zone()
    where = await _where(ask, symbol)
    if not capabilities.has_prices:
        await ask.reply("\n".join([await _quoted(ask, symbol, zone), f"{_label(ask)} tells no past prices.", *where]))
        return
    try:
        past = await ask.account.client.price_history(symbol, window=window)
    except NotFound:
        past = None
    if past is None or len(past.points) < 2:
        await ask.reply("\n".join([await _quoted(ask, symbol, zone), f"{_label(ask)} has no history of it.", *where]))
        return
    last, change = past.points[-1], past.change_percent
    title = f"{symbol} {render.price(last.price)}"
    moved = f"{render.change(change)} in {_span(window)}"
    await pictures.show(
        ask,
        lambda: charts.price_line(past.points, title=title, subtitle=moved, zone=zone),
        "\n".join([bold(f"{title} ({moved})"), *_extremes(past, zone), text(f"At {clock(last.at, zone)}."), *where]),
    )


def _read(words: tuple[str, ...]) -> tuple[str, str]:
    """Asset and window.

    Raises:
        InvalidInput: no asset, or something beside the two.
    """
    offers = ("/price BTC", "/price BTC 7d")
    if not words or not words[0][:1].isalpha():
        raise InvalidInput("Which asset?", suggestions=offers)
    if len(words) == 1:
        return words[0], "24h"
    if len(words) > 2 or not _WINDOW.fullmatch(words[1]):
        symbol = words[0].upper()[:20]
        raise InvalidInput(
            f"I do not understand {' '.join(words[1:])[:40]!r}.",
            suggestions=tuple(f"/price {symbol} {each}" for each in _WINDOWS),
        )
    return words[0], words[1]


def _extremes(past: PriceHistory, zone: tzinfo) -> list[str]:
    low, high = past.low, past.high
    if low is None or high is None or low.price == high.price:
        return []
    return [
        text(f"low {render.price(low.price)} at {moment(low.at, zone)}"),
        text(f"high {render.price(high.price)} at {moment(high.at, zone)}"),
    ]


async def _where(ask: Ask, symbol: str) -> list[str]:
    """Where it stands when that is on a chain: its namesakes are something else."""
    assets = [asset async for asset in ask.account.client.list_assets()]
    if any(asset.symbol == symbol and asset.chain is None for asset in assets):
        return []
    found = places(assets, symbol, chain_quote="")
    return [text(f"{symbol} on {asset.chain}: {asset.address}") for asset in found]


async def _quoted(ask: Ask, symbol: str, zone: tzinfo) -> str:
    """What one would cost and bring now, where no prices are told."""
    client = ask.account.client
    sides = (client.get_quote(symbol, side=side, quantity=Decimal(1)) for side in (Side.BUY, Side.SELL))
    buying, selling = await asyncio.gather(*sides)
    head = f"{symbol}: buy at {render.price(buying.price)}, sell at {render.price(selling.price)}"
    return f"{bold(head)}\n{text(f'For 1 {symbol}, in {buying.quote}, at {clock(selling.quoted_at, zone)}.')}"


def _span(window: str) -> str:
    """`24 h`, `7 d`, `30 min`, `1 mo`."""
    return f"{window[:-1]} {_UNITS[window[-1]]}"


def _label(ask: Ask) -> str:
    return text(ask.account.spec.label)
