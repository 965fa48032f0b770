"""A real Airflow for tests: a home of its own, its database, and DAG runs in this process.

Loaded once, by the conftest of each folder that needs it (`load_once` there). The environment is set here, before
the first import of Airflow anywhere, because Airflow reads it then.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import tempfile
import warnings
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
TEST_DAGS = HERE / "dags"
REAL_DAGS = ROOT / "dags"
CONNECTION = "AIRFLOW_CONN_TRUE_MARKETS_DEFAULT"

SHARED_HOME = "AIRFLOW_HOME_OF_TESTS"
"""Set for a process that is to work in this one's Airflow."""

HOME = None if SHARED_HOME in os.environ else tempfile.TemporaryDirectory(prefix="tradehook-airflow-")
os.environ.update(
    {
        "AIRFLOW_HOME": HOME.name if HOME else os.environ[SHARED_HOME],
        "AIRFLOW__CORE__DAGS_FOLDER": str(REAL_DAGS),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps(
            [
                {
                    "name": name,
                    "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
                    "kwargs": {"path": str(path)},
                }
                for name, path in (("dags-folder", REAL_DAGS), ("test-dags", TEST_DAGS))
            ]
        ),
    }
)


def mark_warnings(items: list[pytest.Item], *, folder: Path) -> None:
    """Airflow's own warnings are not ours to fix; ours are errors here as everywhere."""
    for item in items:
        if item.path.is_relative_to(folder):
            item.add_marker(pytest.mark.filterwarnings("ignore", "error:::tradehook.*"))


@dataclass
class Run:
    """A DAG run that has come to its end."""

    dag_run: Any
    output: str
    """Everything it logged."""

    @property
    def state(self) -> str:
        return str(getattr(self.dag_run.state, "value", self.dag_run.state))

    def task_state(self, task_id: str) -> str:
        state = self._ti(task_id).state
        return str(getattr(state, "value", state))

    def tries(self, task_id: str) -> int:
        return self._ti(task_id).try_number

    def result(self, task_id: str) -> Any:
        return self._ti(task_id).xcom_pull(task_ids=task_id)

    def _ti(self, task_id: str) -> Any:
        return self.dag_run.get_task_instance(task_id)


@pytest.fixture(scope="session")
def airflow_database() -> None:
    """Airflow's tables, made once."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from airflow.utils.db import initdb

        initdb()


@pytest.fixture(autouse=True)
def unmasked() -> None:
    """No secrets of earlier tests: Airflow compiles all of them anew for each, which takes longer and longer."""
    if "airflow.sdk._shared.secrets_masker" in sys.modules:
        sys.modules["airflow.sdk._shared.secrets_masker"].reset_secrets_masker()


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, start_sandbox: Any) -> Any:
    """A fresh sandbox behind `true_markets_default`, and a journal of its own."""
    server = start_sandbox("--rate-limit", "0")
    yield connect(monkeypatch, tmp_path, server)
    # Not waited for: stopping dozens one after the other takes longer than the tests.
    server.stop()


def connect(monkeypatch: pytest.MonkeyPatch, folder: Path, server: Any, **extra: Any) -> Any:
    """Point the connection and the journal of this test at a sandbox."""
    extras = {"environment": "sandbox", "key_path": str(server.key_file), **extra}
    monkeypatch.setenv(CONNECTION, json.dumps({"conn_type": "true_markets", "host": server.url, "extra": extras}))
    monkeypatch.setenv("TRADEHOOK_JOURNAL_URL", f"sqlite:///{folder}/journal.db")
    return server


@pytest.fixture
def run_dag(airflow_database: None, capfd: pytest.CaptureFixture[str]) -> Any:
    """Run a DAG to its end: `run_dag("place", {"amount": "0.001"})`; the same `at` is the same run again."""
    count = 0

    def run(dag_id: str, conf: dict[str, Any] | None = None, *, at: datetime | None = None) -> Run:
        nonlocal count
        count += 1
        at = at or datetime.now(UTC) + timedelta(seconds=count)
        capfd.readouterr()
        dag_run = find_dag(dag_id).test(run_after=at, logical_date=at, run_conf=conf)
        return Run(dag_run, "".join(capfd.readouterr()))

    return run


def find_dag(dag_id: str) -> Any:
    """A DAG by its id, from the files under test."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for path in [*REAL_DAGS.glob("*.py"), *TEST_DAGS.glob("*.py")]:
            spec = importlib.util.spec_from_file_location(f"dag_file_{path.stem}", path)
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            for value in vars(module).values():
                if getattr(value, "dag_id", None) == dag_id and hasattr(value, "test"):
                    return value
    raise AssertionError(f"no DAG {dag_id}")


if __name__ == "__main__":  # a worker process of its own: `python airflow_home.py DAG_ID CONF_JSON ISO_TIME`
    at = datetime.fromisoformat(sys.argv[3])
    find_dag(sys.argv[1]).test(run_after=at, logical_date=at, run_conf=json.loads(sys.argv[2]))
