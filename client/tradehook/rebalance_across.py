"""The same as `rebalance.py` over several accounts: shares of the sum, traded where the money is. Pure.

The rules, beside those of a single account:
- shares, bands, buffer and reserve are of everything that all accounts hold together. Every stable coin is cash, one
  for one; each account buys with its own;
- nothing is moved between accounts. What is sold at one pays for buys at that one alone, so sells and buys are shared
  out together (`flows.py`): what could be reached by trading is reached, and what could not is said with the reason;
- no account buys an asset only because another sold it: an asset is sold or bought, nowhere both;
- what is on a chain, and other coins than an account's own cash, count or are left alone as they are.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

from tradehook.amounts import plain
from tradehook.leg_sizes import Draft, Purse, Want, draft, fit
from tradehook.models import Side
from tradehook.places import Place, gather, value
from tradehook.portfolio_goal import WHOLE
from tradehook.portfolio_plan import Holding, Leg, Part, Plan, Skip, cents
from tradehook.sharing import CENT, Wish, share_out

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tradehook.places import Corner, Whole
    from tradehook.portfolio_goal import Goal

__all__ = ["Place", "plan_across"]

_ROUNDS = 60
_NEAR = Decimal("0.000001")


@dataclass(slots=True)
class _Shared:
    """What is traded where, and how things stand once that is done."""

    drafts: dict[str, Draft] = field(default_factory=dict)
    skips: list[Skip] = field(default_factory=list)
    kept: dict[str, Decimal] = field(default_factory=dict)
    is_short: bool = False

    @property
    def legs(self) -> list[Leg]:
        """Sells before buys, larger before smaller."""
        made = [leg.model_copy(update={"account": name}) for name, one in self.drafts.items() for leg in one.legs]
        return sorted(made, key=lambda leg: (leg.side is Side.BUY, -leg.value, leg.account, leg.base))

    @property
    def quantities(self) -> dict[str, dict[str, Decimal]]:
        return {name: one.quantities for name, one in self.drafts.items()}

    @property
    def fees(self) -> Decimal:
        return sum((one.fees for one in self.drafts.values()), Decimal(0))

    @property
    def spent(self) -> Decimal:
        return sum((one.spent for one in self.drafts.values()), Decimal(0))


def plan_across(goal: Goal, *, places: Sequence[Place]) -> Plan:
    """What to trade at which account to reach the goal over all of them together.

    Every target shows up in a leg, in a skip, or is cash. The order of the places makes no difference.

    Raises:
        InvalidInput: a target is traded at none of them, there is nothing to divide, or the goal is for one account.
    """
    whole = gather(goal, places)
    holdings = value(whole)
    reasons, estimate = _choose(whole, holdings[-1])
    made, dropped = _carry(whole, *_wishes(whole, reasons, estimate), estimate), list[Skip]()
    cap = None if goal.max_turnover is None else whole.total * goal.max_turnover / WHOLE
    if cap is not None and sum((leg.value for leg in made.legs), Decimal(0)) > cap:
        made, dropped = _capped(whole, reasons, estimate, made=made, cap=cap)
    traded = {leg.base for leg in made.legs}
    inside = [
        Skip(symbol=symbol, why=f"{whole.stands(symbol)}: inside the band of {plain(goal.band_of(symbol))} points")
        for symbol in goal.symbols
        if symbol not in reasons and symbol not in traded
    ]
    return Plan(
        quote=whole.unit,
        total=cents(whole.total),
        cash=sum((corner.spendable for corner in whole.corners), Decimal(0)),
        reserve=goal.reserve,
        kept=cents(_to_keep(whole, estimate)),
        buffer=goal.buffer,
        fee=max(corner.goal.fee for corner in whole.corners),
        min_trade=goal.min_trade,
        holdings=tuple(holdings),
        legs=tuple(made.legs),
        skips=(*inside, *made.skips, *dropped, *_cash_skip(whole, made), *_left(whole)),
        parts=tuple(_part(whole, corner, made) for corner in whole.corners),
    )


def _to_keep(whole: Whole, divided: Decimal) -> Decimal:
    """The cash that buys leave, when so much is divided in the end."""
    return whole.goal.buffer + divided * whole.goal.reserve / WHOLE


def _part(whole: Whole, corner: Corner, made: _Shared) -> Part:
    kept, in_all = made.kept[corner.name], sum(made.kept.values(), Decimal(0))
    return Part(
        account=corner.name,
        quote=corner.place.quote,
        cash=corner.spendable,
        kept=kept,
        buffer=cents(whole.goal.buffer * kept / in_all) if in_all else Decimal(0),
        fee=corner.goal.fee,
    )


# --- what is traded -----------------------------------------------------------------------------------------------


def _choose(whole: Whole, cash: Holding) -> tuple[dict[str, str], Decimal]:
    """Which targets are traded, each with its reason, and what there will be to divide once fees are paid.

    An asset that was chosen stays chosen, so this comes to an end.
    """
    goal = whole.goal
    reasons: dict[str, str] = {}
    estimate = whole.divided
    for _ in range(_ROUNDS):
        made = _carry(whole, *_wishes(whole, reasons, estimate), estimate)
        after = whole.divided - made.fees
        drifts = {
            symbol: cents(whole.worth_after(symbol, made.quantities) / after * WHOLE) - goal.targets[symbol]
            for symbol in goal.symbols
            if symbol not in reasons
        }
        chosen = {
            symbol: f"{whole.stands(symbol)}: outside the band of {plain(goal.band_of(symbol))} points"
            for symbol, drift in drifts.items()
            if abs(drift) > goal.band_of(symbol)
        }
        off = _cash_drift(whole, made)
        # With too little to spend, one more buy would only take from the others.
        if not chosen and abs(off) > goal.band and not (off > 0 and made.is_short):
            now = f"is {abs(cash.drift)} points off its target"
            words = now if off == cash.drift else f"would end {abs(off)} points off its target"
            chosen = {
                symbol: f"{whole.stands(symbol)}: inside its band, but cash {words}"
                for symbol, drift in drifts.items()
                if drift * off < 0
            }
        if not chosen and abs(after - estimate) < _NEAR:
            break
        reasons |= chosen
        estimate = after
    return reasons, estimate


def _wishes(whole: Whole, reasons: Mapping[str, str], divided: Decimal) -> tuple[list[Wish], list[Wish]]:
    """Sells and buys that would bring the chosen to their targets."""
    sells: list[Wish] = []
    buys: list[Wish] = []
    for symbol, why in sorted(reasons.items()):
        target = whole.goal.targets[symbol]
        gap = divided * target / WHOLE - whole.worth(symbol)
        (buys if gap > 0 else sells).append(Wish(symbol, abs(gap), why, is_all=target == 0))
    return sells, buys


def _carry(whole: Whole, sells: Sequence[Wish], buys: Sequence[Wish], divided: Decimal) -> _Shared:
    """The legs for these wishes, each at the account that can carry it."""
    made = _Shared(kept=_kept(whole, sells, divided))
    sold, bought = share_out(whole, sells, buys, kept=made.kept)
    for corner in whole.corners:
        made.drafts[corner.name] = one = draft(
            corner.goal,
            _wants(corner, sells, sold),
            _wants(corner, buys, bought),
            purses=[Purse(corner.place.quote, None, corner.spendable)],
            kept=made.kept[corner.name],
            brings={},
        )
        made.skips += [skip.model_copy(update={"account": corner.name}) for skip in one.skips]
    for wish in sells:
        made.skips += _too_little_sold(whole, wish, sold)
    for wish in buys:
        short = wish.value - sum(bought.get(wish.symbol, {}).values(), Decimal(0))
        made.is_short = made.is_short or short >= max(whole.goal.min_trade, CENT)
        made.skips += _too_little_bought(whole, wish, bought, made)
    return made


def _wants(corner: Corner, wishes: Sequence[Wish], parts: Mapping[str, Mapping[str, Decimal]]) -> list[Want]:
    """What of the wishes is this account's, larger first."""
    found = []
    for wish in wishes:
        everywhere = parts.get(wish.symbol, {})
        part = everywhere.get(corner.name)
        if part is None:
            continue
        whole_of_it = len(everywhere) == 1 and wish.value - part < CENT
        why = wish.why if whole_of_it else f"{wish.why}; {cents(part)} of {cents(wish.value)} here"
        found.append(Want(corner.stocks[wish.symbol], part, why, is_all=wish.is_all))
    return sorted(found, key=lambda want: (-want.value, want.stock.symbol))


def _kept(whole: Whole, sells: Sequence[Wish], divided: Decimal) -> dict[str, Decimal]:
    """What each account keeps back of its cash: of all that is kept, as large a part as of all that is there."""
    there = {
        corner.name: corner.spendable
        + sum((min(wish.value, corner.sellable(wish.symbol)) for wish in sells), Decimal(0))
        for corner in whole.corners
    }
    in_all, keep = sum(there.values(), Decimal(0)), cents(_to_keep(whole, divided))
    if in_all <= 0:
        return dict.fromkeys(there, Decimal(0))
    return {name: cents(min(keep, in_all) * amount / in_all) for name, amount in there.items()}


def _capped(
    whole: Whole, reasons: Mapping[str, str], divided: Decimal, *, made: _Shared, cap: Decimal
) -> tuple[_Shared, list[Skip]]:
    """The legs made smaller together, so that all of them are worth no more than the cap."""
    goal = whole.goal
    worth: dict[str, Decimal] = {}
    for leg in made.legs:
        worth[leg.base] = worth.get(leg.base, Decimal(0)) + leg.value
    largest = {
        symbol: max((corner.stocks[symbol] for corner in whole.corners), key=lambda stock: stock.lot)
        for symbol in worth
    }
    parts = fit(
        [Want(largest[symbol], value, "") for symbol, value in sorted(worth.items())],
        limit=cap,
        smallest=goal.min_trade,
    )
    most = f"one run trades at most {cents(cap)} {whole.unit} ({plain(goal.max_turnover or Decimal(0))} %)"

    def smaller(wishes: Sequence[Wish]) -> list[Wish]:
        return [
            Wish(wish.symbol, parts[wish.symbol], f"{wish.why}; made smaller from {worth[wish.symbol]}, since {most}")
            for wish in wishes
            if wish.symbol in parts
        ]

    sells, buys = _wishes(whole, reasons, divided)
    dropped = [
        Skip(symbol=wish.symbol, why=f"{wish.why}; nothing of it this time, since {most}")
        for wish in (*sells, *buys)
        if wish.symbol in worth and wish.symbol not in parts
    ]
    # What had no leg before has none now, and keeps the reason it had.
    dropped += [skip for skip in made.skips if skip.symbol in reasons and skip.symbol not in worth]
    return _carry(whole, smaller(sells), smaller(buys), divided), dropped


# --- in words -----------------------------------------------------------------------------------------------------


def _too_little_sold(whole: Whole, wish: Wish, sold: Mapping[str, Mapping[str, Decimal]]) -> list[Skip]:
    parts = sold.get(wish.symbol, {})
    left = wish.value - sum(parts.values(), Decimal(0))
    if left < CENT:
        return []
    unit, smallest = whole.unit, whole.goal.min_trade
    if not parts and wish.value < smallest:
        return [Skip(symbol=wish.symbol, why=f"{wish.why}; {cents(wish.value)} {unit} is less than the smallest trade")]
    there = sum((corner.sellable(wish.symbol) for corner in whole.corners), Decimal(0))
    rest = "the rest is in open orders, or where it is not traded"
    if there - sum(parts.values(), Decimal(0)) >= CENT:
        rest = "at no account the rest is as much as the smallest trade"
    return [Skip(symbol=wish.symbol, why=f"{wish.why}; {cents(left)} {unit} of it stays: {rest}")]


def _too_little_bought(
    whole: Whole, wish: Wish, bought: Mapping[str, Mapping[str, Decimal]], made: _Shared
) -> list[Skip]:
    """Why a buy does not reach its target: what each account lacks for it."""
    parts = bought.get(wish.symbol, {})
    short = wish.value - sum(parts.values(), Decimal(0))
    if short < CENT:
        return []
    unit, smallest = whole.unit, whole.goal.min_trade
    if not parts and wish.value < smallest:
        return [Skip(symbol=wish.symbol, why=f"{wish.why}; {cents(wish.value)} {unit} is less than the smallest trade")]
    missing = f"{wish.why}; {cents(short)} of {cents(wish.value)} {unit} are missing"
    if short < smallest:
        return [Skip(symbol=wish.symbol, why=f"{missing}: that is less than the smallest trade")]
    reasons = [_lacks(corner, wish.symbol, made) for corner in whole.corners]
    words = "; ".join([*reasons, "no money is moved between accounts"])
    return [Skip(symbol=wish.symbol, why=f"{missing}: {words}")]


def _lacks(corner: Corner, symbol: str, made: _Shared) -> str:
    one, quote, kept = made.drafts[corner.name], corner.place.quote, made.kept[corner.name]
    left = cents(corner.spendable - one.spent)
    there = f"{left} {quote} are left there"
    if symbol not in corner.place.prices:
        return f"{corner.name} does not trade {symbol} ({there})"
    if corner.place.no_buys:
        return f"at {corner.name} nothing can be bought ({there}): {corner.place.no_buys.rstrip('.')}"
    if left - kept >= CENT:
        return f"{corner.name} can pay for less than the smallest trade ({there}, {kept} stay back)"
    return f"{corner.name} has no more to spend ({there}, {kept} stay back)"


def _cash_drift(whole: Whole, made: _Shared) -> Decimal:
    """Percent points that cash will be off its target once the legs are carried out."""
    after = whole.divided - made.fees
    return cents((whole.cash - made.spent - whole.goal.buffer) / after * WHOLE - whole.goal.cash_target)


def _cash_skip(whole: Whole, made: _Shared) -> list[Skip]:
    """Why cash does not come to its target, when it does not."""
    off, target = _cash_drift(whole, made), plain(whole.goal.cash_target)
    if abs(off) <= whole.goal.band:
        return []
    side = "more" if off > 0 else "less"
    why = f"ends {abs(off)} points {side} than its target of {target} %, since the rest is left alone"
    return [Skip(symbol=whole.unit, why=why)]


def _left(whole: Whole) -> list[Skip]:
    return [skip for corner in whole.corners for skip in corner.skips]
