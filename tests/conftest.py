"""What every test gets: no network beyond this machine, no real home, no settings from outside."""

from __future__ import annotations

import importlib.util
import os
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

_OF_PROOFS = ("TRADEHOOK_SEED", "TRADEHOOK_STEPS")
for name in list(os.environ):
    if name.startswith(("TRADEHOOK_", "AIRFLOW_CONN_", "TELEGRAM_")) and name not in _OF_PROOFS:
        del os.environ[name]

# A shell starts what runs in the background with Ctrl-C ignored, and so would be every command that is tried here.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _only_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that reaches for another machine fails, whatever it meant to do there."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address):
        if self.family in (socket.AF_INET, socket.AF_INET6) and not str(address[0]).startswith(
            ("127.", "::1", "localhost")
        ):
            raise AssertionError(f"a test reached for {address}")
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture(autouse=True)
def _a_budget_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test stands for a process of its own; in one process, all that use a key share its request budget."""
    from tradehook.exchanges.true_markets import opening

    monkeypatch.setattr(opening, "_BUDGETS", {})


@dataclass
class SandboxServer:
    """A sandbox in a process of its own, and its admin."""

    process: subprocess.Popen
    url: str
    key_file: Path

    @property
    def environment(self) -> dict[str, str]:
        """What a tradehook command needs to use it; add a journal."""
        return {
            "TRADEHOOK_ENVIRONMENT": "sandbox",
            "TRADEHOOK_TRUE_MARKETS_URL": self.url,
            "TRADEHOOK_TRUE_MARKETS_KEY_FILE": str(self.key_file),
        }

    def admin(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        response = httpx.request(method, f"{self.url}/_sandbox/{path}", json=body, timeout=10, trust_env=False)
        assert response.status_code < 300, response.text
        return response.json()

    def fault(
        self, kind: str, *, method: str = "POST", path: str = "/orders", times: int | None = 1, **more: Any
    ) -> None:
        self.admin("POST", "faults", {"method": method, "path": path, "kind": kind, "times": times, **more})

    def clear_faults(self) -> None:
        self.admin("DELETE", "faults")

    def orders(self) -> int:
        """How many orders are there for money."""
        ledger = self.admin("GET", "ledger")
        assert ledger["balanced"] is True
        return ledger["orders"]

    def stop(self) -> int:
        """Its exit code. Asked once: a second signal would end it where it stands."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(15)


@pytest.fixture(scope="session")
def start_sandbox(tmp_path_factory):
    """Start sandboxes with `start_sandbox(*flags)`; all are stopped at the end, and must stop cleanly."""
    servers: list[SandboxServer] = []

    def start(*flags: str) -> SandboxServer:
        key_file = tmp_path_factory.mktemp("sandbox") / "key.json"
        command = [
            sys.executable,
            "-m",
            "tradehook_sandbox",
            "serve",
            "--port",
            "0",
            "--key-file",
            str(key_file),
            *flags,
        ]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        line = process.stdout.readline().strip()
        assert line.startswith("ready http://127.0.0.1:"), line
        servers.append(SandboxServer(process, line.removeprefix("ready "), key_file))
        return servers[-1]

    yield start
    codes = [server.stop() for server in servers if server.process.poll() is None]
    for server in servers:
        server.process.stdout.close()
    assert codes == [0] * len(codes)


@pytest.fixture(scope="session")
def sandbox_server(start_sandbox) -> SandboxServer:
    """One sandbox for everything that does not disturb others."""
    return start_sandbox("--rate-limit", "0")


def _load_postgres():
    spec = importlib.util.spec_from_file_location("tradehook_postgres", Path(__file__).with_name("postgres.py"))
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault("tradehook_postgres", module)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def postgres():
    """A real PostgreSQL server. Where it is missing, that is said, and nothing is passed over."""
    module = _load_postgres()
    programs = module.find_programs()
    if programs is None:
        pytest.fail("This test needs a PostgreSQL server to start: apt-get install postgresql", pytrace=False)
    server = module.PostgresServer(programs)
    yield server
    server.close()


LONGEST = (
    "tests/client/desk/crash/",
    "tests/stage/",
    "tests/client/desk/storms/",
    "tests/client/cli/test_races.py",
    "tests/house/test_docs.py",
    "tests/bot/test_restart.py",
)
"""Run first: a file is one process's, and whoever begins the longest last lets the others wait for it.

The Makefile tells xdist to leave this order alone; it would begin with the files that have the most tests."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: not item.nodeid.startswith(LONGEST))
