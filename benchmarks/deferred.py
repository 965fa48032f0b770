"""What a thousand deferred waits cost on one event loop: `OrderTrigger`, beside a naive trigger in the same run.

A thousand real orders rest at a sandbox over sockets. Each kind of trigger waits for all of them in a fresh process of
its own. The naive one does what such triggers usually do: at each look a new client, and a read of its one order. The
sandbox sets no limit here, so that what the naive trigger would have cost is seen. `--quick` takes a hundred orders.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from watching import Stage

from tradehook.desk.watch import OPEN_STATUSES
from tradehook.run import run

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from tradehook.models import Order

ORDERS, QUICK = 1_000, 100
SECONDS = 60.0
POLL_SECONDS = 5.0
CONNECTION = "true_markets_default"


def memory() -> float:
    """What this process has in memory, in MB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


async def naive(order_id: str, until: float) -> None:
    """Look by oneself until the end: the connection, a client that signs in, a look, and away with it."""
    from tradehook.budget import Budget
    from tradehook.exchanges.true_markets import TrueMarkets, keys
    from tradehook.lines.asynchronous import AsyncLine
    from tradehook_provider.hooks.exchange import ExchangeHook

    while (left := until - time.time()) > 0:
        line = AsyncLine()
        try:
            async with asyncio.timeout(left):
                settings = await ExchangeHook(CONNECTION).aread_settings()
                exchange = TrueMarkets(
                    line, signer=keys.load(settings.key_file), base_url=settings.url, budget=Budget(requests=10**9)
                )
                order = await exchange.get_order(order_id)
                if order.is_final:
                    return
                await line.close()
                await asyncio.sleep(POLL_SECONDS)
        except TimeoutError:
            return
        except Exception as error:  # noqa: BLE001 - counted, as a trigger would log it
            FAILED.append(type(error).__name__)
            await asyncio.sleep(POLL_SECONDS)
        finally:
            await line.close()


FAILED: list[str] = []


async def ours(order_id: str, until: float) -> None:
    """What the provider's operators and sensors defer to."""
    from tradehook_provider.triggers.orders import OrderTrigger

    made = OrderTrigger(exchange_conn_id=CONNECTION, order_id=order_id, until=until, poll_seconds=POLL_SECONDS)
    words = [str(event.payload["status"]) async for event in made.run()]
    FAILED.extend(word for word in words if word != "timeout")


KINDS = {"OrderTrigger": ours, "naive": naive}


def wait(kind: str, order_ids: list[str], variables: dict[str, str], seconds: float, pipe: Connection) -> None:
    """A fresh process: wait for all orders, and say what it took."""
    os.environ |= variables
    import tradehook_provider.triggers.orders  # noqa: F401 - Airflow itself is not what is measured

    before, cpu = memory(), time.process_time()
    peak = before

    async def wait_for_all() -> None:
        nonlocal peak
        until = time.time() + seconds
        waiting = [asyncio.ensure_future(KINDS[kind](order_id, until)) for order_id in order_ids]
        while time.time() < until:
            await asyncio.sleep(0.5)
            peak = max(peak, memory())
        await asyncio.gather(*waiting)

    began = time.monotonic()
    asyncio.run(wait_for_all())
    passed = time.monotonic() - began
    pipe.send({"cpu": time.process_time() - cpu, "memory": peak - before, "failed": len(FAILED), "passed": passed})


def measure(kind: str, order_ids: list[str], *, stage: Stage, folder: Path, seconds: float) -> dict[str, Any]:
    """One kind of trigger, and how many requests reached the sandbox meanwhile."""
    connection = {
        "conn_type": "true_markets",
        "host": stage.url,
        "extra": {"environment": "sandbox", "key_path": str(stage.key_file)},
    }
    variables = {
        f"AIRFLOW_CONN_{CONNECTION.upper()}": json.dumps(connection),
        "TRADEHOOK_JOURNAL_URL": stage.journal_url,
        "AIRFLOW_HOME": str(folder / "airflow"),
    }
    context = multiprocessing.get_context("spawn")
    mine, theirs = context.Pipe()
    count_from_now(stage)
    process = context.Process(target=wait, args=(kind, order_ids, variables, seconds, theirs))
    process.start()
    theirs.close()
    report: dict[str, Any] = mine.recv()
    process.join()
    return {**report, "requests": counted(stage)}


def count_from_now(stage: Stage) -> None:
    """Have the sandbox count every request: a fault that is only slow, by nothing."""
    stage.admin.delete("faults").raise_for_status()
    fault = {"kind": "slow", "method": "*", "path": "*", "times": None, "delay_seconds": 0}
    stage.admin.post("faults", json=fault).raise_for_status()


def counted(stage: Stage) -> int:
    """How many requests have reached it since."""
    answer = stage.admin.get("faults")
    answer.raise_for_status()
    return int(answer.json()["data"][0]["struck"])


def row(kind: str, report: dict[str, Any]) -> str:
    """A line of the table."""
    return (
        f"| {kind} | {report['requests']:,} | {report['requests'] / report['passed']:.1f} | {report['cpu']:.1f} s "
        f"| {report['cpu'] / report['passed']:.0%} | {report['memory']:.0f} MB | {report['failed']:,} |"
    )


async def everything(stage: Stage) -> list[Order]:
    """Every open order."""
    return [order async for order in stage.exchange.list_orders(statuses=OPEN_STATUSES)]


def main() -> None:
    """Measure both, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a hundred orders, ten seconds")
    options = parser.parse_args()
    count, seconds = (QUICK, 10.0) if options.quick else (ORDERS, SECONDS)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        command = [sys.executable, "-m", "tradehook_sandbox", "serve", "--port", "0", "--rate-limit", "0"]
        server = subprocess.Popen([*command, "--key-file", folder / "key.json"], stdout=subprocess.PIPE, text=True)
        assert server.stdout is not None
        try:
            stage = Stage(server.stdout.readline().strip().removeprefix("ready "), folder)
            stage.place(count)
            order_ids = [order.order_id for order in run(everything(stage))]
            assert len(order_ids) == count
            print("| trigger | requests | a second | CPU | of one core | memory | failed looks |")
            print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |", flush=True)
            reports = {}
            for kind in KINDS:
                reports[kind] = measure(kind, order_ids, stage=stage, folder=folder, seconds=seconds)
                print(row(kind, reports[kind]), flush=True)
            mine, peer = (reports[kind] for kind in KINDS)
            requests, cpu = peer["requests"] / mine["requests"], peer["cpu"] / mine["cpu"]
            print(
                f"{count:,} waits, {seconds:g} s: naive is {requests:.0f} times the requests, {cpu:.1f} times the CPU."
            )
            stage.close()
        finally:
            server.terminate()
            server.wait()
            server.stdout.close()


if __name__ == "__main__":
    main()
