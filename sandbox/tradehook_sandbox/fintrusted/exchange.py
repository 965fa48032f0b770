"""FinTrusted as one function: `handle(request)` answers, and `advance` lets happen what is due.

Time passes only here, and only when somebody asks: whatever was due since the last request happens first, in order,
each thing at its own moment.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, Final, Protocol

from tradehook_sandbox.clock import http_date, micros
from tradehook_sandbox.fintrusted import messages
from tradehook_sandbox.fintrusted.api_keys import ApiKey, ApiKeys
from tradehook_sandbox.fintrusted.calls import Refused, Visit, read_form
from tradehook_sandbox.fintrusted.floor import Floor
from tradehook_sandbox.fintrusted.futures import Futures
from tradehook_sandbox.fintrusted.limits import TOO_MANY, RateLimit
from tradehook_sandbox.fintrusted.members import DEMO_EMAIL, DEMO_PASSWORD, Member
from tradehook_sandbox.fintrusted.orders import SpotOrder
from tradehook_sandbox.fintrusted.routes import find, is_bare
from tradehook_sandbox.fintrusted.sessions import Sessions
from tradehook_sandbox.fintrusted.shapes import failure, success
from tradehook_sandbox.fintrusted.spot import Spot
from tradehook_sandbox.fintrusted.wishes import Closures
from tradehook_sandbox.true_markets.calls import Call

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from tradehook.wire import Request, Response
    from tradehook_sandbox.fintrusted.rules import FinTrustedRules
    from tradehook_sandbox.ledger import Ledger
    from tradehook_sandbox.market import Market

ANONYMOUS: Final = "anonymous"


class FuturesDesk(Protocol):
    """Perpetual swaps: whoever answers the four futures routes."""

    def open(self, visit: Visit) -> object:
        """`POST /tx/uorder/open`."""
        ...

    def close(self, visit: Visit) -> object:
        """`POST /tx/uorder/close`."""
        ...

    def list(self, visit: Visit) -> object:
        """`GET /tx/uorder/list`."""
        ...

    def wallets(self, visit: Visit) -> object:
        """`GET /uc/asset/futures-wallets`."""
        ...

    def advance(self, until_micros: int) -> None:
        """Everything due up to this moment has happened; `Floor.now` is not later than that."""
        ...

    def turn_back(self, earlier_micros: int) -> None:
        """The clock was turned back by this much."""
        ...

    def frozen(self) -> dict[tuple[str, str], int]:
        """What each futures purse must hold by the desk's own account: (ledger account, coin) to units."""
        ...

    def unsaved(self) -> Iterable[tuple[str, Any]]:
        """What a store has not seen, by id; told once."""
        ...

    def restore(self, rows: Iterable[tuple[str, Any]]) -> None:
        """What a store has kept is there again."""
        ...


class FinTrusted:
    """One FinTrusted with its members."""

    def __init__(
        self,
        *,
        seed: int,
        market: Market,
        ledger: Ledger,
        now: Callable[[], float],
        rules: FinTrustedRules,
        done_micros: int | None = None,
    ) -> None:
        """Open it.

        Args:
            seed: liquidity follows from it.
            market: prices.
            ledger: money.
            now: the time.
            rules: how it answers where nobody knows.
            done_micros: up to when everything has happened; by default up to the market's beginning.
        """
        self.floor = Floor(seed=seed, market=market, ledger=ledger, rules=rules)
        self.floor.now = self.floor.now if done_micros is None else done_micros
        self.sessions = Sessions(self.floor.members, rules)
        self.keys = ApiKeys(self.floor.members, rules)
        self.spot = Spot(self.floor)
        self.futures: FuturesDesk = Futures(self.floor)
        self._now = now
        self._limit = RateLimit(rules)

    @property
    def seed(self) -> int:
        """What all its chances follow from."""
        return self.floor.seed

    def advance(self, seconds: float) -> None:
        """Everything due up to this moment has happened; an earlier moment changes nothing."""
        until = max(micros(seconds), self.floor.now)
        while (due := self.spot.next_due(until)) is not None:
            self._let_pass(due)
            self.spot.happen()
        self._let_pass(until)

    def remember(self) -> None:
        """Whatever changed has been as it is now since this moment."""
        self.floor.members.remember(self.floor.now)

    def turn_back(self, seconds: float) -> None:
        """Somebody has turned the clock back to this moment."""
        earlier = self.floor.now - micros(seconds)
        self.floor.now = micros(seconds)
        self.spot.turn_back(earlier)
        self.futures.turn_back(earlier)

    def open_demo(self) -> Member:
        """The account that everybody may use; opened when FinTrusted is first asked for anything."""
        found = self.floor.members.by_email(DEMO_EMAIL)
        return found or self.floor.members.open(DEMO_EMAIL, DEMO_PASSWORD, at_micros=self.floor.now)

    def handle(self, request: Request, *, at: float | None = None, seen: float | None = None) -> Response:
        """Answer one request.

        Whatever comes in, this answers: nothing it is given makes it raise.

        Args:
            request: what came in.
            at: when it came in, if that has passed already.
            seen: wallets are shown as they were at this moment, when it is given.
        """
        now = self._now() if at is None else at
        self.advance(now)
        self.open_demo()
        call = Call.read(request)
        try:
            response = self._answer(request, call, now=now, seen=seen)
        except Refused as refused:
            response = failure(self.floor.rules, refused)
        # With no latency, what was just accepted happens before anybody looks again.
        self.advance(now)
        self.floor.ledger.check()
        return replace(response, headers={**response.headers, "date": http_date(now)})

    def broken(self, status: int, message: str, *, back: float | None = None) -> Response:
        """How an answer looks that never reached an endpoint; with `back`, the budget is used up until then."""
        if status == TOO_MANY and back is not None:
            return failure(self.floor.rules, self._limit.refusal(max(1, round(back - self._now()))))
        return failure(self.floor.rules, Refused(message, code=status, status=status))

    def audit(self) -> bool:
        """Whether every frozen purse holds exactly what the orders say."""
        expected = self.spot.frozen()
        expected |= self.futures.frozen()
        held = {
            (account, coin): units
            for account, coin, units in self.floor.ledger.balances()
            if account.startswith("fintrusted:") and "frozen" in account
        }
        return all(self.floor.ledger.balance(*purse) == units for purse, units in expected.items()) and all(
            units == expected.get(purse, 0) for purse, units in held.items()
        )

    def unsaved(self) -> Iterator[tuple[str, str, Any]]:
        """What a store has not seen, by kind and id; told once."""
        members, orders = self.floor.members, self.spot.orders
        for member in members:
            if member.member_id in members.changed:
                yield "member", str(member.member_id), member.as_json()
        for order_id in sorted(orders.changed):
            yield "order", order_id, orders[order_id].as_json()
        for name in sorted(self.keys.changed):
            yield "key", name, asdict(self.keys[name])
        self.keys.changed.clear()
        members.changed.clear()
        orders.changed.clear()
        for row_id, content in self.futures.unsaved():
            yield "futures", row_id, content

    def facts(self) -> dict[str, Any]:
        """The little that a store keeps whole."""
        return {
            "key": self.sessions.key.hex(),
            "depth_percent": {symbol: book.depth_percent for symbol, book in self.spot.books.items()},
            "closures": {symbol: asdict(closed) for symbol, closed in self.spot.closures.items()},
        }

    def restore(self, facts: Mapping[str, Any] | None, rows: Iterable[tuple[str, str, Any]]) -> None:
        """What a store has kept is there again; without facts it has kept nothing of FinTrusted."""
        if facts is None:
            return
        self.sessions.key = bytes.fromhex(facts["key"])
        for symbol, book in self.spot.books.items():
            book.depth_percent = facts["depth_percent"][symbol]
            self.spot.closures[symbol] = Closures(**facts["closures"][symbol])
        kept: dict[str, list[tuple[str, Any]]] = {"member": [], "key": [], "order": [], "futures": []}
        for kind, row_id, content in rows:
            kept[kind].append((row_id, content))
        for _, content in kept["member"]:
            self.floor.members.add(Member(**content))
        for _, content in kept["key"]:
            self.keys.add(ApiKey(**content))
        for order in sorted((SpotOrder.restored(content) for _, content in kept["order"]), key=_number):
            self.spot.stand_again(order)
        self.spot.orders.changed.clear()
        self.futures.restore(kept["futures"])

    def _answer(self, request: Request, call: Call, *, now: float, seen: float | None) -> Response:
        rules, now_micros = self.floor.rules, micros(now)
        member = self.keys.member_in(request, call, now=now)
        member = member or self.sessions.member_in(call.headers, now_micros=now_micros)
        self._limit.take(ANONYMOUS if member is None else str(member.member_id), now=now)
        route, rest = find(call.method, call.path, rules)
        if route.needs_token and member is None:
            raise Refused(messages.LOG_IN, code=rules.auth_code)
        visit = Visit(
            self,
            call,
            read_form(call),
            caller=member,
            seen_micros=None if seen is None else micros(seen),
            rest=rest,
        )
        response = success(rules, route.answer(visit), is_bare=is_bare(call.path, rules))
        return replace(response, headers={**response.headers, **visit.headers})

    def _let_pass(self, at_micros: int) -> None:
        self.remember()
        self.futures.advance(at_micros)
        self.floor.now = max(self.floor.now, at_micros)
        self.spot.move_to(self.floor.now)


def _number(order: SpotOrder) -> int:
    return order.number
