"""What the exchange does not know of an order, tradehook keeps: how long it rests, and how badly it may trade."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from tradehook.amounts import parse_duration
from tradehook.desk import slippage
from tradehook.errors import GuardRefused, InvalidInput
from tradehook.models import NewOrder, OrderStatus, SizedOrder
from tradehook.run import run

FAR = NewOrder.of("BTC/PYUSD", side="buy", amount="0.001", price=Decimal(50000), good_for=timedelta(hours=1))


def market(**more) -> NewOrder:
    return NewOrder.of("BTC/PYUSD", side="buy", amount="0.001", **more)


# --- good for ---------------------------------------------------------------------------------------------------


def test_what_rests_for_as_long_as_it_may_is_canceled_by_the_next_sweep(world):
    desk = world.desk()
    outcome = desk.place_order(FAR, intent_id="i-1", source="test")
    desk.place_order(FAR.model_copy(update={"good_for": None}), intent_id="i-2", source="test")
    world.sandbox.clock.advance(3500)
    desk.sweep()
    assert desk.follow("i-1").status is OrderStatus.OPEN
    world.sandbox.clock.advance(101)
    desk.sweep()
    world.sandbox.clock.advance(5)
    desk.sweep()
    intent = desk.journal.get("i-1")
    assert (intent.last_order.order_id, intent.last_order.status) == (outcome.order.order_id, OrderStatus.CANCELED)
    assert "expired" in [event["what"] for event in desk.journal.events("i-1")]
    assert desk.follow("i-2").status is OrderStatus.OPEN


def test_whoever_waits_for_it_cancels_it_too(world):
    desk = world.desk()
    desk.place_order(FAR, intent_id="i-1", source="test")
    world.sandbox.clock.advance(3601)
    desk.follow("i-1")
    world.sandbox.clock.advance(5)
    assert desk.follow("i-1").status is OrderStatus.CANCELED


def test_a_cancel_that_fails_is_tried_again_by_the_next_sweep(world):
    desk = world.desk()
    desk.place_order(FAR, intent_id="i-1", source="test")
    world.sandbox.clock.advance(3601)
    world.fault("edge_html", method="DELETE", path="/orders/{id}")
    assert desk.expire() == []
    (asked,) = desk.expire()
    assert asked.intent_id == "i-1"
    world.sandbox.clock.advance(5)
    desk.sweep()
    assert desk.expire() == []


def test_a_halt_does_not_keep_what_has_expired_alive(world):
    desk = world.desk()
    desk.place_order(FAR, intent_id="i-1", source="test")
    desk.journal.set_trading_state("HALTED", by="test")
    world.sandbox.clock.advance(3601)
    assert [intent.intent_id for intent in desk.expire()] == ["i-1"]


def test_an_order_that_asks_for_nothing_new_is_the_same_request_as_before(world):
    assert set(market().to_dict()) == {"base", "quote", "side", "amount", "price", "chain"}
    assert market(max_slippage=Decimal("0.5")).to_dict()["max_slippage"] == "0.5"
    assert NewOrder.model_validate(FAR.to_dict()) == FAR


@pytest.mark.parametrize(
    "options",
    [
        {"good_for": timedelta(hours=1)},
        {"good_for": timedelta(0), "price": Decimal(50000)},
        {"price": Decimal(50000), "max_slippage": Decimal(1)},
        {"bounded": True},
        {"max_slippage": Decimal(0)},
        {"max_slippage": Decimal(51)},
        {"chain": "base", "max_slippage": Decimal(1), "bounded": True},
    ],
)
def test_what_cannot_be_meant_is_refused(options):
    with pytest.raises((InvalidInput, ValueError)):
        market(**options)


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("30m", 1800), ("12h", 43200), ("7d", 604800), ("2w", 1209600)]
)
def test_reads_a_length_of_time(text, seconds):
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "0d", "7", "d", "-1d", "1.5h", "٣d", "99999d", "7 d"])
def test_refuses_other_lengths_of_time(text):
    with pytest.raises(InvalidInput, match="length of time"):
        parse_duration(text)


# --- slippage ---------------------------------------------------------------------------------------------------


def test_an_order_that_would_trade_worse_than_it_may_is_not_sent_and_can_be_tried_again(world, monkeypatch):
    desk = world.desk()
    quote = desk.exchange.get_quote

    async def worse(*args, **more):
        found = await quote(*args, **more)
        return found.model_copy(update={"price": found.price * Decimal("1.02")})

    monkeypatch.setattr(desk.exchange, "get_quote", worse)
    with pytest.raises(GuardRefused, match="worse than the market") as caught:
        desk.place_order(market(max_slippage=Decimal(1)), intent_id="i-1", source="test")
    assert caught.value.rule == "slippage"
    assert world.sends("POST", "/orders") == 0
    monkeypatch.undo()
    assert desk.place_order(market(max_slippage=Decimal(1)), intent_id="i-1", source="test").order.order_id
    assert world.orders_placed() == 1


def test_without_a_price_to_compare_with_nothing_is_sent(world):
    desk = world.desk()
    run(desk.exchange.balances())
    world.fault("edge_html", method="GET", path="*", times=None)
    sized = SizedOrder(
        base="BTC", quote="PYUSD", side="buy", quantity=Decimal("0.001"), unit="base", typed="0.001",
        max_slippage=Decimal(1),
    )  # fmt: skip
    with pytest.raises(GuardRefused, match="cannot be had") as caught:
        run(slippage.check(desk.exchange, sized))
    assert caught.value.rule == "slippage"


def test_a_chain_order_is_compared_with_what_it_is_asked_to_sign(world):
    order = NewOrder.of("CBBTC/USDC", side="buy", amount="$100", chain="base", max_slippage=Decimal(5))
    assert world.desk().place_order(order, intent_id="i-1", source="test").order.order_id
    tight = order.model_copy(update={"max_slippage": Decimal("0.0001")})
    with pytest.raises(GuardRefused, match="worse than the market") as caught:
        world.desk().place_order(tight, intent_id="i-2", source="test")
    assert caught.value.rule == "slippage"
    assert world.orders_placed() == 1


def test_a_bounded_order_trades_within_its_bound_and_leaves_nothing_behind(world):
    desk = world.desk()
    outcome = desk.place_order(market(max_slippage=Decimal(1), bounded=True), intent_id="i-1", source="test")
    assert outcome.sized.price is not None
    assert outcome.order.is_final
    assert outcome.order.average_price <= outcome.sized.price
    assert desk.open_orders() == []


def test_what_a_bounded_order_does_not_trade_at_once_is_canceled(world, monkeypatch):
    """A bound that is moved away from the market: the order rests, and is canceled in the same call."""
    desk = world.desk()
    bound = desk.exchange.bound_order
    monkeypatch.setattr(desk.exchange, "bound_order", lambda sized, *, at: bound(sized, at=at * Decimal("0.8")))
    outcome = desk.place_order(market(max_slippage=Decimal(1), bounded=True), intent_id="i-1", source="test")
    assert outcome.order.status is OrderStatus.CANCELED
    assert desk.open_orders() == []
    assert world.sends("POST", "/orders") == 1


@pytest.mark.parametrize("stop_at", range(12, 26))
def test_a_bounded_order_whose_sender_died_is_canceled_by_the_next_sweep(world, stop_at):
    sender = world.desk(stop_at=stop_at)
    bound = sender.exchange.bound_order
    sender.exchange.bound_order = lambda sized, *, at: bound(sized, at=at * Decimal("0.8"))
    try:
        sender.place_order(market(max_slippage=Decimal(1), bounded=True), intent_id="i-1", source="test")
    except BaseException as error:  # noqa: BLE001 - `Stopped`, as if it had been killed
        assert type(error).__name__ == "Stopped"
    desk = world.desk()
    desk.reconcile()
    world.sandbox.clock.advance(31)
    desk.sweep()
    world.sandbox.clock.advance(5)
    desk.sweep()
    assert desk.open_orders() == []
