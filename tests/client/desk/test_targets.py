"""Named targets: each time they are set is a version, and no version is lost."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from tradehook.desk.intents import iso
from tradehook.desk.journal import Journal
from tradehook.errors import InvalidInput
from tradehook.rebalance import Goal

FIRST = Goal.of({"BTC": "50", "ETH": "30"}, quote="PYUSD", band="2", min_trade="25")
SECOND = Goal.of({"BTC": "60", "ETH": "30"}, quote="PYUSD", relative_band="20", coins=["USDG"], on_chain="count")


@pytest.fixture
def journal(tmp_path):
    with Journal.open(f"sqlite:///{tmp_path}/journal.db") as opened:
        yield opened


def test_a_name_means_what_was_set_last_and_the_rest_is_history(journal):
    assert journal.targets.set("Main", FIRST, by="ann").version == 1
    assert journal.targets.set("main", SECOND, by="ben").version == 2
    assert journal.targets.set("other", FIRST, by="ann").version == 1
    found = journal.targets.get("MAIN")
    assert (found.goal, found.version, found.set_by, found.title) == (SECOND, 2, "ben", "main, version 2")
    assert [entry.goal for entry in journal.targets.history("main")] == [SECOND, FIRST]
    assert [entry.title for entry in journal.targets.list()] == ["main, version 2", "other, version 1"]


def test_the_same_again_is_no_new_version(journal):
    first = journal.targets.set("main", FIRST, by="ann")
    assert journal.targets.set("main", FIRST, by="ben") == first
    journal.targets.set("main", SECOND, by="ann")
    assert journal.targets.set("main", FIRST, by="ann").version == 3


def test_a_goal_comes_back_exactly(journal):
    journal.targets.set("main", SECOND, by="ann")
    found = journal.targets.get("main").goal
    assert found == SECOND
    assert found.relative_band == Decimal(20)


@pytest.mark.parametrize("name", ["", " ", "1st", "a b", "x" * 41, "Ḃ", "-x", "main\n2"])
def test_what_is_no_name_is_refused(journal, name):
    with pytest.raises(InvalidInput, match="not a name for targets"):
        journal.targets.set(name, FIRST, by="ann")


def test_an_unknown_name_says_which_there_are(journal):
    with pytest.raises(InvalidInput, match="there are none yet"):
        journal.targets.get("main")
    journal.targets.set("main", FIRST, by="ann")
    with pytest.raises(InvalidInput, match="there is main") as caught:
        journal.targets.history("mian")
    assert caught.value.details["suggestions"] == ("main",)


def test_a_set_is_told_as_plain_values_with_who_and_when(journal):
    before = datetime.now(UTC)
    made = journal.targets.set("main", FIRST, by="x" * 300)
    assert made.to_dict() == {
        "name": "main", "version": 1, "goal": FIRST.to_dict(), "set_by": "x" * 255, "set_at": iso(made.set_at),
    }  # fmt: skip
    assert before <= made.set_at <= datetime.now(UTC)
    assert journal.targets.get("main") == made


def test_they_are_listed_by_name_and_an_unknown_one_is_told_them_all(journal):
    with pytest.raises(InvalidInput) as caught:
        journal.targets.get("zoo")
    steps = "Write them with `tradehook targets set zoo BTC=50 ETH=30`."
    assert caught.value.message == f"No targets are called zoo; there are none yet. {steps}"
    for name in ("main", "other", "a"):
        journal.targets.set(name, FIRST, by="ann")
    assert [entry.name for entry in journal.targets.list()] == ["a", "main", "other"]
    with pytest.raises(InvalidInput) as caught:
        journal.targets.get(" Zoo ")
    assert caught.value.message == f"No targets are called zoo; there is a, main, other. {steps}"
    assert caught.value.details["suggestions"] == ("a", "main", "other")


def test_what_is_no_name_is_told_cut_short_with_how_to_write_one(journal):
    with pytest.raises(InvalidInput) as caught:
        journal.targets.get(f" {'1x' * 30} ")
    assert caught.value.message == (
        f"'{'1x' * 20}' is not a name for targets: write a letter first, then letters, digits, dots and dashes."
    )
    assert caught.value.details["suggestions"] == ("main",)


def test_versions_are_counted_without_gaps_by_whoever_sets_them(tmp_path):
    url = f"sqlite:///{tmp_path}/journal.db"
    Journal.open(url).close()
    barrier = threading.Barrier(3)

    def set_many(person: int) -> list[int]:
        with Journal.open(url) as opened:
            barrier.wait()
            goals = [Goal.of({"BTC": person, "ETH": number}, quote="PYUSD") for number in range(10)]
            return [opened.targets.set("main", goal, by=f"person {person}").version for goal in goals]

    with ThreadPoolExecutor(3) as people:
        told = [version for versions in people.map(set_many, range(3)) for version in versions]
    assert sorted(told) == list(range(1, 31))
    with Journal.open(url) as opened:
        assert [entry.version for entry in opened.targets.history("main")] == list(range(30, 0, -1))
