"""Tells a Telegram chat what needs a person: orders without an answer, orders and transfers that are open for too long.

Switch it on where DAGs trade. It sends no order; one that has rested for as long as it may is canceled by its look.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, Param

from tradehook_provider.operators.doubts import ReconcileOperator
from tradehook_provider.operators.messages import TelegramMessageOperator
from tradehook_provider.operators.reports import TroubleReportOperator

with DAG(
    dag_id="order_monitor",
    description="Tells of unknown outcomes and of orders that are open for too long.",
    doc_md="""
### Order monitor

1. **reconcile** looks at the exchange for what was sent and got no answer. It sends nothing.
2. **look** lists what is still unknown, and the orders and transfers that are open for longer than *Open for*; when the
   exchange is out of reach, from the journal. Limit orders that have rested for their `good_for` are canceled.
3. **tell** sends one message with what to type for each. With nothing to tell it is skipped: silence means that all is
   well, as long as this DAG is on and its runs are green.

The same trouble is told once, and again after *Tell again after*; new trouble is told at once. A message that cannot be
sent fails the run.
""",
    schedule=timedelta(minutes=15),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(minutes=14),
    default_args={"retries": 2, "retry_delay": timedelta(seconds=30)},
    params={
        "older_than": Param(
            "24h",
            type="string",
            pattern=r"^0*[1-9]\d{0,5}[smhdw]$",
            title="Open for",
            description="Orders and transfers that are open for longer are told of: 90m, 24h, 7d.",
        ),
        "repeat_after": Param(
            "24h",
            type="string",
            pattern=r"^0*[1-9]\d{0,5}[smhdw]$",
            title="Tell again after",
            description="The same trouble is told again after so long: 90m, 24h, 7d.",
        ),
        "connection": Param(
            "true_markets_default",
            type="string",
            pattern=r"^[A-Za-z0-9_.-]{1,200}$",
            title="Connection",
            description="Whose account: the id of a connection to an exchange.",
        ),
        "telegram": Param(
            "telegram_default",
            type="string",
            pattern=r"^[A-Za-z0-9_.-]{1,200}$",
            title="Telegram",
            description="Who is told: the id of a connection to a bot and its chat.",
        ),
    },
    tags=["tradehook", "watching"],
) as dag:
    account = "{{ params.connection }}"

    reconcile = ReconcileOperator(task_id="reconcile", fail_if_open=False, exchange_conn_id=account)
    look = TroubleReportOperator(
        task_id="look",
        older_than="{{ params.older_than }}",
        exchange_conn_id=account,
        trigger_rule="all_done",  # an exchange out of reach is no reason to keep silent
    )
    tell = TelegramMessageOperator(
        task_id="tell",
        title="Trades need a look",
        text=look.output["text"],
        key=look.output["key"],
        repeat_after="{{ params.repeat_after }}",
        telegram_conn_id="{{ params.telegram }}",
    )
    reconcile >> look >> tell
