"""Previews are nobody's orders: in no list of open ones, no lost order's look-alike, and no doubt when left unsigned."""

from __future__ import annotations

import socket
from dataclasses import replace

import pytest
from sqlalchemy import update
from tests.client.desk.test_previews import AT_EXCHANGE, BUY, answering, rows

from tradehook.desk.intents import State
from tradehook.desk.previews import Previews
from tradehook.desk.tables import INTENT
from tradehook.errors import OutcomeUnknown
from tradehook.run import run

STORES = ("sqlite", "postgres")


def test_it_is_no_open_order_whatever_the_exchange_calls_it(world):
    """An exchange may list what waits for a signature as pending; then it is still nobody's order."""
    desk = world.desk()
    preview = desk.preview_order(BUY, source="test")

    def pending(request, response):
        if request.method == "GET" and request.path.endswith("/orders"):
            found = response.json()
            return {**found, "data": [{**row, "status": "pending"} for row in found["data"]]}
        return None

    answering(desk, pending)
    line = desk.exchange.session.line
    respond = line.respond
    # Nor does it tell the open ones apart when it is asked for these alone.
    line.respond = lambda request: respond(replace(request, params=request.params[:1]))
    listed = [order.order_id for order in run(_all(desk.exchange.list_orders()))]
    assert listed == [preview.made.order_id]
    assert desk.open_orders() == []
    assert desk.sweep() == []
    desk.place_order(BUY, intent_id="i-1", source="test", preview=preview.preview_id)
    assert [order.order_id for order in desk.open_orders()] == [preview.made.order_id]


def test_it_makes_nobody_doubt_a_lost_order_of_ours(world):
    """What others place on an account makes a look-alike theirs, perhaps. A preview is ours, and no look-alike."""
    desk = world.desk()
    preview = desk.preview_order(BUY, source="test")
    world.fault("error_after", status=503)
    outcome = desk.place_order(AT_EXCHANGE, intent_id="i-1", source="test")
    assert outcome.order.order_id != preview.made.order_id
    assert desk.journal.get("i-1").state is State.MATCHED
    assert desk.journal.doubts.bound(desk.exchange.host, [preview.made.order_id]) == {preview.made.order_id}


def test_a_doubt_about_a_signed_preview_is_ended_by_its_id(world):
    desk = world.desk()
    preview = desk.preview_order(BUY, source="test")
    world.fault("timeout_after", path="/orders/{id}/execute")
    outcome = desk.place_order(BUY, intent_id="i-1", source="test", preview=preview.preview_id)
    assert outcome.order.order_id == preview.made.order_id
    assert world.sends("POST", "/orders") == 1
    assert world.orders_placed() == 1


@pytest.mark.parametrize(
    ("order", "state", "is_left"),
    [
        (BUY, "SENDING", True), (BUY, "CREATED", True), (BUY, "PREPARED", True), (BUY, "EXECUTING", False),
        (AT_EXCHANGE, "SENDING", False),
    ],
)  # fmt: skip
def test_what_nobody_is_left_to_sign_moves_nothing(world, order, state, is_left):
    desk = world.desk()
    desk.place_order(order, intent_id="i-1", source="test")
    with desk.journal.engine.begin() as connection:
        connection.execute(update(INTENT).values(state=state))
    assert not desk.journal.get("i-1").is_left_unsigned  # we live, and are about to
    with desk.journal.engine.begin() as connection:
        connection.execute(update(INTENT).values(owner=f"{socket.gethostname()}:999999:1:dead"))
    assert desk.journal.get("i-1").is_left_unsigned is is_left


def test_what_was_to_be_signed_is_dropped_after_an_hour_and_the_id_is_kept(world):
    desk = world.desk()
    preview = desk.preview_order(BUY, source="test")
    world.sandbox.clock.advance(3599)
    desk.preview_order(BUY, source="test")
    assert [row.made is None for row in rows(desk)] == [False, False]
    world.sandbox.clock.advance(2)
    desk.preview_order(BUY, source="test")
    assert [row.made is None for row in rows(desk)] == [True, False, False]
    unsigned = Previews(desk.journal.engine).unsigned(desk.exchange.host, [preview.made.order_id, "another"])
    assert unsigned == {preview.made.order_id}


def test_one_that_was_perhaps_signed_is_hidden_no_more(world):
    """A person said of a signed order that it is not there, and another was made. If it is there, it is to be seen."""
    desk = world.desk()
    preview = desk.preview_order(BUY, source="test")
    world.fault("error_before", path="/orders/{id}/execute", status=503, times=9)
    with pytest.raises(OutcomeUnknown):
        desk.place_order(BUY, intent_id="i-1", source="test", preview=preview.preview_id)
    world.sandbox.clock.advance(7200)
    desk.resolve("i-1", "again", by="anna")
    assert not dead(desk).is_left_unsigned  # it was signed, and nobody can say that nothing moved
    world.admin("DELETE", "faults")
    desk.place_order(BUY, intent_id="i-1", source="test")
    assert desk.journal.get("i-1").order_id != preview.made.order_id
    assert Previews(desk.journal.engine).unsigned(desk.exchange.host, [preview.made.order_id]) == set()


def dead(desk):
    """The intent, as it is when whoever sent it is gone."""
    with desk.journal.engine.begin() as connection:
        connection.execute(update(INTENT).values(owner=f"{socket.gethostname()}:999999:1:dead"))
    return desk.journal.get("i-1")


async def _all(rows):
    return [row async for row in rows]
