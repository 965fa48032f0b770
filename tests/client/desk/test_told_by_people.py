"""Where an exchange tells of no orders, a person's word is all there is: what is kept of it, and what it must not be."""

from __future__ import annotations

import pytest
from tests.client.desk.test_futures import by_hand, make_futures_world, opening
from tests.client.desk.test_futures import lose as lose_futures
from tests.client.desk.test_standing import BUY, RESTS, desk, lose, place, send

from tradehook.desk.intents import State
from tradehook.errors import InvalidInput, OutcomeUnknown
from tradehook.models import OrderStatus
from tradehook.run import run

__all__ = ["desk", "make_futures_world", "place"]  # fixtures
WEEK = 8 * 24 * 3600


def said(desk, word, intent_id="i-1"):
    with pytest.raises(InvalidInput) as caught:
        desk.resolve(intent_id, word, by="ana")
    return caught.value.message


@pytest.mark.parametrize("order", [BUY, RESTS], ids=["market", "limit"])
def test_an_order_that_a_person_saw_elsewhere_is_kept_as_it_was_sent(place, desk, order):
    lose(place, desk, order)
    place.pass_time(WEEK)
    sent = desk.journal.get("i-1").sized
    kept = desk.resolve("i-1", "placed:E17", by="ana").last_order
    assert (kept.order_id, kept.status, kept.exchange_status) == ("E17", OrderStatus.ACCEPTED, "told by a person")
    for name in ("base", "quote", "side", "quantity", "unit", "price"):
        assert getattr(kept, name) == getattr(sent, name)
    assert (kept.price is None) is (order is BUY)


@pytest.mark.parametrize(("why", "evidence"), [("", ""), ("their page says so", ": their page says so")])
def test_how_an_order_ended_is_kept_with_who_said_so_and_why(place, desk, why, evidence):
    send(desk, RESTS)
    ended = desk.resolve("i-1", "canceled", by="ana", why=why)
    assert ended.last_order.evidence == f"ana looked and said that it was canceled{evidence}"
    word = {"how": "person", "by": "ana", "why": why, "said": "canceled"}
    assert [event["resolution"] for event in desk.journal.events("i-1") if event["what"] == "resolved"] == [word]
    assert ended.is_final


def test_a_futures_order_that_is_not_it_is_told_with_what_lists_them(make_futures_world):
    world = make_futures_world()
    futures = world.desk()
    world.fault("error_before", status=503)
    lose_futures(futures)
    by_hand(world, opening(side="short"))
    (theirs,) = (order.order_id for order in run(futures.exchange.futures.overview()).orders)
    assert said(futures, f"placed:{theirs}", "f-1") == (
        f"Futures order {theirs} is not what was sent for intent f-1: compare `tradehook futures orders` with "
        "`tradehook intents show f-1`."
    )
    assert futures.journal.get("f-1").state is State.UNKNOWN


def test_an_order_of_a_long_name_is_told_in_short(make_futures_world):
    world = make_futures_world()
    futures = world.desk()
    world.fault("error_before", status=503)
    lose_futures(futures)
    by_hand(world, opening(side="short"))
    label = futures.exchange.spec.label
    assert said(futures, f"placed:{'9' * 61}", "f-1") == (
        f"{label} has no futures order {'9' * 60}. `tradehook futures orders` shows them."
    )


def test_where_no_orders_are_told_of_a_doubt_becomes_a_question_with_the_reason(place, desk):
    place.fault("error_before", status=503)
    with pytest.raises(OutcomeUnknown):
        send(desk, BUY)
    place.pass_time(WEEK)
    desk.reconcile()
    asked = desk.journal.get("i-1")
    assert asked.resolution["why_not_absent"] == "FinTrusted tells of no orders; its own page may"
    (event,) = [event for event in desk.journal.events("i-1") if event["what"] == "looked" and "from" in event]
    assert (event["from"], event["error"], asked.error) == ("UNKNOWN", asked.error, event["error"])
    assert (asked.state, asked.error["details"]["status"]) == (State.NEEDS_HUMAN, 503)
