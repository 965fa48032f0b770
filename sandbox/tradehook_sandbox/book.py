"""A price-time order book: people's resting orders among seeded synthetic liquidity.

Every half second the synthetic ladder is laid anew around the reference price. Where it then reaches a resting order,
that order is filled at its own price, as far as the ladder's level goes: this is how partial fills come about. The
book knows quantities and prices, never accounts or money.
"""

from __future__ import annotations

import heapq
from bisect import insort
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from tradehook_sandbox.seeded import draw
from tradehook_sandbox.units import divide_up, format_units
from tradehook_sandbox.walk import PRICE_SCALE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tradehook_sandbox.walk import Walk

Side = Literal["buy", "sell"]

BASE_SCALE: Final = 8
"""Decimals of base quantities on a book."""
NOTIONAL_SCALE: Final = 9
"""Decimals of a book's dollars. Tick times lot always fits, so no fill on the grid is ever rounded."""

_SURPLUS: Final[int] = 10 ** (PRICE_SCALE + BASE_SCALE - NOTIONAL_SCALE)
_MILLION: Final = 1_000_000
_LEVELS: Final = 24
_HALF_SPREAD: Final = 20
"""Millionths of the price between the reference and the first level on each side."""
_GAP: Final = (10, 60)
"""Millionths of the price between two levels."""
_LEVEL_DOLLARS: Final = (4_000, 25_000)
"""What the first level holds; the seventh twice as much, and so on."""
_MOST_SAMPLES: Final = 600
"""A longer jump of the clock is looked at in this many places, to keep it cheap."""


class Increment(NamedTuple):
    """From this price upward, prices are multiples of `tick` and quantities of `lot`, all in whole units."""

    price_from: int
    tick: int
    lot: int


class Fill(NamedTuple):
    """A resting order was filled by this much at this price."""

    order_id: str
    price: int
    quantity: int


@dataclass(slots=True, eq=False)
class Offer:
    """What stands in the book at one price: synthetic liquidity, or an order when it has an id."""

    side: Side
    price: int
    quantity: int
    order_id: str | None = None
    placed_step: int = 0
    turn: int = 0

    def rank(self) -> tuple[int, int]:
        """Sorts the better price first and, at one price, the earlier order."""
        return (-self.price if self.side == "buy" else self.price, self.turn)


@dataclass(slots=True)
class Ladder:
    """The synthetic side of the book at one step."""

    step: int
    levels: dict[Side, list[Offer]] = field(default_factory=lambda: {"buy": [], "sell": []})


def notional(price: int, quantity: int) -> int:
    """What a quantity costs, in units of the book's dollars; rounded up, which never matters on the grid."""
    return divide_up(price * quantity, _SURPLUS)


def quantity_for(budget: int, price: int) -> int:
    """The largest quantity, in base units, that costs no more than the budget."""
    return budget * _SURPLUS // price


class Book:
    """One instrument's book."""

    def __init__(self, name: str, *, seed: int, walk: Walk, grid: Callable[[int], Increment], step: int = 0) -> None:
        self.name = name
        self.depth_percent = 100
        self.step = step
        self._seed = seed
        self._walk = walk
        self._grid = grid
        self._resting: dict[Side, list[Offer]] = {"buy": [], "sell": []}
        self._ladder: Ladder | None = None
        self._turns = 0

    @property
    def reference(self) -> int:
        """The price around which the ladder stands now."""
        return self._walk.price(self.step)

    def offers(self, side: Side) -> Iterator[Offer]:
        """What stands on this side, best first: price, then time."""
        ladder = self._current()
        return heapq.merge(self._resting[side], ladder.levels[side], key=self._priority)

    def levels(self, *, most: int) -> dict[str, list[dict[str, str]]]:
        """Both sides as text, best first, so many offers at most."""
        sides: tuple[tuple[str, Side], ...] = (("bids", "buy"), ("asks", "sell"))
        return {
            name: [
                {
                    "price": format_units(offer.price, PRICE_SCALE),
                    "qty": format_units(offer.quantity, BASE_SCALE),
                    "order_id": offer.order_id or "",
                }
                for offer, _ in zip(self.offers(side), range(most), strict=False)
            ]
            for name, side in sides
        }

    def rest(self, order_id: str, side: Side, *, price: int, quantity: int) -> None:
        """The order stands in the book, behind everything at its price."""
        self._turns += 1
        offer = Offer(side, price, quantity, order_id, placed_step=self.step, turn=self._turns)
        insort(self._resting[side], offer, key=Offer.rank)

    def withdraw(self, order_id: str, side: Side) -> None:
        """The order no longer stands in the book, if it did."""
        self._resting[side] = [offer for offer in self._resting[side] if offer.order_id != order_id]

    def take(self, offer: Offer, quantity: int) -> None:
        """This much of the offer is gone."""
        offer.quantity -= quantity
        if not offer.quantity:
            stands = self._resting[offer.side] if offer.order_id else self._current().levels[offer.side]
            stands.remove(offer)

    def move_to(self, step: int) -> Iterator[Fill]:
        """Time has passed; yields the fills it brought to resting orders, in order.

        Each fill has been taken from the book when it is yielded.
        """
        gap = step - self.step
        if gap <= 0:
            return
        samples = min(gap, _MOST_SAMPLES)
        start = self.step
        for sample in range(1, samples + 1):
            if not (self._resting["buy"] or self._resting["sell"]):
                break
            self.step = start + gap * sample // samples
            if self._is_reached():
                yield from self._cross()
        self.step = step

    def jump_to(self, step: int) -> None:
        """It is this step now, and nothing happened in between: after a restart, or a clock that was turned back."""
        self.step, self._ladder = step, None

    def relay(self) -> Iterator[Fill]:
        """The ladder is laid anew within this step, after somebody set the price or the depth."""
        self._ladder = None
        if self._is_reached():
            yield from self._cross()

    def _priority(self, offer: Offer) -> tuple[int, int, int]:
        price, turn = offer.rank()
        # An order that came in this step stands behind the ladder's level at its price; older ones before it.
        order_came_late = offer.order_id is not None and offer.placed_step >= self.step
        return (price, 2 if order_came_late else 0 if offer.order_id else 1, turn)

    def _is_reached(self) -> bool:
        bids, asks = self._resting["buy"], self._resting["sell"]
        is_bid_reached = bool(bids) and bids[0].price >= self._first_price("sell")
        return is_bid_reached or (bool(asks) and asks[0].price <= self._first_price("buy"))

    def _cross(self) -> Iterator[Fill]:
        pairs: tuple[tuple[Side, Side], ...] = (("buy", "sell"), ("sell", "buy"))
        for side, other in pairs:
            levels = self._current().levels[other]
            while self._resting[side] and levels:
                order, level = self._resting[side][0], levels[0]
                if (order.price < level.price) if side == "buy" else (order.price > level.price):
                    break
                quantity = min(order.quantity, level.quantity)
                order_id, price = order.order_id or "", order.price
                self.take(level, quantity)
                self.take(order, quantity)
                yield Fill(order_id, price, quantity)

    def _current(self) -> Ladder:
        if self._ladder is None or self._ladder.step != self.step:
            self._ladder = self._lay()
        return self._ladder

    def _first_price(self, side: Side) -> int:
        away = _HALF_SPREAD if side == "sell" else -_HALF_SPREAD
        return self._snap(self.reference * (_MILLION + away) // _MILLION, side)

    def _snap(self, price: int, side: Side) -> int:
        """The price on the grid, away from the middle."""
        tick = self._grid(price).tick
        return max(tick, price // tick * tick if side == "buy" else divide_up(price, tick) * tick)

    def _lay(self) -> Ladder:
        ladder = Ladder(self.step)
        if not self.depth_percent:
            return ladder
        for side, levels in ladder.levels.items():
            price = self._first_price(side)
            for number in range(_LEVELS):
                key = (self._seed, self.name, self.step, side, number)
                levels.append(Offer(side, price, self._size(price, number, key)))
                gap = max(1, price * (_GAP[0] + draw("gap", *key, below=_GAP[1] - _GAP[0])) // _MILLION)
                following = self._snap(price + gap if side == "sell" else price - gap, side)
                if following == price:
                    break  # At the smallest price there is no room below.
                price = following
        return ladder

    def _size(self, price: int, number: int, key: tuple[object, ...]) -> int:
        low, high = _LEVEL_DOLLARS
        dollars = (low + draw("size", *key, below=high - low)) * (6 + number) // 6 * self.depth_percent // 100
        lot = self._grid(price).lot
        return max(lot, quantity_for(dollars * 10**NOTIONAL_SCALE, price) // lot * lot)
