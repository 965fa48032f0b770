"""The store of permits by itself: how many it grants, when it grants again, what it forgets, and where it lies."""

from __future__ import annotations

import itertools
import os
import sqlite3
import threading
from pathlib import Path

import pytest
from tests.client.desk.test_seldom import Busy

from tradehook.budget import BATCH_SECONDS, Granted, Spent, StoreUnavailable
from tradehook.desk import permits
from tradehook.desk.permits import ServerStore, SqliteStore, StoredPermits, share_budget


class Clock:
    seconds = 1000.0

    def __call__(self):
        return self.seconds


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def opened(tmp_path, clock):
    """Makes the permits of a key over one file, each with a connection of its own."""
    return lambda scope="k": StoredPermits(SqliteStore(tmp_path / "j.permits", clock=clock), scope=scope)


def lease(store, wanted=1, *, most=1, spent=None, window=60.0) -> Granted:
    return store.lease(wanted, most=most, window_seconds=window, spent=spent)


def rows(tmp_path):
    with sqlite3.connect(tmp_path / "j.permits") as connection:
        return connection.execute("SELECT count, until FROM permit ORDER BY until").fetchall()


# --- how many -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "most", "count"),
    [(1, 95, 1), (10, 95, 10), (10, 40, 10), (10, 39, 9), (10, 12, 3), (2, 12, 2), (10, 8, 2), (10, 7, 1), (10, 1, 1)],
)
def test_what_is_wanted_is_granted_up_to_a_quarter_of_what_is_left_and_one_at_least(opened, wanted, most, count):
    granted = lease(opened(), wanted, most=most)
    assert (granted.count, granted.wait_seconds) == (count, 0.0)
    assert opened().out(window_seconds=60) == count


def test_what_others_took_is_not_granted_again_and_each_batch_has_a_number_of_its_own(opened):
    one, two = opened(), opened()
    granted = [lease(each, 10, most=20) for each in (one, two, one, two, one)]
    assert [each.count for each in granted] == [5, 3, 3, 2, 1]
    assert len({each.batch for each in granted}) == 5


def test_a_key_sees_its_own_permits_alone(opened):
    mine, other = opened(), opened("another")
    assert [lease(mine, most=1).count, lease(other, most=1).count] == [1, 1]
    other.close_window(30, window_seconds=60)
    assert (mine.out(window_seconds=60), other.out(window_seconds=60)) == (1, 1 + 10**12)
    assert lease(mine, most=2).count == 1


def test_where_a_key_is_called_is_nobodys_business(opened, tmp_path):
    lease(opened("the-name-of-a-key"))
    opened("the-name-of-a-key").close_window(5, window_seconds=60)
    assert b"the-name" not in b"".join(path.read_bytes() for path in tmp_path.iterdir())


# --- what comes back ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["by itself", "with the next batch"])
def test_what_was_not_used_comes_back_and_the_rest_a_window_after_its_last_use(opened, clock, how):
    one, two = opened(), opened()
    batch = lease(one, 10, most=40).batch
    spent = Spent(batch, used=4, idle_seconds=2.5)
    clock.seconds += 3
    if how == "by itself":
        one.settle(spent)
        assert two.out(window_seconds=60) == 4
    else:
        assert lease(one, 1, most=40, spent=spent).count == 1
        assert two.out(window_seconds=60) == 5
    clock.seconds += 57.4
    assert two.out(window_seconds=60) >= 4
    clock.seconds += 0.2
    assert two.out(window_seconds=60) == (0 if how == "by itself" else 1)


def test_what_is_given_back_is_free_for_who_gives_it(opened):
    one = opened()
    batch = lease(one, 10, most=40).batch
    assert lease(one, 1, most=4, spent=Spent(batch, used=4, idle_seconds=0)).count == 0
    assert lease(one, 1, most=4, spent=Spent(batch, used=3, idle_seconds=0)).count == 1


def test_another_key_cannot_give_it_back(opened):
    mine, other = opened(), opened("another")
    batch = lease(mine, 10, most=40).batch
    other.settle(Spent(batch, used=0, idle_seconds=60))
    assert mine.out(window_seconds=60) == 10


def test_it_counts_until_a_window_after_it_may_be_used_last_and_is_forgotten_then(opened, clock, tmp_path):
    one = opened()
    lease(one, 10, most=40)
    clock.seconds += BATCH_SECONDS + 59.9
    assert one.out(window_seconds=60) == 10
    clock.seconds += 0.1
    assert one.out(window_seconds=60) == 0
    assert rows(tmp_path) == []


@pytest.mark.parametrize(("back", "counts"), [(0.5, True), (2, False), (900, False)])
def test_what_is_from_before_a_restart_of_the_machine_is_forgotten(opened, clock, back, counts):
    one = opened()
    lease(one, 10, most=40)
    clock.seconds -= back
    assert one.out(window_seconds=60) == (10 if counts else 0)


# --- when there are none ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("most", "at", "wait"),
    [
        (2, 0, 5),  # not longer than a batch lasts, for then others have given back
        (2, 57, 1),  # the first goes at 58
        (2, 57.5, 0.5),
        (1, 57, 3),  # the first is not enough, the second goes at 60
        (1, 59, 1),
        (2, 57.995, 0.01),
    ],
)
def test_who_gets_none_is_told_when_to_ask_again(opened, clock, most, at, wait):
    """Two permits are out, used last at -2 and at 0."""
    one = opened()
    for idle in (2, 0):
        one.settle(Spent(lease(one, most=10).batch, used=1, idle_seconds=idle))
    clock.seconds += at
    assert lease(one, 5, most=most) == Granted(0, 0, pytest.approx(wait))


def test_who_asks_again_then_gets_one(opened, clock):
    one = opened()
    one.settle(Spent(lease(one, most=2).batch, used=1, idle_seconds=0))
    lease(one, most=2)
    clock.seconds += 58
    clock.seconds += lease(one, most=2).wait_seconds
    assert lease(one, most=2).count == 1


def test_a_closed_window_grants_nothing_to_anybody_until_it_opens(opened, clock, tmp_path):
    one, two = opened(), opened()
    one.close_window(12, window_seconds=60)
    assert lease(two, most=95) == Granted(0, 0, pytest.approx(5))
    clock.seconds += 9
    assert lease(two, most=95) == Granted(0, 0, pytest.approx(3))
    clock.seconds += 3
    assert lease(two, most=95).count == 1
    assert len(rows(tmp_path)) == 1


# --- the file -----------------------------------------------------------------------------------------------------


def test_the_file_and_its_folder_are_its_owners_alone(tmp_path):
    path = tmp_path / "a" / "b" / "j.permits"
    assert StoredPermits(SqliteStore(path), scope="k").out(window_seconds=60) == 0
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_it_is_opened_once_and_used_by_any_thread(tmp_path):
    store = SqliteStore(tmp_path / "j.permits")
    one, found = StoredPermits(store, scope="k"), []
    lease(one, most=9)
    connection = store._connection
    thread = threading.Thread(target=lambda: found.append(lease(one, most=9)))
    thread.start()
    thread.join(30)
    assert [each.count for each in found] == [1]
    assert store._connection is connection
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA synchronous").fetchone() == (1,)
    assert connection.execute("PRAGMA busy_timeout").fetchone() == (2000,)


def test_one_that_switches_the_file_to_wal_at_the_same_time_is_waited_for_but_not_for_ever(monkeypatch):
    pauses, seconds = [], itertools.count(100)
    with monkeypatch.context() as patched:
        patched.setattr("time.sleep", pauses.append)
        permits._use_wal(Busy(3))
        assert len(pauses) == 3
        assert all(0 < pause < 1 for pause in pauses)
        patched.setattr("time.monotonic", lambda: float(next(seconds)))
        with pytest.raises(sqlite3.OperationalError, match="database is locked"):
            permits._use_wal(Busy(10_000))
    assert len(pauses) < 10


def test_after_a_fork_it_is_opened_anew_and_the_parents_stays_open(tmp_path, monkeypatch):
    store = SqliteStore(tmp_path / "j.permits")
    one = StoredPermits(store, scope="k")
    lease(one, most=9)
    parents, child = store._connection, os.getpid() + 1
    monkeypatch.setattr("os.getpid", lambda: child)
    assert one.out(window_seconds=60) == 1
    assert store._connection is not parents
    assert any(each is parents for each in store._inherited)
    childs = store._connection
    assert lease(one, most=9).count == 1
    assert store._connection is childs


@pytest.mark.parametrize("ruined", ["a folder", "no database", "held by another"])
def test_a_file_that_cannot_be_used_says_which_and_what_to_do_and_is_used_again_later(tmp_path, monkeypatch, ruined):
    monkeypatch.setattr(permits, "_WAIT_SECONDS", 0.01)
    path = tmp_path / "j.permits"
    one = StoredPermits(SqliteStore(path), scope="k")
    held = None
    if ruined == "a folder":
        path.mkdir()
    elif ruined == "no database":
        path.write_bytes(b"no database at all" * 100)
    else:
        lease(one, most=9)
        held = sqlite3.connect(path, isolation_level=None)
        held.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable) as caught:
        lease(one, most=9)
    assert str(caught.value).startswith(f"{path}: ")
    assert str(caught.value).endswith("It only counts the requests of the last minute: if it is broken, delete it.")
    if held is not None:
        held.close()
    elif path.is_dir():
        path.rmdir()
    else:
        path.unlink()
    assert lease(one, most=9).count == 1


# --- where it lies ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("url", ["postgresql://h/d", "postgresql+psycopg://u:p@h/d?x=y"])
def test_beside_a_journal_on_a_server_it_is_in_its_database(world, url):
    exchange = world.exchange()
    exchange.session.budget.scope = "k"
    assert share_budget(exchange, url) is exchange
    store = exchange.session.budget._permits._store
    assert isinstance(store, ServerStore)
    assert store._url == url


def test_beside_a_journal_in_a_file_it_is_a_file_of_nearly_that_name_whatever_the_journal_is_called(world, tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    for folder in ("real", "link", "real/../link"):
        exchange = world.exchange()
        exchange.session.budget.scope = "k"
        assert share_budget(exchange, f"sqlite:///{tmp_path}/{folder}/journal.db") is exchange
        assert exchange.session.budget.take("money", now=0.0) == 0
    assert Path(tmp_path / "real" / "journal.db.permits").exists()
    assert not list(tmp_path.rglob("journal.db"))
    assert exchange.session.budget.left(now=0.0) == exchange.session.budget.requests - 3


@pytest.mark.parametrize(
    ("scope", "url"),
    [
        ("", "sqlite:////tmp/journal.db"),
        ("", "postgresql://h/d"),
        ("k", "sqlite:///journal.db"),
        ("k", "sqlite://"),
        ("k", "sqlite:////tmp/journal.db?mode=ro"),
        ("k", "mysql://h/d"),
        ("k", ""),
    ],
)
def test_what_cannot_be_shared_is_counted_alone(world, scope, url):
    exchange = world.exchange()
    exchange.session.budget.scope = scope
    assert share_budget(exchange, url) is exchange
    assert exchange.session.budget._permits is None
