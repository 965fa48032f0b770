"""The door of a desk: what a caller gives arrives, who asks twice at once hears the same, and a cancel never queues."""

from __future__ import annotations

import threading
from contextlib import suppress
from datetime import timedelta

import pytest
from tests.client.desk.test_attempts import ON_CHAIN
from tests.client.desk.test_create_transfer import AT_EXCHANGE, add_destinations
from tests.client.desk.test_create_transfer import ON_CHAIN as TRANSFER
from tests.client.desk.test_reconcile import BUY, FAR, lose
from tests.client.desk.test_second_looks import another

from tradehook.desk.intents import State
from tradehook.desk.journal import Journal
from tradehook.desk.reconcile import Patience
from tradehook.desk.submit import Desk
from tradehook.errors import (
    ConfigurationError,
    GuardRefused,
    IntentConflict,
    InvalidInput,
    NotFound,
    OutcomeUnknown,
    Rejected,
    TradehookError,
    WrongState,
)
from tradehook.models import NewOrder, OrderStatus
from tradehook.run import run
from tradehook.transfers import TransferStatus

NOBODY = "11111111-2222-4333-8444-555555555555"


class Gate:
    """Holds what a desk sends until it is opened."""

    def __init__(self, desk, *, count=1):
        self.is_open, self.arrived, self.names = threading.Event(), threading.Semaphore(0), set()
        self.count = count
        respond = desk.exchange.session.line.respond

        def held(request):
            if request.method == "POST" and request.path.endswith("/orders"):
                self.names.add(threading.current_thread().name.rpartition("_")[0])
                self.arrived.release()
                assert self.is_open.wait(30)
            return respond(request)

        desk.exchange.session.line.respond = held

    def wait(self):
        for _ in range(self.count):
            assert self.arrived.acquire(timeout=30)


# --- what is given arrives ------------------------------------------------------------------------------------


def test_an_order_is_sent_in_the_size_that_was_asked_for_unless_nobody_looks_on(world):
    order = NewOrder.of("BTC/PYUSD", side="sell", amount="0.15")
    assert world.desk().place_order(order, intent_id="i-1", source="test").sized.tag == 0
    assert world.desk().start_order(order, intent_id="i-2", source="test").result().sized.tag == 0
    assert world.desk().place_order(order, intent_id="i-3", source="test", is_unattended=True).sized.tag > 0


def test_what_a_person_was_shown_is_what_is_sent(world):
    desk = world.desk()
    shown = run(desk.exchange.size_order(NewOrder.of("BTC/PYUSD", side="buy", amount="0.001")))
    shown = shown.model_copy(update={"quantity": shown.quantity * 2})
    assert desk.place_order(BUY, intent_id="i-1", source="test", sized=shown).sized.quantity == shown.quantity
    add_destinations(desk)
    sized = run(desk.size_transfer(AT_EXCHANGE))
    sized = sized.model_copy(update={"quantity": sized.quantity * 2})
    sent = desk.create_transfer(AT_EXCHANGE, intent_id="t-1", source="test", sized=sized)
    assert sent.sized.quantity == sized.quantity


def test_a_transfer_is_not_signed_without_the_approval_that_was_wanted(world):
    desk = world.desk()
    add_destinations(desk)
    with pytest.raises(GuardRefused) as caught:
        desk.create_transfer(TRANSFER, intent_id="t-1", source="test", approve=lambda _sized, _made: False)
    assert caught.value.rule == "approval"
    assert world.sends("POST", "/execute") == 0


def test_only_a_market_order_may_be_sent_again_and_that_is_said(world):
    with pytest.raises(InvalidInput) as caught:
        world.desk().start_order(FAR, intent_id="i-1", source="test", resends=True)
    assert caught.value.message == (
        "Only a market order at the exchange may be sent again by itself; leave out `resends`."
    )


def test_a_desk_looks_for_as_long_as_it_was_told(world):
    journal = Journal.open(world.journal_url)
    desk = Desk(world.exchange(), journal=journal, account="main", patience=Patience(look_seconds=0.2))
    world.desks.append(desk)
    world.fault("error_before", status=503)
    before = world.sandbox.clock.now()
    lose(world, desk)
    assert world.sandbox.clock.now() - before < 0.5


def test_where_it_is_open_which_account_is_meant_nothing_is_sent(world):
    def undecided():
        raise ConfigurationError("Two accounts could be meant.")

    desk = Desk(world.exchange(), journal=Journal.open(world.journal_url), account="main", check_chosen=undecided)
    world.desks.append(desk)
    with pytest.raises(ConfigurationError, match="Two accounts"):
        desk.place_order(BUY, intent_id="i-1", source="test")
    assert desk.journal.list() == []


# --- twice at once --------------------------------------------------------------------------------------------


def test_who_asks_for_the_same_at_the_same_time_waits_for_the_same(world):
    desk = world.desk()
    gate = Gate(desk)
    first = desk.start_order(BUY, intent_id="i-1", source="test")
    gate.wait()
    assert desk.start_order(BUY, intent_id="i-1", source="another") is first
    assert not first.cancel()
    other = desk.start_order(FAR, intent_id="i-1", source="test")
    assert other is not first
    with pytest.raises(IntentConflict):
        other.result(30)
    gate.is_open.set()
    assert not first.result(30).is_stored
    again = desk.start_order(BUY, intent_id="i-1", source="test")
    assert again is not first
    assert again.result(30).is_stored
    assert gate.names == {"tradehook-desk"}
    assert world.orders_placed() == 1


def test_after_a_failure_the_next_who_asks_begins_anew(world):
    desk = world.desk()
    with pytest.raises(InvalidInput):
        desk.place_order(NewOrder.of("BTC/EUR", side="buy", amount="1"), intent_id="i-1", source="test")
    with pytest.raises(IntentConflict):
        desk.place_order(BUY, intent_id="i-1", source="test")
    assert desk.place_order(BUY, intent_id="i-2", source="test").order.order_id


def test_a_cancel_does_not_wait_behind_orders_that_wait_for_their_answers(world):
    desk = world.desk()
    order_id = desk.place_order(FAR, intent_id="i-0", source="test").order.order_id
    world.sandbox.clock.advance(2)
    gate = Gate(desk, count=8)
    waiting = [
        desk.start_order(
            NewOrder.of("BTC/PYUSD", side="buy", amount=f"0.00{number}"), intent_id=f"i-{number}", source="t"
        )
        for number in range(1, 9)
    ]
    gate.wait()
    assert desk.cancel_order(order_id).status in (OrderStatus.CANCELING, OrderStatus.CANCELED)
    assert not any(future.done() for future in waiting)
    gate.is_open.set()
    assert all(future.result(30).order.order_id for future in waiting)


# --- closed, and in another process -----------------------------------------------------------------------------


def test_a_closed_desk_sends_nothing_and_says_so(world):
    desk = world.desk()
    desk.close()
    for asked in (
        lambda: desk.place_order(BUY, intent_id="i-1", source="test"),
        lambda: desk.place_order(BUY, intent_id="i-1", source="test"),
        lambda: desk.cancel_order(NOBODY),
    ):
        with pytest.raises(ConfigurationError) as caught:
            asked()
        assert caught.value.message == "The desk is closed; nothing was sent."
    assert world.sends("POST", "/orders") == 0


def test_closing_waits_for_what_is_being_sent(world):
    desk = world.desk()
    gate = Gate(desk)
    future = desk.start_order(BUY, intent_id="i-1", source="test")
    gate.wait()
    was_done = []

    def close():
        desk.close()
        was_done.append(future.done())

    closing = threading.Thread(target=close)
    closing.start()
    gate.is_open.set()
    closing.join(30)
    assert was_done == [True]
    assert future.result(30).order.order_id


@pytest.mark.parametrize(
    "ask",
    [
        lambda desk: desk.place_order(BUY, intent_id="i-1", source="test"),
        lambda desk: desk.create_transfer(AT_EXCHANGE, intent_id="t-1", source="test"),
        lambda desk: desk.cancel_order(NOBODY),
        lambda desk: desk.expire(),
        lambda desk: desk.sweep(),
        lambda desk: desk.reconcile(),
        lambda desk: desk.resolve("i-1", "not-placed", by="ana"),
    ],
)
def test_a_desk_from_before_a_fork_says_what_to_do(world, monkeypatch, ask):
    desk = world.desk()
    monkeypatch.setattr("os.getpid", lambda: -1)
    with pytest.raises(ConfigurationError) as caught:
        ask(desk)
    assert caught.value.message == "This desk was opened before the process was forked. Open one in the child."


# --- as last seen -----------------------------------------------------------------------------------------------


def test_who_waits_again_and_again_shares_the_looks(world):
    desk = world.desk()
    desk.place_order(FAR, intent_id="i-1", source="test")
    world.sandbox.clock.advance(5)
    desk.watch("i-1")
    before = len(world.lines[0].sent)
    for _ in range(5):
        assert desk.watch("i-1").status is OrderStatus.OPEN
    assert len(world.lines[0].sent) == before
    desk.cancel_order(desk.journal.get("i-1").order_id)
    world.sandbox.clock.advance(60)
    assert desk.watch("i-1").status is OrderStatus.CANCELED
    before = len(world.lines[0].sent)
    world.sandbox.clock.advance(60)
    assert desk.watch("i-1").status is OrderStatus.CANCELED
    assert len(world.lines[0].sent) == before  # it has ended: nobody has to look


def test_who_waits_for_what_is_in_doubt_or_was_never_sent_is_told(world):
    desk = world.desk()
    world.fault("error_before", status=503)
    lose(world, desk)
    with pytest.raises(OutcomeUnknown, match="do not enter it again"):
        desk.watch("i-1")
    desk.journal.set_trading_state("HALTED", by="test")
    with pytest.raises(GuardRefused):
        desk.place_order(FAR, intent_id="i-2", source="test")
    assert desk.journal.get("i-2").state is State.PREPARED
    with pytest.raises(OutcomeUnknown):
        desk.watch("i-2")


def test_what_cannot_be_canceled_says_how_it_stands(world):
    desk = world.desk()
    order_id = desk.place_order(BUY, intent_id="i-1", source="test").order.order_id
    world.sandbox.clock.advance(5)
    with pytest.raises((WrongState, Rejected), match=r"It is filled now\.$"):
        desk.cancel_order(order_id)


def test_who_waits_for_a_transfer_shares_the_looks_too(world):
    desk = world.desk()
    add_destinations(desk)
    desk.create_transfer(AT_EXCHANGE, intent_id="t-1", source="test")
    desk.watch_transfer("t-1")
    before = len(world.lines[0].sent)
    for _ in range(5):
        assert desk.watch_transfer("t-1").status is TransferStatus.PENDING
    assert len(world.lines[0].sent) == before
    world.sandbox.clock.advance(120)
    assert desk.watch_transfer("t-1").status is TransferStatus.COMPLETED


def test_who_waits_for_a_transfer_in_doubt_is_told(world):
    desk = world.desk()
    add_destinations(desk)
    world.fault("error_before", path="/transfers", status=503)
    for ask in (
        lambda: desk.create_transfer(AT_EXCHANGE, intent_id="t-1", source="test"),
        lambda: desk.watch_transfer("t-1"),
        lambda: desk.follow_transfer("t-1"),
    ):
        with pytest.raises(OutcomeUnknown, match="The transfer was sent"):
            ask()


def test_an_execute_in_doubt_is_read_by_who_waits_for_it(world):
    desk = world.desk()
    world.fault("timeout_after", path="/orders/{id}/execute", times=10)
    for path in ("/orders", "/orders/{id}", "/orders/{id}/status"):
        world.fault("edge_html", method="GET", path=path, times=200)
    lose(world, desk, ON_CHAIN)
    with suppress(TradehookError):
        desk.sweep()  # so that it is no time for another look
    assert desk.journal.get("i-1").last_order.awaits_signature
    world.admin("DELETE", "faults")
    assert not desk.watch("i-1").awaits_signature
    assert desk.journal.get("i-1").state is State.ACCEPTED


def test_what_another_account_sent_is_not_told_from_the_journal_of_both(make_world):
    """Who waits for it here is told what this account can see of it: nothing."""
    first = make_world()
    first.desk().place_order(FAR, intent_id="i-1", source="test")
    second = another(first, make_world())
    with pytest.raises(NotFound):
        second.desk().watch("i-1")


def test_who_follows_an_order_cancels_no_other_that_has_rested_as_long(world):
    desk = world.desk()
    order = FAR.model_copy(update={"good_for": timedelta(hours=1)})
    for name in ("i-1", "i-2"):
        desk.place_order(order, intent_id=name, source="test")
    world.sandbox.clock.advance(3601)
    desk.follow("i-2")
    assert [request.path.rpartition("/")[2] for request in world.lines[0].sent if request.method == "DELETE"] == [
        desk.journal.get("i-2").order_id
    ]
    assert "expired" not in [event["what"] for event in desk.journal.events("i-1")]


def test_who_says_no_why_is_on_record_without_one(world):
    desk = world.desk()
    world.fault("error_before", status=503)
    lose(world, desk)
    world.sandbox.clock.advance(4000)
    assert desk.resolve("i-1", "not-placed", by="ana").resolution["why"] == ""
