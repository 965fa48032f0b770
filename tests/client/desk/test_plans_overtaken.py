"""A plan that was kept while another one was carried out for the same account would do the same twice: it is over."""

from __future__ import annotations

from decimal import Decimal

import pytest
from tests.client.desk.test_plans import carry_out, shares

from tradehook.desk.intents import State
from tradehook.desk.legs import Legs
from tradehook.errors import GuardRefused
from tradehook.rebalance import Goal

STORES = ("sqlite", "postgres")
WORDS = (
    "Another rebalance of this account was carried out since this plan was made (intent {}), so what it wants may be "
    "done already. Not sent."
)


def keep(world, intent_id="monday"):
    """A plan that was refused before its first leg."""
    desk = world.desk()
    desk.journal.set_trading_state("HALTED", by="test")
    with pytest.raises(GuardRefused):
        carry_out(desk, intent_id=intent_id)
    desk.journal.set_trading_state("NORMAL", by="test")
    assert world.orders_placed() == 0


def test_two_kept_plans_are_not_both_carried_out(world):
    keep(world, "monday")
    keep(world, "tuesday")
    assert carry_out(world.desk(), intent_id="tuesday").state is State.ACCEPTED
    sent, after = world.orders_placed(), shares(world)
    outcome = carry_out(world.desk(), intent_id="monday")
    assert outcome.state is State.REJECTED
    assert [(leg.state, leg.note) for leg in outcome.legs] == [("not sent", WORDS.format("tuesday"))] * 2
    assert world.orders_placed() == sent
    assert all(abs(shares(world)[symbol] - percent) < 1 for symbol, percent in after.items())
    # It has come to its end, so that it can be planned anew under its own name.
    intent = world.desk().journal.get("monday")
    assert "another rebalance" in (intent.error or {})["message"].lower()
    world.desk().journal.doubts.again(intent, by="test", why="")
    assert carry_out(world.desk(), intent_id="monday").legs == ()


def test_of_two_that_begin_at_once_one_goes_on(world):
    def meanwhile(_line):
        if not begun:
            begun.append(True)
            assert carry_out(world.desk(), intent_id="other").state is State.ACCEPTED

    begun: list[bool] = []
    outcome = carry_out(world.desk(), tell=meanwhile)
    assert [leg.state for leg in outcome.legs] == ["not sent", "not sent"]
    assert world.orders_placed() == 2


def test_it_is_looked_at_in_the_step_that_sends_too(world, monkeypatch):
    keep(world)
    carry_out(world.desk(), intent_id="other")
    monkeypatch.setattr(Legs, "_overtaken", lambda _legs, _desk: "")
    outcome = carry_out(world.desk(), intent_id="monday")
    assert [(leg.state, leg.note) for leg in outcome.legs] == [("not sent", WORDS.format("other"))] * 2
    assert outcome.state is State.REJECTED
    assert world.orders_placed() == 2


def test_a_plan_of_which_nothing_was_sent_overtakes_nothing(world):
    keep(world, "monday")
    keep(world, "tuesday")
    assert carry_out(world.desk(), intent_id="monday").state is State.ACCEPTED


def test_one_that_was_refused_by_the_exchange_overtakes_nothing(world):
    keep(world)
    world.fault("edge_html", times=2)
    assert carry_out(world.desk(), intent_id="refused").state is State.REJECTED
    world.admin("DELETE", "faults")
    assert carry_out(world.desk(), intent_id="monday").state is State.ACCEPTED


def test_what_was_carried_out_before_it_was_made_is_none_of_its_business(world):
    assert carry_out(world.desk(), intent_id="monday").state is State.ACCEPTED
    goal = Goal.of({"BTC": Decimal(20), "ETH": Decimal(40)}, quote="PYUSD", band="2")
    assert carry_out(world.desk(), goal, intent_id="tuesday").state is State.ACCEPTED


def test_a_leg_that_is_on_its_way_is_told_as_it_ends_and_the_rest_is_not_sent(world):
    with pytest.raises(GuardRefused):
        carry_out(world.desk(), tell=lambda line: "filled." in line and freeze(world))
    world.desk().journal.set_trading_state("NORMAL", by="test")
    carry_out(world.desk(), Goal.of({"BTC": 10}, quote="PYUSD", band="2"), intent_id="other")
    sent = world.orders_placed()
    outcome = carry_out(world.desk())
    assert [(leg.state, leg.is_stored) for leg in outcome.legs] == [("filled", True), ("not sent", False)]
    assert world.orders_placed() == sent


def freeze(world):
    world.desk().journal.set_trading_state("HALTED", by="test")
