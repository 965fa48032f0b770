"""The door for transfers and futures: twice at once is once, each is followed; and what is given back at the end."""

from __future__ import annotations

import threading
from decimal import Decimal

import pytest
from sqlalchemy import select
from tests.client.desk.test_create_transfer import AT_EXCHANGE, add_destinations, new
from tests.client.desk.test_futures import FuturesWorld, opening
from tests.client.desk.test_reconcile import FAR

from tradehook.budget import Budget
from tradehook.desk.futures_deed import FuturesDeed
from tradehook.desk.permits import SqliteStore, StoredPermits
from tradehook.desk.schema import reading
from tradehook.desk.tables import LEASE
from tradehook.errors import ConfigurationError, IntentConflict, Interrupted
from tradehook.models import NewOrder, OrderStatus
from tradehook.run import run
from tradehook.transfers import TransferStatus
from tradehook_sandbox import Sandbox


@pytest.fixture
def futures(tmp_path):
    """FinTrusted's futures at a price that stands still."""
    sandbox = Sandbox(fintrusted_futures_answer="order")
    made = FuturesWorld(folder=tmp_path, sandbox=sandbox, key={}, journal_url=f"sqlite:///{tmp_path}/journal.db")
    made.admin("POST", "prices", {"BTC": "74000", "walk": False})
    yield made
    for desk in made.desks:
        desk.close()


def held_back(desk, end):
    """Holds the send whose path ends so; gives what tells that it is there, and what lets it go on."""
    arrived, is_open = threading.Event(), threading.Event()
    line = desk.exchange.session.line
    respond = line.respond

    def respond_later(request):
        if request.method == "POST" and request.path.endswith(end):
            arrived.set()
            assert is_open.wait(30)
        return respond(request)

    line.respond = respond_later
    return arrived, is_open


def leases(journal):
    with reading(journal.engine) as connection:
        return connection.execute(select(LEASE.c.name)).all()


# --- twice at once ------------------------------------------------------------------------------------------------


def check_twice(desk, start, one, other, end):
    arrived, is_open = held_back(desk, end)
    first = start(one, intent_id="i-1", source="test")
    assert arrived.wait(30)
    assert start(one, intent_id="i-1", source="another") is first
    different = start(other, intent_id="i-1", source="test")
    assert different is not first
    with pytest.raises(IntentConflict):
        different.result(30)
    is_open.set()
    assert not first.result(30).is_stored
    assert start(one, intent_id="i-1", source="test").result(30).is_stored


def test_a_transfer_that_is_asked_for_twice_at_once_is_sent_once(world):
    desk = world.desk()
    add_destinations(desk)
    check_twice(desk, desk.start_transfer, AT_EXCHANGE, new("BTC", "0.02", "vault", None), "/transfers")
    assert world.sends("POST", "/transfers") == 1


def test_a_futures_order_that_is_asked_for_twice_at_once_is_sent_once(futures):
    desk = futures.desk()
    check_twice(desk, desk.start_futures, opening(), opening("11"), "/tx/uorder/open")
    assert futures.filled() == [("long", True, 10)]


def test_the_same_order_under_two_ids_is_two_orders_at_once_as_well(world):
    desk = world.desk()
    arrived, is_open = held_back(desk, "/orders")
    futures = [desk.start_order(FAR, intent_id=name, source="test") for name in ("i-1", "i-2")]
    assert futures[0] is not futures[1]
    assert arrived.wait(30)
    is_open.set()
    assert len({future.result(30).order.order_id for future in futures}) == 2
    assert world.orders_placed() == 2


def test_what_was_shown_of_a_futures_order_is_what_is_sent(futures):
    desk = futures.desk()
    shown = run(FuturesDeed(opening()).settle(desk.exchange)).model_copy(update={"contracts": Decimal(7)})
    desk.place_futures(opening(), intent_id="i-1", source="the one who asks", sized=shown)
    assert futures.filled() == [("long", True, 7)]
    assert desk.journal.get("i-1").source == "the one who asks"


def test_what_is_odd_is_asked_about_by_the_desk_of_the_account(world):
    desk = world.desk()
    settled = run(desk.exchange.size_order(FAR))
    assert desk.questions(settled) == ()
    desk.place_order(FAR, intent_id="i-1", source="test", sized=settled)
    (asked,) = desk.questions(settled)
    assert asked.startswith("The same order was sent ")
    assert asked.endswith(" s ago (intent i-1). Send it once more?")
    other = run(desk.exchange.size_order(FAR.model_copy(update={"price": FAR.price + 1})))
    assert desk.questions(other) == ()
    assert world.sends("POST", "/orders") == 1


# --- followed -----------------------------------------------------------------------------------------------------


def test_an_order_is_followed_to_its_end(world):
    desk = world.desk()
    order_id = desk.place_order(FAR, intent_id="i-1", source="test").order.order_id
    world.sandbox.clock.advance(5)
    assert desk.follow("i-1").status is OrderStatus.OPEN
    desk.cancel_order(order_id)
    world.sandbox.clock.advance(5)
    assert desk.follow("i-1") == desk.journal.get("i-1").last_order
    assert desk.journal.get("i-1").last_order.status is OrderStatus.CANCELED


def test_a_transfer_is_followed_to_its_end(world):
    desk = world.desk()
    add_destinations(desk)
    desk.create_transfer(AT_EXCHANGE, intent_id="t-1", source="test")
    assert desk.follow_transfer("t-1").status is TransferStatus.PENDING
    world.sandbox.clock.advance(120)
    assert desk.follow_transfer("t-1") == desk.journal.get("t-1").last_transfer
    assert desk.journal.get("t-1").last_transfer.status is TransferStatus.COMPLETED


def test_a_futures_order_is_followed_to_its_end(futures):
    desk = futures.desk()
    placed = desk.place_futures(opening(price=Decimal(73000)), intent_id="f-1", source="test").order
    assert desk.follow_futures("f-1").status is OrderStatus.OPEN
    futures.admin("POST", "prices", {"BTC": "72000"})
    found = desk.follow_futures("f-1")
    assert (found.order_id, found.status, found.average_price) == (placed.order_id, OrderStatus.FILLED, 73000)
    assert desk.journal.get("f-1").last_futures == found


@pytest.mark.parametrize(
    ("kind", "read"), [("follow", "get_order"), ("follow_transfer", "get_transfer"), ("follow_futures", "get_order")]
)
def test_what_has_ended_stays_ended_whatever_is_read_of_it_later(world, futures, kind, read):
    desk = futures.desk() if kind == "follow_futures" else world.desk()
    reader = desk.exchange.futures if kind == "follow_futures" else desk.exchange
    if kind == "follow":
        desk.cancel_order(desk.place_order(FAR, intent_id="i-1", source="test").order.order_id)
    elif kind == "follow_transfer":
        add_destinations(desk)
        desk.create_transfer(AT_EXCHANGE, intent_id="i-1", source="test")
    else:
        desk.place_futures(opening(), intent_id="i-1", source="test")
    world.sandbox.clock.advance(120)
    ended = getattr(desk, kind)("i-1")
    assert ended.is_final
    answer = getattr(reader, read)

    async def pending_again(name):
        return (await answer(name)).model_copy(update={"status": type(ended.status)("pending")})

    setattr(reader, read, pending_again)
    assert getattr(desk, kind)("i-1") == ended


def test_what_is_read_for_money_does_not_wait_behind_what_others_read(world):
    """Polling may use all but the reserve; what an order and a cancel read on their way comes from that."""
    desk = world.desk()
    placed = desk.place_order(FAR, intent_id="i-0", source="test").order
    world.sandbox.clock.advance(5)
    session = desk.exchange.session
    session.budget = Budget(requests=40, reserve=30)
    while session.budget.take("read", now=session.line.monotonic()) == 0:
        pass
    before = world.sandbox.clock.now()
    market = NewOrder.of("BTC/PYUSD", side="buy", amount="0.001")
    assert desk.place_order(market, intent_id="i-1", source="test").order.order_id
    desk.cancel_order(placed.order_id)
    assert world.sandbox.clock.now() - before < 15


# --- at the end ---------------------------------------------------------------------------------------------------


def test_a_desk_that_is_closed_lets_go_of_all_that_others_may_want(world, tmp_path):
    desk = world.desk()
    desk.place_order(FAR, intent_id="i-1", source="test")
    desk.sweep()
    store = StoredPermits(SqliteStore(tmp_path / "j.permits", clock=world.sandbox.clock.now), scope="k")
    session = desk.exchange.session
    session.budget = Budget()
    session.budget.share(store)
    for _ in range(4):
        session.budget.take("read", now=session.line.monotonic())
    assert store.out(window_seconds=60) > 4
    assert len(leases(desk.journal)) == 1
    closed = []
    session.line.close = lambda: closed.append("line")
    desk.close()
    other = world.desk()
    assert (closed, leases(other.journal), store.out(window_seconds=60)) == (["line"], [], 4)
    other.sweep()
    assert other.watcher.is_sweeper


def test_a_desk_whose_journal_is_gone_can_be_closed(world):
    desk = world.desk()
    desk.place_order(FAR, intent_id="i-1", source="test")
    desk.sweep()
    desk.journal.close()
    for path in world.folder.iterdir():
        path.unlink()
    (world.folder / "journal.db").mkdir()
    desk.close()
    with pytest.raises(ConfigurationError, match="The desk is closed"):
        desk.place_order(FAR, intent_id="i-2", source="test")


def test_a_desk_that_was_stopped_sends_nothing_and_can_still_be_asked(world):
    desk = world.desk()
    desk.place_order(FAR, intent_id="i-1", source="test")
    desk.stop()
    world.sandbox.clock.advance(5)
    with pytest.raises(Interrupted, match="before anything was sent"):
        desk.place_order(FAR, intent_id="i-2", source="test")
    assert desk.follow("i-1").status is OrderStatus.OPEN
    assert world.orders_placed() == 1
