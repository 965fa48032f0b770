"""Connections that do not end as usual: held open without an answer, or cut in the middle of one.

Knows uvicorn's connections and ASGI messages, and nothing of what is said over them.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection

    from starlette.types import Receive, Scope

_GONE = frozenset({"http.disconnect", "websocket.disconnect"})


class Peers:
    """Everybody who is connected to one server."""

    def __init__(self) -> None:
        self.connections: Collection[Any] = ()
        """uvicorn's own, once it runs."""
        self._held: set[tuple[str, int]] = set()

    async def hold(self, scope: Scope, receive: Receive, seconds: float | None) -> bool:
        """Wait this long, or for as long as the peer does; returns whether the peer has gone."""
        peer = _name(scope)
        self._held.add(peer)
        try:
            async with asyncio.timeout(seconds):
                while (await receive())["type"] not in _GONE:
                    pass
        except TimeoutError:
            return False
        finally:
            self._held.discard(peer)
        return True

    def cut(self, scope: Scope) -> None:
        """The connection ends behind what was sent already, without a word of goodbye."""
        for connection in self._of(scope):
            connection.transport.close()

    def drop(self, scope: Scope) -> None:
        """The connection ends at once, whatever was still to be sent."""
        for connection in self._of(scope):
            connection.transport.abort()

    def let_go(self) -> None:
        """Those who are held, or do not read what they are sent, are disconnected at once."""
        for connection in list(self.connections):
            if connection.client in self._held or connection.transport.get_write_buffer_size():
                connection.transport.abort()

    def _of(self, scope: Scope) -> list[Any]:
        return [connection for connection in self.connections if connection.client == _name(scope)]


def _name(scope: Scope) -> tuple[str, int]:
    host, port = scope["client"]
    return host, port
