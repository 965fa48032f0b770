"""What somebody asks for when adding a spot order, read and checked in the look-alikes' order.

See: fintrusted-api 5.5 and 6.1.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

from tradehook_sandbox.fintrusted import messages
from tradehook_sandbox.fintrusted.calls import Refused, decimal, ordinal
from tradehook_sandbox.fintrusted.coins import PAIRS, SCALE, text_of
from tradehook_sandbox.walk import PRICE_SCALE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tradehook_sandbox.book import Side
    from tradehook_sandbox.fintrusted.coins import Pair
    from tradehook_sandbox.fintrusted.members import Member
    from tradehook_sandbox.fintrusted.rules import FinTrustedRules

_SIDES: Final[tuple[Side, Side]] = ("buy", "sell")
_LIMIT_FIRST: Final[tuple[Literal["limit", "market"], Literal["limit", "market"]]] = ("limit", "market")


@dataclass(slots=True)
class Closures:
    """What whoever runs the sandbox has forbidden on a pair."""

    is_disabled: bool = False
    no_market_buys: bool = False
    no_market_sells: bool = False
    min_sell_price: int = 0
    max_buy_price: int = 0
    """0: no such guard. Either guard forbids market orders on its side, too."""


@dataclass(frozen=True, slots=True)
class Wish:
    """A spot order that somebody wants, on the grid."""

    pair: Pair
    side: Side
    type: Literal["limit", "market"]
    price: int
    amount: int
    is_by_quote: bool = field(default=False)


def read_wish(
    form: Mapping[str, str], member: Member, *, rules: FinTrustedRules, closures: Mapping[str, Closures]
) -> Wish:
    """The order that a form asks for.

    Raises:
        Refused: the first of the look-alikes' checks that fails; money is looked at later.
    """
    side = _SIDES[ordinal(form, "direction", 2)]
    kind = _LIMIT_FIRST[ordinal(form, "type", 2) ^ rules.family_enums]
    is_limit = kind == "limit"
    price = decimal(form, "price", PRICE_SCALE, default=None if is_limit or rules.market_needs_price else "0")
    amount = decimal(form, "amount", SCALE)
    if member.is_disabled:
        raise Refused(messages.DISABLED_ACCOUNT)
    if is_limit and price <= 0:
        raise Refused(messages.WRONG_PRICE)
    if amount <= 0:
        raise Refused(messages.WRONG_AMOUNT)
    pair = PAIRS.get(form.get("symbol", ""))
    if pair is None:
        raise Refused(messages.UNKNOWN_SYMBOL)
    closed = closures[pair.symbol]
    if closed.is_disabled:
        raise Refused(messages.DISABLED_SYMBOL)
    is_by_quote = not is_limit and side == "buy" and rules.market_buy_unit == "quote"
    # Scaled down, never up and never to the nearest.
    price = price // pair.grid.tick * pair.grid.tick if is_limit else 0
    if not is_by_quote:
        amount = amount // pair.grid.lot * pair.grid.lot
    _check_size(pair, amount, is_by_quote=is_by_quote)
    if is_limit and price <= 0:
        raise Refused(messages.WRONG_PRICE)
    if {pair.base, pair.quote} & set(member.locked_coins):
        raise Refused(messages.LOCKED_WALLET)
    _check_closures(closed, side, price, is_limit=is_limit)
    return Wish(pair, side, kind, price, amount, is_by_quote)


def _check_size(pair: Pair, amount: int, *, is_by_quote: bool) -> None:
    least = pair.least_turnover if is_by_quote else pair.least_amount
    if amount < least:
        raise Refused(f"{messages.TOO_SMALL} {text_of(least)}")
    if not is_by_quote and amount > pair.most_amount:
        raise Refused(f"{messages.TOO_LARGE} {text_of(pair.most_amount)}")


def _check_closures(closed: Closures, side: Side, price: int, *, is_limit: bool) -> None:
    if side == "sell" and closed.min_sell_price and price < closed.min_sell_price:
        raise Refused(messages.WRONG_PRICE)
    if side == "buy" and closed.max_buy_price and (price > closed.max_buy_price or not is_limit):
        raise Refused(messages.WRONG_PRICE)
    if not is_limit and (closed.no_market_buys if side == "buy" else closed.no_market_sells):
        raise Refused(messages.NO_MARKET_ORDERS)
