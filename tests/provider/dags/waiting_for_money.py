"""DAGs for the tests of the sensors for balances and prices."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG

from tradehook_provider.sensors.balances import BalanceSensor
from tradehook_provider.sensors.prices import PriceSensor


def dag(dag_id: str) -> DAG:
    return DAG(
        dag_id,
        schedule=None,
        start_date=datetime(2026, 1, 1, tzinfo=UTC),
        catchup=False,
        default_args={"retry_delay": timedelta(0)},
        params={"asset": "BTC", "at_least": "1", "market": "BTC/PYUSD", "above": "70000", "timeout": 20},
    )


with dag("sense_balance") as sense_balance:
    BalanceSensor(
        task_id="sense",
        asset="{{ params.asset }}",
        at_least="{{ params.at_least }}",
        deferrable=True,
        inline_wait_seconds=0,
        poke_interval=1,
        timeout=30,
    )

with dag("sense_balance_briefly") as sense_balance_briefly:
    BalanceSensor(
        task_id="sense",
        asset="BTC",
        at_least="1000000",
        deferrable=True,
        inline_wait_seconds=0,
        poke_interval=1,
        timeout=1,
    )

with dag("sense_price") as sense_price:
    PriceSensor(
        task_id="sense",
        market="{{ params.market }}",
        above="{{ params.above }}",
        deferrable=True,
        inline_wait_seconds=0,
        poke_interval=1,
        timeout=30,
    )

with dag("sense_crossing") as sense_crossing:
    PriceSensor(
        task_id="sense",
        market="BTC",
        crosses="70000",
        deferrable=True,
        inline_wait_seconds=0,
        poke_interval=1,
        timeout=30,
    )
