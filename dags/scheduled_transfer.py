"""Sends what is above a threshold to an address of the list, once a person said yes.

Start it with *Trigger* and change the form, or give it a `schedule` below. As it stands it sends play money only: the
connection's environment is `sandbox` unless it says otherwise, and live transfers are off.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, Param

from tradehook_provider.notifications.telegram import TelegramNotifier
from tradehook_provider.operators.approvals import TradeApprovalOperator
from tradehook_provider.operators.surplus import SurplusOperator
from tradehook_provider.operators.transfers import TransferOperator
from tradehook_provider.sensors.transfers import TransferSensor

# Whoever is told: the connection is read from the form, and an empty one tells nobody.
CHAT = "{{ params.telegram }}"
QUANTITY = r"^\d{1,12}(\.\d{1,18})?$"

with DAG(
    dag_id="scheduled_transfer",
    description="Sends what is above a threshold to an address of the list, once a person said yes.",
    doc_md="""
### Scheduled transfer

1. **surplus** reads how much of the asset is available at the exchange. When that is not enough above *Keep*, the rest
   is skipped.
2. **ask** shows a person what would be sent and to which address, in *Required Actions*. A no, or a day of silence,
   skips the rest.
3. **send** sends that very amount, once.
4. **arrived** waits until it is completed, in the triggerer.

Retrying, killing or clearing *send* never sends twice; to send again, start a new run. When an answer of the exchange
is lost, *send* looks for it without holding a worker; what stays UNKNOWN fails and says what to type. What was sent
cannot be called back.
""",
    # Every Friday, where the money is: schedule=CronTriggerTimetable("0 8 * * 5", timezone="Europe/Berlin"), with
    # `from airflow.sdk import CronTriggerTimetable`. Scheduled runs take the defaults of the form below.
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(days=3),
    default_args={
        "retries": 2,
        "retry_delay": timedelta(seconds=30),
        "on_failure_callback": TelegramNotifier(
            title="Transfer: look at this",
            text="{{ ti.task_id }} ({{ params.connection }}): {{ exception }}",
            telegram_conn_id=CHAT,
        ),
    },
    params={
        "asset": Param(
            "BTC", type="string", pattern=r"^[A-Za-z0-9]{1,15}$", title="Asset", description="What is sent."
        ),
        "keep": Param(
            "0.5",
            type="string",
            pattern=QUANTITY,
            title="Keep",
            description="How much of it stays available at the exchange.",
        ),
        "at_least": Param(
            "0.01",
            type="string",
            pattern=r"^(?=[\d.]*[1-9])\d{1,12}(\.\d{1,18})?$",
            title="At least",
            description="Less than this above it is left where it is.",
        ),
        "destination": Param(
            "vault",
            type="string",
            pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$",
            title="Destination",
            description="The label of an address on the list (tradehook destinations), never an address.",
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
    tags=["tradehook", "transfers"],
) as dag:
    account = "{{ params.connection }}"
    asset = "{{ params.asset }}"
    destination = "{{ params.destination }}"

    surplus = SurplusOperator(
        task_id="surplus",
        asset=asset,
        keep="{{ params.keep }}",
        at_least="{{ params.at_least }}",
        exchange_conn_id=account,
    )
    ask = TradeApprovalOperator(
        task_id="ask",
        asset=asset,
        amount=surplus.output["amount"],
        destination=destination,
        exchange_conn_id=account,
        response_timeout=timedelta(days=1),
        notifiers=[
            TelegramNotifier(title="Shall I?", text="{{ task.subject }}\n{{ ti.log_url }}", telegram_conn_id=CHAT)
        ],
    )
    send = TransferOperator(
        task_id="send",
        asset=asset,
        amount=ask.output["amount"],
        destination=destination,
        exchange_conn_id=account,
        wait=False,
        deferrable=True,  # what got no answer is looked for in the triggerer
    )
    arrived = TransferSensor(
        task_id="arrived",
        transfer_id=send.output["transfer_id"],
        exchange_conn_id=account,
        deferrable=True,
        timeout=timedelta(days=1).total_seconds(),
        on_success_callback=TelegramNotifier(
            title="Arrived",
            text="{% set sent = ti.xcom_pull(task_ids='arrived') %}{{ sent.quantity }} {{ params.asset }} to "
            "{{ params.destination }} ({{ params.connection }})",
            telegram_conn_id=CHAT,
        ),
    )
    surplus >> ask >> send >> arrived
