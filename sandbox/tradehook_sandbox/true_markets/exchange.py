"""The exchange as one function: `handle(request)` answers, and `advance` lets happen what is due.

Time passes only here, and only when somebody asks: whatever was due since the last request happens first, in order,
each thing at its own moment.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tradehook_sandbox.clock import http_date, micros
from tradehook_sandbox.true_markets import gateway
from tradehook_sandbox.true_markets.bridge import Bridge
from tradehook_sandbox.true_markets.calls import Call, Refusal, reply
from tradehook_sandbox.true_markets.cefi import Cefi
from tradehook_sandbox.true_markets.defi import Defi
from tradehook_sandbox.true_markets.house import House
from tradehook_sandbox.true_markets.keys import KeyRing
from tradehook_sandbox.true_markets.limits import ANONYMOUS, RateLimit, budget_headers, waiting_header
from tradehook_sandbox.true_markets.routes import SIGN_IN, find
from tradehook_sandbox.true_markets.tokens import Tokens
from tradehook_sandbox.true_markets.withdrawals import Withdrawals

if TYPE_CHECKING:
    from collections.abc import Callable

    from cryptography.hazmat.primitives.asymmetric import ec

    from tradehook.wire import Request, Response
    from tradehook_sandbox.ledger import Ledger
    from tradehook_sandbox.market import Market
    from tradehook_sandbox.true_markets.orders import Order
    from tradehook_sandbox.true_markets.routes import Route
    from tradehook_sandbox.true_markets.rules import Rules


class TrueMarkets:
    """One True Markets Gateway with its accounts."""

    def __init__(
        self,
        *,
        seed: int,
        market: Market,
        ledger: Ledger,
        now: Callable[[], float],
        rules: Rules,
        signing_key: ec.EllipticCurvePrivateKey | None = None,
    ) -> None:
        self.rules = rules
        self.keys = KeyRing()
        self.tokens = Tokens(self.keys, rules=rules, signing_key=signing_key)
        self.house = House(seed=seed, market=market, ledger=ledger)
        self.cefi = Cefi(self.house, rules)
        self.defi = Defi(self.house)
        self.bridge = Bridge(self.house, self.cefi)
        self.withdrawals = Withdrawals(self.house, rules)
        self._now = now
        self._limit = RateLimit(rules)

    @property
    def seed(self) -> int:
        """What all its chances follow from."""
        return self.house.seed

    def advance(self, seconds: float) -> None:
        """Everything due up to this moment has happened; an earlier moment changes nothing."""
        until = max(micros(seconds), self.house.now)
        while True:
            self._end_transfers(until)
            due = self.house.next_due(until)
            if due is None:
                break
            at_micros, order = due
            self._let_pass(at_micros)
            if order.due_micros == at_micros:
                order.due_micros = None
                self._happen(order)
            elif order.cancel_micros == at_micros:
                order.cancel_micros = None
                self.cefi.canceled(order)
        self._let_pass(until)

    def _end_transfers(self, until: int) -> None:
        """Transfers have ended that are due before the next thing that happens to an order."""
        while True:
            at_micros = self.withdrawals.due_at()
            if at_micros is None or at_micros > min(until, self.house.due_at(until)):
                return
            self._let_pass(at_micros)
            self.withdrawals.end_due()

    def remember(self) -> None:
        """Whatever changed has been as it is now since this moment; see `past.py`."""
        self.house.orders.remember(self.house.now)
        self.withdrawals.all.remember(self.house.now)

    def turn_back(self, seconds: float) -> None:
        """Somebody has turned the clock back to this moment."""
        self.withdrawals.turn_back(self.house.now - micros(seconds))
        self.house.turn_back(micros(seconds))
        for book in self.cefi.books.values():
            book.jump_to(self.house.market.step_at(self.house.now))

    def handle(self, request: Request, *, at: float | None = None, seen: float | None = None) -> Response:
        """Answer one request.

        Whatever comes in, this answers: nothing it is given makes it raise.

        Args:
            request: what came in.
            at: when it came in, if that has passed already.
            seen: reads show orders as they were at this moment, when it is given.
        """
        now = self._now() if at is None else at
        self.advance(now)
        call = Call.read(request)
        bucket = self._bucket(call, now=now)
        try:
            if not self._limit.count(bucket, now=now):
                raise self._limit.refusal(bucket, now=now)
            response = self._answer(call, find(call, self.rules), now=now, seen=seen)
        except Refusal as refusal:
            response = refusal.response(self.rules.errors)
        self.house.ledger.check()
        headers = {**response.headers, **self._limit.headers(bucket, now=now), "date": http_date(now)}
        return replace(response, headers=headers)

    def broken(self, status: int, message: str, *, back: float | None = None) -> Response:
        """How an answer looks that never reached an endpoint.

        Args:
            status: of HTTP.
            message: for the body.
            back: with it, a budget that is used up and whole again at this moment.
        """
        headers = {}
        if back is not None:
            now = self._now()
            headers = budget_headers(self.rules, remaining=0, back=back, now=now)
            headers |= waiting_header(self.rules, back=back, now=now)
        return Refusal(status, message, headers=headers).response(self.rules.errors)

    def _answer(self, call: Call, route: Route, *, now: float, seen: float | None) -> Response:
        claims = None
        # Quotes and the catalogue are open to all, but a token that is sent must be good. See: truemarkets-api 3.
        if not route.is_auth and (not route.is_open or "authorization" in call.headers):
            claims = self.tokens.verify(call.headers.get("authorization", ""), now=now)
        status, body = route.answer(
            gateway.Visit(
                self,
                call,
                route.order_id,
                claims=claims,
                now=now,
                seen_micros=None if seen is None else micros(seen),
            )
        )
        return reply(status, body)

    def _bucket(self, call: Call, *, now: float) -> str:
        """Whose budget the request is counted against."""
        if call.path.startswith(SIGN_IN):
            return gateway.key_named_in(call, self.keys) or ANONYMOUS
        try:
            return self.tokens.verify(call.headers.get("authorization", ""), now=now).key_id
        except Refusal:
            return ANONYMOUS

    def _let_pass(self, at_micros: int) -> None:
        self.remember()
        self.cefi.move_to(at_micros)
        self.house.now = max(self.house.now, at_micros)

    def _happen(self, order: Order) -> None:
        if order.is_final:
            return
        match order.due_what:
            case "arrive":
                self.cefi.arrive(order)
            case "settle":
                self.defi.settle(order)
            case "fund":
                self.bridge.settle(order)
