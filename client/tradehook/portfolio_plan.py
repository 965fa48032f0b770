"""The values a rebalance is made of: what is held, the legs that lead to the goal, and what is left out and why."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

from pydantic import Field

from tradehook.amounts import plain
from tradehook.models import NewOrder, Side, Value, instrument

_CENT = Decimal("0.01")


class Holding(Value):
    """How much of the portfolio one asset is, and how much it should be."""

    symbol: str
    quantity: Decimal
    available: Decimal
    """What of it is free at the exchange."""
    price: Decimal
    """Quote for one; 1 for cash."""
    value: Decimal
    """In quote, to the cent."""
    percent: Decimal
    target: Decimal
    drift: Decimal
    """Percent points above (or below) the target."""
    at: dict[str, Decimal] = Field(default_factory=dict)
    """How much of it each account has, where a plan is over several."""


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
    chain: str | None = None
    """Where it is traded; `None` is the exchange."""
    account: str = ""
    """Whose order it is, where a plan is over several accounts."""

    @property
    def market(self) -> str:
        """`BTC/PYUSD`."""
        return instrument(self.base, self.quote)

    def order(self) -> NewOrder:
        """The order it stands for."""
        return NewOrder.of(self.market, side=self.side, amount=self.amount, chain=self.chain)

    def in_words(self) -> str:
        """`sell 0.1203 BTC` or `buy ETH for 1500.00 PYUSD`."""
        where = f"{f' on {self.chain}' if self.chain else ''}{f' at {self.account}' if self.account else ''}"
        if self.side is Side.SELL:
            return f"sell {self.amount} {self.base}{where}"
        return f"buy {self.base} for {self.amount.removeprefix('$')} {self.quote}{where}"


class Skip(Value):
    """Something that is left as it is, and why."""

    symbol: str
    why: str
    account: str = ""
    """Where, when a plan is over several accounts and it is about one."""

    def in_words(self) -> str:
        """`SOL at main: not in the targets`."""
        return f"{self.symbol}{f' at {self.account}' if self.account else ''}: {self.why}"


class Part(Value):
    """What holds of one account of a plan."""

    account: str
    quote: str
    """What is cash there."""
    cash: Decimal
    """Cash that is free before anything is sold."""
    kept: Decimal
    """What buys leave of the cash: buffer and reserve."""
    buffer: Decimal
    fee: Decimal
    """Percent that a trade is taken to cost."""


class Plan(Value):
    """What is held, the legs that lead to the goal, and what is left out."""

    quote: str
    total: Decimal
    """Value of everything that takes part, in quote."""
    cash: Decimal
    """Cash that is free at the exchange before anything is sold."""
    reserve: Decimal
    kept: Decimal = Decimal(0)
    """What buys leave of the cash: buffer and reserve, in quote."""
    buffer: Decimal = Decimal(0)
    fee: Decimal = Decimal(0)
    """Percent that a trade is taken to cost."""
    min_trade: Decimal = Decimal(0)
    holdings: tuple[Holding, ...]
    legs: tuple[Leg, ...]
    skips: tuple[Skip, ...]
    parts: tuple[Part, ...] = ()
    """The accounts of a plan over several."""

    def part(self, account: str) -> Part:
        """What holds at the account of a leg."""
        for part in self.parts:
            if part.account == account:
                return part
        return Part(account=account, quote=self.quote, cash=self.cash, kept=self.kept, buffer=self.buffer, fee=self.fee)

    def lines(self) -> list[str]:
        """The plan in words, a line each."""
        shown = [
            f"{held.symbol}: {held.percent} % of the portfolio, target {plain(held.target)} % "
            f"({plain(held.quantity)} worth {held.value} {self.quote})"
            for held in self.holdings
        ]
        legs = [f"{number}. {leg.in_words()}: {leg.why}" for number, leg in enumerate(self.legs, start=1)]
        skips = [f"left alone: {skip.in_words()}" for skip in self.skips]
        return [*shown, *(legs or ["nothing to trade"]), *skips]


def cents(amount: Decimal) -> Decimal:
    """To the nearest cent, or the nearest hundredth of a percent."""
    return amount.quantize(_CENT, ROUND_HALF_UP)
