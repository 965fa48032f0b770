"""What both lines share: limits, headers, and which httpx error means which of ours.

The question that matters is whether a byte left: httpx's trace tells when the request's head begins
to be written. Before that, a failure is `NotSent`; after it, the request may have been carried out.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import httpx

from tradehook import __version__
from tradehook.errors import ConfigurationError, Disconnected, NotSent, TimedOut, TradehookError
from tradehook.wire import Response

if TYPE_CHECKING:
    import ssl

    from tradehook.wire import Request

LARGEST_BODY_BYTES = 10_000_000
CONNECT_SECONDS = 10.0


@cache
def trusted() -> ssl.SSLContext:
    """The TLS settings, made once: reading the certificates takes longer than a request."""
    return httpx.create_ssl_context()


def options(*, is_fresh: bool) -> dict[str, Any]:
    """How to make an httpx client. Redirects are never followed: a write must not land elsewhere."""
    keep = 0 if is_fresh else 20
    return {
        "verify": trusted(),
        "follow_redirects": False,
        "limits": httpx.Limits(max_connections=100, max_keepalive_connections=keep),
        # A proxy of the environment is for the outside; the sandbox on this machine is not behind it.
        "mounts": {"all://127.0.0.1": None, "all://localhost": None, "all://[::1]": None},
        "headers": {"user-agent": f"tradehook/{__version__}", "accept": "application/json"},
    }


def timeouts(request: Request) -> httpx.Timeout:
    """The request's own limit; connecting never takes all of it."""
    return httpx.Timeout(request.timeout_seconds, connect=min(CONNECT_SECONDS, request.timeout_seconds))


class Trace:
    """Notes whether the request began to leave."""

    def __init__(self) -> None:
        self.has_left = False

    def note(self, event: str, _info: object) -> None:
        """Called by httpx at every step of a request."""
        if ".send_request_headers.started" in event:
            self.has_left = True

    async def anote(self, event: str, info: object) -> None:
        """The same, where httpx asks for a coroutine."""
        self.note(event, info)


def failure(error: Exception, request: Request, *, has_left: bool) -> TradehookError:
    """Our error for one of httpx's. Never carries the request or its headers."""
    if isinstance(error, httpx.InvalidURL | httpx.UnsupportedProtocol):
        return ConfigurationError(f"{request.url[:80]} is not an address: write it like http://127.0.0.1:8787.")
    host = httpx.URL(request.url).host or request.url[:60]
    if not has_left:
        why = "it did not answer in time" if isinstance(error, httpx.TimeoutException) else _reason(error)
        return NotSent(f"{host} could not be reached ({why}). Nothing was sent.")
    if isinstance(error, httpx.TimeoutException):
        return TimedOut(f"{host} did not answer within {request.timeout_seconds:g} s.")
    return Disconnected(f"The connection to {host} broke before the answer was whole.")


def _reason(error: Exception) -> str:
    text = str(error).strip() or type(error).__name__
    return text[:120]


def response(status: int, headers: httpx.Headers, body: bytes) -> Response:
    """Ours from httpx's parts."""
    return Response(status=status, headers={name.lower(): value for name, value in headers.items()}, body=body)
