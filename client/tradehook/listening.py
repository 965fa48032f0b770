"""Stays with a stream: subscribes, notices silence, comes back after every loss, and has the gap read anew.

Which stream, what it is told and how its messages are read is data (`Profile`), so that every exchange's stream is
kept in the same way. Knows no exchange; waits only for its line. What may be tried again, the table in `retry.py` says.
"""

from __future__ import annotations

import math
import random
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from tradehook.errors import TimedOut, TradehookError, UnexpectedResponse
from tradehook.retry import ATTEMPTS, Verdict, delay_seconds, verdict
from tradehook.wire import Request, Response, decode_json

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping

    from tradehook.line import Line, Stream

T = TypeVar("T")

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Profile(Generic[T]):
    """One stream of one exchange, as data."""

    exchange: str
    url: str
    subscriptions: tuple[str, ...]
    """What is said after every connection."""
    read: Callable[[Any], T | None]
    """One message, decoded from JSON; `None` for what is of no interest, such as an acknowledgement.

    Raises a `TradehookError`: one that may be tried again means another connection, any other ends it all.
    """
    refusal: Callable[[Response], TradehookError]
    """The error that an answer to the handshake stands for, when it is no WebSocket."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    silence_seconds: float = 30.0
    """Without a word for so long, the connection is taken for dead."""
    heartbeat: str = ""
    """What is said to keep it open, where the exchange wants to hear from us."""
    heartbeat_seconds: float = 20.0
    answer: Callable[[Any], str | None] | None = None
    """What is said at once to a message, such as a ping; `None` for most."""


@dataclass(frozen=True, slots=True)
class Heard(Generic[T]):
    """Something from the stream, or read beside it after a connection."""

    item: T
    is_reread: bool = False


@dataclass(frozen=True, slots=True)
class Lost:
    """The connection is gone: what the stream says until the next `Heard` is not known."""

    reason: TradehookError
    again_in_seconds: float


async def listen(
    line: Line, profile: Profile[T], *, reread: Callable[[], Awaitable[T | None]] | None = None
) -> AsyncGenerator[Heard[T] | Lost, None]:
    """What a stream says, for as long as it is listened to.

    Until it has been open once it gives up after as many tries as a read; after that it comes back each time. A loss
    is told before the pause; the pauses double from 0.5 s to 30 s, with jitter, until something is heard again.

    Args:
        line: how it is reached.
        profile: which stream.
        reread: reads what the stream would have said while it was not heard; called after every connection, with the
            subscription standing already, so that nothing falls between the two.

    Raises:
        TradehookError: what cannot be tried again, or the last failure when it never opened.
    """
    failures = 0
    has_been_open = False
    while True:
        try:
            async with aclosing(_until_lost(line, profile, reread)) as said:
                async for heard in said:
                    has_been_open = True
                    if not heard.is_reread:
                        failures = 0
                    yield heard
        except TradehookError as error:
            failures += 1
            judged = verdict("read", error)
            if judged not in (Verdict.AGAIN, Verdict.WAIT) or (not has_been_open and failures >= ATTEMPTS):
                raise
            pause = delay_seconds(failures, error) if judged is Verdict.WAIT else _pause_seconds(failures)
            yield Lost(error, again_in_seconds=pause)
            await line.pause(pause)


async def _until_lost(
    line: Line, profile: Profile[T], reread: Callable[[], Awaitable[T | None]] | None
) -> AsyncGenerator[Heard[T], None]:
    """One connection. Ends only by the error that ended it, or when nobody listens any more."""
    answer = await line.listen(Request("GET", profile.url, headers=profile.headers))
    if isinstance(answer, Response):
        raise profile.refusal(answer)
    stream = answer
    try:
        for subscription in profile.subscriptions:
            await stream.send(subscription)
        if reread is not None and (known := await reread()) is not None:
            yield Heard(known, is_reread=True)
        ear = _Ear(line, stream, profile)
        while True:
            message = _decoded(await ear.next(), profile)
            if profile.answer is not None and (reply := profile.answer(message)) is not None:
                await stream.send(reply)
            item = _understood(message, profile)
            if item is not None:
                yield Heard(item)
    finally:
        await stream.close()


class _Ear:
    """Waits for one message after the other, and keeps the connection open meanwhile."""

    def __init__(self, line: Line, stream: Stream, profile: Profile[Any]) -> None:
        self._line = line
        self._stream = stream
        self._profile = profile
        self._beat_at = line.monotonic() + profile.heartbeat_seconds if profile.heartbeat else math.inf

    async def next(self) -> str:
        """The next message. Raises `TimedOut` after too long a silence."""
        silent_at = self._line.monotonic() + self._profile.silence_seconds
        while (now := self._line.monotonic()) < silent_at:
            if now >= self._beat_at:
                # Also while much is heard: some exchanges want to hear from us whatever they say themselves.
                await self._stream.send(self._profile.heartbeat)
                self._beat_at = now + self._profile.heartbeat_seconds
            with suppress(TimedOut):
                return await self._stream.receive(min(silent_at, self._beat_at) - now)
        seconds = self._profile.silence_seconds
        raise TimedOut(f"Nothing was heard for {seconds:g} s.", exchange=self._profile.exchange)


def _decoded(text: str, profile: Profile[Any]) -> Any:
    """A message's JSON. Raises `UnexpectedResponse`."""
    try:
        return decode_json(text.encode())
    except (ValueError, ArithmeticError) as error:
        raise _unexpected(error, profile) from None


def _understood(message: Any, profile: Profile[T]) -> T | None:
    """What a message says. A shape nobody foresaw is an `UnexpectedResponse`."""
    try:
        return profile.read(message)
    except (ValueError, TypeError, LookupError, ArithmeticError) as error:
        raise _unexpected(error, profile) from None


def _unexpected(error: Exception, profile: Profile[Any]) -> UnexpectedResponse:
    return UnexpectedResponse(
        f"The stream said something unexpected ({type(error).__name__}).", exchange=profile.exchange
    )


def _pause_seconds(failures: int) -> float:
    longest = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2.0 ** min(failures - 1, 10))
    return random.uniform(longest / 2, longest)  # noqa: S311 - spreads load, guards no secret
