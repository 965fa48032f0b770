"""From what somebody asked to what will be sent: quantities on the grid, symbols to addresses.

Pure: the prices, balances and assets it needs are given. Rounds down, never up, and says what it did.
"""

from __future__ import annotations

import hashlib
from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, Context, Decimal
from typing import TYPE_CHECKING

from tradehook.amounts import Amount, plain
from tradehook.errors import InvalidInput
from tradehook.exchanges.true_markets.increments import (
    MINIMUM_NOTIONAL,
    check_price,
    increment_at,
    round_quantity,
)
from tradehook.models import NewOrder, Side, SizedOrder, Unit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tradehook.models import Asset, Balance

BOOK_CURRENCY = "PYUSD"
"""What every book of the exchange settles in."""
DOLLARS = frozenset({"USD", "USDC", "PYUSD"})
"""Names that the exchange takes for it. On chain they are different coins."""
FEE_RESERVE = Decimal("0.001")
"""Set aside when spending "all": the fee is not published; about 0.0004 was seen (truemarkets-api 8.4)."""
_CENT = Decimal("0.01")
_LARGEST_TAG = Decimal("0.001")
_MOST_STEPS = 999
WIDE = Context(prec=60)
"""Room for 18 digits before the point and 18 behind it, and for what multiplying adds."""


def settle(order: NewOrder) -> NewOrder:
    """The same order with its market named as it settles: `BTC/USD` becomes `BTC/PYUSD` at the exchange."""
    if order.chain or order.quote not in DOLLARS:
        return order
    return order.model_copy(update={"quote": BOOK_CURRENCY})


def size_at_exchange(order: NewOrder, *, price: Decimal, balances: Sequence[Balance]) -> SizedOrder:
    """Settle an order for the exchange's own book.

    Args:
        order: what was asked.
        price: the limit price, or what a market order would get now; decides the grid.
        balances: what the account holds; looked at for `50%` and `max`.

    Raises:
        InvalidInput: less than one lot, less than the minimum, or a price between two ticks.
    """
    if order.price is not None:
        check_price(order.price)
    quantity, unit = _asked(order, price=price, balances=balances)
    if unit is Unit.BASE:
        rounded = round_quantity(quantity, price=price)
        if rounded == 0:
            lot = increment_at(price).lot
            raise InvalidInput(
                f"{plain(quantity)} {order.base} is less than the smallest quantity, {plain(lot)} {order.base} "
                f"(about {plain((lot * price).quantize(_CENT, context=WIDE))} {order.quote}).",
                suggestions=(plain(lot),),
            )
        notional = rounded * price
    else:
        rounded = notional = quantity.quantize(_CENT, ROUND_DOWN, context=WIDE)
        if round_quantity(rounded / price, price=price) == 0 or rounded == 0:
            smallest = (increment_at(price).lot * price * (1 + FEE_RESERVE)).quantize(_CENT, context=WIDE) + _CENT
            comes = "buys" if order.side is Side.BUY else "is worth"
            raise InvalidInput(
                f"{plain(quantity)} {order.quote} {comes} less than the smallest quantity of {order.base}. "
                f"Write ${plain(smallest)} or more.",
                suggestions=(f"${plain(smallest)}",),
            )
    if notional < MINIMUM_NOTIONAL:
        raise InvalidInput(
            f"That is worth {plain(notional.quantize(_CENT, context=WIDE))} {order.quote}; the smallest order is 1.00."
        )
    return _sized(order, quantity=rounded, unit=unit, reference_price=price)


def size_on_chain(order: NewOrder, *, assets: Sequence[Asset], balances: Sequence[Balance]) -> SizedOrder:
    """Settle an order for a chain: symbols become the one asset on that chain that has them.

    Raises:
        InvalidInput: no or several assets of that name, or an amount that the chain does not take.
    """
    base, quote = (one_asset(symbol, chain=order.chain or "", assets=assets) for symbol in (order.base, order.quote))
    given, unit = (quote, Unit.QUOTE) if order.side is Side.BUY else (base, Unit.BASE)
    match order.amount:
        case Amount("base" | "quote" as kind, value):
            if kind != unit:
                raise InvalidInput(
                    f"On chain, a {order.side} is sized in {given.symbol}, what you give: "
                    f"write {'$100' if unit is Unit.QUOTE else '0.5'}, for example.",
                    suggestions=("$100",) if unit is Unit.QUOTE else ("0.5",),
                )
            quantity = value
        case amount:
            quantity = share(amount, of=available(given.symbol, chain=order.chain, balances=balances))
    quantity = quantity.quantize(unit_of(given), ROUND_DOWN, context=WIDE)
    if quantity <= 0:
        raise InvalidInput(f"That is less than the smallest amount of {given.symbol}.")
    sized = _sized(order, quantity=quantity, unit=unit, reference_price=None)
    return sized.model_copy(
        update={
            "base_address": base.address,
            "quote_address": quote.address,
            "base_decimals": base.decimals,
            "quote_decimals": quote.decimals,
        }
    )


def bound(order: SizedOrder, *, at: Decimal) -> SizedOrder:
    """A market order as a limit at a price, never worse than that; see `Exchange.bound_order`."""
    tick = increment_at(at).tick
    toward = ROUND_FLOOR if order.side is Side.BUY else ROUND_CEILING
    price = (at / tick).to_integral_value(toward) * tick
    quantity = order.quantity if order.unit is Unit.BASE else order.quantity / price
    quantity = round_quantity(quantity, price=price)
    if quantity == 0 or quantity * price < MINIMUM_NOTIONAL:
        raise InvalidInput(
            f"At {plain(price)} that is less than the smallest order of {order.base}; order a little more."
        )
    return order.model_copy(update={"price": price, "quantity": quantity, "unit": Unit.BASE, "bounded": True})


def tag(order: SizedOrder, *, by: str) -> SizedOrder:
    """An order at the exchange a few lots (or cents) smaller, at most a thousandth: see `Exchange.tag_order`."""
    price = order.price or order.reference_price
    if order.chain or price is None:
        return order
    step = increment_at(price).lot if order.unit is Unit.BASE else _CENT
    most = min(int(order.quantity * _LARGEST_TAG / step), _MOST_STEPS)
    if most < 1:
        return order
    off = (1 + int(hashlib.sha256(by.encode()).hexdigest()[:12], 16) % most) * step
    left = order.quantity - off
    if left * (price if order.unit is Unit.BASE else 1) < MINIMUM_NOTIONAL:
        return order
    return order.model_copy(update={"quantity": left, "tag": off})


def _asked(order: NewOrder, *, price: Decimal, balances: Sequence[Balance]) -> tuple[Decimal, Unit]:
    match order.amount:
        case Amount("base", value):
            return value, Unit.BASE
        case Amount("quote", value):
            return value, Unit.QUOTE
        case amount if order.side is Side.SELL:
            return share(amount, of=available(order.base, chain=None, balances=balances)), Unit.BASE
        case amount:
            spend = share(amount, of=available(order.quote, chain=None, balances=balances)) / (1 + FEE_RESERVE)
            return (spend / price, Unit.BASE) if order.price is not None else (spend, Unit.QUOTE)


def unit_of(asset: Asset) -> Decimal:
    """The smallest quantity that an asset can be divided into."""
    decimals = asset.decimals if asset.decimals is not None else 6
    return Decimal(1).scaleb(-min(decimals, 18))


def share(amount: Amount, *, of: Decimal) -> Decimal:
    """`50%` or `max` of a quantity."""
    return of if amount.kind == "max" else of * amount.value / 100


def available(symbol: str, *, chain: str | None, balances: Sequence[Balance]) -> Decimal:
    """What can be used of an asset at one place. Raises `InvalidInput` when that is nothing."""
    found = sum((row.available for row in balances if row.symbol == symbol and row.chain == chain), Decimal(0))
    if found <= 0:
        where = f"on {chain}" if chain else "at the exchange"
        raise InvalidInput(f"There is no {symbol} available {where}, so a share of it is nothing.")
    return found


def one_asset(symbol: str, *, chain: str, assets: Sequence[Asset]) -> Asset:
    """The one asset of that name on a chain. Raises `InvalidInput` when there are none or several."""
    found = [asset for asset in assets if asset.symbol == symbol and asset.chain == chain and asset.address]
    if len(found) == 1:
        return found[0]
    if found:
        raise InvalidInput(
            f"{len(found)} assets on {chain} are called {symbol}; it is not safe to guess which one is meant."
        )
    chains = sorted({asset.chain for asset in assets if asset.chain})
    if chain not in chains:
        raise InvalidInput(f"There is no chain {chain} here: write {' or '.join(chains)}.", suggestions=tuple(chains))
    elsewhere = sorted({asset.chain or "the exchange" for asset in assets if asset.symbol == symbol})
    hint = f" It is on {', '.join(elsewhere)}." if elsewhere else " See `tradehook assets`."
    raise InvalidInput(f"There is no {symbol} on {chain}.{hint}")


def _sized(order: NewOrder, *, quantity: Decimal, unit: Unit, reference_price: Decimal | None) -> SizedOrder:
    return SizedOrder(
        base=order.base,
        quote=order.quote,
        side=order.side,
        quantity=quantity,
        unit=unit,
        price=order.price,
        chain=order.chain,
        typed=str(order.amount),
        reference_price=reference_price,
        good_for=order.good_for,
        max_slippage=order.max_slippage,
    )
