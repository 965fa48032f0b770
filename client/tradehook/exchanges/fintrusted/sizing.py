"""From what somebody asked to what will be sent. Pure: prices and balances are given.

The exchange publishes no steps and no smallest order. What the user says of them (`symbol_rules`) is kept; without it,
what was typed is sent as it was typed, and what was computed is rounded down to eight places.
See: fintrusted-api 6.1, 6.2 and U12.
"""

from __future__ import annotations

import hashlib
from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, Context, Decimal
from typing import TYPE_CHECKING, Final

from tradehook.amounts import Amount, plain
from tradehook.errors import GuardRefused, InvalidInput
from tradehook.exchanges.fintrusted.envelope import EXCHANGE
from tradehook.exchanges.fintrusted.parse import STABLE
from tradehook.models import Side, SizedOrder, Unit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tradehook.exchanges.fintrusted.dialect import Dialect, SymbolRules
    from tradehook.models import Balance, NewOrder

LAST_PLACE: Final = Decimal("0.00000001")
FEE_RESERVE: Final = Decimal("0.002")
"""Set aside when spending "all": no fee is published; relatives take a tenth of a percent."""
MOST_APART: Final = Decimal("0.01")
"""How far two prices of the exchange for the same thing may be apart before neither is believed."""
_LARGEST_TAG: Final = Decimal("0.001")
_MOST_STEPS: Final = 999
_CENT: Final = Decimal("0.01")
_TEST_PRICE: Final = Decimal("0.75")
_TEST_WORTH: Final = Decimal(50)
WIDE: Final = Context(prec=80, rounding=ROUND_DOWN)
"""Room for all digits of what is typed and told; the usual 28 would round, and perhaps up."""


def check_prices(name: str, *, ticker: Decimal, converted: Decimal | None) -> None:
    """Refuse to size by a price that the exchange itself tells otherwise elsewhere.

    Raises:
        InvalidInput: they are more than a percent apart; names both.
    """
    if converted is not None and abs(ticker - converted) > MOST_APART * min(ticker, converted):
        raise InvalidInput(
            f"FinTrusted tells two prices of {name}: {plain(ticker)} by its ticker and {plain(converted)} by its "
            "conversion. They are more than 1 % apart, so nothing is sized by either. Try again later, or give a "
            "limit price.",
            exchange=EXCHANGE,
        )


def size(order: NewOrder, *, price: Decimal, balances: Sequence[Balance], dialect: Dialect) -> SizedOrder:
    """Settle an order.

    Args:
        order: what was asked.
        price: the limit price, or what the market costs now.
        balances: what is held; looked at for `50%` and `max`.
        dialect: what the user says of the exchange.

    Raises:
        InvalidInput: it cannot be sent as asked; `suggestions` says what to type instead.
    """
    rules = dialect.rules(order.market)
    if order.price is not None:
        _check_price(order.price, rules)
    if order.max_slippage is not None and not order.bounded:
        raise InvalidInput(
            "FinTrusted tells the last price and not what a quantity would get, so a slippage cannot be told before. "
            "Add --bounded: then it is sent as a limit that it cannot trade past.",
            exchange=EXCHANGE,
        )
    # A bounded one is sent as a limit order, whose amount is no question.
    if order.price is None and order.side is Side.BUY and not order.bounded:
        check_market_buy(order, dialect=dialect, price=price)
    quantity, unit, is_typed = _asked(order, price=price, balances=balances, dialect=dialect)
    step = _step(rules, unit)
    if step is not None:
        quantity = _down(quantity, step)
    elif not is_typed:
        quantity = quantity.quantize(LAST_PLACE, ROUND_DOWN, context=WIDE)
    smallest = step or LAST_PLACE
    asset = order.base if unit is Unit.BASE else order.quote
    if quantity <= 0:
        raise InvalidInput(
            f"That is less than the smallest quantity, {plain(smallest)} {asset}.", suggestions=(plain(smallest),)
        )
    worth = WIDE.multiply(quantity, price) if unit is Unit.BASE else quantity
    if rules.minimum is not None and worth < rules.minimum:
        raise InvalidInput(
            f"That is worth {plain(worth.quantize(_CENT, context=WIDE))} {order.quote}; your rules for {order.market} "
            f"say that the smallest order is {plain(rules.minimum)}."
        )
    return SizedOrder(
        base=order.base,
        quote=order.quote,
        side=order.side,
        quantity=quantity,
        unit=unit,
        price=order.price,
        typed=str(order.amount),
        reference_price=price,
        good_for=order.good_for,
        max_slippage=order.max_slippage,
    )


def bound(order: SizedOrder, *, at: Decimal, dialect: Dialect) -> SizedOrder:
    """A market order as a limit at a price, never worse than that; see `Exchange.bound_order`."""
    if order.quote not in STABLE:
        raise InvalidInput(
            f"Prices are told in dollars, so a bound in {order.quote} cannot be told. Give a limit price instead.",
            exchange=EXCHANGE,
        )
    rules = dialect.rules(order.market)
    tick, step = rules.price or LAST_PLACE, rules.amount or LAST_PLACE
    toward = ROUND_FLOOR if order.side is Side.BUY else ROUND_CEILING
    price = (at / tick).to_integral_value(toward) * tick
    quantity = order.quantity if order.unit is Unit.BASE else WIDE.divide(order.quantity, price or Decimal(1))
    quantity = _down(quantity, step)
    if price <= 0 or quantity <= 0 or (rules.minimum is not None and quantity * price < rules.minimum):
        raise InvalidInput(
            f"At {plain(price)} that is less than the smallest order of {order.base}; order a little more."
        )
    return order.model_copy(update={"price": price, "quantity": quantity, "unit": Unit.BASE, "bounded": True})


def tag(order: SizedOrder, *, by: str, dialect: Dialect) -> SizedOrder:
    """The order a few of its steps smaller, where the user says what its steps are; see `Exchange.tag_order`."""
    rules = dialect.rules(order.market)
    step = _step(rules, order.unit)
    if step is None:
        return order
    most = min(int(order.quantity * _LARGEST_TAG / step), _MOST_STEPS)
    if most < 1:
        return order
    off = (1 + int(hashlib.sha256(by.encode()).hexdigest()[:12], 16) % most) * step
    left = order.quantity - off
    price = order.price or order.reference_price or Decimal(0)
    if rules.minimum is not None and left * (price if order.unit is Unit.BASE else 1) < rules.minimum:
        return order
    return order.model_copy(update={"quantity": left, "tag": off})


def lot(dialect: Dialect) -> Decimal:
    """What quantities are whole multiples of in every market: the coarsest step that the user tells."""
    return max((rules.amount for rules in dialect.symbol_rules.values() if rules.amount), default=LAST_PLACE)


# --- what is not known of this exchange ---------------------------------------------------------------------------


def check_market_buy(order: NewOrder, *, dialect: Dialect, price: Decimal) -> None:
    """Refuse a market buy whose amount the exchange might count in another unit.

    Raises:
        InvalidInput: it cannot be sent as asked; says what can.
    """
    wanted = order.amount.kind
    match dialect.market_buy_unit:
        case "forbid":
            raise InvalidInput(f"{NO_MARKET_BUYS} Give a limit price instead.", exchange=EXCHANGE)
        case "quote" if wanted == "base":
            about = WIDE.multiply(order.amount.value, price).quantize(_CENT, ROUND_CEILING, context=WIDE)
            raise InvalidInput(
                f"{NO_BASE_BUYS} {plain(order.amount.value)} {order.base} cost about {plain(about)} {order.quote} now.",
                suggestions=(f"${plain(about)}",),
                exchange=EXCHANGE,
            )
        case "base" if wanted == "quote":
            about = WIDE.divide(order.amount.value, price).quantize(LAST_PLACE, ROUND_DOWN, context=WIDE)
            raise InvalidInput(
                f"{NO_QUOTE_BUYS} {plain(order.amount.value)} {order.quote} buy about {plain(about)} {order.base} now.",
                suggestions=(plain(about),),
                exchange=EXCHANGE,
            )


NO_MARKET_BUYS: Final = (
    "FinTrusted does not tell whether a market buy's amount counts what is bought or what is spent, so none is sent "
    "(TRADEHOOK_FINTRUSTED_MARKET_BUY_UNIT)."
)
NO_BASE_BUYS: Final = "A market buy at FinTrusted is sized in what is spent (TRADEHOOK_FINTRUSTED_MARKET_BUY_UNIT)."
NO_QUOTE_BUYS: Final = "A market buy at FinTrusted is sized in what is bought (TRADEHOOK_FINTRUSTED_MARKET_BUY_UNIT)."


def check_codes(order: SizedOrder, *, price: Decimal | None, dialect: Dialect) -> None:
    """Refuse a live order whose codes nobody has confirmed: reversed codes would send a limit order to market.

    Args:
        order: what would be sent.
        price: what the market costs now; `None` where that was looked at before.
        dialect: what the user says of the exchange.

    Raises:
        GuardRefused: `rule` is `enum_mapping`.
    """
    if dialect.confirm_enum_mapping == "true":
        return
    if dialect.confirm_enum_mapping == "test" and _is_harmless(order, price=price):
        return
    raise GuardRefused(
        "Nothing was sent: nobody has confirmed that FinTrusted's codes for limit and market orders are what its page "
        "says; its relatives have them the other way round. Set TRADEHOOK_FINTRUSTED_CONFIRM_ENUM_MAPPING=test: that "
        "lets through one kind of order, a BUY of BTC worth at most 50 with a limit at most three quarters of the "
        "market's price. Place the smallest one, and look on the site that it rests and that price times amount is "
        "frozen. Only then set it to true. Never try with a SELL: reversed, it would be sold at any price.",
        rule="enum_mapping",
        limit="confirmed",
        actual=dialect.confirm_enum_mapping,
        exchange=EXCHANGE,
    )


def _is_harmless(order: SizedOrder, *, price: Decimal | None) -> bool:
    """Whether next to nothing is lost if it is taken for a market order that spends its amount."""
    if order.price is None or order.side is not Side.BUY or order.base != "BTC":
        return False
    is_far = price is None or order.price <= price * _TEST_PRICE
    return is_far and order.quantity < 1 and order.quantity * order.price <= _TEST_WORTH


# --- parts --------------------------------------------------------------------------------------------------------


def _asked(
    order: NewOrder, *, price: Decimal, balances: Sequence[Balance], dialect: Dialect
) -> tuple[Decimal, Unit, bool]:
    """Quantity, unit, and whether a person wrote exactly that."""
    match order.amount:
        case Amount("base", value):
            return value, Unit.BASE, True
        case Amount("quote", value):
            if order.side is Side.SELL:  # sells are always sized in base
                return WIDE.divide(value, price), Unit.BASE, False
            return value, Unit.QUOTE, True
        case amount if order.side is Side.SELL:
            return _share(amount, symbol=order.base, balances=balances), Unit.BASE, False
        case amount:
            spend = WIDE.divide(_share(amount, symbol=order.quote, balances=balances), 1 + FEE_RESERVE)
            if order.price is not None or dialect.market_buy_unit == "base":
                return WIDE.divide(spend, price), Unit.BASE, False
            return spend, Unit.QUOTE, False


def _share(amount: Amount, *, symbol: str, balances: Sequence[Balance]) -> Decimal:
    found = sum((row.available for row in balances if row.symbol == symbol), Decimal(0))
    if found <= 0:
        raise InvalidInput(f"There is no {symbol} available at the exchange, so a share of it is nothing.")
    return found if amount.kind == "max" else WIDE.divide(WIDE.multiply(found, amount.value), Decimal(100))


def _down(quantity: Decimal, step: Decimal) -> Decimal:
    """Whole steps."""
    return WIDE.multiply(WIDE.divide_int(quantity, step), step)


def _step(rules: SymbolRules, unit: Unit) -> Decimal | None:
    """What a quantity of this unit is a multiple of; what is spent goes in steps of the price."""
    return rules.amount if unit is Unit.BASE else rules.price


def _check_price(price: Decimal, rules: SymbolRules) -> None:
    if rules.price is None:
        return
    below = (price / rules.price).to_integral_value(ROUND_FLOOR) * rules.price
    if below != price:
        above = below + rules.price
        offers = tuple(plain(each) for each in (below, above) if each > 0)
        raise InvalidInput(
            f"{plain(price)} lies between two prices: by your rules they go in steps of {plain(rules.price)}. "
            f"Write {' or '.join(offers)}.",
            suggestions=offers,
        )
