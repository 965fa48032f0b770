"""Between the steps of one attempt: others who take over, answers that come too late, and what cannot be read."""

from __future__ import annotations

import socket

import pytest
from tests.client.desk.test_reconcile import BUY, FAR, lose, place_by_hand

from tradehook.desk import attempts
from tradehook.desk.intents import State
from tradehook.errors import (
    GuardRefused,
    IntentConflict,
    Interrupted,
    NotSent,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    TradehookError,
    WrongState,
)
from tradehook.models import NewOrder, OrderStatus
from tradehook.retry import ATTEMPTS

ON_CHAIN = NewOrder.of("CBBTC/USDC", side="buy", amount="$100", chain="base")
DEAD = f"{socket.gethostname()}:999999:1:dead"


def story(desk, intent_id="i-1"):
    return [event["what"] for event in desk.journal.events(intent_id)]


def during(desk, method, end, happens, *, after=False):
    """Let something happen once, while a request of the desk is on its way, or its answer is."""
    line = desk.exchange.session.line
    respond = line.respond

    def between(request):
        if request.method != method or not request.path.endswith(end):
            return respond(request)
        line.respond = respond
        if after:
            answer = respond(request)
            happens()
            return answer
        happens()
        return respond(request)

    line.respond = between


def cut_off(desk):
    """From now on nothing that this desk sends leaves the machine."""

    def unreachable(_request):
        raise NotSent("The exchange could not be reached. Nothing was sent.")

    desk.exchange.session.line.respond = unreachable


# --- others -----------------------------------------------------------------------------------------------------


def test_whoever_waits_for_anothers_send_for_too_long_is_told_that_it_is_in_doubt(world, monkeypatch):
    monkeypatch.setattr(attempts, "OTHERS_SECONDS", -1.0)
    first, second = world.desk(), world.desk()
    during(first, "POST", "/orders", lambda: lose(world, second))
    first.place_order(BUY, intent_id="i-1", source="test")
    assert second.place_order(BUY, intent_id="i-1", source="test").is_stored
    assert world.orders_placed() == 1


def test_whoever_waits_for_anothers_approval_is_told_that_nothing_was_sent(world, monkeypatch):
    monkeypatch.setattr(attempts, "OTHERS_SECONDS", -1.0)
    first, second = world.desk(), world.desk()

    def approve(_sized, _created):
        with pytest.raises(Interrupted, match="is asking for approval of intent i-1"):
            second.place_order(ON_CHAIN, intent_id="i-1", source="test")
        return True

    first.place_order(ON_CHAIN, intent_id="i-1", source="test", approve=approve)
    assert world.sends("POST", "/execute") == 1
    assert world.orders_placed() == 1


def test_what_a_dead_process_created_is_made_anew_and_never_signed_by_one_that_wakes(world):
    first, second = world.desk(), world.desk()

    def approve(_sized, _created):
        with first.journal.engine.begin() as connection:  # as if this process were dead
            connection.exec_driver_sql(f"UPDATE intent SET owner='{DEAD}'")
        assert not second.place_order(ON_CHAIN, intent_id="i-1", source="test").is_stored
        return True

    outcome = first.place_order(ON_CHAIN, intent_id="i-1", source="test", approve=approve)
    assert outcome.order.order_id == second.journal.get("i-1").order_id
    assert "abandoned" in story(first)
    assert world.sends("POST", "/execute") == 1
    assert world.orders_placed() == 1


def test_what_a_stopped_process_hears_was_created_is_not_signed_once_another_took_over(world):
    first, second = world.desk(), world.desk()

    def stopped():
        world.sandbox.clock.advance(4000)
        assert not second.place_order(ON_CHAIN, intent_id="i-1", source="test").is_stored

    during(first, "POST", "/orders", stopped, after=True)
    outcome = first.place_order(ON_CHAIN, intent_id="i-1", source="test")
    assert outcome.order.order_id == second.journal.get("i-1").order_id
    assert "overdue" in story(first)
    assert (world.sends("POST", "/orders"), world.sends("POST", "/execute")) == (2, 1)
    assert world.orders_placed() == 1


# --- who asks again ---------------------------------------------------------------------------------------------


def test_what_has_ended_is_told_while_the_exchange_cannot_be_reached(world):
    world.desk().place_order(BUY, intent_id="i-1", source="test")
    world.fault("error_before", status=400)
    with pytest.raises(Rejected):
        world.desk().place_order(FAR, intent_id="i-2", source="test")
    alone = world.desk()
    cut_off(alone)
    assert alone.place_order(BUY, intent_id="i-1", source="test").is_stored
    with pytest.raises(Rejected):
        alone.place_order(FAR, intent_id="i-2", source="test")
    alone._attempts.account = "other"
    with pytest.raises(IntentConflict, match="another account"):
        alone.place_order(BUY, intent_id="i-1", source="test")


def test_what_has_not_ended_is_not_told_without_the_exchange(world):
    desk = world.desk()
    desk.journal.set_trading_state("HALTED", by="test")
    with pytest.raises(GuardRefused):
        desk.place_order(BUY, intent_id="i-1", source="test")
    alone = world.desk()
    cut_off(alone)
    with pytest.raises(NotSent):
        alone.place_order(BUY, intent_id="i-1", source="test")


def test_a_sweep_goes_on_while_what_is_in_doubt_cannot_be_looked_for(world, caplog):
    desk = world.desk()
    world.fault("error_before", status=503)
    lose(world, desk)
    desk.place_order(FAR, intent_id="i-2", source="test")
    world.sandbox.clock.advance(60)
    world.fault("edge_html", method="GET", path="/orders")
    assert [change.intent.intent_id for change in desk.sweep()] == ["i-2"]
    assert "What is in doubt could not be looked for" in caplog.text


def test_a_doubt_without_an_id_cannot_be_followed(world):
    desk = world.desk()
    world.fault("error_before", status=503)
    lose(world, desk)
    with pytest.raises(OutcomeUnknown):
        desk.follow("i-1")


def test_a_doubt_with_an_id_ends_when_its_order_is_read(world):
    desk = world.desk()
    world.fault("timeout_after", path="/orders/{id}/execute", times=10)
    for path in ("/orders", "/orders/{id}", "/orders/{id}/status"):
        world.fault("edge_html", method="GET", path=path, times=200)
    lose(world, desk, ON_CHAIN)
    world.admin("DELETE", "faults")
    desk.follow("i-1")
    assert desk.journal.get("i-1").state is State.ACCEPTED
    assert "found" in story(desk)
    assert world.orders_placed() == 1


# --- executing --------------------------------------------------------------------------------------------------


def test_an_execute_that_is_never_answered_is_found_by_its_status(world):
    desk = world.desk()
    world.fault("timeout_after", path="/orders/{id}/execute", times=10)
    assert desk.place_order(ON_CHAIN, intent_id="i-1", source="test").order.order_id
    assert story(desk)[-1] == "found"
    assert world.orders_placed() == 1


def test_an_execute_whose_status_can_only_be_read_after_the_last_try_is_found(world):
    desk = world.desk()
    world.fault("timeout_after", path="/orders/{id}/execute", times=10)
    for path in ("/orders/{id}", "/orders/{id}/status"):
        world.fault("edge_html", method="GET", path=path, times=200)
    pause = desk.exchange.session.line.pause

    async def pausing(seconds):
        if world.sends("POST", "/execute") == ATTEMPTS:
            world.admin("DELETE", "faults")
        await pause(seconds)

    desk.exchange.session.line.pause = pausing
    assert desk.place_order(ON_CHAIN, intent_id="i-1", source="test").order.order_id
    assert (story(desk)[-1], world.sends("POST", "/execute")) == ("found", ATTEMPTS)
    assert world.orders_placed() == 1


def test_of_two_that_take_a_doubt_up_again_one_executes(world):
    desk, other = world.desk(), world.desk()
    world.fault("error_before", path="/orders/{id}/execute", status=503, times=200)
    lose(world, desk, ON_CHAIN)
    world.admin("DELETE", "faults")
    before = world.sends("POST", "/execute")
    later = world.desk()
    order_id = later.journal.get("i-1").order_id

    def faster():
        assert other.place_order(ON_CHAIN, intent_id="i-1", source="test").order.order_id == order_id

    during(later, "GET", f"/orders/{order_id}", faster, after=True)
    assert later.place_order(ON_CHAIN, intent_id="i-1", source="test").order.order_id == order_id
    assert world.sends("POST", "/execute") == before + 1
    assert world.orders_placed() == 1


def test_a_clear_no_to_an_execute_is_rejected(world):
    desk = world.desk()
    world.fault("error_before", path="/orders/{id}/execute", status=400)
    with pytest.raises(Rejected):
        desk.place_order(ON_CHAIN, intent_id="i-1", source="test")
    assert desk.journal.get("i-1").state is State.REJECTED
    assert world.orders_placed() == 0


def test_an_execute_that_may_have_arrived_is_in_doubt_when_it_cannot_be_sent_again(world):
    desk = world.desk()
    world.fault("error_before", path="/orders/{id}/execute", status=503)
    pause = desk.exchange.session.line.pause

    async def while_pausing(seconds):
        world.sandbox.clock.advance(7200)  # the token is over, and no other can be had
        cut_off(desk)
        await pause(seconds)

    desk.exchange.session.line.pause = while_pausing
    lose(world, desk, ON_CHAIN)
    assert desk.journal.get("i-1").state is State.UNKNOWN
    assert world.sends("POST", "/execute") == 1


@pytest.mark.parametrize("how", ["freeze", "stop"])
def test_a_doubt_about_an_execute_is_not_executed_again_once_trading_stopped(world, how):
    desk = world.desk()
    world.fault("error_before", path="/orders/{id}/execute", status=503, times=200)
    lose(world, desk, ON_CHAIN)
    sends = world.sends("POST", "/execute")
    world.admin("DELETE", "faults")
    later = world.desk()
    if how == "freeze":
        desk.journal.set_trading_state("HALTED", by="test")
    else:
        later.stop()
    lose(world, later, ON_CHAIN)
    assert world.sends("POST", "/execute") == sends
    assert later.journal.get("i-1").state is State.UNKNOWN
    assert world.orders_placed() == 0


# --- canceling --------------------------------------------------------------------------------------------------


def resting(world):
    """An order that rests, and its desk."""
    desk = world.desk()
    order = desk.place_order(FAR, intent_id="i-1", source="test").order
    world.sandbox.clock.advance(2)
    return desk, order.order_id


def test_what_was_not_placed_from_here_is_canceled_as_well(world):
    desk = world.desk()
    order_id = place_by_hand(world, FAR)
    world.sandbox.clock.advance(2)
    assert desk.cancel_order(order_id).status in (OrderStatus.CANCELING, OrderStatus.CANCELED)


def test_a_cancel_of_what_is_filled_says_how_it_stands(world):
    desk = world.desk()
    order_id = desk.place_order(BUY, intent_id="i-1", source="test").order.order_id
    world.sandbox.clock.advance(2)
    with pytest.raises(TradehookError, match="It is filled now") as caught:
        desk.cancel_order(order_id)
    assert isinstance(caught.value, WrongState | Rejected)
    assert caught.value.args == (caught.value.message,)
    assert {"accepted": False} in [{"accepted": event.get("accepted")} for event in desk.journal.events("i-1")]


def test_a_cancel_that_was_accepted_and_not_read_is_canceling(world):
    desk, order_id = resting(world)
    world.fault("edge_html", method="GET", path="/orders/{id}", times=20)
    world.fault("edge_html", method="GET", path="/orders", times=20)
    order = desk.cancel_order(order_id)
    assert (order.status, order.exchange_status) == (OrderStatus.CANCELING, "unread")
    world.admin("DELETE", "faults")
    world.sandbox.clock.advance(5)
    assert desk.follow("i-1").status is OrderStatus.CANCELED


@pytest.mark.parametrize("accepted", [True, False])
def test_a_cancel_whose_order_cannot_be_read_says_what_is_known(world, accepted):
    desk = world.desk()
    order_id = place_by_hand(world, FAR if accepted else BUY)
    world.sandbox.clock.advance(2)
    world.fault("edge_html", method="GET", path="/orders/{id}", times=20)
    world.fault("edge_html", method="GET", path="/orders", times=20)
    said = "was accepted" if accepted else "was refused"
    with pytest.raises(TradehookError, match=f"The cancel of order {order_id} {said}, but how it stands now") as caught:
        desk.cancel_order(order_id)
    assert caught.value.args == (caught.value.message,)


# --- bounded orders ---------------------------------------------------------------------------------------------


def test_a_bounded_order_that_cannot_be_read_is_canceled_all_the_same(world, monkeypatch, caplog):
    """The bound is moved away from the market, so it rests; and no read of it is answered."""
    desk = world.desk()
    bound = desk.exchange.bound_order
    monkeypatch.setattr(desk.exchange, "bound_order", lambda sized, *, at: bound(sized, at=at * 4 / 5))
    world.fault("edge_html", method="GET", path="/orders/{id}", times=4)
    order = NewOrder.of("BTC/PYUSD", side="buy", amount="0.001", max_slippage=1, bounded=True)
    desk.place_order(order, intent_id="i-1", source="test")
    assert "could not be read" in caplog.text
    assert "expired" in story(desk)
    world.sandbox.clock.advance(10)
    assert desk.follow("i-1").status is OrderStatus.CANCELED


def test_a_rate_limit_that_lasts_longer_than_the_series_is_told_at_once(world):
    desk = world.desk()
    world.fault("rate_limited", delay_seconds=100)
    began = world.sandbox.clock.now()
    with pytest.raises(RateLimited):
        desk.place_order(BUY, intent_id="i-1", source="test")
    assert world.sandbox.clock.now() - began < 60
    assert desk.journal.get("i-1").state is State.PREPARED
    assert world.sends("POST", "/orders") == 1
    assert world.orders_placed() == 0
