"""A person ends tasks in a running Airflow, through its API; what becomes of their orders the exchange itself says.

Takes two minutes, so only `make prove` runs it. In one process neither the heartbeat that cancels a trigger anew nor
the supervisor that kills a worker can be seen.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import psutil
import pytest

pytestmark = pytest.mark.prove

DAGS = """
from datetime import UTC, datetime

from airflow.sdk import DAG

from tradehook_provider.operators.orders import PlaceOrderOperator

for wait in ("deferred", "inline"):
    with DAG(wait, schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)):
        PlaceOrderOperator(
            task_id="place", market="BTC/PYUSD", side="buy", amount="0.001", price="50000", good_for="1h",
            wait=wait, inline_wait_seconds=0, timeout_seconds=600, retries=0, cancel_on_kill=True,
        )
"""


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def until(seconds, look):
    """What the look returns as soon as it is something."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if found := look():
                return found
        except httpx.TransportError:
            pass
        time.sleep(0.5)
    raise AssertionError(f"nothing after {seconds} s")


@pytest.fixture(scope="module")
def exchange(start_sandbox):
    return start_sandbox("--rate-limit", "0")


@pytest.fixture(scope="module")
def airflow(exchange, tmp_path_factory):
    """`airflow standalone` on ports and in a home of its own; a client of its API."""
    home = tmp_path_factory.mktemp("airflow")
    (home / "dags").mkdir()
    (home / "dags" / "kills.py").write_text(DAGS)
    port = free_port()
    extra = {"environment": "sandbox", "key_path": str(exchange.key_file)}
    command = Path(sys.executable).with_name("airflow")
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")},
        "PATH": f"{command.parent}:{os.environ['PATH']}",
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{port}",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(free_port()),
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(free_port()),
        "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
        "AIRFLOW_CONN_TRUE_MARKETS_DEFAULT": json.dumps(
            {"conn_type": "true_markets", "host": exchange.url, "extra": extra}
        ),
        "TRADEHOOK_JOURNAL_URL": f"sqlite:///{home}/journal.db",
    }
    with (home / "standalone.log").open("w") as log:
        process = subprocess.Popen(
            [str(command), "standalone"], env=environment, stdout=log, stderr=log, start_new_session=True
        )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20, trust_env=False) as client:
            until(180, lambda: client.get("/api/v2/version").status_code == 200)
            client.headers["Authorization"] = f"Bearer {client.get('/auth/token').json()['access_token']}"
            until(120, lambda: len(client.get("/api/v2/dags").json()["dags"]) == 2)
            yield client
    finally:
        stop(process)


def stop(process):
    """End it and everything that it started."""
    family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    os.killpg(process.pid, signal.SIGTERM)
    _, alive = psutil.wait_procs(family, timeout=10)
    for one in alive:
        one.kill()
    process.wait(10)


@pytest.mark.parametrize("wait", ["deferred", "inline"])
@pytest.mark.parametrize(("deed", "becomes"), [("failed", "canceled"), ("success", "active"), ("clear", "active")])
def test_what_becomes_of_the_order_when_a_person_ends_its_task(airflow, exchange, wait, deed, becomes):
    def orders():
        return {order["order_id"]: order["status"] for order in exchange.admin("GET", "orders")["data"]}

    before = {*orders()}
    run_id = airflow.post(f"/api/v2/dags/{wait}/dagRuns", json={"logical_date": None}).json()["dag_run_id"]
    task = f"/api/v2/dags/{wait}/dagRuns/{run_id.replace('+', '%2B').replace(':', '%3A')}/taskInstances/place"
    stands = {"deferred": "deferred", "inline": "running"}[wait]

    def is_waiting():
        placed = {*orders()} - before
        return airflow.get(task).json()["state"] == stands and placed and orders()[min(placed)] == "active" and placed

    (order_id,) = until(60, is_waiting)
    time.sleep(4)  # a triggerer takes a moment to take a trigger up
    if deed == "clear":
        body = {"dry_run": False, "dag_run_id": run_id, "task_ids": ["place"], "only_failed": False}
        answer = airflow.post(f"/api/v2/dags/{wait}/clearTaskInstances", json=body)
    else:
        answer = airflow.patch(task, json={"new_state": deed})
    assert answer.status_code == 200, answer.text
    if becomes == "canceled":
        until(30, lambda: orders()[order_id] == "canceled")
    else:
        time.sleep(15)
        assert orders()[order_id] == "active"
    assert len({*orders()} - before) == 1
