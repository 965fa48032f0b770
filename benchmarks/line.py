"""What the hook module adds to a request, beside bare httpx in the same run against the same sandbox.

Run by `make bench`. Prints ratios; absolute times are of this machine and this hour.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import statistics
import subprocess
import sys
import tempfile
import time
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from tradehook import NewOrder
from tradehook.budget import Budget
from tradehook.client import AsyncClient, Client
from tradehook.desk.journal import Journal
from tradehook.desk.submit import Desk
from tradehook.exchanges.true_markets import TrueMarkets, keys
from tradehook.lines.blocking import BlockingLine
from tradehook.run import run
from tradehook.testing import MemoryLine
from tradehook_sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS, EACH = 7, 100
UNLIMITED = Budget(requests=10**9)


def best(work: Callable[[], object], *, each: int = EACH) -> float:
    """Seconds for one, the median of several rounds."""
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        for _ in range(each):
            work()
        times.append((time.perf_counter() - start) / each)
    return statistics.median(times)


def over_sockets(folder: Path) -> None:
    """Balances: bare httpx with json, beside the client."""
    key_file = folder / "key.json"
    command = [
        sys.executable,
        "-m",
        "tradehook_sandbox",
        "serve",
        "--port",
        "0",
        "--key-file",
        key_file,
        "--rate-limit",
        "0",
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        url = process.stdout.readline().strip().removeprefix("ready ")
        exchange = TrueMarkets(BlockingLine(), signer=keys.load(key_file), base_url=url, budget=UNLIMITED)
        token = run(exchange.session.token())
        bare = httpx.Client(headers={"authorization": f"Bearer {token.access}"}, trust_env=False)
        address = f"{url}/v1/conductor/balances/unified"
        peer = best(lambda: json.loads(bare.get(address).content, parse_float=Decimal))
        ours = best(lambda: run(exchange.balances()))
        print(
            f"balances over a socket: bare httpx {peer * 1e3:.2f} ms, ours {ours * 1e3:.2f} ms, ratio {ours / peer:.2f}"
        )
        bare.close()
        exchange.session.line.close()
    finally:
        process.terminate()
        process.wait()


def one_step() -> None:
    """Finishing an operation: `run`, beside `asyncio.run` and a kept loop."""

    async def operation() -> int:
        return 1

    loop = asyncio.new_event_loop()
    ours = best(lambda: run(operation()), each=20_000)
    kept = best(lambda: loop.run_until_complete(operation()), each=5_000)
    fresh = best(lambda: asyncio.run(operation()), each=100)
    loop.close()
    print(
        f"one operation: run() {ours * 1e6:.1f} us, a kept loop {kept * 1e6:.1f} us ({kept / ours:.0f} x), "
        f"asyncio.run {fresh * 1e6:.0f} us ({fresh / ours:.0f} x)"
    )


def orders_in_memory(folder: Path) -> None:
    """The sandbox's own pace, and what the journal adds to an order."""
    sandbox = Sandbox(rate_limit=0)
    line = MemoryLine(sandbox.respond, clock=sandbox.clock)
    signer = keys.parse(json.dumps(sandbox.key_file()).encode(), where="benchmark")
    exchange = TrueMarkets(line, signer=signer, budget=UNLIMITED)
    orders = [NewOrder.of("BTC/PYUSD", side=side, amount="0.0001") for side in ("buy", "sell")]
    writes = [exchange.new_order(run(exchange.size_order(order))) for order in orders]
    requests = itertools.cycle([run(exchange.session.prepare(write.request))[0] for write in writes])

    def place_bare() -> None:
        assert sandbox.respond(next(requests)).response.status == 201
        sandbox.clock.advance(0.001)

    bare = best(place_bare, each=200)
    desk = Desk(exchange, journal=Journal.open(f"sqlite:///{folder}/journal.db"), account="main")
    client = Client(AsyncClient(exchange, desk=lambda: desk))
    numbers, sides = itertools.count(), itertools.cycle(orders)
    through = best(lambda: client.place_order(next(sides), intent_id=f"bench-{next(numbers)}"), each=50)
    client.close()
    print(
        f"orders in memory: the sandbox alone takes {1 / bare:.0f} a second; "
        f"through desk and journal {through * 1e3:.1f} ms each"
    )


def main() -> None:
    """Run everything."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        one_step()
        over_sockets(folder)
        orders_in_memory(folder)


if __name__ == "__main__":
    main()
