"""Both lines tell the same truth about a send: whether a byte left, and whether an answer came whole."""

from __future__ import annotations

import asyncio
import socket
import threading

import pytest

from tradehook import errors
from tradehook.lines.asynchronous import AsyncLine
from tradehook.lines.blocking import BlockingLine
from tradehook.run import run
from tradehook.wire import Request

WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Thing: a\r\n\r\nhi"


class Peer:
    """A server of raw bytes: reads one request, then does what the test says."""

    def __init__(self, answer):
        self.requests: list[bytes] = []
        self._answer = answer
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/x"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self):
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                data = b""
                while b"\r\n\r\n" not in data and (chunk := connection.recv(65536)):
                    data += chunk
                self.requests.append(data)
                self._answer(connection)

    def close(self):
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(5)


@pytest.fixture
def peer():
    peers = []

    def make(answer):
        peers.append(Peer(answer))
        return peers[-1]

    yield make
    for each in peers:
        each.close()


def send_blocking(request):
    line = BlockingLine()
    try:
        return run(line.send(request))
    finally:
        line.close()


def send_async(request):
    async def main():
        line = AsyncLine()
        try:
            return await line.send(request)
        finally:
            await line.close()

    return asyncio.run(main())


both = pytest.mark.parametrize("send", [send_blocking, send_async])


@both
def test_a_whole_answer(send, peer):
    server = peer(lambda connection: connection.sendall(WHOLE))
    request = Request("POST", server.url, params=(("a", "b c"),), headers={"x-mine": "1"}, body=b"body")
    response = send(request)
    assert (response.status, response.body, response.headers["x-thing"]) == (200, b"hi", "a")
    head = server.requests[0].lower()
    assert head.startswith((b"post /x?a=b+c http/1.1", b"post /x?a=b%20c http/1.1"))
    assert b"x-mine: 1" in head
    assert b"user-agent: tradehook/" in head


@both
def test_nobody_listens_means_not_sent(send):
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    with pytest.raises(errors.NotSent) as caught:
        send(Request("POST", f"http://127.0.0.1:{port}/x"))
    assert not caught.value.may_have_happened


@both
def test_silence_is_a_time_out_and_may_have_happened(send, peer):
    done = threading.Event()
    server = peer(lambda _connection: done.wait(10))
    with pytest.raises(errors.TimedOut) as caught:
        send(Request("POST", server.url, timeout_seconds=0.3))
    done.set()
    assert caught.value.may_have_happened
    assert len(server.requests) == 1


@both
def test_drops_of_bytes_do_not_outlast_the_limit(send, peer):
    done = threading.Event()

    def drip(connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while not done.wait(0.1):
            try:
                connection.sendall(b"x")
            except OSError:
                return

    server = peer(drip)
    with pytest.raises(errors.TimedOut):
        send(Request("POST", server.url, timeout_seconds=0.5))
    done.set()


@both
@pytest.mark.parametrize(
    "answer",
    [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nabcd"],
)  # fmt: skip
def test_a_broken_answer_is_a_disconnect(send, peer, answer):
    server = peer(lambda connection: connection.sendall(answer))
    with pytest.raises(errors.Disconnected) as caught:
        send(Request("POST", server.url))
    assert caught.value.may_have_happened


@both
def test_redirects_are_never_followed(send, peer):
    server = peer(lambda connection: connection.sendall(b"HTTP/1.1 307 X\r\nLocation: /y\r\nContent-Length: 0\r\n\r\n"))
    assert send(Request("POST", server.url)).status == 307
    assert len(server.requests) == 1


@both
def test_an_endless_answer_is_cut(send, peer):
    def flood(connection):
        try:
            connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            for _ in range(300):
                connection.sendall(b"x" * 100_000)
        except OSError:
            pass

    with pytest.raises(errors.Disconnected, match="too large"):
        send(Request("GET", peer(flood).url))


@both
@pytest.mark.parametrize("url", ["", "nonsense", "ftp://127.0.0.1/x", "http://", "http://[::bad/x"])
def test_not_an_address(send, url):
    with pytest.raises((errors.ConfigurationError, errors.NotSent)):
        send(Request("GET", url))


@both
def test_errors_carry_no_secret(send):
    request = Request("POST", "http://127.0.0.1:9/x", headers={"authorization": "Bearer canary-1"}, body=b"canary-2")
    with pytest.raises(errors.TradehookError) as caught:
        send(request)
    text = f"{caught.value!r} {caught.value.__dict__} {request!r}"
    assert "canary" not in text
    assert caught.value.__cause__ is None


def test_money_opens_a_connection_of_its_own(peer):
    """A kept connection may have died unseen; a fresh one cannot be in doubt before it is used."""
    server = peer(lambda connection: connection.sendall(WHOLE))
    line = BlockingLine()
    try:
        for _ in range(3):
            run(line.send(Request("POST", server.url, is_fresh=True)))
    finally:
        line.close()
    assert len(server.requests) == 3
