"""The line for asyncio programs: one belongs to one event loop."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, TypeVar, cast

import httpx

from tradehook.errors import Disconnected
from tradehook.lines import sending

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tradehook.wire import Request, Response

T = TypeVar("T")


class AsyncLine:
    """Really awaits. Only reads travel here: money goes through the desk's own threads."""

    def __init__(self) -> None:
        self._client: httpx.AsyncClient | None = None
        self._running: dict[str, asyncio.Task[Any]] = {}

    async def send(self, request: Request) -> Response:
        """Send once; see `Line.send`."""
        trace = sending.Trace()
        if self._client is None:
            self._client = httpx.AsyncClient(**sending.options(is_fresh=False))
        try:
            async with (
                asyncio.timeout(request.timeout_seconds),
                self._client.stream(
                    request.method,
                    request.url,
                    params=request.params or None,
                    headers=dict(request.headers),
                    content=request.body or None,
                    timeout=sending.timeouts(request),
                    extensions={"trace": trace.anote},
                ) as answer,
            ):
                body = bytearray()
                async for chunk in answer.aiter_bytes():
                    body += chunk
                    if len(body) > sending.LARGEST_BODY_BYTES:
                        raise Disconnected(f"The answer of {answer.url.host} is too large to be true.")
                return sending.response(answer.status_code, answer.headers, bytes(body))
        except TimeoutError:
            slow = httpx.ReadTimeout("deadline")
            raise sending.failure(slow, request, has_left=trace.has_left) from None
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise sending.failure(error, request, has_left=trace.has_left) from None

    async def pause(self, seconds: float) -> None:
        """Let the loop do other work for this long."""
        await asyncio.sleep(max(seconds, 0.0))

    async def once(self, key: str, operation: Callable[[], Awaitable[T]]) -> T:
        """The first caller starts it; all wait for that. A caller that is cancelled does not stop it."""
        task = self._running.get(key)
        if task is None:
            task = self._running[key] = asyncio.ensure_future(_awaiting(operation))
            task.add_done_callback(lambda done: self._forget(key, done))
        return cast("T", await asyncio.shield(task))

    def _forget(self, key: str, done: asyncio.Task[Any]) -> None:
        del self._running[key]
        if not done.cancelled():
            done.exception()  # all callers may be gone; then nobody else looks at it

    def now(self) -> float:
        """Seconds since 1970."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds that never go backwards."""
        return time.monotonic()

    async def close(self) -> None:
        """Close kept connections."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None


async def _awaiting(operation: Callable[[], Awaitable[T]]) -> T:
    return await operation()
