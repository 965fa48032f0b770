"""What watching open orders costs: two processes on one account, beside the computed cost of polling each order.

Real orders rest at a sandbox over sockets; the price falls below one after the other, and each process says when it was
told. The sandbox sets no limit here, so that the table shows what a sweep costs and not what it waits for; how often
sweeps and polls can come at the exchange's own limit is computed beside it. `--quick` leaves out the large accounts.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import random
import statistics
import subprocess
import sys
import tempfile
import time
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
from sqlalchemy import insert, select

from tradehook import NewOrder
from tradehook.budget import Budget
from tradehook.desk.journal import Journal
from tradehook.desk.permits import share_budget
from tradehook.desk.schema import reading, writing
from tradehook.desk.sightings import as_kept
from tradehook.desk.submit import Desk
from tradehook.desk.tables import INTENT
from tradehook.desk.watch import OPEN_STATUSES, Watcher
from tradehook.exchanges.true_markets import TrueMarkets, keys
from tradehook.lines.blocking import BlockingLine
from tradehook.models import OrderStatus
from tradehook.run import run

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from tradehook.models import Order, SizedOrder
    from tradehook.wire import Request, Response

SIZES, QUICK = (1, 100, 1_000, 10_000), (1, 100)
PROCESSES = 2
FILLS = 20
A_MINUTE = 600_000
"""The budget: as good as none."""
FAR, NEAR, ABOVE, STEP = 40_000, 60_000, 67_000, 100
PAGE = 100
PATIENCE_SECONDS = 120.0
REAL = Budget()
"""What the exchange allows, for the computed columns."""
SHARE = 0.5
"""How much of the reads watching takes."""


class CountingLine(BlockingLine):
    """Counts what it sends."""

    def __init__(self) -> None:
        super().__init__()
        self.lists = self.singles = self.others = 0

    async def send(self, request: Request) -> Response:
        """Send, and count."""
        if request.method == "GET" and request.path.endswith("/orders"):
            self.lists += 1
        elif request.method == "GET" and "/orders/" in request.path:
            self.singles += 1
        else:
            self.others += 1
        return await super().send(request)


def open_exchange(url: str, key_file: Path, line: BlockingLine) -> TrueMarkets:
    """The account, with room for everything."""
    budget = Budget(requests=A_MINUTE, reserve=10, scope="benchmark")
    return TrueMarkets(line, signer=keys.load(key_file), environment="sandbox", base_url=url, budget=budget)


def peak_memory() -> float:
    """The most that this process ever had in memory, in MB; what it was forked from does not count."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0.0


def watch(url: str, key_file: Path, journal_url: str, pipe: Connection) -> None:
    """One process: look as often as the watcher says, and tell what it was told, until asked to end."""
    line = CountingLine()
    exchange = share_budget(open_exchange(url, key_file, line), journal_url)
    with Journal.open(journal_url) as journal:
        watcher = Watcher(exchange, journal)
        run(watcher.look())
        pipe.send("ready")
        pipe.recv()
        line.lists = line.singles = line.others = 0
        began, cpu = time.monotonic(), time.process_time()
        sweeps: list[float] = []
        while True:
            start = time.monotonic()
            changes = run(watcher.look())
            told_at = time.time()
            if watcher.is_sweeper:
                sweeps.append(time.monotonic() - start)
            for change in changes:
                if change.made.is_final:
                    pipe.send((change.made.exchange_id, told_at))
            if pipe.poll(watcher.interval_seconds):
                break
        pipe.recv()
        passed, used = time.monotonic() - began, time.process_time() - cpu
        pipe.send(
            {
                "lists": line.lists,
                "singles": line.singles,
                "others": line.others,
                "sweeps": sweeps,
                "cpu": used / passed,
                "memory": peak_memory(),
                "sweep_seconds": watcher.sweep_seconds,
            }
        )
        watcher.release()
    line.close()


class Stage:
    """A sandbox with one account, and a journal that knows its open orders."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url, self.key_file = url, folder / "key.json"
        self.journal_url = f"sqlite:///{folder}/journal.db"
        self.exchange = open_exchange(url, self.key_file, BlockingLine())
        self.admin = httpx.Client(base_url=f"{url}/_sandbox", timeout=60)
        self.journal = Journal.open(self.journal_url)
        self.price(ABOVE)
        self._post("balances", symbol="PYUSD", available="10000000")
        self._sized: dict[int, SizedOrder] = {}

    def close(self) -> None:
        """Let go of everything."""
        self.admin.close()
        self.journal.close()
        self.exchange.session.line.close()

    def price(self, price: int) -> None:
        """What the market pays from now on."""
        self._post("prices", BTC=str(price), walk=False)

    def place(self, count: int) -> list[tuple[int, str]]:
        """Have so many orders in book and journal. Prices and ids of those near the market, nearest first."""
        prices = [NEAR - STEP * number for number in range(min(count, FILLS))]
        first = NewOrder.of("BTC/PYUSD", side="buy", amount="0.0001", price=Decimal(prices[0]))
        desk = Desk(self.exchange, journal=self.journal, account="main")
        intent_id = "benchmark-0"
        ids = [desk.place_order(first, intent_id=intent_id, source="benchmark").order.order_id]
        while desk.follow(intent_id).status is not OrderStatus.OPEN:
            time.sleep(0.05)
        ids.extend(self._send(price) for price in prices[1:])
        for _ in range(count - len(prices)):
            self._send(FAR)
        # Each is one that this journal sent: a journal that placed ten thousand by itself takes minutes.
        self._write_down(intent_id, known=ids[0], count=count)
        return list(zip(prices, ids, strict=True))

    def fill(self, price: int, order_id: str) -> float:
        """Let the market fall below an order; when it was filled, in seconds since 1970."""
        self.price(price - STEP // 2)
        while not run(self.exchange.get_order(order_id)).is_final:
            time.sleep(0.005)
        return time.time()

    def _send(self, price: int) -> str:
        sized = self._sized.get(price) or run(
            self.exchange.size_order(NewOrder.of("BTC/PYUSD", side="buy", amount="0.0001", price=Decimal(price)))
        )
        self._sized[price] = sized
        write = self.exchange.new_order(sized)
        return run(self.exchange.session.read(write.request, write.read, kind="single")).order_id

    def _write_down(self, intent_id: str, *, known: str, count: int) -> None:
        """Rows like the one of the desk's own order, for all others at the exchange."""
        while len(found := run(self._listed())) < count:
            time.sleep(0.2)
        with reading(self.journal.engine) as connection:
            row = connection.execute(select(INTENT).where(INTENT.c.intent_id == intent_id)).mappings().one()
        rows = [
            {
                **row,
                "intent_id": f"benchmark-{number}",
                "exchange_id": order.order_id,
                "seen": json.dumps(as_kept(order)),
            }
            for number, order in enumerate(found, start=1)
            if order.order_id != known
        ]
        if rows:
            with writing(self.journal.engine) as connection:
                connection.execute(insert(INTENT), rows)

    async def _listed(self) -> list[Order]:
        return [order async for order in self.exchange.list_orders(statuses=OPEN_STATUSES)]

    def _post(self, endpoint: str, **content: Any) -> None:
        self.admin.post(endpoint, json=content).raise_for_status()


def measure(stage: Stage, count: int) -> dict[str, Any]:
    """Two processes watch, orders fill one by one at random moments, and each process is told of each."""
    near = stage.place(count)
    context = multiprocessing.get_context("spawn")
    pipes, processes = [], []
    for _ in range(PROCESSES):
        mine, theirs = context.Pipe()
        process = context.Process(target=watch, args=(stage.url, stage.key_file, stage.journal_url, theirs))
        process.start()
        theirs.close()
        pipes.append(mine)
        processes.append(process)
    for pipe in pipes:
        assert pipe.recv() == "ready"
    for pipe in pipes:
        pipe.send("begin")
    chance = random.Random(count)
    filled: dict[str, float] = {}
    told: list[dict[str, float]] = [{} for _ in pipes]
    for price, order_id in near:
        time.sleep(chance.uniform(0.5, 2.5))
        filled[order_id] = stage.fill(price, order_id)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while any(len(each) < len(near) for each in told):
        assert time.monotonic() < deadline, "not every process was told of every order"
        for pipe, each in zip(pipes, told, strict=True):
            while pipe.poll(0.05):
                order_id, at = pipe.recv()
                assert order_id not in each, "told twice"
                each[order_id] = at
    reports = []
    for pipe, process in zip(pipes, processes, strict=True):
        pipe.send("end")
        pipe.send("end")
        reports.append(pipe.recv())
        process.join()
    delays = [max(at - filled[order_id], 0.0) for each in told for order_id, at in each.items()]
    return {"open": count, "left": len(near), "delays": delays, "reports": reports}


def row(found: dict[str, Any]) -> str:
    """One line of the table."""
    reports = found["reports"]
    sweeps = [seconds for report in reports for seconds in report["sweeps"]]
    requests = sum(report["lists"] + report["singles"] + report["others"] for report in reports)
    pages = math.ceil(found["open"] / PAGE)
    bound = len(sweeps) * pages + found["left"]
    delays = sorted(found["delays"])
    p50, p95 = statistics.median(delays), delays[math.ceil(len(delays) * 0.95) - 1]
    busiest = max(report["cpu"] for report in reports)
    memory = max(report["memory"] for report in reports)
    a_second = (REAL.requests - REAL.reserve) / REAL.window_seconds
    every = max(pages / (a_second * SHARE), 2.0)
    polled = max(found["open"] * PROCESSES / (a_second * SHARE), 2.0)
    each = len(sweeps) * found["open"] * PROCESSES
    return (
        f"| {found['open']:,} | {len(sweeps)} | {requests:,} | {requests / bound:.2f} | {each:,} | "
        f"{p50:.1f} s | {p95:.1f} s | {statistics.median(sweeps):.2f} s | "
        f"{busiest:.0%} | {memory:.0f} MB | {every:,.0f} s | {polled:,.0f} s |"
    )


HEAD = (
    "| open | sweeps | requests | of the least | polling each | told p50 | p95 | a sweep takes | CPU | memory "
    "| at the real limit: a sweep every | each polled every |"
)


def main() -> None:
    """Measure each size, at a sandbox of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="1 and 100 open orders only")
    parser.add_argument("--sizes", type=int, nargs="+", help="these numbers of open orders instead")
    options = parser.parse_args()
    print(HEAD)
    print("|" + " ---: |" * HEAD.count(" |"), flush=True)
    for count in options.sizes or (QUICK if options.quick else SIZES):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            command = [sys.executable, "-m", "tradehook_sandbox", "serve", "--port", "0", "--rate-limit", "0"]
            server = subprocess.Popen([*command, "--key-file", folder / "key.json"], stdout=subprocess.PIPE, text=True)
            assert server.stdout is not None
            try:
                stage = Stage(server.stdout.readline().strip().removeprefix("ready "), folder)
                print(row(measure(stage, count)), flush=True)
                stage.close()
            finally:
                server.terminate()
                server.wait()
                server.stdout.close()


if __name__ == "__main__":
    main()
