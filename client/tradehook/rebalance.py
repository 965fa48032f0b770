"""From what is held to what should be held: the orders ("legs") that lead there, each with its reason. Pure.

The rules, in words:
- only the assets named in the targets take part; the rest is left alone and said so. To get rid of an asset, give it
  the target 0. What is on a chain takes part only if the goal says so;
- cash is a target too: the one that is named, or what the others leave of 100 %. Every stable coin at the exchange
  that is no target counts as cash; a buffer is set aside before the rest is divided;
- an asset inside the drift band is left alone, unless cash would end outside its own: then whatever brings cash back
  is traded, even from inside the band;
- a trade goes to the target itself, not to the edge of the band, and never below the smallest trade;
- sells come before buys, larger before smaller; how large each is stands in `leg_sizes.py`.

Once a plan is carried out at its own prices, planning again gives no legs: bands are looked at as they will be after
the trades and their fees.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from tradehook.amounts import plain
from tradehook.errors import InvalidInput
from tradehook.leg_sizes import Draft, Purse, Stock, Want, draft, fit
from tradehook.portfolio_goal import WHOLE, Goal, OnChain
from tradehook.portfolio_plan import Holding, Leg, Plan, Skip, cents

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from tradehook.models import Balance

__all__ = ["WHOLE", "Goal", "Holding", "Leg", "OnChain", "Plan", "Skip", "plan"]

_SMALLEST_LOT = Decimal("0.00000001")
_ROUNDS = 60
_NEAR = Decimal("0.000001")


@dataclass(frozen=True, slots=True)
class _Portfolio:
    """What takes part, valued."""

    goal: Goal
    stocks: Sequence[Stock]
    cash: Decimal
    """All that counts as cash, in quote."""
    purses: Sequence[Purse]
    """What of it may be spent."""
    skips: Sequence[Skip]
    """What is left alone whatever the targets are."""
    brings: Mapping[str, str]

    @property
    def total(self) -> Decimal:
        return self.cash + sum((stock.worth for stock in self.stocks), Decimal(0))

    @property
    def divided(self) -> Decimal:
        """What the targets are percentages of."""
        return self.total - self.goal.buffer

    def kept(self, divided: Decimal) -> Decimal:
        """The cash that buys leave, when so much is divided in the end."""
        return self.goal.buffer + divided * self.goal.reserve / WHOLE

    @property
    def free_cash(self) -> Decimal:
        return sum((purse.amount for purse in self.purses if purse.chain is None), Decimal(0))


def plan(
    goal: Goal,
    *,
    balances: Sequence[Balance],
    prices: Mapping[str, Decimal],
    lots: Mapping[str, Decimal] | None = None,
    chains: Mapping[str, Collection[str]] | None = None,
    chain_quote: str = "",
    unlisted: Collection[str] = (),
) -> Plan:
    """What to trade to reach the goal. Every target shows up in a leg, in a skip, or is cash.

    Args:
        goal: what is wanted.
        balances: everything the account holds.
        prices: quote for one of each target.
        lots: what the exchange trades whole multiples of, for each target.
        chains: where targets can be bought beside the exchange.
        chain_quote: the coin that trades on chains are paid with.
        unlisted: targets that the exchange itself does not trade.

    Raises:
        InvalidInput: a price is missing, or there is nothing to divide.
    """
    holds = _portfolio(
        goal,
        balances,
        prices=prices,
        lots=lots or {},
        chains=chains or {},
        chain_quote=chain_quote,
        unlisted=unlisted,
    )
    holdings = _value(holds)
    reasons, estimate = _choose(holds, holdings[-1])
    sells, buys = _wants(holds, reasons, estimate)
    made, dropped = _draft(holds, sells, buys, estimate), list[Skip]()
    cap = None if goal.max_turnover is None else holds.total * goal.max_turnover / WHOLE
    if cap is not None and sum((leg.value for leg in made.legs), Decimal(0)) > cap:
        sells, buys, dropped = _capped(goal, sells, buys, made=made, cap=cap)
        made = _draft(holds, sells, buys, estimate)
    left_alone = [
        Skip(symbol=held.symbol, why=_inside(held, goal)) for held in holdings[:-1] if held.symbol not in reasons
    ]
    return Plan(
        quote=goal.quote,
        total=cents(holds.total),
        cash=holds.free_cash,
        reserve=goal.reserve,
        kept=cents(holds.kept(estimate)),
        buffer=goal.buffer,
        fee=goal.fee,
        min_trade=goal.min_trade,
        holdings=tuple(holdings),
        legs=tuple(made.legs),
        skips=(*left_alone, *made.skips, *dropped, *_cash_skip(holds, made), *holds.skips),
    )


def _portfolio(
    goal: Goal,
    balances: Sequence[Balance],
    *,
    prices: Mapping[str, Decimal],
    lots: Mapping[str, Decimal],
    chains: Mapping[str, Collection[str]],
    chain_quote: str,
    unlisted: Collection[str],
) -> _Portfolio:
    quantities = dict.fromkeys(goal.symbols, Decimal(0))
    free: dict[str, dict[str | None, Decimal]] = {symbol: {None: Decimal(0)} for symbol in goal.symbols}
    purses = {(coin, None): Purse(coin, None, Decimal(0)) for coin in (goal.quote, *goal.coins)}
    on_chain: dict[tuple[str, str], Purse] = {}
    cash, skips = Decimal(0), list[Skip]()
    may_trade = goal.on_chain is OnChain.TRADE and bool(chain_quote)
    for row in balances:
        where = f"on {row.chain}" if row.chain else "at the exchange"
        if row.total <= 0:
            continue
        if row.chain is not None and goal.on_chain is OnChain.LEAVE:
            skips.append(Skip(symbol=row.symbol, why=f"{where}; only what the exchange holds takes part"))
        elif row.symbol in quantities:
            quantities[row.symbol] += row.total
            if row.chain is None or may_trade:
                there = free[row.symbol]
                there[row.chain] = there.get(row.chain, Decimal(0)) + row.available
            else:
                skips.append(Skip(symbol=row.symbol, why=f"{plain(row.total)} {where}: counted, not traded"))
        elif (row.symbol, row.chain) in purses:
            cash += row.total
            purses[row.symbol, None].amount += row.available
        elif row.symbol == goal.quote or row.symbol in goal.coins or row.is_stable:
            cash += row.total
            if row.chain is not None and may_trade and row.symbol == chain_quote:
                purse = on_chain.setdefault((row.symbol, row.chain), Purse(row.symbol, row.chain, Decimal(0)))
                purse.amount += row.available
            else:
                skips.append(Skip(symbol=row.symbol, why=f"{plain(row.total)} {where}: counts as cash, is not spent"))
        else:
            skips.append(Skip(symbol=row.symbol, why="not in the targets; give it the target 0 to sell it"))
    stocks = []
    for symbol in goal.symbols:
        price = prices.get(symbol)
        if price is None or price <= 0:
            raise InvalidInput(f"There is no price for {symbol} in {goal.quote}, so its share cannot be told.")
        bought_on = sorted(chains.get(symbol, ())) if may_trade else ()
        lot = lots.get(symbol, _SMALLEST_LOT)
        stocks.append(Stock(symbol, price, quantities[symbol], free[symbol], lot, bought_on, symbol not in unlisted))
    places = {chain for symbol in goal.symbols for chain in free[symbol] if chain}
    return _Portfolio(
        goal=goal,
        stocks=stocks,
        cash=cash,
        purses=(*purses.values(), *on_chain.values()),
        skips=skips,
        brings=dict.fromkeys(sorted(places), chain_quote),
    )


def _value(holds: _Portfolio) -> list[Holding]:
    """How the portfolio stands against the goal, an entry for each target and cash at the end.

    Raises:
        InvalidInput: there is nothing to divide.
    """
    goal, divided = holds.goal, holds.divided
    if holds.total <= 0:
        raise InvalidInput(f"The account holds nothing of {goal.in_words()}: there is nothing to divide.")
    if divided <= 0:
        raise InvalidInput(
            f"The account is worth {cents(holds.total)} {goal.quote}, and {plain(goal.buffer)} are set aside: there is "
            "nothing to divide. Make the buffer smaller."
        )
    rows = [
        (stock.symbol, stock.quantity, stock.free[None], stock.price, stock.worth, goal.targets[stock.symbol])
        for stock in holds.stocks
    ]
    free = holds.free_cash
    rows.append((goal.quote, holds.cash, free, Decimal(1), holds.cash - goal.buffer, goal.cash_target))
    return [
        Holding(
            symbol=symbol,
            quantity=quantity,
            available=available,
            price=price,
            value=cents(quantity * price),
            percent=cents(counts / divided * WHOLE),
            target=target,
            drift=cents(counts / divided * WHOLE - target),
        )
        for symbol, quantity, available, price, counts, target in rows
    ]


def _choose(holds: _Portfolio, cash: Holding) -> tuple[dict[str, str], Decimal]:
    """Which targets are traded, each with its reason, and what there will be to divide once fees are paid.

    An asset that was chosen stays chosen, so this comes to an end.
    """
    goal = holds.goal
    reasons: dict[str, str] = {}
    estimate = holds.divided
    for _ in range(_ROUNDS):
        made = _draft(holds, *_wants(holds, reasons, estimate), estimate)
        after = holds.divided - made.fees
        drifts = {
            stock.symbol: cents(made.quantities.get(stock.symbol, stock.quantity) * stock.price / after * WHOLE)
            - goal.targets[stock.symbol]
            for stock in holds.stocks
            if stock.symbol not in reasons
        }
        chosen = {
            stock.symbol: f"{_stands(stock, holds)}: outside the band of {_band(goal, stock.symbol)}"
            for stock in holds.stocks
            if abs(drifts.get(stock.symbol, Decimal(0))) > goal.band_of(stock.symbol)
        }
        off = _cash_drift(holds, made)
        # With too little to spend, one more buy would only take from the others.
        if not chosen and abs(off) > goal.band and not (off > 0 and made.is_short):
            now = f"is {abs(cash.drift)} points off its target"
            words = now if off == cash.drift else f"would end {abs(off)} points off its target"
            chosen = {
                stock.symbol: f"{_stands(stock, holds)}: inside its band, but {goal.quote} {words}"
                for stock in holds.stocks
                if drifts.get(stock.symbol, Decimal(0)) * off < 0
            }
        if not chosen and abs(after - estimate) < _NEAR:
            break
        reasons |= chosen
        estimate = after
    return reasons, estimate


def _wants(holds: _Portfolio, reasons: Mapping[str, str], divided: Decimal) -> tuple[list[Want], list[Want]]:
    """Sells and buys that would bring the chosen to their targets, larger first."""
    sells: list[Want] = []
    buys: list[Want] = []
    for stock in holds.stocks:
        if stock.symbol in reasons:
            target = holds.goal.targets[stock.symbol]
            gap = divided * target / WHOLE - stock.worth
            want = Want(stock, abs(gap), reasons[stock.symbol], is_all=target == 0)
            (buys if gap > 0 else sells).append(want)
    return _largest_first(sells), _largest_first(buys)


def _draft(holds: _Portfolio, sells: Sequence[Want], buys: Sequence[Want], divided: Decimal) -> Draft:
    return draft(holds.goal, sells, buys, purses=holds.purses, kept=holds.kept(divided), brings=holds.brings)


def _capped(
    goal: Goal, sells: Sequence[Want], buys: Sequence[Want], *, made: Draft, cap: Decimal
) -> tuple[list[Want], list[Want], list[Skip]]:
    """The wants made smaller together, so that all legs are worth no more than the cap."""
    trades = {want.stock.symbol: want for want in (*sells, *buys)}
    worth = dict.fromkeys(trades, Decimal(0))
    for leg in made.legs:
        worth[leg.base] += leg.value
    wanted = [Want(want.stock, worth[symbol], want.why) for symbol, want in trades.items() if worth[symbol]]
    parts = fit(wanted, limit=cap, smallest=goal.min_trade)
    most = f"one run trades at most {cents(cap)} {goal.quote} ({plain(goal.max_turnover or Decimal(0))} %)"

    def smaller(wants: Sequence[Want]) -> list[Want]:
        return [
            Want(
                want.stock,
                parts[want.stock.symbol],
                f"{want.why}; made smaller from {worth[want.stock.symbol]}, since {most}",
            )
            for want in wants
            if want.stock.symbol in parts
        ]

    dropped = [
        Skip(symbol=want.stock.symbol, why=f"{want.why}; nothing of it this time, since {most}")
        for want in wanted
        if want.stock.symbol not in parts
    ]
    # What had no leg before has none now, and keeps the reason it had.
    unmade = {skip.symbol: skip for skip in made.skips}
    dropped += [unmade[symbol] for symbol in trades if not worth[symbol] and symbol in unmade]
    return smaller(sells), smaller(buys), dropped


def _cash_drift(holds: _Portfolio, made: Draft) -> Decimal:
    """Percent points that cash will be off its target once the draft is carried out."""
    after = holds.divided - made.fees
    return cents((holds.cash - made.spent - holds.goal.buffer) / after * WHOLE - holds.goal.cash_target)


def _cash_skip(holds: _Portfolio, made: Draft) -> list[Skip]:
    """Why cash does not come to its target, when it does not."""
    goal, off = holds.goal, _cash_drift(holds, made)
    if abs(off) <= goal.band:
        return []
    side = "more" if off > 0 else "less"
    why = f"ends {abs(off)} points {side} than its target of {plain(goal.cash_target)} %, since the rest is left alone"
    return [Skip(symbol=goal.quote, why=why)]


def _stands(stock: Stock, holds: _Portfolio) -> str:
    percent = cents(stock.worth / holds.divided * WHOLE)
    return f"{percent} % of the portfolio, target {plain(holds.goal.targets[stock.symbol])} %"


def _inside(held: Holding, goal: Goal) -> str:
    stands = f"{held.percent} % of the portfolio, target {plain(held.target)} %"
    return f"{stands}: inside the band of {_band(goal, held.symbol)}"


def _band(goal: Goal, symbol: str) -> str:
    return f"{plain(goal.band_of(symbol))} points"


def _largest_first(wants: Sequence[Want]) -> list[Want]:
    return sorted(wants, key=lambda want: (-want.value, want.stock.symbol))
