"""Targets and rebalances on a real command line, each against a fresh sandbox in a process of its own."""

from __future__ import annotations

import io
import json
from decimal import Decimal

import pytest

from tradehook.cli.rebalance import drift_bar


@pytest.fixture
def sandbox_server(start_sandbox):
    """An account that nobody else trades."""
    server = start_sandbox("--rate-limit", "0")
    yield server
    assert server.stop() == 0


@pytest.fixture
def ready(command):
    """The same with targets called main."""
    code, _, error = command(
        "targets", "set", "main", "BTC=40", "ETH=40", "PYUSD=20", "--band", "2", "--min-trade", "25"
    )
    assert code == 0, error
    return command


def test_targets_are_set_shown_listed_and_kept(ready):
    assert ready("targets", "set", "Main", "btc=50%", "--max-turnover", "10")[0] == 0
    code, out, _ = ready("targets", "show", "--json")
    found = json.loads(out)
    assert (code, found["version"], found["goal"]["targets"], found["goal"]["max_turnover"]) == (
        0,
        2,
        {"BTC": "50"},
        "10",
    )
    assert found["set_by"].startswith("cli:")
    assert "at most 10 % traded in a run" in ready("targets", "show", "main")[1]
    assert "BTC 50 %, PYUSD 50 %" in ready("targets", "list")[1]
    rows = [json.loads(line) for line in ready("targets", "history", "main", "--json")[1].splitlines()]
    assert [row["version"] for row in rows] == [2, 1]
    assert rows[1]["goal"]["min_trade"] == "25"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["main", "BTC"], "no share"),
        (["main", "=5"], "no share"),
        (["main", "BTC=40", "btc=5"], "twice"),
        (["main", "BTC=60", "ETH=60"], "more than everything"),
        (["main", "BTC=60", "PYUSD=30"], "nowhere"),
        (["main", "BTC=60", "--band", "x"], "drift band"),
        (["main", "BTC=60", "--on-chain", "yes"], "leave, count, trade"),
        (["1", "BTC=60"], "not a name for targets"),
    ],
)
def test_what_cannot_be_meant_is_exit_2(command, words, says):
    code, _, error = command("targets", "set", *words)
    assert (code, says in error) == (2, True), error
    assert command("targets", "list", "--json")[1] == ""


def test_without_targets_it_says_how_to_write_some(command):
    code, _, error = command("rebalance", "plan")
    assert (code, "tradehook targets set main" in error) == (2, True), error


def test_a_plan_is_a_table_of_80_columns_with_reasons_and_sends_nothing(ready, sandbox_server):
    code, out, error = ready("rebalance", "plan")
    assert code == 0, error
    table = [line for line in out.splitlines() if "│" in line]
    assert [line.split()[0] for line in table] == ["BTC", "ETH", "PYUSD"]
    assert max(len(line.rstrip()) for line in table) <= 80
    assert table[0].rstrip().endswith("·········│█████████"), "BTC is farthest above its target"
    assert "1. sell 0." in out
    assert "outside the band of 2 points" in out
    assert "Left alone: USDC: on " in out
    assert "rebalance run main" in error
    assert sandbox_server.orders() == 0


def test_a_plan_for_programs(ready):
    code, out, _ = ready("rebalance", "plan", "main", "--json")
    made = json.loads(out)
    assert (code, made["targets"]["name"]) == (0, "main")
    assert [(leg["side"], leg["base"]) for leg in made["plan"]["legs"]] == [("sell", "BTC"), ("buy", "ETH")]


def test_run_carries_it_out_once_and_then_nothing_is_left_to_do(ready, sandbox_server):
    code, out, error = ready("rebalance", "run", "--yes", "--intent-id", "r-1")
    assert code == 0, error
    assert "1. sell " in out
    assert "Done: 2 legs filled." in out
    assert sandbox_server.orders() == 2
    # Again: what is stored, whatever the targets are now.
    assert ready("targets", "set", "main", "BTC=90")[0] == 0
    code, out, error = ready("rebalance", "run", "--yes", "--intent-id", "r-1", "--json")
    assert code == 0, error
    outcome = json.loads(out)
    assert (outcome["is_stored"], outcome["state"]) == (True, "ACCEPTED")
    assert sandbox_server.orders() == 2
    assert ready("targets", "set", "main", "BTC=40", "ETH=40", "--band", "2", "--min-trade", "25")[0] == 0
    code, out, error = ready("rebalance", "run", "--intent-id", "r-2", "--yes")
    assert (code, "Nothing to trade." in out, "there was nothing to trade" in out) == (0, True, True), error
    assert sandbox_server.orders() == 2
    code, out, _ = ready("intents", "show", outcome["legs"][0]["intent_id"], "--json")
    assert json.loads(out)["parent_id"] == "r-1"


def test_the_same_id_for_another_name_is_refused(ready, sandbox_server):
    assert ready("targets", "set", "other", "BTC=10")[0] == 0
    assert ready("rebalance", "run", "main", "--yes", "--intent-id", "r-1")[0] == 0
    code, _, error = ready("rebalance", "run", "other", "--yes", "--intent-id", "r-1")
    assert (code, "stands for main, version 1 already" in error) == (2, True), error
    assert ready("order", "place", "buy", "BTC", "$20", "--yes", "--intent-id", "o-1")[0] == 0
    code, _, error = ready("rebalance", "run", "--yes", "--intent-id", "o-1")
    assert (code, "is no rebalance but an order" in error) == (2, True), error
    assert sandbox_server.orders() == 3


def test_a_refused_leg_is_told_and_ends_with_3(ready, sandbox_server):
    sandbox_server.fault("error_before", status=400)
    code, out, error = ready("rebalance", "run", "--yes", "--intent-id", "r-1")
    assert code == 3, error
    assert "Carried out in part: 1 of 2 legs filled." in out
    code, out, _ = ready("rebalance", "run", "--yes", "--intent-id", "r-1", "--json")
    assert (code, [leg["state"] for leg in json.loads(out)["legs"]]) == (3, ["failed", "filled"])
    assert sandbox_server.orders() == 1


def test_a_leg_that_has_not_ended_is_continued_by_the_same_id(ready, sandbox_server):
    code, out, error = ready("rebalance", "run", "--yes", "--intent-id", "r-1", "--wait-seconds", "0")
    assert (code, "Not finished" in out) == (3, True), error
    assert "tradehook rebalance run --intent-id r-1" in error
    planned = json.loads(ready("intents", "show", "r-1", "--json")[1])["request"]
    sandbox_server.admin("POST", "prices", {"BTC": "90000", "walk": False})
    code, out, error = ready("rebalance", "run", "--yes", "--intent-id", "r-1", "--json")
    assert code == 0, error
    outcome = json.loads(out)
    assert outcome["plan"] == planned
    assert sandbox_server.orders() == 2


def test_a_freeze_keeps_the_plan_and_says_how_to_go_on(ready, sandbox_server):
    assert ready("freeze", "test")[0] == 0
    code, _, error = ready("rebalance", "run", "--yes", "--intent-id", "r-1")
    assert (code, "rozen" in error, "Continue it: tradehook rebalance run --intent-id r-1" in error) == (3, True, True)
    assert sandbox_server.orders() == 0
    assert ready("resume")[0] == 0
    assert ready("rebalance", "run", "--yes", "--intent-id", "r-1")[0] == 0
    assert sandbox_server.orders() == 2


class Person(io.StringIO):
    """Somebody at a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("says", "ends"), [("y\n", (0, 2)), ("n\n", (3, 0)), ("", (3, 0))])
def test_it_asks_before_anything_is_sent(ready, sandbox_server, monkeypatch, says, ends):
    monkeypatch.setattr("sys.stdin", Person(says))
    code, out, error = ready("rebalance", "run", "--intent-id", "r-1")
    assert (code, sandbox_server.orders()) == ends, error
    assert "1. sell " in out


def test_with_nobody_to_ask_nothing_is_sent(ready, sandbox_server):
    code, _, error = ready("rebalance", "run")
    assert (code, "--yes" in error) == (2, True)
    assert sandbox_server.orders() == 0


@pytest.mark.parametrize(
    ("drift", "drawn"),
    [
        ("0", "·········│·········"),
        ("10", "·········│█████████"),
        ("-10", "█████████│·········"),
        ("5", "·········│█████····"),
        ("-0.01", "········█│·········"),
    ],
)
def test_a_drift_is_drawn_to_its_side(drift, drawn):
    assert drift_bar(Decimal(drift), largest=Decimal(10)) == drawn
    assert drift_bar(Decimal(0), largest=Decimal(0)) == "·········│·········"
