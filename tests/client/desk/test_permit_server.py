"""The store of permits in a journal's database: shared by all that use it, opened once, and anew after a fork."""

from __future__ import annotations

import os
import threading

import pytest

from tradehook.budget import Spent, StoreUnavailable
from tradehook.desk import permits
from tradehook.desk.permits import ServerStore, StoredPermits
from tradehook.desk.postgres import LOCK


@pytest.fixture
def opened(postgres):
    """Makes stores over one database, as processes have them."""
    url, made = postgres.new_database(), []

    def make(scope="k"):
        made.append(ServerStore(url))
        return made[-1], StoredPermits(made[-1], scope=scope)

    yield make
    for store in made:
        for engine in (store._engine, *store._inherited):
            if engine is not None:
                engine.dispose()


def lease(store, wanted=1, *, most=1, spent=None):
    return store.lease(wanted, most=most, window_seconds=60, spent=spent)


def test_all_that_use_it_share_one_window_and_each_key_has_its_own(opened):
    (_, one), (_, two), (_, other) = opened(), opened(), opened("another")
    granted = [lease(each, 10, most=20) for each in (one, two)]
    assert [each.count for each in granted] == [5, 3]
    assert (one.out(window_seconds=60), other.out(window_seconds=60)) == (8, 0)
    one.settle(Spent(granted[0].batch, used=1, idle_seconds=0))
    assert two.out(window_seconds=60) == 4
    refused = lease(two, most=4)
    assert (refused.count, refused.wait_seconds) == (0, 5)
    other.close_window(30, window_seconds=60)
    assert lease(other, most=95).count == 0
    assert lease(two, most=5).count == 1


ASKING = {
    "lease": lambda store: lease(store, most=9),
    "settle": lambda store: store.settle(Spent(1, used=1, idle_seconds=0)),
    "out": lambda store: store.out(window_seconds=60),
    "close_window": lambda store: store.close_window(5, window_seconds=60),
}


@pytest.mark.parametrize("asks", ASKING)
def test_of_one_key_one_counts_at_a_time_and_of_two_each_by_itself(opened, monkeypatch, asks):
    (store, one), (_, two), (_, other) = opened(), opened(), opened("another")
    for each in (one, two, other):
        each.out(window_seconds=60)
    monkeypatch.setattr(permits, "_WAIT_SECONDS", 0.05)
    with store.transaction(one._scope):
        ASKING[asks](other)
        with pytest.raises(StoreUnavailable):
            ASKING[asks](two)
    ASKING[asks](two)


def test_of_two_that_make_the_table_at_once_one_waits(opened):
    (store, _), (_, two) = opened(), opened()
    counted = threading.Thread(target=lambda: two.out(window_seconds=60))
    with store._open().begin() as connection:
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK + 1})")
        counted.start()
        counted.join(0.3)
        assert counted.is_alive()
    counted.join(30)
    assert not counted.is_alive()


def test_it_is_opened_once(opened):
    store, one = opened()
    lease(one, most=9)
    engine = store._engine
    assert lease(one, most=9).count == 1
    assert store._engine is engine


def test_after_a_fork_it_is_opened_anew_and_the_parents_stays_open(opened, monkeypatch):
    store, one = opened()
    lease(one, most=9)
    parents, child = store._engine, os.getpid() + 1
    monkeypatch.setattr("os.getpid", lambda: child)
    assert one.out(window_seconds=60) == 1
    assert store._engine is not parents
    assert any(each is parents for each in store._inherited)
    childs = store._engine
    assert lease(one, most=9).count == 1
    assert store._engine is childs


def test_what_fails_is_told_and_it_is_opened_again(opened):
    store, one = opened()
    lease(one, most=9)
    with pytest.raises(StoreUnavailable), store.transaction("k") as (run_sql, _now):
        run_sql("SELECT no_such_column FROM permit")
    assert store._engine is None
    assert lease(one, most=9).count == 1
