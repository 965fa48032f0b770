"""`tradehook price --exchange fintrusted`: now, and as it changes. Needs no account."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest


@pytest.fixture(scope="module")
def server(start_sandbox):
    return start_sandbox("--rate-limit", "0", "--fintrusted-stream-seconds", "0.05")


@pytest.fixture
def start(server, tmp_path):
    """Start `price` at FinTrusted in a process of its own; what is left of it at the end is killed."""
    started = []
    environment = {
        **os.environ,
        "TRADEHOOK_FINTRUSTED_URL": server.url,
        "TRADEHOOK_JOURNAL_URL": f"sqlite:///{tmp_path}/journal.db",
    }

    def begin(*arguments: str) -> subprocess.Popen:
        started.append(
            subprocess.Popen(
                [sys.executable, "-m", "tradehook.cli", "price", *arguments, "--exchange", "fintrusted"],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
        return started[-1]

    yield begin
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait(10)
        process.stdout.close()
        process.stderr.close()


def test_prices_as_they_change(start):
    process = start("BTC", "ETH", "--stream")
    lines = [process.stdout.readline() for _ in range(8)]
    process.send_signal(signal.SIGINT)
    assert process.wait(20) in (0, 130)
    assert {line.split()[0] for line in lines} == {"BTC", "ETH"}
    assert len({line for line in lines if line.startswith("BTC")}) >= 3
    assert "Traceback" not in process.stderr.read()


def test_prices_as_they_change_for_programs(start):
    process = start("BTC", "--stream", "--json")
    rows = [json.loads(process.stdout.readline()) for _ in range(4)]
    process.send_signal(signal.SIGINT)
    assert process.wait(20) in (0, 130)
    assert {(row["topic"], row["symbol"], row["interval"]) for row in rows} == {("price_candles", "BTC", "24h")}
    assert [row["is_reread"] for row in rows] == [True, False, False, False]


def test_an_asset_that_is_not_known(start):
    process = start("NOSUCH", "--stream")
    assert process.wait(20) == 3
    assert "NOSUCH" in process.stderr.read()
