"""What both lines share: limits, headers, and which httpx error means which of ours.

The question that matters is whether a byte left: httpx's trace tells when the request's head begins
to be written. Before that, a failure is `NotSent`; after it, the request may have been carried out.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import httpx

from tradehook import __version__
from tradehook.errors import ConfigurationError, Disconnected, NotSent, TimedOut, TradehookError
from tradehook.wire import Response

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from tradehook.wire import Request

LARGEST_BODY_BYTES = 10_000_000
CONNECT_SECONDS = 10.0
_THIS_MACHINE = frozenset({"127.0.0.1", "localhost", "::1"})
FAILURES: Final = (httpx.HTTPError, httpx.InvalidURL, ValueError, OverflowError, ImportError)
"""What httpx raises beside an `OSError`: the last three for a proxy, a port or a text that it cannot use."""
_NUMBER = re.compile(r"\[Errno -?\d+\] ")
"""How the system's own errors begin, which says nothing to a person."""
USER_AGENT = f"tradehook/{__version__}"
_HEADERS = {
    "user-agent": USER_AGENT,
    "accept": "application/json",
    "accept-encoding": "gzip, deflate",
}


@cache
def trusted(*, in_turns: bool = False) -> ssl.SSLContext:
    """The TLS settings, made once: reading the certificates takes longer than a request.

    `in_turns` is for connections that are read on one thread and written on another.
    """
    context = httpx.create_ssl_context()
    if in_turns:
        from tradehook.lines.turns import take_turns

        return take_turns(context)
    return context


@cache
def _nobody() -> ssl.SSLContext:
    """TLS that trusts no certificate at all, for plain http, which needs none: reading them takes its time."""
    import ssl

    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


class Route(NamedTuple):
    """What a transport serves."""

    is_fresh: bool
    is_tls: bool
    proxy: str | None


def transport_options(route: Route) -> dict[str, Any]:
    """How to make one of httpx's transports.

    They are used without httpx's client around them: it would follow cookies and redirects, which a write must not,
    and costs as much again as our own work.
    """
    keep = 0 if route.is_fresh else 20
    limits = httpx.Limits(max_connections=100, max_keepalive_connections=keep)
    return {"verify": trusted() if route.is_tls else _nobody(), "limits": limits, "proxy": route.proxy}


@lru_cache(maxsize=256)
def address(url: str) -> httpx.URL:
    """An address, taken apart. Raises `httpx.InvalidURL`."""
    return httpx.URL(url)


def proxy_for(url: httpx.URL) -> str | None:
    """The environment's proxy for an address. The sandbox on this machine is never behind one."""
    from urllib.request import getproxies, proxy_bypass

    if url.host in _THIS_MACHINE or proxy_bypass(url.host):
        return None
    proxies = getproxies()
    found = proxies.get(url.scheme) or proxies.get("all")
    return found if found is None or "://" in found else f"http://{found}"


class Routes:
    """Which way to each host, looked up once."""

    def __init__(self) -> None:
        self._proxies: dict[tuple[str, str], str | None] = {}

    def to(self, url: httpx.URL, *, is_fresh: bool) -> Route:
        """The way to an address."""
        place = (url.scheme, url.host)
        if place not in self._proxies:
            self._proxies[place] = proxy_for(url)
        proxy = self._proxies[place]
        is_tls = url.scheme != "http" or (proxy or "").startswith("https:")
        return Route(is_fresh=is_fresh, is_tls=is_tls, proxy=proxy)


def build(request: Request, note: Callable[..., Any]) -> httpx.Request:
    """One of our requests in the form of httpx; `note` hears of every step (see `Trace`)."""
    seconds = request.timeout_seconds
    return httpx.Request(
        request.method,
        address(request.url),
        params=request.params or None,
        headers={**_HEADERS, **request.headers},
        content=request.body or None,
        extensions={
            "timeout": {
                "connect": min(CONNECT_SECONDS, seconds),
                "read": seconds,
                "write": seconds,
                "pool": seconds,
            },
            "trace": note,
        },
    )


class Trace:
    """Notes whether the request began to leave."""

    def __init__(self) -> None:
        self.has_left = False

    def note(self, event: str, info: object) -> None:
        """Called by httpx at every step of a request. Asking a proxy for a tunnel is not sending yet."""
        if event.endswith(".send_request_headers.started"):
            asked = info.get("request") if isinstance(info, dict) else None
            self.has_left = self.has_left or getattr(asked, "method", b"") != b"CONNECT"

    async def anote(self, event: str, info: object) -> None:
        """The same, where httpx asks for a coroutine."""
        self.note(event, info)


def failure(error: Exception, request: Request, *, has_left: bool) -> TradehookError:
    """Our error for one of httpx's. Never carries the request or its headers."""
    if isinstance(error, httpx.InvalidURL | httpx.UnsupportedProtocol | UnicodeError) and not has_left:
        return ConfigurationError(f"{request.url[:80]!a} is not an address: write it like http://127.0.0.1:8787.")
    if isinstance(error, ValueError | OverflowError | ImportError) and not has_left:
        # Its text may quote a proxy with its password.
        return ConfigurationError(
            "The port of the address, or the proxy in HTTP_PROXY, HTTPS_PROXY or ALL_PROXY, cannot be used: a proxy "
            "looks like http://127.0.0.1:3128, and socks proxies are not supported."
        )
    host = httpx.URL(request.url).netloc.decode() or request.url[:60]
    if not has_left:
        why = "it did not answer in time" if isinstance(error, httpx.TimeoutException) else reason(error)
        return NotSent(f"{host} could not be reached ({why}).")
    if isinstance(error, httpx.TimeoutException):
        return TimedOut(f"{host} did not answer within {request.timeout_seconds:g} s.")
    return Disconnected(f"The connection to {host} broke before the answer was whole.")


def reason(error: Exception) -> str:
    """What an error says, short; its name when it says nothing."""
    text = _NUMBER.sub("", str(error).strip()) or type(error).__name__
    return text[:120]


def is_encoded(answer: httpx.Response) -> bool:
    """Whether the body has to be decompressed."""
    return "content-encoding" in answer.headers


def grown(body: bytearray, chunk: bytes, request: Request) -> None:
    """Add to a body. Raises `Disconnected` once it is too large to be true."""
    body += chunk
    if len(body) > LARGEST_BODY_BYTES:
        raise Disconnected(f"The answer of {address(request.url).host} is too large to be true.")


def response(answer: httpx.Response, body: bytearray) -> Response:
    """Ours from httpx's parts."""
    headers = {name.lower().decode("latin-1"): value.decode("latin-1") for name, value in answer.headers.raw}
    return Response(status=answer.status_code, headers=headers, body=bytes(body))
