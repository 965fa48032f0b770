"""DAGs for the tests of futures: open and wait for it, close and wait for that."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG

from tradehook_provider.operators.futures import FuturesCloseOperator, FuturesOpenOperator
from tradehook_provider.sensors.futures import PositionSensor

OPEN = {
    "contract": "{{ params.contract }}",
    "position_side": "{{ params.side }}",
    "contracts": "{{ params.contracts }}",
    "leverage": "{{ params.leverage }}",
    "poll_seconds": 0.1,
}
PLACE = {"contract": "{{ params.contract }}", "position_side": "{{ params.side }}"}


def dag(dag_id: str) -> DAG:
    return DAG(
        dag_id,
        schedule=None,
        start_date=datetime(2026, 1, 1, tzinfo=UTC),
        catchup=False,
        default_args={"retry_delay": timedelta(0)},
        params={"contract": "BTC/USDT", "side": "long", "contracts": "10", "leverage": "10"},
    )


with dag("futures_open") as futures_open:
    FuturesOpenOperator(task_id="open", **OPEN)

with dag("futures_there_and_back") as futures_there_and_back:
    (
        FuturesOpenOperator(task_id="open", **OPEN)
        >> PositionSensor(task_id="opened", contracts="10", poke_interval=0.1, timeout=20, **PLACE)
        >> FuturesCloseOperator(task_id="close", **PLACE)
        >> PositionSensor(task_id="closed", state="closed", poke_interval=0.1, timeout=20, **PLACE)
    )

with dag("futures_wait_for_a_limit") as futures_wait_for_a_limit:
    FuturesOpenOperator(task_id="open", price="60000", timeout_seconds=0.5, **OPEN)

with dag("futures_deferred") as futures_deferred:
    (
        FuturesOpenOperator(
            task_id="open", price="73000", wait="deferred", inline_wait_seconds=0, timeout_seconds=60, **OPEN
        )
        >> PositionSensor(task_id="opened", contracts="10", timeout=60, deferrable=True, **PLACE)
    )
