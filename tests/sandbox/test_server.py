"""Over real sockets: the command as its user starts it, with real requests, held connections and signals."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import select
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 20
BOT = "123456:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"


def until(condition) -> None:
    """Ask again and again; over sockets that is waiting enough."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it never happened"


def get_orders(trader) -> bytes:
    return f"GET /v1/conductor/orders HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {trader.token}\r\n\r\n".encode()


def test_a_first_run_from_nothing_to_a_fill(serve, trader_at, tmp_path):
    began = time.monotonic()
    served = serve()
    assert time.monotonic() - began < 10
    assert re.fullmatch(r"ready http://127\.0\.0\.1:[1-9][0-9]*\n", served.first_line)
    assert stat.S_IMODE((tmp_path / "key.json").stat().st_mode) == 0o600
    trader = trader_at(served)
    status, body = trader.call("POST", "/quotes", {"base": "BTC", "quote": "USD", "side": "buy", "quantity": "0.01"})
    assert (status, body["qty"]) == (200, "0.01")
    order_id = trader.placed("buy", "0.01")
    trader.admin("POST", "/clock", {"advance": 1})
    assert trader.status(order_id) == "complete"
    swap = trader.swap("buy", "100")[1]
    assert trader.execute(swap)[0] == 200
    trader.admin("POST", "/clock", {"advance": 1})
    body = trader.ledger()
    assert (body["balanced"], body["orders"], body["initialized"]) == (True, 2, 0)
    response = trader.send("GET", "/v1/gateway/orders")
    assert int(response.headers["x-ratelimit-remaining"]) < 100
    assert "server" not in response.headers
    code, seconds, errors = served.stop()
    assert code == 0
    assert seconds < 5
    assert "Traceback" not in errors


def test_an_unanswered_request_is_held_and_cut_when_the_server_stops(serve, trader_at):
    served = serve("--rate-limit", "0")
    trader = trader_at(served)
    trader.admin("POST", "/faults", {"kind": "timeout_after", "path": "/orders", "method": "POST"})
    body = json.dumps(
        {"base_asset": "BTC", "quote_asset": "USD", "qty": "0.01", "qty_unit": "base", "type": "market", "side": "buy"}
    )
    with served.connect() as held, served.connect() as polling:
        held.sendall(
            f"POST /v1/conductor/orders HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {trader.token}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}".encode()
        )
        until(lambda: trader.ledger()["orders"] == 1)
        polling.sendall(f"GET /bot{BOT}/getUpdates?timeout=40 HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        held.settimeout(0.2)
        with pytest.raises(TimeoutError):
            held.recv(1)
        code, seconds, errors = served.stop(signal.SIGINT)
        held.settimeout(PATIENCE_SECONDS)
        with contextlib.suppress(ConnectionResetError):
            assert held.recv(1) == b"", "cut, not answered"
    assert code == 0
    assert seconds < 5
    assert "Traceback" not in errors


def test_a_peer_that_gives_up_on_a_held_request_harms_nobody(serve, trader_at):
    served = serve("--rate-limit", "0")
    trader = trader_at(served)
    for kind in ("timeout_after", "slow"):
        trader.admin("POST", "/faults", {"kind": kind, "path": "/orders", "delay_seconds": 600})
        with served.connect() as held:
            held.sendall(get_orders(trader))
            until(lambda: trader.admin("GET", "/faults")["data"] == [])
    assert trader.call("GET", "/orders")[0] == 200
    code, seconds, errors = served.stop()
    assert code == 0
    assert "Traceback" not in errors
    assert seconds < 5


def test_a_slow_answer_takes_its_time_and_others_do_not_wait(serve, trader_at):
    served = serve()
    trader = trader_at(served)
    trader.admin("POST", "/faults", {"kind": "slow", "path": "/orders", "delay_seconds": 1})
    began = time.monotonic()
    with served.connect() as slow:
        slow.sendall(get_orders(trader))
        until(lambda: trader.admin("GET", "/faults")["data"] == [])
        assert select.select([slow], [], [], 0)[0] == [], "the admin answered in between"
        assert slow.recv(12) == b"HTTP/1.1 200"
    assert time.monotonic() - began >= 1


def test_a_killed_server_goes_on_from_its_state_file(serve, trader_at, tmp_path):
    state = str(tmp_path / "state.db")
    served = serve("--state", state)
    trader = trader_at(served)
    order_id = trader.placed("buy", "0.1", price="60000.0")
    trader.admin("POST", "/clock", {"advance": 3_000})
    served.process.kill()
    served.process.wait()
    again = serve("--state", state)
    trader.sandbox = again
    assert trader.status(order_id) == "active", "and the token is still good"
    assert trader.admin("GET", "/clock")["offset_seconds"] == 3_000.0
    assert trader.balance("PYUSD")["held"] == "6000.000000000"
    assert again.stop()[0] == 0


def test_token_seconds_and_the_strict_switches_reach_the_exchange(serve, trader_at):
    trader = trader_at(serve("--token-seconds", "5", "--strict-units", "--strict-quotes", "--seed", "7"))
    assert trader.order("buy", "0.01")[1]["message"] == "qty_unit must be quote for a market buy"
    assert trader.call("POST", "/quotes", {"base": "BTC", "quote": "USD", "side": "buy", "quantity": "1"})[0] == 400
    trader.admin("POST", "/clock", {"advance": 6})
    assert trader.call("GET", "/orders")[1]["message"] == "token is expired"


def test_a_body_that_is_too_large_is_refused_without_being_read(serve):
    served = serve()
    with served.connect() as peer:
        peer.sendall(
            b"POST /v1/conductor/quotes HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n" + b"x" * 70_000
        )
        assert peer.recv(12) == b"HTTP/1.1 413"


def test_telegrams_stand_in_answers_on_the_same_port(serve):
    connection = http.client.HTTPConnection("127.0.0.1", serve().port, timeout=PATIENCE_SECONDS)
    connection.request("GET", f"/bot{BOT}/getMe")
    assert json.loads(connection.getresponse().read())["result"]["is_bot"] is True
    connection.close()


def run(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'client'}:{ROOT / 'sandbox'}", "COLUMNS": "200", **environ}
    return subprocess.run(
        [sys.executable, "-m", "tradehook_sandbox", *arguments],
        capture_output=True,
        text=True,
        env=environment,
        timeout=PATIENCE_SECONDS,
        check=False,
    )


def test_what_cannot_start_says_why_in_one_line(serve, tmp_path):
    served = serve("--state", str(tmp_path / "state.db"))
    (tmp_path / "bad.json").write_text("{}")
    key = str(tmp_path / "key.json")
    for arguments, code, words in (
        (("--port", str(served.port), "--key-file", key), 1, "cannot be listened on"),
        (("--port", "0", "--key-file", str(tmp_path / "bad.json")), 2, "is not a True Markets key file"),
        (("--port", "0", "--key-file", key, "--state", str(tmp_path / "state.db")), 2, "another sandbox has it open"),
        (("--port", "0", "--key-file", key, "--host", "no.such.host.invalid"), 1, "cannot be listened on"),
    ):
        done = run("serve", *arguments)
        assert done.returncode == code, done.stderr
        assert words in done.stderr
        assert "Traceback" not in done.stderr
        assert done.stdout == ""


def test_an_open_host_is_warned_about(served_class, tmp_path):
    served = served_class("serve", "--port", "0", "--key-file", str(tmp_path / "k.json"), "--host", "0.0.0.0")
    try:
        assert served.first_line.startswith("ready http://0.0.0.0:")
        assert "can be reached from other machines" in served.stop()[2]
    finally:
        served.end()


def test_help_is_complete_and_loads_nothing_heavy():
    done = run("serve", "--help")
    assert done.returncode == 0
    for option in ("--port", "--key-file", "--seed", "--state", "--rate-limit", "--token-seconds", "--host"):
        assert option in done.stdout
    assert "--url" in run("chat", "--help").stdout
    code = (
        "import sys, tradehook_sandbox.__main__; "
        "print([name for name in ('starlette', 'uvicorn', 'cryptography', 'sqlite3') if name in sys.modules])"
    )
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'client'}:{ROOT / 'sandbox'}"}
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert shown.stdout.strip() == "[]"
