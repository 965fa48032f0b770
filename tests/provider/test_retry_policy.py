"""The retry policy of our operators: in the DAG as Airflow stores it, and in a task that really fails."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from tradehook import errors

pytestmark = pytest.mark.usefixtures("airflow_database")


def decide(error):
    from tradehook_provider.retry_policy import TradehookRetryPolicy

    decision = TradehookRetryPolicy().evaluate(error, 1, 3)
    return decision.action.value, decision.retry_delay


@pytest.mark.parametrize(
    ("error", "decision"),
    [
        (errors.RateLimited("Slower.", retry_after_seconds=42), ("retry", timedelta(seconds=42))),
        (errors.RateLimited("Slower.", retry_after_seconds=0), ("retry", timedelta(seconds=1))),
        (errors.RateLimited("Slower.", retry_after_seconds=10**9), ("retry", timedelta(hours=1))),
        (errors.NotSent("No network."), ("default", None)),
        (errors.Unavailable("Down."), ("default", None)),
        (errors.JournalUnavailable("Locked."), ("default", None)),
        (errors.InsufficientFunds("Too little."), ("fail", None)),
        (errors.GuardRefused("No.", rule="live"), ("fail", None)),
        (errors.IntentConflict("Another."), ("fail", None)),
        (errors.OutcomeUnknown("Who knows.", intent_id="i", next_step="look"), ("fail", None)),
        (RuntimeError("something else"), ("default", None)),
        (SystemExit(1), ("default", None)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_done_about_each_error(error, decision):
    assert decide(error) == decision


def test_a_policy_survives_a_stored_dag():
    from airflow.sdk import DAG
    from airflow.serialization.serialized_objects import DagSerialization

    from tradehook_provider.operators.balances import BalancesOperator
    from tradehook_provider.operators.orders import PlaceOrderOperator

    with DAG("stored", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)) as dag:
        BalancesOperator(task_id="one")
        PlaceOrderOperator.partial(task_id="many", market="BTC/PYUSD", side="buy").expand(amount=["1", "2"])
    stored = json.loads(json.dumps(DagSerialization.to_dict(dag)))
    again = DagSerialization.from_dict(stored)
    assert again.get_task("one").has_retry_policy is True
    assert again.get_task("one").retries == 2
    assert "RateLimited" not in json.dumps(stored), "the worker reads the policy from the DAG's file"


def test_the_policy_itself_can_be_stored():
    from tradehook_provider.retry_policy import TradehookRetryPolicy

    stored = json.loads(json.dumps(TradehookRetryPolicy().serialize()))
    assert stored == {"__type": "tradehook_provider.retry_policy.TradehookRetryPolicy"}
    assert isinstance(TradehookRetryPolicy.deserialize(stored), TradehookRetryPolicy)


def test_ours_unless_the_task_or_its_dag_says_otherwise():
    from airflow.sdk import DAG, ExceptionRetryPolicy

    from tradehook_provider.operators.balances import BalancesOperator
    from tradehook_provider.retry_policy import TradehookRetryPolicy
    from tradehook_provider.sensors.orders import OrderSensor

    theirs = ExceptionRetryPolicy(rules=[])
    with DAG("plain", schedule=None):
        assert isinstance(BalancesOperator(task_id="a").retry_policy, TradehookRetryPolicy)
        assert isinstance(OrderSensor(task_id="b", order_id="o").retry_policy, TradehookRetryPolicy)
        assert BalancesOperator(task_id="c", retry_policy=theirs).retry_policy is theirs
        mapped = BalancesOperator.partial(task_id="d").expand(quote=["USD"])
    with DAG("with_defaults", schedule=None, default_args={"retry_policy": theirs}):
        assert BalancesOperator(task_id="a").retry_policy is theirs
    one_of_them = mapped.unmap({"quote": "USD"})
    assert isinstance(one_of_them.retry_policy, TradehookRetryPolicy)


def test_a_task_waits_as_long_as_the_exchange_asks(run_dag, account, monkeypatch):
    from tradehook.desk.submit import Desk

    place, calls = Desk.place_order, []

    def limited_once(self, *args, **more):
        calls.append(self)
        if len(calls) == 1:
            raise errors.RateLimited("Too many requests.", retry_after_seconds=1.5)
        return place(self, *args, **more)

    monkeypatch.setattr(Desk, "place_order", limited_once)
    run = run_dag("place")
    assert (run.state, run.tries("place")) == ("success", 2), run.output
    assert "the exchange asked to wait 1.5 s" in run.output
    assert account.orders() == 1
