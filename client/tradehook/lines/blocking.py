"""The line for programs without an event loop. Safe for threads; clients are made anew after a fork."""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, TypeVar, cast

import httpx

from tradehook.errors import TimedOut
from tradehook.lines import sending

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tradehook.line import Stream
    from tradehook.wire import Request, Response

T = TypeVar("T")


class BlockingLine:
    """Does all its work before returning, so that an operation over it never suspends."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process = os.getpid()
        self._transports: dict[sending.Route, httpx.HTTPTransport] = {}
        self._routes = sending.Routes()
        self._running: dict[str, Future[Any]] = {}

    async def send(self, request: Request) -> Response:
        """Send once; see `Line.send`."""
        trace = sending.Trace()
        deadline = time.monotonic() + request.timeout_seconds
        try:
            outgoing = sending.build(request, trace.note)
            answer = self._transport(outgoing.url, is_fresh=request.is_fresh).handle_request(outgoing)
            try:
                body = bytearray()
                for chunk in answer.iter_bytes() if sending.is_encoded(answer) else cast("Any", answer.stream):
                    sending.grown(body, chunk, request)
                    if time.monotonic() > deadline:
                        host = outgoing.url.host
                        raise TimedOut(f"{host} took more than {request.timeout_seconds:g} s to answer.")
            finally:
                answer.close()
            return sending.response(answer, body)
        except (*sending.FAILURES, OSError) as error:
            raise sending.failure(error, request, has_left=trace.has_left) from None

    async def listen(self, request: Request) -> Stream | Response:
        """Open a WebSocket; see `Line.listen`."""
        from tradehook.lines import streams  # websockets takes its time to load, and few programs listen

        return streams.open_blocking(request)

    async def pause(self, seconds: float) -> None:
        """Sleep."""
        time.sleep(max(seconds, 0.0))  # noqa: ASYNC251 - to block is what this line is for

    async def once(self, key: str, operation: Callable[[], Awaitable[T]]) -> T:
        """The first thread runs it; the others wait for that and get its result or its error."""
        with self._lock:
            running = self._running.get(key)
            mine = running is None
            if running is None:
                running = self._running[key] = Future()
        if not mine:
            return cast("T", running.result())
        try:
            result = await operation()
        except BaseException as error:
            running.set_exception(error)
            raise
        else:
            running.set_result(result)
            return result
        finally:
            with self._lock:
                del self._running[key]

    def now(self) -> float:
        """Seconds since 1970."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds that never go backwards."""
        return time.monotonic()

    def close(self) -> None:
        """Close kept connections. The line can be used again afterwards."""
        with self._lock:
            transports, self._transports = list(self._transports.values()), {}
        for transport in transports:
            transport.close()

    def _transport(self, url: httpx.URL, *, is_fresh: bool) -> httpx.HTTPTransport:
        if self._process != os.getpid():
            # Sockets shared with a parent process would mix up two conversations, and what runs there is not here.
            self._lock, self._process, self._running = threading.Lock(), os.getpid(), {}
            self._transports = {}
        with self._lock:
            route = self._routes.to(url, is_fresh=is_fresh)
            if route not in self._transports:
                self._transports[route] = httpx.HTTPTransport(**sending.transport_options(route))
            return self._transports[route]
