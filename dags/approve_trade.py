"""Makes a plan towards an account's targets, asks a person, and carries out that very plan.

Start it with *Trigger* and change the form, or give it a `schedule` below. As it stands it trades play money only: the
connection's environment is `sandbox` unless it says otherwise, and live trading is off.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, Param

from tradehook_provider.notifications.telegram import TelegramNotifier
from tradehook_provider.operators.approvals import TradeApprovalOperator
from tradehook_provider.operators.rebalance import RebalanceOperator

# Whoever is told: the connection is read from the form, and an empty one tells nobody.
CHAT = "{{ params.telegram }}"
PERCENT = {"type": ["number", "string"], "minimum": 0, "maximum": 100, "pattern": r"^\d{1,3}(\.\d{1,8})?$"}

with DAG(
    dag_id="approve_trade",
    description="Plans towards the targets, asks a person, and carries out that very plan.",
    doc_md="""
### Approve a trade

1. **plan** says what would be traded, and why. It sends nothing.
2. **ask** shows the plan at the prices of that moment to a person, in *Required Actions*. A no, or an hour of silence,
   skips the rest. Where nothing needs to be traded, nobody is asked.
3. **trade** carries out the plan that was approved, sells first. When a price became worse than *Tolerance* allows,
   nothing is sent.

Retrying, killing or clearing *trade* continues that plan and sends no order twice; to be asked anew, start a new run.
""",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=4),
    default_args={
        "retries": 2,
        "retry_delay": timedelta(seconds=30),
        "on_failure_callback": TelegramNotifier(
            title="Not traded as planned",
            text="{{ ti.task_id }} ({{ params.connection }}): {{ exception }}",
            telegram_conn_id=CHAT,
        ),
    },
    params={
        "targets": Param(
            {"BTC": 40, "ETH": 40},
            type="object",
            title="Targets",
            description="Percent of the portfolio for each asset. What is left of 100 stays in cash.",
            additionalProperties=PERCENT,
            minProperties=1,
        ),
        "band": Param(
            "1",
            **PERCENT,
            title="Drift band",
            description="Percent points an asset may be off its target before it is traded.",
        ),
        "tolerance": Param(
            "1",
            **PERCENT,
            title="Tolerance",
            description="Percent that a price may have become worse between the question and the trade.",
        ),
        "connection": Param(
            "true_markets_default",
            type="string",
            pattern=r"^[A-Za-z0-9_.-]{1,200}$",
            title="Connection",
            description="Whose account: the id of a connection to an exchange.",
        ),
        "telegram": Param(
            "",
            type="string",
            pattern=r"^[A-Za-z0-9_.-]{0,200}$",
            title="Telegram",
            description="Who is told: the id of a connection like telegram_default. Empty: nobody.",
        ),
    },
    tags=["tradehook", "trading"],
) as dag:
    # Targets through JSON, so that the decimals arrive as they were written and never become floats.
    wanted = {
        "targets": "{{ params.targets | tojson }}",
        "band": "{{ params.band }}",
        "exchange_conn_id": "{{ params.connection }}",
    }

    plan = RebalanceOperator(task_id="plan", dry_run=True, **wanted)
    ask = TradeApprovalOperator(
        task_id="ask",
        response_timeout=timedelta(hours=1),
        notifiers=[
            TelegramNotifier(title="Shall I?", text="{{ task.subject }}\n{{ ti.log_url }}", telegram_conn_id=CHAT)
        ],
        **wanted,
    )
    trade = RebalanceOperator(
        task_id="trade",
        dry_run=False,
        approved=ask.output,
        tolerance="{{ params.tolerance }}",
        deferrable=True,
        on_success_callback=TelegramNotifier(
            title="Traded",
            text="{% for leg in ti.xcom_pull(task_ids='trade').legs %}{{ leg.side }} {{ leg.base }}: {{ leg.state }}\n"
            "{% else %}Nothing had to be traded.{% endfor %}",
            telegram_conn_id=CHAT,
        ),
        **wanted,
    )
    plan >> ask >> trade
