"""DAGs for doubts, kills and states: orders whose answer is lost, orders that are given up, accounts that are frozen."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG

from tradehook_provider.operators.doubts import ReconcileOperator
from tradehook_provider.operators.orders import PlaceOrderOperator
from tradehook_provider.operators.rebalance import RebalanceOperator
from tradehook_provider.operators.trading_state import TradingStateOperator

ORDER = {
    "market": "BTC/PYUSD",
    "side": "buy",
    "amount": "{{ params.amount }}",
    "poll_seconds": 0.1,
    "deferred_poll_seconds": 0.2,
}
LIMIT = {**ORDER, "price": "50000", "good_for": "1h", "timeout_seconds": 20}


def dag(dag_id: str) -> DAG:
    return DAG(
        dag_id,
        schedule=None,
        start_date=datetime(2026, 1, 1, tzinfo=UTC),
        catchup=False,
        default_args={"retry_delay": timedelta(0)},
        params={"amount": "0.001", "intent_id": "", "state": "freeze", "reason": "a test", "targets": "main"},
    )


with dag("doubt") as doubt:
    PlaceOrderOperator(task_id="place", deferrable=True, **ORDER)

with dag("doubt_resent") as doubt_resent:
    PlaceOrderOperator(task_id="place", deferrable=True, resends=True, **ORDER)

with dag("doubt_not_waited_for") as doubt_not_waited_for:
    PlaceOrderOperator(task_id="place", deferrable=True, wait="none", **ORDER)

with dag("kill_at_work") as kill_at_work:
    PlaceOrderOperator(task_id="place", cancel_on_kill=True, wait="inline", retries=0, **LIMIT)

with dag("kill_deferred") as kill_deferred:
    PlaceOrderOperator(task_id="place", cancel_on_kill=True, wait="deferred", inline_wait_seconds=0, retries=0, **LIMIT)

with dag("kill_deferred_kept") as kill_deferred_kept:
    PlaceOrderOperator(task_id="place", wait="deferred", inline_wait_seconds=0, retries=0, **LIMIT)

with dag("reconcile") as reconcile:
    ReconcileOperator(task_id="reconcile")

with dag("reconcile_quietly") as reconcile_quietly:
    ReconcileOperator(task_id="reconcile", fail_if_open=False)

with dag("reconcile_one") as reconcile_one:
    ReconcileOperator(task_id="reconcile", intent_id="{{ params.intent_id }}", fail_if_open=False)

with dag("trading_state") as trading_state:
    TradingStateOperator(task_id="set", state="{{ params.state }}", reason="{{ params.reason }}")

with dag("trading_state_of_one") as trading_state_of_one:
    TradingStateOperator(task_id="set", state="{{ params.state }}", account_only=True)

with dag("rebalance_deferred") as rebalance_deferred:
    RebalanceOperator(
        task_id="rebalance",
        targets={"BTC": "40", "ETH": "40"},
        dry_run=False,
        deferrable=True,
        inline_wait_seconds=0,
        deferred_poll_seconds=0.2,
        leg_timeout_seconds=20,
    )

with dag("rebalance_named") as rebalance_named:
    RebalanceOperator(task_id="rebalance", targets="{{ params.targets | tojson }}", dry_run=False)

with dag("rebalance_named_dry") as rebalance_named_dry:
    RebalanceOperator(task_id="rebalance", targets="main", dry_run=True)
