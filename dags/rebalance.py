"""Keeps an account at its targets: looks, trades what has drifted, looks again.

Start it with *Trigger* and change the form, or set a `schedule` and the defaults below. As it stands it trades play
money only: the connection's environment is `sandbox` unless it says otherwise, and live trading is off.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, Param

from tradehook_provider.operators.balances import BalancesOperator
from tradehook_provider.operators.rebalance import RebalanceOperator, RebalanceReportOperator

PERCENT = {"type": ["number", "string"], "minimum": 0, "maximum": 100, "pattern": r"^\d{1,3}(\.\d{1,8})?$"}

with DAG(
    dag_id="rebalance",
    description="Brings an account to its targets and shows it before and after.",
    doc_md="""
### Rebalance

1. **before** reads the account and values it against the targets.
2. **rebalance** makes a plan and carries it out: sells first, then buys. Every leg says why; so does everything that is
   left alone. With *dry run* on, it stops at the plan.
3. **report** reads the account again: target, before and after in percent.

The plan is made once for each run. Retrying, killing or clearing *rebalance* continues that plan and sends no order
twice; to plan anew, start a new run. When an answer of the exchange is lost, the task fails and says UNKNOWN: look at
`tradehook intents list`.
""",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=1),
    default_args={"retries": 2, "retry_delay": timedelta(seconds=30)},
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
        "min_trade": Param(
            "10",
            type=["number", "string"],
            minimum=0,
            pattern=r"^\d{1,9}(\.\d{1,8})?$",
            title="Smallest trade",
            description="In the quote asset (dollars); nothing smaller is traded.",
        ),
        "dry_run": Param(
            default=True,
            type="boolean",
            title="Dry run",
            description="On: make the plan and send nothing.",
        ),
        "connection": Param(
            "true_markets_default",
            type="string",
            pattern=r"^[A-Za-z0-9_.-]{1,200}$",
            title="Connection",
            description="Whose account: the id of a True Markets connection.",
        ),
    },
    tags=["tradehook", "trading"],
) as dag:
    account = "{{ params.connection }}"
    # Through JSON, so that the decimals arrive as they were written and never become floats.
    targets = "{{ params.targets | tojson }}"

    before = BalancesOperator(task_id="before", targets=targets, exchange_conn_id=account)
    rebalance = RebalanceOperator(
        task_id="rebalance",
        targets=targets,
        band="{{ params.band }}",
        min_trade="{{ params.min_trade }}",
        dry_run="{{ params.dry_run }}",
        exchange_conn_id=account,
    )
    report = RebalanceReportOperator(
        task_id="report",
        before=before.output,
        rebalance=rebalance.output,
        targets=targets,
        exchange_conn_id=account,
    )
    before >> rebalance >> report
