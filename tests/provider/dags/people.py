"""DAGs for the tests of what people see: messages about a trade, and approvals."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG

from tradehook_provider.notifications.telegram import TelegramNotifier
from tradehook_provider.operators.approvals import TradeApprovalOperator
from tradehook_provider.operators.orders import PlaceOrderOperator
from tradehook_provider.operators.rebalance import RebalanceOperator


def dag(dag_id: str) -> DAG:
    return DAG(
        dag_id,
        schedule=None,
        start_date=datetime(2026, 1, 1, tzinfo=UTC),
        catchup=False,
        default_args={"retry_delay": timedelta(0)},
        params={"amount": "0.001", "text": "{{ ti.task_id }} of {{ ti.dag_id }}"},
    )


with dag("place_and_tell") as place_and_tell:
    PlaceOrderOperator(
        task_id="place",
        market="BTC/PYUSD",
        side="buy",
        amount="{{ params.amount }}",
        poll_seconds=0.1,
        on_success_callback=TelegramNotifier(
            title="Filled", text="{{ ti.task_id }} of {{ ti.dag_id }} bought {{ params.amount }} <b>BTC</b>"
        ),
        on_failure_callback=TelegramNotifier(title="Failed", text="{{ ti.task_id }} of {{ ti.dag_id }}"),
    )

with dag("place_and_misspell") as place_and_misspell:
    PlaceOrderOperator(
        task_id="place",
        market="BTC/PYUSD",
        side="buy",
        amount="{{ params.amount }}",
        poll_seconds=0.1,
        on_success_callback=TelegramNotifier(text="{{ nobody.knows.this }}"),
    )

TARGETS = {"BTC": 50, "ETH": 30}

for name, options in {
    "approve_rebalance": {},
    "approve_rebalance_briefly": {"response_timeout": timedelta(seconds=1)},
    "approve_rebalance_or_fail": {"fail_on_reject": True},
    "approve_rebalance_by_ann": {"assigned_users": [{"id": "ann", "name": "ann"}]},
}.items():
    with dag(name) as made:
        ask = TradeApprovalOperator(
            task_id="ask",
            targets="{{ params.targets | tojson }}",
            retry_delay=timedelta(0),
            notifiers=[TelegramNotifier(text="{{ task.subject }}")],
            **{"response_timeout": timedelta(seconds=30), **options},
        )
        ask >> RebalanceOperator(
            task_id="rebalance",
            targets="{{ params.targets | tojson }}",
            dry_run=False,
            approved=ask.output,
            retry_delay=timedelta(0),
        )
        made.params["targets"] = TARGETS
    globals()[name] = made

with dag("approve_order") as approve_order:
    ask = TradeApprovalOperator(
        task_id="ask",
        market="BTC/PYUSD",
        side="buy",
        amount="{{ params.amount }}",
        response_timeout=timedelta(seconds=30),
    )
    PlaceOrderOperator(
        task_id="place",
        market="BTC/PYUSD",
        side="buy",
        amount=ask.output["amount"],
        price=ask.output["worst_price"],
        good_for="1m",
        poll_seconds=0.1,
    )
