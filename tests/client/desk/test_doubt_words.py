"""What a doubt says to the person who has to act on it, word for word: what was seen, until when, and what to type."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from tests.client.desk.test_attempts import ON_CHAIN, during
from tests.client.desk.test_reconcile import BUY, LARGE, lose, place_by_hand, prove_the_list

from tradehook.desk.reconcile import unknown
from tradehook.models import NewOrder

SENT = (
    "The order was sent, and no answer came that tells whether the exchange took it. It may exist or not: do not enter "
    "it again."
)
UNTIL = " Until 2026-09-21 15:13:50 UTC it can appear; `tradehook intents reconcile` looks again."
LOOK = " Look at `tradehook orders` and `tradehook intents show i-1`."
QUESTION = (
    "The order was sent, and no answer came. What the exchange shows does not tell whether it is there: do not enter "
    "it again."
)
SAY = (
    " Compare `tradehook orders` and `tradehook intents show i-1`, then say what is so: `tradehook intents resolve i-1 "
    "--as placed:ID`, or `--as not-placed`."
)
SHOW = "tradehook intents show i-1"


def facts(error):
    found = error.details
    return error.exchange, error.intent_id, error.next_step, found["looking_until_at"], found["order_id"]


def test_a_fresh_doubt(world):
    world.fault("error_before", status=503)
    error = lose(world, world.desk())
    seen = " Seen so far: it is in no list yet; balances have not changed."
    assert error.message == SENT + seen + UNTIL + LOOK
    assert facts(error) == ("true_markets", "i-1", SHOW, "2026-09-21T15:13:50.000000Z", None)


def test_a_doubt_that_could_not_be_looked_for(world):
    desk = world.desk()
    world.fault("error_before", status=503)
    during(desk, "POST", "/orders", lambda: world.fault("edge_html", method="GET", times=None))
    assert lose(world, desk).message == SENT + UNTIL + LOOK


def test_a_doubt_whose_id_was_heard(world):
    world.fault("error_before", path="/orders/{id}/execute", status=503, times=200)
    desk = world.desk()
    error = lose(world, desk, ON_CHAIN)
    order_id = desk.journal.get("i-1").order_id
    assert error.message == SENT + f" If it exists, it is order {order_id}." + UNTIL + LOOK
    assert facts(error)[-1] == order_id


def test_a_doubt_whose_id_only_its_sender_heard(world):
    desk = world.desk()
    world.fault("error_before", status=503)
    lose(world, desk)
    error = unknown(desk.journal.get("i-1"), exchange_id="x-9")
    assert error.message.startswith(SENT + " If it exists, it is order x-9. Seen so far:")
    assert facts(error)[-1] == "x-9"


def test_a_doubt_that_the_list_cannot_end(world):
    desk = world.desk()
    world.fault("error_before", status=503)
    lose(world, desk)
    world.sandbox.clock.advance(4000)
    why = "nothing proves that this account's list shows open orders (tradehook doctor --place-test does)"
    seen = f" Seen so far: it is in no list ({why}); balances have not changed."
    assert lose(world, desk).message == SENT + seen + UNTIL + LOOK


@pytest.mark.parametrize("count", [1, 2])
def test_a_question_names_what_could_be_it_and_what_moved(world, count):
    desk = world.desk()
    place_by_hand(world, LARGE)
    ids = []

    def others():
        ids.extend(place_by_hand(world, BUY) for _ in range(count))
        world.fault("error_before", status=503)

    during(desk, "POST", "/orders", others)
    error = lose(world, desk)
    found = desk.journal.get("i-1").resolution
    assert set(found["found"]) == set(ids)
    moved = ", ".join(f"{symbol} {change}" for symbol, change in found["balances_changed"].items())
    seen = f" Seen so far: {', '.join(found['found'])} could be it; balances changed by {moved}."
    assert error.message == QUESTION + seen + SAY
    assert facts(error)[2] == "tradehook intents resolve i-1 --as placed:ID"


def test_what_moved_is_told_with_its_sign_and_also_what_is_only_held(world):
    """An order that rests takes nothing from the total and something from what is available."""
    desk = world.desk()
    world.fault("error_before", status=503)
    lose(world, desk)
    place_by_hand(world, NewOrder.of("BTC/PYUSD", side="sell", amount="0.002", price=Decimal(90000)))
    world.sandbox.clock.advance(5)
    error = lose(world, desk)
    assert desk.journal.get("i-1").resolution["balances_changed"] == {"BTC": "0 (-0.002 available)"}
    assert error.message == SENT + (
        " Seen so far: it is in no list yet; balances changed by BTC 0 (-0.002 available)." + UNTIL + LOOK
    )


def test_what_another_order_of_ours_may_have_moved_is_told_as_that(world):
    """Else a person would take the other order's coins for the lost one's, and it for placed."""
    desk = world.desk()
    world.fault("error_before", status=503)
    lose(world, desk)
    for number in (1, 2):
        desk.place_order(LARGE, intent_id=f"mine-{number}", source="test")
        message = lose(world, desk).message
        others = "1 other intent" if number == 1 else "2 other intents"
        assert f" available), which {others} of this account may have done. Until" in message


@pytest.mark.parametrize(
    "order",
    [
        NewOrder.of("BTC/PYUSD", side="buy", amount="0.001", max_slippage=1, bounded=True),
        NewOrder.of("BTC/PYUSD", side="buy", amount="0.001", price=Decimal(50000), good_for=timedelta(days=1)),
    ],
)
def test_of_what_was_to_rest_for_a_while_it_is_told_that_nothing_cancels_it_now(world, order):
    desk = world.desk()
    world.fault("error_before", status=503)
    words = "Until that is known, nothing cancels what rests of it."
    assert f" looks again. {words} Look at" in lose(world, desk, order).message
    prove_the_list(desk)
    place_by_hand(world, LARGE)
    world.sandbox.clock.advance(4000)
    assert f". {words} Compare" in lose(world, desk, order).message


def test_balances_that_changed_are_told_each(world):
    desk = world.desk()
    world.fault("error_before", status=503)
    lose(world, desk)
    place_by_hand(world, LARGE)
    world.sandbox.clock.advance(5)
    message = lose(world, desk).message
    assert "; balances changed by BTC -0.2 (-0.2 available), PYUSD +134" in message


def test_a_doubt_without_a_horizon_tells_none(world):
    desk = world.desk()
    world.fault("error_before", status=503)
    lose(world, desk)
    error = unknown(replace(desk.journal.get("i-1"), looking_until=None, resolution=None))
    assert (error.message, error.details["looking_until_at"]) == (SENT + LOOK, None)


def test_what_is_proved_absent(world):
    desk = world.desk()
    prove_the_list(desk)
    world.fault("error_before", status=503)
    lose(world, desk)
    world.sandbox.clock.advance(4000)
    error = lose(world, desk)
    assert error.message == (
        "The order was sent, no answer came, and it is not at the exchange: nothing can arrive any more, it is in no "
        "list, and balances have not changed. It is held. `tradehook intents resolve i-1 --as again` lets it be sent "
        "again, `--as not-placed` ends it."
    )
    assert facts(error)[2] == "tradehook intents resolve i-1 --as again"
