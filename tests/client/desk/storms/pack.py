"""A fork server: everything is loaded once, then each job lets children loose on one journal at the same moment.

    python -m tests.client.desk.storms.pack URL KEY      reads a job on each line of stdin, answers with a line each

A job is {"children": [...], "journal": URL, ...}; see `Pack.race` and `Pack.pause`. Children are real processes with a
journal, a desk and a socket of their own, made after the fork.
"""

from __future__ import annotations

import gc
import importlib
import json
import mmap
import os
import signal
import struct
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, text
from tests.client.desk.storms.peers import admin

import tradehook.desk
from tradehook.amounts import parse_amount
from tradehook.contract import Exchange
from tradehook.desk import journal as journals
from tradehook.desk import reserve
from tradehook.desk.journal import Journal
from tradehook.desk.reconcile import Patience
from tradehook.desk.submit import Desk
from tradehook.errors import TradehookError
from tradehook.exchanges.fintrusted import FinTrusted
from tradehook.exchanges.fintrusted.dialect import Dialect
from tradehook.exchanges.true_markets import TrueMarkets, keys
from tradehook.lines.blocking import BlockingLine
from tradehook.models import NewOrder
from tradehook.run import run
from tradehook.session import Token
from tradehook.transfers import NewTransfer
from tradehook.wire import Request, Response

LONGEST_SECONDS = 60
HORIZON_SECONDS = 600.0


class SharedLine(BlockingLine):
    """A blocking line in a time that all children share, and that may stop its process right before a socket write."""

    def __init__(self, url: str, shift: mmap.mmap, *, moves: bool, stops: Callable[[], None] | None) -> None:
        super().__init__()
        self.url, self.shift, self.moves, self.stops = url, shift, moves, stops

    async def send(self, request: Request) -> Response:
        if self.stops and request.method == "POST" and request.path.endswith(("/orders", "/transfers", "/execute")):
            stops, self.stops = self.stops, None
            stops()
        return await super().send(request)

    async def pause(self, seconds: float) -> None:
        if not self.moves:
            await super().pause(seconds)
            return
        admin(self.url, "POST", "clock", {"advance": seconds})
        write_shift(self.shift, read_shift(self.shift) + seconds)

    def now(self) -> float:
        return super().now() + read_shift(self.shift)

    def monotonic(self) -> float:
        return super().monotonic() + read_shift(self.shift)


def read_shift(shift: mmap.mmap) -> float:
    return float(struct.unpack("d", shift[:8])[0])


def write_shift(shift: mmap.mmap, seconds: float) -> None:
    shift[:8] = struct.pack("d", seconds)


def wanted(deed: str, amount: str) -> NewOrder | NewTransfer:
    """What a child wants; amounts tell one race's from another's."""
    match deed:
        case "order":
            return NewOrder.of("BTC/PYUSD", side="buy", amount=amount)
        case "fintrusted BTC/USDT buy" | "fintrusted ETH/USDT buy" | "fintrusted BTC/USDT sell":
            _, market, side = deed.split()
            return NewOrder.of(market, side=side, amount=amount)
        case "signed order":
            return NewOrder.of("CBBTC/USDC", side="buy", amount=amount, chain="base")
        case "payout":
            return NewTransfer(asset="BTC", amount=parse_amount(amount), to="vault", chain=None)
        case "signed transfer":
            return NewTransfer(asset="USDC", amount=parse_amount(amount), to="cold", chain="base")
    raise AssertionError(deed)


class Child:
    """One process of a job: gets ready, waits for the word, does its work, says what it heard."""

    def __init__(self, pack: Pack, job: dict[str, Any], work: dict[str, Any]) -> None:
        self.pack, self.job, self.work = pack, job, work

    def main(self, ready: int, go: int, say: int) -> None:
        try:
            result = self._work(ready, go)
        except TradehookError as error:
            result = {"error": type(error).__name__, "message": error.message}
        except BaseException:  # noqa: BLE001 - whatever it is, the test must see it
            result = {"crash": traceback.format_exc()[-3000:]}
        os.write(say, json.dumps(result).encode())

    def _work(self, ready: int, go: int) -> dict[str, Any]:
        policy = self.work.get("policy", "desk")
        stops = (lambda: self._stop(ready)) if self.work.get("stops") else None
        line = SharedLine(self.pack.url, self.pack.shift, moves=bool(self.job.get("shifts")), stops=stops)
        is_blind = self.work["deed"].startswith("fintrusted")
        make = self.pack.fintrusted if is_blind else self.pack.exchange
        exchange = make(line, seconds=float(self.job.get("timeout", 5.0)))
        run(exchange.account_id())
        if self.job.get("no_fence"):
            Token.left_seconds = lambda *_, **__: 0.0  # type: ignore[method-assign]
        if self.job.get("no_lock"):
            journals.writing = unlocked  # type: ignore[attr-defined]
            reserve.lock_account = lambda *_: None
        if policy == "remembering":
            return self._remember(exchange, lambda: _meet(ready, go))
        journal = Journal.open(self.job["journal"])
        patience = Patience(horizon_seconds=HORIZON_SECONDS, look_seconds=float(self.job.get("look", 0.5)))
        desk = Desk(exchange, journal=journal, account="main", patience=patience)
        if self.job.get("gate"):
            gated(journal, lambda: _meet(ready, go))
        elif stops is None:
            _meet(ready, go)
        intent_id = self.work["intent"]
        want = wanted(self.work["deed"], self.work["amount"])
        if self.work.get("says_again"):
            desk.reconcile()
            desk.resolve(intent_id, "again", by="a person", why="looked, and it is not there")
        if isinstance(want, NewTransfer):
            made = desk.create_transfer(want, intent_id=intent_id, source="storm")
            return {"placed": made.transfer.transfer_id, "is_stored": made.is_stored}
        resends = bool(self.work.get("resends"))
        preview = self.work.get("preview")
        placed = desk.place_order(want, intent_id=intent_id, source="storm", resends=resends, preview=preview)
        return {"placed": placed.order.order_id, "is_stored": placed.is_stored}

    @staticmethod
    def _stop(ready: int) -> None:
        os.write(ready, b"s")
        # To this thread: sent to the process, another thread takes it, and this one may send before all stand still.
        signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)

    def _remember(self, exchange: Exchange, meet: Callable[[], None]) -> dict[str, Any]:
        """The control: looks whether it was done, does it, and notes that it is done."""
        engine = create_engine(self.job["journal"].replace("postgresql://", "postgresql+psycopg://"))
        order = wanted(self.work["deed"], self.work["amount"])
        assert isinstance(order, NewOrder)
        write = exchange.new_order(run(exchange.size_order(order)))
        request, _ = run(exchange.session.prepare(write.request))
        meet()
        mine = {"name": self.work["intent"]}
        with engine.begin() as connection:
            found = connection.execute(text("SELECT made FROM naive WHERE name = :name"), mine).scalar()
        if found:
            return {"placed": found, "is_stored": True}
        made = exchange.session.understand(run(exchange.session.send_once(request)), write.read)
        with engine.begin() as connection:
            values = {**mine, "made": made.order_id}
            connection.execute(text("INSERT INTO naive (name, made) VALUES (:name, :made)"), values)
        return {"placed": made.order_id, "is_stored": False}


def _meet(ready: int, go: int) -> None:
    os.write(ready, b"r")
    os.read(go, 1)  # ends for all at once, when the other side is closed


def gated(journal: Journal, meet: Callable[[], None]) -> None:
    """All children reserve at the same moment: what comes before takes each of them another time."""
    start = journal.start
    calls = iter([meet])

    def together(*arguments: Any, **options: Any) -> Any:
        for call in calls:
            call()
        return start(*arguments, **options)

    journal.start = together  # type: ignore[method-assign]


@contextmanager
def unlocked(engine: Any) -> Iterator[Any]:
    """A transaction as a database driver makes it when nobody asks for more."""
    url = engine.url
    plain = create_engine(url, **({"connect_args": {"timeout": 30}} if url.drivername.startswith("sqlite") else {}))
    with plain.begin() as connection:
        yield connection
    plain.dispose()


class Pack:
    def __init__(self, url: str, key: dict[str, Any]) -> None:
        self.url, self.key = url, key
        self.shift = mmap.mmap(-1, 8)

    def exchange(self, line: BlockingLine, *, seconds: float) -> TrueMarkets:
        signer = keys.parse(json.dumps(self.key).encode(), where="the harness")
        return TrueMarkets(line, signer=signer, environment="sandbox", base_url=self.url, timeout_seconds=seconds)

    def fintrusted(self, line: BlockingLine, *, seconds: float) -> FinTrusted:
        dialect = Dialect.parse({"email": "demo@example.com", "password": "demo"}, is_sandbox=True)
        return FinTrusted(line, dialect=dialect, base_url=self.url, timeout_seconds=seconds)

    def account_id(self) -> str:
        line = BlockingLine()
        found = run(self.exchange(line, seconds=5.0).account_id())
        line.close()
        return found

    def fork(self, job: dict[str, Any], work: dict[str, Any], ready: int, go: tuple[int, int]) -> tuple[int, int]:
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            signal.alarm(LONGEST_SECONDS)  # not handled: one that hangs dies, and is found
            os.close(reading)
            os.close(go[1])
            Child(self, job, work).main(ready, go[0], writing)
            os._exit(0)
        os.close(writing)
        return pid, reading

    def race(self, job: dict[str, Any]) -> dict[str, Any]:
        """All children at once, when all are ready. Says what each heard, and how long it took from the word."""
        ready, say_ready = os.pipe()
        go = os.pipe()
        children = [self.fork(job, work, say_ready, go) for work in job["children"]]
        os.close(say_ready)
        waiting = len(children)
        while waiting:
            if not (heard := os.read(ready, waiting)):
                break  # those that are missing failed before they were ready
            waiting -= len(heard)
        begun = time.monotonic()
        os.close(go[1])
        found = [_end(pid, reading) for pid, reading in children]
        os.close(go[0])
        os.close(ready)
        return {"heard": found, "seconds": time.monotonic() - begun}

    def pause(self, job: dict[str, Any]) -> dict[str, Any]:
        """The first child stops right before its socket write; past the horizon others take over; it goes on."""
        write_shift(self.shift, float(admin(self.url, "GET", "clock")["offset_seconds"]))
        ready, say_ready = os.pipe()
        go = os.pipe()
        holder, *others = job["children"]
        pid, reading = self.fork(job, holder, say_ready, go)
        assert os.read(ready, 1) == b"s", "the holder ended before it sent"
        _, status = os.waitpid(pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status), status
        admin(self.url, "POST", "clock", {"advance": job["past"]})
        write_shift(self.shift, read_shift(self.shift) + job["past"])
        if job.get("wakes") == "before":
            os.kill(pid, signal.SIGCONT)
        successors = [self.fork(job, work, say_ready, go) for work in others]
        for _ in others:
            os.read(ready, 1)
        os.close(go[1])
        if job.get("wakes") == "during":
            os.kill(pid, signal.SIGCONT)
        heard = [_end(*successor) for successor in successors]
        os.kill(pid, signal.SIGCONT)
        heard = [_end(pid, reading), *heard]
        for end in (ready, say_ready, go[0]):
            os.close(end)
        return {"heard": heard}


def _end(pid: int, reading: int) -> dict[str, Any]:
    with os.fdopen(reading) as pipe:
        said = pipe.read()
    _, status = os.waitpid(pid, 0)
    return json.loads(said) if said else {"crash": f"it ended with status {status} and said nothing"}


def main() -> None:
    for path in Path(tradehook.desk.__file__).parent.glob("*.py"):
        importlib.import_module(f"tradehook.desk.{path.stem}")
    for name in ("sqlalchemy.dialects.sqlite.pysqlite", "sqlalchemy.dialects.postgresql.psycopg", "psycopg", "httpx"):
        importlib.import_module(name)
    pack = Pack(sys.argv[1], json.loads(sys.argv[2]))
    gc.freeze()
    print(f"ready {pack.account_id()}", flush=True)
    for line in sys.stdin:
        job = json.loads(line)
        print(json.dumps(pack.pause(job) if job.get("shifts") else pack.race(job)), flush=True)


if __name__ == "__main__":
    main()
