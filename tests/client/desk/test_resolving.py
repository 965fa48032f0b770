"""A person's word ends a doubt, is checked against the exchange, and is on the record."""

from __future__ import annotations

from decimal import Decimal

import pytest
from tests.client.desk.test_reconcile import BUY, FAR, lose, place_by_hand, state

from tradehook.desk.intents import State
from tradehook.errors import IntentConflict, InvalidInput, Rejected
from tradehook.models import NewOrder


@pytest.fixture
def doubt(world):
    """A desk with `i-1` in doubt and nothing placed; another order of the same look is there, by hand."""
    place_by_hand(world, FAR)
    desk = world.desk()
    world.fault("error_before", status=503)
    lose(world, desk)
    return desk


def test_placed_binds_the_order_that_it_names(world, doubt):
    theirs = place_by_hand(world, BUY)
    intent = doubt.resolve("i-1", f"placed:{theirs}", by="ana", why="seen in the app")
    assert (intent.state, intent.exchange_id) == (State.MATCHED, theirs)
    assert intent.resolution == {"how": "person", "by": "ana", "why": "seen in the app", "said": f"placed:{theirs}"}
    assert doubt.place_order(BUY, intent_id="i-1", source="test").order.order_id == theirs
    event = doubt.journal.events("i-1")[-1]
    assert (event["what"], event["by"], event["why"]) == ("resolved", "ana", "seen in the app")
    assert world.sends("POST", "/orders") == 3


def test_placed_is_refused_for_an_order_that_is_not_what_was_sent(world, doubt):
    with pytest.raises(InvalidInput, match="not what was sent"):
        doubt.resolve("i-1", f"placed:{place_by_hand(world, FAR)}", by="ana")
    with pytest.raises(InvalidInput, match="has no order"):
        doubt.resolve("i-1", "placed:11111111-2222-4333-8444-555555555555", by="ana")
    other = doubt.place_order(NewOrder.of("BTC/PYUSD", side="buy", amount="0.002"), intent_id="i-2", source="test")
    with pytest.raises(IntentConflict, match="i-2"):
        doubt.resolve("i-1", f"placed:{other.order.order_id}", by="ana")
    assert state(doubt) is State.UNKNOWN


@pytest.mark.parametrize("word", ["not-placed", "again"])
def test_nobody_can_know_that_it_is_not_placed_before_the_horizon(world, doubt, word):
    with pytest.raises(InvalidInput, match="can still arrive until"):
        doubt.resolve("i-1", word, by="ana")
    assert state(doubt) is State.UNKNOWN


def test_not_placed_ends_it(world, doubt):
    world.sandbox.clock.advance(4000)
    assert doubt.resolve("i-1", "not-placed", by="ana", why="support said so").state is State.REJECTED
    with pytest.raises(Rejected, match="ana looked and said that it was not placed: support said so"):
        doubt.place_order(BUY, intent_id="i-1", source="test")
    assert doubt.journal.doubts.list(doubt.exchange.host) == []
    assert world.orders_placed() == 1


def test_again_lets_the_next_who_asks_send_it_once(world, doubt):
    world.sandbox.clock.advance(4000)
    assert doubt.resolve("i-1", "again", by="ana").state is State.PREPARED
    first = doubt.place_order(BUY, intent_id="i-1", source="test")
    second = world.desk().place_order(BUY, intent_id="i-1", source="test")
    assert (first.is_stored, second.is_stored) == (False, True)
    assert first.order.order_id == second.order.order_id
    assert world.orders_placed() == 2


@pytest.mark.parametrize("word", ["", "placed", "placed:", "not-placed:x", "again:1", "maybe", "PLACED:x"])
def test_other_words_are_refused(doubt, word):
    with pytest.raises(InvalidInput, match="none of"):
        doubt.resolve("i-1", word, by="ana")


def test_where_there_is_no_doubt_nothing_is_ended(world):
    desk = world.desk()
    desk.place_order(BUY, intent_id="i-1", source="test")
    with pytest.raises(InvalidInput, match="intents again i-1"):
        desk.resolve("i-1", "not-placed", by="ana")


def test_once_more_on_purpose_is_a_new_intent_under_the_old_id(world):
    desk = world.desk()
    first = desk.place_order(BUY, intent_id="i-1", source="test")
    assert desk.journal.doubts.again(desk.journal.get("i-1"), by="ana", why="double it") == "i-1~2"
    second = desk.place_order(BUY, intent_id="i-1", source="test")
    assert (second.intent_id, second.is_stored) == ("i-1~2", False)
    assert second.order.order_id != first.order.order_id
    assert world.desk().place_order(BUY, intent_id="i-1", source="test").order.order_id == second.order.order_id
    assert desk.journal.doubts.again(desk.journal.get("i-1~2"), by="ana", why="") == "i-1~3"
    assert desk.journal.get("i-1").order_id == first.order.order_id
    assert world.orders_placed() == 2


def test_a_doubt_holds_decimals_and_names_as_they_were(doubt):
    intent = doubt.journal.get("i-1")
    assert intent.sized.quantity == Decimal("0.001")
    assert intent.to_dict()["standing"] == "UNKNOWN"
