"""A world for the state machine: a process that can die at any wait, and a sandbox that says whose each order is."""

from __future__ import annotations

import json
import shutil
import socket
import sqlite3
import tempfile
import uuid
from pathlib import Path
from typing import Any

from sqlalchemy import event

from tradehook.client import AsyncClient, Client
from tradehook.desk.journal import Journal
from tradehook.desk.submit import Desk
from tradehook.exchanges.true_markets import TrueMarkets, keys
from tradehook.testing import MemoryLine, Stopped
from tradehook.wire import Request, Response
from tradehook_sandbox import Sandbox
from tradehook_sandbox.faults import Answer, Fault

URL = "http://127.0.0.1:8787"
HOST = "127.0.0.1:8787"
BASE, BITCOIN = "0x52908400098527886E0F7030069857D2E4169EE7", "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq"
MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
_BEYOND_EVERY_PID = 2**22 + 1


class MortalLine(MemoryLine):
    """A line whose process dies at a wait: nothing of it happens any more, before the request or right after it."""

    def __init__(self, staged: Staged) -> None:
        super().__init__(staged.respond, clock=staged.sandbox.clock)
        self.staged = staged
        self.is_dead = False
        self.dies_after_answer = False

    def wait(self) -> None:
        self.waits += 1
        if self.is_dead or (self.waits == self.stop_at and not self.dies_after_answer):
            self.is_dead = True
            raise Stopped

    async def send(self, request: Request) -> Response:
        self.staged.sent_for[id(request)] = request, self.staged.doing
        try:
            return await super().send(request)
        finally:
            if self.waits == self.stop_at:
                self.is_dead = True
                raise Stopped


class Process:
    """A client with a desk of its own. Once dead, it writes nothing more, and everybody else sees that it is gone."""

    def __init__(self, staged: Staged) -> None:
        self.line = MortalLine(staged)
        self.exchange = staged.exchange(self.line)
        self.journal = Journal.open(staged.journal_url)
        event.listen(self.journal.engine, "begin", self._write)
        self.desk = Desk(self.exchange, journal=self.journal, account="main")
        self.client = Client(AsyncClient(self.exchange, desk=lambda: self.desk))
        # To others it is a process that has ended: its death is staged in this one.
        self.desk._attempts.owner = f"{socket.gethostname()}:{_BEYOND_EVERY_PID}:1:{uuid.uuid4().hex[:8]}"

    def _write(self, _connection: object) -> None:
        if self.line.is_dead:
            raise Stopped

    def close(self) -> None:
        self.line.is_dead = False
        self.line.stop_at = None
        self.client.close()


class Staged:
    """One sandbox, one journal, one process at a time."""

    def __init__(self, template: Path) -> None:
        self.folder = Path(tempfile.mkdtemp(dir=MEMORY, prefix="storm-"))
        for part in ("", ".epoch"):
            shutil.copy(f"{template}{part}", self.folder / f"journal.db{part}")
        self.journal_url = f"sqlite:///{self.folder}/journal.db"
        self.sandbox = self.make_sandbox()
        self.key = self.sandbox.key_file()
        self.sent_for: dict[int, tuple[Request, str | None]] = {}
        """Requests by their address, held here: one that was let go of would leave its address to another."""
        self.doing: str | None = None
        self.made_for: dict[str, str | None] = {}
        """Each order and transfer of the exchange to the intent that it was made for; `None`: by hand."""
        self.executed: set[str] = set()
        self.posts = 0
        far_side = self.far_side()
        self._carry_out = far_side.handle
        far_side.handle = self._handle  # late ones pass here, too
        self.rows = sqlite3.connect(self.folder / "journal.db", isolation_level=None)
        self.rows.row_factory = sqlite3.Row
        self.past_faults = self.exchange(
            MemoryLine(lambda request: Answer(self.sandbox.handle(request)), clock=self.sandbox.clock)
        )

    def make_sandbox(self) -> Sandbox:
        return Sandbox(rate_limit=0)

    def far_side(self) -> Any:
        """The exchange that this world is about."""
        return self.sandbox.exchange

    def close(self) -> None:
        self.rows.close()
        shutil.rmtree(self.folder)

    def exchange(self, line: MemoryLine) -> Any:
        signer = keys.parse(json.dumps(self.key).encode(), where="test")
        return TrueMarkets(line, signer=signer, environment="sandbox", base_url=URL)

    def respond(self, request: Request) -> Answer:
        return self.sandbox.respond(request)

    def _handle(self, request: Request, **more: Any) -> Response:
        response = self._carry_out(request, **more)
        self.note(request, response)
        return response

    def note(self, request: Request, response: Response) -> None:
        """Remember whose each order and transfer is."""
        if request.method == "POST" and response.status < 300:
            head, _, last = request.path.rpartition("/")
            self.posts += last in ("orders", "transfers", "execute")
            if last == "execute":
                self.executed.add(head.rpartition("/")[2])
            if last in ("orders", "transfers"):
                made = json.loads(response.body)
                identity = made.get("order_id") or made.get("id") or made["transfer_id"]
                self.made_for[identity] = self.sent_for.get(id(request), (request, None))[1]

    def fault(self, **fields: Any) -> None:
        self.sandbox.faults.add(Fault(**fields))

    def there(self) -> dict[str, Any]:
        """What is there for money, ours and others', by the sandbox's own books."""
        house, withdrawals = self.sandbox.exchange.house, self.sandbox.exchange.withdrawals
        every = {order.order_id: order for order in house.orders}
        every |= {transfer.transfer_id: transfer for transfer in withdrawals.all}
        # What waits for a signature, or waited in vain, moves nothing.
        return {name: each for name, each in every.items() if not _is_signed(each) or name in self.executed}


def _is_signed(each: Any) -> bool:
    asset = each.asset if hasattr(each, "asset") else each.base
    return asset.chain is not None


def make_template(folder: Path) -> Path:
    """A journal with its tables and the two destinations, at rest."""
    path = folder / "template.db"
    with Journal.open(f"sqlite:///{path}") as journal:
        journal.destinations.add(HOST, "cold", network="base", address=BASE, by="test")
        journal.destinations.add(HOST, "vault", network="bitcoin", address=BITCOIN, by="test")
    assert not Path(f"{path}-wal").exists()
    return path
