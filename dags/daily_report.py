"""Tells a Telegram chat once a day what an account holds, what that is worth, and what was done. Sends no order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, Param

from tradehook_provider.operators.messages import TelegramMessageOperator
from tradehook_provider.operators.reports import AccountReportOperator

with DAG(
    dag_id="daily_report",
    description="Tells what an account holds, what that is worth, and what was done.",
    doc_md="""
### Daily report

1. **report** reads balances, prices, orders and transfers. It stands in the log and in the XCom.
2. **tell** sends it to the chat, with a picture of what everything is worth where `tradehook[charts]` is installed.
   Without the connection it says so and is skipped.
""",
    # Seven o'clock where the money is: CronTriggerTimetable("0 7 * * *", timezone="Europe/Berlin") from airflow.sdk.
    schedule="0 7 * * *",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=1),
    default_args={"retries": 2, "retry_delay": timedelta(minutes=1)},
    params={
        "since": Param(
            "24h",
            type="string",
            pattern=r"^0*[1-9]\d{0,5}[mhdw]$",
            title="Since",
            description="Orders and transfers of the last 24h, 7d, ... are told of.",
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
    report = AccountReportOperator(
        task_id="report", since="{{ params.since }}", exchange_conn_id="{{ params.connection }}"
    )
    tell = TelegramMessageOperator(
        task_id="tell",
        title="Daily report",
        text=report.output["text"],
        report=report.output,
        silent=True,
        skip_without_connection=True,
        telegram_conn_id="{{ params.telegram }}",
    )
    report >> tell
