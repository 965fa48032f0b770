"""An account in a sandbox in memory: no network, no sleeping, a clock that only moves when told."""

from __future__ import annotations

import json
import socket
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import serve

from tradehook.client import AsyncClient, Client
from tradehook.desk.journal import Journal
from tradehook.desk.submit import Desk
from tradehook.exchanges.true_markets import TrueMarkets, keys
from tradehook.testing import MemoryLine
from tradehook.wire import Request, encode_json
from tradehook_sandbox import Sandbox

URL = "http://127.0.0.1:8787"


@dataclass
class World:
    """A sandbox, a journal, and as many processes' worth of clients as a test wants."""

    folder: Path
    sandbox: Sandbox
    key: dict[str, Any]
    journal_url: str
    lines: list[MemoryLine] = field(default_factory=list)
    desks: list[Desk] = field(default_factory=list)

    def exchange(self, *, environment: str = "sandbox", base_url: str = URL, stop_at: int | None = None) -> TrueMarkets:
        line = MemoryLine(self.sandbox.respond, clock=self.sandbox.clock, stop_at=stop_at)
        self.lines.append(line)
        signer = keys.parse(json.dumps(self.key).encode(), where="test")
        return TrueMarkets(line, signer=signer, environment=environment, base_url=base_url)

    def desk(self, **options: Any) -> Desk:
        desk = Desk(self.exchange(**options), journal=Journal.open(self.journal_url), account="main")
        self.desks.append(desk)
        return desk

    def client(self, **options: Any) -> Client:
        desk = self.desk(**options)
        return Client(AsyncClient(desk.exchange, desk=lambda: desk))

    def admin(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        request = Request(method, f"{URL}/_sandbox/{path}", body=encode_json(body) if body is not None else b"")
        response = self.sandbox.handle(request)
        assert response.status < 300, response.body
        return response.json()

    def fault(self, kind: str, *, method: str = "POST", path: str = "/orders", **more: Any) -> None:
        self.admin("POST", "faults", {"method": method, "path": path, "kind": kind, "times": 1, **more})

    def orders_placed(self) -> int:
        """How many orders are there for money, once everything that comes late has come."""
        self.sandbox.clock.advance(60)
        ledger = self.admin("GET", "ledger")
        assert ledger["balanced"] is True
        return ledger["orders"]

    def sends(self, method: str, path_end: str) -> int:
        """How many requests of this kind left, over all lines."""
        return sum(
            1
            for line in self.lines
            for request in line.sent
            if request.method == method and request.path.endswith(path_end)
        )


@pytest.fixture
def store(request):
    """The address of a new journal in a folder: SQLite's, or a database of a real server where a test asks for both."""
    if getattr(request, "param", "sqlite") == "sqlite":
        return lambda folder: f"sqlite:///{folder}/journal.db"
    server = request.getfixturevalue("postgres")
    return lambda _folder: server.new_database()


def pytest_generate_tests(metafunc):
    """What a module runs on both kinds of journal, it says: `STORES = ("sqlite", "postgres")`."""
    stores = getattr(metafunc.module, "STORES", None)
    if stores and "store" in metafunc.fixturenames:
        metafunc.parametrize("store", stores, indirect=True)


@pytest.fixture
def make_world(tmp_path, store):
    worlds = []

    def make(**options: Any) -> World:
        options.setdefault("rate_limit", 0)
        sandbox = Sandbox(**options)
        folder = tmp_path / f"world{len(worlds)}"
        folder.mkdir()
        worlds.append(World(folder=folder, sandbox=sandbox, key=sandbox.key_file(), journal_url=store(folder)))
        return worlds[-1]

    yield make
    for world in worlds:
        for desk in world.desks:
            desk.close()
            desk.journal.close()


@pytest.fixture
def world(make_world) -> World:
    return make_world()


class StreamPeer:
    """A real WebSocket server on this machine: a script of the test serves each connection, the last one all others."""

    def __init__(self, *scripts, process_request=None, ssl=None):
        self.scripts = list(scripts)
        self.headers: list[dict[str, str]] = []
        self.connections = 0
        self.done = threading.Event()
        self._server = serve(
            self._serve,
            "127.0.0.1",
            0,
            process_request=process_request,
            ssl=ssl,
            ping_interval=None,
            close_timeout=0.1,
        )
        self.url = f"{'wss' if ssl else 'ws'}://127.0.0.1:{self._server.socket.getsockname()[1]}/stream"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def _serve(self, connection):
        self.connections += 1
        self.headers.append({name.lower(): value for name, value in connection.request.headers.raw_items()})
        script = self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]
        with suppress(ConnectionClosed, OSError):
            script(self, connection)

    def close(self):
        self.done.set()
        self._server.shutdown()
        self._thread.join(10)
        assert not self._thread.is_alive()


class StreamPeers:
    """Opens such servers, and has the usual scripts."""

    def __init__(self):
        self.opened: list[StreamPeer] = []

    def open(self, *scripts, **options) -> StreamPeer:
        self.opened.append(StreamPeer(*scripts, **options))
        return self.opened[-1]

    @staticmethod
    def echo(_peer, connection):
        for message in connection:
            connection.send(message)

    @staticmethod
    def silence(peer, _connection):
        peer.done.wait(30)

    @staticmethod
    def cut(_peer, connection):
        """Drop the connection without a close frame."""
        connection.socket.shutdown(socket.SHUT_RDWR)

    def says(self, *messages, then=None):
        """Hear the subscription, say these, and go on with another script."""

        def script(peer, connection):
            connection.recv(timeout=10)
            for message in messages:
                connection.send(message)
            (then or self.silence)(peer, connection)

        return script


@pytest.fixture
def stream_peers():
    peers = StreamPeers()
    yield peers
    for peer in peers.opened:
        peer.close()
