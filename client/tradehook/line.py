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
