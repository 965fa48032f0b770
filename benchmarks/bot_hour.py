"""The bot's memory over an hour of use, in a process of its own as `tradehook-bot run` starts it. Run by hand.

Beside a person who asks, trades and looks at pictures all the time there is a control, in the same hour: the same bot,
whom nobody asks anything. What grows in both is no leak of a command.

    python benchmarks/bot_hour.py [minutes]
"""

from __future__ import annotations

import itertools
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from bot import new_token, person_with_bot, prices, sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tradehook_sandbox.telegram.driver import Person

EVERY_SECONDS = 2.5
WARM_MINUTES = 10
"""What is loaded and drawn for the first time is no growth."""
ASKS = (
    "/balance",
    "/help",
    "/orders",
    "/price BTC",
    "/whoami",
    "/portfolio",
    "/status",
    "/nonsense",
    "/history",
    "/pending",
    "/limits",
    "/buy BTC",
)


@contextmanager
def running(url: str, folder: Path) -> Iterator[tuple[Person, subprocess.Popen[bytes]]]:
    """A bot in a process, and its owner."""
    token = new_token()
    own = Path(tempfile.mkdtemp(dir=folder))
    house, ann = person_with_bot(url, folder, token=token, own=own)
    house.store.close()
    house.journal.close()
    (own / "token").write_text(token)
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("TRADEHOOK", "TELEGRAM"))}
    environ |= {
        "XDG_CONFIG_HOME": str(own),
        "TELEGRAM_TOKEN_FILE": str(own / "token"),
        "TRADEHOOK_TELEGRAM_URL": url,
        "TRADEHOOK_ENVIRONMENT": "sandbox",
        "TRADEHOOK_TRUE_MARKETS_URL": url,
        "TRADEHOOK_TRUE_MARKETS_KEY_FILE": str(folder / "key.json"),
        "TRADEHOOK_JOURNAL_URL": f"sqlite:///{own}/journal.db",
    }
    with (own / "bot.log").open("w") as log:
        process = subprocess.Popen([sys.executable, "-m", "tradehook_bot", "run"], env=environ, stdout=log, stderr=log)
    try:
        ann.say("/whoami")
        ann.wait_for("owner", timeout_seconds=60)
        yield ann, process
    finally:
        process.terminate()
        process.wait()


def megabytes(process: subprocess.Popen[bytes]) -> float:
    """What the process holds in memory."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def trade(ann: Person) -> None:
    """An order is asked for, confirmed, filled and told of."""
    ann.say("/buy BTC 0.0010 limit 60000")
    ann.tap(2, ann.wait_for("Open until:"))
    ann.wait_for("Open: buy 0.0010 BTC")
    prices(ann, BTC="59900")
    ann.wait_for("bought 0.0010 BTC", timeout_seconds=60)
    prices(ann, BTC="67340.2")


def ask(ann: Person, said: str) -> None:
    """Something is said, and the bot has answered."""
    before = {message.id for message in ann.messages()}
    ann.say(said)
    ann.wait_for(lambda message: message.id not in before, timeout_seconds=60)


def growth(samples: list[tuple[float, float]]) -> float:
    """Megabytes an hour, by the straight line through what was seen after the first minutes."""
    late = [(minute, held) for minute, held in samples if minute >= min(WARM_MINUTES, samples[-1][0] / 3)]
    return statistics.linear_regression(*zip(*late, strict=True)).slope * 60


def main() -> None:
    """Use it for so long, and say what it held."""
    minutes = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    with tempfile.TemporaryDirectory() as name, sandbox(Path(name)) as url:
        with running(url, Path(name)) as (ann, used), running(url, Path(name)) as (_, idle):
            began = time.monotonic()
            seen: dict[str, list[tuple[float, float]]] = {"used": [], "idle": []}
            asked = orders = 0
            for said in itertools.cycle(ASKS):
                minute = (time.monotonic() - began) / 60
                if minute >= len(seen["used"]):
                    for which, process in (("used", used), ("idle", idle)):
                        seen[which].append((minute, megabytes(process)))
                    print(
                        f"minute {minute:3.0f}: {seen['used'][-1][1]:.1f} MB, idle {seen['idle'][-1][1]:.1f} MB, "
                        f"{asked} commands, {orders} orders",
                        flush=True,
                    )
                    if minute >= minutes:
                        break
                    trade(ann)
                    orders += 1
                ask(ann, said)
                asked += 1
                time.sleep(EVERY_SECONDS)
        first, last = seen["used"][0][1], seen["used"][-1][1]
        print(
            f"{minutes} minutes, {asked} commands, {orders} orders: from {first:.1f} to {last:.1f} MB, "
            f"{growth(seen['used']):+.1f} MB an hour after the first {WARM_MINUTES} minutes; "
            f"idle beside it {growth(seen['idle']):+.1f} MB an hour"
        )


if __name__ == "__main__":
    main()
