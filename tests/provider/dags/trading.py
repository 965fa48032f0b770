"""DAGs for the tests, one for each way of placing an order and waiting for it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG

from tradehook_provider.operators.balances import BalancesOperator
from tradehook_provider.operators.orders import PlaceOrderOperator
from tradehook_provider.operators.rebalance import RebalanceOperator
from tradehook_provider.sensors.orders import OrderSensor

ORDER = {
    "market": "{{ params.market }}",
    "side": "{{ params.side }}",
    "amount": "{{ params.amount }}",
    "poll_seconds": 0.1,
    "deferred_poll_seconds": 0.2,
}


def dag(dag_id: str) -> DAG:
    return DAG(
        dag_id,
        schedule=None,
        start_date=datetime(2026, 1, 1, tzinfo=UTC),
        catchup=False,
        default_args={"retry_delay": timedelta(0)},
        params={
            "market": "BTC/PYUSD",
            "side": "buy",
            "amount": "0.001",
            "price": "50000",
            "order_id": "-",
            "targets": {"BTC": 40, "ETH": 40},
        },
    )


with dag("place") as place:
    PlaceOrderOperator(task_id="place", **ORDER)

with dag("place_deferred") as place_deferred:
    PlaceOrderOperator(task_id="place", deferrable=True, inline_wait_seconds=0, **ORDER)

with dag("place_limit") as place_limit:
    PlaceOrderOperator(
        task_id="place",
        price="{{ params.price }}",
        good_for="1h",
        deferrable=True,
        inline_wait_seconds=0,
        timeout_seconds=20,
        **ORDER,
    )

with dag("place_limit_briefly") as place_limit_briefly:
    PlaceOrderOperator(
        task_id="place",
        price="{{ params.price }}",
        good_for="1h",
        deferrable=True,
        inline_wait_seconds=0,
        timeout_seconds=1,
        **ORDER,
    )

with dag("place_and_sense") as place_and_sense:
    placed = PlaceOrderOperator(task_id="place", wait=False, **ORDER)
    by_order = OrderSensor(task_id="by_order", order_id=placed.output["order_id"], poke_interval=0.1, timeout=20)
    by_intent = OrderSensor(
        task_id="by_intent",
        intent_id=placed.output["intent_id"],
        deferrable=True,
        inline_wait_seconds=0,
        poke_interval=0.2,
        timeout=20,
    )
    placed >> by_order >> by_intent

with dag("sense") as sense:
    OrderSensor(
        task_id="sense",
        order_id="{{ params.order_id }}",
        deferrable=True,
        inline_wait_seconds=0,
        poke_interval=0.2,
        timeout=20,
    )

with dag("mapped") as mapped:
    PlaceOrderOperator.partial(
        task_id="place", market="BTC/PYUSD", side="buy", retries=0, retry_delay=timedelta(0), poll_seconds=0.1
    ).expand(amount=["0.001", "0.001"])

with dag("balances") as balances:
    BalancesOperator(task_id="balances", targets={"BTC": "50"})

with dag("rebalance_now") as rebalance_now:
    RebalanceOperator(task_id="rebalance", targets="{{ params.targets | tojson }}", dry_run=False)
