"""Tells a Telegram chat of each order that traded, as soon as it has ended. Sends no order.

Switch it on: the triggerer watches, no worker waits. Another account: change the two lines below.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, Asset, AssetWatcher, Param

from tradehook_provider.operators.messages import TelegramMessageOperator
from tradehook_provider.operators.reports import CompletionReportOperator
from tradehook_provider.triggers.events import OrderEventTrigger

# A watcher begins before there is a run, so this is no field of the form.
CONNECTION = "true_markets_default"

# A name alone: for an address, Airflow would load all providers whenever it reads this file.
ended = Asset(
    name=f"{CONNECTION} orders",
    watchers=[AssetWatcher(name="ended", trigger=OrderEventTrigger(exchange_conn_id=CONNECTION))],
)

with DAG(
    dag_id="on_fill",
    description="Tells of each order that traded, as soon as it has ended.",
    doc_md="""
### On fill

It is started by the journal: whenever orders of the account have ended, whoever placed them through tradehook.

1. **report** reads each order once, however many events tell of it. Orders that ended without a trade are left out.
2. **tell** sends them in one message. Without the connection it fails; with nothing to tell it is skipped.

After a restart of the triggerer the last 15 minutes are told again. While this DAG is off, nothing is kept for later:
the *order_monitor* looks after what stays behind.
""",
    schedule=[ended],
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(minutes=30),
    default_args={"retries": 2, "retry_delay": timedelta(seconds=30)},
    params={
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
    report = CompletionReportOperator(task_id="report", only_traded=True, exchange_conn_id=CONNECTION)
    tell = TelegramMessageOperator(
        task_id="tell",
        text=report.output["text"],
        telegram_conn_id="{{ params.telegram }}",
    )
    report >> tell
