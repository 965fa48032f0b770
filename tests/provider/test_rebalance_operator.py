"""A rebalance from a real Airflow: planned once for each run, continued after a failure, never quietly a dry run."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from tradehook_airflow_home import connect

AT = datetime(2026, 4, 1, 12, tzinfo=UTC)


def leaves(node):
    if isinstance(node, dict):
        node = list(node.values())
    if isinstance(node, list):
        for item in node:
            yield from leaves(item)
    else:
        yield node


def test_it_rebalances_and_says_why(run_dag, account):
    run = run_dag("rebalance_now")
    assert run.state == "success", run.output
    result = run.result("rebalance")
    assert (result["dry_run"], result["state"]) == (False, "ACCEPTED")
    assert [(leg["side"], leg["base"], leg["state"]) for leg in result["legs"]] == [
        ("sell", "BTC", "filled"),
        ("buy", "ETH", "filled"),
    ]
    assert all(leg["why"] for leg in result["legs"])
    assert not any(isinstance(value, float | Decimal) for value in leaves(result))
    assert "outside the band of 1 points" in run.output
    assert account.orders() == 2


def test_a_rerun_of_a_half_done_rebalance_continues_the_frozen_plan(run_dag, account, monkeypatch):
    """The second leg cannot be sent on the first try; prices have moved by the second."""
    from tradehook.desk.submit import Desk
    from tradehook.errors import NotSent

    place, calls = Desk.place_order, []

    def second_fails_once(self, order, **more):
        calls.append(order.base)
        if len(calls) == 2:
            account.admin("POST", "prices", {"ETH": "5000", "BTC": "90000"})
            raise NotSent("The network is gone.")
        return place(self, order, **more)

    monkeypatch.setattr(Desk, "place_order", second_fails_once)
    run = run_dag("rebalance_now")
    assert (run.state, run.tries("rebalance")) == ("success", 2), run.output
    assert calls == ["BTC", "ETH", "BTC", "ETH"]
    result = run.result("rebalance")
    assert result["is_stored"] is True
    assert [leg["is_stored"] for leg in result["legs"]] == [True, False]
    assert Decimal(result["plan"]["holdings"][0]["price"]) < 70000, "the plan is the old one"
    assert "Continuing the plan of" in run.output
    assert "not sent again" in run.output
    assert account.orders() == 2


def test_clearing_a_done_rebalance_trades_nothing(run_dag, account):
    first = run_dag("rebalance_now", at=AT).result("rebalance")
    account.admin("POST", "prices", {"BTC": "90000"})
    run = run_dag("rebalance_now", at=AT)
    assert run.state == "success"
    assert run.result("rebalance")["plan"] == first["plan"]
    assert "Nothing is sent again" in run.output
    assert account.orders() == 2


def test_an_unknown_leg_fails_the_task_without_retry(run_dag, account):
    account.fault("error_before", status=503)
    for _ in range(2):
        run = run_dag("rebalance_now", at=AT)
        assert (run.state, run.tries("rebalance")) == ("failed", 1)
        assert "UNKNOWN: The order was sent" in run.output
    assert account.orders() == 0


def test_a_leg_whose_answer_was_lost_is_found_again(run_dag, account):
    account.fault("error_after", status=503)
    run = run_dag("rebalance_now", at=AT)
    assert run.state == "success", run.output
    assert [leg["state"] for leg in run.result("rebalance")["legs"]] == ["filled", "filled"]
    assert account.orders() == 2


def test_a_leg_that_was_refused_fails_the_task_with_the_whole_story(run_dag, account):
    account.fault("error_before", status=400)
    run = run_dag("rebalance_now", {"targets": {"BTC": 20, "ETH": 60}}, at=AT)
    assert (run.state, run.tries("rebalance")) == ("failed", 1)
    assert "not carried out in full" in run.output
    assert "it needed the money from selling BTC" in run.output
    run = run_dag("rebalance_now", {"targets": {"BTC": 20, "ETH": 60}}, at=AT)
    assert run.state == "failed"
    assert account.orders() == 0


def test_live_is_refused_not_dried(run_dag, account, monkeypatch, tmp_path):
    connect(monkeypatch, tmp_path, account, environment="live")
    run = run_dag("rebalance_now")
    assert (run.state, run.tries("rebalance")) == ("failed", 1)
    assert "GuardRefused: Live trading is off" in run.output
    assert account.orders() == 0


def test_a_freeze_holds_here_too(run_dag, account, tmp_path):
    from tradehook.desk.journal import Journal

    journal = Journal.open(f"sqlite:///{tmp_path}/journal.db")
    journal.set_trading_state("HALTED", by="the owner, in chat")
    run = run_dag("rebalance_now", at=AT)
    assert run.state == "failed"
    assert "frozen" in run.output
    assert account.orders() == 0
    journal.set_trading_state("NORMAL", by="the owner")
    journal.close()
    assert run_dag("rebalance_now", at=AT).state == "success"
    assert account.orders() == 2


def test_balances_are_plain_and_valued(run_dag, account):
    result = run_dag("balances").result("balances")
    assert {row["symbol"]: row["total"] for row in result["balances"] if row["chain"] is None} == {
        "BTC": "0.5",
        "ETH": "5",
        "PYUSD": "10000",
    }
    assert result["portfolio"]["assets"]["BTC"]["target"] == "50"
    assert json.loads(json.dumps(result)) == result
    assert not any(isinstance(value, float) for value in leaves(result))


@pytest.mark.parametrize(("value", "read"), [(True, True), ("True", True), ("false", False), (False, False)])
def test_flags_are_read_strictly(value, read):
    from tradehook_provider.arguments import as_flag

    assert as_flag(value, what="dry_run") is read


@pytest.mark.parametrize("value", ["", "None", "yes", 1, 0, None, "{{ params.dry_run }}"])
def test_what_is_not_clearly_a_flag_is_neither(value):
    from tradehook.errors import InvalidInput
    from tradehook_provider.arguments import as_flag

    with pytest.raises(InvalidInput, match="True or False"):
        as_flag(value, what="dry_run")


def test_targets_keep_their_decimals_on_the_way_through_json():
    from tradehook_provider.arguments import as_targets

    assert as_targets('{"BTC": 33.30, "ETH": "12.5"}') == {"BTC": Decimal("33.30"), "ETH": "12.5"}


@pytest.mark.parametrize("value", ["{'BTC': 40}", "[]", "", None, 5, "{{ params.targets }}"])
def test_targets_that_are_none_are_refused(value):
    from tradehook.errors import InvalidInput
    from tradehook_provider.arguments import as_targets

    with pytest.raises(InvalidInput, match="The targets should be"):
        as_targets(value)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"amount": 0.01}, "is a float"),
        ({"price": ""}, "missing"),
        ({"price": "None"}, "not a price"),
        ({"price": 50000.5}, "is a float"),
        ({"chain": ""}, "missing"),
        ({"chain": "Not A Chain"}, "cannot be used"),
        ({"side": None}, "missing"),
        ({"amount": True}, "missing"),
    ],
)
def test_a_template_that_rendered_to_nothing_is_not_taken_for_not_given(arguments, says):
    """An empty price must not turn a limit order into a market order."""
    from tradehook.errors import InvalidInput
    from tradehook_provider.arguments import new_order

    given = {"market": "BTC/PYUSD", "side": "buy", "amount": "1", "price": None, "chain": None, **arguments}
    with pytest.raises(InvalidInput, match=says):
        new_order(**given)


def test_dry_run_has_to_be_said(airflow_database):
    from tradehook_provider.operators.rebalance import RebalanceOperator

    with pytest.raises(TypeError, match="dry_run"):
        RebalanceOperator(task_id="r", targets={"BTC": "1"})
    assert callable(RebalanceOperator(task_id="r", targets={"BTC": "1"}, dry_run=True).dry_run)


def test_a_backfill_is_refused_unless_it_is_meant():
    from types import SimpleNamespace

    from tradehook.errors import GuardRefused
    from tradehook_provider.runs import refuse_backfill

    context = {"dag_run": SimpleNamespace(run_type="backfill")}
    with pytest.raises(GuardRefused, match="backfill"):
        refuse_backfill(context, is_allowed=False)
    refuse_backfill(context, is_allowed=True)
    refuse_backfill({"dag_run": SimpleNamespace(run_type="scheduled")}, is_allowed=False)
