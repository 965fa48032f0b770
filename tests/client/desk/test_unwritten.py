"""Heard from the exchange and not written down: what is tried, what is told, and how the next who asks finds it."""

from __future__ import annotations

import pytest
from tests.client.desk.test_attempts import DEAD, ON_CHAIN, during, story
from tests.client.desk.test_looking import told
from tests.client.desk.test_reconcile import BUY, lose, place_by_hand, state

from tradehook.desk.intents import State
from tradehook.errors import IntentConflict, JournalUnavailable


@pytest.fixture
def full(monkeypatch):
    """Lets a desk's journal refuse what comes after the step to SENDING; the seconds between the tries."""
    slept = []

    def fill(desk):
        def refuse(*_given, **_more):
            raise JournalUnavailable("The journal is full.")

        monkeypatch.setattr(desk.journal, "move", refuse)
        monkeypatch.setattr("time.sleep", slept.append)
        return slept

    return fill


def test_it_is_tried_three_times_and_what_was_heard_is_in_the_log(world, full, caplog, monkeypatch):
    desk = world.desk()
    slept = full(desk)
    error = lose(world, desk)
    order_id = error.details["order_id"]
    assert [line for line in caplog.messages if "full" in line] == [
        f"Intent i-1 is ACCEPTED, order {order_id}, but: The journal is full."
    ] * 3
    assert slept == [0.2, 0.4, 0.8]
    assert state(desk) is State.SENDING
    monkeypatch.undo()
    assert desk.place_order(BUY, intent_id="i-1", source="test").order.order_id == order_id
    assert story(desk) == ["prepared", "sending", "interrupted", "matched"]
    assert told(desk, "interrupted") == [{"from": "SENDING"}]
    assert world.orders_placed() == 1


def test_a_failure_that_cannot_be_written_names_no_order(world, full, caplog):
    desk = world.desk()
    full(desk)
    world.fault("error_before", status=503)
    error = lose(world, desk)
    assert error.details["order_id"] is None
    assert "If it exists" not in error.message
    assert "Intent i-1 is UNKNOWN, but: The journal is full." in caplog.messages


def test_an_id_that_belongs_to_another_intent_is_told_as_a_doubt(world):
    desk = world.desk()
    first = desk.place_order(BUY, intent_id="i-1", source="test").order
    write = desk.exchange.new_order

    def echo(sized):
        made = write(sized)
        return type(made)(made.request, lambda response: made.read(response) and first, made.kind)

    desk.exchange.new_order = echo
    desk.place_order(BUY, intent_id="i-2", source="test")
    (doubt,) = told(desk, "unknown", "i-2")
    assert (doubt["from"], doubt["error"]["type"]) == ("SENDING", IntentConflict.__name__)


def test_a_doubt_that_ends_by_being_read_is_told_with_what_was_read(world):
    desk = world.desk()
    world.fault("timeout_after", path="/orders/{id}/execute", times=10)
    for path in ("/orders", "/orders/{id}", "/orders/{id}/status"):
        world.fault("edge_html", method="GET", path=path, times=200)
    lose(world, desk, ON_CHAIN)
    world.admin("DELETE", "faults")
    order = desk.follow("i-1")
    (found,) = told(desk, "found")
    assert (found["from"], found["order_id"], found["status"]) == ("UNKNOWN", order.order_id, str(order.status))


def test_what_is_read_again_and_again_is_no_news(world):
    desk = world.desk()
    desk.place_order(BUY, intent_id="i-1", source="test")
    world.sandbox.clock.advance(2)
    for _ in range(3):
        desk.follow("i-1")
    assert story(desk) == ["prepared", "sending", "accepted", "order"]


def test_a_dead_senders_order_that_a_person_found_is_bound_with_both_told(world):
    desk = world.desk()
    world.fault("error_before", status=503)
    lose(world, desk)
    with desk.journal.engine.begin() as connection:  # as a process leaves it that is killed while it sends
        connection.exec_driver_sql(f"UPDATE intent SET state='SENDING', owner='{DEAD}'")
    found = place_by_hand(world, BUY)
    assert desk.resolve("i-1", f"placed:{found}", by="ana").exchange_id == found
    assert story(desk)[-2:] == ["interrupted", "resolved"]


def test_who_finds_another_sending_it_waits_and_does_not_give_up_at_once(world):
    class Waited(Exception):
        pass

    first, second = world.desk(), world.desk()

    async def wait(_seconds):
        raise Waited

    second.exchange.session.line.pause = wait

    def meanwhile():
        with pytest.raises(Waited):
            second.place_order(BUY, intent_id="i-1", source="test")

    during(first, "POST", "/orders", meanwhile)
    assert first.place_order(BUY, intent_id="i-1", source="test").order.order_id
    assert world.orders_placed() == 1
