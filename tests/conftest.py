"""What every test gets: no network beyond this machine, no real home, no settings from outside."""

from __future__ import annotations

import os
import socket

import pytest

for name in list(os.environ):
    if name.startswith(("TRADEHOOK_", "AIRFLOW_CONN_", "TELEGRAM_")):
        del os.environ[name]


@pytest.fixture(autouse=True)
def _only_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that reaches for another machine fails, whatever it meant to do there."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address):
        if self.family in (socket.AF_INET, socket.AF_INET6) and not str(address[0]).startswith(("127.", "::1", "localhost")):
            raise AssertionError(f"a test reached for {address}")
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)
