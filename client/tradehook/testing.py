"""For tests: a line in memory. No network, no sleeping, and it can stop at any wait."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeVar

from tradehook.errors import Disconnected, NotSent, TimedOut
from tradehook.wire import Response

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tradehook.wire import Request

T = TypeVar("T")


class Answer(Protocol):
    """What the far side does with a request: a response after a delay, half of one, or never one."""

    @property
    def response(self) -> Response | None:
        """`None` is silence."""
        ...

    @property
    def delay_seconds(self) -> float:
        """How long it takes."""
        ...

    @property
    def is_cut(self) -> bool:
        """Whether the connection breaks in the middle of it."""
        ...


class Said(NamedTuple):
    """What the far side of a stream does next."""

    text: str | None
    """`None`: the connection breaks."""
    delay_seconds: float = 0.0


class Feed(Protocol):
    """The far side of one stream."""

    def hear(self, text: str) -> None:
        """Take a message."""
        ...

    def say(self) -> Said | None:
        """What comes next; `None` is silence until something is heard."""
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

    def __init__(
        self,
        respond: Callable[[Request], Answer],
        *,
        clock: Clock,
        stop_at: int | None = None,
        open_feed: Callable[[Request], Feed | Response] | None = None,
    ) -> None:
        """Make one.

        Args:
            respond: the far side.
            clock: shared with the far side.
            stop_at: raise `Stopped` instead of doing wait number so and so (sends, pauses, messages; from 1).
            open_feed: the far side of streams; without it, nobody is there.
        """
        self.respond = respond
        self.open_feed = open_feed
        self.clock = clock
        self.stop_at = stop_at
        self.waits = 0
        self.sent: list[Request] = []

    async def send(self, request: Request) -> Response:
        """Answer from the function; silence is a time-out, and half a response is a broken connection."""
        self.wait()
        self.sent.append(request)
        answer = self.respond(request)
        if answer.response is None or answer.delay_seconds > request.timeout_seconds:
            self.clock.advance(request.timeout_seconds)
            raise TimedOut(f"No answer within {request.timeout_seconds:g} s.")
        self.clock.advance(answer.delay_seconds)
        if answer.is_cut:
            raise Disconnected("The connection broke before the answer was whole.")
        return answer.response

    async def listen(self, request: Request) -> MemoryStream | Response:
        """Open a stream to a feed of the function, or return the function's answer."""
        self.wait()
        if self.open_feed is None:
            raise NotSent("Nobody listens there. Nothing was sent.")
        feed = self.open_feed(request)
        return feed if isinstance(feed, Response) else MemoryStream(feed, self)

    async def pause(self, seconds: float) -> None:
        """Move the clock."""
        self.wait()
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

    def wait(self) -> None:
        """Count one wait. Raises `Stopped` at the one to stop at."""
        self.waits += 1
        if self.waits == self.stop_at:
            raise Stopped


class MemoryStream:
    """A stream to a feed. Waiting for a message moves the clock."""

    def __init__(self, feed: Feed, line: MemoryLine) -> None:
        """Open one over a line, whose clock and waits it shares."""
        self.is_open = True
        self._feed = feed
        self._line = line
        self._coming: Said | None = None

    async def send(self, text: str) -> None:
        """Hand it to the feed."""
        self._check()
        self._feed.hear(text)

    async def receive(self, timeout_seconds: float) -> str:
        """What the feed says next, if it comes in time."""
        self._line.wait()
        self._check()
        said = self._coming or self._feed.say()
        self._coming = None
        if said is None or said.delay_seconds > timeout_seconds:
            self._line.clock.advance(timeout_seconds)
            if said is not None:
                self._coming = said._replace(delay_seconds=said.delay_seconds - timeout_seconds)
            raise TimedOut(f"Nothing came within {timeout_seconds:g} s.")
        self._line.clock.advance(said.delay_seconds)
        if said.text is None:
            self.is_open = False
        self._check()
        return str(said.text)

    async def close(self) -> None:
        """Close it."""
        self.is_open = False

    def _check(self) -> None:
        if not self.is_open:
            raise Disconnected("The connection broke.")
