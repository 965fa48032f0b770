"""DAGs for the tests of Airflow in chat: some ask a person, some are started from chat."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.providers.standard.operators.hitl import ApprovalOperator, HITLOperator
from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import DAG, Param

HOSTILE = (
    "# Plan\n\n| buy | BTC |\n<b>bold</b> [tap me](tg://user?id=1) *star* _under_ `code`\n"
    "/freeze and /cancel_all\n\u202edesrever\u202c SANDBOX · Confirmed"
)


def dag(dag_id: str, **more) -> DAG:
    return DAG(
        dag_id, schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC), catchup=False, tags=["tradehook"], **more
    )


def fail():
    raise RuntimeError("this was bound to fail")


def say(params):
    return dict(params)


APPROVER = {"approver": Param("", type=["string", "null"], title="Approved by")}

with dag("ask"):
    ApprovalOperator(
        task_id="may_i",
        subject="Buy 0.1 BTC <now> & here?",
        body=HOSTILE,
        defaults="Reject",
        params=APPROVER,
        response_timeout=timedelta(hours=1),
    ) >> PythonOperator(task_id="after", python_callable=say)

with dag("ask_ann"):
    ApprovalOperator(task_id="may_i", subject="Ann only?", assigned_users=[{"id": "ann", "name": "ann"}])

with dag("ask_for_more"):
    HITLOperator(
        task_id="may_i",
        subject="How much?",
        options=["OK", "No"],
        params={**APPROVER, "amount": Param("", type="string")},
    )

with dag("ask_briefly"):
    HITLOperator(
        task_id="may_i",
        subject="Quick?",
        options=["Yes", "No"],
        defaults="No",
        response_timeout=timedelta(seconds=7),
    )

with dag(
    "start_me",
    description="Does <nothing> much.",
    params={
        "amount": Param("0.01", type=["string", "number"], description="How much."),
        "count": Param(1, type="integer", minimum=1, maximum=5),
        "share": Param(0.5, type="number"),
        "is_dry": Param(default=True, type="boolean"),
        "side": Param("buy", enum=["buy", "sell"]),
        "targets": Param({"BTC": 40}, type="object"),
        "needed": Param(None, type=["null", "string"]),
    },
):
    PythonOperator(task_id="say", python_callable=say)

with dag("start_and_fail"):
    PythonOperator(task_id="work", python_callable=fail) >> PythonOperator(task_id="after", python_callable=say)

with dag("asleep", is_paused_upon_creation=True):
    PythonOperator(task_id="say", python_callable=say)

with DAG("not_ours", schedule=None):
    PythonOperator(task_id="say", python_callable=say)
