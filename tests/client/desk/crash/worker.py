"""The fork server: one thread, everything loaded, one forked child for each run. Trials in, findings out, a line each.

    python worker.py        says {"points": [...]} first; then reads a trial on each line of stdin

A trial is {deed, policy, fault, kills: [[place, n] or null, ...], waits: [seconds, ...]}. The first run dies at the
first kill, the next at the second, and so on; the same intent is run again after each wait, until its caller hears an
end. Then everything that comes late comes, and the sandbox's books are asked what is there.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

import child
from child import INTENT, Place, admin
from child_names import BEFORE, SWEPT, TRANSFERS
from points import Point, enumerate_points

import tradehook.desk

HERE = Path(__file__).parent
DESK = Path(tradehook.desk.__file__).parent
LONGEST_RUN_SECONDS = 30
LATE_SECONDS = 8000.0
"""Later than everything that was sent: late accepts, settlements, tokens."""


def load() -> list[Point]:
    """Everything a child needs is loaded, and the points of exactly that code are known."""
    for path in DESK.glob("*.py"):
        importlib.import_module(f"tradehook.desk.{path.stem}")
    for name in ("sqlalchemy.dialects.sqlite.pysqlite", "alembic.command", "tradehook.exchanges.true_markets.opening"):
        importlib.import_module(name)
    return enumerate_points([*DESK.glob("*.py"), HERE / "naive.py"])


class Worker:
    def __init__(self, points: list[Point], exchange: dict[str, Any], folder: Path) -> None:
        self.points = points
        self.folder = folder
        self.url, self.key = exchange["url"], exchange["key"]
        self.template = folder / "template.db"
        self.fork({"do": "journal"}, self.place(self.template))
        self.warm()

    def warm(self) -> None:
        """Once in this process, before any child: what each of them would make again."""
        admin(self.url, "POST", "/_crash/new")
        path = self.folder / "warm.db"
        self.copy_template(path)
        child.warm(self.place(path))
        assert threading.active_count() == 1, "a fork would leave threads behind"

    def place(self, path: Path) -> Place:
        return Place(self.url, self.key, f"sqlite:///{path}", self.offset())

    def offset(self) -> float:
        return float(admin(self.url, "GET", "/_sandbox/clock")["offset_seconds"])

    def fork(self, work: dict[str, Any], place: Place) -> dict[str, Any]:
        """One run in a child of its own: the places it passed, and what its caller heard, unless it died."""
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            signal.alarm(LONGEST_RUN_SECONDS)  # not handled: a run that hangs dies, and is found
            os.close(reading)
            child.main(place, work, self.points, writing)
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading) as pipe:
            lines = pipe.read().splitlines()
        _, status = os.waitpid(pid, 0)
        run: dict[str, Any] = {"passed": [line[3:] for line in lines if line.startswith("at ")]}
        for line in lines:
            if line.startswith("end "):
                run |= json.loads(line[4:])
        if os.WIFSIGNALED(status):
            number = os.WTERMSIG(status)
            run["killed" if number == signal.SIGKILL else "crash"] = signal.Signals(number).name
        return run

    def trial(self, spec: dict[str, Any]) -> dict[str, Any]:
        """Carry one trial out and say what was found."""
        admin(self.url, "POST", "/_crash/new")
        path = self.folder / "journal.db"
        for old in self.folder.glob("journal.db*"):
            old.unlink()
        self.copy_template(path)
        for deed, intent_id, kill in BEFORE.get(spec["deed"], []):
            work = {"do": "before", "deed": deed, "intent_id": intent_id, "kill": kill and [kill, 1]}
            run = self.fork(work, self.place(path))
            assert ("killed" if kill else "placed") in run, run
            self.advance(120)
        if spec["fault"]:
            admin(self.url, "POST", "/_sandbox/faults", spec["fault"])
        runs = []
        kills = [*spec["kills"]]
        for wait in (0.0, *spec["waits"]):
            if wait:
                self.advance(wait)
            work = {
                "do": "deed",
                "deed": spec["deed"],
                "policy": spec["policy"],
                "kill": kills.pop(0) if kills else None,
            }
            runs.append(self.fork(work, self.place(path)))
            if "placed" in runs[-1] or "crash" in runs[-1] or journal_row(path)["state"] == "REJECTED":
                break
        admin(self.url, "DELETE", "/_sandbox/faults")
        self.advance(LATE_SECONDS)
        if spec["deed"] in SWEPT:
            self.fork({"do": "before", "deed": SWEPT[spec["deed"]], "intent_id": INTENT}, self.place(path))
            self.advance(5)
        ledger = admin(self.url, "GET", "/_sandbox/ledger")
        return {"runs": runs, "balanced": ledger["balanced"], **self.there(spec["deed"]), **journal_row(path)}

    def copy_template(self, path: Path) -> None:
        """A journal at rest is its database and the count beside it: both, or it is rightly taken for an old copy."""
        for part in ("", ".epoch"):
            if (source := Path(f"{self.template}{part}")).exists():
                shutil.copy(source, f"{path}{part}")
        assert not Path(f"{self.template}-wal").exists(), "the template was not closed"

    def advance(self, seconds: float) -> None:
        admin(self.url, "POST", "/_sandbox/clock", {"advance": seconds})

    def there(self, deed: str) -> dict[str, Any]:
        """What exists for money, by the sandbox's own books."""
        if deed.startswith("fintrusted futures"):
            return {"there": admin(self.url, "GET", "/_crash/futures")}
        if deed.startswith("fintrusted"):
            rows = admin(self.url, "GET", "/_sandbox/fintrusted/orders")["data"]
            here = {row["order_id"]: row["status"].lower() for row in rows}
            # One over both exchanges has legs at each.
            both = self.there("rebalance")["there"] if deed.endswith("rebalance") else {}
            return {"there": {**both, **here}}
        kind, waiting = ("transfers", "awaiting_signature") if deed in TRANSFERS else ("orders", "initialized")
        rows = admin(self.url, "GET", f"/_sandbox/{kind}")["data"]
        return {"there": {row.get("id") or row["order_id"]: row["status"] for row in rows if row["status"] != waiting}}


def journal_row(path: Path) -> dict[str, Any]:
    """The intent as it is stored, and every order that is bound, read past all of tradehook's code."""
    connection = sqlite3.connect(path)
    try:
        row = connection.execute(
            "SELECT state, exchange_id, request FROM intent WHERE intent_id = ?", (INTENT,)
        ).fetchone() or (None, None, None)
        bound = connection.execute("SELECT exchange_id, seen FROM intent WHERE exchange_id IS NOT NULL").fetchall()
    finally:
        connection.close()
    legs = len(json.loads(row[2]).get("legs", [])) if row[2] else 0
    seen = {identity: json.loads(text)["status"] for identity, text in bound if text}
    return {"state": row[0], "bound": row[1], "legs": legs, "all_bound": [each[0] for each in bound], "seen": seen}


def main() -> None:
    points = load()
    with (
        tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder,
        subprocess.Popen([sys.executable, str(HERE / "exchange.py")], stdout=subprocess.PIPE, text=True) as server,
    ):
        try:
            assert server.stdout is not None
            worker = Worker(points, json.loads(server.stdout.readline()), Path(folder))
            gc.freeze()
            print(json.dumps({"points": [[point.name, point.kind] for point in points]}), flush=True)
            for line in sys.stdin:
                print(json.dumps(worker.trial(json.loads(line))), flush=True)
        finally:
            server.terminate()


if __name__ == "__main__":
    main()
