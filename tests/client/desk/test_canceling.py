"""A cancel: what the exchange says to it, what the order is then, and what of both is told and kept."""

from __future__ import annotations

import logging
from datetime import timedelta
from decimal import Decimal

import pytest

from tradehook.errors import RateLimited, TradehookError, Unavailable
from tradehook.models import NewOrder, OrderStatus
from tradehook.run import run

RESTS = NewOrder.of("BTC/PYUSD", side="buy", amount="0.001", price=Decimal(50_000))
PATH = "/orders/{id}"


@pytest.fixture
def desk(world):
    return world.desk()


@pytest.fixture
def order_id(world, desk):
    made = desk.place_order(RESTS, intent_id="i-1", source="test").order.order_id
    world.sandbox.clock.advance(5)
    assert desk.follow("i-1").status is OrderStatus.OPEN
    return made


def not_ours(world):
    """An order that somebody else placed: this journal has nothing of it."""
    exchange = world.exchange()
    write = exchange.new_order(run(exchange.size_order(RESTS)))
    return run(exchange.session.read(write.request, write.read, kind="create")).order_id


def cancels(desk):
    return [event for event in desk.journal.events("i-1") if event["what"] == "cancel"]


def last(desk):
    return desk.journal.get("i-1").last_order


# --- yes, and no --------------------------------------------------------------------------------------------------


def test_what_was_accepted_is_told_and_kept(world, desk, order_id):
    order = desk.cancel_order(order_id)
    assert order.status in (OrderStatus.CANCELING, OrderStatus.CANCELED)
    assert last(desk).status is order.status
    assert [event["accepted"] for event in cancels(desk)] == [True]
    world.sandbox.clock.advance(5)
    assert desk.cancel_order(order_id).status is OrderStatus.CANCELED


@pytest.mark.parametrize("status", [400, 409, 422])
def test_a_no_is_told_with_how_the_order_stands(world, desk, order_id, status):
    world.fault("error_before", method="DELETE", path=PATH, status=status)
    with pytest.raises(TradehookError) as caught:
        desk.cancel_order(order_id)
    refused = caught.value
    assert refused.message.endswith(" It is open now.")
    assert len(refused.message) > len(" It is open now.") + 10
    assert refused.args == (refused.message,)
    assert last(desk).status is OrderStatus.OPEN
    assert [event["accepted"] for event in cancels(desk)] == [False]
    assert desk.cancel_order(order_id).status in (OrderStatus.CANCELING, OrderStatus.CANCELED)


@pytest.mark.parametrize("status", [400, 409, 422])
def test_a_no_to_what_is_canceled_already_is_none(world, desk, order_id, status):
    desk.cancel_order(order_id)
    world.sandbox.clock.advance(5)
    world.fault("error_before", method="DELETE", path=PATH, status=status)
    assert desk.cancel_order(order_id).status is OrderStatus.CANCELED
    assert last(desk).status is OrderStatus.CANCELED


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ({"kind": "error_before", "status": 503}, Unavailable),
        ({"kind": "timeout_after"}, TradehookError),
        ({"kind": "rate_limited"}, RateLimited),
        ({"kind": "error_before", "status": 403}, TradehookError),
        ({"kind": "error_before", "status": 404}, TradehookError),
    ],
)
def test_no_answer_is_neither_and_nothing_is_said_of_it(world, desk, order_id, fault, kind):
    world.fault(method="DELETE", path=PATH, **{**fault, "times": 50})
    with pytest.raises(kind) as caught:
        desk.cancel_order(order_id)
    assert "It is" not in caught.value.message
    assert cancels(desk) == []


def test_a_cancel_is_asked_for_again_where_the_first_got_no_answer(world, desk, order_id):
    world.fault("error_after", method="DELETE", path=PATH, status=503)
    assert desk.cancel_order(order_id).status in (OrderStatus.CANCELING, OrderStatus.CANCELED)
    assert world.sends("DELETE", f"/orders/{order_id}") == 2


def test_what_somebody_else_placed_is_canceled_as_well(world, desk):
    assert desk.cancel_order(not_ours(world)).status in (OrderStatus.CANCELING, OrderStatus.CANCELED)


# --- how it stands cannot be read ---------------------------------------------------------------------------------


def unread(world):
    world.fault("error_before", method="GET", path=PATH, status=503, times=50)


def test_what_was_accepted_and_cannot_be_read_is_being_canceled(world, desk, order_id):
    unread(world)
    order = desk.cancel_order(order_id)
    assert (order.order_id, order.status, order.exchange_status) == (order_id, OrderStatus.CANCELING, "unread")
    assert last(desk).status is not OrderStatus.CANCELING  # the exchange itself will tell
    assert [event["accepted"] for event in cancels(desk)] == [True]


@pytest.mark.parametrize(("is_ours", "is_refused"), [(False, False), (False, True), (True, True)])
def test_what_cannot_be_read_and_is_not_known_to_be_canceled_is_an_error(world, desk, is_ours, is_refused):
    order_id = desk.place_order(RESTS, intent_id="i-1", source="test").order.order_id if is_ours else not_ours(world)
    if is_refused:
        world.fault("error_before", method="DELETE", path=PATH, status=409)
    unread(world)
    with pytest.raises(Unavailable) as caught:
        desk.cancel_order(order_id)
    said = "was refused" if is_refused else "was accepted"
    told = f"The cancel of order {order_id} {said}, but how it stands now could not be read: "
    assert caught.value.message.startswith(told)
    assert len(caught.value.message) > len(told) + 10
    assert caught.value.args == (caught.value.message,)


# --- by itself ----------------------------------------------------------------------------------------------------


def test_why_tradehook_canceled_is_kept_and_what_kept_it_from_that_is_logged(world, desk, caplog):
    order = RESTS.model_copy(update={"good_for": timedelta(hours=1)})
    order_id = desk.place_order(order, intent_id="i-1", source="test").order.order_id
    world.sandbox.clock.advance(3601)
    world.fault("error_before", method="DELETE", path=PATH, status=403)
    with caplog.at_level(logging.WARNING):
        assert desk.expire() == []
    (said,) = [text for text in caplog.messages if text.startswith("Order ")]
    told = f"Order {order_id} could not be canceled (its time is up): "
    assert said.startswith(told)
    assert len(said) > len(told) + 10
    desk.expire()
    (kept,) = [event for event in desk.journal.events("i-1") if event["what"] == "expired"]
    assert kept["why"] == "its time is up"
    assert kept["status"] in ("canceling", "canceled")


def test_a_bounded_order_says_that_it_was_that(world, desk, monkeypatch, caplog):
    bound = desk.exchange.bound_order
    monkeypatch.setattr(desk.exchange, "bound_order", lambda sized, *, at: bound(sized, at=at * Decimal("0.8")))
    world.fault("error_before", method="GET", path=PATH, status=403)
    bounded = NewOrder.of("BTC/PYUSD", side="buy", amount="0.001", max_slippage=Decimal(1), bounded=True)
    with caplog.at_level(logging.WARNING):
        order_id = desk.place_order(bounded, intent_id="i-1", source="test").order.order_id
    (kept,) = [event for event in desk.journal.events("i-1") if event["what"] == "expired"]
    assert kept["why"] == "it is bounded"
    (said,) = [text for text in caplog.messages if text.startswith("Order ")]
    told = f"Order {order_id} could not be read: "
    assert said.startswith(told)
    assert len(said) > len(told) + 10
