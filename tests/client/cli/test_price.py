"""`tradehook price`: now, in the past, and as it changes, for people and for programs."""

from __future__ import annotations

import io
import json
import os
import pty
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal

import pytest

from tradehook.cli.app import run_app
from tradehook.client import connect
from tradehook.errors import ConfigurationError
from tradehook.settings import Settings

STREAM = "/v1/defi/market"


@pytest.fixture(scope="module")
def server(start_sandbox):
    return start_sandbox("--rate-limit", "0", "--stream-seconds", "0.05")


@pytest.fixture
def environment(server, tmp_path) -> dict[str, str]:
    return {**server.environment, "TRADEHOOK_JOURNAL_URL": f"sqlite:///{tmp_path}/journal.db"}


@pytest.fixture
def command(environment, monkeypatch, capsys):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.stdin", io.StringIO())

    def run(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            run_app(["price", *arguments])
        out, error = capsys.readouterr()
        return ended.value.code or 0, out, error

    return run


@pytest.fixture
def start(environment):
    """Start `price` in a process of its own; what is left of it at the end is killed."""
    started = []

    def begin(*arguments: str, **options) -> subprocess.Popen:
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **options}
        started.append(
            subprocess.Popen(
                [sys.executable, "-m", "tradehook.cli", "price", *arguments],
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                **options,
            )
        )
        return started[-1]

    yield begin
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait(10)
        for pipe in (process.stdout, process.stderr):
            if pipe:
                pipe.close()


def test_a_table_of_prices(command):
    code, out, _ = command("BTC", "eth")
    assert code == 0
    rows = [line.split() for line in out.splitlines() if "%" in line]
    assert [row[0] for row in rows] == ["BTC", "ETH"]
    assert "24h high" in out


def test_prices_for_programs(command):
    code, out, _ = command("BTC", "ETH", "--json")
    rows = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert [row["symbol"] for row in rows] == ["BTC", "ETH"]
    for row in rows:
        assert isinstance(row["price"], str)
        assert Decimal(row["low_24h"]) <= Decimal(row["price"]) <= Decimal(row["high_24h"])
        Decimal(row["change_24h_percent"])


def test_one_that_is_not_known_does_not_hide_the_others(command):
    code, out, error = command("BTC", "NOSUCH", "ETH", "--json")
    rows = [json.loads(line) for line in out.splitlines()]
    assert code == 3
    assert [row.get("symbol", row.get("error")) for row in rows] == ["BTC", "ETH", "NotFound"]
    assert "NOSUCH" in error


def test_a_history_in_bars(command):
    code, out, _ = command("BTC", "--history", "24h")
    assert code == 0
    title, bars, moved, extremes = out.splitlines()
    assert title == "BTC, 24h in steps of 5m"
    assert len(bars) == 60
    assert {"▁", "█"} <= set(bars) <= set("▁▂▃▄▅▆▇█")
    assert moved.startswith("from ")
    assert "(UTC)" in extremes


def test_a_history_for_programs(command):
    code, out, _ = command("BTC/PYUSD", "--history", "1h", "--resolution", "5m", "--json")
    rows = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert 12 <= len(rows) <= 14
    assert {row["venue"] for row in rows} == {"cefi"}
    assert [row["at"] for row in rows] == sorted(row["at"] for row in rows)


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["BTC", "--history", "1month"], "Try: 1M"),
        (["BTC", "--history", "1m", "--resolution", "1h"], "Try: 1M"),
        (["BTC", "--resolution", "1h"], "--history 24h"),
        (["BTC", "--stream", "--history", "1h"], "--stream or --history"),
        (["BTC/ETH"], "BTC/PYUSD"),
    ],
)
def test_typed_wrong(command, words, hint):
    code, _, error = command(*words)
    assert code == 2
    assert hint in error


def test_no_key_is_needed(command, tmp_path):
    code, out, _ = command("BTC", "--json", "--key-file", str(tmp_path / "none.json"))
    assert (code, json.loads(out)["symbol"]) == (0, "BTC")


def test_what_needs_a_key_still_says_so(server, tmp_path):
    settings = Settings(url=server.url, key_file=tmp_path / "none.json", needs_key=False)
    with connect(settings) as client:
        assert client.price("BTC").price > 0
        with pytest.raises(ConfigurationError, match="none"):
            client.balances()
    with pytest.raises(ConfigurationError, match="none"):
        connect(replace(settings, needs_key=True))


def test_nobody_there(command, monkeypatch):
    monkeypatch.setattr("tradehook.retry.delay_seconds", lambda *_: 0.0)
    monkeypatch.setattr("tradehook.session.delay_seconds", lambda *_: 0.0)
    code, _, error = command("BTC", "--url", "http://127.0.0.1:1")
    assert code == 5
    assert "could not be reached" in error


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM], ids=lambda sign: sign.name)
def test_a_stream_for_programs_until_it_is_stopped(start, sign):
    process = start("BTC", "ETH", "--stream", "--json")
    rows = [json.loads(process.stdout.readline()) for _ in range(20)]
    process.send_signal(sign)
    _, error = process.communicate(timeout=20)
    assert process.returncode == 130, error
    assert "Traceback" not in error
    assert {row["symbol"] for row in rows} == {"BTC", "ETH"}
    assert [row["is_reread"] for row in rows] == [True] * 8 + [False] * 12
    assert all(isinstance(row["close"], str) for row in rows)


def test_a_stream_that_is_cut_says_so_and_comes_back(start, server):
    process = start("BTC", "--stream", "--json")
    for _ in range(8):
        process.stdout.readline()
    server.fault("drop_websocket", method="GET", path=STREAM)
    rereads = 0
    while rereads < 4:
        rereads += json.loads(process.stdout.readline())["is_reread"]
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "Reconnecting" in error
    assert "Connected again" in error


def test_a_reader_that_has_seen_enough(start):
    process = start("BTC", "--stream", "--json")
    process.stdout.readline()
    process.stdout.close()
    process.wait(20)  # it ends by itself, and says nothing
    assert process.stderr.read() == ""


def test_a_stream_in_a_pipe_is_one_line_for_each_change(start, server):
    process = start("BTC", "--stream")
    first = process.stdout.readline()
    assert first.startswith("BTC ")
    server.admin("POST", "prices", {"BTC": "61234"})
    for line in iter(process.stdout.readline, ""):
        if line.startswith("BTC 61,2"):
            break
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)
    assert process.returncode == 130


def test_a_stream_on_a_terminal_is_one_table_that_is_redrawn(start, server):
    reading, writing = pty.openpty()
    process = start("BTC", "--stream", stdout=writing)
    os.close(writing)
    shown = b""
    with os.fdopen(reading, "rb", buffering=0) as terminal:
        for price in ("60500", "61500"):
            server.admin("POST", "prices", {"BTC": price})
            while price[:2].encode() + b"," + price[2:3].encode() not in shown:
                shown += terminal.read(4096)
        process.send_signal(signal.SIGINT)
        with suppress(OSError):  # a terminal that nobody holds any more
            while chunk := terminal.read(4096):
                shown += chunk
        process.wait(20)
    assert process.returncode == 130
    assert b"Prices in US dollars" in shown
    assert b"\x1b[" in shown  # redrawn in place
    assert b"Traceback" not in shown
