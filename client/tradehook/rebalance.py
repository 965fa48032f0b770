"""From what is held to what should be held: the orders ("legs") that lead there, each with its reason. Pure.

The rules, in words:
- only the assets named in the targets take part, and only what the exchange itself holds of them; the rest is
  left alone and said so. To get rid of an asset, give it the target 0;
- cash (the quote asset) is a target too: the one that is named, or what the others leave of 100 %;
- an asset inside the drift band is left alone, unless cash is outside its own: then whatever brings cash back
  is traded, even from inside the band;
- a trade goes to the target itself, not to the edge of the band, and never below the smallest trade;
- sells come before buys, larger before smaller; buys share what is there to spend, less a reserve for fees and
  for the price moving between the plan and the trade.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING

from pydantic import Field

from tradehook.amounts import Amount, parse_symbol, plain
from tradehook.errors import InvalidInput
from tradehook.models import NewOrder, Side, Value, instrument

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tradehook.models import Balance

WHOLE = Decimal(100)
_CENT = Decimal("0.01")
_QUANTUM = Decimal("0.00000001")
_NUMBER = re.compile(r"\d{1,18}(?:\.\d{1,18})?", re.ASCII)

Number = Decimal | int | str


class Goal(Value):
    """What somebody asked for. Percentages and the band in percent points, the smallest trade in quote."""

    targets: dict[str, Decimal]
    """Symbol to percent of the portfolio; may name the quote asset."""
    quote: str
    """Cash: what everything is traded against and valued in."""
    band: Decimal
    min_trade: Decimal
    reserve: Decimal
    """Percent of the money to spend that buys leave over, for fees and for prices that move."""

    @classmethod
    def of(
        cls,
        targets: Mapping[str, Number],
        *,
        quote: str,
        band: Number = "1",
        min_trade: Number = "10",
        reserve: Number = "0.5",
    ) -> Goal:
        """Check and make one.

        Raises:
            InvalidInput: something cannot be meant; says what, and what to write instead.
        """
        quote = parse_symbol(quote)
        if not targets:
            raise InvalidInput("There are no targets: write them like {'BTC': '60', 'ETH': '30'}.")
        read: dict[str, Decimal] = {}
        for name, percent in targets.items():
            symbol = parse_symbol(str(name))
            if symbol in read:
                raise InvalidInput(f"{symbol} is named twice in the targets.")
            read[symbol] = _number(percent, what=f"target of {symbol}", most=WHOLE)
        named = sum(read.values(), Decimal(0))
        if named > WHOLE:
            raise InvalidInput(f"The targets add up to {plain(named)} %, which is more than everything.")
        if quote in read and named != WHOLE:
            raise InvalidInput(
                f"The targets add up to {plain(named)} % and name {quote}, so {plain(WHOLE - named)} % is nowhere: "
                f"make them 100 %, or leave {quote} out and it takes what is left."
            )
        if not set(read) - {quote}:
            raise InvalidInput(f"The targets name nothing but {quote}; to sell an asset, give it the target 0.")
        return cls(
            targets=read,
            quote=quote,
            band=_number(band, what="drift band", most=WHOLE),
            min_trade=_number(min_trade, what="smallest trade"),
            reserve=_number(reserve, what="reserve", most=Decimal(50)),
        )

    @property
    def symbols(self) -> list[str]:
        """The assets to trade: every target but cash, by name."""
        return sorted(set(self.targets) - {self.quote})

    @property
    def cash_target(self) -> Decimal:
        """The percentage that stays in cash."""
        return WHOLE - sum((self.targets[symbol] for symbol in self.symbols), Decimal(0))

    def in_words(self) -> str:
        """The goal in one line: `BTC 60 %, ETH 30 %, PYUSD 10 %`."""
        parts = [f"{symbol} {plain(self.targets[symbol])} %" for symbol in self.symbols]
        return ", ".join([*parts, f"{self.quote} {plain(self.cash_target)} %"])

    def settled_in(self, quote: str) -> Goal:
        """The same goal with cash under the name it settles as: `USD` is a way to write `PYUSD`."""
        if quote == self.quote:
            return self
        targets = {quote if symbol == self.quote else symbol: share for symbol, share in self.targets.items()}
        return self.model_copy(update={"quote": quote, "targets": targets})


class Holding(Value):
    """How much of the portfolio one asset is, and how much it should be."""

    symbol: str
    quantity: Decimal
    available: Decimal
    price: Decimal
    """Quote for one; 1 for cash."""
    value: Decimal
    """In quote, to the cent."""
    percent: Decimal
    target: Decimal
    drift: Decimal
    """Percent points above (or below) the target."""


class Leg(Value):
    """One order of a plan: frozen, so that a rerun asks for the very same."""

    side: Side
    base: str
    quote: str
    amount: str
    """As `amounts.py` reads it: base for a sell, `$` quote for a buy."""
    value: Decimal = Field(gt=0)
    """About what it is worth in quote, at the plan's price."""
    why: str

    @property
    def market(self) -> str:
        """`BTC/PYUSD`."""
        return instrument(self.base, self.quote)

    def order(self) -> NewOrder:
        """The order it stands for."""
        return NewOrder.of(self.market, side=self.side, amount=self.amount)

    def in_words(self) -> str:
        """`sell 0.1203 BTC` or `buy ETH for 1500.00 PYUSD`."""
        if self.side is Side.SELL:
            return f"sell {self.amount} {self.base}"
        return f"buy {self.base} for {self.amount.removeprefix('$')} {self.quote}"


class Skip(Value):
    """Something that is left as it is, and why."""

    symbol: str
    why: str


class Plan(Value):
    """What is held, the legs that lead to the goal, and what is left out."""

    quote: str
    total: Decimal
    """Value of everything that takes part, in quote."""
    cash: Decimal
    """Quote that is free to spend before anything is sold."""
    reserve: Decimal
    holdings: tuple[Holding, ...]
    legs: tuple[Leg, ...]
    skips: tuple[Skip, ...]

    def lines(self) -> list[str]:
        """The plan in words, a line each."""
        shown = [
            f"{held.symbol}: {held.percent} % of the portfolio, target {plain(held.target)} % "
            f"({plain(held.quantity)} worth {held.value} {self.quote})"
            for held in self.holdings
        ]
        legs = [f"{number}. {leg.in_words()}: {leg.why}" for number, leg in enumerate(self.legs, start=1)]
        skips = [f"left alone: {skip.symbol}: {skip.why}" for skip in self.skips]
        return [*shown, *(legs or ["nothing to trade"]), *skips]


@dataclass(frozen=True, slots=True)
class _Want:
    """A trade that would bring one asset to its target. `value` in quote."""

    held: Holding
    value: Decimal
    why: str


def plan(goal: Goal, *, balances: Sequence[Balance], prices: Mapping[str, Decimal]) -> Plan:
    """What to trade to reach the goal. Every target shows up in a leg, in a skip, or is cash.

    Args:
        goal: what is wanted.
        balances: everything the account holds; what is on a chain is left alone.
        prices: quote for one of each target.

    Raises:
        InvalidInput: a price is missing, or there is nothing to divide.
    """
    holdings = value(goal, balances=balances, prices=prices)
    total = sum((held.quantity * held.price for held in holdings), Decimal(0))
    cash = holdings[-1]
    skips: list[Skip] = []
    sells: list[_Want] = []
    buys: list[_Want] = []
    for held in holdings[:-1]:
        gap = total * held.target / WHOLE - held.quantity * held.price
        why, is_wanted = _reason(held, cash, goal=goal)
        if is_wanted and abs(gap) < goal.min_trade:
            why, is_wanted = f"{why}; {_cents(abs(gap))} {goal.quote} is less than the smallest trade", False
        if not is_wanted:
            skips.append(Skip(symbol=held.symbol, why=why))
        else:
            (buys if gap > 0 else sells).append(_Want(held, abs(gap), why))
    sell_legs = [leg for want in _largest_first(sells) if (leg := _sell(want, goal=goal, skips=skips))]
    proceeds = sum((leg.value for leg in sell_legs), Decimal(0))
    buy_legs = _buys(_largest_first(buys), spendable=cash.available + proceeds, goal=goal, skips=skips)
    return Plan(
        quote=goal.quote,
        total=_cents(total),
        cash=cash.available,
        reserve=goal.reserve,
        holdings=tuple(holdings),
        legs=(*sell_legs, *buy_legs),
        skips=(*skips, *_outsiders(goal, balances)),
    )


def value(goal: Goal, *, balances: Sequence[Balance], prices: Mapping[str, Decimal]) -> list[Holding]:
    """How the portfolio stands against the goal, an entry for each target and cash at the end.

    Raises:
        InvalidInput: a price is missing, or there is nothing to divide.
    """
    rows: list[tuple[str, Decimal, Decimal, Decimal]] = []
    for symbol in [*goal.symbols, goal.quote]:
        price = Decimal(1) if symbol == goal.quote else prices.get(symbol)
        if price is None or price <= 0:
            raise InvalidInput(f"There is no price for {symbol} in {goal.quote}, so its share cannot be told.")
        here = [row for row in balances if row.symbol == symbol and row.chain is None]
        quantity = sum((row.total for row in here), Decimal(0))
        rows.append((symbol, quantity, sum((row.available for row in here), Decimal(0)), price))
    total = sum((quantity * price for _, quantity, _, price in rows), Decimal(0))
    if total <= 0:
        raise InvalidInput(f"The account holds nothing of {goal.in_words()}: there is nothing to divide.")
    holdings = []
    for symbol, quantity, available, price in rows:
        target = goal.cash_target if symbol == goal.quote else goal.targets[symbol]
        percent = quantity * price / total * WHOLE
        holdings.append(
            Holding(
                symbol=symbol,
                quantity=quantity,
                available=available,
                price=price,
                value=_cents(quantity * price),
                percent=_cents(percent),
                target=target,
                drift=_cents(percent - target),
            )
        )
    return holdings


def _reason(held: Holding, cash: Holding, *, goal: Goal) -> tuple[str, bool]:
    """Why this asset is traded or not, and whether."""
    stands = f"{held.percent} % of the portfolio, target {plain(held.target)} %"
    if abs(held.drift) > goal.band:
        return f"{stands}: outside the band of {plain(goal.band)} points", True
    helps = held.drift * cash.drift < 0  # too little of one, too much of the other
    if abs(cash.drift) > goal.band and helps:
        return f"{stands}: inside its band, but {cash.symbol} is {abs(cash.drift)} points off its target", True
    return f"{stands}: inside the band of {plain(goal.band)} points", False


def _sell(want: _Want, *, goal: Goal, skips: list[Skip]) -> Leg | None:
    held = want.held
    # A target of 0 means all of it: what is computed from a price would leave dust.
    quantity = held.quantity if held.target == 0 else want.value / held.price
    why = want.why
    if quantity > held.available:
        quantity = held.available
        why += f"; only {plain(held.available)} {held.symbol} is free, open orders hold the rest"
    quantity = quantity.quantize(_QUANTUM, ROUND_DOWN)
    worth = _cents(quantity * held.price)
    if worth < goal.min_trade or worth <= 0:
        skips.append(Skip(symbol=held.symbol, why=f"{why}; {worth} {goal.quote} is less than the smallest trade"))
        return None
    amount = Amount("base", quantity)
    return Leg(side=Side.SELL, base=held.symbol, quote=goal.quote, amount=str(amount), value=worth, why=why)


def _buys(wants: Sequence[_Want], *, spendable: Decimal, goal: Goal, skips: list[Skip]) -> list[Leg]:
    """The buys, made smaller together when there is not enough to spend."""
    spendable = spendable * (WHOLE - goal.reserve) / WHOLE
    wanted = sum((want.value for want in wants), Decimal(0))
    legs = []
    for want in wants:
        cost, why = want.value, want.why
        if wanted > spendable:
            cost = want.value * spendable / wanted
            why += (
                f"; made smaller from {_cents(want.value)}, since {_cents(spendable)} {goal.quote} is there to spend "
                f"({plain(goal.reserve)} % stays back for fees and moving prices)"
            )
        cost = cost.quantize(_CENT, ROUND_DOWN)
        if cost < goal.min_trade or cost <= 0:
            skips.append(Skip(symbol=want.held.symbol, why=f"{why}; {cost} is less than the smallest trade"))
            continue
        amount = Amount("quote", cost)
        legs.append(
            Leg(side=Side.BUY, base=want.held.symbol, quote=goal.quote, amount=str(amount), value=cost, why=why)
        )
    return legs


def _outsiders(goal: Goal, balances: Sequence[Balance]) -> list[Skip]:
    found = []
    for row in balances:
        if row.total <= 0:
            continue
        if row.chain is not None:
            found.append(Skip(symbol=row.symbol, why=f"on {row.chain}; only what the exchange holds takes part"))
        elif row.symbol not in goal.targets and row.symbol != goal.quote:
            found.append(Skip(symbol=row.symbol, why="not in the targets; give it the target 0 to sell it"))
    return found


def _largest_first(wants: Sequence[_Want]) -> list[_Want]:
    return sorted(wants, key=lambda want: (-want.value, want.held.symbol))


def _cents(amount: Decimal) -> Decimal:
    return amount.quantize(_CENT, ROUND_HALF_UP)


def _number(number: object, *, what: str, most: Decimal | None = None) -> Decimal:
    """A decimal from 0 up to `most`. A float is refused: 33.3 as a float is not 33.3."""
    if isinstance(number, float):
        raise InvalidInput(f"The {what} is a float; write it as text: '{number}'.", suggestions=(f"'{number}'",))
    text = plain(number) if isinstance(number, Decimal) and number.is_finite() else str(number).strip()
    if isinstance(number, bool) or not _NUMBER.fullmatch(text):
        raise InvalidInput(f"The {what} is {text[:40]!r}; write a number like 12.5.")
    read = Decimal(text)
    if most is not None and read > most:
        raise InvalidInput(f"The {what} is {plain(read)} %; it goes up to {plain(most)} %.")
    return read
