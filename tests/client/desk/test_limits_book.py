"""The book of limits: the newest version of the right account holds, and only an open one is live."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from tradehook.desk.journal import Journal
from tradehook.desk.limits import Limits
from tradehook.errors import GuardRefused, InvalidInput

HOST, ACCOUNT = "api.example", "user-1"


@pytest.fixture
def journal(tmp_path):
    with Journal.open(f"sqlite:///{tmp_path}/journal.db") as opened:
        yield opened


def test_the_newest_of_several_versions_is_told_with_who_set_it_and_when(journal):
    assert journal.limits.newest(HOST, ACCOUNT) is None
    assert journal.limits.get(HOST, ACCOUNT) is None
    before = datetime.now(UTC)
    for number in range(1, 4):
        journal.limits.set(HOST, ACCOUNT, Limits(order=number), by=f"cli:{number}", why=f"why {number}")
    newest = journal.limits.newest(HOST, ACCOUNT)
    assert (newest.version, newest.limits.order, newest.set_by, newest.why) == (3, Decimal(3), "cli:3", "why 3")
    assert before <= newest.set_at <= datetime.now(UTC)
    assert [each.version for each in journal.limits.history(HOST, ACCOUNT)] == [3, 2, 1]
    assert set(newest.to_dict()) == {"version", "limits", "set_by", "why", "set_at"}
    told = newest.to_dict()
    assert (told["version"], told["set_by"], told["why"]) == (3, "cli:3", "why 3")
    assert datetime.fromisoformat(told["set_at"]) == newest.set_at
    assert Limits.model_validate(told["limits"]) == newest.limits


def test_what_was_set_is_what_is_kept(journal):
    made = journal.limits.set(HOST, ACCOUNT, Limits(order=5), by="a", why="careful")
    assert journal.limits.newest(HOST, ACCOUNT) == made
    assert journal.limits.set(HOST, ACCOUNT, Limits(order=6), by="a").why == ""
    assert journal.limits.get(HOST, ACCOUNT) == Limits(order=6)


def test_versions_are_counted_for_each_account_and_host(journal):
    assert journal.limits.set(HOST, ACCOUNT, Limits(), by="a").version == 1
    assert journal.limits.set(HOST, "user-2", Limits(), by="a").version == 1
    assert journal.limits.set("elsewhere", ACCOUNT, Limits(), by="a").version == 1
    assert journal.limits.set(HOST, ACCOUNT, Limits(), by="a").version == 2
    assert [each.version for each in journal.limits.history(HOST, "user-2")] == [1]
    assert [each.version for each in journal.limits.history("elsewhere", ACCOUNT)] == [1]


def test_whoever_sets_limits_may_have_a_long_name(journal):
    assert journal.limits.set(HOST, ACCOUNT, Limits(), by="x" * 300).set_by == "x" * 255
    assert journal.limits.newest(HOST, ACCOUNT).set_by == "x" * 255


def test_the_second_of_two_is_told_what_to_do(journal):
    journal.limits.set(HOST, ACCOUNT, Limits(), by="a")
    with pytest.raises(InvalidInput) as caught:
        journal.limits.set(HOST, ACCOUNT, Limits(), by="b", after=0)
    assert caught.value.message == (
        "Somebody else set this account's limits meanwhile, so nothing was changed. Look at them with `tradehook limits "
        "show`, and set yours again."
    )


def test_a_host_is_live_only_while_an_account_of_it_is(journal):
    book = journal.limits
    assert not book.has_live(HOST)
    assert not book.has_live(HOST, at_all=True)
    assert not book.holds_live()
    book.set(HOST, ACCOUNT, Limits(live=True), by="a")
    assert book.has_live(HOST)
    assert book.holds_live()
    assert not book.has_live("elsewhere")
    assert not book.has_live("elsewhere", at_all=True)
    book.set(HOST, ACCOUNT, Limits(live=False), by="a")
    assert not book.has_live(HOST)
    assert book.has_live(HOST, at_all=True)  # it once had limits, so what rests there may be canceled
    assert not book.holds_live()
    book.set("elsewhere", "user-9", Limits(live=True), by="a")
    assert book.holds_live()
    assert not book.has_live(HOST)


@pytest.mark.parametrize(("is_live", "hours"), [(True, 24), (False, 0)])
def test_a_host_without_limits_and_one_that_says_nothing_cool_off_alike(journal, is_live, hours):
    assert journal.limits.cool_off_hours(HOST, is_live=is_live) == hours
    journal.limits.set(HOST, ACCOUNT, Limits(), by="a")
    journal.limits.set("elsewhere", ACCOUNT, Limits(destination_cool_off_hours=99), by="a")
    assert journal.limits.cool_off_hours(HOST, is_live=is_live) == hours
    assert journal.limits.cool_off_hours("elsewhere", is_live=is_live) == 99


def test_what_is_limited_where_nobody_says_otherwise():
    told = Limits().to_dict()
    assert {name: value for name, value in told.items() if value is not None} == {
        "live": False,
        "zone": "UTC",
        "unknowns": 3,
        "collar": "2",
        "fat_finger_percent": "50",
        "fat_finger_times": "5",
        "halt_after": 5,
    }


def test_a_zone_that_is_none_is_said_with_one_that_is():
    with pytest.raises(InvalidInput) as caught:
        Limits(zone="Mars/" + "x" * 60)
    assert "'Mars/" + "x" * 35 + "'" in caught.value.message
    assert caught.value.suggestions == ("UTC", "Europe/Berlin")


def test_limits_that_cannot_be_read_say_what_to_do(journal):
    journal.limits.set(HOST, ACCOUNT, Limits(), by="a")
    with journal.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE limits SET limits = '[]'")
    for look in (journal.limits.get, journal.limits.newest, journal.limits.history):
        with pytest.raises(GuardRefused) as caught:
            look(HOST, ACCOUNT)
        assert caught.value.rule == "limits"
        assert caught.value.message == (
            "Version 1 of this account's limits cannot be read, so nothing is sent. Set them anew with `tradehook limits "
            "set`, or update tradehook."
        )
    with pytest.raises(GuardRefused):
        journal.limits.has_live(HOST)  # not taken for closed, and not for open


def test_a_version_was_set_in_utc(journal):
    assert journal.limits.set(HOST, ACCOUNT, Limits(), by="a").set_at.utcoffset() == timedelta(0)
