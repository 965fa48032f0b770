"""Every DAG that is shipped, on Celery with two schedulers and two workers and under `airflow standalone`."""

from __future__ import annotations

import secrets
import time
from decimal import Decimal

import pytest
from tradehook_deployment import ENDED, ROOT, Deployment, Standalone, until

from tradehook_sandbox.telegram.driver import Person

pytestmark = [pytest.mark.prove, pytest.mark.filterwarnings("ignore")]

VAULT = "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq"
DAGS = sorted(path.stem for path in (ROOT / "dags").glob("*.py"))


class Chat:
    def __init__(self, url):
        self.token = f"{secrets.randbelow(10**9) + 10**6}:{secrets.token_hex(20)}"
        self.person = Person(url, user="ann", token=self.token)
        self.person.say("/start")

    def told(self):
        return [message.text for message in self.person.messages() if message.from_bot]


def run_them_all(airflow):
    """Every DAG once, on one account; what each did, by name."""
    chat = Chat(airflow.sandbox)
    airflow.connect(
        "telegram_default", conn_type="telegram", host=str(chat.person.chat), password=chat.token,
        extra={"base_url": airflow.sandbox},
    )  # fmt: skip
    airflow.script(
        "tradehook", "destinations", "add", "vault", VAULT, "--network", "bitcoin", "--again", VAULT, "--day-cap", "90000",
    )  # fmt: skip
    # The events of an account begin when its watcher does, so it comes first.
    for dag_id in sorted(DAGS, key=lambda name: name != "on_fill"):
        airflow.switch_on(dag_id)
    time.sleep(15)
    ended = {}

    def end(dag_id, conf=None, *, asks=None):
        run_id = airflow.trigger(dag_id, conf)
        if asks:
            airflow.answer(dag_id, run_id, asks)
        until(240, lambda: airflow.run_state(dag_id, run_id) in ENDED, what=dag_id)
        tasks = airflow.tasks(dag_id, run_id)
        ended[dag_id] = (airflow.run_state(dag_id, run_id), tasks)
        print(f"{dag_id}: {ended[dag_id]}", flush=True)
        assert ended[dag_id][0] == "success", "\n".join(airflow.log(dag_id, run_id, task) for task in tasks)
        return run_id

    orders = airflow.admin("GET", "ledger")["orders"]
    run_id = end("dollar_cost_average", {"telegram": "telegram_default"})
    assert airflow.result("dollar_cost_average", run_id, "buy")["status"] == "filled"
    assert airflow.admin("GET", "ledger")["orders"] == orders + 1
    run_id = end("rebalance", {"dry_run": False, "targets": {"BTC": 45, "ETH": 30}})
    legs = airflow.result("rebalance", run_id, "rebalance")["legs"]
    assert {leg["state"] for leg in legs} == {"filled"}, legs
    run_id = end("approve_trade", {"telegram": "telegram_default", "targets": {"BTC": 30, "ETH": 30}}, asks="ask")
    assert airflow.result("approve_trade", run_id, "trade")["legs"]
    airflow.admin("POST", "balances", {"symbol": "BTC", "available": "0.75"})
    transfers = airflow.admin("GET", "ledger")["transfers"]
    run_id = end("scheduled_transfer", {"telegram": "telegram_default"}, asks="ask")
    assert Decimal(airflow.result("scheduled_transfer", run_id, "arrived")["quantity"]) == Decimal("0.25")
    assert airflow.admin("GET", "ledger")["transfers"] == transfers + 1
    end("daily_report")
    end("order_monitor")

    def runs_of_on_fill():
        runs = airflow.get("dags/on_fill/dagRuns")["dag_runs"]
        return [run for run in runs if run["run_type"] == "asset_triggered" and run["state"] == "success"]

    runs = until(180, runs_of_on_fill, what="on_fill by itself")
    ended["on_fill"] = ("success", airflow.tasks("on_fill", runs[0]["dag_run_id"]))
    print(f"on_fill: {ended['on_fill']}")
    ledger = airflow.admin("GET", "ledger")
    told = chat.told()
    print("told:", *told, sep="\n  ")
    assert ledger["balanced"] is True
    assert {*ended} == {*DAGS}
    assert any(text.startswith("Filled: bought") for text in told), told
    return ended


@pytest.mark.parametrize("kind", [Deployment, Standalone])
@pytest.mark.usefixtures("servers")
def test_every_dag_succeeds(kind):
    airflow = kind(ROOT / "dags")
    try:
        airflow.up(dags=len(DAGS))
        run_them_all(airflow)
    finally:
        airflow.down()
