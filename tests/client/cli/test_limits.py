"""`tradehook limits` on a real command line against a sandbox: set, shown, obeyed, and asked about when it allows more."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradehook.desk import limit_changes
from tradehook.desk.journal import Journal
from tradehook.desk.limits import Limits

ORDER = ("order", "place", "buy", "BTC", "--yes", "--json")


def shown(command):
    code, out, error = command("limits", "show", "--json")
    assert code == 0, error
    return json.loads(out)


def test_without_limits_it_says_that_nothing_is_limited(command):
    code, out, _ = command("limits")
    assert (code, "nothing is limited" in out) == (0, True)
    assert command("limits", "show", "--history")[:2] == (0, "Limits of main (sandbox): none\n")
    assert (shown(command)["version"], shown(command)["limits"]) == (0, None)


def test_what_is_set_holds_at_once_and_the_use_is_shown(command, sandbox_server):
    code, out, _ = command("limits", "set", "--order", "$50", "--day", "80", "--unknowns", "2", "--why", "first week")
    assert (code, "one order: 50" in out, "version 1" in out.lower()) == (0, True, True)
    before = sandbox_server.orders()
    assert command(*ORDER[:4], "$40", *ORDER[4:])[0] == 0
    for amount, rule in (("$60", "order"), ("$49", "day")):
        code, out, _ = command(*ORDER[:4], amount, *ORDER[4:])
        assert (code, json.loads(out)["rule"]) == (3, rule), out
    assert sandbox_server.orders() == before + 1
    held = shown(command)
    assert (held["limits"]["order"], held["limits"]["unknowns"], held["why"]) == ("50", 2, "first week")
    assert held["set_by"].startswith("cli:")
    used = Decimal(held["used"]["day"])
    assert Decimal(30) < used <= Decimal(41)
    assert (held["used"]["orders_hour"], held["used"]["in_flight"], held["used"]["unknowns"]) == (1, 0, 0)
    code, out, _ = command("limits")
    line = next(line for line in out.splitlines() if "all orders of a day" in line)
    full = int(used / 80 * 12)
    assert "█" * full + "░" * (12 - full) in line
    assert f"{int(used / 80 * 100)} %" in line


def test_what_is_in_doubt_counts_as_used(command, sandbox_server):
    assert command("limits", "set", "--day", "200", "--unknowns", "1")[0] == 0
    sandbox_server.fault("error_after", status=502)
    assert command(*ORDER[:4], "$40", *ORDER[4:])[0] in (0, 4)
    held = shown(command)
    assert Decimal(held["used"]["day"]) > 30


def test_only_what_is_named_changes_and_every_version_is_kept(command):
    assert command("limits", "set", "--order", "50", "--day", "200", "--why", "one")[0] == 0
    assert command("limits", "set", "--order", "40", "--zone", "UTC", "--why", "two")[0] == 0
    _, out, _ = command("limits", "show", "--history", "--json")
    versions = [json.loads(line) for line in out.splitlines()]
    assert [(row["version"], row["why"], row["limits"]["order"], row["limits"]["day"]) for row in versions] == [
        (2, "two", "40", "200"),
        (1, "one", "50", "200"),
    ]
    assert "one order: 50 -> 40" in command("limits", "show", "--history")[1]


@pytest.mark.parametrize(
    "more",
    [
        ("--order", "50.01"),
        ("--order", "none"),
        ("--unknowns", "4"),
        ("--collar", "3%"),
        ("--zone", "Europe/Berlin"),
        ("--cool-off-hours", "11"),
        ("--halt-after", "none"),
        ("--day", "100", "--order", "51"),
    ],
)
def test_what_allows_more_is_asked_about(command, more):
    assert command("limits", "set", "--order", "50", "--day", "200", "--cool-off-hours", "12")[0] == 0
    code, _, error = command("limits", "set", *more)
    assert (code, "--yes" in error) == (2, True), error
    assert shown(command)["version"] == 1
    assert command("limits", "set", *more, "--yes")[0] == 0
    assert shown(command)["version"] == 2


@pytest.mark.parametrize(
    "less",
    [("--order", "49.99"), ("--order", "0"), ("--hour", "100"), ("--cool-off-hours", "13"), ("--collar", "1.5")],
)
def test_what_allows_less_needs_no_question(command, less):
    assert command("limits", "set", "--order", "50", "--day", "200", "--cool-off-hours", "12")[0] == 0
    assert command("limits", "set", *less)[0] == 0
    assert shown(command)["version"] == 2


@pytest.mark.parametrize(("answer", "ends"), [("y", (0, 2)), ("n", (3, 1)), ("", (3, 1))])
def test_a_person_is_asked_at_the_terminal(command, person, environment, answer, ends):
    assert command("limits", "set", "--order", "50")[0] == 0
    operator = person("limits", "set", "--order", "60", environment=environment)
    operator.answers("Set it?", answer)
    assert (operator.ends(), shown(command)["version"]) == ends
    assert "one order: 50 -> 60" in operator.shown


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "Say which limit"),
        (("--order", "1,000"), "1000 or 1.0000"),
        (("--order", "-5"), "not a limit"),
        (("--order", "NaN"), "not a limit"),
        (("--order", ""), "not a limit"),
        (("--unknowns", "2.5"), "whole number"),
        (("--unknowns", "0"), "--unknowns cannot be 0"),
        (("--halt-after", "0"), "--halt-after cannot be 0"),
        (("--unknowns", "٣"), "whole number"),
        (("--zone", "Berlin"), "no time zone"),
        (("--zone", "../../etc/passwd"), "no time zone"),
    ],
)
def test_what_cannot_be_a_limit_is_refused(command, arguments, says):
    code, _, error = command("limits", "set", *arguments, "--yes")
    assert (code, says in error) == (2, True), error
    assert shown(command)["version"] == 0


def test_limits_that_cannot_be_read_stop_everything_and_are_set_anew(command, tmp_path):
    assert command("limits", "set", "--order", "50")[0] == 0
    account_id = shown(command)["account_id"]
    with Journal.open(f"sqlite:///{tmp_path}/journal.db") as journal, journal.engine.begin() as connection:
        connection.exec_driver_sql('UPDATE limits SET limits = \'{"order": "lots"}\'')
    code, out, _ = command(*ORDER[:4], "$20", *ORDER[4:])
    assert (code, json.loads(out)["rule"]) == (3, "limits")
    code, _, error = command("limits")
    assert (code, "limits set" in error) == (3, True)
    assert command("limits", "set", "--order", "20", "--yes")[0] == 0
    held = shown(command)
    assert (held["version"], held["limits"]["order"], held["account_id"]) == (2, "20", account_id)


_VALUES = {
    "order": st.none() | st.decimals(0, 1000, places=2),
    "transfer": st.none() | st.decimals(0, 1000, places=2),
    "unknowns": st.none() | st.integers(1, 9),
    "destination_cool_off_hours": st.none() | st.integers(0, 48),
}


@given(st.fixed_dictionaries(_VALUES), st.fixed_dictionaries(_VALUES), st.booleans())
def test_a_change_and_its_way_back_never_both_pass_without_a_question(one, other, is_live):
    """Whatever differs is looser in one direction, so that nothing is widened unasked."""
    first, second = Limits(**one), Limits(**other)
    there, back = (set(limit_changes.looser(*pair, is_live=is_live)) for pair in ((first, second), (second, first)))
    assert not there & back
    hours = first.cool_off_hours(is_live=is_live) != second.cool_off_hours(is_live=is_live)
    differ = {name for name in _VALUES if one[name] != other[name] and name != "destination_cool_off_hours"}
    assert there | back == differ | ({"destination_cool_off_hours"} if hours else set())


def test_a_live_account_without_a_cap_on_transfers_sends_none_so_a_cap_is_more():
    none, some = Limits(transfer=None), Limits(transfer=Decimal(5))
    assert limit_changes.looser(none, some, is_live=True) == ["transfer"]
    assert limit_changes.looser(some, none, is_live=True) == []
    assert limit_changes.looser(none, some, is_live=False) == []
    assert limit_changes.looser(some, none, is_live=False) == ["transfer"]


def test_the_first_limits_are_told_with_what_they_take_off_and_with_zeros():
    told = limit_changes.changes(None, Limits(collar=None, order=Decimal(0)))
    assert "percent a price may be worse than the market: none" in told
    assert "one order: 0" in told
    assert not [line for line in told if line.startswith(("all orders", "live", "a day begins"))]


def test_every_limit_has_words_and_an_option():
    assert set(limit_changes.WORDS) | {"live"} == set(Limits.model_fields)
