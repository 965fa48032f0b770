"""What an order costs in the journal, on SQLite and on PostgreSQL, beside one HTTP call and one fsync of this disk.

Run by `make bench`. Every order is a real one at a sandbox over sockets; the journal's part is the time in which the
desk holds one of its connections. Absolute times are of this machine and this hour. On a busy machine, only the
thread's own CPU time says something.
"""

from __future__ import annotations

import importlib.util
import itertools
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import event

from tradehook import NewOrder
from tradehook.budget import Budget
from tradehook.desk.journal import Journal
from tradehook.desk.submit import Desk
from tradehook.exchanges.true_markets import TrueMarkets, keys
from tradehook.lines.blocking import BlockingLine
from tradehook.run import run

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

ORDERS, WARM = 400, 40
UNLIMITED = Budget(requests=10**9)


def told(name: str, seconds: list[float]) -> str:
    """The middle and the slow end, in milliseconds."""
    p99 = statistics.quantiles(seconds, n=100)[98]
    return f"{name:<40} p50 {statistics.median(seconds) * 1e3:6.2f} ms   p99 {p99 * 1e3:6.2f} ms"


def each(work: Callable[[], object], times: int) -> list[float]:
    """Seconds of each run."""
    found = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        found.append(time.perf_counter() - start)
    return found


class Held:
    """How long connections were out of the pool, and how often."""

    def __init__(self, journal: Journal) -> None:
        self.seconds, self.own, self.times = 0.0, 0.0, 0
        event.listen(journal.engine, "checkout", self._out)
        event.listen(journal.engine, "checkin", self._back)

    def _out(self, _connection: Any, record: Any, _proxy: Any) -> None:
        record.info["out"] = (time.perf_counter(), time.thread_time())

    def _back(self, _connection: Any, record: Any) -> None:
        wall, own = record.info["out"]
        self.seconds += time.perf_counter() - wall
        self.own += time.thread_time() - own
        self.times += 1


def orders(name: str, journal_url: str, exchange: TrueMarkets) -> None:
    """Place orders, and tell what the journal took of each."""
    journal = Journal.open(journal_url)
    desk, held = Desk(exchange, journal=journal, account="main"), Held(journal)
    sides = itertools.cycle([NewOrder.of("BTC/PYUSD", side=side, amount="0.0001") for side in ("buy", "sell")])
    whole, kept, own, times = [], [], [], 0
    for number in range(WARM + ORDERS):
        held.seconds, held.own, held.times = 0.0, 0.0, 0
        start = time.perf_counter()
        desk.place_order(next(sides), intent_id=f"{name}-{number}", source="benchmark")
        if number >= WARM:
            whole.append(time.perf_counter() - start)
            kept.append(held.seconds)
            own.append(held.own)
            times = held.times
    desk.close()
    journal.close()
    print(told(f"{name}: journal, {times} transactions", kept))
    print(told(f"{name}: of that, this thread's CPU", own))
    print(told(f"{name}: the whole order", whole))


def fsyncs(folder: Path) -> list[float]:
    """One page written and synced."""
    file = os.open(folder / "page", os.O_WRONLY | os.O_CREAT)

    def sync() -> None:
        os.pwrite(file, b"x" * 4096, 0)
        os.fsync(file)

    found = each(sync, ORDERS)
    os.close(file)
    return found


def load_postgres() -> Any:
    """The tests' own server."""
    place = Path(__file__).parent.parent / "tests" / "postgres.py"
    spec = importlib.util.spec_from_file_location("tradehook_postgres", place)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main() -> None:
    """Run everything."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        command = [sys.executable, "-m", "tradehook_sandbox", "serve", "--port", "0", "--rate-limit", "0"]
        process = subprocess.Popen([*command, "--key-file", folder / "key.json"], stdout=subprocess.PIPE, text=True)
        try:
            url = process.stdout.readline().strip().removeprefix("ready ")
            signer = keys.load(folder / "key.json")
            exchange = TrueMarkets(BlockingLine(), signer=signer, base_url=url, budget=UNLIMITED)
            run(exchange.balances())
            print(told("one fsync on this disk", fsyncs(folder)))
            print(told("one HTTP call (balances)", each(lambda: run(exchange.balances()), ORDERS)))
            orders("SQLite", f"sqlite:///{folder}/journal.db", exchange)
            postgres = load_postgres()
            if programs := postgres.find_programs():
                server = postgres.PostgresServer(programs, is_durable=True)
                try:
                    orders("PostgreSQL", server.new_database(), exchange)
                finally:
                    server.close()
            else:
                print("PostgreSQL: not measured, it is not installed (apt-get install postgresql)")
            exchange.session.line.close()
        finally:
            process.terminate()
            process.wait()


if __name__ == "__main__":
    main()
