"""The deployment of `deploy/celery/`, really started by its own script: two schedulers, two workers, one triggerer.

What the API server says is what a person sees; what the exchange says is the judge.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import psutil

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "deploy" / "celery" / "processes.sh"
ENDED = ("success", "failed")


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def until(seconds: float, look: Any, *, what: str, every: float = 0.5) -> Any:
    """What the look returns as soon as it is something."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if found := look():
                return found
        except httpx.TransportError:
            pass
        time.sleep(every)
    raise AssertionError(f"{what}: not after {seconds} s")


def own_environment() -> dict[str, str]:
    """What commands get: this Python's programs first, and no settings from outside."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "TRADEHOOK"))}
    return {**kept, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}


class Deployment:
    """Everything that `processes.sh up` starts, in a folder of its own."""

    def __init__(self, dags: Path, **settings: str) -> None:
        # PostgreSQL runs as a user of its own, which has no way into pytest's folders.
        self.folder = Path(tempfile.mkdtemp(prefix="th-celery-"))
        self.folder.chmod(0o711)
        ports = {f"{name}_PORT": str(free_port()) for name in ("API", "POSTGRES", "REDIS", "SANDBOX")}
        self.url = f"http://127.0.0.1:{ports['API_PORT']}"
        self.sandbox = f"http://127.0.0.1:{ports['SANDBOX_PORT']}"
        self.environment = {
            **own_environment(),
            "FOLDER": str(self.folder),
            "DAGS": str(dags),
            "LOG_PORT": str(free_port()),
            **ports,
            **settings,
        }
        self.client = httpx.Client(base_url=self.url, timeout=30, trust_env=False)

    # --- processes --------------------------------------------------------------------------------------------------

    def script(self, *words: str) -> str:
        # To a file: what it starts in the background would keep a pipe open.
        said = self.folder / "script.log"
        with said.open("w") as out:
            done = subprocess.run(["bash", str(SCRIPT), *words], env=self.environment, stdout=out, stderr=out)
        assert done.returncode == 0, f"{words}: {said.read_text()}\n{self.tails()}"
        return said.read_text()

    def start(self) -> None:
        self.script("up")

    def stop(self) -> None:
        self.script("down")

    def command(self, *words: str, **settings: str) -> str:
        """What a command prints that shares the journal of the tasks."""
        password = (self.folder / "secrets" / "journal_password").read_text()
        journal = f"postgresql://tradehook:{password}@127.0.0.1:{self.environment['POSTGRES_PORT']}/tradehook"
        environment = {**self.environment, **settings, "TRADEHOOK_JOURNAL_URL": journal}
        done = subprocess.run([*words], env=environment, capture_output=True, text=True)
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout

    def up(self, *, dags: int) -> None:
        self.start()
        until(180, lambda: self.client.get("/api/v2/version").status_code == 200, what="the API server")
        self.client.headers["Authorization"] = f"Bearer {self.client.get('/auth/token').json()['access_token']}"
        until(180, lambda: len(self.get("dags")["dags"]) >= dags, what="its DAGs")

    def down(self) -> None:
        self.client.close()
        self.stop()
        if os.environ.get("KEEP_DEPLOYMENT") is None:
            shutil.rmtree(self.folder, ignore_errors=True)

    def tails(self) -> str:
        return "\n".join(f"== {log.name}\n{log.read_text()[-600:]}" for log in sorted(self.folder.glob("logs/*.log")))

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        """What a statement finds in Airflow's own database."""
        import psycopg

        password = (self.folder / "secrets" / "postgres_password").read_text()
        with psycopg.connect(
            host="127.0.0.1", port=int(self.environment["POSTGRES_PORT"]), user="airflow", password=password,
            dbname="airflow", autocommit=True,
        ) as connection:  # fmt: skip
            return connection.execute(statement).fetchall()

    # --- Airflow ----------------------------------------------------------------------------------------------------

    def _asked(self, method: str, path: str, **more: Any) -> Any:
        answer = self.client.request(method, f"/api/v2/{path}", **more)
        assert answer.status_code < 300, f"{method} {path}: {answer.status_code} {answer.text[:500]}"
        return answer.json() if answer.content else None

    def get(self, path: str, **params: Any) -> Any:
        return self._asked("GET", path, params=params)

    def connect(self, conn_id: str, **fields: Any) -> None:
        """A connection, as a person makes it in the form."""
        extra = fields.pop("extra", None)
        body = {"connection_id": conn_id, **fields, "extra": None if extra is None else json.dumps(extra)}
        self._asked("POST", "connections", json=body)

    def switch_on(self, dag_id: str) -> None:
        self._asked("PATCH", f"dags/{dag_id}", json={"is_paused": False})

    def trigger(self, dag_id: str, conf: dict[str, Any] | None = None, *, run_id: str | None = None) -> str:
        body = {"logical_date": None, "conf": conf or {}, **({"dag_run_id": run_id} if run_id else {})}
        return self._asked("POST", f"dags/{dag_id}/dagRuns", json=body)["dag_run_id"]

    def run_state(self, dag_id: str, run_id: str) -> str:
        return self.get(f"dags/{dag_id}/dagRuns/{quote(run_id)}")["state"]

    def tasks(self, dag_id: str, run_id: str) -> dict[str, str | None]:
        found = self.get(f"dags/{dag_id}/dagRuns/{quote(run_id)}/taskInstances", limit=1000)["task_instances"]
        return {task["task_id"]: task["state"] for task in found}

    def log(self, dag_id: str, run_id: str, task_id: str, *, number: int = 1) -> str:
        path = f"/api/v2/dags/{dag_id}/dagRuns/{quote(run_id)}/taskInstances/{task_id}/logs/{number}"
        return self.client.get(path, params={"full_content": True}).text

    def result(self, dag_id: str, run_id: str, task_id: str) -> Any:
        path = f"dags/{dag_id}/dagRuns/{quote(run_id)}/taskInstances/{task_id}/xcomEntries/return_value"
        return self.get(path, deserialize="true")["value"]

    def clear(self, dag_id: str, run_id: str, task_id: str) -> None:
        body = {"dry_run": False, "dag_run_id": run_id, "task_ids": [task_id], "only_failed": False}
        self._asked("POST", f"dags/{dag_id}/clearTaskInstances", json=body)

    def mark(self, dag_id: str, run_id: str, task_id: str, state: str) -> None:
        path = f"dags/{dag_id}/dagRuns/{quote(run_id)}/taskInstances/{task_id}"
        self._asked("PATCH", path, json={"new_state": state})

    def answer(self, dag_id: str, run_id: str, task_id: str, *, seconds: float = 120) -> None:
        """Say yes to what a task asks."""
        path = f"dags/{dag_id}/dagRuns/{quote(run_id)}/taskInstances/{task_id}"
        until(seconds, lambda: self.get(path)["state"] == "awaiting_input", what=f"{dag_id} asks")
        time.sleep(3)  # an answer within a moment of the question meets Airflow's own race
        (asked,) = [
            each
            for each in self.get(f"dags/{dag_id}/dagRuns/{quote(run_id)}/hitlDetails")["hitl_details"]
            if each["task_instance"]["task_id"] == task_id
        ]
        body = {"chosen_options": ["Approve"], "params_input": dict.fromkeys(asked["params"], "test")}
        self._asked("PATCH", f"{path}/-1/hitlDetails", json=body)

    # --- the exchange -----------------------------------------------------------------------------------------------

    def admin(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        answer = httpx.request(method, f"{self.sandbox}/_sandbox/{path}", json=body, timeout=30, trust_env=False)
        assert answer.status_code < 300, answer.text
        return answer.json()


class Standalone(Deployment):
    """`airflow standalone` on SQLite, with one of each, on the same account."""

    def start(self) -> None:
        (self.folder / "logs").mkdir()
        key, journal = self.folder / "key.json", f"sqlite:///{self.folder}/journal.db"
        port = self.environment["API_PORT"]
        account = {
            "conn_type": "true_markets",
            "host": self.sandbox,
            "extra": {"environment": "sandbox", "key_path": str(key)},
        }
        self.environment |= {
            "AIRFLOW_HOME": str(self.folder / "airflow"),
            "AIRFLOW__CORE__DAGS_FOLDER": self.environment["DAGS"],
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "AIRFLOW__CORE__PARALLELISM": "4",
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__API__PORT": port,
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(free_port()),
            "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(free_port()),
            "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
            "AIRFLOW_CONN_TRUE_MARKETS_DEFAULT": json.dumps(account),
            "TRADEHOOK_ENVIRONMENT": "sandbox",
            "TRADEHOOK_TRUE_MARKETS_URL": self.sandbox,
            "TRADEHOOK_TRUE_MARKETS_KEY_FILE": str(key),
            "TRADEHOOK_JOURNAL_URL": journal,
        }
        sandbox = self.environment["SANDBOX_PORT"]
        self.processes = [
            self._launch(
                "tradehook-sandbox", "serve", "--port", sandbox, "--key-file", str(key), "--rate-limit", "0",
                "--withdrawal-seconds", "1",
            )
        ]  # fmt: skip
        until(30, lambda: self.admin("GET", "ledger"), what="the sandbox")
        self.processes.append(self._launch("airflow", "standalone"))

    def stop(self) -> None:
        for process in reversed(self.processes):
            # Asked to stop, `airflow standalone` leaves its children behind.
            family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
            os.killpg(process.pid, signal.SIGTERM)
            _, alive = psutil.wait_procs(family, timeout=15)
            for one in alive:
                one.kill()
            process.wait(10)

    def script(self, *words: str) -> str:
        done = subprocess.run([*words], env=self.environment, capture_output=True, text=True)
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout

    def _launch(self, *command: str) -> subprocess.Popen[bytes]:
        with (self.folder / "logs" / f"{command[0]}.log").open("w") as log:
            return subprocess.Popen(command, env=self.environment, stdout=log, stderr=log, start_new_session=True)
