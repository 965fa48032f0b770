"""Found by reading the desk again: each of these did something that its words denied."""

from __future__ import annotations

import pytest
from tests.client.desk.test_reconcile import BUY, FAR, lose

from tradehook.desk.destinations import Destinations
from tradehook.desk.intents import State
from tradehook.errors import ConfigurationError, GuardRefused, IntentConflict, Interrupted, InvalidInput, TradehookError
from tradehook.models import NewOrder, OrderStatus
from tradehook.run import run

ON_CHAIN = NewOrder.of("CBBTC/USDC", side="buy", amount="$100", chain="base")


def another(first, world):
    """The same sandbox and journal, with the key of somebody else."""
    world.sandbox, world.journal_url = first.sandbox, first.journal_url
    world.key = first.sandbox.key_file(account="second")
    return world


def test_another_persons_account_under_the_same_name_is_another_account(make_world):
    first = make_world()
    first.desk().place_order(BUY, intent_id="i-1", source="test")
    second = another(first, make_world())
    with pytest.raises(IntentConflict, match="another account"):
        second.desk().place_order(BUY, intent_id="i-1", source="test")
    assert first.orders_placed() == 1


def test_what_was_settled_for_one_account_is_not_sent_with_the_money_of_another(make_world):
    first = make_world()
    first.fault("edge_html", path="/orders")
    first.desk().journal.set_trading_state("HALTED", by="test")
    with pytest.raises(GuardRefused):
        first.desk().place_order(BUY, intent_id="i-1", source="test")
    first.desk().journal.set_trading_state("NORMAL", by="test")
    second = another(first, make_world())
    with pytest.raises(IntentConflict, match="another account"):
        second.desk().place_order(BUY, intent_id="i-1", source="test")
    assert second.orders_placed() == 0


@pytest.mark.parametrize("how", ["freeze", "stop"])
def test_a_freeze_or_a_stop_holds_between_two_executes(world, how):
    desk = world.desk()
    world.fault("rate_limited", path="/orders/{id}/execute")
    pause = desk.exchange.session.line.pause

    async def pausing(seconds):
        if how == "freeze":
            desk.journal.set_trading_state("HALTED", by="test")
        else:
            desk.stop()
        await pause(seconds)

    desk.exchange.session.line.pause = pausing
    with pytest.raises(GuardRefused if how == "freeze" else Interrupted):
        desk.place_order(ON_CHAIN, intent_id="i-1", source="test")
    assert world.sends("POST", "/execute") == 1
    assert desk.journal.get("i-1").state is State.PREPARED
    assert world.orders_placed() == 0


def test_a_token_that_cannot_be_renewed_makes_no_doubt_of_an_execute_that_was_refused(world):
    desk = world.desk()
    run(desk.exchange.account_id())
    world.fault("error_before", path="/orders/{id}/execute", status=401)
    world.fault("error_before", path="/auth/api-key/token", status=503, times=8)
    world.fault("error_before", path="/auth/token/refresh", status=503, times=8)
    with pytest.raises(TradehookError):
        desk.place_order(ON_CHAIN, intent_id="i-1", source="test")
    assert desk.journal.get("i-1").state is State.PREPARED
    world.admin("DELETE", "faults")
    assert desk.place_order(ON_CHAIN, intent_id="i-1", source="test").order.order_id
    assert world.orders_placed() == 1


def test_an_id_from_an_attempt_that_was_never_signed_is_not_the_next_ones(make_world):
    for stop_at in range(1, 40):
        world = make_world()
        world.fault("rate_limited", path="/orders/{id}/execute", times=4)
        with pytest.raises(TradehookError):
            world.desk().place_order(ON_CHAIN, intent_id="i-1", source="test")
        try:
            world.desk(stop_at=stop_at).place_order(ON_CHAIN, intent_id="i-1", source="test")
        except BaseException as error:  # noqa: BLE001 - `Stopped`, as if it had been killed
            assert type(error).__name__ == "Stopped"
            world.desk().place_order(ON_CHAIN, intent_id="i-1", source="test")
            assert world.orders_placed() == 1
        else:
            return
    pytest.fail("it never came to its end")


def test_many_old_doubts_do_not_hold_up_a_new_order(world):
    desk = world.desk()
    for number in range(30):
        world.fault("error_before", status=503)
        order = NewOrder.of("BTC/PYUSD", side="buy", amount=f"0.00{number + 10}")
        lose(world, desk, order, intent_id=f"old-{number}")
    later = world.desk()
    before = world.sends("GET", "/orders")
    later.place_order(FAR, intent_id="new", source="test")
    assert world.sends("GET", "/orders") - before <= 3
    world.sandbox.clock.advance(4000)
    desk.reconcile()
    last = world.desk()
    before = world.sends("GET", "/orders")
    last.place_order(FAR, intent_id="newer", source="test")
    assert world.sends("GET", "/orders") - before == 1


def test_a_cancel_that_was_accepted_is_not_told_as_an_outage(world):
    desk = world.desk()
    order = desk.place_order(FAR, intent_id="i-1", source="test").order
    world.sandbox.clock.advance(2)
    desk.follow("i-1")
    world.fault("edge_html", method="GET", times=None)
    assert desk.cancel_order(order.order_id).status is OrderStatus.CANCELING
    assert "cancel" in [event["what"] for event in desk.journal.events("i-1")]
    world.admin("DELETE", "faults")
    world.sandbox.clock.advance(5)
    assert desk.follow("i-1").status is OrderStatus.CANCELED


def test_one_order_that_cannot_be_read_hides_no_other(world):
    desk = world.desk()
    first = desk.place_order(FAR, intent_id="i-1", source="test").order
    world.sandbox.clock.advance(2)
    desk.follow("i-1")
    world.fault("stale_list", method="GET", path="/orders", times=None, delay_seconds=3600)
    world.fault("error_before", method="GET", path="/orders/{id}", status=404, times=None)
    world.fault("error_before", method="GET", path="/orders/{id}/status", status=404, times=None)
    assert [order.order_id for order in desk.open_orders()] == [first.order_id]


def test_a_closed_desk_says_so(world):
    desk = world.desk()
    desk.close()
    with pytest.raises(ConfigurationError, match="closed"):
        desk.cancel_order("11111111-2222-4333-8444-555555555555")


def test_a_status_that_we_made_up_cannot_be_listed_by(world):
    exchange = world.exchange()

    async def listed():
        return [order async for order in exchange.list_orders(statuses=[OrderStatus.UNRECOGNIZED])]

    with pytest.raises(InvalidInput, match="unrecognized"):
        run(listed())


def test_an_id_that_looks_like_a_repetition_and_is_none_is_refused(world):
    desk = world.desk()
    with pytest.raises(InvalidInput, match="repetition"):
        desk.place_order(BUY, intent_id="job~2", source="test")
    desk.place_order(BUY, intent_id="job", source="test")
    desk.journal.doubts.again(desk.journal.get("job"), by="ana", why="")
    desk.place_order(BUY, intent_id="job~2", source="test")
    assert world.orders_placed() == 2
    assert isinstance(desk.journal.destinations, Destinations)


def test_once_more_means_the_same_once_more(world):
    desk = world.desk()
    desk.place_order(BUY, intent_id="job", source="test")
    desk.journal.doubts.again(desk.journal.get("job"), by="ana", why="")
    with pytest.raises(IntentConflict, match="another request"):
        desk.place_order(FAR, intent_id="job", source="test")
    desk.place_order(BUY, intent_id="job", source="test")
    assert world.orders_placed() == 2
