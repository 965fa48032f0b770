"""A doubt ends by what the exchange shows, by a person's word, or not at all; never by time alone."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tradehook.desk.intents import State
from tradehook.desk.proofs import LISTS_OPEN_ORDERS
from tradehook.errors import InvalidInput, OutcomeUnknown
from tradehook.models import NewOrder
from tradehook.run import run

BUY = NewOrder.of("BTC/PYUSD", side="buy", amount="0.001")
FAR = NewOrder.of("BTC/PYUSD", side="buy", amount="0.001", price=Decimal(50000))
LARGE = NewOrder.of("BTC/PYUSD", side="sell", amount="0.2")
ON_CHAIN = NewOrder.of("CBBTC/USDC", side="buy", amount="$100", chain="base")


def prove_the_list(desk) -> None:
    account = run(desk.exchange.account_id())
    desk.journal.proofs.record(desk.exchange.host, account, LISTS_OPEN_ORDERS, is_true=True, detail="test")


def place_by_hand(world, order: NewOrder) -> str:
    """An order by a person, past the desk."""
    exchange = world.exchange()
    write = exchange.new_order(run(exchange.size_order(order)))
    request, _ = run(exchange.session.prepare(write.request))
    return exchange.session.understand(run(exchange.session.send_once(request)), write.read).order_id


def lose(world, desk, order=BUY, intent_id="i-1", **options):
    with pytest.raises(OutcomeUnknown) as caught:
        desk.place_order(order, intent_id=intent_id, source="test", **options)
    return caught.value


def state(desk, intent_id="i-1"):
    return desk.journal.get(intent_id).state


# --- found ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [BUY, FAR], ids=["market", "limit"])
def test_one_that_surfaces_late_is_found_while_its_caller_waits(world, order):
    world.fault("late_accept", status=503, delay_seconds=5)
    desk = world.desk()
    outcome = desk.place_order(order, intent_id="i-1", source="test")
    assert desk.journal.get("i-1").exchange_id == outcome.order.order_id
    assert [event["what"] for event in desk.journal.events("i-1")][-1] == "matched"
    assert world.orders_placed() == 1


def test_one_that_surfaces_after_its_caller_went_is_found_by_the_next_look(world):
    world.fault("late_accept", status=503, delay_seconds=300)
    desk = world.desk()
    error = lose(world, desk)
    assert error.details["looking_until_at"]
    assert "balances have not changed" in error.message
    assert desk.reconcile() == []
    world.sandbox.clock.advance(301)
    (found,) = desk.reconcile()
    assert (found.intent_id, found.state) == ("i-1", State.MATCHED)
    assert desk.place_order(BUY, intent_id="i-1", source="test").is_stored
    assert world.orders_placed() == 1


def test_a_new_order_waits_until_what_was_open_has_been_looked_for(world):
    world.fault("late_accept", status=503, delay_seconds=300)
    lose(world, world.desk())
    world.sandbox.clock.advance(301)
    later = world.desk()
    later.place_order(FAR, intent_id="i-2", source="test")
    assert state(later) is State.MATCHED
    assert later.journal.get("i-1").updated_at <= later.journal.get("i-2").updated_at


def test_nothing_new_is_sent_while_what_is_open_cannot_be_looked_for(world):
    world.fault("error_before", status=503)
    lose(world, world.desk())
    world.fault("edge_html", method="GET", times=None)
    later = world.desk()
    with pytest.raises(Exception, match="protection"):
        later.place_order(FAR, intent_id="i-2", source="test")
    assert state(later, "i-2") is State.PREPARED
    assert world.sends("POST", "/orders") == 1


def test_two_doubts_about_equal_orders_are_bound_to_different_orders_or_to_none(world):
    """Neither can be told from the other, so a person has to say which is which."""
    world.fault("late_accept", status=503, delay_seconds=300, times=2)
    desk = world.desk()
    lose(world, desk, intent_id="i-1")
    desk.journal.move(desk.journal.get("i-1"), State.UNKNOWN)
    try:
        desk.place_order(BUY, intent_id="i-2", source="test")
    except Exception as error:  # noqa: BLE001 - refused as the twin of a doubt, or in doubt itself
        assert type(error).__name__ in ("OutcomeUnknown", "GuardRefused")
    world.sandbox.clock.advance(301)
    desk.reconcile()
    bound = {desk.journal.get(name).exchange_id for name in ("i-1", "i-2")} - {None}
    assert len(bound) <= world.orders_placed()


# --- told apart from what others do -----------------------------------------------------------------------------


def test_a_persons_identical_order_is_never_taken_for_ours(world):
    """The account is used by others, and nothing tells ours apart: a person decides."""
    theirs = place_by_hand(world, BUY)
    desk = world.desk()
    world.fault("timeout_after")
    error = lose(world, desk)
    assert state(desk) is State.NEEDS_HUMAN
    assert theirs not in error.message
    assert "resolve i-1 --as placed:ID" in error.message
    assert world.orders_placed() == 2


def test_a_persons_identical_order_right_after_ours_makes_it_a_question(world):
    desk = world.desk()
    world.fault("error_before", status=503)
    lose(world, desk)
    place_by_hand(world, BUY)
    place_by_hand(world, BUY)
    desk.reconcile()
    assert state(desk) is State.NEEDS_HUMAN
    assert len(desk.journal.get("i-1").resolution["found"]) == 2
    assert desk.journal.get("i-1").exchange_id is None


def test_an_unattended_order_is_tagged_and_told_apart(world):
    place_by_hand(world, LARGE)
    desk = world.desk()
    world.fault("timeout_after")
    outcome = desk.place_order(LARGE, intent_id="i-1", source="airflow", is_unattended=True)
    assert outcome.sized.tag > 0
    assert Decimal("0.1998") <= outcome.sized.quantity < Decimal("0.2")
    assert state(desk) is State.MATCHED
    assert world.orders_placed() == 2


def test_a_tag_is_decided_by_the_intent_and_never_makes_an_order_larger_or_too_small(world):
    exchange = world.exchange()
    for order in (BUY, LARGE, FAR, NewOrder.of("BTC/PYUSD", side="buy", amount="$9")):
        sized = run(exchange.size_order(order))
        tags = {exchange.tag_order(sized, by=f"intent {number}").tag for number in range(50)}
        tagged = [exchange.tag_order(sized, by=f"intent {number}") for number in range(50)]
        assert tagged == [exchange.tag_order(sized, by=f"intent {number}") for number in range(50)]
        assert all(sized.quantity * Decimal("0.999") <= one.quantity <= sized.quantity for one in tagged)
        assert all(one.quantity + one.tag == sized.quantity for one in tagged)
        assert (len(tags) > 1) == (order is LARGE)


def test_what_a_person_was_shown_is_not_tagged(world):
    desk = world.desk()
    shown = run(desk.exchange.size_order(LARGE))
    outcome = desk.place_order(LARGE, intent_id="i-1", source="chat", sized=shown, is_unattended=True)
    assert outcome.sized.quantity == Decimal("0.2")


def test_a_list_that_tells_too_little_is_a_question(world):
    desk = world.desk()
    world.fault("missing_field", method="GET", path="/orders", field="qty", times=None)
    world.fault("timeout_after")
    lose(world, desk)
    assert state(desk) is State.NEEDS_HUMAN
    world.admin("DELETE", "faults")
    assert desk.place_order(BUY, intent_id="i-1", source="test").is_stored
    assert state(desk) is State.MATCHED


# --- not there --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [BUY, FAR], ids=["market", "limit"])
def test_absence_is_concluded_after_the_horizon_only_and_held_then(world, order):
    desk = world.desk()
    prove_the_list(desk)
    world.fault("error_before", status=503)
    lose(world, desk, order)
    assert state(desk) is State.UNKNOWN
    world.sandbox.clock.advance(300)
    lose(world, desk, order)
    assert state(desk) is State.UNKNOWN
    world.sandbox.clock.advance(4000)
    error = lose(world, desk, order)
    assert state(desk) is State.PROVED_ABSENT
    assert "resolve i-1 --as again" in error.message
    lose(world, desk, order)
    assert world.sends("POST", "/orders") == 1
    assert len(desk.journal.get("i-1").resolution["clean_scans"]) == 2


def test_absence_is_never_concluded_from_a_list_that_is_not_proved(world):
    desk = world.desk()
    world.fault("error_before", status=503)
    lose(world, desk)
    for _ in range(3):
        world.sandbox.clock.advance(4000)
        lose(world, desk)
    assert state(desk) is State.UNKNOWN
    assert "place-test" in desk.journal.get("i-1").resolution["why_not_absent"]


def test_absence_is_never_concluded_while_balances_have_changed(world):
    desk = world.desk()
    prove_the_list(desk)
    world.fault("error_before", status=503)
    lose(world, desk)
    place_by_hand(world, NewOrder.of("BTC/PYUSD", side="sell", amount="0.01"))
    world.sandbox.clock.advance(4000)
    error = lose(world, desk)
    assert state(desk) is State.NEEDS_HUMAN
    assert "BTC -0.01" in error.message


def test_a_list_that_cannot_be_read_concludes_nothing(world):
    desk = world.desk()
    prove_the_list(desk)
    world.fault("error_before", status=503)
    lose(world, desk)
    world.sandbox.clock.advance(4000)
    world.fault("edge_html", method="GET", times=None)
    lose(world, desk)
    assert state(desk) is State.UNKNOWN
    world.admin("DELETE", "faults")
    lose(world, desk)
    assert state(desk) is State.PROVED_ABSENT


def test_what_a_person_orders_after_the_horizon_is_never_taken_for_ours(world):
    desk = world.desk()
    prove_the_list(desk)
    world.fault("error_before", status=503)
    lose(world, desk)
    world.sandbox.clock.advance(4000)
    lose(world, desk)
    assert state(desk) is State.PROVED_ABSENT
    place_by_hand(world, BUY)
    assert desk.reconcile() == []
    assert state(desk) is State.PROVED_ABSENT
    assert world.orders_placed() == 1


# --- sent again -------------------------------------------------------------------------------------------------


def test_a_market_order_that_is_proved_absent_is_sent_again_where_that_was_asked(world):
    desk = world.desk()
    prove_the_list(desk)
    world.fault("error_before", status=503)
    lose(world, desk, resends=True)
    lose(world, desk, resends=True)
    world.sandbox.clock.advance(4000)
    outcome = desk.place_order(BUY, intent_id="i-1", source="test", resends=True)
    assert not outcome.is_stored
    assert world.sends("POST", "/orders") == 2
    assert world.orders_placed() == 1
    assert desk.journal.get("i-1").attempt == 2
    assert "sent again" in [event["what"] for event in desk.journal.events("i-1")]


@pytest.mark.parametrize("order", [FAR, ON_CHAIN], ids=["limit", "chain"])
def test_nothing_but_a_market_order_is_ever_sent_again(world, order):
    with pytest.raises(InvalidInput, match="market order"):
        world.desk().place_order(order, intent_id="i-1", source="test", resends=True)
    assert world.sends("POST", "/orders") == 0


def test_a_paused_sender_that_wakes_after_the_horizon_sends_with_a_dead_token(world):
    """Its token is the fence: the exchange refuses it, and its late answer changes nothing."""
    desk = world.desk()
    prove_the_list(desk)
    slow = world.desk()
    send = slow.exchange.session.send_once
    overtaken = {}

    async def pausing(request):
        if request.method == "POST" and request.path.endswith("/orders") and not overtaken:
            world.sandbox.clock.advance(4000)
            overtaken["by"] = desk.place_order(BUY, intent_id="i-1", source="test", resends=True)
        return await send(request)

    slow.exchange.session.send_once = pausing
    outcome = slow.place_order(BUY, intent_id="i-1", source="test")
    assert outcome.order.order_id == overtaken["by"].order.order_id
    assert world.orders_placed() == 1
    assert desk.journal.get("i-1").attempt == 2
