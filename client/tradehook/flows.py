"""How much can be brought from where it is to where it is wanted, over ways that hold only so much. Pure.

The widest way is taken first, so that little is split; what was taken may be taken back for a better use. So what
cannot be brought in the end could not have been brought at all.
"""

from __future__ import annotations

from decimal import Decimal
from heapq import heappop, heappush
from itertools import pairwise

Node = tuple[str, ...]

_GRAIN = Decimal("0.00000001")


class Flow:
    """Ways between nodes, and what goes over them. The same ways give the same flow, in whatever order they came."""

    def __init__(self) -> None:
        """Make one without ways."""
        self._room: dict[Node, dict[Node, Decimal]] = {}
        """What could still go from one node to the next, taking back included."""

    def allow(self, start: Node, end: Node, room: Decimal) -> None:
        """Open a way, once; it holds so much, to the eighth place."""
        self._room.setdefault(start, {})[end] = max(room - room % _GRAIN, Decimal(0))
        self._room.setdefault(end, {}).setdefault(start, Decimal(0))

    def bring(self, start: Node, end: Node) -> Decimal:
        """Bring as much as can go; returns how much. What reached another end before still does."""
        brought = Decimal(0)
        while path := self._widest(start, end):
            steps = list(pairwise(path))
            width = min(self._room[one][other] for one, other in steps)
            for one, other in steps:
                self._room[one][other] -= width
                self._room[other][one] += width
            brought += width
        return brought

    def over(self, start: Node, end: Node) -> Decimal:
        """What goes over a way."""
        return self._room.get(end, {}).get(start, Decimal(0))

    def _widest(self, start: Node, end: Node) -> tuple[Node, ...]:
        """The way that holds most, the shortest of those; empty when there is none."""
        seen: set[Node] = set()
        ways: list[tuple[Decimal, int, tuple[Node, ...]]] = [(Decimal("-Infinity"), 1, (start,))]
        while ways:
            width, length, path = heappop(ways)
            here = path[-1]
            if here == end:
                return path
            if here in seen:
                continue
            seen.add(here)
            for there, room in self._room.get(here, {}).items():
                if room > 0 and there not in seen:
                    heappush(ways, (max(width, -room), length + 1, (*path, there)))
        return ()
