"""The DAGs that are shipped, in a real Airflow against a real sandbox."""

from __future__ import annotations

import importlib.util
import json
import secrets
import sys
import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from tradehook_sandbox.telegram.driver import Person

HERE = Path(__file__).parent


def load_once():
    """The one `airflow_home`, whichever folder comes first: a second one would be a second Airflow home."""
    if "tradehook_airflow_home" not in sys.modules:
        spec = importlib.util.spec_from_file_location(
            "tradehook_airflow_home", HERE.parent / "provider" / "airflow_home.py"
        )
        module = importlib.util.module_from_spec(spec)
        sys.modules["tradehook_airflow_home"] = module
        spec.loader.exec_module(module)
    return sys.modules["tradehook_airflow_home"]


home = load_once()
airflow_database, account, run_dag, unmasked = home.airflow_database, home.account, home.run_dag, home.unmasked


def pytest_collection_modifyitems(items):
    home.mark_warnings(items, folder=HERE)


class Chat:
    """A person who has started a bot of this test alone, behind `telegram_default`."""

    def __init__(self, server, monkeypatch) -> None:
        self.token = f"{secrets.randbelow(10**9) + 10**6}:{secrets.token_hex(20)}"
        self.person = Person(server.url, user=f"ann{secrets.token_hex(4)}", token=self.token)
        self.person.say("/start")
        connection = {
            "conn_type": "telegram",
            "host": str(self.person.chat),
            "password": self.token,
            "extra": {"base_url": server.url},
        }
        monkeypatch.setenv("AIRFLOW_CONN_TELEGRAM_DEFAULT", json.dumps(connection))

    def told(self) -> list[str]:
        """Everything the bot said."""
        return [message.text for message in self.person.messages() if message.from_bot]

    def fail(self, **more) -> None:
        self.person.remote.post("/faults", method="sendMessage", token=self.token, **more)


@pytest.fixture(scope="module")
def server(start_sandbox):
    """One sandbox for a file: starting one for each test takes longer than the tests."""
    return start_sandbox("--rate-limit", "0", "--withdrawal-seconds", "1")


@pytest.fixture(autouse=True)
def tried_again_at_once(monkeypatch):
    """No test waits for the time between two tries."""
    find = home.find_dag

    def found(dag_id):
        dag = find(dag_id)
        for task in dag.tasks:
            task.retry_delay = timedelta(0)
        return dag

    monkeypatch.setattr(home, "find_dag", found)


@pytest.fixture
def money(monkeypatch, tmp_path, server):
    """It, behind `true_markets_default` and a journal of this test alone."""
    server.clear_faults()
    return home.connect(monkeypatch, tmp_path, server, timeout_seconds=2)


@pytest.fixture
def chat(server, monkeypatch, airflow_database):
    return Chat(server, monkeypatch)


@pytest.fixture
def hook(money):
    """The account, for what a test does beside the DAG."""
    from tradehook_provider.hooks.exchange import ExchangeHook

    with ExchangeHook() as opened:
        yield opened


@pytest.fixture
def unhurried(monkeypatch):
    """Nobody looks at once for an answer that was lost; triggers look often."""
    from tradehook_provider import connections, doubts

    monkeypatch.setattr(doubts, "POLL_SECONDS", 0.2)
    settings_of = connections.settings_of
    monkeypatch.setattr(
        connections, "settings_of", lambda *args, **more: replace(settings_of(*args, **more), look_seconds=0)
    )


@pytest.fixture
def place(hook):
    """Place an order past these DAGs: `place("intent id", price="50000", good_for="1h")`; returns its id."""
    from tradehook_provider.arguments import new_order

    def placed(intent_id, *, market="BTC/PYUSD", side="buy", amount="0.001", **more):
        order = new_order(market=market, side=side, amount=amount, **{"price": None, "chain": None, **more})
        source = "airflow:elsewhere/run/task"
        made = hook.desk.place_order(order, intent_id=intent_id, source=source, is_unattended=True)
        return made.order.order_id

    return placed


class Ann:
    """A person who looks for a prompt in a thread beside the run, and answers it over Airflow's own REST API."""

    def __init__(self, client, chosen) -> None:
        self.client, self.chosen = client, chosen
        self.first = lambda: None
        self.prompts, self.codes = [], []

    def __enter__(self):
        self.is_over = threading.Event()
        self.thread = threading.Thread(target=self._look)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.is_over.set()
        self.thread.join()

    def _look(self):
        looked = {"response_received": "false", "state": "awaiting_input", "order_by": "-created_at"}
        while not self.is_over.wait(0.1):
            for prompt in self.client.get("/api/v2/dags/~/dagRuns/~/hitlDetails", params=looked).json()["hitl_details"]:
                ti = prompt["task_instance"]
                self.first()
                answered = self.client.patch(
                    f"/api/v2/dags/{ti['dag_id']}/dagRuns/{ti['dag_run_id']}/taskInstances/{ti['task_id']}/-1/hitlDetails",
                    json={"chosen_options": [self.chosen], "params_input": {"approver": "ann"}},
                )
                self.prompts.append(prompt)
                self.codes.append(answered.status_code)


@pytest.fixture(scope="module")
def api_server(airflow_database):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS", "ann:user")
        from airflow.api_fastapi.app import create_app, purge_cached_app

        purge_cached_app()
        yield create_app(apps="core")
        purge_cached_app()


@pytest.fixture
def ann(api_server):
    """`with ann("Approve") as person:` answers whatever is asked meanwhile."""
    from airflow.api_fastapi.app import get_auth_manager
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
    from fastapi.testclient import TestClient

    def answers(chosen):
        token = get_auth_manager().generate_jwt(SimpleAuthManagerUser(username="ann", role="user"))
        return Ann(TestClient(api_server, headers={"Authorization": f"Bearer {token}"}), chosen)

    return answers
