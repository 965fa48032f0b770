"""How large each leg is: whole lots, no more than is free to sell, no more than there is to spend. Pure.

Sells bring money first. What buys may spend is that and the free cash, less what is kept back. When it is not enough,
the buys are made smaller together; one that would fall below the smallest trade is dropped, the smallest first, and
the others share its part.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import ROUND_DOWN, Context, Decimal
from typing import TYPE_CHECKING

from tradehook.amounts import Amount, plain
from tradehook.models import Side
from tradehook.portfolio_goal import WHOLE
from tradehook.portfolio_plan import Leg, Skip, cents

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tradehook.portfolio_goal import Goal

_CENT = Decimal("0.01")
_WIDE = Context(prec=60)
_ON_CHAIN_LOT = Decimal("0.000001")
"""What every coin on a chain can be divided into."""


@dataclass(frozen=True, slots=True)
class Stock:
    """One target, and where it can be sold and bought."""

    symbol: str
    price: Decimal
    quantity: Decimal
    """All that counts."""
    free: Mapping[str | None, Decimal]
    """What can be sold, by chain; `None` is the exchange."""
    lot: Decimal
    """What the exchange's own book trades whole multiples of."""
    chains: Sequence[str] = ()
    """Where else it can be bought."""
    is_listed: bool = True
    """Whether the exchange itself trades it."""

    @property
    def worth(self) -> Decimal:
        """In quote."""
        return self.quantity * self.price


@dataclass(slots=True)
class Purse:
    """One coin at one place that buys may be paid with."""

    coin: str
    chain: str | None
    amount: Decimal


@dataclass(slots=True)
class Draft:
    """The legs, and how things stand once they are done at these prices."""

    legs: list[Leg] = field(default_factory=list)
    skips: list[Skip] = field(default_factory=list)
    quantities: dict[str, Decimal] = field(default_factory=dict)
    spent: Decimal = Decimal(0)
    """Cash that went out, less what came in."""
    fees: Decimal = Decimal(0)
    is_short: bool = False
    """Whether a buy lacks money for as much as the smallest trade."""


@dataclass(frozen=True, slots=True)
class Want:
    """A trade that would bring one asset to its target."""

    stock: Stock
    value: Decimal
    why: str
    is_all: bool = False
    """Whether nothing of it is to be left: what is computed from a price would leave dust."""


def draft(
    goal: Goal,
    sells: Sequence[Want],
    buys: Sequence[Want],
    *,
    purses: Sequence[Purse],
    kept: Decimal,
    brings: Mapping[str, str],
) -> Draft:
    """The legs for these wants, sells first.

    Args:
        goal: the smallest trade and the fee.
        sells: what there is too much of, larger first.
        buys: what there is too little of, larger first.
        purses: what may be spent, the quote asset at the exchange first.
        kept: how much of it at the exchange stays.
        brings: the coin that a sell on a chain brings in, by chain.
    """
    made = Draft(quantities={want.stock.symbol: want.stock.quantity for want in (*sells, *buys)})
    left = [Purse(purse.coin, purse.chain, purse.amount) for purse in purses]
    for want in sells:
        _sell(goal, want, made=made, purses=left, brings=brings)
    here = [purse for purse in left if purse.chain is None]
    for purse in here:
        held_back = min(kept, purse.amount)
        purse.amount -= held_back
        kept -= held_back
    listed = [want for want in buys if want.stock.is_listed]
    elsewhere = [want for want in buys if not want.stock.is_listed]
    missing = [*_buy(goal, listed, made=made, purses=here), *elsewhere]
    for purse in left:
        if purse.chain is not None:
            on_it = [want for want in missing if purse.chain in want.stock.chains]
            others = [want for want in missing if purse.chain not in want.stock.chains]
            missing = [*others, *_buy(goal, on_it, made=made, purses=[purse])]
    made.is_short = any(want.value >= max(goal.min_trade, _CENT) for want in missing)
    bought = {leg.base for leg in made.legs if leg.side is Side.BUY}
    for want in buys:
        if want.stock.symbol not in bought:
            made.skips.append(Skip(symbol=want.stock.symbol, why=_too_little(goal, want, left)))
    return made


def fit(wants: Sequence[Want], *, limit: Decimal, smallest: Decimal) -> dict[str, Decimal]:
    """What each may have when all together may have no more than `limit`; those that get too little get nothing."""
    taking = sorted(wants, key=lambda want: (want.value, want.stock.symbol))
    while taking:
        together = sum((want.value for want in taking), Decimal(0))
        part = {
            want.stock.symbol: want.value if together <= limit else want.value * limit / together for want in taking
        }
        part = {symbol: value.quantize(_CENT, ROUND_DOWN, context=_WIDE) for symbol, value in part.items()}
        first = taking[0].stock
        if part[first.symbol] >= max(smallest, _CENT) and _lots(part[first.symbol] / first.price, first.lot) > 0:
            return part
        taking.pop(0)
    return {}


def _sell(goal: Goal, want: Want, *, made: Draft, purses: list[Purse], brings: Mapping[str, str]) -> None:
    stock = want.stock
    wanted = stock.quantity if want.is_all else want.value / stock.price
    why, sold = want.why, Decimal(0)
    free = sum(stock.free.values(), Decimal(0))
    if wanted > free:
        why += f"; only {plain(free)} {stock.symbol} is free, open orders hold the rest"
    too_small: list[str] = []
    for chain, there in sorted(stock.free.items(), key=lambda place: place[0] or ""):
        quantity = _lots(min(wanted - sold, there), stock.lot if chain is None else _ON_CHAIN_LOT)
        worth = cents(quantity * stock.price)
        if worth < goal.min_trade or worth <= 0:
            too_small.append(f"{worth} {goal.quote}{f' on {chain}' if chain else ''} is less than the smallest trade")
            continue
        coin = brings[chain] if chain else goal.quote
        made.legs.append(
            Leg(
                side=Side.SELL,
                base=stock.symbol,
                quote=coin,
                amount=str(Amount("base", quantity)),
                value=worth,
                why=why,
                chain=chain,
            )
        )
        sold += quantity
        income = quantity * stock.price
        fee = income * goal.fee / WHOLE
        _purse(purses, coin, chain).amount += income - fee
        made.fees += fee
        made.spent -= income - fee
    made.quantities[stock.symbol] -= sold
    if not sold:
        reason = too_small[0] if too_small else f"0.00 {goal.quote} is less than the smallest trade"
        made.skips.append(Skip(symbol=stock.symbol, why=f"{why}; {reason}"))


def _buy(goal: Goal, wants: Sequence[Want], *, made: Draft, purses: list[Purse]) -> list[Want]:
    """Buy what these purses allow; returns what is still wanted."""
    with_fee = 1 + goal.fee / WHOLE
    there = max(sum((purse.amount for purse in purses), Decimal(0)), Decimal(0)) / with_fee
    wanted = sum((want.value for want in wants), Decimal(0))
    parts = fit(wants, limit=there, smallest=goal.min_trade)
    missing: list[Want] = []
    for want in wants:
        part = parts.get(want.stock.symbol, Decimal(0))
        why = want.why
        if part and wanted > there:
            why += (
                f"; made smaller from {cents(want.value)}, since {cents(there)} {goal.quote} is there to spend "
                f"({plain(goal.reserve)} % stays back for fees and moving prices)"
            )
        left, got = part, Decimal(0)
        for purse in purses:
            cost = min(left, max(purse.amount, Decimal(0)) / with_fee).quantize(_CENT, ROUND_DOWN, context=_WIDE)
            lot = want.stock.lot if purse.chain is None else _ON_CHAIN_LOT
            quantity = _lots(cost / want.stock.price, lot)
            if cost < max(goal.min_trade, _CENT) or quantity <= 0:
                continue
            made.legs.append(
                Leg(
                    side=Side.BUY,
                    base=want.stock.symbol,
                    quote=purse.coin,
                    amount=str(Amount("quote", cost)),
                    value=cost,
                    why=why,
                    chain=purse.chain,
                )
            )
            left -= cost
            purse.amount -= cost * with_fee
            worth = quantity * want.stock.price
            got += worth
            made.fees += worth * (with_fee - 1)
            made.spent += worth * with_fee
            made.quantities[want.stock.symbol] += quantity
        short = want.value - got  # what whole lots leave over is missing too
        if short > 0:
            missing.append(Want(want.stock, short, want.why))
    return missing


def _too_little(goal: Goal, want: Want, purses: Sequence[Purse]) -> str:
    there = cents(sum((purse.amount for purse in purses if purse.chain is None), Decimal(0)))
    one = want.stock.lot * want.stock.price
    if want.value < one:
        return f"{want.why}; {cents(want.value)} {goal.quote} buys less than one lot ({cents(one)} {goal.quote})"
    if want.value < goal.min_trade:
        return f"{want.why}; {cents(want.value)} {goal.quote} is less than the smallest trade"
    return (
        f"{want.why}; of {cents(want.value)} {goal.quote} its share of what is there to spend is less than the "
        f"smallest trade ({there} {goal.quote} is left, {plain(goal.reserve)} % stays back)"
    )


def _purse(purses: list[Purse], coin: str, chain: str | None) -> Purse:
    for purse in purses:
        if (purse.coin, purse.chain) == (coin, chain):
            return purse
    purses.append(Purse(coin, chain, Decimal(0)))
    return purses[-1]


def _lots(quantity: Decimal, lot: Decimal) -> Decimal:
    return _WIDE.multiply((quantity / lot).to_integral_value(ROUND_DOWN), lot)
