"""The sandbox as one object: exchanges, faults, admin and clock, in memory. The server only adds sockets."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, TypeVar

from tradehook.wire import Response
from tradehook_sandbox.admin import endpoints as admin
from tradehook_sandbox.clock import MICROS, Clock, http_date, micros
from tradehook_sandbox.faults import Answer, Faults
from tradehook_sandbox.fintrusted.exchange import FinTrusted
from tradehook_sandbox.fintrusted.routes import is_fintrusted
from tradehook_sandbox.fintrusted.rules import PREFIX, FinTrustedRules
from tradehook_sandbox.ledger import Ledger
from tradehook_sandbox.market import Market
from tradehook_sandbox.true_markets import market_data
from tradehook_sandbox.true_markets.accounts import DEFAULT_ACCOUNT
from tradehook_sandbox.true_markets.calls import Call
from tradehook_sandbox.true_markets.exchange import TrueMarkets
from tradehook_sandbox.true_markets.keys import fresh_bundle, read_bundle
from tradehook_sandbox.true_markets.routes import below_prefix
from tradehook_sandbox.true_markets.rules import Rules

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from tradehook.wire import Request
    from tradehook_sandbox.faults import Kind

T = TypeVar("T")

_API: Final = "/v1"


class Sandbox:
    """A True Markets and a FinTrusted of your own, with play money, on one market and in one ledger.

    Thread-safe: requests are answered one at a time.
    """

    def __init__(
        self,
        *,
        seed: int = 1,
        clock: Clock | None = None,
        rules: Rules | None = None,
        fintrusted: FinTrustedRules | None = None,
        state: Path | None = None,
        **switches: Any,
    ) -> None:
        """Open it with one account, `default`, that holds the opening amounts.

        Args:
            seed: prices, liquidity and latencies follow from it.
            clock: its time; without one it stands still until it is advanced.
            rules: how it answers where more than one answer is possible; without them as the live service was seen to.
            fintrusted: the same of FinTrusted; without them what is likeliest.
            state: a file that keeps everything but the rules across restarts; its seed wins over `seed`.
            switches: fields of `Rules` by name, as in `rate_limit=0`, and those of `FinTrustedRules` with `fintrusted_`
                in front; they win over `rules` and `fintrusted`.

        Raises:
            StateError: the file is not ours, is damaged, or another sandbox has it open.
            TypeError: there is no such switch.
            ValueError: a switch cannot have this value.
        """
        of_fintrusted = {name: switches.pop(name) for name in list(switches) if name.startswith(PREFIX)}
        rules = replace(rules or Rules(), **switches)
        fintrusted = replace(
            fintrusted or FinTrustedRules(),
            **{name.removeprefix(PREFIX): value for name, value in of_fintrusted.items()},
        )
        self.clock = clock or Clock.frozen()
        self.faults = Faults()
        self._lock = threading.RLock()
        if state is None:
            self._store = None
            self.exchange = TrueMarkets(
                seed=seed,
                market=Market(seed=seed, origin_micros=micros(self.clock.now())),
                ledger=Ledger(),
                now=self.clock.now,
                rules=rules,
            )
        else:
            # Here, so that a sandbox in memory never loads sqlite3.
            from tradehook_sandbox.state import Store

            self._store = Store(state)
            self.exchange = self._store.load(self, seed=seed, rules=rules)
        house = self.exchange.house
        self.fintrusted = FinTrusted(
            seed=house.seed,
            market=house.market,
            ledger=house.ledger,
            now=self.clock.now,
            rules=fintrusted,
            done_micros=house.now,
        )
        if self._store is not None:
            self._store.restore(self.fintrusted)
        house.accounts.open(DEFAULT_ACCOUNT, at_micros=house.now)
        self._save()

    def respond(self, request: Request) -> Answer:
        """Answer one request, through whatever fault waits for it. Never raises for anything it is given."""
        with self._lock:
            call = Call.read(request)
            if admin.is_admin(call.path):
                return Answer(self.handle(request))
            now = self.clock.now()
            self.catch_up()
            answer = self.faults.respond(request, self._far_side(call), paths=_spellings(call.path), now=now)
            self._save()
            if answer.response is None:
                return answer
            return replace(answer, response=_dated(answer.response, now))

    def shake_hands(self, request: Request) -> Answer:
        """Answer a WebSocket's handshake, through whatever fault waits for it: with 101 it is accepted."""
        with self._lock:
            now = self.clock.now()
            paths = _spellings(Call.read(request).path)
            answer = self.faults.respond(request, _Handshake(self.exchange), paths=paths, now=now)
            self._save()
            if answer.response is None:
                return answer
            return replace(answer, response=_dated(answer.response, now))

    def market_data(self, topic: str) -> list[dict[str, Any]]:
        """What the WebSocket pushes for this topic now."""
        with self._lock:
            self.catch_up()
            self._save()
            return market_data.BATCHES[topic](self.exchange.house)

    def beside(self, act: Callable[[], T]) -> T:
        """What this returns once everything that is due has happened, while no request is being answered."""
        with self._lock:
            self.catch_up()
            result = act()
            self._save()
            return result

    def strike_stream(self, path: str) -> Kind | None:
        """What a fault does to a WebSocket at this path instead of its next message; usually nothing."""
        with self._lock:
            kind = self.faults.strike_stream(_spellings(path), seed=self.exchange.seed)
            if kind is not None:
                self._save()
            return kind

    def handle(self, request: Request) -> Response:
        """Answer one request, past all faults. Never raises for anything it is given."""
        with self._lock:
            self.catch_up()
            call = Call.read(request)
            is_ours = admin.is_admin(call.path)
            response = admin.handle(self, call) if is_ours else self._far_side(call).handle(request)
            self._save()
            return _dated(response, self.clock.now())

    def catch_up(self) -> None:
        """Everything that is due has happened, requests that a fault had held back among it."""
        with self._lock:
            now = self.clock.now()
            earlier = self.exchange.house.now - micros(now)
            if earlier > 0:
                self.exchange.turn_back(now)
                self.fintrusted.turn_back(now)
                self.faults.turn_back(earlier / MICROS)
            for late in self.faults.take_due(now):
                self._far_side(Call.read(late.request)).handle(late.request, at=late.due)
            self.exchange.advance(now)
            self.fintrusted.advance(now)

    def key_file(self, account: str = DEFAULT_ACCOUNT) -> dict[str, Any]:
        """A fresh key in the exchange's own file format, registered to the account.

        An account of another name is opened with the opening amounts.
        """
        bundle = fresh_bundle()
        self.register(bundle, account=account)
        return bundle

    def register(self, bundle: Mapping[str, Any], *, account: str = DEFAULT_ACCOUNT) -> str:
        """The exchange accepts the key in this file for the account; returns the key's id.

        Raises:
            ValueError: it is not such a key; the message does not quote it.
        """
        key_id, public_key = read_bundle(bundle)
        with self._lock:
            house = self.exchange.house
            uid = house.accounts.open(account, at_micros=house.now).uid
            self.exchange.keys.register(key_id, public_key, uid)
            self._save()
        return key_id

    def close(self) -> None:
        """The state file, if there is one, is complete and closed."""
        with self._lock:
            if self._store is not None:
                self._save()
                self._store.close()
                self._store = None

    def _far_side(self, call: Call) -> TrueMarkets | FinTrusted:
        """The exchange to which this path belongs."""
        return self.fintrusted if is_fintrusted(call.path) else self.exchange

    def _save(self) -> None:
        self.exchange.remember()
        self.fintrusted.remember()
        if self._store is not None:
            self._store.save(self)


class _Handshake:
    """The far side of a handshake: it says yes, and words errors as the exchange does."""

    def __init__(self, exchange: TrueMarkets) -> None:
        self.seed = exchange.seed
        self.broken = exchange.broken

    def handle(self, request: Request, *, seen: float | None = None) -> Response:  # noqa: ARG002 - nothing to look at
        """Accept."""
        return Response(101)


def _spellings(path: str) -> tuple[str, ...]:
    """The ways in which a fault may write this path: below the Gateway's prefix, below `/v1`, or in full."""
    below = below_prefix(path)
    return tuple(
        spelling
        for spelling in (below, path.removeprefix(_API) if path.startswith(_API + "/") else None, path)
        if spelling
    )


def _dated(response: Response, now: float) -> Response:
    return replace(response, headers={"date": http_date(now), **response.headers})
