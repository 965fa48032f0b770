"""The stage for Airflow in chat: a real Airflow in a process of its own, and a wire to it on which answers get lost."""

from __future__ import annotations

import http.server
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from tradehook_bot.airflow.settings import AirflowSettings

HERE = Path(__file__).parent
PATIENCE_SECONDS = 40
OPEN = ("awaiting_input", "deferred")


class Wire(http.server.ThreadingHTTPServer):
    """Passes everything on to Airflow, unless it is told that something goes wrong.

    `faults` are taken one a matching request: `before` calls something first, `lost` breaks off before Airflow hears of
    it, `unheard` after it has answered. `is_cut` breaks off everything, `deaf_to` what goes to a path.
    """

    daemon_threads = True

    def __init__(self, airflow):
        super().__init__(("127.0.0.1", 0), Passing)
        self.airflow = airflow
        self.client = httpx.Client(base_url=airflow.url, timeout=60, trust_env=False)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.is_cut = False
        self.deaf_to = None
        self.faults = []
        self.seen = []

    def fault(self, kind, *, method="PATCH", path="hitlDetails", first=lambda: None):
        self.faults.append((kind, method, path, first))

    def take(self, method, path):
        for fault in self.faults:
            if fault[1] == method and fault[2] in path:
                self.faults.remove(fault)
                return fault
        return None

    def handle_error(self, request, client_address):
        """A connection that the bot left, or that was cut on purpose, is nobody's fault."""


class Passing(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def _pass(self):
        wire = self.server
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        fault = wire.take(self.command, self.path)
        if wire.is_cut or (fault and fault[0] == "lost") or (wire.deaf_to and wire.deaf_to in self.path):
            self.close_connection = True
            self.connection.close()
            return
        if fault:
            fault[3]()
        kept = {
            name: value for name, value in self.headers.items() if name.lower() in ("authorization", "content-type")
        }
        wire.seen.append((self.command, self.path))
        answer = wire.client.request(self.command, self.path, content=body, headers=kept)
        if fault and fault[0] == "unheard":
            self.close_connection = True
            self.connection.close()
            return
        self.send_response_only(answer.status_code)
        for name in ("content-type", "date"):
            if name in answer.headers:
                self.send_header(name, answer.headers[name])
        self.send_header("content-length", str(len(answer.content)))
        self.end_headers()
        self.wfile.write(answer.content)

    do_GET = do_POST = do_PATCH = _pass  # noqa: N815 - as the server calls them


class Airflow:
    """A running one, from its people's side."""

    def __init__(self, url):
        self.url = url
        self.clients = []
        self.root = self.person("root")

    def close(self):
        for client in self.clients:
            client.close()

    def person(self, name):
        client = httpx.Client(base_url=self.url, timeout=60, trust_env=False)
        self.clients.append(client)
        answer = client.post("/auth/token", json={"username": name, "password": f"{name}'s password"})
        assert answer.status_code == 201, answer.text
        client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        return client

    def get(self, path, **params):
        answer = self.root.get(f"/api/v2/{path}", params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def start(self, dag_id, **conf):
        answer = self.root.post(f"/api/v2/dags/{dag_id}/dagRuns", json={"logical_date": None, "conf": conf})
        assert answer.status_code == 200, answer.text
        return answer.json()["dag_run_id"]

    def detail(self, dag_id, run_id, task_id="may_i"):
        answer = self.root.get(path_of(dag_id, run_id, task_id))
        return answer.json() if answer.status_code == 200 else None

    def asks(self, dag_id, run_id, *, other_than=None, task_id="may_i"):
        """The question of a run, as soon as it waits."""

        def look():
            found = self.detail(dag_id, run_id, task_id)
            waits = found and found["task_instance"]["state"] in OPEN and not found["response_received"]
            return found if waits and found["task_instance"]["id"] != other_than else None

        return until(look)

    def answer(self, dag_id, run_id, option, *, who="root", task_id="may_i", **form):
        body = {"chosen_options": [option], "params_input": form}
        answer = self.person(who).patch(path_of(dag_id, run_id, task_id), json=body)
        assert answer.status_code == 200, answer.text

    def clear(self, dag_id, run_id, task_id="may_i"):
        body = {"dry_run": False, "dag_run_id": run_id, "task_ids": [task_id], "only_failed": False}
        answer = self.root.post(f"/api/v2/dags/{dag_id}/clearTaskInstances", json=body)
        assert answer.status_code == 200, answer.text

    def task_state(self, dag_id, run_id, task_id):
        return self.get(f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}")["state"]

    def runs(self, dag_id):
        return self.get(f"dags/{dag_id}/dagRuns", limit=100)["dag_runs"]

    def forget(self):
        """No run is left of former tests. One that is being worked on is not let go of at once."""

        def look():
            runs = self.get("dags/~/dagRuns", limit=100)["dag_runs"]
            for run in runs:
                path = f"/api/v2/dags/{run['dag_id']}/dagRuns/{run['dag_run_id']}"
                self.root.patch(path, json={"state": "failed"})
                self.root.delete(path)
            return not runs

        until(look)


def path_of(dag_id, run_id, task_id):
    return f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/-1/hitlDetails"


def quoted(name):
    return quote(name, safe="")


def until(look, seconds=PATIENCE_SECONDS):
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, "it never came to be"
        time.sleep(0.05)
    return found


@contextmanager
def serving(folder, *dags, **environment):
    """An Airflow of its own; see `airflow_server.py`."""
    with (folder / "airflow.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, str(HERE / "airflow_server.py"), str(folder / "home"), *map(str, dags)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env=environment or None,
        )
        try:
            line = process.stdout.readline()
            assert line.startswith("ready "), (folder / "airflow.log").read_text()[-3000:]
            airflow = Airflow(line.split()[1])
            yield airflow
            airflow.close()
        finally:
            process.stdin.close()
            process.wait(30)
            process.stdout.close()


@contextmanager
def wired(airflow):
    wire = Wire(airflow)
    thread = threading.Thread(target=wire.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield wire
    finally:
        wire.shutdown()
        thread.join()
        wire.server_close()
        wire.client.close()


@pytest.fixture(scope="module")
def running_airflow(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("airflow")) as airflow:
        yield airflow


@pytest.fixture
def airflow(running_airflow):
    running_airflow.forget()
    return running_airflow


@pytest.fixture
def wire(airflow):
    with wired(airflow) as wire:
        yield wire


@pytest.fixture
def settings(wire, tmp_path):
    secret = tmp_path / "password"
    secret.write_text("the bot's password\n")
    return AirflowSettings(url=wire.url, user="bot", password_file=secret)
