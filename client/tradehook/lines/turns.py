"""TLS that one thread may read while another writes.

OpenSSL wants one thread at a time for a connection, and Python before 3.13 does not see to that. A blocking WebSocket
reads on a thread of its own, so of a thousand handshakes five or so met the server's session tickets just while the
request was written, and then heard nothing. See: docs.openssl.org, openssl-threads; python/cpython issue 124984.
"""

from __future__ import annotations

import selectors
import ssl
import threading
import time
from typing import TYPE_CHECKING, Any, Self, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


def take_turns(context: ssl.SSLContext) -> ssl.SSLContext:
    """The same context; the sockets it makes from now on let one thread at a time into TLS."""
    context.sslsocket_class = TurnTakingSocket
    return context


class TurnTakingSocket(ssl.SSLSocket):
    """Waits outside of its lock: who reads a silent connection holds up nobody who writes."""

    _turn: threading.Lock

    def __new__(cls, *_: Any, **__: Any) -> Self:
        """Make one with its lock; its own initialiser is never called."""
        made = super().__new__(cls)
        made._turn = threading.Lock()
        return made

    def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
        """See `socket.recv`."""
        return self._in_turn(lambda: super(TurnTakingSocket, self).recv(buflen, flags), selectors.EVENT_READ)

    def send(self, data: Any, flags: int = 0) -> int:
        """See `socket.send`."""
        return self._in_turn(lambda: super(TurnTakingSocket, self).send(data, flags), selectors.EVENT_WRITE)

    def settimeout(self, value: float | None) -> None:
        """See `socket.settimeout`."""
        with self._turn:
            super().settimeout(value)

    def shutdown(self, how: int) -> None:
        """See `socket.shutdown`."""
        with self._turn:
            super().shutdown(how)

    def _in_turn(self, step: Callable[[], T], wanted: int) -> T:
        """Take the step as soon as it can be taken without waiting."""
        started = time.monotonic()
        while True:
            with self._turn:
                patience = self.gettimeout()
                super().settimeout(0)
                try:
                    return step()
                except ssl.SSLWantReadError:
                    waits_for = selectors.EVENT_READ
                except ssl.SSLWantWriteError:
                    waits_for = selectors.EVENT_WRITE
                except BlockingIOError:
                    waits_for = wanted
                finally:
                    super().settimeout(patience)
            left = None if patience is None else started + patience - time.monotonic()
            if (left is not None and left <= 0) or not self._wait(waits_for, left):
                raise TimeoutError("timed out")

    def _wait(self, event: int, seconds: float | None) -> bool:
        try:
            with selectors.DefaultSelector() as selector:
                selector.register(self, event)
                return bool(selector.select(seconds))
        except (ValueError, KeyError):
            raise OSError("the socket is closed") from None
