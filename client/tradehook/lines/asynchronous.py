"""The line for asyncio programs: one belongs to one event loop."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, TypeVar, cast

import httpx

from tradehook.lines import sending

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from concurrent.futures import Future

    from tradehook.line import Stream
    from tradehook.wire import Request, Response

T = TypeVar("T")


class AsyncLine:
    """Really awaits. Only reads travel here: money goes through the desk's own threads."""

    def __init__(self) -> None:
        self._transports: dict[sending.Route, httpx.AsyncHTTPTransport] = {}
        self._routes = sending.Routes()
        self._running: dict[str, asyncio.Task[Any]] = {}

    async def send(self, request: Request) -> Response:
        """Send once; see `Line.send`."""
        trace = sending.Trace()
        try:
            outgoing = sending.build(request, trace.anote)
            async with asyncio.timeout(request.timeout_seconds):
                answer = await self._transport(outgoing.url).handle_async_request(outgoing)
                try:
                    body = bytearray()
                    chunks = answer.aiter_bytes() if sending.is_encoded(answer) else cast("Any", answer.stream)
                    async for chunk in chunks:
                        sending.grown(body, chunk, request)
                finally:
                    await answer.aclose()
                return sending.response(answer, body)
        except TimeoutError:
            slow = httpx.ReadTimeout("deadline")
            raise sending.failure(slow, request, has_left=trace.has_left) from None
        except (*sending.FAILURES, OSError) as error:
            raise sending.failure(error, request, has_left=trace.has_left) from None

    async def listen(self, request: Request) -> Stream | Response:
        """Open a WebSocket; see `Line.listen`."""
        from tradehook.lines import streams  # websockets takes its time to load, and few programs listen

        return await streams.open_async(request)

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
        transports, self._transports = list(self._transports.values()), {}
        for transport in transports:
            await transport.aclose()

    def _transport(self, url: httpx.URL) -> httpx.AsyncHTTPTransport:
        route = self._routes.to(url, is_fresh=False)
        if route not in self._transports:
            self._transports[route] = httpx.AsyncHTTPTransport(**sending.transport_options(route))
        return self._transports[route]


async def _awaiting(operation: Callable[[], Awaitable[T]]) -> T:
    return await operation()


async def shielded(future: Future[T]) -> T:
    """What a thread makes of it; whoever stops waiting stops nothing else."""
    waiting = asyncio.wrap_future(future)
    # Nobody may be there to hear how it ended; the journal has it, and asyncio need not complain.
    waiting.add_done_callback(lambda done: done.cancelled() or done.exception())
    return await asyncio.shield(waiting)
