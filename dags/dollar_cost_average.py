"""Buys the same amount of one asset at each run, whatever it costs.

Start it with *Trigger* and change the form, or give it a `schedule` below. As it stands it trades play money only: the
connection's environment is `sandbox` unless it says otherwise, and live trading is off.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, Param

from tradehook_provider.notifications.telegram import TelegramNotifier
from tradehook_provider.operators.orders import PlaceOrderOperator
from tradehook_provider.operators.quotes import GetQuoteOperator

# Whoever is told: the connection is read from the form, and an empty one tells nobody.
CHAT = "{{ params.telegram }}"

with DAG(
    dag_id="dollar_cost_average",
    description="Buys the same amount of one asset at each run.",
    doc_md="""
### Dollar cost average

1. **quote** asks what the order would cost now. It stands in the log and in the XCom, and trades nothing.
2. **buy** places one market order and waits until it is filled, in the triggerer when that takes long. An order whose
   price is worse than *Slippage* allows is not sent.

Retrying, killing or clearing *buy* never buys twice; to buy again, start a new run. When an answer of the exchange is
lost, *buy* looks for it without holding a worker; what stays UNKNOWN fails and says what to type. Runs that were missed
are not made up for.
""",
    # Every Monday at eight, where the money is: schedule=CronTriggerTimetable("0 8 * * 1", timezone="Europe/Berlin"),
    # with `from airflow.sdk import CronTriggerTimetable`. Scheduled runs take the defaults of the form below.
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=2),
    default_args={
        "retries": 2,
        "retry_delay": timedelta(seconds=30),
        "on_failure_callback": TelegramNotifier(
            title="Not bought",
            text="{{ params.market }} ({{ params.connection }}): {{ exception }}",
            telegram_conn_id=CHAT,
        ),
    },
    params={
        "market": Param(
            "BTC/PYUSD",
            type="string",
            pattern=r"^[A-Za-z0-9]{1,20}/[A-Za-z0-9]{1,20}$",
            title="Market",
            description="What is bought, and what it is paid with.",
        ),
        "amount": Param(
            "$25",
            type="string",
            pattern=r"^\$?(?=[\d.]*[1-9])\d{1,9}(\.\d{1,8})?$",
            title="Amount",
            description="$25 is worth 25 of what it is paid with; 0.001 is a quantity of what is bought.",
        ),
        "max_slippage": Param(
            "1",
            type="string",
            pattern=r"^(?=[\d.]*[1-9])\d{1,2}(\.\d{1,8})?$",
            title="Slippage",
            description="Percent that the order may be expected to trade worse than the market.",
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
    account = "{{ params.connection }}"

    quote = GetQuoteOperator(
        task_id="quote",
        market="{{ params.market }}",
        side="buy",
        amount="{{ params.amount }}",
        exchange_conn_id=account,
    )
    buy = PlaceOrderOperator(
        task_id="buy",
        market="{{ params.market }}",
        side="buy",
        amount="{{ params.amount }}",
        max_slippage="{{ params.max_slippage }}",
        exchange_conn_id=account,
        deferrable=True,
        on_success_callback=TelegramNotifier(
            title="Bought",
            text="{% set order = ti.xcom_pull(task_ids='buy') %}{{ params.market }}: {{ order.filled }} at "
            "{{ order.average_price }} ({{ params.connection }})",
            telegram_conn_id=CHAT,
        ),
    )
    quote >> buy
