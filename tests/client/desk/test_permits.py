"""Processes that share a key keep under its limit together, and money never waits for polling."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tradehook.budget import BATCH_SECONDS, Budget, StoreUnavailable
from tradehook.client import connect
from tradehook.desk.permits import ServerStore, SqliteStore, StoredPermits
from tradehook.errors import GuardRefused
from tradehook.models import NewOrder, OrderStatus

STORES = ("sqlite", "postgres")
ROOT = Path(__file__).parents[3]


class Clock:
    """A clock for the store and for everybody who uses it."""

    def __init__(self):
        self.seconds = 1000.0

    def __call__(self):
        return self.seconds


class Counting:
    """A store that says how often it was asked."""

    def __init__(self, store):
        self.store, self.times = store, 0

    def transaction(self, scope):
        self.times += 1
        return self.store.transaction(scope)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def budgets(tmp_path, clock):
    """Budgets as processes have them, over one file; each with its own connection."""

    def make(count, **options):
        found = []
        for _ in range(count):
            budget = Budget(**options)
            budget.share(StoredPermits(Counting(SqliteStore(tmp_path / "j.permits", clock=clock)), scope="k"))
            found.append(budget)
        return found

    return make


def asked(budget):
    return budget._permits._store.times


def take_all(budget, lane, clock):
    count = 0
    while budget.take(lane, now=clock()) == 0:
        count += 1
    return count


def test_processes_share_one_window_and_reads_leave_the_reserve(budgets, clock):
    one, two = budgets(2, requests=40, reserve=10)
    assert take_all(one, "read", clock) + take_all(two, "read", clock) == 30
    assert one.left(now=clock(), lane="read") == 0
    assert one.left(now=clock()) == 10
    assert take_all(two, "money", clock) == 10, "polling never starves a cancel"
    clock.seconds += 30
    assert two.take("money", now=clock()) > 0
    clock.seconds += 30
    assert two.take("read", now=clock()) == 0


def test_what_one_does_not_use_the_others_get_soon(budgets, clock):
    one, two = budgets(2, requests=40, reserve=0)
    for _ in range(16):
        one.take("read", now=clock())
    held = one._batch.count - one._batch.used
    assert held > 0
    taken = take_all(two, "money", clock)
    assert taken == 40 - 16 - held
    assert one.left(now=clock()) == held
    clock.seconds += BATCH_SECONDS
    assert one.take("read", now=clock()) == 0, "it gave back what it did not use, and took one"
    assert take_all(two, "money", clock) == held - 1


def test_most_requests_ask_no_store(budgets, clock):
    (one,) = budgets(1, requests=95)
    for _ in range(60):
        assert one.take("read", now=clock()) == 0
        clock.seconds += 0.1
    assert asked(one) <= 15


def test_who_sends_one_request_keeps_nothing_from_others(budgets, clock):
    several = budgets(20, requests=40, reserve=0)
    assert [budget.take("read", now=clock()) for budget in several] == [0.0] * 20
    assert several[0].left(now=clock()) == 20


def test_a_window_that_the_server_closed_is_closed_for_all(budgets, clock):
    from tradehook.wire import Response

    one, two = budgets(2)
    assert two.take("money", now=clock()) == 0
    one.learn(Response(429, {"retry-after": "12"}), now=clock(), server_now=1e9)
    assert 0 < two.take("money", now=clock()) <= 12
    clock.seconds += 12.01
    assert two.take("money", now=clock()) == 0


def test_a_machine_that_was_restarted_begins_anew(tmp_path, clock):
    store = SqliteStore(tmp_path / "j.permits", clock=clock)
    old = Budget(requests=10, reserve=0)
    old.share(StoredPermits(store, scope="k"))
    assert take_all(old, "money", clock) == 10
    clock.seconds = 3.0
    new = Budget(requests=10, reserve=0)
    new.share(StoredPermits(store, scope="k"))
    assert new.take("money", now=clock()) == 0


def test_two_keys_have_two_windows(tmp_path, clock):
    budgets = [Budget(requests=10, reserve=0) for _ in range(2)]
    for budget, scope in zip(budgets, ("a", "b"), strict=True):
        budget.share(StoredPermits(SqliteStore(tmp_path / "j.permits", clock=clock), scope=scope))
    assert [take_all(budget, "money", clock) for budget in budgets] == [10, 10]
    assert b"key-name" not in (tmp_path / "j.permits").read_bytes()


@given(st.lists(st.tuples(st.integers(0, 2), st.booleans(), st.floats(0, 9)), min_size=40, max_size=160))
@settings(max_examples=30, deadline=None)
def test_never_more_than_the_limit_in_any_minute(tmp_path_factory, steps):
    clock, sent = Clock(), []
    path = tmp_path_factory.mktemp("store") / "j.permits"
    budgets = []
    for _ in range(3):
        budgets.append(Budget(requests=12, reserve=3))
        budgets[-1].share(StoredPermits(SqliteStore(path, clock=clock), scope="k"))
    for number, is_money, pause in steps:
        lane = "money" if is_money else "read"
        sent += [clock() for _ in range(3) if budgets[number].take(lane, now=clock()) == 0]
        clock.seconds += pause
    for start in sent:
        assert sum(1 for at in sent if start <= at < start + 60) <= 12


WORKER = """
import sys, time
from pathlib import Path
from tests.client.desk.test_permits import open_store
from tradehook.budget import Budget
from tradehook.desk.permits import StoredPermits
budget = Budget(requests=200, reserve=50)
budget.share(StoredPermits(open_store(sys.argv[1]), scope="k"))
print("ready", flush=True)
sys.stdin.readline()
count = 0
while count < 1000 and budget.take(sys.argv[2], now=time.monotonic()) == 0:
    count += 1
assert budget.trouble(now=time.monotonic()) is None
print(count)
"""


def open_store(url):
    return (
        ServerStore(url)
        if url.startswith("postgres")
        else SqliteStore(Path(f"{url.removeprefix('sqlite:///')}.permits"))
    )


def test_real_processes_at_once_take_no_more_than_there_is(tmp_path, store):
    url = store(tmp_path)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    lanes = ["read", "read", "read", "money"]
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, url, lane],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        for lane in lanes
    ]
    for worker in workers:
        assert worker.stdout.readline() == "ready\n"
    for worker in workers:
        worker.stdin.write("go\n")
        worker.stdin.flush()
    counts = [int(worker.communicate()[0]) for worker in workers]
    assert [worker.returncode for worker in workers] == [0] * 4
    # What was taken and not used by who was refused first stays out until its batch ends.
    assert 150 <= sum(counts) <= 200
    assert sum(counts[:3]) <= 150
    assert counts[3] >= 50


def test_a_fork_does_not_use_its_parents_permits(budgets, clock):
    (one,) = budgets(1, requests=20, reserve=0)
    for _ in range(5):
        one.take("read", now=clock())
    assert one._batch.has_one(now=clock())
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, str(take_all(one, "money", clock)).encode())
        os._exit(0)
    os.waitpid(child, 0)
    taken = int(os.read(reading, 10))
    assert taken + take_all(one, "money", clock) + 5 == 20


# --- without the store ----------------------------------------------------------------------------------------------


class Gone:
    def lease(self, *_, **__):
        raise StoreUnavailable("it is gone.")

    out = close_window = lease


def test_without_the_store_a_small_share_goes_on_and_money_comes_first():
    budget = Budget()
    budget.share(Gone())
    assert [budget.take("read", now=0.0) for _ in range(7)] == [0.0] * 7
    assert budget.take("read", now=0.0) > 0
    assert [budget.take("money", now=0.0) for _ in range(3)] == [0.0] * 3
    assert budget.take("money", now=0.0) > 0
    assert budget.left(now=0.0) == 0
    assert "gone" in budget.trouble(now=0.0)


def test_new_orders_stop_and_cancels_go_on_until_the_store_is_back(sandbox_server, tmp_path, monkeypatch):
    for name, value in sandbox_server.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("TRADEHOOK_JOURNAL_URL", f"sqlite:///{tmp_path}/journal.db")
    order = NewOrder.of("BTC/PYUSD", side="buy", amount="0.0001", price=40000)
    store = tmp_path / "journal.db.permits"
    with connect() as client:
        placed = client.place_order(order, intent_id="i-1").order
        assert store.stat().st_mode & 0o777 == 0o600
        assert client.exchange.session.budget.trouble(now=0.0) is None
        permits = client.exchange.session.budget._permits._store
        permits._connection = None
        store.unlink()
        store.mkdir()
        client.exchange.session.budget._batch = None
        with pytest.raises(GuardRefused, match="delete it") as caught:
            client.place_order(order, intent_id="i-2")
        assert caught.value.details["rule"] == "budget"
        assert client.cancel_order(placed.order_id).status in (OrderStatus.CANCELING, OrderStatus.CANCELED)
        assert client.desk.follow("i-1").order_id == placed.order_id
        store.rmdir()
        client.exchange.session.budget._ask_again_at = 0.0
        again = client.place_order(order, intent_id="i-2").order
        assert client.exchange.session.budget.trouble(now=0.0) is None
        client.cancel_order(again.order_id)
