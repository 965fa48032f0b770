"""What a call costs through our client, beside others in the same run, against one fixed answer over loopback.

Run by `make bench`. The far side sends the sandbox's own answer to `balances` again and again, so that what is compared
is the work on this side: sign-in header, budget, sending, JSON, models. Prints ratios to bare `httpx.Client` + `json`;
absolute times are of this machine and this hour.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from tradehook.budget import Budget
from tradehook.exchanges.true_markets import TrueMarkets, keys
from tradehook.lines.asynchronous import AsyncLine
from tradehook.lines.blocking import BlockingLine
from tradehook.run import run
from tradehook_sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tradehook.wire import Request

ROUNDS, EACH = 15, 100
TOGETHER = 200
FRESH_ROUNDS = 9
PATH = "/v1/conductor/balances/unified"


def answers(folder: Path) -> tuple[dict[str, bytes], Path]:
    """The sandbox's answers to signing in and to balances, ready to be sent, and the key they are for."""
    sandbox = Sandbox(rate_limit=0, token_seconds=31_536_000)
    key_file = folder / "key.json"
    key_file.write_text(json.dumps(sandbox.key_file()))
    key_file.chmod(0o600)
    signer = keys.load(key_file)
    sandbox.clock.advance(time.time() - sandbox.clock.now())
    found: dict[str, bytes] = {}

    class Recorder:
        """A line in memory that keeps what it hears."""

        async def send(self, request: Request) -> Any:
            response = sandbox.respond(request).response
            head = "".join(f"{name}: {value}\r\n" for name, value in response.headers.items())
            found[request.path] = (
                f"HTTP/1.1 {response.status} OK\r\n{head}content-length: {len(response.body)}\r\n\r\n".encode()
                + response.body
            )
            return response

        async def once(self, _key: str, operation: Callable[[], Any]) -> Any:
            return await operation()

        def now(self) -> float:
            return sandbox.clock.now()

        monotonic = now

    run(TrueMarkets(Recorder(), signer=signer).balances())
    return found, key_file


@contextmanager
def serving(found: dict[str, bytes]) -> Iterator[str]:
    """A process that answers each request at once; where it is."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=512)
    process = os.fork()
    if process == 0:
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=_answer, args=(connection, found), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        os.kill(process, 9)
        os.waitpid(process, 0)
        listener.close()


def _answer(connection: socket.socket, found: dict[str, bytes]) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    waiting = b""
    while data := connection.recv(65536):
        waiting += data
        while b"\r\n\r\n" in waiting:
            head, _, rest = waiting.partition(b"\r\n\r\n")
            size = next(
                (int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0
            )
            if len(rest) < size:
                break
            waiting = rest[size:]
            connection.sendall(found[head.split(b" ", 2)[1].decode()])


def one_by_one(url: str, key_file: Path, found: dict[str, bytes]) -> None:
    """Calls one after the other."""
    exchange = TrueMarkets(BlockingLine(), signer=keys.load(key_file), base_url=url, budget=Budget(requests=10**9))
    token = run(exchange.session.token()).access
    bare = httpx.Client(headers={"authorization": f"Bearer {token}"}, trust_env=False)
    raw = socket.create_connection(url.removeprefix("http://").split(":"))
    asked = f"GET {PATH} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\r\n".encode()
    size = len(found[PATH])

    def over_the_socket() -> object:
        raw.sendall(asked)
        answer = b""
        while len(answer) < size:
            answer += raw.recv(65536)
        return json.loads(answer.partition(b"\r\n\r\n")[2], parse_float=Decimal)

    from truemarkets import Client as Sdk

    sdk = Sdk()
    sdk.authenticate()
    works: dict[str, Callable[[], object]] = {
        "bare httpx.Client + json": lambda: json.loads(bare.get(url + PATH).content, parse_float=Decimal),
        "tradehook": lambda: run(exchange.balances()),
        "the exchange's SDK": sdk.gateway.list_balances,
        "a raw socket + json": over_the_socket,
    }
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(ROUNDS):
        for name, work in works.items():
            start = time.perf_counter()
            for _ in range(EACH):
                work()
            times[name].append((time.perf_counter() - start) / EACH)
    _tell("one call after the other", times)
    raw.close()
    bare.close()
    exchange.session.line.close()


def together(url: str, key_file: Path) -> None:
    """Two hundred reads at once on one event loop."""

    async def measure() -> dict[str, list[float]]:
        exchange = TrueMarkets(AsyncLine(), signer=keys.load(key_file), base_url=url, budget=Budget(requests=10**9))
        token = (await exchange.session.token()).access
        bare = httpx.AsyncClient(headers={"authorization": f"Bearer {token}"}, trust_env=False)

        async def read_bare() -> object:
            return json.loads((await bare.get(url + PATH)).content, parse_float=Decimal)

        times: dict[str, list[float]] = {"bare httpx.AsyncClient + json": [], "tradehook": []}
        for _ in range(ROUNDS):
            for name, work in (("bare httpx.AsyncClient + json", read_bare), ("tradehook", exchange.balances)):
                start = time.perf_counter()
                await asyncio.gather(*(work() for _ in range(TOGETHER)))
                times[name].append((time.perf_counter() - start) / TOGETHER)
        await bare.aclose()
        await exchange.session.line.close()
        return times

    _tell(f"{TOGETHER} calls at once", asyncio.run(measure()))


def from_nothing() -> None:
    """How long a fresh interpreter takes."""
    programs = {
        "the exchange's SDK, client ready": "import truemarkets; truemarkets.Client()",
        "tradehook, client ready": "from tradehook import connect; connect()",
        "the exchange's SDK, first balances": (
            "import truemarkets; c = truemarkets.Client(); c.authenticate(); c.gateway.list_balances()"
        ),
        "tradehook, first balances": "from tradehook import connect; connect().balances()",
        "import tradehook": "import tradehook",
    }
    times: dict[str, list[float]] = {name: [] for name in programs}
    for _ in range(FRESH_ROUNDS):
        for name, program in programs.items():
            start = time.perf_counter()
            subprocess.run([sys.executable, "-c", program], check=True)
            times[name].append(time.perf_counter() - start)
    _tell("from a fresh interpreter", times)


def _tell(what: str, times: dict[str, list[float]]) -> None:
    peer = next(iter(times.values()))
    print(f"{what}:")
    for name, own in times.items():
        ratio = statistics.median(mine / theirs for mine, theirs in zip(own, peer, strict=True))
        print(f"  {name:<36} {statistics.median(own) * 1e3:8.3f} ms   {ratio:.2f}")


def main() -> None:
    """Run everything."""
    with tempfile.TemporaryDirectory() as name:
        found, key_file = answers(Path(name))
        with serving(found) as url:
            os.environ |= {
                "TM_TELEMETRY": "0",
                "DO_NOT_TRACK": "1",
                "TM_POSTHOG_KEY": "",
                "TM_BASE_URL": url,
                "TM_KEY_FILE": str(key_file),
                "TRADEHOOK_TRUE_MARKETS_URL": url,
                "TRADEHOOK_TRUE_MARKETS_KEY_FILE": str(key_file),
            }
            one_by_one(url, key_file, found)
            together(url, key_file)
            from_nothing()


if __name__ == "__main__":
    main()
