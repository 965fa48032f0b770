"""Round after round of one intent: how often it is sent, what is looked for first, who else has it, and what is told."""

from __future__ import annotations

import pytest
from tests.client.desk.test_attempts import DEAD, ON_CHAIN, during, story
from tests.client.desk.test_looking import told
from tests.client.desk.test_reconcile import BUY, FAR, LARGE, lose, place_by_hand, prove_the_list, state
from tests.client.desk.test_second_looks import another

from tradehook.desk import attempts
from tradehook.desk.intents import State
from tradehook.errors import GuardRefused, IntentConflict, Interrupted, OutcomeUnknown, RateLimited, Unauthorized
from tradehook.models import NewOrder
from tradehook.render import deed as order_words
from tradehook.retry import ATTEMPTS
from tradehook.run import run
from tradehook.testing import Stopped


def pauses(desk):
    """How long is waited between two sends, from now on."""
    line, seconds = desk.exchange.session.line, []
    pause = line.pause

    async def noted(length):
        seconds.append(length)
        await pause(length)

    line.pause = noted
    return seconds


# --- how often --------------------------------------------------------------------------------------------------


def test_what_the_exchange_has_no_time_for_is_sent_four_times_and_each_time_is_told(world):
    desk = world.desk()
    waited = pauses(desk)
    world.fault("rate_limited", times=10, delay_seconds=3)
    with pytest.raises(RateLimited):
        desk.place_order(BUY, intent_id="i-1", source="test")
    assert world.sends("POST", "/orders") == ATTEMPTS
    assert waited == [3.0] * (ATTEMPTS - 1)
    assert story(desk) == ["prepared", *["sending", "not carried out"] * ATTEMPTS]
    assert {event["from"] for event in told(desk, "not carried out")} == {"SENDING"}
    assert {event["error"]["type"] for event in told(desk, "not carried out")} == {"RateLimited"}
    assert desk.journal.get("i-1").error["type"] == "RateLimited"


def test_a_token_that_is_refused_is_renewed_once_and_not_waited_for(world):
    desk = world.desk()
    desk.place_order(BUY, intent_id="i-0", source="test")
    tokens, waited = world.sends("POST", "/token"), pauses(desk)
    world.fault("error_before", status=401, times=10)
    with pytest.raises(Unauthorized):
        desk.place_order(BUY, intent_id="i-1", source="test")
    assert world.sends("POST", "/orders") == 3
    assert world.sends("POST", "/token") + world.sends("POST", "/refresh") > tokens
    assert waited == []
    assert state(desk) is State.PREPARED


def test_a_limit_of_the_exchange_that_lasts_a_minute_is_waited_out_and_no_longer_one(world):
    for number, (seconds, sends) in enumerate(((60, 2), (61, 1)), start=1):
        desk = world.desk()
        before = world.sends("POST", "/orders")
        world.fault("rate_limited", delay_seconds=seconds)
        if sends == 1:
            with pytest.raises(RateLimited):
                desk.place_order(BUY, intent_id=f"i-{number}", source="test")
        else:
            desk.place_order(BUY, intent_id=f"i-{number}", source="test")
        assert world.sends("POST", "/orders") - before == sends


@pytest.mark.parametrize("seconds", [60, 61])
def test_what_took_longer_than_a_minute_is_not_sent_and_told_so(world, seconds):
    desk = world.desk()
    during(desk, "POST", "/quotes", lambda: world.sandbox.clock.advance(seconds))
    if seconds == 60:
        assert desk.place_order(BUY, intent_id="i-1", source="test").order.order_id
        return
    with pytest.raises(Interrupted) as caught:
        desk.place_order(BUY, intent_id="i-1", source="test")
    assert (caught.value.message, caught.value.exchange) == (
        "Not sent: it could not be sent within 60 s, and the price may be another one now. Nothing was sent.",
        "true_markets",
    )
    assert world.sends("POST", "/orders") == 0


def test_who_was_told_to_stop_sends_nothing_and_says_so(world):
    desk = world.desk()
    desk.stop()
    with pytest.raises(Interrupted) as caught:
        desk.place_order(BUY, intent_id="i-1", source="test")
    assert (caught.value.message, caught.value.exchange) == ("Stopped before anything was sent.", "true_markets")
    assert (state(desk), world.sends("POST", "/orders")) == (State.PREPARED, 0)


def test_who_is_stopped_dead_while_sending_leaves_a_doubt_that_says_so(world):
    desk = world.desk()
    send = desk.exchange.session.send_once

    async def stopped(request):
        if request.method == "POST" and request.path.endswith("/orders"):
            raise Stopped
        return await send(request)

    desk.exchange.session.send_once = stopped
    with pytest.raises(Stopped):
        desk.place_order(BUY, intent_id="i-1", source="test")
    assert (state(desk), story(desk)) == (State.UNKNOWN, ["prepared", "sending", "interrupted"])


# --- who else has it --------------------------------------------------------------------------------------------


def test_who_was_slower_by_a_moment_is_told_what_the_faster_one_sent(world):
    slow, fast = world.desk(), world.desk()
    sent = []
    faster = {"intent_id": "i-1", "source": "test"}
    during(slow, "GET", "/balances/unified", lambda: sent.append(fast.place_order(BUY, **faster)), after=True)
    outcome = slow.place_order(BUY, intent_id="i-1", source="test")
    assert (outcome.is_stored, sent[0].is_stored) == (True, False)
    assert outcome.order.order_id == sent[0].order.order_id
    assert world.orders_placed() == 1


@pytest.mark.parametrize("hours", [0, 2])
def test_what_another_process_is_asking_approval_for_is_left_to_it_however_long_it_takes(world, monkeypatch, hours):
    monkeypatch.setattr(attempts, "OTHERS_SECONDS", -1.0)
    first, second = world.desk(), world.desk()
    heard = []

    def approve(_sized, _created):
        world.sandbox.clock.advance(hours * 3600)
        with pytest.raises(Interrupted) as caught:
            second.place_order(ON_CHAIN, intent_id="i-1", source="test")
        heard.append((caught.value.message, caught.value.exchange))
        assert state(second) is State.CREATED
        return False

    with pytest.raises(Exception, match="Not approved"):
        first.place_order(ON_CHAIN, intent_id="i-1", source="test", approve=approve)
    assert heard == [
        ("Another process is asking for approval of intent i-1. Nothing was sent yet.", "true_markets"),
    ]


def left_by_the_dead(desk, state_, seen=""):
    """The row as a process leaves it that is killed there."""
    with desk.journal.engine.begin() as connection:
        connection.exec_driver_sql(f"UPDATE intent SET state = '{state_}', owner = '{DEAD}', is_final = 0{seen}")


def test_what_a_dead_process_was_sending_is_told_as_interrupted_and_found(world):
    desk = world.desk()
    order_id = desk.place_order(BUY, intent_id="i-1", source="test").order.order_id
    left_by_the_dead(desk, "SENDING", ", exchange_id = NULL, seen = NULL")
    assert world.desk().place_order(BUY, intent_id="i-1", source="test").order.order_id == order_id
    assert story(desk)[-2:] == ["interrupted", "matched"]
    assert world.orders_placed() == 1


def test_what_a_dead_process_had_created_is_told_as_abandoned_and_made_anew(world):
    desk = world.desk()
    world.fault("error_before", path="/orders/{id}/execute", status=503, times=200)
    lose(world, desk, ON_CHAIN)
    left_by_the_dead(desk, "CREATED")
    world.admin("DELETE", "faults")
    world.desk().place_order(ON_CHAIN, intent_id="i-1", source="test")
    assert story(desk)[-5:] == ["abandoned", "sending", "created", "executing", "accepted"]
    assert told(desk, "abandoned")[0]["from"] == "CREATED"
    assert world.orders_placed() == 1


def test_an_intent_of_another_account_is_told_with_both_names(make_world):
    first = make_world()
    first.desk().place_order(BUY, intent_id="i-1", source="test")
    second = another(first, make_world())
    desk = second.desk()
    desk._attempts.account = "savings"
    with pytest.raises(IntentConflict) as caught:
        desk.place_order(BUY, intent_id="i-1", source="test")
    assert caught.value.exchange == "true_markets"
    assert caught.value.message == (
        "Intent i-1 belongs to another account than the one in use now (called main then, savings now). Use a new "
        "intent id."
    )


# --- what is looked for first -----------------------------------------------------------------------------------


def test_the_doubts_of_one_account_are_not_looked_for_in_the_lists_of_another(make_world):
    """Nothing of the one is there, so each of its doubts would seem to be absent."""
    first = make_world()
    mine = first.desk()
    first.fault("error_before", status=503)
    lose(first, mine)
    second = another(first, make_world())
    theirs = second.desk()
    prove_the_list(theirs)
    first.sandbox.clock.advance(4000)
    before = mine.journal.get("i-1").resolution
    assert theirs.reconcile() == []
    theirs.place_order(FAR, intent_id="i-2", source="test")
    assert mine.journal.get("i-1").resolution == before


def test_a_desk_looks_before_its_first_order_and_not_before_each(world):
    world.fault("error_before", status=503)
    lose(world, world.desk())
    desk = world.desk()
    reads = []
    for number in (2, 3):
        before = world.sends("GET", "/orders")
        desk.place_order(FAR, intent_id=f"i-{number}", source="test")
        reads.append(world.sends("GET", "/orders") - before)
    assert reads == [2, 1]  # for the doubt, and for what is there before it is sent


def test_a_question_that_waits_for_a_person_is_not_looked_for_before_an_order(world):
    desk = world.desk()
    place_by_hand(world, LARGE)
    world.fault("timeout_after")
    lose(world, desk)
    assert state(desk) is State.NEEDS_HUMAN
    later = world.desk()
    before = world.sends("GET", "/orders")
    later.place_order(FAR, intent_id="i-2", source="test")
    assert world.sends("GET", "/orders") - before == 1


def test_a_sweep_looks_for_doubts_now_and_then_and_leaves_questions_alone(world):
    desk = world.desk()
    world.fault("error_before", status=503)
    lose(world, desk)
    looked = []
    for seconds in (60, 9.5, 0.5, 10):
        world.sandbox.clock.advance(seconds)
        desk.sweep()
        looked.append(desk.journal.get("i-1").resolution["looked_at"])
    assert len(set(looked)) == 3
    assert looked[0] == looked[1]
    two = [place_by_hand(world, BUY), place_by_hand(world, BUY)]
    world.sandbox.clock.advance(10)
    desk.sweep()
    assert set(desk.journal.get("i-1").resolution["found"]) == set(two)
    asked = desk.journal.get("i-1").resolution
    world.sandbox.clock.advance(10)
    before = world.sends("GET", "/orders")
    desk.sweep()
    assert desk.journal.get("i-1").resolution == asked
    assert world.sends("GET", "/orders") == before


def test_what_could_not_be_looked_for_is_in_the_log(world, caplog):
    desk = world.desk()
    world.fault("error_before", status=503)
    during(desk, "POST", "/orders", lambda: world.fault("edge_html", method="GET", times=None))
    lose(world, desk)
    blocked = "A protection layer in front of True Markets blocked this address; the request did not reach it."
    assert f"Intent i-1 could not be looked for: {blocked}" in caplog.messages
    world.admin("DELETE", "faults")
    world.fault("edge_html", method="GET", path="/orders", times=None)
    desk.sweep()
    assert f"What is in doubt could not be looked for: {blocked}" in caplog.messages


def test_nothing_is_sent_again_by_itself_unless_that_was_asked_for(world):
    desk = world.desk()
    prove_the_list(desk)
    world.fault("error_before", status=503)
    lose(world, desk)
    world.sandbox.clock.advance(4000)
    for _ in range(2):
        with pytest.raises(OutcomeUnknown):
            world.desk().place_order(BUY, intent_id="i-1", source="test")
    assert (state(desk), world.sends("POST", "/orders")) == (State.PROVED_ABSENT, 1)


# --- what is not signed, and what was settled otherwise -------------------------------------------------------


def test_a_bridge_that_nobody_allowed_is_told_and_kept_with_what_was_made(world):
    desk = world.desk()
    order = NewOrder.of("BTC/PYUSD", side="buy", amount="$10500")
    for _ in range(2):
        with pytest.raises(GuardRefused) as caught:
            desk.place_order(order, intent_id="i-1", source="test")
        assert (caught.value.rule, caught.value.exchange) == ("bridge", "true_markets")
        assert caught.value.message == (
            "Not signed: True Markets wants a signature for something that needs none here, to move coins from a chain "
            "first (a funding bridge), and nobody allowed that. Nothing was sent. Deposit first, or make the order "
            "smaller."
        )
    (rejected,) = told(desk, "rejected")
    assert rejected["order_id"] == desk.journal.get("i-1").exchange_id


def test_what_was_settled_otherwise_than_shown_is_told_with_both(world):
    desk = world.desk()
    share = NewOrder.of("BTC/PYUSD", side="buy", amount="50%")
    world.fault("rate_limited", times=4)
    with pytest.raises(RateLimited):
        desk.place_order(share, intent_id="i-1", source="test")
    before = run(desk.exchange.size_order(share))
    desk.place_order(NewOrder.of("BTC/PYUSD", side="buy", amount="$3000"), intent_id="i-2", source="test")
    world.sandbox.clock.advance(70)
    shown = run(desk.exchange.size_order(share))
    with pytest.raises(IntentConflict) as caught:
        desk.place_order(share, intent_id="i-1", source="test", sized=shown)
    assert caught.value.exchange == "true_markets"
    assert caught.value.message == (
        f"Intent i-1 was settled before as: {order_words(before)}. You were shown: {order_words(shown)}. Nothing was "
        "sent. Use a new intent id."
    )
