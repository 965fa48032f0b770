"""A look for what is in doubt: when it is made, what it counts as ours, and what it leaves in the journal."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update
from tests.client.desk.test_attempts import DEAD, ON_CHAIN, during
from tests.client.desk.test_create_transfer import AT_EXCHANGE, add_destinations
from tests.client.desk.test_reconcile import BUY, FAR, LARGE, lose, place_by_hand, prove_the_list, state

from tradehook.desk.intents import State, this_owner
from tradehook.desk.reconcile import Patience
from tradehook.desk.schema import writing
from tradehook.desk.tables import INTENT
from tradehook.errors import GuardRefused, OutcomeUnknown

BEGAN = datetime(2026, 9, 21, 14, 13, 20, tzinfo=UTC)
"""When a sandbox begins."""
FAILED = {
    "type": "Unavailable",
    "message": "True Markets failed on its side (503: service unavailable).",
    "exchange": "true_markets",
    "details": {"status": 503, "code": None, "request_id": None},
}


def told(desk, what, intent_id="i-1"):
    """What the events of one name say, without the time of each."""
    events = [event for event in desk.journal.events(intent_id) if event["what"] == what]
    return [{name: value for name, value in event.items() if name not in ("at", "what")} for event in events]


def looks(world, desk):
    """How many seconds after the send each list of orders is read, from now on."""
    line, times = desk.exchange.session.line, []
    respond = line.respond

    def noted(request):
        if request.path.endswith("/orders"):
            times.append((request.method, world.sandbox.clock.now()))
        return respond(request)

    line.respond = noted

    def since_sent():
        (sent,) = [at for method, at in times if method == "POST"]
        return [at - sent for method, at in times[times.index(("POST", sent)) :] if method == "GET"]

    return since_sent


# --- when -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "expected"), [(10, [0, 0.5, 1.5, 3.5, 7.5]), (7.5, [0, 0.5, 1.5, 3.5, 7.5]), (7, [0, 0.5, 1.5, 3.5])]
)
def test_a_fresh_doubt_is_looked_for_less_and_less_often_until_its_time_is_over(world, seconds, expected):
    desk = world.desk()
    desk._attempts.patience = Patience(look_seconds=seconds)
    since_sent = looks(world, desk)
    world.fault("error_before", status=503)
    lose(world, desk)
    assert since_sent() == expected


@pytest.mark.parametrize("how", ["question", "stop"])
def test_what_waits_for_a_person_and_who_was_told_to_stop_look_once(world, how):
    desk = world.desk()
    place_by_hand(world, LARGE)
    since_sent = looks(world, desk)
    if how == "question":
        world.fault("timeout_after")
        lose(world, desk)
        assert state(desk) is State.NEEDS_HUMAN
    else:
        world.fault("error_before", status=503)
        during(desk, "POST", "/orders", desk.stop)
        lose(world, desk)
    assert len(since_sent()) == 1


def test_a_doubt_that_no_list_can_end_is_looked_for_once_each_time(world):
    desk = world.desk()
    world.fault("error_before", status=503)
    lose(world, desk)
    world.sandbox.clock.advance(4000)
    before = world.sends("GET", "/orders")
    lose(world, desk)
    assert world.sends("GET", "/orders") == before + 1


@pytest.mark.parametrize(("horizon", "hours"), [(600, 0), (7200, 2)])
def test_it_is_looked_for_until_the_token_is_dead_or_for_as_long_as_was_said(world, horizon, hours):
    desk = world.desk()
    desk._attempts.patience = Patience(horizon_seconds=horizon)
    world.fault("error_before", status=503)
    error = lose(world, desk)
    # A token of the sandbox lives an hour; clocks may differ by half a minute.
    until = BEGAN + (timedelta(hours=hours) if hours else timedelta(hours=1, seconds=30))
    assert desk.journal.get("i-1").looking_until == until
    assert error.details["looking_until_at"] == until.isoformat(timespec="microseconds").replace("+00:00", "Z")


def test_nothing_is_concluded_at_the_horizon_only_after_it(world):
    desk = world.desk()
    prove_the_list(desk)
    world.fault("error_before", status=503)
    lose(world, desk)
    until = desk.journal.get("i-1").looking_until.timestamp()
    world.sandbox.clock.advance(until - world.sandbox.clock.now())
    desk.reconcile()
    assert desk.journal.get("i-1").resolution["clean_scans"] == []
    world.sandbox.clock.advance(1)
    desk.reconcile()
    assert desk.journal.get("i-1").resolution["clean_scans"] == [until + 1]


@pytest.mark.parametrize("was_looked_for", [True, False])
def test_before_a_new_order_what_was_not_looked_for_since_its_horizon_is(world, was_looked_for):
    desk = world.desk()
    world.fault("late_accept", status=503, delay_seconds=300)
    if not was_looked_for:
        during(desk, "POST", "/orders", lambda: world.fault("edge_html", method="GET", times=None))
    lose(world, desk)
    assert (desk.journal.get("i-1").resolution is not None) is was_looked_for
    world.admin("DELETE", "faults")
    world.sandbox.clock.advance(4000)
    later = world.desk()
    later.place_order(FAR, intent_id="i-2", source="test")
    assert state(later) is State.MATCHED


# --- what counts as ours ----------------------------------------------------------------------------------------


def test_orders_of_ones_own_do_not_make_an_account_one_that_others_use(world):
    desk = world.desk()
    desk.place_order(BUY, intent_id="i-0", source="test")
    world.fault("late_accept", status=503, delay_seconds=5)
    assert desk.place_order(BUY, intent_id="i-1", source="test").order.order_id
    assert desk.journal.get("i-1").baseline["is_shared"] is False
    assert state(desk) is State.MATCHED


def test_an_equal_order_that_belongs_to_another_intent_is_not_found(world):
    first, second = world.desk(), world.desk()

    def others():
        second.place_order(BUY, intent_id="i-2", source="test")
        world.fault("error_before", status=503)

    during(first, "POST", "/orders", others)
    lose(world, first)
    found = first.journal.get("i-1")
    assert (found.state, found.resolution["found"]) == (State.UNKNOWN, [])
    world.sandbox.clock.advance(300)
    assert second.reconcile() == []
    assert world.orders_placed() == 1


@pytest.mark.parametrize(("seconds", "expected"), [(30, State.MATCHED), (60, State.MATCHED), (61, State.UNKNOWN)])
def test_what_is_dated_a_minute_after_the_horizon_may_be_ours_for_clocks_that_differ(world, seconds, expected):
    desk = world.desk()
    world.fault("error_before", status=503)
    lose(world, desk)
    until = desk.journal.get("i-1").looking_until.timestamp()
    world.sandbox.clock.advance(until + seconds - world.sandbox.clock.now())
    place_by_hand(world, BUY)
    desk.reconcile()
    assert state(desk) is expected


def test_one_look_finds_orders_and_transfers_each_from_its_own_time_on(world):
    """What was asked for first was sent last: the list has to reach back to the other's send."""
    desk = world.desk()
    add_destinations(desk)
    desk.journal.set_trading_state("HALTED", by="test")
    with pytest.raises(GuardRefused):
        desk.place_order(FAR, intent_id="i-1", source="test")
    desk.journal.set_trading_state("NORMAL", by="test")
    for path in ("/orders", "/orders", "/transfers"):
        world.fault("late_accept", path=path, status=503, delay_seconds=100)
    lose(world, desk, BUY, "i-2")
    world.sandbox.clock.advance(200)
    lose(world, desk, FAR, "i-1")
    with pytest.raises(OutcomeUnknown):
        desk.create_transfer(AT_EXCHANGE, intent_id="t-1", source="test")
    world.sandbox.clock.advance(200)

    def reads():
        return [world.sends("GET", end) for end in ("/orders", "/transfers", "/balances/unified")]

    before = reads()
    assert [intent.intent_id for intent in desk.reconcile()] == ["t-1"]
    assert [now - then for then, now in zip(before, reads(), strict=True)] == [1, 1, 1]
    # Two orders in doubt at once: each was found, and is a question, since the other might be somebody else's.
    limit, market = (desk.journal.get(name) for name in ("i-1", "i-2"))
    assert (limit.state, market.state) == (State.NEEDS_HUMAN, State.NEEDS_HUMAN)
    assert (len(limit.resolution["found"]), len(market.resolution["found"])) == (1, 1)
    assert limit.resolution["found"] != market.resolution["found"]


def test_a_doubt_that_waits_for_its_signature_does_not_hinder_the_look_for_another(world):
    desk = world.desk()
    world.fault("error_before", path="/orders/{id}/execute", status=503, times=200)
    lose(world, desk, ON_CHAIN, "i-0")
    world.fault("late_accept", status=503, delay_seconds=100)
    lose(world, desk)
    world.sandbox.clock.advance(200)
    assert [intent.intent_id for intent in desk.reconcile()] == ["i-1"]
    assert state(desk, "i-0") is State.UNKNOWN


# --- what it leaves in the journal ------------------------------------------------------------------------------


def test_what_was_found_is_told_with_when_it_was_looked_for_and_what_it_moved(world):
    desk = world.desk()
    world.fault("late_accept", status=503, delay_seconds=300)
    lose(world, desk)
    assert told(desk, "unknown") == [{"from": "SENDING", "error": FAILED}]
    looked = {"how": "looked", "found": [], "balances_changed": {}, "clean_scans": []}
    assert told(desk, "looked") == [{**looked, "looked_at": "2026-09-21T14:13:20.000000Z"}]
    world.sandbox.clock.advance(301)
    desk.reconcile()
    found = desk.journal.get("i-1")
    moved = {"BTC": "+0.001 (+0.001 available)", "PYUSD": "-67.38524332 (-67.38524332 available)"}
    evidence = {**looked, "looked_at": "2026-09-21T14:18:28.500000Z", "found": [found.order_id]}
    evidence["balances_changed"] = moved
    assert told(desk, "matched") == [{"from": "UNKNOWN", "order_id": found.order_id, "status": "filled", **evidence}]
    assert (found.resolution, found.error) == (evidence, None)


def test_absence_is_told_with_both_scans_and_with_what_went_wrong_first(world):
    desk = world.desk()
    prove_the_list(desk)
    world.fault("error_before", status=503)
    lose(world, desk)
    world.sandbox.clock.advance(4000)
    lose(world, desk)
    absent = desk.journal.get("i-1")
    scans = [absent.resolution["clean_scans"][0], absent.resolution["clean_scans"][0] + 10]
    looked = {"how": "looked", "found": [], "balances_changed": {}, "clean_scans": scans}
    looked["looked_at"] = "2026-09-21T15:20:17.500000Z"
    assert told(desk, "absent") == [{"from": "UNKNOWN", "error": FAILED, **looked}]
    assert (absent.state, absent.error, absent.resolution) == (State.PROVED_ABSENT, FAILED, looked)


def test_a_question_is_told_once_with_all_that_could_be_it_and_what_went_wrong_first(world):
    desk = world.desk()
    world.fault("error_before", status=503)
    lose(world, desk)
    two = {place_by_hand(world, BUY), place_by_hand(world, BUY)}
    for _ in range(2):
        desk.reconcile()
    asked = desk.journal.get("i-1")
    first, second = told(desk, "looked")
    assert (asked.state, asked.error, set(asked.resolution["found"])) == (State.NEEDS_HUMAN, FAILED, two)
    assert "from" not in first
    assert (second["from"], second["error"], set(second["found"])) == ("UNKNOWN", FAILED, two)


def test_changed_balances_after_the_horizon_are_told_as_a_question(world):
    desk = world.desk()
    prove_the_list(desk)
    world.fault("error_before", status=503)
    lose(world, desk)
    place_by_hand(world, LARGE)
    world.sandbox.clock.advance(4000)
    desk.reconcile()
    asked = desk.journal.get("i-1")
    assert (asked.state, asked.error) == (State.NEEDS_HUMAN, FAILED)
    last = told(desk, "looked")[-1]
    assert (last["from"], last["error"], last["found"]) == ("UNKNOWN", FAILED, [])
    assert set(last["balances_changed"]) == {"BTC", "PYUSD"}


def test_why_nothing_is_concluded_is_told_for_orders_and_for_transfers_and_stays_told(world):
    desk = world.desk()
    add_destinations(desk)
    world.fault("error_before", status=503)
    lose(world, desk)
    world.fault("error_before", path="/transfers", status=503)
    with pytest.raises(OutcomeUnknown):
        desk.create_transfer(AT_EXCHANGE, intent_id="t-1", source="test")
    world.sandbox.clock.advance(4000)
    for _ in range(2):
        desk.reconcile()
        assert [desk.journal.get(name).resolution["why_not_absent"] for name in ("i-1", "t-1")] == [
            "nothing proves that this account's list shows open orders (tradehook doctor --place-test does)",
            "the list of transfers is not proved to be complete",
        ]


def test_what_a_dead_process_was_creating_is_told_as_abandoned_since_nobody_signed_it(world):
    desk = world.desk()
    world.fault("error_before", path="/orders/{id}/execute", status=503, times=200)
    lose(world, desk, ON_CHAIN)
    with desk.journal.engine.begin() as connection:  # as a process leaves it that is killed while it creates
        connection.exec_driver_sql(f"UPDATE intent SET state='SENDING', owner='{DEAD}', exchange_id=NULL, seen=NULL")
    assert [intent.state for intent in world.desk().reconcile()] == [State.PREPARED]
    assert told(desk, "abandoned") == [{"from": "SENDING"}]


def test_what_a_dead_process_was_sending_is_told_as_interrupted(world):
    desk = world.desk()
    world.fault("error_before", status=503)
    lose(world, desk)
    with desk.journal.engine.begin() as connection:
        connection.exec_driver_sql(f"UPDATE intent SET state='SENDING', owner='{DEAD}'")
    assert world.desk().reconcile() == []
    assert told(desk, "interrupted") == [{"from": "SENDING"}]


def test_a_sender_that_stands_still_past_its_time_is_looked_for_like_a_dead_one(world):
    desk = world.desk()
    prove_the_list(desk)
    world.fault("error_before", status=503)
    lose(world, desk)
    with writing(desk.journal.engine) as connection:
        stuck = {"state": "SENDING", "owner": this_owner(), "resolution": None, "error": None}
        connection.execute(update(INTENT).where(INTENT.c.intent_id == "i-1").values(stuck))
    world.sandbox.clock.advance(500)
    assert (desk.reconcile(), desk.journal.get("i-1").state) == ([], State.SENDING)
    world.sandbox.clock.advance(3500)
    desk.reconcile()
    world.sandbox.clock.advance(11)
    desk.reconcile()
    assert desk.journal.get("i-1").state is State.PROVED_ABSENT
    assert told(desk, "interrupted") != []
