"""How much worse than the market an order may be expected to trade: looked at right before it is sent.

The market's price comes from the exchange's published prices, what the order would get from its own quote (or, on a
chain, from what we are asked to sign). Both are in US dollars for one, so a stable coin off its peg counts as slippage.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from tradehook.amounts import plain
from tradehook.errors import GuardRefused, InvalidInput, TradehookError
from tradehook.models import Side

if TYPE_CHECKING:
    from tradehook.contract import Exchange
    from tradehook.models import NewOrder, Order, SizedOrder

_WHOLE = Decimal(100)
_SHOWN = Decimal("0.001")


async def bound(exchange: Exchange, order: NewOrder, sized: SizedOrder) -> SizedOrder:
    """The order as a limit at the market's price and its slippage, where it asks to be bounded."""
    if not order.bounded or order.max_slippage is None:
        return sized
    price = await market_price(exchange, order.base)
    sign = 1 if order.side is Side.BUY else -1
    return exchange.bound_order(sized, at=price * (_WHOLE + sign * order.max_slippage) / _WHOLE)


async def check(exchange: Exchange, sized: SizedOrder) -> None:
    """Refuse a market order that would now trade worse than it may.

    Raises:
        GuardRefused: `rule` is `slippage`: it would, or the price to compare with cannot be had.
    """
    if sized.max_slippage is None or sized.chain is not None or sized.bounded:
        return  # on a chain it is looked at before signing; a bounded one cannot trade worse
    market = await market_price(exchange, sized.base)
    found = await exchange.get_quote(
        sized.base, quote=sized.quote, side=sized.side, quantity=sized.quantity, unit=sized.unit
    )
    _compare(sized, expected=found.price, market=market)


async def check_created(exchange: Exchange, sized: SizedOrder, created: Order) -> None:
    """The same for an order on a chain, by the quote that comes with what is to be signed. Raises as `check` does."""
    if sized.max_slippage is None:
        return
    quote = created.chain_quote
    if quote is None or not quote.output:
        raise GuardRefused(
            "Not signed: a slippage was given, and the exchange did not say what the order would get.", rule="slippage"
        )
    _compare(sized, expected=quote.price_of(sized.side), market=await market_price(exchange, sized.base))


async def market_price(exchange: Exchange, symbol: str) -> Decimal:
    """What one costs in US dollars, by the exchange's published prices. Raises `GuardRefused` when it cannot be had."""
    if exchange.prices is None:
        raise InvalidInput(f"{exchange.spec.label} publishes no prices, so slippage cannot be told. Leave it out.")
    try:
        return (await exchange.prices.ticker(symbol)).price
    except TradehookError as error:
        raise GuardRefused(
            f"Nothing was sent: a slippage was given, and the price of {symbol} to compare with cannot be had "
            f"({error.message})",
            rule="slippage",
            actual="no price",
        ) from None


def _compare(sized: SizedOrder, *, expected: Decimal, market: Decimal) -> None:
    worse = (expected - market if sized.side is Side.BUY else market - expected) * _WHOLE / market
    if sized.max_slippage is not None and worse > sized.max_slippage:
        raise GuardRefused(
            f"Nothing was sent: this {sized.side} would trade at about {plain(expected.quantize(_SHOWN))}, "
            f"{plain(worse.quantize(_SHOWN))} % worse than the market at {plain(market)}. At most "
            f"{plain(sized.max_slippage)} % was allowed. Try later, trade less, or allow more.",
            rule="slippage",
            limit=f"{plain(sized.max_slippage)} %",
            actual=f"{plain(worse.quantize(_SHOWN))} %",
        )
