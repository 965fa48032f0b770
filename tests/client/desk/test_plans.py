"""A rebalance is planned once and carried out once, whatever interrupts it."""

from __future__ import annotations

from contextlib import suppress
from decimal import Decimal

import pytest

from tradehook.amounts import Amount
from tradehook.desk import plans
from tradehook.desk.intents import State
from tradehook.errors import GuardRefused, IntentConflict, Interrupted, InvalidInput, OutcomeUnknown, Rejected
from tradehook.models import NewOrder
from tradehook.rebalance import Goal
from tradehook.testing import Stopped

STORES = ("sqlite", "postgres")
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


def test_each_leg_knows_its_plan(world):
    desk = world.desk()
    outcome = carry_out(desk)
    legs = [desk.journal.get(leg.intent_id) for leg in outcome.legs]
    assert [leg.parent_id for leg in legs] == ["plan-1", "plan-1"]
    assert desk.journal.get("plan-1").parent_id is None
    assert legs[0].to_dict()["parent_id"] == "plan-1"


def freeze_plan(world, goal=GOAL):
    """Make the plan, and be killed before its first leg is looked at."""
    desk = world.desk()
    balances, calls = desk.exchange.balances, []

    async def once():
        calls.append(1)
        if len(calls) > 1:
            raise Stopped
        return await balances()

    desk.exchange.balances = once
    with pytest.raises(Stopped):
        carry_out(desk, goal)
    return plans.Plan.model_validate(desk.journal.get("plan-1").request)


def spend(world, market: str, side: str, amount: str) -> None:
    """Somebody trades by hand between the plan and its legs."""
    world.desk().place_order(NewOrder.of(market, side=side, amount=amount), intent_id=f"hand-{amount}", source="test")
    world.sandbox.clock.advance(30)


def test_a_sell_shrinks_to_what_is_there_and_never_grows(world):
    frozen = freeze_plan(world)
    planned = frozen.legs[0].order().amount.value
    spend(world, "BTC/PYUSD", "sell", "0.45")
    told: list[str] = []
    outcome = carry_out(world.desk(), tell=told.append)
    assert outcome.plan == frozen
    sell = outcome.legs[0]
    assert sell.state == "filled"
    assert sell.order.filled == Decimal("0.05") < planned
    assert any("Made smaller: 0.05 BTC instead of" in line for line in told)
    again = carry_out(world.desk())
    assert [leg.order for leg in again.legs] == [leg.order for leg in outcome.legs]
    # More is there than was planned: the leg stays as it was frozen.
    spend(world, "BTC/PYUSD", "buy", "$6000")
    assert carry_out(world.desk(), intent_id="plan-1").legs[0].order.filled == Decimal("0.05")


def test_a_leg_does_not_grow_when_there_is_more_than_planned(world):
    frozen = freeze_plan(world)
    world.admin("POST", "prices", {"BTC": "30000", "ETH": "1500", "walk": False})
    outcome = carry_out(world.desk())
    assert outcome.state is State.ACCEPTED
    for leg in outcome.legs:
        assert leg.order.quantity <= leg.leg.order().amount.value
    assert outcome.plan == frozen


def test_a_buy_shrinks_to_what_is_there_less_the_buffer(world):
    goal = Goal.of({"BTC": "60", "ETH": "40"}, quote="PYUSD", band="1", buffer="500")
    frozen = freeze_plan(world, goal)
    assert [str(leg.side) for leg in frozen.legs] == ["buy", "buy"]
    spend(world, "BTC/PYUSD", "buy", "$8000")
    outcome = carry_out(world.desk(), goal)
    first = outcome.legs[0]
    assert first.state == "filled"
    assert first.order.quantity < first.leg.order().amount.value
    left = [row.available for row in world.client().balances() if row.symbol == "PYUSD" and row.chain is None]
    assert left[0] >= Decimal(500)
    assert (outcome.legs[1].state, outcome.state) == ("failed", State.REJECTED)
    assert "less than the smallest trade; nothing was sent" in outcome.legs[1].note


def test_a_leg_with_nothing_left_to_trade_is_not_sent_and_said(world):
    frozen = freeze_plan(world)
    assert frozen.legs[0].base == "BTC"
    spend(world, "BTC/PYUSD", "sell", "max")
    placed = world.orders_placed()
    outcome = carry_out(world.desk())
    assert outcome.legs[0].state == "failed"
    assert "Only 0 BTC is there now" in outcome.legs[0].note
    assert world.desk().journal.get(outcome.legs[0].intent_id).error["message"] == outcome.legs[0].note
    assert outcome.legs[1].state == "filled", "the money is there all the same"
    assert world.orders_placed() == placed + 1
    assert carry_out(world.desk()).problems == outcome.problems


@pytest.mark.parametrize("stop_at", range(1, 30))
def test_killed_while_a_leg_shrinks_its_size_is_settled_once(world, stop_at):
    freeze_plan(world)
    spend(world, "BTC/PYUSD", "sell", "0.45")
    placed = world.orders_placed()
    with suppress(Stopped, OutcomeUnknown):
        carry_out(world.desk(stop_at=stop_at))
    leg = world.desk().journal.find_exactly(plans.leg_intent_id("plan-1", 1))
    settled = leg.request if leg else None
    try:
        outcome = carry_out(world.desk())
    except OutcomeUnknown:
        outcome = None
    assert world.orders_placed() <= placed + 2
    after = world.desk().journal.get(plans.leg_intent_id("plan-1", 1))
    assert settled is None or after.request == settled
    assert outcome is None or outcome.legs[0].order.filled == Decimal("0.05")


def test_two_processes_that_carry_out_one_plan_send_each_leg_once(world):
    """Both see too little and size the leg; whoever was second takes the size of the first."""
    freeze_plan(world)
    spend(world, "BTC/PYUSD", "sell", "0.45")
    placed = world.orders_placed()
    other = world.desk()
    desk = world.desk()
    sized, calls = desk.exchange.size_order, []

    async def other_is_faster(order):
        found = await sized(order)
        if not calls:
            calls.append(order)
            spend(world, "BTC/PYUSD", "buy", "$1000")
            carry_out(other)
        return found

    desk.exchange.size_order = other_is_faster
    outcome = carry_out(desk)
    assert len(calls) == 1
    assert outcome.legs[0].state == "filled"
    assert world.orders_placed() == placed + 3


def test_an_unattended_leg_is_told_from_a_persons_by_its_last_lots(world):
    desk = world.desk()
    outcome = carry_out(desk, is_unattended=True)
    assert outcome.state is State.ACCEPTED
    for leg in outcome.legs:
        planned = leg.leg.order().amount.value
        assert planned * Decimal("0.998") <= leg.order.quantity <= planned


def test_lots_are_those_of_the_exchange(world):
    made = plans.make(world.exchange(), GOAL)
    sold = made.legs[0].order().amount.value
    assert sold % world.exchange().lot_size(made.holdings[0].price) == 0


def test_after_a_rebalance_nothing_is_left_to_do(world):
    carry_out(world.desk())
    assert plans.make(world.exchange(), GOAL).legs == ()


def test_holdings_on_a_chain_count_or_are_traded_only_when_asked(world):
    rows = [row for row in world.client().balances() if row.chain]
    assert rows, "the sandbox opens with coins on chains"
    targets = {"BTC": "50", "ETH": "30"}
    left = plans.make(world.exchange(), Goal.of(targets, quote="PYUSD"))
    counted = plans.make(world.exchange(), Goal.of(targets, quote="PYUSD", on_chain="count"))
    assert counted.total > left.total
    assert all(leg.chain is None for leg in counted.legs)
    assert any("counts as cash" in skip.why for skip in counted.skips)


def test_a_coin_that_only_a_chain_has_is_traded_there_when_asked(world):
    goal = Goal.of({"BTC": "55", "CBBTC": "8"}, quote="PYUSD", band="0.5", on_chain="trade")
    made = plans.make(world.exchange(), goal)
    on_base = [leg for leg in made.legs if leg.base == "CBBTC"]
    assert [(str(leg.side), leg.quote, leg.chain) for leg in on_base] == [("buy", "USDC", "base")]
    outcome = carry_out(world.desk(), goal)
    done = [leg for leg in outcome.legs if leg.leg.chain]
    assert [(leg.state, leg.order.chain) for leg in done] == [("filled", "base")]
    assert world.desk().journal.get(done[0].intent_id).parent_id == "plan-1"
    with pytest.raises(Rejected, match="CBBTC"):
        plans.make(world.exchange(), Goal.of({"BTC": "55", "CBBTC": "8"}, quote="PYUSD"))


def test_a_coin_on_a_chain_is_sold_there_when_asked(world):
    goal = Goal.of({"BTC": "55", "CBBTC": "0"}, quote="PYUSD", band="0.1", min_trade="1", on_chain="trade")
    made = plans.make(world.exchange(), goal)
    sells = [leg for leg in made.legs if leg.base == "CBBTC"]
    assert [(str(leg.side), leg.quote, leg.chain) for leg in sells] == [("sell", "USDC", "base")]
    outcome = carry_out(world.desk(), goal)
    assert next(leg for leg in outcome.legs if leg.leg.chain).state == "filled"
    counted = plans.make(world.exchange(), goal.model_copy(update={"on_chain": plans.OnChain.COUNT}))
    assert all(leg.chain is None for leg in counted.legs)


def test_a_coin_of_another_address_is_never_taken_for_one_that_is_known(world):
    exchange = world.exchange()
    balances = exchange.balances

    async def with_a_fake():
        rows = await balances()
        real = next(row for row in rows if row.symbol == "USDC" and row.chain == "base")
        return [*rows, real.model_copy(update={"address": "0x" + "de" * 20, "total": Decimal(10**9)})]

    before = plans.make(exchange, Goal.of({"BTC": "50"}, quote="PYUSD", on_chain="count")).total
    exchange.balances = with_a_fake
    made = plans.make(exchange, Goal.of({"BTC": "50"}, quote="PYUSD", on_chain="count"))
    assert abs(made.total - before) < 100
    assert any("knows no coin of that name and address" in skip.why for skip in made.skips)


def test_once_more_on_purpose_is_planned_anew(world):
    first = carry_out(world.desk())
    assert plans.asked_before(world.desk().journal, "plan-1")[2] == first.plan
    world.admin("POST", "prices", {"BTC": "90000", "walk": False})
    journal = world.desk().journal
    journal.doubts.again(journal.get("plan-1"), by="test", why="once more")
    goal, _, frozen = plans.asked_before(world.desk().journal, "plan-1")
    assert (goal, frozen) == (GOAL, None)
    second = carry_out(world.desk())
    assert second.plan != first.plan
    assert not {leg.intent_id for leg in first.legs} & {leg.intent_id for leg in second.legs}
    assert plans.asked_before(world.desk().journal, "plan-1")[2] == second.plan


def test_what_was_shown_is_carried_out_or_nothing(world):
    shown = plans.make(world.exchange(), GOAL)
    world.admin("POST", "prices", {"BTC": "90000", "walk": False})
    outcome = carry_out(world.desk(), shown=shown, named="main, version 1")
    assert outcome.plan == shown
    assert plans.asked_before(world.desk().journal, "plan-1")[1] == "main, version 1"
    other = plans.make(world.exchange(), GOAL)
    with pytest.raises(IntentConflict, match="another plan than the one you were shown"):
        carry_out(world.desk(), shown=other, named="main, version 1")
    assert world.orders_placed() == 2


def test_a_leg_that_another_process_sized_meanwhile_is_sent_in_that_size(world):
    freeze_plan(world)
    spend(world, "BTC/PYUSD", "sell", "0.45")
    desk = world.desk()
    size, other = desk.exchange.size_order, world.desk()

    async def other_is_faster(order):
        leg = other.journal.get(plans.leg_intent_id("plan-1", 1))
        smaller = order.model_copy(update={"amount": Amount.base("0.04")})
        other.journal.settle(leg, (await size(smaller)).to_dict())
        return await size(order)

    desk.exchange.size_order = other_is_faster
    assert carry_out(desk).legs[0].order.filled == Decimal("0.04")


def test_money_of_a_sell_is_waited_for_before_a_buy_shrinks(world):
    goal = Goal.of({"BTC": "20", "ETH": "60"}, quote="PYUSD", band="2")
    desk = world.desk()
    balances, seen = desk.exchange.balances, []

    async def late():
        seen.append(await balances())
        return seen[0] if len(seen) <= 4 else seen[-1]

    desk.exchange.balances = late
    told: list[str] = []
    outcome = carry_out(desk, goal, tell=told.append)
    assert outcome.state is State.ACCEPTED
    assert len(seen) > 4
    assert not any("Made smaller" in line for line in told)
