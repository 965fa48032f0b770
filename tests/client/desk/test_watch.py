"""One process asks the exchange, every process is told, each thing once; and asking leaves room for others."""

from __future__ import annotations

import random
from datetime import timedelta
from decimal import Decimal

import pytest

from tradehook.budget import Budget
from tradehook.desk.journal import Journal
from tradehook.desk.watch import TOLD, Watcher
from tradehook.errors import OutcomeUnknown, TradehookError
from tradehook.models import NewOrder, OrderStatus
from tradehook.run import run

STORES = ("sqlite", "postgres")


def far(number: int = 0) -> NewOrder:
    return NewOrder.of("BTC/PYUSD", side="buy", amount="0.0001", price=Decimal(40000 + number))


@pytest.fixture
def watcher(world):
    """Makes watchers, each with a line and a journal of its own, as processes have them."""
    opened = []

    def make(**options) -> Watcher:
        journal = Journal.open(world.journal_url)
        opened.append(journal)
        return Watcher(world.exchange(), journal, **options)

    yield make
    for journal in opened:
        journal.close()


def place(world, count, *, first=0):
    """Orders that rest and are known to rest; their ids."""
    desk = world.desk()
    ids = [
        desk.place_order(far(number), intent_id=f"i-{number}", source="test").order.order_id
        for number in range(first, first + count)
    ]
    world.sandbox.clock.advance(5)
    for number in range(first, first + count):
        desk.follow(f"i-{number}")
    desk.exchange.session.line.sent.clear()
    return ids


def gets(world, watcher) -> tuple[int, int]:
    """Lists and single reads of this watcher since it was last asked for."""
    sent = watcher._exchange.session.line.sent
    lists = sum(request.method == "GET" and request.path.endswith("/orders") for request in sent)
    singles = sum(request.method == "GET" and "/orders/" in request.path for request in sent)
    sent.clear()
    return lists, singles


def cancel(world, order_id):
    world.desk().cancel_order(order_id)
    world.sandbox.clock.advance(5)


def test_a_look_costs_a_request_for_a_hundred_and_one_for_each_that_left(world, watcher):
    ids = place(world, 105)
    one = watcher()
    assert run(one.look()) == []
    assert gets(world, one) == (2, 0)
    for order_id in ids[:3]:
        cancel(world, order_id)
    changes = run(one.look())
    assert gets(world, one) == (2, 3)
    assert {change.made.order_id for change in changes} == set(ids[:3])
    assert {change.intent.last_order.status for change in changes} == {OrderStatus.CANCELED}
    assert run(one.look()) == []


def test_the_others_are_told_without_a_request(world, watcher):
    ids = place(world, 2)
    one, two = watcher(), watcher()
    assert run(one.look()) == []
    assert run(two.look()) == []
    assert (one.is_sweeper, two.is_sweeper) == (True, False)
    cancel(world, ids[0])
    gets(world, two)
    assert [change.made.order_id for change in run(one.look())][-1] == ids[0]
    told = run(two.look())
    assert (told[-1].made.order_id, told[-1].status) == (ids[0], "canceled")
    assert gets(world, two) == (0, 0)
    assert run(two.look()) == []


def test_nothing_open_costs_nothing(world, watcher):
    one = watcher()
    assert run(one.look()) == []
    assert one._exchange.session.line.sent == []


@pytest.mark.parametrize("how", ["released", "late"])
def test_when_the_one_who_sweeps_goes_another_does(world, watcher, how):
    ids = place(world, 1)
    one, two = watcher(), watcher()
    run(one.look())
    run(two.look())
    cancel(world, ids[0])
    if how == "released":
        one.release()
    else:
        world.sandbox.clock.advance(3600)
    changes = run(two.look())
    assert two.is_sweeper
    assert changes[-1].intent.is_final


def test_a_new_life_is_told_what_happened_meanwhile_and_nothing_twice(world, watcher):
    ids = place(world, 2)
    first = watcher()
    run(first.look())
    cancel(world, ids[0])
    told = [change.event_id for change in run(first.look())]
    kept = first.cursor
    assert kept == told[-1]
    other = watcher()
    first.release()
    cancel(world, ids[1])
    run(other.look())
    again = watcher(after=kept)
    later = run(again.look())
    assert later
    assert all(change.event_id > kept for change in later)
    assert {change.made.order_id for change in later} == {ids[1]}
    assert run(again.look()) == []


def test_each_is_told_everything_once_whoever_sweeps(world, watcher):
    chance = random.Random(4)
    ids = place(world, 12)
    start = world.desk().journal.events_after(0, limit=10_000)[-1].event_id
    watchers = [watcher(after=start) for _ in range(3)]
    told = [[] for _ in watchers]
    sweepers = set()
    for _ in range(40):
        number = chance.randrange(3)
        told[number] += [change.event_id for change in run(watchers[number].look())]
        if watchers[number].is_sweeper:
            sweepers.add(number)
        if chance.random() < 0.3:
            watchers[chance.randrange(3)].release()
        if ids and chance.random() < 0.4:
            cancel(world, ids.pop())
        world.sandbox.clock.advance(chance.choice((1, 2, 60)))
    for number, one in enumerate(watchers):
        told[number] += [change.event_id for change in run(one.look())]
    for number, one in enumerate(watchers):
        told[number] += [change.event_id for change in run(one.look())]
    happened = [event.event_id for event in world.desk().journal.events_after(start, kinds=TOLD, limit=10_000)]
    assert len(happened) >= 10
    assert told == [happened] * 3
    assert len(sweepers) > 1


def test_what_was_seen_before_a_long_stop_is_not_recorded_over_newer_news(world, watcher):
    desk = world.desk()
    order_id = desk.place_order(far(), intent_id="i-1", source="test").order.order_id
    slow, quick = watcher(), watcher()
    run(slow.look())
    assert desk.journal.get("i-1").last_order.status is OrderStatus.PENDING
    world.sandbox.clock.advance(5)
    line = slow._exchange.session.line
    respond = line.respond

    def stopped(request):
        answer = respond(request)
        if request.path.endswith("/orders"):
            line.respond = respond
            assert b"active" in answer.response.body
            world.sandbox.clock.advance(3600)
            run(quick.look())
            desk.cancel_order(order_id)
            assert desk.journal.get("i-1").last_order.status is OrderStatus.CANCELING
        return answer

    line.respond = stopped
    run(slow.look())
    assert desk.journal.get("i-1").last_order.status is OrderStatus.CANCELING
    assert (slow.is_sweeper, quick.is_sweeper) == (False, True)


def test_who_cannot_reach_the_exchange_makes_room(world, watcher):
    place(world, 1)
    one, two = watcher(), watcher()
    run(one.look())
    world.fault("error_before", method="GET", path="/orders", status=404)
    with pytest.raises(TradehookError):
        run(one.look())
    run(two.look())
    assert two.is_sweeper


# --- for who waits for one order -----------------------------------------------------------------------------------


def test_all_who_wait_for_an_order_share_the_looks(world, watcher):
    ids = place(world, 5)
    here, there = world.desk(), world.desk()
    cancel(world, ids[0])
    for _ in range(3):
        for desk in (here, there):
            found = [desk.watch(f"i-{number}") for number in range(5)]
            assert [order.order_id for order in found] == ids
            assert [order.is_final for order in found] == [True, False, False, False, False]
        world.sandbox.clock.advance(here.watcher.interval_seconds)
    # Three looks and one read of the one that left, for ten that wait in two processes.
    assert gets(world, here.watcher) == (3, 1)
    assert gets(world, there.watcher) == (0, 0)


def test_more_often_than_the_looks_nothing_is_asked(world):
    place(world, 1)
    desk = world.desk()
    for _ in range(20):
        assert desk.watch("i-0").status is OrderStatus.OPEN
    assert gets(world, desk.watcher) == (1, 0)


def test_after_a_look_that_failed_the_next_who_asks_looks(world):
    place(world, 2)
    desk = world.desk()
    assert not desk.watch("i-0").is_final
    world.sandbox.clock.advance(desk.watcher.interval_seconds)
    world.fault("error_before", method="GET", path="/orders", status=404)
    with pytest.raises(TradehookError):
        desk.watch("i-0")
    assert not desk.watch("i-1").is_final
    assert gets(world, desk.watcher) == (3, 0)


def test_what_no_look_can_find_is_read_by_itself(world):
    desk = world.desk()
    world.fault("error_before", status=503)
    with pytest.raises(OutcomeUnknown):
        desk.place_order(far(), intent_id="lost", source="test")
    with pytest.raises(OutcomeUnknown):
        desk.watch("lost")


def test_what_has_ended_is_told_without_the_exchange(world):
    ids = place(world, 1)
    cancel(world, ids[0])
    world.desk().follow("i-0")
    desk = world.desk()
    assert desk.watch("i-0").status is OrderStatus.CANCELED
    assert desk.exchange.session.line.sent == []


# --- within the budget ----------------------------------------------------------------------------------------------


def test_orders_that_no_list_shows_are_read_in_turn_within_the_budget(make_world):
    world = make_world(list_terminal_only=True)
    place(world, 30)
    exchange = world.exchange()
    exchange.session.budget = Budget(requests=20, reserve=4)
    with Journal.open(world.journal_url) as journal:
        one = Watcher(exchange, journal)
        run(exchange.account_id())
        read = []
        for _ in range(8):
            exchange.session.line.sent.clear()
            run(one.look())
            singles = [request.path for request in exchange.session.line.sent if "/orders/" in request.path]
            assert 1 <= len(singles) <= 8, "half of what is left for reads"
            read += singles
            assert exchange.session.budget.left(now=world.sandbox.clock.now()) >= 4 + 4, "the rest is for others"
            world.sandbox.clock.advance(one.interval_seconds)
        assert len(set(read)) == 30, "each had its turn"


def test_how_often_follows_from_what_a_look_costs_and_everybody_hears_it(make_world):
    world = make_world(list_terminal_only=True)
    place(world, 10)
    one, two = (Watcher(world.exchange(), Journal.open(world.journal_url)) for _ in range(2))
    one._exchange.session.budget = Budget(requests=50, reserve=10)
    run(one.look())
    # 1 list and 10 reads, at half of 40 requests a minute.
    assert one.interval_seconds == one.sweep_seconds == pytest.approx(33, abs=3)
    world.sandbox.clock.advance(20)
    run(one.look())
    run(two.look())
    assert two.sweep_seconds == pytest.approx(one.sweep_seconds)
    assert two.interval_seconds == 2.0, "reading the journal costs no request"
    for watcher in (one, two):
        watcher.release()
        watcher._journal.close()


def test_a_long_list_is_read_slowly_enough_to_leave_half_of_the_reads(make_world):
    world = make_world()
    place(world, 210)
    exchange = world.exchange()
    exchange.session.budget = budget = Budget(requests=5, reserve=1)
    run(exchange.account_id())
    line, least = exchange.session.line, []
    respond = line.respond

    def counting(request):
        least.append(budget.left(now=world.sandbox.clock.now(), lane="read"))
        return respond(request)

    line.respond = counting
    with Journal.open(world.journal_url) as journal:
        one = Watcher(exchange, journal)
        began = world.sandbox.clock.now()
        run(one.look())
        assert len(least) == 3
        assert min(least) >= 1, "half of 4, less the one that is on its way"
        assert world.sandbox.clock.now() - began > 25
        assert timedelta(seconds=one.sweep_seconds) > timedelta(minutes=1)
