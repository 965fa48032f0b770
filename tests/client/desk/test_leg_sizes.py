"""How large a leg of a plan is when it is sent: with its fee, with what is kept back, and a few lots less alone."""

from __future__ import annotations

from decimal import Decimal

import pytest
from tests.client.desk.test_plan_words import BUYS, follow, ids, steps
from tests.client.desk.test_plans import GOAL, carry_out, freeze_plan, spend

from tradehook.desk import plans
from tradehook.models import OrderStatus

FEE = GOAL.model_copy(update={"fee": Decimal(1)})
BUYS_FEE = BUYS.model_copy(update={"fee": Decimal(1), "buffer": Decimal(0)})


def money(world) -> Decimal:
    rows = world.client().balances()
    return next(row.available for row in rows if (row.symbol, row.chain) == ("PYUSD", None))


def leave(world, amount: Decimal) -> None:
    """Spend until about so much money is there; a fee of the exchange makes it a little less."""
    spend(world, "BTC/PYUSD", "buy", f"${(money(world) - amount).quantize(Decimal('0.01'))}")


def test_a_sell_needs_no_money_for_its_fee(world):
    planned = freeze_plan(world, FEE).legs[0].order().amount.value
    spend(world, "BTC/PYUSD", "sell", str(Decimal("0.5") - planned))
    outcome, told = follow(world.desk(), FEE)
    assert not any("Made smaller" in line for line in told)
    assert outcome.legs[0].order.quantity == planned


def test_a_buy_needs_its_fee_as_well_and_shrinks_by_it(world):
    leg = freeze_plan(world, BUYS_FEE).legs[0]
    planned = leg.order().amount.value
    leave(world, planned * Decimal("1.006"))
    there = money(world)
    assert planned < there < planned * Decimal("1.01")
    outcome, told = follow(world.desk(), BUYS_FEE)
    fits = (there / Decimal("1.01")).quantize(Decimal("0.01"), "ROUND_DOWN")
    assert steps(told)[0] == f"Made smaller: {fits} PYUSD instead of {planned}, since no more is there now."
    assert outcome.legs[0].state == "filled"


@pytest.mark.parametrize(("spare", "state"), [(Decimal(400), "filled"), (Decimal(200), "not sent")])
def test_what_a_plan_keeps_back_does_not_pay_for_a_buy_whose_sell_failed(world, spare, state):
    """About 305 of the 60,950 are kept back for fees and moving prices."""
    frozen = freeze_plan(world)
    assert 300 < frozen.kept < 310
    leave(world, frozen.legs[1].order().amount.value + spare)
    world.fault("error_before", status=400)
    outcome, _ = follow(world.desk())
    assert [leg.state for leg in outcome.legs] == ["failed", state]


@pytest.mark.parametrize("is_unattended", [True, False])
def test_legs_are_a_few_lots_smaller_only_where_nobody_looks_on(world, is_unattended):
    outcome = carry_out(world.desk(), is_unattended=is_unattended)
    journal = world.desk().journal
    tags = [journal.get(leg.intent_id).sized.tag for leg in outcome.legs]
    assert [tag > 0 for tag in tags] == [is_unattended] * 2


@pytest.mark.parametrize("is_unattended", [True, False])
def test_a_leg_made_smaller_is_so_as_well(world, is_unattended):
    freeze_plan(world)
    spend(world, "BTC/PYUSD", "sell", "0.3766")
    outcome = carry_out(world.desk(), is_unattended=is_unattended)
    sized = world.desk().journal.get(outcome.legs[0].intent_id).sized
    assert (sized.tag > 0) is is_unattended
    assert sized.quantity + sized.tag == Decimal("0.1234")


def test_an_order_that_ended_without_a_fill_is_told_without_an_amount(world):
    desk = world.desk()
    read = desk.exchange.get_order

    async def canceled(order_id):
        found = await read(order_id)
        none = {"status": OrderStatus.CANCELED, "filled": None}
        return found.model_copy(update=none) if found.base == "BTC" else found

    desk.exchange.get_order = canceled
    outcome, _ = follow(desk)
    assert outcome.legs[0].note == f"order {ids(outcome)[0]} was canceled"
    assert carry_out(world.desk()).intent_id == "plan-1"


def test_the_ids_of_legs_stay_what_they_are():
    """A plan that was frozen before an update is continued after it: other ids would send its legs once more."""
    assert [plans.leg_intent_id("plan-1", number) for number in (1, 2)] == [
        "22c2bd1a8296db620b71dd14fc8052011e924ec67a1a7ca4e33ec7fea7612e82",
        "e5304d60ae93767b900c457413426b2effb46800802cb88ccbcd15d672d7492b",
    ]
