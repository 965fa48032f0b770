"""How often the exchange is asked, what is read first where not everything can be, and what is told as open."""

from __future__ import annotations

import pytest
from tests.client.desk.test_create_transfer import AT_EXCHANGE, add_destinations
from tests.client.desk.test_looks import _cancel, far, rest
from tests.client.desk.test_second_looks import another
from tests.client.desk.test_standing import RESTS, Place, send

from tradehook.budget import Budget
from tradehook.desk import watch
from tradehook.desk.journal import Journal
from tradehook.desk.watch import Watcher
from tradehook.errors import TradehookError
from tradehook.models import OrderStatus
from tradehook.run import run
from tradehook.transfers import TransferStatus


@pytest.fixture
def watcher(world):
    """Makes watchers with a budget; what they read of themselves at first is forgotten by then."""
    opened = []

    def make(where=world, **budget) -> Watcher:
        opened.append(Journal.open(where.journal_url))
        one = Watcher(where.exchange(), opened[-1])
        run(one._exchange.account_id())
        one._exchange.session.budget = Budget(**budget)
        return one

    yield make
    for journal in opened:
        journal.close()


def singles(one) -> list[str]:
    """What was read by itself since this was asked for last."""
    sent = one._exchange.session.line.sent
    found = [name for folder, _, name in (request.path.rpartition("/") for request in sent) if folder.endswith("s")]
    sent.clear()
    return found


# --- how often ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("budget", "taken", "seconds"),
    [
        ((95, 20), 0, 2.0),  # 1.6, and never more often than every two
        ((10, 5), 0, 24.0),
        ((20, 10), 0, 12.0),
        ((20, 10), 5, 24.0),  # others leave 5 of 10, our own with them
        ((20, 10), 9, 120.0),
        ((30, 10), 19, 60.0),  # others leave 1 of 20, but a tenth of the lane is ours whatever they do
        ((40, 10), 0, 4.0),
    ],
)
def test_a_look_takes_half_of_what_others_leave(world, watcher, budget, taken, seconds):
    rest(world, 1)
    one = watcher(requests=budget[0], reserve=budget[1])
    for _ in range(taken):
        one._exchange.session.budget.take("read", now=world.sandbox.clock.now())
    run(one.look())
    assert one.sweep_seconds == pytest.approx(seconds)
    assert one.interval_seconds == one.sweep_seconds


def test_what_the_sweeps_of_the_last_minute_took_is_not_taken_for_that_of_others(world, watcher):
    rest(world, 1)
    one = watcher(requests=20, reserve=10)
    found = []
    for pause in (13, 13, 13, 30, 55):
        run(one.look())
        found.append(one.sweep_seconds)
        world.sandbox.clock.advance(pause)
    assert found == [pytest.approx(12)] * 5
    for _ in range(6):
        one._exchange.session.budget.take("read", now=world.sandbox.clock.now())
    run(one.look())
    assert one.sweep_seconds == pytest.approx(30), "6 of 10 are others', and 2 ours"


def test_at_least_every_ten_minutes_it_is_looked(world, watcher, monkeypatch):
    monkeypatch.setattr(watch, "_PAGE", 1)
    rest(world, 6)
    one = watcher(requests=2, reserve=1)
    run(one.look())
    assert one.sweep_seconds == 600


def test_a_list_that_is_full_costs_no_page_more(world, watcher, monkeypatch):
    monkeypatch.setattr(watch, "_PAGE", 2)
    desk = rest(world, 2)
    one = watcher(requests=20, reserve=10)
    run(one.look())
    assert one.sweep_seconds == pytest.approx(12)
    desk.place_order(far(3), intent_id="third", source="test")
    world.sandbox.clock.advance(70)
    run(one.look())
    assert one.sweep_seconds == pytest.approx(24)


# --- what is read first -------------------------------------------------------------------------------------------


def test_whoever_was_read_longest_ago_is_read_next(make_world, watcher):
    world = make_world(list_terminal_only=True)
    desk = rest(world, 3)
    ids = [desk.journal.get(f"i-{number}").order_id for number in range(3)]
    one = watcher(world, requests=3, reserve=0)
    read = []
    for _ in range(7):
        run(one.look())
        read += singles(one)
        world.sandbox.clock.advance(61)
    assert read == [*ids, *ids, ids[0]]


@pytest.mark.parametrize(("requests", "reads"), [(2, 1), (3, 1), (4, 1), (5, 2), (7, 3), (9, 4), (50, 4)])
def test_half_of_what_is_left_is_read_and_one_at_least(make_world, watcher, requests, reads):
    world = make_world(list_terminal_only=True)
    rest(world, 4)
    one = watcher(world, requests=requests, reserve=0)
    run(one.look())
    assert len(singles(one)) == reads


def test_what_has_just_left_the_list_is_read_before_what_waits_by_itself(world, watcher):
    desk = world.desk()
    add_destinations(desk)
    transfer_id = desk.create_transfer(AT_EXCHANGE, intent_id="t-1", source="test").transfer.transfer_id
    order_id = desk.place_order(far(0), intent_id="i-1", source="test").order.order_id
    one = watcher(requests=3, reserve=0)
    read = []
    for number in range(3):
        if number == 1:
            run(_cancel(world.exchange(), order_id))
            world.sandbox.clock.advance(5)
        run(one.look())
        read += singles(one)
        world.sandbox.clock.advance(61)
    assert read == [transfer_id, order_id, transfer_id]
    assert desk.journal.get("i-1").last_order.status is OrderStatus.CANCELED
    assert desk.journal.get("t-1").last_transfer.status is TransferStatus.COMPLETED


def test_where_only_a_transfer_is_open_no_list_of_orders_is_read(world, watcher):
    desk = world.desk()
    add_destinations(desk)
    transfer_id = desk.create_transfer(AT_EXCHANGE, intent_id="t-1", source="test").transfer.transfer_id
    one = watcher(requests=20, reserve=10)
    one._exchange.session.line.sent.clear()
    assert run(one.look()) == []
    assert not [request for request in one._exchange.session.line.sent if request.path.endswith("/orders")]
    assert one.sweep_seconds == pytest.approx(12), "one request"
    assert singles(one) == [transfer_id]
    world.sandbox.clock.advance(120)
    (change,) = run(one.look())[-1:]
    assert (change.made.transfer_id, change.status, change.intent.kind) == (transfer_id, "completed", "transfer")


def test_which_could_not_be_read_and_why_is_in_the_log(make_world, watcher, caplog):
    world = make_world(list_terminal_only=True)
    desk = rest(world, 1)
    order_id = desk.journal.get("i-0").order_id
    one = watcher(world, requests=20, reserve=10)
    world.fault("edge_html", method="GET", path="/orders/{id}")
    assert run(one.look()) == []
    world.fault("edge_html", method="GET", path="/orders/{id}")
    assert [order.order_id for order in desk.open_orders()] == [order_id]
    told = [record.getMessage() for record in caplog.records if record.name == watch.__name__]
    assert [text.lower().startswith(f"order {order_id} ") for text in told] == [True, True]
    with pytest.raises(TradehookError) as caught:
        world.fault("edge_html", method="GET", path="/orders/{id}")
        desk.follow("i-0")
    assert all(caught.value.message in text for text in told), told


# --- what is open -------------------------------------------------------------------------------------------------


def test_the_newest_open_order_comes_first_and_one_that_nobody_can_read_before_it(make_world):
    world = make_world(list_terminal_only=True)
    desk = world.desk()
    for number in range(3):
        desk.place_order(far(number), intent_id=f"i-{number}", source="test")
        world.sandbox.clock.advance(5)
    ids = [desk.journal.get(f"i-{number}").order_id for number in range(3)]
    assert [order.order_id for order in desk.open_orders()] == ids[::-1]
    with desk.journal.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE intent SET seen = NULL WHERE intent_id = 'i-1'")
    world.fault("edge_html", method="GET", path=f"/orders/{ids[1]}")
    assert [order.order_id for order in desk.open_orders()] == [ids[1], ids[2], ids[0]]


def test_at_an_exchange_that_tells_of_no_orders_what_rests_by_the_wallet_is_open(tmp_path):
    place = Place(tmp_path)
    desk = place.desk()
    try:
        placed = send(desk, RESTS)
        place.pass_time()
        (told,) = desk.open_orders()
        assert (told.order_id, told.is_final) == (placed.order_id, False)
        assert told == desk.journal.get("i-1").last_order
    finally:
        desk.close()


def test_what_another_account_placed_is_not_read_and_not_told(make_world):
    first = make_world(list_terminal_only=True)
    rest(first, 1)
    desk = another(first, make_world()).desk()
    desk.place_order(far(1), intent_id="second", source="test")
    first.sandbox.clock.advance(5)
    desk.exchange.session.line.sent.clear()
    order_id = desk.journal.get("second").order_id
    assert [order.order_id for order in desk.open_orders()] == [order_id]
    assert [request.path for request in desk.exchange.session.line.sent if order_id not in request.path][1:] == []
