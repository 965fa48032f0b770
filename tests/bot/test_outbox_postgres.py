"""Letters, notices, price alerts, digests and the lock promise on PostgreSQL what they promise on SQLite."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal

import pytest

from tradehook.desk.journal import Journal
from tradehook.desk.leases import Leases
from tradehook.desk.schema import writing
from tradehook.errors import GuardRefused
from tradehook_bot import reach
from tradehook_bot.access import Access
from tradehook_bot.digest import Digests
from tradehook_bot.folding import fold_old
from tradehook_bot.instance import Instance
from tradehook_bot.notices import Notices, Part
from tradehook_bot.outbox import Letter, Outbox, Weight
from tradehook_bot.price_alerts import Kind, PriceAlerts
from tradehook_bot.store import Store

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
TOGETHER = 8


@pytest.fixture
def store(postgres):
    journal = Journal.open(postgres.new_database())
    store = Store(journal.engine, bot_id=1)
    yield store
    store.close()
    journal.close()


def at_once(work):
    """What came of it for each of some who do it at the same moment."""
    with ThreadPoolExecutor(TOGETHER) as threads:
        return [done.result() for done in [threads.submit(work) for _ in range(TOGETHER)]]


def test_of_many_who_see_an_update_one_is_first(store):
    access = Access(store)
    assert sorted(at_once(lambda: access.first_of([5]) == {5})) == [False] * (TOGETHER - 1) + [True]
    assert access.first_of([5, 6, 6, 7]) == {6, 7}


def test_letters_are_queued_once_held_released_and_folded(store):
    outbox = Outbox(store)
    at_once(lambda: outbox.put(Letter(7, "k", "one")))
    assert outbox.waiting() == 1
    outbox.hold(7)
    assert outbox.take() is None
    outbox.release(7)
    outbox.sent(outbox.take(), message_id=1)
    for number in range(5):
        outbox.put(Letter(7, f"old:{number}", f"Filled: {number}", weight=Weight.NEWS), at=NOON - timedelta(hours=5))
    fold_old(store, at=NOON)
    assert "5 things happened" in outbox.take(at=NOON).letter.body


def test_a_notice_is_begun_changed_shown_and_moves_with_its_chat(store):
    notices, outbox = Notices(store), Outbox(store)
    with writing(store.engine) as connection:
        notices.begin_within(connection, -7, "run:1", account=None, head="run", key="a", part=Part("one", "one"))
        outbox.put_within(connection, [Letter(-7, "run:1", "one", subject="run:1"), Letter(-7, "b", "two")])
        outbox.put_within(connection, [Letter(-1007, "b", "there already")])
    first = outbox.take(chat_id=-7)
    outbox.sent(first, message_id=9, shown=notices.get(-7, "run:1").wanted)
    assert notices.due() == []
    with writing(store.engine) as connection:
        found = notices.get_within(connection, -7, "run:1")
        notices.want_within(connection, found, key="b", part=Part("two", "two"))
    (due,) = notices.due()
    assert due.body == "<b>run: 2 orders</b>\none\ntwo"
    notices.shows(due)
    reach.move_rows(store, -7, -1007)
    assert notices.get(-1007, "run:1").message_id == 9
    assert outbox.chats_due() == [-1007]
    assert outbox.take().letter.body == "there already"


def test_of_many_who_see_a_price_or_an_hour_one_tells(store):
    alerts, digests, outbox = PriceAlerts(store), Digests(store), Outbox(store)
    made = alerts.add(
        7, user_id=7, account="main", symbol="BTC", kind=Kind.ABOVE, level=Decimal(70000), price=Decimal(69000)
    )
    at_once(lambda: alerts.tell(made, Decimal(70001), outbox=outbox))
    assert [(alert.told, alert.is_armed) for alert in alerts.of_chat(7)] == [(1, False)]
    wish = digests.set(7, time(13), local=NOON)
    at_once(lambda: digests.tell(wish, "words", day="2026-11-21", outbox=outbox))
    assert outbox.waiting() == 2


def test_of_many_who_want_to_speak_one_may(store):
    def claims():
        mine = Instance(Leases(store.engine), bot_id=1)
        try:
            mine.take()
        except GuardRefused:
            return False
        return mine.is_ours

    assert sum(at_once(claims)) == 1
