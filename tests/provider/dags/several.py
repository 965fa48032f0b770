"""DAGs for the tests that rebalance two exchanges as one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG

from tradehook_provider.operators.rebalance import RebalanceOperator

with DAG(
    "rebalance_both",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    default_args={"retry_delay": timedelta(0)},
    params={"accounts": ["true_markets_default", "fintrusted_default"], "dry_run": False},
) as rebalance_both:
    RebalanceOperator(
        task_id="rebalance",
        targets={"BTC": 5, "ETH": 85, "CASH": 10},
        band=2,
        dry_run="{{ params.dry_run }}",
        exchange_conn_ids="{{ params.accounts | tojson }}",
    )
