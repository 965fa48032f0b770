"""What the storms act on: a sandbox behind a socket that can begin anew, and a pack of processes."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

ROOT = Path(__file__).parents[4]
EXCHANGE = Path(__file__).parents[1] / "crash" / "exchange.py"
BASE, BITCOIN = "0x52908400098527886E0F7030069857D2E4169EE7", "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq"
WAITING = {"initialized", "awaiting_signature"}
LATE_SECONDS = 8000.0


def admin(url: str, method: str, path: str, body: Any = None, *, prefix: str = "/_sandbox/") -> Any:
    """Ask the sandbox's own side."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=20)
    try:
        text = None if body is None else json.dumps(body)
        connection.request(method, prefix + path, text, {"content-type": "application/json"})
        answer = connection.getresponse()
        content = answer.read()
        assert answer.status < 300, (method, path, answer.status, content)
        return json.loads(content)
    finally:
        connection.close()


class Room:
    """A sandbox server, and a pack that uses it."""

    def __enter__(self) -> Self:
        self.exchange = subprocess.Popen([sys.executable, str(EXCHANGE)], stdout=subprocess.PIPE, text=True)
        told = json.loads(self.exchange.stdout.readline())
        self.url, self.key = told["url"], told["key"]
        self.host = urlsplit(self.url).netloc
        command = [sys.executable, "-m", "tests.client.desk.storms.pack", self.url, json.dumps(self.key)]
        self.pack = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        said, _, self.account_id = self.pack.stdout.readline().strip().partition(" ")
        assert said == "ready"
        return self

    def __exit__(self, *_: object) -> None:
        self.pack.stdin.close()
        self.pack.wait(20)
        self.pack.stdout.close()
        self.exchange.terminate()
        self.exchange.wait(20)
        self.exchange.stdout.close()

    def admin(self, method: str, path: str, body: Any = None) -> Any:
        return admin(self.url, method, path, body)

    def begin_anew(self) -> None:
        """The exchange is as new; the key stays."""
        admin(self.url, "POST", "new", prefix="/_crash/")

    def do(self, **job: Any) -> dict[str, Any]:
        """Let the pack do a job, and say what its children heard."""
        self.pack.stdin.write(json.dumps(job) + "\n")
        self.pack.stdin.flush()
        line = self.pack.stdout.readline()
        assert line, "the pack has ended; its words are above"
        return json.loads(line)

    def settle(self) -> None:
        """Everything that comes late has come, and the books are right."""
        self.admin("DELETE", "faults")
        self.admin("POST", "clock", {"advance": LATE_SECONDS})
        assert self.admin("GET", "ledger")["balanced"] is True

    def there(self) -> dict[str, list[str]]:
        """What is there for money: the quantity as it was asked for, to the ids of all that have it.

        At FinTrusted the market and the side.
        """
        found: dict[str, list[str]] = {}
        for kind in ("orders", "transfers"):
            for row in self.admin("GET", kind)["data"]:
                is_signed = row.get("chain") is not None
                if row["status"] not in WAITING and not (is_signed and row["status"] == "failed"):
                    found.setdefault(f"{kind} {float(row['qty']):.8f}", []).append(row.get("id") or row["order_id"])
        for row in self.admin("GET", "fintrusted/orders")["data"]:
            found.setdefault(f"fintrusted {row['symbol']} {row['direction']}", []).append(row["order_id"])
        return found
