"""Money moves once: whatever the exchange answers, and whoever asks again."""

from __future__ import annotations

import socket
import threading
from decimal import Decimal

import pytest

from tradehook import errors
from tradehook.desk.intents import State
from tradehook.errors import GuardRefused, IntentConflict, InvalidInput, OutcomeUnknown, TradehookError
from tradehook.models import NewOrder, OrderStatus

BUY = NewOrder.of("BTC/PYUSD", side="buy", amount="0.001")
FAR = NewOrder.of("BTC/PYUSD", side="buy", amount="0.001", price=Decimal(50000))
ON_CHAIN = NewOrder.of("CBBTC/USDC", side="buy", amount="$100", chain="base")


def test_places_and_follows_to_the_fill(world):
    desk = world.desk()
    outcome = desk.place_order(BUY, intent_id="i-1", source="test")
    assert outcome.order.status is OrderStatus.PENDING
    assert not outcome.is_stored
    world.sandbox.clock.advance(2)
    order = desk.follow("i-1")
    assert (order.status, order.filled) == (OrderStatus.FILLED, Decimal("0.001"))
    intent = desk.journal.get("i-1")
    assert (intent.state, intent.order_is_final, intent.order_id) == (State.ACCEPTED, True, order.order_id)
    assert [event["what"] for event in desk.journal.events("i-1")] == ["prepared", "sending", "accepted", "order"]


def test_the_same_intent_returns_what_is_stored_and_sends_nothing(world):
    first = world.desk().place_order(BUY, intent_id="i-1", source="test")
    again = world.desk()
    outcome = again.place_order(BUY, intent_id="i-1", source="somebody else")
    assert outcome.is_stored
    assert outcome.order.order_id == first.order.order_id
    assert world.sends("POST", "/orders") == 1
    assert world.orders_placed() == 1


def test_the_same_intent_with_another_order_is_refused(world):
    desk = world.desk()
    desk.place_order(BUY, intent_id="i-1", source="test")
    for other in (FAR, ON_CHAIN, NewOrder.of("BTC/PYUSD", side="sell", amount="0.001")):
        with pytest.raises(IntentConflict, match="i-1"):
            desk.place_order(other, intent_id="i-1", source="test")
    assert world.orders_placed() == 1


@pytest.mark.parametrize(
    ("kind", "status", "placed"),
    [
        ("error_before", 503, 0),
        ("error_before", 500, 0),
        ("error_after", 503, 1),
        ("error_after", 500, 1),
        ("error_after", 502, 1),
        ("error_after", 504, 1),
        ("error_after", 408, 1),
        ("error_after", 409, 1),
        ("timeout_after", None, 1),
        ("garbled", None, 1),
        ("late_accept", 503, 1),
    ],
)
def test_doubt_is_unknown_and_never_sent_again(world, kind, status, placed):
    desk = world.desk()
    world.fault(kind, **({"status": status} if status else {}))
    with pytest.raises(OutcomeUnknown) as caught:
        desk.place_order(BUY, intent_id="i-1", source="test")
    assert "i-1" in caught.value.next_step
    for _ in range(3):
        with pytest.raises(OutcomeUnknown):
            world.desk().place_order(BUY, intent_id="i-1", source="test")
    assert desk.journal.get("i-1").state is State.UNKNOWN
    assert [intent.intent_id for intent in desk.journal.list(states=[State.UNKNOWN])] == ["i-1"]
    assert world.sends("POST", "/orders") == 1
    assert world.orders_placed() == placed


@pytest.mark.parametrize("kind", ["rate_limited", "slow"])
def test_a_definite_answer_leads_to_exactly_one_order(world, kind):
    outcome = _place_with_fault(world, kind)
    assert outcome.order.order_id
    assert world.orders_placed() == 1


def _place_with_fault(world, kind, **more):
    world.fault(kind, **more)
    return world.desk().place_order(BUY, intent_id="i-1", source="test")


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, errors.InvalidOrder), (403, errors.Forbidden), (404, errors.NotFound), (422, errors.WrongState)],
)
def test_a_definite_no_is_rejected_and_stays_so(world, status, kind):
    with pytest.raises(kind) as first:
        _place_with_fault(world, "error_before", status=status)
    with pytest.raises(kind) as second:
        world.desk().place_order(BUY, intent_id="i-1", source="test")
    assert second.value.message == first.value.message
    assert world.sends("POST", "/orders") == 1
    assert world.orders_placed() == 0


def test_the_edge_is_a_definite_no(world):
    with pytest.raises(errors.EdgeBlocked):
        _place_with_fault(world, "edge_html")
    assert world.orders_placed() == 0


def test_a_dead_token_is_renewed_and_the_order_sent_once(world):
    desk = world.desk()
    desk.place_order(BUY, intent_id="i-0", source="test")
    world.fault("error_before", status=401)
    outcome = desk.place_order(BUY, intent_id="i-1", source="test")
    assert outcome.order.order_id
    assert world.orders_placed() == 2
    what = [event["what"] for event in desk.journal.events("i-1")]
    assert what == ["prepared", "sending", "not carried out", "sending", "accepted"]


def test_an_unaccepted_key_sends_nothing(world):
    world.key = {**world.key, "key_id": "99999999-2222-4333-8444-555555555555"}
    desk = world.desk()
    with pytest.raises(errors.Unauthorized):
        desk.place_order(BUY, intent_id="i-1", source="test")
    assert world.sends("POST", "/orders") == 0
    assert desk.journal.get("i-1").state is State.PREPARED


def test_insufficient_funds_are_rejected_by_name(world):
    desk = world.desk()
    with pytest.raises(errors.InsufficientFunds):
        desk.place_order(NewOrder.of("BTC/PYUSD", side="sell", amount="3"), intent_id="i-1", source="test")
    assert desk.journal.get("i-1").state is State.REJECTED
    assert world.orders_placed() == 0


def test_a_funding_bridge_is_never_signed(world):
    desk = world.desk()
    with pytest.raises(GuardRefused) as caught:
        desk.place_order(NewOrder.of("BTC/PYUSD", side="buy", amount="$10500"), intent_id="i-1", source="test")
    assert caught.value.rule == "bridge"
    assert world.sends("POST", "/execute") == 0
    assert world.orders_placed() == 0


# --- signed orders ------------------------------------------------------------------------------------------------


def test_on_chain_is_signed_and_settles(world):
    desk = world.desk()
    desk.place_order(ON_CHAIN, intent_id="i-1", source="test")
    world.sandbox.clock.advance(2)
    order = desk.follow("i-1")
    assert (order.status, order.base, order.chain) == (OrderStatus.FILLED, "CBBTC", "base")
    what = [event["what"] for event in desk.journal.events("i-1")]
    assert what[:5] == ["prepared", "sending", "created", "executing", "accepted"]


@pytest.mark.parametrize(
    "kind", ["error_before", "error_after", "timeout_after", "garbled", "rate_limited", "slow", "late_accept"]
)
@pytest.mark.parametrize("path", ["/orders", "/orders/{id}/execute"])
def test_doubt_about_a_signed_order_is_resolved_to_exactly_one(world, kind, path):
    desk = world.desk()
    world.fault(kind, path=path, delay_seconds=3)
    outcome = desk.place_order(ON_CHAIN, intent_id="i-1", source="test")
    world.sandbox.clock.advance(5)
    assert desk.follow("i-1").status is OrderStatus.FILLED
    assert desk.journal.get("i-1").order_id == outcome.order.order_id
    assert world.orders_placed() == 1


def test_a_refused_approval_leaves_it_unsigned(world):
    desk = world.desk()
    with pytest.raises(GuardRefused) as caught:
        desk.place_order(ON_CHAIN, intent_id="i-1", source="test", approve=lambda _sized, _created: False)
    assert caught.value.rule == "approval"
    assert world.sends("POST", "/execute") == 0
    assert world.orders_placed() == 0


def test_an_approval_that_crashes_leaves_it_unsigned(world):
    desk = world.desk()

    def crash(_sized, _created):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        desk.place_order(ON_CHAIN, intent_id="i-1", source="test", approve=crash)
    assert desk.journal.get("i-1").state is State.PREPARED
    assert world.orders_placed() == 0
    desk.place_order(ON_CHAIN, intent_id="i-1", source="test")
    assert world.orders_placed() == 1


# --- limits -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environment", "base_url"),
    [
        ("live", "http://127.0.0.1:8787"),
        ("live", "https://api.truemarkets.co"),
        ("sandbox", "https://api.truemarkets.co"),
        ("sandbox", "https://API.TrueMarkets.co:443"),
        ("sandbox", "https://api.truemarkets.co."),
        ("sandbox", "https://api.uat.truemarkets.co"),
        ("uat", "https://api.truemarkets.co"),
        ("sandbox", "https://prod.truex.co"),
    ],
)
def test_live_is_read_only_by_name_and_by_address(world, environment, base_url):
    desk = world.desk(environment=environment, base_url=base_url)
    with pytest.raises(GuardRefused) as caught:
        desk.place_order(BUY, intent_id="i-1", source="test")
    assert caught.value.rule == "live"
    with pytest.raises(GuardRefused):
        desk.cancel_order("some-order")
    assert world.lines[-1].sent == []


def test_a_sandbox_must_prove_that_it_is_one(world, monkeypatch):
    from tradehook.exchanges import true_markets

    monkeypatch.setattr(true_markets, "SANDBOX_ISSUER", "somebody-else")
    desk = world.desk()
    with pytest.raises(GuardRefused) as caught:
        desk.place_order(BUY, intent_id="i-1", source="test")
    assert caught.value.rule == "environment"
    assert world.sends("POST", "/orders") == 0


def test_a_freeze_stops_every_desk_of_the_journal_but_no_cancel(world):
    desk, other = world.desk(), world.desk()
    outcome = desk.place_order(FAR, intent_id="i-1", source="test")
    world.sandbox.clock.advance(2)
    other.journal.set_trading_state("HALTED", by="me", why="odd prices")
    for each in (desk, other):
        with pytest.raises(GuardRefused, match="odd prices") as caught:
            each.place_order(BUY, intent_id="i-2", source="test")
        assert caught.value.rule == "frozen"
    assert desk.cancel_order(outcome.order.order_id).status is OrderStatus.CANCELING
    other.journal.set_trading_state("NORMAL", by="me")
    assert desk.place_order(BUY, intent_id="i-2", source="test").order.order_id
    assert world.orders_placed() == 2


def test_invalid_input_sends_nothing(world):
    desk = world.desk()
    for order in (
        NewOrder.of("BTC/PYUSD", side="buy", amount="0.00001"),
        NewOrder.of("BTC/EUR", side="buy", amount="1"),
        NewOrder.of("DOGE/PYUSD", side="buy", amount="1"),
        NewOrder.of("BTC/PYUSD", side="buy", amount="0.001", price=Decimal("60000.05")),
        NewOrder.of("CBBTC/USDC", side="buy", amount="1", chain="base"),
        NewOrder.of("CBBTC/USDC", side="buy", amount="$1", chain="ethereum"),
    ):
        with pytest.raises(InvalidInput):
            desk.place_order(order, intent_id=f"i-{order.to_dict()}".replace(" ", ""), source="test")
    assert world.sends("POST", "/orders") == 0
    for bad in ("", "a b", "x" * 201, "é"):
        with pytest.raises(InvalidInput):
            desk.place_order(BUY, intent_id=bad, source="test")


# --- many at once, and death --------------------------------------------------------------------------------------


def test_many_threads_and_desks_with_one_intent_place_one_order(world):
    desks = [world.desk() for _ in range(4)]
    barrier = threading.Barrier(12)
    results: list[object] = []

    def place(desk):
        barrier.wait()
        try:
            results.append(desk.place_order(BUY, intent_id="i-1", source="test").order.order_id)
        except TradehookError as error:  # pragma: no cover - shown by the assertion
            results.append(error)

    threads = [threading.Thread(target=place, args=(desks[number % 4],)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 12
    assert len(set(map(str, results))) == 1
    assert world.orders_placed() == 1


def test_a_stop_before_sending_sends_nothing(world):
    desk = world.desk()
    desk.stop()
    with pytest.raises(errors.NotSent):
        desk.place_order(BUY, intent_id="i-1", source="test")
    assert desk.journal.get("i-1").state is State.PREPARED
    assert world.orders_placed() == 0


def test_sending_without_a_living_owner_reads_as_unknown(world):
    desk = world.desk()
    intent, _ = desk.journal.prepare(
        "i-1", kind="order", exchange="true_markets", host=desk.exchange.host, environment="sandbox",
        account="main", source="test", asked=BUY.to_dict(),
    )  # fmt: skip
    owner = f"{socket.gethostname()}:999999:1:dead"
    desk.journal.start(intent, to=State.SENDING, owner=owner, account_id="x")
    assert desk.journal.get("i-1").state is State.SENDING
    assert desk.journal.get("i-1").reads_as is State.UNKNOWN
    with pytest.raises(OutcomeUnknown):
        desk.place_order(BUY, intent_id="i-1", source="test")
    assert world.sends("POST", "/orders") == 0


@pytest.mark.parametrize("order", [BUY, ON_CHAIN], ids=["exchange", "chain"])
def test_stopped_dead_at_any_wait_there_is_at_most_one_order(make_world, order):
    """As if the process died at every wait in turn; then another one tries with the same intent."""
    reached_the_end = False
    for stop_at in range(1, 60):
        world = make_world()
        first = world.desk(stop_at=stop_at)
        try:
            first.place_order(order, intent_id="i-1", source="test")
            reached_the_end = True
        except BaseException as error:  # noqa: BLE001 - `Stopped`, or what became of it
            assert type(error).__name__ == "Stopped"
        truth = world.desk().journal.get("i-1")
        try:
            world.desk().place_order(order, intent_id="i-1", source="test")
        except OutcomeUnknown:
            assert truth.reads_as in (State.UNKNOWN, State.EXECUTING)
            assert world.orders_placed() <= 1
        else:
            assert world.orders_placed() == 1
        if reached_the_end:
            break
    assert reached_the_end
