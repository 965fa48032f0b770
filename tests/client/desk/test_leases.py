"""One process does it, the others know who; a dead, late or leaving owner makes room."""

from __future__ import annotations

import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta

import pytest

from tradehook.desk.intents import this_owner
from tradehook.desk.journal import Journal
from tradehook.desk.leases import Leases

STORES = ("sqlite", "postgres")
NOW = datetime(2026, 9, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
FIRST, SECOND = f"{this_owner()}:first", f"{this_owner()}:second"


@pytest.fixture
def leases(tmp_path, store):
    with Journal.open(store(tmp_path)) as journal:
        yield Leases(journal.engine)


def take(leases, owner, *, now=NOW, **detail):
    return leases.take("sweep", owner=owner, seconds=60, now=now, detail=detail)


def test_the_first_has_it_and_the_second_hears_who_and_what(leases):
    assert take(leases, FIRST, interval=2.5).owner == FIRST
    other = take(leases, SECOND, interval=9)
    assert (other.owner, other.until, other.detail) == (FIRST, NOW + MINUTE, {"interval": 2.5})
    assert leases.get("sweep") == other
    assert leases.get("another") is None


def test_the_owner_renews_it_and_nobody_takes_it_meanwhile(leases):
    take(leases, FIRST)
    assert take(leases, FIRST, now=NOW + 0.9 * MINUTE).until == NOW + 1.9 * MINUTE
    assert take(leases, SECOND, now=NOW + 1.5 * MINUTE).owner == FIRST


def test_one_that_passed_is_taken_over_and_the_late_owner_hears_so(leases):
    take(leases, FIRST)
    assert take(leases, SECOND, now=NOW + MINUTE).owner == SECOND
    assert take(leases, FIRST, now=NOW + MINUTE).owner == SECOND
    assert leases.release("sweep", owner=FIRST) is False
    assert leases.get("sweep").owner == SECOND


def test_one_that_was_given_back_is_free_at_once(leases):
    take(leases, FIRST)
    assert leases.release("sweep", owner=FIRST) is True
    assert leases.release("sweep", owner=FIRST) is False
    assert take(leases, SECOND).owner == SECOND


def test_each_lease_has_its_name_and_is_given_back_alone(leases):
    made = take(leases, FIRST, interval=2.5)
    assert (made.name, made.owner, made.until, made.detail) == ("sweep", FIRST, NOW + MINUTE, {"interval": 2.5})
    assert leases.get("sweep") == made
    leases.take("look", owner=FIRST, seconds=60, now=NOW)
    assert leases.release("sweep", owner=FIRST) is True
    assert leases.get("sweep") is None
    assert (leases.get("look").name, leases.get("look").detail) == ("look", {})


def test_an_owner_elsewhere_counts_as_alive_until_its_time_is_up(leases):
    take(leases, "elsewhere:1:1")
    assert take(leases, FIRST, now=NOW + 0.9 * MINUTE).owner == "elsewhere:1:1"
    assert take(leases, FIRST, now=NOW + MINUTE).owner == FIRST


def test_a_dead_owner_makes_room_and_one_on_another_machine_only_with_time(leases):
    words = "from tradehook.desk.intents import this_owner; print(this_owner())"
    dead = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=True).stdout.strip()
    take(leases, dead)
    assert take(leases, FIRST).owner == FIRST
    leases.release("sweep", owner=FIRST)
    take(leases, "elsewhere:1:1")
    assert take(leases, FIRST).owner == "elsewhere:1:1"
    assert take(leases, FIRST, now=NOW + MINUTE).owner == FIRST


def test_of_many_at_once_exactly_one_has_it(leases):
    owners = [f"{this_owner()}:{number}" for number in range(8)]
    for round_ in range(5):
        barrier, found = threading.Barrier(len(owners)), []

        def run(owner, name=f"sweep {round_}", barrier=barrier, found=found):
            barrier.wait()
            found.append((owner, leases.take(name, owner=owner, seconds=60, now=NOW).owner))

        threads = [threading.Thread(target=run, args=(owner,)) for owner in owners]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(found) == len(owners)
        assert len({holder for _, holder in found}) == 1
        assert sum(owner == holder for owner, holder in found) == 1
