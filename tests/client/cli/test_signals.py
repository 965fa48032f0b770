"""SIGINT and SIGTERM at bad moments: what is sent is heard to its end, what is not sent stays unsent."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest

SIGNS = [signal.SIGINT, signal.SIGTERM]


@pytest.fixture
def place(start_sandbox, tmp_path):
    """Start `order place` with these words; returns the process and its sandbox."""
    server = start_sandbox("--rate-limit", "0")

    def start(*words: str) -> subprocess.Popen:
        environment = {
            **os.environ,
            **server.environment,
            "TRADEHOOK_JOURNAL_URL": f"sqlite:///{tmp_path}/journal.db",
        }
        return subprocess.Popen(
            [sys.executable, "-m", "tradehook.cli", "order", "place", "buy", "BTC", *words, "--yes", "--json"],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return server, start


def until_placed(server, orders: int = 1) -> None:
    for _ in range(300):
        if server.orders() == orders:
            return
        time.sleep(0.05)
    raise AssertionError("the order never came")


def until_asked(server) -> None:
    """Until the request that the one fault waits for has come."""
    for _ in range(600):
        if not server.admin("GET", "faults")["data"]:
            return
        time.sleep(0.05)
    raise AssertionError("the request never came")


@pytest.mark.parametrize("sign", SIGNS, ids=lambda sign: sign.name)
def test_while_it_is_being_sent(place, sign):
    server, start = place
    server.fault("slow", delay_seconds=3)
    process = start("0.001")
    until_placed(server)
    for _ in range(3):  # impatience changes nothing
        process.send_signal(sign)
        time.sleep(0.2)
    out, error = process.communicate(timeout=60)
    assert process.returncode == 0, error
    assert json.loads(out)["order_id"]
    assert "Stopping" in error
    assert "Traceback" not in error


@pytest.mark.parametrize("sign", SIGNS, ids=lambda sign: sign.name)
def test_before_it_is_sent(place, sign):
    server, start = place
    server.fault("slow", method="POST", path="/quotes", delay_seconds=4)
    process = start("0.001", "--intent-id", "early")
    until_asked(server)
    process.send_signal(sign)
    out, error = process.communicate(timeout=60)
    assert process.returncode == 3, error
    assert json.loads(out)["error"] == "Interrupted"
    assert server.orders() == 0


@pytest.mark.parametrize("sign", SIGNS, ids=lambda sign: sign.name)
def test_while_it_waits_for_the_end(place, sign):
    server, start = place
    process = start("0.001", "--limit", "40000", "--wait")
    until_placed(server)
    server.fault("slow", method="GET", path="*", delay_seconds=0.1)
    until_asked(server)
    process.send_signal(sign)
    out, error = process.communicate(timeout=60)
    assert process.returncode == 130, error
    assert json.loads(out)["status"] in ("pending", "open")
    assert "The order was sent" in error


def test_killed_while_it_is_being_sent(place):
    """Only SIGKILL leaves a row in SENDING. That reads as UNKNOWN; the next who asks finds the order in the list."""
    server, start = place
    server.fault("slow", delay_seconds=30)
    process = start("0.001", "--intent-id", "killed")
    until_placed(server)
    process.kill()
    process.communicate(timeout=60)
    again = start("0.001", "--intent-id", "killed")
    out, _ = again.communicate(timeout=60)
    assert again.returncode == 0
    assert json.loads(out)["is_stored"] is True
    assert server.orders() == 1
