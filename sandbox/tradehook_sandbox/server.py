"""The sandbox behind a socket: the exchange and Telegram's stand-in on one port, on one event loop.

Only what a function from request to response cannot do stands here and in `stream.py`: holding a connection open,
answering late or in part, speaking without being asked, and stopping at once although all of that is going on.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import sys
from typing import TYPE_CHECKING, Final

from starlette.applications import Starlette
from starlette.routing import Mount
from uvicorn import Config, Server

from tradehook.wire import Request
from tradehook_sandbox.page.serving import page_routes
from tradehook_sandbox.peers import Peers
from tradehook_sandbox.stream import Stream
from tradehook_sandbox.telegram.server import routes
from tradehook_sandbox.telegram.world import World
from tradehook_sandbox.true_markets.calls import LARGEST_BODY

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

    from starlette.types import Receive, Scope, Send

    from tradehook.wire import Response
    from tradehook_sandbox.sandbox import Sandbox

_GRACE_SECONDS: Final = 1


class Door:
    """The ASGI application in front of a sandbox."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self.peers = Peers()
        self._stream = Stream(sandbox, self.peers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request as the sandbox says, when it says."""
        if scope["type"] == "websocket":
            await self._stream(scope, receive, send, _request(scope, b""))
            return
        body = await _read_body(receive)
        if body is None:
            return
        answer = self._sandbox.respond(_request(scope, body))
        response = answer.response
        if response is None or answer.delay_seconds:
            is_gone = await self.peers.hold(scope, receive, None if response is None else answer.delay_seconds)
            if is_gone:
                return
        if response is not None:
            await _send(response, send, is_cut=answer.is_cut)
        if answer.is_cut:
            self.peers.cut(scope)
            await self.peers.hold(scope, receive, None)


class SandboxServer(Server):
    """uvicorn with our signals, our first line, and an end that waits for nobody who was to wait for ever."""

    def __init__(self, config: Config, *, door: Door, world: World, url: str) -> None:
        super().__init__(config)
        self._door = door
        self._world = world
        self._url = url

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listening; whoever started us is told so."""
        await super().startup(sockets)
        self._door.peers.connections = self.server_state.connections
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        # Whoever reads this line may have closed it already; that is no reason not to serve.
        with contextlib.suppress(BrokenPipeError):
            sys.stdout.write(f"ready {self._url}\n")
            sys.stdout.flush()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Closed; those who were held or did not read have had their connections cut, not answered."""
        self._world.stop()
        self._door.peers.let_go()
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to `startup`: uvicorn would raise them again at the end, and a clean stop would not exit 0."""
        yield


def serve(sandbox: Sandbox, listener: socket.socket, *, url: str) -> None:
    """Serve the sandbox until SIGTERM or SIGINT; prints `ready` and the address once it listens.

    Args:
        sandbox: what to serve.
        listener: a socket that is bound already.
        url: where people reach it.
    """
    door, world = Door(sandbox), World()
    application = Starlette(routes=[*routes(world), *page_routes(), Mount("/", app=door)])
    config = Config(
        application,
        http="h11",
        ws="websockets-sansio",
        ws_max_size=LARGEST_BODY,
        ws_per_message_deflate=False,
        lifespan="off",
        access_log=False,
        log_level="error",
        server_header=False,
        # The sandbox writes its own Date: its clock can be moved.
        date_header=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    logging.getLogger("uvicorn.error").addFilter(_is_ours)
    asyncio.run(SandboxServer(config, door=door, world=world, url=url).serve(sockets=[listener]))


def _is_ours(record: logging.LogRecord) -> bool:
    """Whether a fault is this program's: uvicorn prints a traceback for a peer's text that is not UTF-8, too."""
    return not str(record.msg).startswith("Invalid UTF-8 sequence received from client")


def _request(scope: Scope, body: bytes) -> Request:
    query = scope["query_string"].decode("latin-1")
    path = scope["raw_path"].decode("latin-1")
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    # A handshake is a GET, and ASGI does not say so.
    method = scope.get("method", "GET")
    return Request(method, f"http://sandbox{path}{'?' + query if query else ''}", headers=headers, body=body)


async def _read_body(receive: Receive) -> bytes | None:
    """The body; no more of it than shows that it is too large, and `None` when the peer left."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if not message.get("more_body") or len(body) > LARGEST_BODY:
            return bytes(body)


async def _send(response: Response, send: Send, *, is_cut: bool) -> None:
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in response.headers.items()]
    headers.append((b"content-length", str(len(response.body)).encode()))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    body = response.body[: len(response.body) // 2] if is_cut else response.body
    await send({"type": "http.response.body", "body": body, "more_body": is_cut})
