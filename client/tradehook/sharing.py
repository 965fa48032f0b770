"""Which account trades what, so that everything that can be paid for is: in value, before lots and cents. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from tradehook.flows import Flow
from tradehook.portfolio_goal import WHOLE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tradehook.flows import Node
    from tradehook.places import Whole

CENT = Decimal("0.01")
_ALL, _KEPT, _BOUGHT = ("all",), ("kept",), ("bought",)

Parts = dict[str, dict[str, Decimal]]
"""Value by symbol and account."""


@dataclass(frozen=True, slots=True)
class Wish:
    """A trade that would bring one asset to its target, wherever it is done."""

    symbol: str
    value: Decimal
    why: str
    is_all: bool = False


def share_out(
    whole: Whole, sells: Sequence[Wish], buys: Sequence[Wish], *, kept: Mapping[str, Decimal]
) -> tuple[Parts, Parts]:
    """What is sold and bought where, in value: by symbol and account.

    What would be less than the smallest trade is not traded there, and tried elsewhere.
    """
    smallest = max(whole.goal.min_trade, CENT)
    closed: set[tuple[Node, Node]] = set()
    # An account loses the fee twice on the way from what is sold to what is bought; the dearest counts for all.
    fee = max(corner.goal.fee for corner in whole.corners) / WHOLE
    grows = (1 + fee) / (1 - fee)
    while True:
        flow = Flow()
        ways = _open_ways(flow, whole, sells, buys, kept=kept, fee=fee, closed=closed)
        flow.bring(_ALL, _KEPT)
        flow.bring(_ALL, _BOUGHT)
        small = [
            (amount, way)
            for way in ways
            if 0 < (amount := flow.over(*way) / (grows if way[1][0] == "buy" else 1)) < smallest
        ]
        if not small:
            break
        closed.add(min(small)[1])
    sold: Parts = {}
    bought: Parts = {}
    for start, end in ways:
        amount = flow.over(start, end)
        if amount <= 0:
            continue
        if end[0] == "money":
            sold.setdefault(start[1], {})[end[1]] = amount
        else:
            bought.setdefault(end[1], {})[start[1]] = amount / grows
    for wish in sells:
        _sell_the_rest(whole, wish, sold.setdefault(wish.symbol, {}), smallest=smallest)
    return sold, bought


def _open_ways(
    flow: Flow,
    whole: Whole,
    sells: Sequence[Wish],
    buys: Sequence[Wish],
    *,
    kept: Mapping[str, Decimal],
    fee: Decimal,
    closed: set[tuple[Node, Node]],
) -> list[tuple[Node, Node]]:
    """Open what money can take: from assets that are sold and from cash, by account, to assets that are bought.

    Returns the ways that are trades.
    """
    trades: list[tuple[Node, Node]] = []
    for wish in sells:
        flow.allow(_ALL, ("sell", wish.symbol), wish.value)
    for wish in buys:
        flow.allow(("buy", wish.symbol), _BOUGHT, wish.value * (1 + fee) / (1 - fee))
    for corner in whole.corners:
        money = ("money", corner.name)
        over = corner.spendable - kept[corner.name]
        flow.allow(_ALL, money, over / (1 - fee))
        flow.allow(money, _KEPT, -over / (1 - fee))
        for wish in sells:
            trades.append((("sell", wish.symbol), money))
            flow.allow(*trades[-1], corner.sellable(wish.symbol) if trades[-1] not in closed else Decimal(0))
        for wish in buys:
            trades.append((money, ("buy", wish.symbol)))
            is_open = corner.stocks[wish.symbol].is_listed and trades[-1] not in closed
            flow.allow(*trades[-1], wish.value * (1 + fee) / (1 - fee) if is_open else Decimal(0))
    return trades


def _sell_the_rest(whole: Whole, wish: Wish, parts: dict[str, Decimal], *, smallest: Decimal) -> None:
    """Sell what no buy needs: where it is sold anyway, then where there is most of it."""
    left = wish.value - sum(parts.values(), Decimal(0))
    rooms = {corner.name: corner.sellable(wish.symbol) - parts.get(corner.name, Decimal(0)) for corner in whole.corners}
    for name in sorted(rooms, key=lambda name: (name not in parts, -rooms[name], name)):
        part = min(left, rooms[name])
        if part > 0 and (name in parts or part >= smallest):
            parts[name] = parts.get(name, Decimal(0)) + part
            left -= part
