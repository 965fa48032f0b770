"""What else of an account may have moved the wallet that an order is judged by, and what is none of its business."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import update
from tests.client.desk.test_standing import BUY, RESTS, SELL, desk, lose, place, send

from tradehook.desk.intents import iso
from tradehook.desk.standing import Orders, held
from tradehook.desk.tables import INTENT
from tradehook.errors import GuardRefused, NotFound
from tradehook.models import Balance, NewOrder, OrderStatus
from tradehook.run import run, run_each

__all__ = ["desk", "place"]

ELSEWHERE = [{"host": "x"}, {"account_id": "x"}, {"kind": "transfer"}, {"state": "REJECTED"}]


def change(desk, intent_id, **values):
    with desk.journal.engine.begin() as connection:
        connection.execute(update(INTENT).where(INTENT.c.intent_id == intent_id).values(values))


def cancel_by_hand(place, order_id):
    """As somebody does on the exchange's own page: nothing of it passes through this desk."""
    by_hand = place.exchange()
    write = by_hand.cancel_order(order_id)
    run(by_hand.session.read(write.request, write.read, kind="cancel"))


# --- who may have done it ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("ahead", [0, 10**7], ids=["behind", "ahead"])
def test_what_ended_since_it_was_sent_may_have_moved_the_same_coins(place, desk, ahead):
    """Whether the exchange's clock is behind the journal's or ahead of it."""
    place.pass_time(ahead)
    send(desk, RESTS, "rests")
    send(desk, SELL, "sells")
    place.pass_time()
    assert desk.follow("sells").status is OrderStatus.PROBABLY_FILLED
    place.admin("POST", "prices", {"BTC": "39000"})
    place.pass_time(30)
    seen = desk.follow("rests")
    assert seen.status is OrderStatus.CANNOT_TELL
    assert seen.evidence.endswith(", and 1 other order may have done that")


@pytest.mark.parametrize("ahead", [0, 10**7], ids=["behind", "ahead"])
def test_what_ended_before_it_was_sent_did_not(place, desk, ahead):
    place.pass_time(ahead)
    send(desk, BUY, "before")
    place.pass_time()
    assert desk.follow("before").is_final
    send(desk, BUY, "after")
    place.pass_time()
    assert desk.follow("after").status is OrderStatus.PROBABLY_FILLED


def test_of_what_was_noted_without_the_journals_time_the_exchanges_is_taken(place, desk):
    place.pass_time(10**7)
    send(desk, BUY, "before")
    place.pass_time()
    assert desk.follow("before").is_final
    send(desk, BUY, "after")
    noted = desk.journal.get("after").baseline
    change(desk, "after", baseline=json.dumps({name: noted[name] for name in noted if name != "noted_at"}))
    place.pass_time()
    assert desk.follow("after").status is OrderStatus.PROBABLY_FILLED


def test_what_was_open_before_and_rests_no_more_may_have(place, desk):
    send(desk, RESTS, "rests")
    place.pass_time()
    send(desk, SELL, "sells")
    place.admin("POST", "prices", {"BTC": "39000"})
    place.pass_time(30)
    seen = desk.follow("sells")
    assert seen.status is OrderStatus.CANNOT_TELL
    assert seen.evidence.endswith(", and 1 other order may have done that")


def test_what_was_canceled_beside_an_order_that_rests_holds_nothing_any_more(place, desk):
    other = send(desk, NewOrder.of("ETH/USDT", side="buy", amount="0.01", price=Decimal(1000)), "other")
    place.pass_time()
    send(desk, RESTS, "rests")
    place.pass_time()
    desk.cancel_order(other.order_id)
    place.pass_time()
    desk.resolve("other", "canceled", by="me")
    seen = desk.follow("rests")
    assert (seen.status, seen.evidence) == (OrderStatus.ACCEPTED, "40 USDT are held for it")


def test_what_is_gone_without_a_trace_is_open_for_a_minute_and_then_nobody_can_tell(place, desk):
    place.pass_time(time.time() - place.sandbox.clock.now())
    order_id = send(desk, RESTS).order_id
    place.pass_time()
    first = desk.follow("i-1")
    assert (first.status, first.evidence) == (OrderStatus.ACCEPTED, "40 USDT are held for it")
    cancel_by_hand(place, order_id)
    change(desk, "i-1", created_at=iso(datetime.now(UTC) - timedelta(hours=1)))  # asked for long before it was sent
    place.pass_time()
    assert desk.follow("i-1") == first  # other words for the same status are no news
    place.pass_time(600)
    seen = desk.follow("i-1")
    assert seen.status is OrderStatus.CANNOT_TELL
    assert seen.evidence == "nothing in the wallet has moved since it was sent, and nothing is held for it"


def test_what_has_ended_is_not_judged_again(place, desk):
    order_id = send(desk, BUY).order_id
    place.pass_time()
    ended = desk.follow("i-1")
    send(desk, SELL, "i-2")
    place.pass_time()
    assert run(Orders(desk.exchange, desk.journal).get(order_id)) == ended


def test_without_a_note_of_the_wallet_an_order_stays_as_it_was_told(place, desk):
    order_id = send(desk, BUY).order_id
    told = desk.journal.get("i-1").last_order
    change(desk, "i-1", baseline=None)
    place.pass_time(3600)
    assert run(Orders(desk.exchange, desk.journal).get(order_id)) == told


# --- whose it is -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("values", [*ELSEWHERE, {"is_final": True}, {"request": None}])
def test_only_an_open_order_of_the_same_account_stands_in_the_way(place, desk, values):
    send(desk, RESTS)
    with pytest.raises(GuardRefused) as caught:
        send(desk, BUY, "i-2")
    refused = caught.value
    assert (refused.rule, refused.limit, refused.actual) == ("evidence", "1", "i-1")
    assert refused.message == (
        "Not sent: an order to buy BTC has not ended yet (intent i-1), and this exchange tells nothing of orders. Only "
        "the wallet shows what became of one, and two of the same kind could not be told apart. Wait for it, or cancel "
        "it: `tradehook intents show i-1`."
    )
    change(desk, "i-1", **values)
    send(desk, BUY, "i-3")
    assert len(place.placed()) == 2


@pytest.mark.parametrize("values", ELSEWHERE)
def test_only_orders_of_the_same_account_are_listed(place, desk, values):
    order_id = send(desk, RESTS).order_id
    place.pass_time()
    assert [order.order_id for order in run_each(Orders(desk.exchange, desk.journal).placed())] == [order_id]
    change(desk, "i-1", **values)
    assert [*run_each(Orders(desk.exchange, desk.journal).placed())] == []


def test_an_order_without_an_id_is_in_no_list(place, desk):
    lose(place, desk)
    change(desk, "i-1", state="MATCHED")
    assert [*run_each(Orders(desk.exchange, desk.journal).placed())] == []


def test_what_was_placed_elsewhere_is_told_with_its_name_cut_short(desk):
    with pytest.raises(NotFound) as caught:
        run(Orders(desk.exchange, desk.journal).get("E" + "1" * 80))
    label = desk.exchange.spec.label
    assert caught.value.exchange == desk.exchange.spec.name
    assert caught.value.message == (
        f"{label} tells of no orders, and E{'1' * 59} was not placed from here, so nothing is known of it. "
        f"Look at {label}'s own page."
    )


def test_what_the_exchange_holds_is_added_up_and_what_is_on_chains_left_out():
    def row(total, available, **more):
        held_ = Decimal(total) - Decimal(available)
        return Balance(symbol="BTC", total=Decimal(total), available=Decimal(available), held=held_, **more)

    rows = [row("1.5", "1"), row("2", "0.25"), row("9", "9", chain="base")]
    assert held(rows, ("BTC", "USDT")) == {"BTC": "3.5/1.25", "USDT": "0/0"}
