"""What a rebalance tells while it goes on and when it has ended, line by line, and what it leaves in the journal."""

from __future__ import annotations

from decimal import Decimal

import pytest
from tests.client.desk.test_plans import BOTH_SOLD, GOAL, carry_out, freeze_plan, spend

from tradehook.desk import plans
from tradehook.desk.intents import State
from tradehook.errors import IntentConflict, InvalidInput
from tradehook.models import NewOrder, OrderStatus
from tradehook.rebalance import Goal

NEEDY = Goal.of({"BTC": "20", "ETH": "60"}, quote="PYUSD", band="2")
BUYS = Goal.of({"BTC": "60", "ETH": "40"}, quote="PYUSD", band="1", buffer="500")
LITTLE = "That is less than the smallest trade; nothing was sent."


def steps(told):
    """What was told after the plan itself."""
    begins = [number for number, line in enumerate(told) if line.startswith("left alone")]
    return told[begins[-1] + 1 :]


def follow(desk, goal=GOAL, **more):
    told: list[str] = []
    outcome = carry_out(desk, goal, tell=told.append, **more)
    return outcome, told


def ids(outcome):
    return [leg.order.order_id for leg in outcome.legs if leg.order]


def notes(desk):
    """The events of the plan, without their times."""
    return [{name: said for name, said in event.items() if name != "at"} for event in desk.journal.events("plan-1")]


# --- while it goes on -------------------------------------------------------------------------------------------


def test_each_leg_is_told_with_its_number_and_what_came_of_it(world):
    desk = world.desk()
    outcome, told = follow(desk)
    assert told[:-2] == list(outcome.plan.lines())
    assert steps(told) == [
        "1. sell 0.1379 BTC: filled. Filled: sold 0.1379 BTC at 67,338.8, fee 3.71",
        "2. buy ETH for 7097.63 PYUSD: filled. Filled: bought 2.0530 ETH at 3,456.85, fee 2.84",
    ]
    assert (outcome.problems, [leg.note for leg in outcome.legs]) == ([], ["", ""])
    assert [event["what"] for event in notes(desk)] == ["prepared", "done"]


def test_what_was_frozen_before_is_told_and_what_has_ended_is_not_sent_again(world):
    desk = world.desk()
    first, _ = follow(desk)
    again, told = follow(world.desk())
    made = desk.journal.get("plan-1").created_at
    assert told[0] == f"Continuing the plan of {made:%Y-%m-%d %H:%M:%S} UTC."
    assert told[-1] == "This plan has come to its end before. Nothing is sent again."
    assert told[1:-1] == list(first.plan.lines())
    assert (again.state, again.is_stored, ids(again)) == (State.ACCEPTED, True, ids(first))
    assert [(leg.state, leg.note, leg.is_stored) for leg in again.legs] == [("filled", "", True)] * 2


def test_what_a_person_was_shown_is_not_told_again(world):
    shown = plans.make(world.exchange(), GOAL)
    _, told = follow(world.desk(), shown=shown)
    assert [line.split(":")[0] for line in told] == ["1. sell 0.1379 BTC", "2. buy ETH for 7097.63 PYUSD"]


def test_a_leg_that_has_not_ended_is_told_and_so_is_that_it_was_sent_before(world):
    outcome, told = follow(world.desk(), wait_seconds=0)
    (order_id,) = ids(outcome)
    assert steps(told) == [
        f"1. sell 0.1379 BTC: order {order_id} is pending after 0 s. Accepted: sell 0.1379 BTC",
        "2. buy ETH for 7097.63 PYUSD: an earlier leg has not ended yet.",
    ]
    assert outcome.problems == [
        f"sell 0.1379 BTC: waiting: order {order_id} is pending after 0 s",
        "buy ETH for 7097.63 PYUSD: not sent: an earlier leg has not ended yet",
    ]
    assert (outcome.state, outcome.is_stored) == (State.PREPARED, False)
    again, told = follow(world.desk())
    assert steps(told)[0] == f"1. was sent before: order {order_id}; not sent again."
    assert [leg.is_stored for leg in again.legs] == [True, False]


def test_it_waits_for_a_leg_as_long_as_was_said(world):
    desk = world.desk()
    desk.exchange.get_order = unended(desk.exchange.get_order)
    began = world.sandbox.clock.now()
    outcome, _ = follow(desk, wait_seconds=12.5)
    assert outcome.legs[0].note == f"order {ids(outcome)[0]} is open after 12.5 s"
    assert 12.5 <= world.sandbox.clock.now() - began < 13.5


def unended(read):
    async def still_open(order_id):
        return (await read(order_id)).model_copy(update={"status": OrderStatus.OPEN})

    return still_open


def test_a_leg_made_smaller_is_told_with_both_amounts(world):
    freeze_plan(world)
    spend(world, "BTC/PYUSD", "sell", "0.45")
    _, told = follow(world.desk())
    assert steps(told)[0] == "Made smaller: 0.05 BTC instead of 0.1379, since no more is there now."


def test_what_there_is_exactly_makes_nothing_smaller(world):
    planned = freeze_plan(world).legs[0].order().amount.value
    spend(world, "BTC/PYUSD", "sell", str(Decimal("0.5") - planned))
    outcome, told = follow(world.desk())
    assert not any("Made smaller" in line for line in told)
    assert outcome.legs[0].order.quantity == planned


def test_a_buy_is_made_smaller_to_the_cent_with_its_fee_left_over(world):
    freeze_plan(world, BUYS)
    spend(world, "BTC/PYUSD", "buy", "$8000")
    there = next(row.available for row in world.client().balances() if (row.symbol, row.chain) == ("PYUSD", None))
    outcome, told = follow(world.desk(), BUYS)
    fits = ((there - 500) / Decimal("1.001")).quantize(Decimal("0.01"), "ROUND_DOWN")
    assert steps(told)[0] == f"Made smaller: {fits} PYUSD instead of 6678.16, since no more is there now."
    left = outcome.legs[1].note.removeprefix("Only ").split()[0]
    assert outcome.legs[1].note == f"Only {left} PYUSD is there now, where 2519.56 was planned. {LITTLE}"


# --- when a leg failed ------------------------------------------------------------------------------------------


def test_a_leg_with_too_little_left_is_told_kept_and_told_again(world):
    freeze_plan(world)
    spend(world, "BTC/PYUSD", "sell", "max")
    desk = world.desk()
    outcome, told = follow(desk)
    only = f"Only 0 BTC is there now, where 0.1379 was planned. {LITTLE}"
    assert steps(told)[0] == f"1. sell 0.1379 BTC: {only}"
    assert outcome.problems == [f"sell 0.1379 BTC: failed: {only}"]
    _, failed, ended = notes(desk)
    assert failed == {"what": "leg failed", "leg": 1, "note": only}
    assert (ended["what"], ended["from"]) == ("done in part", "PREPARED")
    error = desk.journal.get("plan-1").error
    assert error["message"] == f"The rebalance was not carried out in full. sell 0.1379 BTC: {only}"
    assert (error["type"], error["exchange"]) == ("Rejected", "true_markets")
    again = carry_out(world.desk())
    assert [(leg.state, leg.note) for leg in again.legs] == [("failed", only), ("filled", "")]


def test_a_buy_that_needed_the_money_is_told_with_what_was_not_sold(world):
    desk = world.desk()
    world.fault("error_before", status=400)
    outcome, told = follow(desk, NEEDY)
    no = "True Markets said no: service unavailable."
    assert steps(told) == [
        f"1. sell 0.3189 BTC: {no}",
        "2. buy ETH for 19288.22 PYUSD: it needed the money from selling BTC.",
    ]
    assert notes(desk)[1:3] == [
        {"what": "leg failed", "leg": 1, "note": no},
        {"what": "leg not sent", "leg": 2, "note": "it needed the money from selling BTC"},
    ]
    assert desk.journal.get("plan-1").error["message"] == (
        "The rebalance was not carried out in full. sell 0.3189 BTC: True Markets said no: service unavailable; buy ETH "
        "for 19288.22 PYUSD: it needed the money from selling BTC."
    )
    again = carry_out(world.desk(), NEEDY)
    assert [(leg.state, leg.note) for leg in again.legs] == [
        ("failed", no),
        ("not sent", "it needed the money from selling BTC"),
    ]
    assert [leg.intent_id for leg in again.legs] == [leg.intent_id for leg in outcome.legs]
    assert all(leg.is_stored for leg in again.legs)


def test_an_order_that_ended_unfilled_is_told_with_how_far_it_came(world):
    desk = world.desk()
    read = desk.exchange.get_order

    async def canceled(order_id):
        found = await read(order_id)
        part = {"status": OrderStatus.CANCELED, "filled": Decimal("0.05")}
        return found.model_copy(update=part) if found.base == "BTC" else found

    desk.exchange.get_order = canceled
    outcome, _ = follow(desk, BOTH_SOLD)
    assert [leg.state for leg in outcome.legs] == ["failed", "filled"]
    assert outcome.legs[0].note == f"order {ids(outcome)[0]} was canceled after 0.05 BTC"


def test_a_leg_in_doubt_is_told_in_the_plans_story(world):
    desk = world.desk()
    world.fault("error_before", status=503)
    with pytest.raises(Exception, match="do not enter it again"):
        follow(desk)
    leg = plans.leg_intent_id("plan-1", 1)
    assert notes(desk)[-1] == {"what": "leg unknown", "leg": 1, "intent_id": leg}


# --- what an id stands for --------------------------------------------------------------------------------------


def test_another_plan_than_was_shown_is_told_with_what_to_type(world):
    carry_out(world.desk())
    world.admin("POST", "prices", {"BTC": "90000", "walk": False})
    shown = plans.make(world.exchange(), GOAL)
    with pytest.raises(IntentConflict) as caught:
        carry_out(world.desk(), shown=shown)
    assert caught.value.exchange == "true_markets"
    assert caught.value.message == (
        "Intent plan-1 has another plan than the one you were shown. Nothing was sent. Look again: `tradehook rebalance "
        "run --intent-id plan-1`."
    )


def test_an_id_of_something_else_is_no_rebalance(world):
    desk = world.desk()
    assert plans.asked_before(desk.journal, "plan-1") is None
    assert plans.accounts_before(desk.journal, "plan-1") == ()
    desk.place_order(NewOrder.of("BTC/PYUSD", side="buy", amount="0.001"), intent_id="plan-1", source="test")
    with pytest.raises(InvalidInput) as caught:
        plans.asked_before(desk.journal, "plan-1")
    assert caught.value.message == "Intent plan-1 is no rebalance but an order. Use a new intent id."
    assert plans.accounts_before(desk.journal, "plan-1") == ()


def test_what_was_asked_for_is_remembered_with_its_name(world):
    desk = world.desk()
    outcome, _ = follow(desk, named="main, version 2")
    assert plans.asked_before(desk.journal, "plan-1") == (GOAL, "main, version 2", outcome.plan)
    asked = desk.journal.get("plan-1").asked
    assert asked["what"] == "rebalance to BTC 40 %, ETH 40 %, PYUSD 20 %"
    assert asked["named"] == "main, version 2"
    carry_out(desk, intent_id="plan-2")
    assert plans.asked_before(desk.journal, "plan-2")[1] == ""
    assert "named" not in desk.journal.get("plan-2").asked


# --- what nobody can tell, and what was begun before ------------------------------------------------------------


def untold(desk, **more):
    """The exchange tells of the BTC order that nobody can tell how it ended."""
    read = desk.exchange.get_order

    async def cannot_tell(order_id):
        found = await read(order_id)
        return found.model_copy(update={"status": OrderStatus.CANNOT_TELL, **more}) if found.base == "BTC" else found

    desk.exchange.get_order = cannot_tell
    return desk


@pytest.mark.parametrize("evidence", [None, "BTC moved, PYUSD did not"])
def test_where_nobody_can_tell_how_a_leg_ended_its_account_stops_there(world, evidence):
    outcome, _ = follow(untold(world.desk(), evidence=evidence))
    (order_id,) = ids(outcome)
    first, second = (plans.leg_intent_id("plan-1", number) for number in (1, 2))
    why = (
        f"nobody can tell how order {order_id} ended: {evidence or 'the exchange says nothing of it'}. Look at the "
        f"exchange, then type `tradehook intents resolve {first} --as filled` (or `canceled`), and continue this plan"
    )
    assert [(leg.state, leg.note, leg.intent_id) for leg in outcome.legs] == [
        ("cannot tell", why, first),
        ("not sent", "nobody can tell how an earlier leg ended", second),
    ]
    assert (outcome.state, world.sends("POST", "/orders")) == (State.PREPARED, 1)
    assert [leg.is_open for leg in outcome.legs] == [True, False]


def test_a_leg_that_was_sent_before_is_followed_even_where_it_would_not_be_sent_now(world):
    """The sell failed, and the money for the buy was there; after it was spent it would be too little for another."""
    world.fault("error_before", status=400)
    first, _ = follow(world.desk(), wait_seconds=0)
    assert [leg.state for leg in first.legs] == ["failed", "waiting"]
    world.sandbox.clock.advance(30)
    again, _ = follow(world.desk())
    assert [(leg.state, leg.is_stored) for leg in again.legs] == [("failed", False), ("filled", True)]
    assert ids(again) == ids(first)


def test_a_leg_that_is_not_sent_has_its_id_all_the_same(world):
    outcome, _ = follow(world.desk(), wait_seconds=0)
    told = outcome.legs[1].to_dict()
    assert (told["intent_id"], told["state"]) == (plans.leg_intent_id("plan-1", 2), "not sent")
    assert (told["note"], told["is_stored"], told["order"]) == ("an earlier leg has not ended yet", False, None)
