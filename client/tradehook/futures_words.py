"""Futures in words for a person, for every front end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tradehook.amounts import plain
from tradehook.models import OrderStatus
from tradehook.render import price

if TYPE_CHECKING:
    from tradehook.futures import FuturesOrder, SizedFuturesOrder


def futures_words(order: SizedFuturesOrder) -> str:
    """What an order would do: `Open long 10 contracts of BTC/USDT, 10x, at 73,000.0`."""
    verb = "Close" if order.reduces else "Open"
    count = f"{plain(order.contracts)} contract{'' if order.contracts == 1 else 's'}"
    times = f", {order.leverage}x" if order.leverage is not None else ""
    limit = f", at {price(order.price)} or better" if order.price is not None else ""
    trigger = f", once the price reaches {price(order.trigger)}" if order.trigger is not None else ""
    return f"{verb} {order.position_side} {count} of {order.contract}{times}{limit}{trigger}"


def futures_line(order: FuturesOrder) -> str:
    """An order in one line that begins with the fact: `Filled: open long 10 contracts of BTC/USDT at 74,000.0`."""
    what = " ".join(str(word) for word in (order.action, order.position_side) if word is not None)
    count = f" {plain(order.contracts)} contracts" if order.contracts is not None else ""
    at = f" at {price(order.average_price)}" if order.average_price else ""
    gain = f", profit {plain(order.profit)}" if order.profit else ""
    costs = f", fee {plain(order.fee)}" if order.fee is not None and order.status is OrderStatus.FILLED else ""
    blast = ", liquidated by the exchange" if order.is_liquidation else ""
    odd = f". {order.evidence}" if order.evidence else ""
    status = str(order.status).replace("_", " ").capitalize()
    return f"{status}: {what}{count} of {order.contract or '?'}{at}{gain}{costs}{blast}{odd}"
