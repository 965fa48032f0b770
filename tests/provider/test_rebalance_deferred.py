"""A rebalance that waits for its legs in the triggerer, and targets that are stored under a name."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

pytestmark = pytest.mark.usefixtures("airflow_database")

AT = datetime(2026, 7, 1, 12, tzinfo=UTC)
CONTEXT = {
    "ti": SimpleNamespace(dag_id="d", run_id="r", task_id="t", map_index=-1, xcom_push=lambda **_: None),
    "dag_run": SimpleNamespace(run_type="manual"),
}


@pytest.fixture
def journal(tmp_path):
    from tradehook.desk.journal import Journal

    with Journal.open(f"sqlite:///{tmp_path}/journal.db") as opened:
        yield opened


def operator(**more):
    from tradehook_provider.operators.rebalance import RebalanceOperator

    given = {"targets": {"BTC": "40", "ETH": "40"}, "dry_run": False, "deferrable": True, "inline_wait_seconds": 0}
    return RebalanceOperator(task_id="t", **{**given, **more})


def keep(journal, name="main", **targets):
    from tradehook.rebalance import Goal

    return journal.targets.set(name, Goal.of(targets or {"BTC": "40", "ETH": "40"}, quote="PYUSD"), by="a test")


# --- between legs -----------------------------------------------------------------------------------------------------


def test_it_waits_for_each_leg_in_the_triggerer_and_continues_the_frozen_plan(run_dag, account):
    run = run_dag("rebalance_deferred", at=AT)
    assert (run.state, run.tries("rebalance")) == ("success", 1), run.output
    assert run.output.count("Waiting for it in the triggerer") == 2
    assert "Continuing the plan of" in run.output
    result = run.result("rebalance")
    assert [(leg["side"], leg["state"]) for leg in result["legs"]] == [("sell", "filled"), ("buy", "filled")]
    assert account.orders() == 2


def test_a_leg_whose_answer_is_lost_is_looked_for_in_the_triggerer(run_dag, account, monkeypatch):
    from tradehook_provider import connections, doubts

    settings_of = connections.settings_of
    monkeypatch.setattr(
        connections, "settings_of", lambda *args, **more: replace(settings_of(*args, **more), look_seconds=0)
    )
    monkeypatch.setattr(doubts, "POLL_SECONDS", 0.2)
    account.fault("late_accept", status=503, delay_seconds=2)
    run = run_dag("rebalance_deferred", at=AT)
    assert (run.state, run.tries("rebalance")) == ("success", 1), run.output
    assert "It is looked for in the triggerer" in run.output
    assert "Looking for the order has ended: placed" in run.output
    assert [leg["state"] for leg in run.result("rebalance")["legs"]] == ["filled", "filled"]
    assert account.orders() == 2


def test_it_defers_with_ids_only_and_no_later_than_the_legs_time(account):
    from airflow.sdk.exceptions import TaskDeferred

    with pytest.raises(TaskDeferred) as deferred:
        operator(leg_timeout_seconds=30).execute(CONTEXT)
    _, arguments = deferred.value.trigger.serialize()
    assert set(arguments) == {"exchange_conn_id", "order_id", "intent_id", "until", "poll_seconds"}
    assert deferred.value.kwargs == {"order_id": arguments["order_id"], "until": arguments["until"]}
    assert arguments["until"] - time.time() <= 30
    assert deferred.value.timeout > arguments["until"] - time.time()
    assert account.orders() == 1


def test_a_leg_that_has_had_its_time_is_not_waited_for_again(account, monkeypatch):
    """It is left open at the exchange; a retry continues the plan."""
    from airflow.sdk.exceptions import AirflowException, AirflowFailException, TaskDeferred

    from tradehook.desk.submit import Desk
    from tradehook.models import OrderStatus

    made = operator()
    place = Desk.place_order

    def still_open(self, *args, **more):
        outcome = place(self, *args, **more)
        return replace(outcome, order=outcome.order.model_copy(update={"status": OrderStatus.OPEN}))

    monkeypatch.setattr(Desk, "place_order", still_open)
    with pytest.raises(TaskDeferred) as deferred:
        made.execute(CONTEXT)
    order_id = deferred.value.kwargs["order_id"]
    said = {"order_id": order_id, "status": "timeout"}
    with pytest.raises(AirflowException, match="not done yet") as caught:
        made.execute_complete(CONTEXT, said, order_id=order_id, until=time.time() - 1)
    assert not isinstance(caught.value, AirflowFailException)
    with pytest.raises(TaskDeferred) as again:
        made.execute_complete(CONTEXT, said, order_id=order_id, until=time.time() + 9)
    assert again.value.kwargs["until"] - time.time() <= 9, "its time is not begun anew"
    assert account.orders() == 1


def test_what_cannot_be_stored_is_found_before_a_leg_is_sent(account):
    with pytest.raises((TypeError, ValueError)):
        operator(deferred_poll_seconds=object()).execute(CONTEXT)
    assert account.orders() == 0


# --- targets by name --------------------------------------------------------------------------------------------------


def test_a_stored_set_is_rebalanced_to_and_told_by_name_and_version(run_dag, account, journal):
    keep(journal, BTC="10")
    keep(journal)
    run = run_dag("rebalance_named", at=AT)
    assert run.state == "success", run.output
    assert run.result("rebalance")["targets"] == {"name": "main", "version": 2}
    assert account.orders() == 2
    (plan,) = [intent for intent in journal.list() if intent.kind == "plan"]
    assert plan.asked["named"] == "main, version 2"


def test_a_rerun_goes_on_with_the_version_that_it_began_with(run_dag, account, journal, monkeypatch):
    from tradehook.desk.submit import Desk
    from tradehook.errors import NotSent

    keep(journal)
    place, calls = Desk.place_order, []

    def second_fails_once(self, order, **more):
        calls.append(order.base)
        if len(calls) == 2:
            keep(journal, BTC="5")
            raise NotSent("The network is gone.")
        return place(self, order, **more)

    monkeypatch.setattr(Desk, "place_order", second_fails_once)
    run = run_dag("rebalance_named", at=AT)
    assert (run.state, run.tries("rebalance")) == ("success", 2), run.output
    assert "goes on with the targets that it began with: main, version 1" in run.output
    assert run.result("rebalance")["targets"] == {"name": "main", "version": 1}
    assert account.orders() == 2


def test_another_name_on_the_same_run_is_refused(run_dag, account, journal):
    keep(journal)
    keep(journal, "other", BTC="5")
    run_dag("rebalance_named", at=AT)
    run = run_dag("rebalance_named", {"targets": "other"}, at=AT)
    assert (run.state, run.tries("rebalance")) == ("failed", 1)
    assert "IntentConflict" in run.output
    assert account.orders() == 2


def test_a_dry_run_of_a_stored_set(run_dag, account, journal):
    keep(journal)
    result = run_dag("rebalance_named_dry").result("rebalance")
    assert (result["state"], result["targets"]) == ("DRY_RUN", {"name": "main", "version": 1})
    assert account.orders() == 0


def test_a_name_that_nothing_has_says_which_there_are(run_dag, account, journal):
    keep(journal, "other")
    run = run_dag("rebalance_named")
    assert (run.state, run.tries("rebalance")) == ("failed", 1)
    assert "No targets are called main; there is other" in run.output


@pytest.mark.parametrize("more", [{"band": "3"}, {"quote": "USDC"}, {"reserve": "1"}, {"min_trade": 5}])
def test_a_stored_set_brings_its_own_bands(account, journal, more):
    from airflow.sdk.exceptions import AirflowFailException

    keep(journal)
    with pytest.raises(AirflowFailException, match=f"stored with their own {next(iter(more))}"):
        operator(targets="main", **more).execute(CONTEXT)
    assert account.orders() == 0


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("main", "main"),
        ('"main"', "main"),
        (" core-2 ", "core-2"),
        ('{"BTC": 5}', None),
        ({"BTC": 5}, None),
        ("{{ params.targets }}", None),
        ("None", None),
        ("", None),
        ('"', None),
    ],
)
def test_what_is_a_name_and_what_are_targets(value, name):
    from tradehook_provider.arguments import as_name

    assert as_name(value) == name


def test_balances_stand_beside_a_stored_set(account, journal):
    from tradehook_provider.operators.balances import BalancesOperator

    keep(journal)
    read = BalancesOperator(task_id="b", targets="main").execute(CONTEXT)
    assert read["portfolio"]["assets"]["ETH"]["target"] == "40"
