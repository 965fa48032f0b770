"""WebSockets for both lines, over websockets. Knows text and frames, packed ones too; the rest is for `listening.py`.

Redirects are not followed: what is subscribed to with a token must not be told to another address.
"""

from __future__ import annotations

import asyncio
import zlib
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any

import httpx
from websockets import exceptions
from websockets.asyncio.client import ClientConnection as AsyncConnection
from websockets.asyncio.client import connect as connect_async
from websockets.sync.client import ClientConnection as BlockingConnection
from websockets.sync.client import connect as connect_blocking

from tradehook.errors import ConfigurationError, Disconnected, NotSent, TimedOut, TradehookError
from tradehook.lines import sending
from tradehook.wire import Response

if TYPE_CHECKING:
    from websockets.http11 import Response as HandshakeResponse

    from tradehook.line import Stream
    from tradehook.wire import Request

LARGEST_MESSAGE_BYTES = 4_000_000
PING_SECONDS = 20.0
_GOODBYE_SECONDS = 1.0
"""How long a peer may take to answer our close frame."""
_TOO_BIG = 1009
_GZIP = b"\x1f\x8b"
_JSON = (b"{", b"[")
_SCHEMES = {"ws": "http", "wss": "https"}


class _AnsweredError(Exception):
    """The handshake was answered with something other than a WebSocket."""

    def __init__(self, response: HandshakeResponse) -> None:
        super().__init__()
        headers = {name.lower(): value for name, value in response.headers.raw_items()}
        self.response = Response(status=response.status_code, headers=headers, body=bytes(response.body or b""))


class _StraightAsyncConnection(AsyncConnection):
    """Takes any answer but a WebSocket as an answer, a redirect as well."""

    async def handshake(self, *arguments: Any, **named: Any) -> None:
        try:
            await super().handshake(*arguments, **named)
        except exceptions.InvalidStatus as refused:
            raise _AnsweredError(refused.response) from None


class _StraightBlockingConnection(BlockingConnection):
    """The same without a loop."""

    def handshake(self, *arguments: Any, **named: Any) -> None:
        try:
            super().handshake(*arguments, **named)
        except exceptions.InvalidStatus as refused:
            raise _AnsweredError(refused.response) from None


async def open_async(request: Request) -> Stream | Response:
    """A WebSocket of the running loop; see `Line.listen`."""
    try:
        options = _options(request)
        connection = await connect_async(request.url, create_connection=_StraightAsyncConnection, **options)
    except _AnsweredError as answered:
        return answered.response
    except (OSError, EOFError, ValueError, ImportError, exceptions.WebSocketException) as error:
        raise _not_opened(error, request) from None
    return AsyncStream(connection, host=_host(request))


def open_blocking(request: Request) -> Stream | Response:
    """A WebSocket that is read without a loop; see `Line.listen`."""
    held = ExitStack()
    try:
        options = _options(request, in_turns=True)
        connection = connect_blocking(request.url, create_connection=_StraightBlockingConnection, **options)
        held.enter_context(connection)
    except _AnsweredError as answered:
        return answered.response
    except (OSError, EOFError, ValueError, ImportError, exceptions.WebSocketException) as error:
        raise _not_opened(error, request) from None
    return BlockingStream(connection, held, host=_host(request))


class AsyncStream:
    """One open WebSocket of a loop."""

    def __init__(self, connection: AsyncConnection, *, host: str) -> None:
        self._connection = connection
        self._host = host

    async def send(self, text: str) -> None:
        """Send; see `Stream.send`."""
        try:
            await self._connection.send(text)
        except (OSError, exceptions.ConnectionClosed) as error:
            raise _lost(error, self._host) from None

    async def receive(self, timeout_seconds: float) -> str:
        """Receive; see `Stream.receive`."""
        try:
            async with asyncio.timeout(timeout_seconds):
                return _text(await self._connection.recv())
        except TimeoutError:
            raise _silent(self._host, timeout_seconds) from None
        except (OSError, ValueError, exceptions.ConnectionClosed) as error:
            raise _lost(error, self._host) from None

    async def close(self) -> None:
        """Close; see `Stream.close`."""
        with suppress(OSError, exceptions.WebSocketException):
            await self._connection.close()


class BlockingStream:
    """One open WebSocket without a loop. Belongs to the process that opened it."""

    def __init__(self, connection: BlockingConnection, held: ExitStack, *, host: str) -> None:
        self._connection = connection
        self._held = held
        self._host = host

    async def send(self, text: str) -> None:
        """Send; see `Stream.send`."""
        try:
            self._connection.send(text)
        except (OSError, exceptions.ConnectionClosed) as error:
            raise _lost(error, self._host) from None

    async def receive(self, timeout_seconds: float) -> str:
        """Receive; see `Stream.receive`."""
        try:
            return _text(self._connection.recv(timeout=max(timeout_seconds, 0.0)))
        except TimeoutError:
            raise _silent(self._host, timeout_seconds) from None
        except (OSError, ValueError, exceptions.ConnectionClosed) as error:
            raise _lost(error, self._host) from None

    async def close(self) -> None:
        """Close; see `Stream.close`."""
        with suppress(OSError, exceptions.WebSocketException):
            self._held.close()


def _text(message: str | bytes) -> str:
    """A message as text: binary frames may be packed, with gzip or bare deflate, and hold UTF-8.

    Raises:
        ValueError: they hold something else, or more than can be true.
    """
    if isinstance(message, str):
        return message
    if message[:2] == _GZIP:
        message = _unpacked(message, 16 + zlib.MAX_WBITS)
    elif message[:1] not in _JSON:
        # No packed text begins as an object or a list does.
        with suppress(_NotPackedError):
            message = _unpacked(message, -zlib.MAX_WBITS)
    return message.decode()


class _NotPackedError(ValueError):
    """These bytes are not packed in this way."""


def _unpacked(message: bytes, window: int) -> bytes:
    """What was packed; never more than a message may have."""
    unpacker = zlib.decompressobj(window)
    try:
        content = unpacker.decompress(message, LARGEST_MESSAGE_BYTES)
    except zlib.error:
        raise _NotPackedError from None
    if unpacker.unconsumed_tail:
        raise ValueError("it is too large")
    if not unpacker.eof:
        raise _NotPackedError
    return content


def _options(request: Request, *, in_turns: bool = False) -> dict[str, Any]:
    """How both connect: the HTTP lines' headers, trust and proxies. Raises `ConfigurationError`."""
    try:
        address = sending.address(request.url)
    except httpx.InvalidURL:
        address = httpx.URL()
    if address.scheme not in _SCHEMES or not address.host:
        raise ConfigurationError(f"{request.url[:80]} is not an address of a stream: it begins with ws:// or wss://.")
    named = dict(request.headers)
    options: dict[str, Any] = {
        "user_agent_header": named.pop("user-agent", sending.USER_AGENT),
        "additional_headers": named or None,
        "proxy": sending.proxy_for(address.copy_with(scheme=_SCHEMES[address.scheme])),
        "open_timeout": min(sending.CONNECT_SECONDS, request.timeout_seconds),
        "close_timeout": _GOODBYE_SECONDS,
        "ping_interval": PING_SECONDS,
        "max_size": LARGEST_MESSAGE_BYTES,
    }
    if address.scheme == "wss":
        options["ssl"] = sending.trusted(in_turns=in_turns)
    if (options["proxy"] or "").startswith("https:"):
        options["proxy_ssl"] = sending.trusted(in_turns=in_turns)
    return options


def _host(request: Request) -> str:
    return sending.address(request.url).netloc.decode()


def _not_opened(error: Exception, request: Request) -> TradehookError:
    """Our error for one of theirs while connecting. Never carries the request or its headers."""
    if isinstance(error, ImportError | exceptions.InvalidURI | exceptions.InvalidProxy):
        return ConfigurationError(f"{request.url[:80]} cannot be listened to: the address or a proxy is not usable.")
    host = _host(request)
    if isinstance(error, TimeoutError):
        return TimedOut(f"{host} did not open a stream in time.")
    if isinstance(error, OSError):
        return NotSent(f"{host} could not be reached ({sending.reason(error)}).")
    return Disconnected(f"{host} did not open a stream.")


def _silent(host: str, seconds: float) -> TimedOut:
    return TimedOut(f"{host} said nothing for {seconds:g} s.")


def _lost(error: Exception, host: str) -> Disconnected:
    if isinstance(error, exceptions.ConnectionClosed) and error.sent is not None and error.sent.code == _TOO_BIG:
        return Disconnected(f"{host} sent a message that is too large to be true.")
    return Disconnected(f"The connection to {host} broke.")
