"""The exchange as one function: `handle(request)` answers, and `advance` lets happen what is due.

Time passes only here, and only when somebody asks: whatever was due since the last request happens first, in order,
each thing at its own moment.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tradehook_sandbox.clock import http_date, micros
from tradehook_sandbox.true_markets import gateway
from tradehook_sandbox.true_markets.bridge import Bridge
from tradehook_sandbox.true_markets.calls import Call, Refusal, reply
from tradehook_sandbox.true_markets.cefi import Cefi
from tradehook_sandbox.true_markets.defi import Defi
from tradehook_sandbox.true_markets.house import House
from tradehook_sandbox.true_markets.keys import KeyRing
from tradehook_sandbox.true_markets.limits import ANONYMOUS, RateLimit
from tradehook_sandbox.true_markets.routes import SIGN_IN, find
from tradehook_sandbox.true_markets.tokens import Tokens

if TYPE_CHECKING:
    from collections.abc import Callable

    from cryptography.hazmat.primitives.asymmetric import ec

    from tradehook.wire import Request, Response
    from tradehook_sandbox.ledger import Ledger
    from tradehook_sandbox.market import Market
    from tradehook_sandbox.true_markets.orders import Order
    from tradehook_sandbox.true_markets.routes import Route


@dataclass(frozen=True, slots=True)
class Rules:
    """Where the sandbox may be stricter or looser than the live service."""

    rate_limit: int = 100
    """Requests a minute per key; 0 for no limit."""
    token_seconds: int = 3600
    strict_units: bool = False
    """Refuse a market buy in base units, as documented; live it is accepted."""
    strict_quotes: bool = False
    """Refuse the quick-start body of the overview page, as the specification does."""


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
        self.tokens = Tokens(self.keys, access_seconds=rules.token_seconds, signing_key=signing_key)
        self.house = House(seed=seed, market=market, ledger=ledger)
        self.cefi = Cefi(self.house)
        self.defi = Defi(self.house)
        self.bridge = Bridge(self.house, self.cefi)
        self._now = now
        self._limit = RateLimit(rules.rate_limit)

    def advance(self, seconds: float) -> None:
        """Everything due up to this moment has happened; an earlier moment changes nothing."""
        until = max(micros(seconds), self.house.now)
        while due := self.house.next_due(until):
            at_micros, order = due
            self._let_pass(at_micros)
            if order.due_micros == at_micros:
                order.due_micros = None
                self._happen(order)
            elif order.cancel_micros == at_micros:
                order.cancel_micros = None
                self.cefi.canceled(order)
        self._let_pass(until)

    def turn_back(self, seconds: float) -> None:
        """Somebody has turned the clock back to this moment."""
        self.house.turn_back(micros(seconds))
        for book in self.cefi.books.values():
            book.jump_to(self.house.market.step_at(self.house.now))

    def handle(self, request: Request, *, at: float | None = None) -> Response:
        """Answer one request, now or at a moment that has passed already.

        Whatever comes in, this answers: nothing it is given makes it raise.
        """
        now = self._now() if at is None else at
        self.advance(now)
        call = Call.read(request)
        bucket = self._bucket(call, now=now)
        try:
            if not self._limit.count(bucket, now=now):
                raise Refusal(429, "rate limit exceeded")
            response = self._answer(call, find(call), now=now)
        except Refusal as refusal:
            response = refusal.response()
        self.house.ledger.check()
        headers = {**response.headers, **self._limit.headers(bucket, now=now), "date": http_date(now)}
        return replace(response, headers=headers)

    def _answer(self, call: Call, route: Route, *, now: float) -> Response:
        claims = None
        # Quotes and the catalogue are open to all, but a token that is sent must be good. See: truemarkets-api 3.
        if not route.is_auth and (not route.is_open or "authorization" in call.headers):
            claims = self.tokens.verify(call.headers.get("authorization", ""), now=now)
        status, body = route.answer(gateway.Visit(self, call, route.order_id, claims=claims, now=now))
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
