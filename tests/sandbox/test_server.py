"""Over real sockets: the command as its user starts it, with real requests, held connections and signals."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import select
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest

from tradehook.wire import Response
from tradehook_sandbox import Answer

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 20
BOT = "123456:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"


class Served:
    """A sandbox in a process of its own; to a trader it looks like a `Sandbox`, but requests go over a socket."""

    def __init__(self, *arguments: str, environ: dict[str, str] | None = None) -> None:
        environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'client'}:{ROOT / 'sandbox'}", **(environ or {})}
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-W",
                "error::DeprecationWarning:tradehook_sandbox",
                "-m",
                "tradehook_sandbox",
                *arguments,
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        self.first_line = self.process.stdout.readline()
        self.url = self.first_line.removeprefix("ready ").strip()
        self.timeout = PATIENCE_SECONDS
        self.clock = self

    def now(self) -> float:
        return time.time()

    @property
    def port(self) -> int:
        return urlsplit(self.url).port

    def connect(self, timeout: float = PATIENCE_SECONDS) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=timeout)

    def respond(self, request) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=self.timeout)
        try:
            target = f"{request.path}?{urlencode(request.params)}" if request.params else request.path
            connection.request(request.method, target, body=request.body or None, headers=dict(request.headers))
            response = connection.getresponse()
            headers = {name.lower(): value for name, value in response.getheaders()}
            return Answer(Response(response.status, headers, response.read()))
        except TimeoutError:
            return Answer(None)
        finally:
            connection.close()

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, float, str]:
        """Exit code, seconds it took, and what was written to stderr."""
        began = time.monotonic()
        self.process.send_signal(number)
        _, errors = self.process.communicate(timeout=PATIENCE_SECONDS)
        return self.process.returncode, time.monotonic() - began, errors

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


def until(condition) -> None:
    """Ask again and again; over sockets that is waiting enough."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it never happened"


def get_orders(trader) -> bytes:
    return f"GET /v1/conductor/orders HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {trader.token}\r\n\r\n".encode()


@pytest.fixture
def serve(tmp_path):
    """Start a sandbox process; it is gone when the test ends."""
    running: list[Served] = []

    def start(*arguments: str, **options) -> Served:
        one = Served("serve", "--port", "0", "--key-file", str(tmp_path / "key.json"), *arguments, **options)
        running.append(one)
        return one

    yield start
    for one in running:
        one.end()


@pytest.fixture
def trader_at(tmp_path, trader_class):
    """A signed-in trader with the key file that the server wrote."""

    def sign_in(served: Served):
        return trader_class(served, bundle=json.loads((tmp_path / "key.json").read_text())).mint()

    return sign_in


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


def test_an_open_host_is_warned_about(tmp_path):
    served = Served("serve", "--port", "0", "--key-file", str(tmp_path / "k.json"), "--host", "0.0.0.0")
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
