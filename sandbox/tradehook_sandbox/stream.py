"""WebSockets behind a socket: handshakes, and True Markets' market data, pushed to everybody every few seconds.

A batch is made once for all connections, when it is time, and each connection sends the newest: whoever reads slowly
misses batches, and nothing piles up. What is said is in `true_markets/topics.py`; FinTrusted's stream is served by
`fintrusted/stream.py`.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from tradehook.wire import Request, encode_json
from tradehook_sandbox.fintrusted import stream_connection as fintrusted
from tradehook_sandbox.fintrusted.stream import FinTrustedStream
from tradehook_sandbox.true_markets import topics
from tradehook_sandbox.true_markets.topics import Subscription

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from tradehook.wire import Response
    from tradehook_sandbox.peers import Peers
    from tradehook_sandbox.sandbox import Sandbox

_PATIENCE_SECONDS: Final = 30.0
"""How long a peer may take to make room for one message."""


@dataclass(slots=True)
class _Listener:
    """One connection, accepted."""

    scope: Scope
    receive: Receive
    send: Send
    subscription: Subscription = field(default_factory=Subscription)
    is_silent: bool = False


class Stream:
    """All connections to the market data of one sandbox."""

    def __init__(self, sandbox: Sandbox, peers: Peers) -> None:
        self._sandbox = sandbox
        self._peers = peers
        self._listeners = 0
        self._pulse: asyncio.Task[None] | None = None
        self._beat = asyncio.Event()
        self._batches: dict[str, str] = {}
        self._serving = {topics.PATH: self._push_to, fintrusted.PATH: FinTrustedStream(sandbox, peers).serve}

    async def __call__(self, scope: Scope, receive: Receive, send: Send, request: Request) -> None:
        """Serve one connection from its handshake to its end."""
        await receive()
        serve = self._serving.get(request.path)
        is_here = serve is not None
        answer = self._sandbox.shake_hands(request) if is_here else self._sandbox.respond(request)
        response = answer.response
        if response is None or answer.delay_seconds:
            is_gone = await self._peers.hold(scope, receive, None if response is None else answer.delay_seconds)
            if is_gone:
                return
        if answer.is_cut:
            self._peers.cut(scope)
            await self._peers.hold(scope, receive, None)
        elif response is not None and (serve is None or response.status != 101):
            await _refuse(response, send)
        elif serve is not None:
            await send({"type": "websocket.accept"})
            await serve(scope, receive, send)

    async def _push_to(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection to True Markets' market data, which was accepted."""
        listener = _Listener(scope, receive, send)
        self._enter()
        pushing = asyncio.create_task(self._push(listener))
        try:
            await self._read(listener)
        finally:
            self._leave()
            pushing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await pushing

    async def _read(self, listener: _Listener) -> None:
        """Answer what comes in, until the peer has gone."""
        with contextlib.suppress(OSError):
            while (message := await listener.receive())["type"] == "websocket.receive":
                answer = listener.subscription.answer(message.get("text"), now=self._now())
                await self._tell(listener, encode_json(answer).decode())

    async def _push(self, listener: _Listener) -> None:
        """Send what was subscribed to at every beat."""
        with contextlib.suppress(OSError):
            while True:
                await self._beat.wait()
                for topic in listener.subscription.topics:
                    kind = self._sandbox.strike_stream(topics.PATH)
                    if kind == "silent_websocket":
                        listener.is_silent = True
                        return
                    if kind == "drop_websocket":
                        self._peers.cut(listener.scope)
                        return
                    await self._tell(listener, self._batch(topic))

    async def _tell(self, listener: _Listener, text: str) -> None:
        """Send a message, unless the connection is to be silent; who does not read is disconnected in the end."""
        if listener.is_silent:
            return
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await listener.send({"type": "websocket.send", "text": text})
        except TimeoutError:
            self._peers.drop(listener.scope)
            raise

    def _batch(self, topic: str) -> str:
        """The topic's message of this beat."""
        if topic not in self._batches:
            message = topics.push(topic, self._sandbox.market_data(topic), now=self._now())
            self._batches[topic] = encode_json(message).decode()
        return self._batches[topic]

    def _now(self) -> int:
        return int(self._sandbox.clock.now())

    def _enter(self) -> None:
        """One listener more; the first one sets the beat going."""
        self._listeners += 1
        if self._pulse is None:
            self._pulse = asyncio.create_task(self._keep_beating())

    def _leave(self) -> None:
        self._listeners -= 1
        if not self._listeners and self._pulse is not None:
            self._pulse.cancel()
            self._pulse = None

    async def _keep_beating(self) -> None:
        while True:
            await asyncio.sleep(self._sandbox.exchange.rules.stream_seconds)
            self._batches.clear()
            # Whoever waits has the old event; whoever is busy with a slow peer will find the new one.
            beat, self._beat = self._beat, asyncio.Event()
            beat.set()


async def _refuse(response: Response, send: Send) -> None:
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in response.headers.items()]
    await send({"type": "websocket.http.response.start", "status": response.status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": response.body})
