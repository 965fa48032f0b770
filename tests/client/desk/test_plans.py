"""A rebalance is planned once and carried out once, whatever interrupts it."""

from __future__ import annotations

from contextlib import suppress
from decimal import Decimal

import pytest

from tradehook.desk import plans
from tradehook.desk.intents import State
from tradehook.errors import GuardRefused, IntentConflict, Interrupted, InvalidInput, OutcomeUnknown, Rejected
from tradehook.rebalance import Goal
from tradehook.testing import Stopped

# Opening amounts: 10,000 PYUSD, 0.5 BTC (about 33,670) and 5 ETH (about 17,284), together about 60,950.
GOAL = Goal.of({"BTC": "40", "ETH": "40"}, quote="PYUSD", band="2")
BOTH_SOLD = Goal.of({"BTC": "20", "ETH": "10"}, quote="PYUSD", band="2")
SELLS_FIRST = [("sell", "BTC"), ("buy", "ETH")]


def carry_out(desk, goal=GOAL, *, intent_id="plan-1", **more):
    return plans.carry_out(desk, goal, intent_id=intent_id, source="test", **more)


def shares(world) -> dict[str, Decimal]:
    made = plans.make(world.exchange(), GOAL)
    return {held.symbol: held.percent for held in made.holdings}


def test_reaches_the_targets_and_says_each_step(world):
    told: list[str] = []
    outcome = carry_out(world.desk(), tell=told.append)
    assert outcome.state is State.ACCEPTED
    assert [(str(leg.leg.side), leg.leg.base, leg.state) for leg in outcome.legs] == [
        ("sell", "BTC", "filled"),
        ("buy", "ETH", "filled"),
    ]
    assert world.orders_placed() == 2
    for symbol, percent in {"BTC": 40, "ETH": 40, "PYUSD": 20}.items():
        assert abs(shares(world)[symbol] - percent) < 1
    assert any("target 40 %" in line for line in told)
    assert any(line.startswith("1. sell") and "filled. Filled: sold" in line for line in told)


def test_the_plan_is_an_intent_and_its_legs_are_too(world):
    desk = world.desk()
    outcome = carry_out(desk)
    intent = desk.journal.get("plan-1")
    assert (intent.kind, intent.state) == ("plan", State.ACCEPTED)
    assert intent.asked["targets"] == {"BTC": "40", "ETH": "40"}
    assert intent.asked["band"] == "2"
    assert intent.asked["account"]
    assert intent.request == outcome.plan.to_dict()
    for number, leg in enumerate(outcome.legs, start=1):
        assert leg.intent_id == plans.leg_intent_id("plan-1", number)
        assert desk.journal.get(leg.intent_id).order_id == leg.order.order_id
    assert [event["what"] for event in desk.journal.events("plan-1")] == ["prepared", "done"]


def test_again_returns_what_is_stored_and_sends_nothing(world):
    first = carry_out(world.desk())
    world.admin("POST", "prices", {"BTC": "90000", "walk": False})
    again = carry_out(world.desk())
    assert again.is_stored
    assert again.plan == first.plan
    assert [leg.order for leg in again.legs] == [leg.order for leg in first.legs]
    assert world.orders_placed() == 2


def test_nothing_to_do_is_done(world):
    goal = Goal.of({"BTC": "50", "ETH": "30"}, quote="PYUSD", band="40")
    outcome = carry_out(world.desk(), goal)
    assert (outcome.state, outcome.legs) == (State.ACCEPTED, ())
    assert world.orders_placed() == 0


def test_a_dry_run_reads_only(world):
    made = plans.make(world.exchange(), GOAL)
    assert [(str(leg.side), leg.base) for leg in made.legs] == SELLS_FIRST
    assert world.orders_placed() == 0
    assert all(
        request.method == "GET" or request.path.endswith(("/quotes", "/token"))
        for line in world.lines
        for request in line.sent
    )


def test_cash_may_go_by_any_of_its_names(world):
    made = plans.make(world.exchange(), Goal.of({"BTC": "50", "USD": "50"}, quote="USD"))
    assert made.quote == "PYUSD"
    assert made.holdings[-1].quantity == Decimal(10000)


@pytest.mark.parametrize("stop_at", range(1, 40))
def test_killed_anywhere_it_continues_the_frozen_plan(world, stop_at):
    """Die at every wait in turn; the price moves meanwhile; no leg is ever sent twice."""
    desk = world.desk(stop_at=stop_at)
    with suppress(Stopped, OutcomeUnknown):
        carry_out(desk)
    frozen = None
    try:
        frozen = desk.journal.get("plan-1").request
    except InvalidInput:
        assert desk.exchange.session.line.waits == stop_at
    world.admin("POST", "prices", {"BTC": "66000", "walk": False})
    again = world.desk()
    try:
        outcome = carry_out(again)
    except OutcomeUnknown:
        assert again.journal.get("plan-1").state is State.PREPARED
    else:
        assert outcome.state is State.ACCEPTED
        if frozen is not None:
            assert outcome.plan.to_dict() == frozen
        assert world.orders_placed() == 2
    assert world.sends("POST", "/orders") <= 2
    assert world.orders_placed() <= 2


def test_a_half_done_plan_is_continued_not_made_anew(world):
    desk = world.desk()
    desk.stop()
    with pytest.raises(Interrupted):
        carry_out(desk)
    frozen = desk.journal.get("plan-1")
    assert (frozen.state, world.orders_placed()) == (State.PREPARED, 0)
    world.admin("POST", "prices", {"ETH": "9999", "walk": False})
    told: list[str] = []
    outcome = carry_out(world.desk(), tell=told.append)
    assert outcome.plan.to_dict() == frozen.request
    assert told[0].startswith("Continuing the plan of ")


def test_another_goal_under_the_same_id_is_refused(world):
    carry_out(world.desk())
    with pytest.raises(IntentConflict, match="rebalance to BTC 40 %"):
        carry_out(world.desk(), Goal.of({"BTC": "41", "ETH": "40"}, quote="PYUSD", band="2"))
    assert world.orders_placed() == 2


@pytest.mark.parametrize(
    ("targets", "buy_is", "orders"), [({"BTC": "20", "ETH": "60"}, "not sent", 0), (GOAL.targets, "filled", 1)]
)
def test_a_failed_sell_stops_only_buys_that_needed_it(world, targets, buy_is, orders):
    goal = Goal.of(targets, quote="PYUSD", band="2")
    assert [(str(leg.side), leg.base) for leg in plans.make(world.exchange(), goal).legs] == SELLS_FIRST
    world.fault("error_before", status=400)
    desk = world.desk()
    outcome = carry_out(desk, goal)
    assert [leg.state for leg in outcome.legs] == ["failed", buy_is]
    assert (outcome.legs[1].note == "it needed the money from selling BTC") is (buy_is == "not sent")
    assert outcome.state is State.REJECTED
    assert desk.journal.get("plan-1").error["message"].startswith("The rebalance was not carried out in full.")
    assert world.orders_placed() == orders
    again = carry_out(world.desk(), goal)
    assert [leg.state for leg in again.legs] == ["failed", buy_is]
    assert again.problems == outcome.problems
    assert world.orders_placed() == orders


def test_an_unknown_leg_stops_everything_and_is_held(world):
    world.fault("error_before", status=503)
    for _ in range(2):
        with pytest.raises(OutcomeUnknown) as caught:
            carry_out(world.desk())
        assert caught.value.intent_id == plans.leg_intent_id("plan-1", 1)
    desk = world.desk()
    assert desk.journal.get("plan-1").state is State.PREPARED
    assert world.sends("POST", "/orders") == 1
    assert world.orders_placed() == 0
    assert "leg unknown" in [event["what"] for event in desk.journal.events("plan-1")]


def test_a_leg_that_does_not_end_leaves_the_plan_unfinished(world):
    desk = world.desk()
    outcome = carry_out(desk, wait_seconds=0)
    assert [leg.state for leg in outcome.legs] == ["waiting", "not sent"]
    assert (outcome.state, desk.journal.get("plan-1").state) == (State.PREPARED, State.PREPARED)
    assert carry_out(world.desk()).state is State.ACCEPTED
    assert world.orders_placed() == 2


def test_a_freeze_leaves_the_plan_to_be_continued(world):
    desk = world.desk()
    desk.journal.set_trading_state("HALTED", by="test")
    with pytest.raises(GuardRefused, match="frozen"):
        carry_out(desk)
    desk.journal.set_trading_state("NORMAL", by="test")
    assert carry_out(desk).state is State.ACCEPTED
    assert world.orders_placed() == 2


def test_live_is_refused_before_anything_is_asked(world):
    desk = world.desk(base_url="https://api.truemarkets.co")
    with pytest.raises(GuardRefused, match="Live trading is off"):
        carry_out(desk)
    assert desk.exchange.session.line.sent == []


def test_a_rate_limit_in_the_middle_is_waited_out(world):
    world.fault("rate_limited")
    assert carry_out(world.desk()).state is State.ACCEPTED
    assert world.orders_placed() == 2


def test_sells_do_not_wait_for_each_other(world):
    world.fault("error_before", status=400)
    outcome = carry_out(world.desk(), BOTH_SOLD)
    assert [(leg.leg.base, leg.state) for leg in outcome.legs] == [("BTC", "failed"), ("ETH", "filled")]
    assert (outcome.state, world.orders_placed()) == (State.REJECTED, 1)


def test_an_asset_that_is_not_traded_here_is_said_before_anything_is_sent(world):
    with pytest.raises(Rejected, match="SOL"):
        carry_out(world.desk(), Goal.of({"SOL": "60"}, quote="PYUSD"))
    assert world.orders_placed() == 0
