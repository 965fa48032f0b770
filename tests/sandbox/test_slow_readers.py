"""Who reads the market data slowly, or not at all: no sockets, so that it is known what was sent and what waits."""

from __future__ import annotations

import asyncio
import json

from tradehook.wire import Request
from tradehook_sandbox import Sandbox, stream
from tradehook_sandbox.peers import Peers
from tradehook_sandbox.stream import Stream
from tradehook_sandbox.true_markets import topics

PATIENCE_SECONDS = 20


class Fake:
    """An accepted connection whose other end reads only when it is told to."""

    def __init__(self, sandbox):
        self.client = ("127.0.0.1", 1)
        self.inbox, self.reads, self.sent = asyncio.Queue(), asyncio.Event(), []
        self.moved = asyncio.Event()
        self.transport = self
        peers = Peers()
        peers.connections = [self]
        self.stream = Stream(sandbox, peers)
        for event in (
            {"type": "websocket.connect"},
            {"type": "websocket.receive", "text": json.dumps({"type": "subscribe", "topics": ["all"]})},
        ):
            self.inbox.put_nowait(event)
        request = Request("GET", f"http://sandbox.test{topics.PATH}")
        scope = {"type": "websocket", "client": self.client}
        self.serving = asyncio.create_task(self.stream(scope, self.inbox.get, self.send, request))

    async def send(self, message):
        self.sent.append(message)
        self.moved.set()
        if len(self.sent) > 3:
            await self.reads.wait()

    def abort(self):
        self.inbox.put_nowait({"type": "websocket.disconnect"})

    async def until_sent(self, number):
        while len(self.sent) < number:
            self.moved.clear()
            await self.moved.wait()


def test_who_reads_slowly_misses_batches_and_nothing_piles_up():
    sandbox = Sandbox(stream_seconds=0.01)

    async def live():
        peer = Fake(sandbox)
        await peer.until_sent(4)
        began = sandbox.clock.now()
        for _ in range(10):
            await peer.stream._beat.wait()
            sandbox.clock.advance(1)
        assert len(peer.sent) == 4, "one message waits to be read, and no other was made"
        assert len(asyncio.all_tasks()) == 4, "this, the connection's two, and the beat"
        peer.reads.set()
        await peer.until_sent(12)
        newest = json.loads(peer.sent[-1]["text"])["timestamp"]
        assert newest == began + 10
        peer.abort()
        await peer.serving
        await asyncio.sleep(0)
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(live())


def test_who_does_not_read_at_all_is_disconnected_in_the_end(monkeypatch):
    monkeypatch.setattr(stream, "_PATIENCE_SECONDS", 0.05)
    sandbox = Sandbox(stream_seconds=0.01)

    async def live():
        peer = Fake(sandbox)
        async with asyncio.timeout(PATIENCE_SECONDS):
            await peer.serving
        assert len(peer.sent) == 4

    asyncio.run(live())
