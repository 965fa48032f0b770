"""DAGs for the tests: asking for prices, canceling, sending transfers and writing lists."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG

from tradehook_provider.operators.cancels import CancelOrderOperator
from tradehook_provider.operators.lists import ListOrdersOperator, ListTransfersOperator
from tradehook_provider.operators.orders import PlaceOrderOperator
from tradehook_provider.operators.quotes import GetQuoteOperator
from tradehook_provider.operators.transfers import TransferOperator
from tradehook_provider.sensors.transfers import TransferSensor


def dag(dag_id: str, **params: str) -> DAG:
    return DAG(
        dag_id,
        schedule=None,
        start_date=datetime(2026, 1, 1, tzinfo=UTC),
        catchup=False,
        default_args={"retry_delay": timedelta(0)},
        params=params,
    )


with dag("quote_and_cancel", amount="$250") as quote_and_cancel:
    quote = GetQuoteOperator(task_id="quote", market="BTC/PYUSD", side="buy", amount="{{ params.amount }}")
    rest = PlaceOrderOperator(
        task_id="rest", market="BTC/PYUSD", side="buy", amount="0.001", price="50000", good_for="1h", wait=False
    )
    cancel = CancelOrderOperator(task_id="cancel", order_id=rest.output["order_id"])
    quote >> rest >> cancel

SEND = {
    "asset": "BTC",
    "amount": "{{ params.amount }}",
    "destination": "vault",
    "poll_seconds": 0.1,
    "deferred_poll_seconds": 0.2,
}

with dag("send", amount="0.01") as send:
    TransferOperator(task_id="send", timeout_seconds=30, **SEND)

with dag("send_deferred", amount="0.01") as send_deferred:
    TransferOperator(task_id="send", deferrable=True, inline_wait_seconds=0, timeout_seconds=30, **SEND)

with dag("send_and_sense", amount="0.01") as send_and_sense:
    sent = TransferOperator(task_id="send", wait=False, **SEND)
    by_transfer = TransferSensor(
        task_id="by_transfer", transfer_id=sent.output["transfer_id"], poke_interval=0.1, timeout=30
    )
    by_intent = TransferSensor(
        task_id="by_intent",
        intent_id=sent.output["intent_id"],
        deferrable=True,
        inline_wait_seconds=0,
        poke_interval=0.2,
        timeout=30,
    )
    sent >> [by_transfer, by_intent]

with dag("write_lists", folder="-") as write_lists:
    ListOrdersOperator(task_id="orders", path="file://{{ params.folder }}/{{ ds }}/orders.jsonl", since="1h")
    ListTransfersOperator(
        task_id="transfers", path="file://{{ params.folder }}/{{ ds }}/transfers.jsonl", statuses="pending,completed"
    )
