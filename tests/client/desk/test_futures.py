"""A futures position is opened once and closed once, in the sandbox only, and a doubt about it is never forgotten."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from tests.client.conftest import URL, World

from tradehook.client import connect
from tradehook.desk import futures_deed
from tradehook.desk.futures_deed import FuturesDeed
from tradehook.desk.intents import State
from tradehook.desk.limits import Limits
from tradehook.desk.trading import TradingState
from tradehook.errors import (
    GuardRefused,
    InsufficientFunds,
    IntentConflict,
    InvalidInput,
    OutcomeUnknown,
    Rejected,
    TradehookError,
    UnexpectedResponse,
)
from tradehook.exchanges.fintrusted import FinTrusted
from tradehook.exchanges.fintrusted.dialect import Dialect
from tradehook.exchanges.fintrusted.futures import PROFILES
from tradehook.futures import UNNAMED, NewFuturesOrder
from tradehook.models import OrderStatus
from tradehook.run import run, run_each
from tradehook.settings import Settings
from tradehook.testing import MemoryLine, Stopped
from tradehook_sandbox import Sandbox
from tradehook_sandbox.fintrusted.futures import Futures

LIVE = "https://fintrusted.com"


def opening(contracts: str = "10", side: str = "long", **more: Any) -> NewFuturesOrder:
    """Open so many contracts, ten times."""
    fields = {"contract": "BTC/USDT", "position_side": side, "action": "open", "contracts": Decimal(contracts)}
    return NewFuturesOrder.model_validate({**fields, "leverage": 10, **more})


def closing(side: str = "long", **more: Any) -> NewFuturesOrder:
    """Close all of it, or as much as is said."""
    return NewFuturesOrder.model_validate({"contract": "BTC/USDT", "position_side": side, "action": "close", **more})


@dataclass
class FuturesWorld(World):
    """A world whose account is FinTrusted's demo."""

    def exchange(  # type: ignore[override]
        self, *, environment: str = "sandbox", base_url: str = URL, stop_at: int | None = None, **options: str
    ) -> FinTrusted:
        line = MemoryLine(self.sandbox.respond, clock=self.sandbox.clock, stop_at=stop_at)
        self.lines.append(line)
        given = {"email": "demo@example.com", "password": "demo", "futures_profile": "family_default", **options}
        return FinTrusted(
            line, dialect=Dialect.parse(given, is_sandbox=True), environment=environment, base_url=base_url
        )

    def fault(self, kind: str, *, method: str = "POST", path: str = "/tx/uorder/open", **more: Any) -> None:
        super().fault(kind, method=method, path=path, **more)

    @property
    def futures(self) -> Futures:
        found = self.sandbox.fintrusted.futures
        assert isinstance(found, Futures)
        return found

    def filled(self) -> list[tuple[str, bool, int]]:
        """Every order that there is for money, once everything that comes late has come: side, is it opening, size."""
        self.sandbox.clock.advance(1_000)
        self.sandbox.catch_up()
        self.sandbox.fintrusted.floor.ledger.check()
        return [(order.side, order.is_open, order.volume) for order in self.futures.engine.orders]


@pytest.fixture
def make_futures_world(tmp_path, store):
    worlds: list[FuturesWorld] = []

    def make(**options: Any) -> FuturesWorld:
        sandbox = Sandbox(**{"fintrusted_futures_answer": "order", **options})
        folder = tmp_path / f"futures{len(worlds)}"
        folder.mkdir()
        worlds.append(FuturesWorld(folder=folder, sandbox=sandbox, key={}, journal_url=store(folder)))
        worlds[-1].admin("POST", "prices", {"BTC": "74000", "walk": False})
        return worlds[-1]

    yield make
    for world in worlds:
        for desk in world.desks:
            desk.close()
            desk.journal.close()


@pytest.fixture
def world(make_futures_world) -> FuturesWorld:
    return make_futures_world()


def place(desk, order=None, intent_id="f-1"):
    return desk.place_futures(order or opening(), intent_id=intent_id, source="test")


def lose(desk, order=None, intent_id="f-1"):
    with pytest.raises(OutcomeUnknown) as caught:
        place(desk, order, intent_id)
    return caught.value


def positions(desk) -> dict[str, Decimal]:
    return {str(one.position_side): one.contracts for one in run(desk.exchange.futures.positions())}


# --- once -------------------------------------------------------------------------------------------------------


def test_a_position_is_opened_and_closed_and_the_same_id_sends_nothing_more(world):
    desk = world.desk()

    opened = place(desk)
    again = place(desk)
    closed = place(desk, closing(), "f-2")

    assert opened.order.status is OrderStatus.FILLED
    assert opened.order.average_price == 74000
    assert (opened.sized.margin, opened.sized.fee) == (74, Decimal("0.37"))
    assert again.is_stored
    assert again.order.order_id == opened.order.order_id
    assert (closed.sized.contracts, closed.order.status) == (10, OrderStatus.FILLED)
    assert positions(desk) == {}
    assert world.filled() == [("long", True, 10), ("long", False, 10)]


def test_a_close_of_a_short_is_a_buy_on_the_wire_and_of_a_long_a_sell(world):
    desk = world.desk()
    place(desk, opening(side="short"), "f-1")
    place(desk, opening(side="long"), "f-2")

    place(desk, closing("short"), "f-3")
    assert positions(desk) == {"long": 10}
    place(desk, closing("long"), "f-4")

    bodies = [request.body.decode() for line in world.lines for request in line.sent if "uorder" in request.path]
    sides = [part for body in bodies for part in body.split("&") if part.startswith("direction=")]
    assert sides == ["direction=1", "direction=0", "direction=0", "direction=1"]


def test_the_same_id_for_another_order_is_a_conflict(world):
    desk = world.desk()
    place(desk)
    with pytest.raises(IntentConflict):
        place(desk, opening("11"))
    assert len(world.filled()) == 1


@pytest.mark.parametrize("profile", sorted(PROFILES))
def test_every_profile_says_the_same_to_an_exchange_that_understands_it(make_futures_world, profile):
    world = make_futures_world()
    desk = world.desk(futures_profile=profile)

    place(desk, opening("7", price=Decimal(80000)))
    place(desk, closing(contracts=Decimal(3)), "f-2")

    assert positions(desk) == {"long": 4}


def test_a_waiting_order_is_followed_to_its_end_by_the_sweep(world):
    desk = world.desk()
    waiting = place(desk, opening(price=Decimal(73000)))
    assert waiting.order.status is OrderStatus.OPEN

    world.admin("POST", "prices", {"BTC": "72000"})
    desk.sweep()

    seen = desk.journal.get("f-1").last_futures
    assert (seen.status, seen.average_price) == (OrderStatus.FILLED, 73000)


# --- refused before anything is sent ------------------------------------------------------------------------------


def test_without_a_profile_nothing_is_sent_and_the_refusal_says_how_to_choose(world):
    desk = world.desk(futures_profile="none")

    with pytest.raises(InvalidInput, match="TRADEHOOK_FINTRUSTED_FUTURES_PROFILE to family_default"):
        place(desk)

    assert world.filled() == []
    assert run(desk.exchange.futures.wallets())


@pytest.mark.parametrize(("environment", "url"), [("live", URL), ("sandbox", LIVE), ("live", LIVE)])
def test_nothing_is_written_where_real_money_may_be(world, environment, url):
    exchange = world.exchange(environment=environment, base_url=url)
    sized = run(world.exchange().futures.size(opening()))

    with pytest.raises(GuardRefused) as caught:
        exchange.futures.write(sized)

    assert caught.value.rule == "futures"


def test_limits_that_allow_live_trading_allow_no_futures(world):
    """Even past the exchange's own refusal, the transaction that sends says no."""
    desk = world.desk()
    account = run(desk.exchange.account_id())
    desk.journal.limits.set(desk.exchange.host, account, Limits(live=True, order=Decimal(1000)), by="test")
    desk.exchange.environment = "live"

    with pytest.raises(GuardRefused) as caught:
        place(desk)

    assert caught.value.rule == "futures"
    assert world.filled() == []


def test_margin_and_fee_count_against_the_limits_and_a_close_does_not(world):
    desk = world.desk()
    account = run(desk.exchange.account_id())
    limits = Limits(order=Decimal("74.37"), day=Decimal(100))
    desk.journal.limits.set(desk.exchange.host, account, limits, by="test")

    place(desk)
    with pytest.raises(GuardRefused) as larger:
        place(desk, opening("11"), "f-2")
    with pytest.raises(GuardRefused) as second:
        place(desk, opening("4"), "f-3")
    place(desk, closing(), "f-4")

    assert (larger.value.rule, larger.value.actual) == ("order", "81.807")
    assert (second.value.rule, second.value.actual) == ("day", "104.118")
    assert world.filled() == [("long", True, 10), ("long", False, 10)]


@pytest.mark.parametrize("state", [TradingState.HALTED, TradingState.REDUCING])
def test_a_freeze_stops_openings_and_reducing_lets_closes_through(world, state):
    desk = world.desk()
    place(desk)
    desk.journal.trading.set(state, by="test")

    with pytest.raises(GuardRefused, match=r"frozen|Only"):
        place(desk, opening(), "f-2")
    if state is TradingState.REDUCING:
        place(desk, closing(), "f-3")
        assert positions(desk) == {}
    else:
        with pytest.raises(GuardRefused):
            place(desk, closing(), "f-3")
        assert positions(desk) == {"long": 10}


@pytest.mark.parametrize(
    ("order", "says"),
    [
        (closing(), "There is no long of BTC/USDT to close"),
        (opening("1.5"), "Contracts are whole"),
        (opening(leverage=200), "no leverage 200: there is 1 to 100"),
        (opening(contract="DOGE/USDT"), "no futures wallet for DOGE/USDT; there is BTC/USDT, ETH/USDT"),
    ],
)
def test_what_cannot_be_is_said_before_it_is_sent(world, order, says):
    desk = world.desk()
    with pytest.raises(InvalidInput, match=says):
        place(desk, order)
    assert world.filled() == []


def test_more_than_is_there_cannot_be_closed(world):
    desk = world.desk()
    place(desk)
    with pytest.raises(InvalidInput, match="Only 10 contracts") as caught:
        place(desk, closing(contracts=Decimal(11)), "f-2")
    assert caught.value.suggestions == ("10",)


def test_a_clear_no_of_the_exchange_is_rejected_and_stays_so(world):
    desk = world.desk()
    with pytest.raises(InsufficientFunds):
        place(desk, opening("5000"))
    with pytest.raises(Rejected):
        place(desk, opening("5000"))
    assert world.sends("POST", "/tx/uorder/open") == 1


# --- doubt ------------------------------------------------------------------------------------------------------


def test_an_answer_that_was_lost_is_found_in_the_list_and_there_is_one_position(world):
    desk = world.desk()
    world.fault("timeout_after")

    found = place(desk)

    assert found.was_found
    assert desk.journal.get("f-1").state is State.MATCHED
    assert positions(desk) == {"long": 10}
    assert world.filled() == [("long", True, 10)]


def test_a_lost_close_is_found_as_well(world):
    desk = world.desk()
    place(desk)
    world.fault("error_after", path="/tx/uorder/close", status=502)

    assert place(desk, closing(), "f-2").was_found
    assert world.filled() == [("long", True, 10), ("long", False, 10)]


@pytest.mark.parametrize("listed", ["positions", "position_list"])
def test_where_no_orders_are_listed_a_doubt_stays_until_a_person_ends_it(make_futures_world, listed):
    world = make_futures_world(fintrusted_futures_list=listed)
    desk = world.desk()
    world.fault("timeout_after")

    error = lose(desk)

    assert "long BTC/USDT +10" in error.message
    assert "`tradehook futures orders`" in error.message
    lose(desk)
    with pytest.raises(GuardRefused, match="The same futures order was sent before"):
        place(desk, opening(), "f-2")
    assert desk.reconcile() == []
    desk.resolve("f-1", "placed:CE17", by="lutz", why="seen on the site")
    assert place(desk).order.exchange_status == "told by a person"
    assert world.filled() == [("long", True, 10)]


def test_what_never_arrived_is_held_and_never_sent_again_by_itself(world):
    desk = world.desk()
    world.fault("error_before", status=503)

    error = lose(desk)
    world.sandbox.clock.advance(1_000_000)
    lose(desk)

    assert "balances have not changed" in error.message
    assert desk.reconcile() == []
    assert desk.journal.get("f-1").state is State.UNKNOWN
    assert world.filled() == []


def test_two_that_look_alike_are_for_a_person_to_tell_apart(world):
    """Somebody opens the same by hand while ours is in doubt."""
    desk = world.desk()
    world.fault("late_accept", status=503, delay_seconds=300)
    lose(desk)
    by_hand(world, opening())
    world.sandbox.clock.advance(301)

    desk.reconcile()

    assert desk.journal.get("f-1").state is State.NEEDS_HUMAN
    newest, ours = (order.order_id for order in run(desk.exchange.futures.overview()).orders)
    with pytest.raises(InvalidInput, match="has no futures order CE1"):
        desk.resolve("f-1", "placed:CE1", by="lutz")
    desk.resolve("f-1", f"placed:{newest}", by="lutz")
    assert place(desk).order.order_id in (newest, ours)
    assert len(world.filled()) == 2


def by_hand(world, order: NewFuturesOrder) -> None:
    """An order by a person, past the desk."""
    exchange = world.exchange()
    write = exchange.futures.write(run(exchange.futures.size(order)))
    request, _ = run(exchange.session.prepare(write.request))
    exchange.session.understand(run(exchange.session.send_once(request)), write.read)


@pytest.mark.parametrize(
    "other",
    [
        opening(side="short"),
        opening("9"),
        opening(contract="ETH/USDT"),
        opening(price=Decimal(74100)),
        opening(leverage=20),
    ],
    ids=["side", "contracts", "contract", "limit", "leverage"],
)
def test_what_somebody_else_sent_is_not_taken_for_ours(world, other):
    desk = world.desk()
    world.fault("error_before", status=503)
    lose(desk)
    by_hand(world, other)

    desk.reconcile()

    assert desk.journal.get("f-1").state is State.UNKNOWN
    assert len(world.filled()) == 1


def test_an_answer_without_an_id_is_believed_and_cannot_be_asked_about(make_futures_world):
    world = make_futures_world(fintrusted_futures_answer="none")
    desk = world.desk()

    outcome = place(desk)

    assert outcome.order.order_id.startswith(UNNAMED)
    assert (outcome.order.status, outcome.order.is_final) == (OrderStatus.ACCEPTED, True)
    assert place(desk).is_stored
    desk.sweep()
    assert positions(desk) == {"long": 10}


@pytest.mark.parametrize("stop_at", range(1, 16))
def test_wherever_a_process_dies_there_is_one_position_or_a_visible_doubt(world, stop_at):
    """The process is gone at the `stop_at`th wait, before it; the next one goes on."""
    first = world.desk(stop_at=stop_at)
    with suppress(Stopped, TradehookError):
        place(first)
    second = world.desk()
    try:
        place(second)
    except OutcomeUnknown:
        assert second.journal.get("f-1").reads_as is State.UNKNOWN

    assert world.filled() in ([], [("long", True, 10)])
    if world.filled() == []:
        assert second.journal.get("f-1").reads_as is not State.ACCEPTED


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_process_that_is_killed_leaves_a_doubt_that_the_next_one_ends_truthfully(start_sandbox, tmp_path, moment):
    """Over real sockets: SIGKILL right before the request leaves, or right after the exchange took it."""
    server = start_sandbox("--fintrusted-futures-answer", "order")
    settings = Settings.from_environment(
        {
            "TRADEHOOK_EXCHANGE": "fintrusted",
            "TRADEHOOK_FINTRUSTED_URL": server.url,
            "TRADEHOOK_FINTRUSTED_FUTURES_PROFILE": "family_default",
            "TRADEHOOK_LOOK_SECONDS": "0",
            "TRADEHOOK_JOURNAL_URL": f"sqlite:///{tmp_path}/journal.db",
        }
    )
    child = os.fork()
    if not child:
        try:
            with connect(settings) as client:
                _die_at_the_send(client.exchange.session.line, moment)
                client.desk.place_futures(opening(), intent_id="f-1", source="test")
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status)

    with connect(settings) as client:
        assert client.desk.journal.get("f-1").reads_as is State.UNKNOWN
        try:
            outcome = client.desk.place_futures(opening(), intent_id="f-1", source="test")
            assert outcome.was_found
        except OutcomeUnknown:
            assert moment == "before"
        there = run(client.exchange.futures.overview())
        assert [one.contracts for one in there.positions] == ([10] if moment == "after" else [])
        assert len(there.orders) == (1 if moment == "after" else 0)


def _die_at_the_send(line, moment: str) -> None:
    send = line.send

    async def die(request):
        is_it = request.path.endswith("/tx/uorder/open")
        if is_it and moment == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        answer = await send(request)
        if is_it:
            os.kill(os.getpid(), signal.SIGKILL)
        return answer

    line.send = die


# --- rows and words ---------------------------------------------------------------------------------------------


def test_an_outcome_is_told_as_plain_values(world):
    outcome = place(world.desk())
    told = outcome.to_dict()
    assert (told["intent_id"], told["order_id"], told["is_stored"]) == ("f-1", outcome.order.order_id, False)
    assert (told["sent"]["contracts"], "payloads" in told) == ("10", False)


def test_what_was_accepted_and_is_not_in_the_journal_is_said(world):
    desk = world.desk()
    place(desk)
    with desk.journal.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE intent SET seen = NULL, is_final = 1")
    with pytest.raises(UnexpectedResponse, match="what came of it is not in the journal"):
        place(desk)
    assert len(world.filled()) == 1


def test_what_was_shown_is_what_is_opened_or_nothing_is(world):
    desk = world.desk()
    desk.journal.set_trading_state("HALTED", by="test")
    with pytest.raises(GuardRefused):
        place(desk)
    desk.journal.set_trading_state("NORMAL", by="test")
    shown = run(desk.exchange.futures.size(opening("11")))
    with pytest.raises(IntentConflict, match="was settled before as"):
        desk.place_futures(opening(), intent_id="f-1", source="test", sized=shown)
    assert world.filled() == []


def test_nothing_of_futures_is_signed(world):
    exchange = world.exchange()
    with pytest.raises(InvalidInput, match="nothing to sign"):
        FuturesDeed(opening()).execute(exchange, settled=None, created=None)


def test_an_exchange_whose_futures_are_missing_says_so(world, monkeypatch):
    exchange = world.exchange()
    monkeypatch.setattr(exchange, "futures", None)
    with pytest.raises(InvalidInput, match="has no futures"):
        futures_deed.futures_of(exchange)


def test_the_list_ends_where_it_is_asked_to(world):
    desk = world.desk()
    place(desk)
    (order,) = run_each(futures_deed.listed(desk.exchange, since=None))
    assert order.created_at is not None
    assert [*run_each(futures_deed.listed(desk.exchange, since=order.created_at))] == [order]
    assert [*run_each(futures_deed.listed(desk.exchange, since=order.created_at + timedelta(seconds=1)))] == []


def test_a_futures_order_is_followed_by_its_intent(world):
    desk = world.desk()
    made = place(desk).order
    followed = desk.follow_futures("f-1")
    assert (followed.order_id, followed.status) == (made.order_id, OrderStatus.FILLED)
