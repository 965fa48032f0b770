"""What the storm runs: orders that fill at once, orders that rest, five hundred at a time, and a control without memory."""

from __future__ import annotations

import time
import uuid
from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, BaseOperator, task

from tradehook_provider.operators.orders import PlaceOrderOperator

AGAIN = {"retries": 4, "retry_delay": timedelta(seconds=1)}
START = datetime(2026, 1, 1, tzinfo=UTC)
HOW = {"inline": {"wait": "inline"}, "deferred": {"wait": "deferred", "inline_wait_seconds": 0}}
WHAT = {"market": {}, "limit": {"price": "60000", "good_for": "1h"}}

for what, order in WHAT.items():
    for how, waiting in HOW.items():
        with DAG(
            f"{what}_{how}",
            schedule=None,
            start_date=START,
            default_args=AGAIN,
            max_active_runs=64,
            max_active_tasks=64,
        ):
            PlaceOrderOperator(
                task_id="place",
                market="BTC/PYUSD",
                side="buy",
                amount="{{ dag_run.conf.amount }}",
                exchange_conn_id="{{ dag_run.conf.connection }}",
                poll_seconds=1,
                deferred_poll_seconds=1,
                timeout_seconds=3000,
                **order,
                **waiting,
            )


class NaiveOperator(BaseOperator):
    """Orders as many do: whenever it is tried, and waits. Each try is a new intent, so nothing is remembered."""

    template_fields = ("amount", "exchange_conn_id")

    def __init__(self, *, amount, exchange_conn_id, **kwargs):
        super().__init__(**kwargs)
        self.amount = amount
        self.exchange_conn_id = exchange_conn_id

    def execute(self, context):
        from tradehook_provider.arguments import new_order
        from tradehook_provider.hooks.exchange import ExchangeHook

        with ExchangeHook(self.exchange_conn_id) as hook:
            wanted = new_order(
                market="BTC/PYUSD", side="buy", amount=self.amount, price=None, chain=None, good_for=None,
                max_slippage=None, bounded=False,
            )  # fmt: skip
            placed = hook.desk.place_order(wanted, intent_id=str(uuid.uuid4()), source="naive", is_unattended=True)
            time.sleep(10)
            return {"order_id": placed.order.order_id}


with DAG("naive", schedule=None, start_date=START, default_args=AGAIN, max_active_runs=64, max_active_tasks=64):
    NaiveOperator(task_id="place", amount="{{ dag_run.conf.amount }}", exchange_conn_id="{{ dag_run.conf.connection }}")

with DAG("many", schedule=None, start_date=START, default_args=AGAIN, max_active_tasks=64):

    @task(retries=0)
    def orders(dag_run=None):
        conf = dag_run.conf
        names = conf["connections"]
        return [
            {"amount": f"${11 + number / 100:.2f}", "exchange_conn_id": names[number % len(names)]}
            for number in range(conf["count"])
        ]

    PlaceOrderOperator.partial(
        task_id="place", market="BTC/PYUSD", side="buy", wait="deferred", inline_wait_seconds=20, poll_seconds=1
    ).expand_kwargs(orders())
