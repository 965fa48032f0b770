"""Who sweeps, for how long it is his alone, and that everybody is told of the own account and of nothing else."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from sqlalchemy import select, update
from tests.client.desk.test_looks import after, far, rest
from tests.client.desk.test_second_looks import another

from tradehook.budget import Budget
from tradehook.desk import watch
from tradehook.desk.events import add_event
from tradehook.desk.journal import Journal
from tradehook.desk.schema import reading, writing
from tradehook.desk.tables import LEASE
from tradehook.desk.watch import Watcher
from tradehook.errors import GuardRefused, JournalUnavailable
from tradehook.models import OrderStatus
from tradehook.run import run

ELSEWHERE = "http://127.0.0.1:9999"


@pytest.fixture
def watcher():
    """Makes watchers, each with a line and a journal of its own, as processes have them."""
    opened = []

    def make(world, **options) -> Watcher:
        opened.append(Journal.open(world.journal_url))
        return Watcher(world.exchange(**options), opened[-1])

    yield make
    for journal in opened:
        journal.close()


def leases(one):
    with reading(one._journal.engine) as connection:
        return connection.execute(select(LEASE)).all()


def lasts(world, one) -> float:
    """For how many seconds from now the sweeping is somebody's."""
    (lease,) = leases(one)
    left = datetime.fromisoformat(lease.until) - datetime.fromtimestamp(world.sandbox.clock.now(), UTC)
    return round(left.total_seconds(), 3)


# --- whose it is --------------------------------------------------------------------------------------------------


def test_each_account_at_each_host_has_a_sweeper_and_news_of_its_own(make_world, watcher):
    first = make_world()
    second = another(first, make_world())
    watchers = [watcher(first), watcher(second), watcher(first, base_url=ELSEWHERE)]
    for one in watchers:
        assert run(one.look()) == []
    rest(first, 1)
    second.desk().place_order(far(1), intent_id="second", source="test")
    there = first.desk(base_url=ELSEWHERE)
    there.place_order(far(2), intent_id="there", source="test")
    told = [{change.intent.intent_id for change in run(one.look())} for one in watchers]
    assert told == [{"i-0"}, {"second"}, {"there"}]
    assert [one.is_sweeper for one in watchers] == [True] * 3
    accounts = [(one._exchange.host, run(one._exchange.account_id())) for one in watchers]
    found = [json.loads(lease.detail) for lease in leases(watchers[0])]
    assert sorted((each["host"], each["account_id"]) for each in found) == sorted(accounts)
    assert len({lease.name for lease in leases(watchers[0])}) == 3


def test_news_of_another_account_are_not_told_when_nothing_is_open_any_more(make_world, watcher):
    first = make_world()
    one, two = watcher(first), watcher(another(first, make_world()))
    for each in (one, two):
        run(each.look())
    desk = rest(first, 1)
    desk.cancel_order(desk.journal.get("i-0").order_id)
    first.sandbox.clock.advance(5)
    desk.follow("i-0")
    assert run(two.look()) == []
    assert [change.intent.intent_id for change in run(one.look())][-1] == "i-0"


def test_what_was_never_sent_costs_no_look(world, watcher):
    one = watcher(world)
    run(one.look())
    desk = world.desk()
    desk.journal.set_trading_state("HALTED", by="test")
    with pytest.raises(GuardRefused):
        desk.place_order(far(0), intent_id="i-1", source="test")
    assert run(one.look()) == []
    assert one._exchange.session.line.sent == []


def test_after_a_long_silence_all_news_are_told_at_once(world, watcher):
    desk = rest(world, 1)
    one = watcher(world)
    run(one.look())
    with writing(desk.journal.engine) as connection:
        for number in range(1001):
            add_event(connection, "i-0", "order", {"status": str(number)})
    assert [change.status for change in run(one.look())] == [str(number) for number in range(1001)]
    assert run(one.look()) == []


def test_news_that_the_journal_kept_back_once_are_told_by_the_next_look(world, watcher, monkeypatch):
    one = watcher(world)
    run(one.look())
    rest(world, 2)
    before, get = one.cursor, one._journal.get

    def fails(_intent_id):
        monkeypatch.setattr(one._journal, "get", get)
        raise JournalUnavailable("It does not answer now.")

    monkeypatch.setattr(one._journal, "get", fails)
    with pytest.raises(JournalUnavailable):
        run(one.look())
    assert one.cursor == before, "it is what was told"
    assert {change.intent.intent_id for change in run(one.look())} == {"i-0", "i-1"}
    assert run(one.look()) == []


def test_who_never_looked_is_no_sweeper_and_may_look_at_once(world, watcher):
    one = watcher(world)
    assert (one.is_sweeper, one.is_due, one.cursor, one.sweep_seconds) == (False, True, None, 2.0)


def test_who_has_nothing_to_sweep_any_more_gives_it_back(world, watcher):
    desk = rest(world, 1)
    one = watcher(world)
    run(one.look())
    assert len(leases(one)) == 1
    desk.cancel_order(desk.journal.get("i-0").order_id)
    world.sandbox.clock.advance(5)
    assert [change.intent.is_final for change in run(one.look())][-1]
    assert run(one.look()) == []
    assert (leases(one), one.is_sweeper) == ([], False)


# --- for how long -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pause", "seconds"),
    [(0, 15), (4.5, 10.5), (6, 18), (60, 180), (500, 1500), (900, 1800)],
    ids=["at once", "not renewed yet", "three times as seldom as it looks", "a minute", "ten minutes", "half an hour"],
)
def test_who_looks_seldom_holds_it_for_longer(world, watcher, pause, seconds):
    rest(world, 1)
    one = watcher(world)
    run(one.look())
    assert lasts(world, one) == 15
    world.sandbox.clock.advance(pause)
    run(one.look())
    assert lasts(world, one) == seconds


def test_who_sweeps_seldom_holds_it_for_longer(world, watcher):
    rest(world, 1)
    one = watcher(world)
    run(one._exchange.account_id())
    one._exchange.session.budget = Budget(requests=4, reserve=2)
    run(one.look())
    assert one.sweep_seconds == 60
    world.sandbox.clock.advance(6)
    run(one.look())
    assert lasts(world, one) == 180


def test_once_it_was_given_back_it_is_taken_anew(world, watcher):
    rest(world, 1)
    one, two = watcher(world), watcher(world)
    run(one.look())
    one.release()
    assert leases(one) == []
    run(two.look())
    run(one.look())
    assert (one.is_sweeper, two.is_sweeper) == (False, True)


@pytest.mark.parametrize("detail", [{}, {"sweep_seconds": "soon"}, {"sweep_seconds": None}], ids=str)
def test_a_sweeper_that_does_not_tell_how_often_it_looks_is_taken_for_a_quick_one(world, watcher, detail):
    rest(world, 1)
    one, two = watcher(world), watcher(world)
    run(one.look())
    with writing(one._journal.engine) as connection:
        connection.execute(update(LEASE).values(detail=json.dumps(detail)))
    two._sweep_seconds = 77.0
    run(two.look())
    assert (two.is_sweeper, two.sweep_seconds) == (False, 2.0)


# --- between the pages of a long list -----------------------------------------------------------------------------


@pytest.fixture
def small_pages(monkeypatch):
    """Two orders are a page, so that a handful is a long list."""
    monkeypatch.setattr(watch, "_PAGE", 2)


def crowded(one, *, takes, always=False):
    """Others take so many permits as soon as the list is answered, or whenever there are any."""
    session = one._exchange.session
    session.budget = budget = Budget(requests=5, reserve=1)
    line, pauses = session.line, []
    pause = line.pause

    def take():
        for _ in range(takes):
            budget.take("money", now=line.monotonic())

    async def counted(seconds):
        pauses.append(seconds)
        await pause(seconds)
        if always:
            take()

    line.pause = counted
    after(one, lambda path: path.endswith("/orders"), take)
    return pauses


@pytest.mark.parametrize(
    ("takes", "always", "pauses"), [(1, False, []), (2, False, [30, 30]), (4, False, [30, 30]), (9, True, [30, 30] * 2)]
)
@pytest.mark.usefixtures("small_pages")
def test_a_long_list_waits_for_others_but_not_for_ever(world, watcher, takes, always, pauses):
    desk = rest(world, 5)
    one = watcher(world)
    run(one._exchange.account_id())
    waited = crowded(one, takes=takes, always=always)
    run(one.look())
    assert waited == pauses
    assert one.is_sweeper
    assert desk.journal.get("i-4").last_order.status is OrderStatus.OPEN
    (lease,) = leases(one)
    assert json.loads(lease.detail)["account_id"] == run(one._exchange.account_id())
    assert lasts(world, one) > 0


@pytest.mark.usefixtures("small_pages")
def test_who_lost_it_while_waiting_reads_on_no_more(world, watcher):
    desk = rest(world, 5)
    slow, quick = watcher(world), watcher(world)
    waited = crowded(slow, takes=4)
    pause = slow._exchange.session.line.pause

    async def taken_over(seconds):
        await pause(3600)
        run(quick.look())
        desk.cancel_order(desk.journal.get("i-0").order_id)

    slow._exchange.session.line.pause = taken_over
    run(slow.look())
    assert (waited, slow.is_sweeper, quick.is_sweeper) == ([3600], False, True)
    assert desk.journal.get("i-0").last_order.status is OrderStatus.CANCELING
