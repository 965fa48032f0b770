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
from tradehook.run import run

STORES = ("sqlite", "postgres")
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
    assert (intent.state, intent.is_final, intent.order_id) == (State.ACCEPTED, True, order.order_id)
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
    ("kind", "status"),
    [
        ("error_after", 503),
        ("error_after", 500),
        ("error_after", 502),
        ("error_after", 504),
        ("error_after", 408),
        ("error_after", 409),
        ("timeout_after", None),
        ("garbled", None),
        ("late_accept", 503),
    ],
)
def test_an_order_whose_answer_was_lost_is_found_in_the_list_and_never_sent_again(world, kind, status):
    desk = world.desk()
    world.fault(kind, **({"status": status} if status else {}))
    outcome = desk.place_order(BUY, intent_id="i-1", source="test")
    assert not outcome.is_stored
    assert world.desk().place_order(BUY, intent_id="i-1", source="test").is_stored
    intent = desk.journal.get("i-1")
    assert (intent.state, intent.reads_as) == (State.MATCHED, State.ACCEPTED)
    assert world.sends("POST", "/orders") == 1
    assert world.orders_placed() == 1


@pytest.mark.parametrize("status", [500, 503])
def test_doubt_is_unknown_and_never_sent_again(world, status):
    desk = world.desk()
    world.fault("error_before", status=status)
    with pytest.raises(OutcomeUnknown) as caught:
        desk.place_order(BUY, intent_id="i-1", source="test")
    assert "i-1" in caught.value.next_step
    for _ in range(3):
        with pytest.raises(OutcomeUnknown):
            world.desk().place_order(BUY, intent_id="i-1", source="test")
    assert desk.journal.get("i-1").state is State.UNKNOWN
    assert [intent.intent_id for intent in desk.journal.list(states=[State.UNKNOWN])] == ["i-1"]
    assert world.sends("POST", "/orders") == 1
    assert world.orders_placed() == 0


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


def test_doubt_about_an_execute_is_never_undone_by_a_later_no(world):
    """The first execute arrived; what is answered to the next ones does not matter any more."""
    desk = world.desk()
    world.fault("timeout_after", path="/orders/{id}/execute")
    world.fault("edge_html", path="/orders/{id}/execute")
    world.fault("edge_html", method="GET", path="/orders", times=20)
    world.fault("edge_html", method="GET", path="/orders/{id}", times=20)
    world.fault("edge_html", method="GET", path="/orders/{id}/status", times=20)
    with pytest.raises(OutcomeUnknown) as caught:
        desk.place_order(ON_CHAIN, intent_id="i-1", source="test")
    assert desk.journal.get("i-1").state is State.UNKNOWN
    assert caught.value.order_id == desk.journal.get("i-1").order_id
    world.admin("DELETE", "faults")
    assert desk.place_order(ON_CHAIN, intent_id="i-1", source="test").is_stored
    assert desk.journal.get("i-1").state is State.ACCEPTED
    assert world.orders_placed() == 1


def test_a_dead_execute_reads_as_unknown_and_is_resolved_by_its_status(world, monkeypatch):
    desk = world.desk()
    desk.place_order(ON_CHAIN, intent_id="i-1", source="test")
    with desk.journal.engine.connect() as connection:  # as a process leaves it that is killed while it executes
        connection.exec_driver_sql(f"UPDATE intent SET state='EXECUTING', owner='{socket.gethostname()}:999999:1:dead'")
        connection.commit()
    other = world.desk()
    assert other.journal.get("i-1").reads_as is State.UNKNOWN
    assert [intent.intent_id for intent in other.journal.list(states=[State.UNKNOWN])] == ["i-1"]
    other.journal.set_trading_state("HALTED", by="me")  # a freeze does not hide what happened
    assert other.place_order(ON_CHAIN, intent_id="i-1", source="test").is_stored
    assert world.orders_placed() == 1


@pytest.mark.parametrize("how", ["stop", "freeze"])
def test_what_comes_between_create_and_execute_leaves_it_unsigned(world, how):
    desk = world.desk()

    def approve(_sized, _created):
        desk.stop() if how == "stop" else desk.journal.set_trading_state("HALTED", by="me")
        return True

    with pytest.raises((errors.Interrupted, GuardRefused)):
        desk.place_order(ON_CHAIN, intent_id="i-1", source="test", approve=approve)
    assert desk.journal.get("i-1").state is State.PREPARED
    assert world.sends("POST", "/execute") == 0
    assert world.orders_placed() == 0


def test_what_was_shown_is_what_is_sent_or_nothing_is(world):
    desk = world.desk()
    first = desk.exchange
    from tradehook.run import run

    share = NewOrder.of("BTC/PYUSD", side="buy", amount="50%")
    world.fault("rate_limited", times=4)
    with pytest.raises(errors.RateLimited):
        desk.place_order(share, intent_id="i-1", source="test")
    desk.place_order(NewOrder.of("BTC/PYUSD", side="buy", amount="$3000"), intent_id="i-2", source="test")
    world.sandbox.clock.advance(70)
    shown = run(first.size_order(share))
    with pytest.raises(IntentConflict, match="settled before"):
        desk.place_order(share, intent_id="i-1", source="test", sized=shown)
    assert world.orders_placed() == 1


def test_another_accounts_intent_is_another_deed(world):
    from tradehook.desk.journal import Journal
    from tradehook.desk.submit import Desk

    desk = world.desk()
    desk.place_order(BUY, intent_id="i-1", source="test")
    same = Desk(world.exchange(), journal=Journal.open(world.journal_url), account="renamed")
    world.desks.append(same)
    assert same.place_order(BUY, intent_id="i-1", source="test").is_stored
    world.key = world.sandbox.key_file("somebody-else")
    other = Desk(world.exchange(), journal=Journal.open(world.journal_url), account="other")
    world.desks.append(other)
    with pytest.raises(IntentConflict, match="belongs to another account"):
        other.place_order(BUY, intent_id="i-1", source="test")
    assert world.orders_placed() == 1


def test_an_order_is_not_sent_long_after_it_was_asked_for(world):
    desk = world.desk()
    world.fault("rate_limited", times=3)
    slow = desk.exchange.session.line.pause

    async def pause(seconds):
        await slow(seconds + 40)

    desk.exchange.session.line.pause = pause
    with pytest.raises(errors.Interrupted, match="60 s"):
        desk.place_order(BUY, intent_id="i-1", source="test")
    assert desk.journal.get("i-1").state is State.PREPARED
    assert world.orders_placed() == 0


def test_a_journal_that_cannot_be_written_after_a_send_is_unknown_with_what_was_heard(world, monkeypatch):
    desk = world.desk()

    def full(*_args, **_kwargs):
        raise errors.JournalUnavailable("The journal is full.")

    monkeypatch.setattr(desk.journal, "move", full)
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    with pytest.raises(OutcomeUnknown) as caught:
        desk.place_order(BUY, intent_id="i-1", source="test")
    assert caught.value.order_id in caught.value.message
    monkeypatch.undo()
    again = desk.place_order(BUY, intent_id="i-1", source="test")
    assert again.order.order_id == caught.value.order_id
    assert desk.journal.get("i-1").state is State.MATCHED
    assert world.orders_placed() == 1


def test_an_order_id_that_is_another_intents_is_doubt(world):
    """The answer names an order that is somebody's already; what was really made is found in the list."""
    desk = world.desk()
    outcome = desk.place_order(BUY, intent_id="i-1", source="test")
    write = desk.exchange.new_order

    def echo(sized):
        made = write(sized)
        return type(made)(made.request, lambda response: made.read(response) and outcome.order, made.kind)

    desk.exchange.new_order = echo
    found = desk.place_order(BUY, intent_id="i-2", source="test")
    assert found.order.order_id != outcome.order.order_id
    assert desk.journal.get("i-2").state is State.MATCHED
    assert "unknown" in [event["what"] for event in desk.journal.events("i-2")]


def test_a_desk_from_before_a_fork_refuses(world, monkeypatch):
    desk = world.desk()
    monkeypatch.setattr("os.getpid", lambda: -1)
    with pytest.raises(errors.ConfigurationError, match="forked"):
        desk.place_order(BUY, intent_id="i-1", source="test")


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
    with pytest.raises(errors.Interrupted):
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
    sized = desk.exchange.tag_order(run(desk.exchange.size_order(BUY)), by="x")
    desk.journal.start(
        desk.journal.settle(intent, sized.to_dict()),
        to=State.SENDING,
        owner=owner,
        account_id=run(desk.exchange.account_id()),
    )
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
