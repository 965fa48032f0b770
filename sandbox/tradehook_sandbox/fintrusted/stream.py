"""FinTrusted's WebSocket behind a socket: each connection is told what is new, a few times a second.

What is said is in `stream_connection.py`. Every beat asks there anew, so whoever reads slowly gets fewer and newer
frames, and nothing piles up; who does not read at all is disconnected.
"""

from __future__ import annotations

import asyncio
import contextlib
import zlib
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from tradehook_sandbox.fintrusted.stream_connection import PATH, Connection

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from tradehook_sandbox.fintrusted.stream_rules import StreamPacking
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
    connection: Connection
    is_silent: bool = False


class FinTrustedStream:
    """All connections to FinTrusted's stream in one sandbox."""

    def __init__(self, sandbox: Sandbox, peers: Peers) -> None:
        self._sandbox = sandbox
        self._peers = peers

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection that was accepted, to its end."""
        listener = _Listener(scope, receive, send, Connection(self._sandbox.fintrusted))
        telling = asyncio.create_task(self._tell_on(listener))
        try:
            with contextlib.suppress(OSError):
                while (message := await receive())["type"] == "websocket.receive":
                    answers = self._sandbox.beside(partial(listener.connection.hear, message.get("text")))
                    await self._tell(listener, answers)
        finally:
            telling.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await telling

    async def _tell_on(self, listener: _Listener) -> None:
        """Tell what is new at every beat."""
        with contextlib.suppress(OSError):
            while True:
                await asyncio.sleep(self._sandbox.fintrusted.floor.rules.stream_seconds)
                frames = self._sandbox.beside(listener.connection.tell)
                if listener.connection.is_overdue:
                    self._peers.cut(listener.scope)
                    return
                for frame in frames:
                    kind = self._sandbox.strike_stream(PATH)
                    if kind == "silent_websocket":
                        listener.is_silent = True
                        return
                    if kind == "drop_websocket":
                        self._peers.cut(listener.scope)
                        return
                    await self._tell(listener, [frame])

    async def _tell(self, listener: _Listener, frames: list[str]) -> None:
        """Send frames, unless the connection is to be silent; who does not read is disconnected in the end."""
        if listener.is_silent:
            return
        packing = self._sandbox.fintrusted.floor.rules.stream_packing
        for text in frames:
            content = {"text": text} if packing == "none" else {"bytes": packed(text, packing)}
            try:
                async with asyncio.timeout(_PATIENCE_SECONDS):
                    await listener.send({"type": "websocket.send", **content})
            except TimeoutError:
                self._peers.drop(listener.scope)
                raise


def packed(text: str, packing: StreamPacking) -> bytes:
    """A frame as the bytes of a binary one."""
    packer = zlib.compressobj(wbits=16 + zlib.MAX_WBITS if packing == "gzip" else -zlib.MAX_WBITS)
    return packer.compress(text.encode()) + packer.flush()
