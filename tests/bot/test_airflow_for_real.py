"""`airflow standalone` with the DAGs that come with tradehook, started and approved from chat; the exchange is the judge.

Takes two minutes, so only `make prove` runs it.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import httpx
import psutil
import pytest

from tradehook_bot.airflow.settings import AirflowSettings

pytestmark = pytest.mark.prove
ROOT = Path(__file__).parents[2]
PASSWORD = "the chat bot's password"


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


@pytest.fixture
def standalone(exchange, tmp_path):
    """Its settings for a bot. Tasks and bot share a journal."""
    home, port = tmp_path / "airflow", free_port()
    home.mkdir()
    secret = tmp_path / "password"
    secret.write_text(PASSWORD)
    (home / "passwords.json").write_text(json.dumps({"chat-bot": PASSWORD}))
    command = Path(sys.executable).with_name("airflow")
    extra = {"environment": "sandbox", "key_path": str(exchange.key_file)}
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "TRADEHOOK"))}
    environment = {
        **kept,
        "PATH": f"{command.parent}:{os.environ['PATH']}",
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "chat-bot:user",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(home / "passwords.json"),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
        "AIRFLOW__CORE__PARALLELISM": "2",
        "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{port}",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(free_port()),
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(free_port()),
        "AIRFLOW_CONN_TRUE_MARKETS_DEFAULT": json.dumps(
            {"conn_type": "true_markets", "host": exchange.url, "extra": extra}
        ),
        "TRADEHOOK_JOURNAL_URL": f"sqlite:///{tmp_path}/journal.db",
    }
    with (home / "log").open("w") as log:
        process = subprocess.Popen(
            [str(command), "standalone"], env=environment, stdout=log, stderr=log, start_new_session=True
        )
    try:
        url = f"http://127.0.0.1:{port}"
        wait_for_dag(url, home / "log")
        yield AirflowSettings(url=url, user="chat-bot", password_file=secret), environment["TRADEHOOK_JOURNAL_URL"]
    finally:
        family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
        os.killpg(process.pid, signal.SIGTERM)
        _, alive = psutil.wait_procs(family, timeout=10)
        for one in alive:
            one.kill()
        process.wait(10)


def wait_for_dag(url, log):
    deadline = time.monotonic() + 240
    with httpx.Client(base_url=url, timeout=20, trust_env=False) as client:
        while time.monotonic() < deadline:
            try:
                token = client.post("/auth/token", json={"username": "chat-bot", "password": PASSWORD})
                if token.status_code == 201:
                    headers = {"Authorization": f"Bearer {token.json()['access_token']}"}
                    if client.get("/api/v2/dags/approve_trade", headers=headers).status_code == 200:
                        return
            except httpx.TransportError:
                pass
            time.sleep(1)
    raise AssertionError(log.read_text()[-3000:])


def test_a_plan_is_started_and_approved_from_chat_and_traded_once(exchange, make_bot, standalone):
    settings, journal_url = standalone
    bot = make_bot(airflow=settings)
    bot.account = replace(bot.account, journal_url=journal_url)
    before = exchange.orders()
    with bot.running():
        anna = bot.let_in()
        anna.say("/run")
        assert "/run approve_trade: " in anna.wait_for("What can be started in Airflow").text
        anna.say('/run approve_trade targets={"BTC": 50, "ETH": 20} band=0.5')
        run_card = anna.wait_for("Open until:")
        anna.tap(2, run_card)
        question = anna.wait_for(
            lambda seen: "Airflow asks" in seen.text and seen.buttons, since=0, timeout_seconds=120
        )
        assert "Rebalance true_markets_default" in question.text
        assert "Silence until" in question.text
        assert exchange.orders() == before
        for _ in range(3):
            anna.forge(question.buttons[0].data, question)
        anna.wait_for(
            lambda seen: seen.id == run_card.id and "approve_trade is done" in seen.text, since=0, timeout_seconds=180
        )
        answered = [message for message in anna.messages() if message.id == question.id]
        assert f"Approve: answered by tg:{anna.chat}" in answered[0].text
        placed = exchange.orders() - before
        assert placed > 0
        told = anna.wait_for("approve_trade in Airflow" if placed > 1 else "Filled", since=0)
        assert told.from_bot
        legs = [intent for intent in bot.house.journal.list() if intent.kind == "order"]
        assert len(legs) == placed
