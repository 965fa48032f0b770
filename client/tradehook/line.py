"""The one thing an operation may wait for.

Operations are ordinary `async def` methods that await nothing but their `Line`. An `AsyncLine`
really awaits; a `BlockingLine` does the same work without ever suspending, so `run()` finishes the
operation in one step, without loop or thread, and no rule is written twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tradehook.wire import Request, Response

T = TypeVar("T")


class Stream(Protocol):
    """One open WebSocket: text goes out, text comes in."""

    async def send(self, text: str) -> None:
        """Send one message.

        Raises:
            Disconnected: the connection is gone.
        """
        ...

    async def receive(self, timeout_seconds: float) -> str:
        """The next message.

        Raises:
            TimedOut: none came in this time; the connection can still be used.
            Disconnected: the connection is gone, or what came cannot be true.
        """
        ...

    async def close(self) -> None:
        """Say goodbye and let go; a peer that does not answer is not waited for. May be repeated."""
        ...


class Line(Protocol):
    """Sockets, clocks and waiting, in one of three forms: blocking, asyncio, in memory."""

    async def send(self, request: Request) -> Response:
        """Send one request once and return whatever was answered, errors included.

        Raises:
            NotSent: no byte left this machine.
            TimedOut: it left and no answer came in time.
            Disconnected: it left and the answer did not come whole.
        """
        ...

    async def listen(self, request: Request) -> Stream | Response:
        """Open a WebSocket (`ws://` or `wss://`), or return what the handshake was answered with instead.

        Raises:
            NotSent: nobody could be reached there.
            TimedOut: the handshake was not answered in time.
            Disconnected: the handshake was not answered whole.
        """
        ...

    async def pause(self, seconds: float) -> None:
        """Let this much time pass."""
        ...

    async def once(self, key: str, operation: Callable[[], Awaitable[T]]) -> T:
        """Run the operation, or share the one that already runs under this key (and its error)."""
        ...

    def now(self) -> float:
        """Seconds since 1970, UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds from an unknown start that never go backwards: for waiting and expiry."""
        ...
