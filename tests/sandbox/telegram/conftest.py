"""A stand-in over a real socket, real python-telegram-bot applications against it, and people who talk to them."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
import struct
import threading
import time
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
import uvicorn
from starlette.applications import Starlette
from telegram import Bot
from telegram.ext import Application, ApplicationBuilder
from telegram.request import HTTPXRequest

from tradehook_sandbox.telegram.driver import Person
from tradehook_sandbox.telegram.server import routes
from tradehook_sandbox.telegram.world import World

if TYPE_CHECKING:
    from telegram.ext import AIORateLimiter, BaseHandler

PATIENCE_SECONDS = 15.0
_bot_ids = itertools.count(7_000_001)


def _eventually(holds: Callable[[], object], what: str) -> None:
    """The condition holds, within the tests' patience; not a pause for effect but an end to waiting."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline, f"never came true: {what}"
        time.sleep(0.005)


@pytest.fixture(autouse=True)
def _retry_after_is_a_timedelta(monkeypatch):
    """PTB warns of its own old way to say how long to wait, and warnings are errors."""
    monkeypatch.setenv("PTB_TIMEDELTA", "true")


@pytest.fixture
def eventually() -> Callable[[Callable[[], object], str], None]:
    """Waits for something to come true in another thread."""
    return _eventually


@dataclass
class Sandbox:
    """A running stand-in."""

    url: str
    world: World
    server: uvicorn.Server
    thread: threading.Thread

    def stop(self) -> None:
        """The server has ended as the sandbox ends it: the world first."""
        self.world.stop()
        self.server.should_exit = True
        self.thread.join(PATIENCE_SECONDS)
        assert not self.thread.is_alive()


def start_sandbox() -> Sandbox:
    """A stand-in listens on a free port of this machine."""
    world = World()
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    config = uvicorn.Config(
        Starlette(routes=routes(world)),
        log_config=None,
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    _eventually(lambda: server.started, "the server listens")
    return Sandbox(f"http://127.0.0.1:{listener.getsockname()[1]}", world, server, thread)


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    """One stand-in for all tests that bring a bot of their own."""
    running = start_sandbox()
    yield running
    running.stop()


@pytest.fixture
def fresh() -> Iterator[Sandbox]:
    """A stand-in that nobody has used."""
    running = start_sandbox()
    yield running
    if running.thread.is_alive():
        running.stop()


@pytest.fixture
def token() -> str:
    """The token of a bot no other test uses."""
    return f"{next(_bot_ids)}:{'A' * 35}"


@pytest.fixture
def person(sandbox: Sandbox, token: str) -> Person:
    """Ann, who talks to this test's bot."""
    return Person(sandbox.url, user="Ann", token=token)


@dataclass
class RunningBot:
    """A python-telegram-bot application that polls, in a thread of its own."""

    url: str
    token: str
    handlers: list[BaseHandler] = field(default_factory=list)
    rate_limiter: AIORateLimiter | None = None
    errors: list[BaseException] = field(default_factory=list)

    def start(self) -> RunningBot:
        """The application polls."""
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)
        self._thread.start()
        assert self._ready.wait(PATIENCE_SECONDS)
        return self

    def stop(self) -> None:
        """The application has stopped in good order. May be repeated."""
        if not self._thread.is_alive():
            return
        self._loop.call_soon_threadsafe(self._leave.set)
        self._thread.join(PATIENCE_SECONDS)
        assert not self._thread.is_alive()

    async def _run(self) -> None:
        self._loop, self._leave = asyncio.get_running_loop(), asyncio.Event()
        builder = ApplicationBuilder().token(self.token).job_queue(None)
        builder = builder.base_url(f"{self.url}/bot").base_file_url(f"{self.url}/file/bot")
        if self.rate_limiter is not None:
            builder = builder.rate_limiter(self.rate_limiter)
        application: Application = builder.build()
        for handler in self.handlers:
            application.add_handler(handler)

        async def remember(_update: object, context: object) -> None:
            self.errors.append(context.error)

        application.add_error_handler(remember)
        async with application:
            await application.start()
            await application.updater.start_polling(timeout=10, allowed_updates=[])
            self._ready.set()
            await self._leave.wait()
            await application.updater.stop()
            await application.stop()


@pytest.fixture
def run_bot(sandbox: Sandbox, token: str) -> Iterator[Callable[..., RunningBot]]:
    """Starts a bot with the given handlers; it is stopped after the test."""
    started: list[RunningBot] = []

    def start(*handlers: BaseHandler, **options: object) -> RunningBot:
        started.append(RunningBot(sandbox.url, token, list(handlers), **options).start())
        return started[-1]

    yield start
    for bot in started:
        bot.stop()


@pytest.fixture
def connected() -> Callable[[str, str], AbstractAsyncContextManager[Bot]]:
    """Opens a bare PTB bot, which says what the Bot API says and does nothing by itself."""
    return _connected


@contextlib.asynccontextmanager
async def _connected(url: str, token: str) -> AsyncIterator[Bot]:
    # Its own pools: one connection each, so that a test of concurrent polls needs no tuning.
    bot = Bot(
        token,
        base_url=f"{url}/bot",
        base_file_url=f"{url}/file/bot",
        request=HTTPXRequest(connection_pool_size=8, read_timeout=PATIENCE_SECONDS),
        get_updates_request=HTTPXRequest(connection_pool_size=8, read_timeout=PATIENCE_SECONDS),
    )
    async with bot:
        yield bot


class FakeClock:
    """A clock that moves when it is told to."""

    def __init__(self) -> None:
        self.at = datetime(2026, 11, 21, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at

    def advance(self, **length: float) -> None:
        self.at += timedelta(**length)


@pytest.fixture
def clock() -> FakeClock:
    """A clock at noon."""
    return FakeClock()


@pytest.fixture
def picture() -> bytes:
    """A small grey picture."""
    width, height = 3, 2

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    rows = b"".join(b"\0" + b"\x80" * width for _ in range(height))
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
