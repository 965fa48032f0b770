"""For tests: a line in memory. No network, no sleeping, and it can stop at any wait."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

from tradehook.errors import TimedOut

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tradehook.wire import Request, Response

T = TypeVar("T")


class Answer(Protocol):
    """What the far side does with a request: a response after a delay, or never one."""

    @property
    def response(self) -> Response | None:
        """`None` is silence."""
        ...

    @property
    def delay_seconds(self) -> float:
        """How long it takes."""
        ...


class Clock(Protocol):
    """Time that only moves when told."""

    def now(self) -> float:
        """Seconds since 1970."""
        ...

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        ...


class Stopped(BaseException):
    """The line stopped at the wait it was told to stop at, as a killed process would."""


class MemoryLine:
    """Runs operations against a function. Waiting moves the clock instead of taking time."""

    def __init__(self, respond: Callable[[Request], Answer], *, clock: Clock, stop_at: int | None = None) -> None:
        """Make one.

        Args:
            respond: the far side.
            clock: shared with the far side.
            stop_at: raise `Stopped` instead of doing wait number so and so (sends and pauses, from 1).
        """
        self.respond = respond
        self.clock = clock
        self.stop_at = stop_at
        self.waits = 0
        self.sent: list[Request] = []

    async def send(self, request: Request) -> Response:
        """Answer from the function; silence is a time-out."""
        self._wait()
        self.sent.append(request)
        answer = self.respond(request)
        if answer.response is None or answer.delay_seconds > request.timeout_seconds:
            self.clock.advance(request.timeout_seconds)
            raise TimedOut(f"No answer within {request.timeout_seconds:g} s.")
        self.clock.advance(answer.delay_seconds)
        return answer.response

    async def pause(self, seconds: float) -> None:
        """Move the clock."""
        self._wait()
        self.clock.advance(seconds)

    async def once(self, key: str, operation: Callable[[], Awaitable[T]]) -> T:  # noqa: ARG002 - nobody else is here
        """Run it."""
        return await operation()

    def now(self) -> float:
        """The clock's time."""
        return self.clock.now()

    def monotonic(self) -> float:
        """The clock's time."""
        return self.clock.now()

    def _wait(self) -> None:
        self.waits += 1
        if self.waits == self.stop_at:
            raise Stopped
