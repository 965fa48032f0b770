"""Several accounts at once, valued: what each holds, what it may spend, and what all of it is worth. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from tradehook.amounts import plain
from tradehook.errors import InvalidInput
from tradehook.leg_sizes import Stock
from tradehook.portfolio_goal import WHOLE, OnChain
from tradehook.portfolio_plan import Holding, Skip, cents

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tradehook.models import Balance
    from tradehook.portfolio_goal import Goal

MIXED = "USD"
"""What several kinds of cash are valued in."""
_SMALLEST_LOT = Decimal("0.00000001")


@dataclass(frozen=True, slots=True)
class Place:
    """One account as it is now."""

    account: str
    quote: str
    """Its cash: what everything is traded against there."""
    balances: Sequence[Balance]
    prices: Mapping[str, Decimal]
    """In its cash, of each target that is traded there."""
    lots: Mapping[str, Decimal]
    """What is traded whole multiples of there, for each of them."""
    fee: Decimal = Decimal(0)
    """Percent that a trade there is taken to cost."""
    no_buys: str = ""
    """The sentence that says why nothing can be bought there; empty where it can."""


@dataclass(frozen=True, slots=True)
class Corner:
    """One account, valued."""

    place: Place
    goal: Goal
    """With this account's cash and fee."""
    stocks: Mapping[str, Stock]
    cash: Decimal
    spendable: Decimal
    skips: Sequence[Skip]

    @property
    def name(self) -> str:
        """The account's."""
        return self.place.account

    def sellable(self, symbol: str) -> Decimal:
        """What can be sold there now, in value."""
        stock = self.stocks[symbol]
        return stock.free[None] * stock.price


@dataclass(frozen=True, slots=True)
class Whole:
    """Everything that takes part."""

    goal: Goal
    corners: Sequence[Corner]

    @property
    def cash(self) -> Decimal:
        """All that counts as cash."""
        return sum((corner.cash for corner in self.corners), Decimal(0))

    def worth(self, symbol: str) -> Decimal:
        """What all accounts hold of it, each at its own price."""
        return sum((corner.stocks[symbol].worth for corner in self.corners), Decimal(0))

    def worth_after(self, symbol: str, quantities: Mapping[str, Mapping[str, Decimal]]) -> Decimal:
        """The same with other quantities, by account and symbol; what is not among them stays as it is."""
        worth = Decimal(0)
        for corner in self.corners:
            stock = corner.stocks[symbol]
            worth += quantities[corner.name].get(symbol, stock.quantity) * stock.price
        return worth

    @property
    def total(self) -> Decimal:
        """What everything that takes part is worth."""
        return self.cash + sum((self.worth(symbol) for symbol in self.goal.symbols), Decimal(0))

    @property
    def divided(self) -> Decimal:
        """What the targets are percentages of."""
        return self.total - self.goal.buffer

    @property
    def unit(self) -> str:
        """What all of it is valued in."""
        quotes = {corner.place.quote for corner in self.corners}
        return quotes.pop() if len(quotes) == 1 else MIXED

    def stands(self, symbol: str) -> str:
        """How an asset stands against its target, in words."""
        percent = cents(self.worth(symbol) / self.divided * WHOLE)
        return f"{percent} % of the portfolio, target {plain(self.goal.targets[symbol])} %"


def gather(goal: Goal, places: Sequence[Place]) -> Whole:
    """Everything that takes part, account by account, by name.

    Raises:
        InvalidInput: the goal cannot be meant for these accounts.
    """
    if goal.on_chain is not OnChain.LEAVE:
        raise InvalidInput(
            "Over several accounts, what is on a chain is left alone. Set the targets without --on-chain, or rebalance "
            "one account."
        )
    quotes = {place.quote for place in places}
    for symbol in goal.symbols:
        if symbol in quotes:
            raise InvalidInput(f"{symbol} is cash at one of these accounts, so it cannot be a target of its own.")
        if not any(symbol in place.prices for place in places):
            names = ", ".join(sorted(place.account for place in places))
            raise InvalidInput(f"{symbol} is traded at none of these accounts: {names}.")
    ordered = sorted(places, key=lambda place: place.account)
    return Whole(goal, [_corner(goal, place, ordered, quotes=quotes) for place in ordered])


def _corner(goal: Goal, place: Place, places: Sequence[Place], *, quotes: set[str]) -> Corner:
    total = dict.fromkeys(goal.symbols, Decimal(0))
    free = dict.fromkeys(goal.symbols, Decimal(0))
    cash, spendable, skips = Decimal(0), Decimal(0), list[Skip]()

    def leave(symbol: str, why: str) -> None:
        skips.append(Skip(symbol=symbol, why=why, account=place.account))

    for row in place.balances:
        if row.total <= 0:
            continue
        if row.chain is not None:
            leave(row.symbol, f"on {row.chain}; only what the exchange holds takes part")
        elif row.symbol in total:
            total[row.symbol] += row.total
            if row.symbol in place.prices:
                free[row.symbol] += row.available
            else:
                leave(row.symbol, f"{plain(row.total)} counted, but it is not traded there, nor moved elsewhere")
        elif row.symbol == place.quote:
            cash += row.total
            spendable += row.available
        elif row.is_stable or row.symbol in quotes:
            cash += row.total
            leave(row.symbol, f"{plain(row.total)} counts as cash, is not spent")
        else:
            leave(row.symbol, "not in the targets; give it the target 0 to sell it")
    stocks = {}
    for symbol in goal.symbols:
        here = place.prices.get(symbol)
        price = here or next(other.prices[symbol] for other in places if symbol in other.prices)
        lot = place.lots.get(symbol, Decimal("0.00000001"))
        is_listed = here is not None and not place.no_buys
        stocks[symbol] = Stock(symbol, price, total[symbol], {None: free[symbol]}, lot, (), is_listed)
    own = goal.model_copy(update={"quote": place.quote, "fee": place.fee})
    return Corner(place, own, stocks, cash, spendable, skips)


def value(whole: Whole) -> list[Holding]:
    """How everything stands against the goal, an entry for each target and cash at the end.

    Raises:
        InvalidInput: there is nothing to divide.
    """
    goal, divided, unit = whole.goal, whole.divided, whole.unit
    if whole.total <= 0:
        raise InvalidInput(f"These accounts hold nothing of {goal.in_words()}: there is nothing to divide.")
    if divided <= 0:
        raise InvalidInput(
            f"These accounts are worth {cents(whole.total)} {unit}, and {plain(goal.buffer)} are set aside: there is "
            "nothing to divide. Make the buffer smaller."
        )
    rows = []
    for symbol in goal.symbols:
        at = {corner.name: corner.stocks[symbol].quantity for corner in whole.corners}
        free = sum((corner.stocks[symbol].free[None] for corner in whole.corners), Decimal(0))
        quantity, worth = sum(at.values(), Decimal(0)), whole.worth(symbol)
        price = worth / quantity if quantity else whole.corners[0].stocks[symbol].price
        rows.append((symbol, at, free, price, worth, worth, goal.targets[symbol]))
    at = {corner.name: corner.cash for corner in whole.corners}
    free = sum((corner.spendable for corner in whole.corners), Decimal(0))
    rows.append((unit, at, free, Decimal(1), whole.cash, whole.cash - goal.buffer, goal.cash_target))
    return [
        Holding(
            symbol=symbol,
            quantity=sum(at.values(), Decimal(0)),
            available=free,
            price=price,
            value=cents(worth),
            percent=cents(counts / divided * WHOLE),
            target=target,
            drift=cents(counts / divided * WHOLE - target),
            at=at,
        )
        for symbol, at, free, price, worth, counts, target in rows
    ]
