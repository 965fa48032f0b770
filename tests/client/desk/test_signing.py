"""The second step of what is signed: how often it goes out, what is told of each time, and what leaves it unsigned."""

from __future__ import annotations

from decimal import Decimal

import pytest
from tests.client.desk.test_attempts import ON_CHAIN, during, story
from tests.client.desk.test_create_transfer import ON_CHAIN as TRANSFER
from tests.client.desk.test_create_transfer import add_destinations
from tests.client.desk.test_looking import FAILED, told
from tests.client.desk.test_reconcile import lose, state
from tests.client.desk.test_rounds import pauses

from tradehook.desk import attempts
from tradehook.desk.intents import State
from tradehook.errors import GuardRefused, NotSent, OutcomeUnknown, RateLimited, Rejected, Unauthorized
from tradehook.models import OrderStatus
from tradehook.retry import ATTEMPTS
from tradehook.run import run
from tradehook.testing import Stopped

EXECUTE = "/orders/{id}/execute"
LIMITED = {"type": "RateLimited", "exchange": "true_markets"}


def buy(desk, **more):
    return desk.place_order(ON_CHAIN, intent_id="i-1", source="test", **more)


# --- what leaves it unsigned ------------------------------------------------------------------------------------


def test_what_was_not_approved_is_told_and_kept_as_refused(world):
    desk = world.desk()
    for _ in range(2):
        with pytest.raises(GuardRefused) as caught:
            buy(desk, approve=lambda _sized, _created: False)
        assert (caught.value.rule, caught.value.message) == ("approval", "Not approved; nothing was signed or sent.")
    assert story(desk) == ["prepared", "sending", "created", "rejected"]
    assert told(desk, "rejected")[0]["error"]["message"] == "Not approved; nothing was signed or sent."


def test_who_approves_is_shown_what_was_settled_and_what_was_made(world):
    desk = world.desk()
    sized = run(desk.exchange.size_order(ON_CHAIN))
    shown = []

    def approve(settled, created):
        shown.append((settled, created.order_id, created.awaits_signature))
        return True

    outcome = buy(desk, approve=approve)
    assert shown == [(sized, outcome.order.order_id, True)]


def test_an_approval_that_is_cut_off_leaves_it_to_be_made_anew(world):
    desk = world.desk()

    def cut_off(_sized, _created):
        raise Stopped

    with pytest.raises(Stopped):
        buy(desk, approve=cut_off)
    assert (state(desk), story(desk)) == (State.PREPARED, ["prepared", "sending", "created", "abandoned"])


def test_a_freeze_before_it_is_signed_is_told_with_the_reason(world):
    desk = world.desk()

    def freeze(_sized, _created):
        desk.journal.set_trading_state("HALTED", by="test")
        return True

    with pytest.raises(GuardRefused):
        buy(desk, approve=freeze)
    (abandoned,) = told(desk, "abandoned")
    assert (abandoned["from"], abandoned["error"]["details"]["rule"]) == ("CREATED", "frozen")
    assert state(desk) is State.PREPARED


def test_what_would_trade_worse_than_it_may_is_told_with_the_reason(world):
    desk = world.desk()
    order = ON_CHAIN.model_copy(update={"max_slippage": Decimal("0.0001")})
    with pytest.raises(GuardRefused) as caught:
        desk.place_order(order, intent_id="i-1", source="test")
    assert (state(desk), world.sends("POST", "/execute")) == (State.PREPARED, 0)
    (abandoned,) = told(desk, "abandoned")
    assert (abandoned["from"], abandoned["error"]["message"]) == ("CREATED", caught.value.message)
    assert abandoned["error"]["details"]["rule"] == "slippage"


# --- how often it goes out --------------------------------------------------------------------------------------


def test_an_execute_that_the_exchange_has_no_time_for_goes_out_four_times_and_is_no_doubt(world):
    desk = world.desk()
    waited = pauses(desk)
    world.fault("rate_limited", path=EXECUTE, times=10, delay_seconds=3)
    with pytest.raises(RateLimited):
        buy(desk)
    assert world.sends("POST", "/execute") == ATTEMPTS
    assert waited == [3.0] * ATTEMPTS
    assert (state(desk), story(desk)[-2:]) == (State.PREPARED, ["executing", "not carried out"])
    (last,) = told(desk, "not carried out")
    assert {name: last["error"][name] for name in LIMITED} == LIMITED
    assert last["from"] == "EXECUTING"


def test_the_very_same_signatures_go_out_each_time(world):
    desk = world.desk()
    world.fault("rate_limited", path=EXECUTE, times=2)
    assert buy(desk).order.order_id
    sent = [request.body for request in world.lines[0].sent if request.path.endswith("/execute")]
    assert len(sent) == 3
    assert len(set(sent)) == 1
    assert world.orders_placed() == 1


def test_a_token_that_is_refused_for_an_execute_is_renewed_once_and_at_once(world):
    desk = world.desk()
    run(desk.exchange.account_id())
    tokens, waited = world.sends("POST", "/token") + world.sends("POST", "/refresh"), pauses(desk)
    world.fault("error_before", path=EXECUTE, status=401)
    assert buy(desk).order.order_id
    assert world.sends("POST", "/execute") == 2
    assert world.sends("POST", "/token") + world.sends("POST", "/refresh") == tokens + 1
    assert waited == []
    assert world.orders_placed() == 1


def test_a_token_that_is_refused_twice_ends_it_without_a_doubt(world):
    desk = world.desk()
    world.fault("error_before", path=EXECUTE, status=401, times=10)
    with pytest.raises(Unauthorized):
        buy(desk)
    assert (world.sends("POST", "/execute"), state(desk)) == (2, State.PREPARED)


def test_an_execute_without_an_answer_is_looked_for_each_time_before_it_goes_out_again(world):
    """Four times, and once more four times when the doubt is taken up before its caller is told."""
    desk = world.desk()
    world.fault("error_before", path=EXECUTE, status=503, times=10)
    error = lose(world, desk, ON_CHAIN)
    order_id = desk.journal.get("i-1").order_id
    assert error.details["order_id"] == order_id
    assert world.sends("POST", "/execute") == 2 * ATTEMPTS
    assert world.sends("GET", f"/orders/{order_id}") >= 2 * ATTEMPTS
    assert told(desk, "unknown") == [{"from": "EXECUTING", "error": FAILED}] * 2


def test_an_execute_that_went_out_is_found_before_it_goes_out_again(world):
    desk = world.desk()
    world.fault("error_after", path=EXECUTE, status=503)
    assert not buy(desk).order.awaits_signature
    assert (world.sends("POST", "/execute"), story(desk)[-1]) == (1, "found")
    assert world.orders_placed() == 1


def test_a_clear_no_to_an_execute_ends_it_at_once(world):
    desk = world.desk()
    waited = pauses(desk)
    world.fault("error_before", path=EXECUTE, status=400)
    with pytest.raises(Rejected):
        buy(desk)
    assert (world.sends("POST", "/execute"), waited, story(desk)[-1]) == (1, [], "rejected")
    assert told(desk, "rejected")[0]["error"]["details"]["status"] == 400


def test_what_was_never_sent_and_then_could_not_be_is_no_doubt(world):
    desk = world.desk()
    send = desk.exchange.session.send_once

    async def unreachable(request):
        if request.path.endswith("/execute"):
            raise NotSent("The exchange could not be reached. Nothing was sent.")
        return await send(request)

    desk.exchange.session.send_once = unreachable
    with pytest.raises(NotSent):
        buy(desk)
    assert (state(desk), world.sends("POST", "/execute")) == (State.PREPARED, 0)
    assert told(desk, "not carried out")[0]["error"]["type"] == "NotSent"


def test_who_is_stopped_dead_while_executing_leaves_a_doubt_that_says_so(world):
    desk = world.desk()
    send = desk.exchange.session.send_once

    async def stopped(request):
        if request.path.endswith("/execute"):
            raise Stopped
        return await send(request)

    desk.exchange.session.send_once = stopped
    with pytest.raises(Stopped):
        buy(desk)
    assert (state(desk), story(desk)[-1]) == (State.UNKNOWN, "interrupted")
    assert told(desk, "interrupted") == [{"from": "EXECUTING"}]


def test_what_a_living_process_is_executing_is_left_to_it(world, monkeypatch):
    monkeypatch.setattr(attempts, "OTHERS_SECONDS", -1.0)
    first, second = world.desk(), world.desk()

    def meanwhile():
        lose(world, second, ON_CHAIN)
        assert state(second) is State.EXECUTING

    during(first, "POST", "/execute", meanwhile)
    assert not buy(first).is_stored
    assert world.sends("POST", "/execute") == 1
    assert world.orders_placed() == 1


def test_what_is_told_of_an_execute_is_what_was_answered_to_it(world):
    desk = world.desk()
    order = buy(desk).order
    assert (order.status, order.awaits_signature, order.payloads) == (OrderStatus.PENDING, False, ())
    (accepted,) = told(desk, "accepted")
    assert (accepted["from"], accepted["order_id"], accepted["status"]) == ("EXECUTING", order.order_id, "pending")


def test_a_freeze_does_not_keep_back_what_may_be_on_its_way_already(world):
    """The same bytes again can only end the doubt; left alone it would wait for a person."""
    desk = world.desk()
    world.fault("error_before", path=EXECUTE, status=503)
    pause = desk.exchange.session.line.pause

    async def freezing(seconds):
        desk.journal.set_trading_state("HALTED", by="test")
        await pause(seconds)

    desk.exchange.session.line.pause = freezing
    assert buy(desk).order.order_id
    assert (world.sends("POST", "/execute"), story(desk)[-1]) == (2, "accepted")
    assert world.orders_placed() == 1


# --- taken up again ---------------------------------------------------------------------------------------------


def doubtful(world):
    """A desk whose order on a chain may have been executed, and was not."""
    desk = world.desk()
    world.fault("error_before", path=EXECUTE, status=503, times=10)
    lose(world, desk, ON_CHAIN)
    world.admin("DELETE", "faults")
    return desk


def test_a_doubt_is_taken_up_with_the_same_signatures(world):
    desk = doubtful(world)
    before = {request.body for request in world.lines[0].sent if request.path.endswith("/execute")}
    later = world.desk()
    outcome = buy(later)
    sent = [request.body for request in world.lines[1].sent if request.path.endswith("/execute")]
    assert ([*before], outcome.is_stored) == (sent, True)
    assert story(desk)[-2:] == ["executing", "accepted"]
    assert world.orders_placed() == 1


def test_a_doubt_that_is_taken_up_is_left_to_who_took_it_and_stays_the_accounts(world, monkeypatch):
    monkeypatch.setattr(attempts, "OTHERS_SECONDS", -1.0)
    desk = doubtful(world)
    account, later, third = desk.journal.get("i-1").account_id, world.desk(), world.desk()

    def meanwhile():
        lose(world, third, ON_CHAIN)
        assert state(third) is State.EXECUTING

    sends = world.sends("POST", "/execute")
    during(later, "POST", "/execute", meanwhile)
    buy(later)
    assert world.sends("POST", "/execute") == sends + 1
    assert (desk.journal.get("i-1").account_id, bool(account)) == (account, True)


def test_a_doubt_that_is_taken_up_with_a_token_that_is_refused_gets_another(world):
    doubtful(world)
    later = world.desk()
    run(later.exchange.account_id())
    tokens = world.sends("POST", "/token") + world.sends("POST", "/refresh")
    world.fault("error_before", path=EXECUTE, status=401)
    assert buy(later).order.order_id
    assert world.sends("POST", "/token") + world.sends("POST", "/refresh") == tokens + 1


def test_a_doubt_that_is_taken_up_and_refused_stays_a_doubt(world):
    desk = doubtful(world)
    world.fault("error_before", path=EXECUTE, status=400)
    lose(world, world.desk(), ON_CHAIN)
    assert state(desk) is State.UNKNOWN
    assert told(desk, "unknown")[-1]["error"]["details"]["status"] == 400
    assert world.orders_placed() == 0


def test_a_doubt_is_not_taken_up_once_its_token_is_dead(world):
    desk = doubtful(world)
    sends = world.sends("POST", "/execute")
    world.sandbox.clock.advance(4000)
    lose(world, world.desk(), ON_CHAIN)
    assert (world.sends("POST", "/execute"), state(desk)) == (sends, State.UNKNOWN)


def test_why_a_doubt_was_not_taken_up_is_in_the_log(world, caplog):
    desk = doubtful(world)
    desk.journal.set_trading_state("HALTED", by="ana")
    with pytest.raises(OutcomeUnknown):
        buy(world.desk())
    (line,) = [line for line in caplog.messages if "taken up" in line]
    assert line.startswith("Intent i-1 could not be taken up again: ")
    assert "frozen" in line or "ana" in line


def test_a_transfer_in_doubt_is_taken_up_as_a_transfer(world):
    desk = world.desk()
    add_destinations(desk)
    world.fault("error_before", path="/transfers/{id}/execute", status=503, times=10)
    with pytest.raises(OutcomeUnknown) as caught:
        desk.create_transfer(TRANSFER, intent_id="t-1", source="test")
    found = desk.journal.get("t-1")
    assert caught.value.details["transfer_id"] == found.exchange_id
    world.admin("DELETE", "faults")
    assert world.desk().create_transfer(TRANSFER, intent_id="t-1", source="test").transfer.transfer_id
    assert desk.journal.get("t-1").state is State.ACCEPTED


def test_what_another_process_took_over_meanwhile_is_not_executed_by_the_first(world):
    slow, fast = world.desk(), world.desk()

    def overtaken():
        world.sandbox.clock.advance(4000)
        buy(fast)

    during(slow, "POST", "/orders", overtaken, after=True)
    buy(slow)
    assert world.sends("POST", "/execute") == 1
    assert world.orders_placed() == 1
