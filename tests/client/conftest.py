"""An account in a sandbox in memory: no network, no sleeping, a clock that only moves when told."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

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
    lines: list[MemoryLine] = field(default_factory=list)
    desks: list[Desk] = field(default_factory=list)

    @property
    def journal_url(self) -> str:
        return f"sqlite:///{self.folder}/journal.db"

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
def make_world(tmp_path):
    worlds = []

    def make(**options: Any) -> World:
        options.setdefault("rate_limit", 0)
        sandbox = Sandbox(**options)
        folder = tmp_path / f"world{len(worlds)}"
        folder.mkdir()
        worlds.append(World(folder=folder, sandbox=sandbox, key=sandbox.key_file()))
        return worlds[-1]

    yield make
    for world in worlds:
        for desk in world.desks:
            desk.close()
            desk.journal.close()


@pytest.fixture
def world(make_world) -> World:
    return make_world()
