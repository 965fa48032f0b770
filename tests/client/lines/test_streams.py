"""Both lines hold a WebSocket in the same way, and tell the same truth about how it ended."""

from __future__ import annotations

import asyncio
import http
import socket
import ssl
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tradehook import errors
from tradehook.lines import sending
from tradehook.lines.asynchronous import AsyncLine
from tradehook.lines.blocking import BlockingLine
from tradehook.lines.turns import TurnTakingSocket, take_turns
from tradehook.run import run
from tradehook.wire import Request, Response


class Blocking:
    """A line and what is opened over it, driven step by step."""

    line_kind = BlockingLine

    def __init__(self):
        self.line = self.line_kind()

    def do(self, operation):
        return run(operation)

    def listen(self, url, **options):
        return self.do(self.line.listen(Request("GET", url, **options)))

    def close(self):
        pass


class Asynchronous(Blocking):
    line_kind = AsyncLine

    def __init__(self):
        super().__init__()
        self._runner = asyncio.Runner()

    def do(self, operation):
        return self._runner.run(operation)

    def close(self):
        self._runner.close()


@pytest.fixture(params=[Blocking, Asynchronous], ids=["blocking", "asyncio"])
def side(request):
    side = request.param()
    yield side
    side.close()


def test_messages_go_both_ways_in_order(side, stream_peers):
    peer = stream_peers.open(stream_peers.echo)
    stream = side.listen(peer.url, headers={"x-mine": "1"})
    for text in ("a", "ü€", '{"a":1}'):
        side.do(stream.send(text))
    assert [side.do(stream.receive(5)) for _ in range(3)] == ["a", "ü€", '{"a":1}']
    side.do(stream.close())
    side.do(stream.close())
    assert peer.headers[0]["user-agent"].startswith("tradehook/")
    assert peer.headers[0]["x-mine"] == "1"


def test_silence_is_a_time_out_and_the_stream_can_be_used_on(side, stream_peers):
    stream = side.listen(stream_peers.open(stream_peers.echo).url)
    for _ in range(2):
        with pytest.raises(errors.TimedOut, match="said nothing"):
            side.do(stream.receive(0.05))
    side.do(stream.send("still here"))
    assert side.do(stream.receive(5)) == "still here"
    side.do(stream.close())


def test_a_cut_connection_is_a_disconnect_every_time(side, stream_peers):
    stream = side.listen(stream_peers.open(stream_peers.cut).url)
    for _ in range(2):
        with pytest.raises(errors.Disconnected):
            side.do(stream.receive(5))
    with pytest.raises(errors.Disconnected):
        side.do(stream.send("anyone?"))
    side.do(stream.close())


def test_a_polite_goodbye_is_a_disconnect_too(side, stream_peers):
    stream = side.listen(stream_peers.open(lambda _peer, connection: connection.close()).url)
    with pytest.raises(errors.Disconnected):
        side.do(stream.receive(5))
    side.do(stream.close())


def test_a_message_too_large_to_be_true(side, stream_peers):
    def flood(peer, connection):
        connection.send("x" * 3_000_000)
        connection.send("x" * 5_000_000)
        peer.done.wait(10)

    stream = side.listen(stream_peers.open(flood).url)
    assert len(side.do(stream.receive(10))) == 3_000_000
    with pytest.raises(errors.Disconnected, match="too large"):
        side.do(stream.receive(10))
    side.do(stream.close())


def test_bytes_that_are_no_text(side, stream_peers):
    def garbage(peer, connection):
        connection.send(b"\xff\xfe\x00")
        peer.done.wait(10)

    stream = side.listen(stream_peers.open(garbage).url)
    with pytest.raises(errors.Disconnected):
        side.do(stream.receive(5))
    side.do(stream.close())


def test_bytes_that_are_text_are_read_as_text(side, stream_peers):
    def binary(peer, connection):
        connection.send(b'{"a":1}')
        peer.done.wait(10)

    stream = side.listen(stream_peers.open(binary).url)
    assert side.do(stream.receive(5)) == '{"a":1}'
    side.do(stream.close())


def test_an_answer_that_is_no_stream_is_handed_on(side, stream_peers):
    def refuse(connection, _request):
        response = connection.respond(http.HTTPStatus.TOO_MANY_REQUESTS, "slow down")
        response.headers["Retry-After"] = "7"
        return response

    peer = stream_peers.open(stream_peers.silence, process_request=refuse)
    answer = side.listen(peer.url)
    assert isinstance(answer, Response)
    assert (answer.status, answer.headers["retry-after"], answer.body) == (429, "7", b"slow down")


def test_redirects_are_never_followed(side, stream_peers):
    elsewhere = stream_peers.open(stream_peers.echo)

    def redirect(connection, _request):
        response = connection.respond(http.HTTPStatus.TEMPORARY_REDIRECT, "")
        response.headers["Location"] = elsewhere.url
        return response

    answer = side.listen(stream_peers.open(stream_peers.silence, process_request=redirect).url)
    assert answer.status == 307
    assert elsewhere.connections == 0


def test_nobody_listens_means_not_sent(side):
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    with pytest.raises(errors.NotSent):
        side.listen(f"ws://127.0.0.1:{port}/x")


def test_a_handshake_without_an_answer_is_a_time_out(side):
    with socket.create_server(("127.0.0.1", 0)) as mute, pytest.raises(errors.TimedOut):
        side.listen(f"ws://127.0.0.1:{mute.getsockname()[1]}/x", timeout_seconds=0.3)


@pytest.mark.parametrize("answer", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 101 Switching Protocols\r\n\r\n"])
def test_a_handshake_with_a_broken_answer_is_a_disconnect(side, answer):
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(errors.Disconnected):
            side.listen(f"ws://127.0.0.1:{server.getsockname()[1]}/x")
        thread.join(5)


def test_plain_text_behind_a_secure_address_is_not_sent(side, stream_peers):
    peer = stream_peers.open(stream_peers.silence)
    with pytest.raises((errors.NotSent, errors.Disconnected)):
        side.listen(peer.url.replace("ws://", "wss://"))
    assert peer.connections == 0


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate for 127.0.0.1 that nobody vouches for, as a server's and as an authority's file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


def test_a_certificate_nobody_vouches_for_is_refused(side, stream_peers, certificate):
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(certificate)
    peer = stream_peers.open(stream_peers.echo, ssl=serving)
    with pytest.raises(errors.NotSent):
        side.listen(peer.url)
    assert peer.connections == 0


def test_what_the_http_lines_trust_is_trusted(side, stream_peers, certificate, monkeypatch):
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(certificate)
    trusting = ssl.create_default_context(cafile=str(certificate))
    monkeypatch.setattr(sending, "trusted", lambda **_: trusting)
    stream = side.listen(stream_peers.open(stream_peers.echo, ssl=serving).url)
    side.do(stream.send("whispered"))
    assert side.do(stream.receive(5)) == "whispered"
    side.do(stream.close())


def test_a_blocking_tls_stream_is_let_into_by_one_thread_at_a_time(stream_peers, certificate, monkeypatch):
    """Of a thousand handshakes five hung, where one thread read the server's tickets while another wrote."""
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(certificate)
    serving.sslsocket_class = TurnTakingSocket  # the peer of this test reads and writes on two threads, too
    trusting = take_turns(ssl.create_default_context(cafile=str(certificate)))
    monkeypatch.setattr(sending, "trusted", lambda **_: trusting)
    url = stream_peers.open(stream_peers.echo, ssl=serving).url
    for number in range(400):
        stream = run(BlockingLine().listen(Request("GET", url)))
        run(stream.send(f"{number} " + "x" * 70_000))
        assert run(stream.receive(10)).startswith(f"{number} ")
        run(stream.close())


def test_one_thread_waits_for_a_word_while_another_speaks(stream_peers, certificate, monkeypatch):
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(certificate)
    trusting = take_turns(ssl.create_default_context(cafile=str(certificate)))
    monkeypatch.setattr(sending, "trusted", lambda **_: trusting)
    stream = run(BlockingLine().listen(Request("GET", stream_peers.open(stream_peers.echo, ssl=serving).url)))
    with pytest.raises(errors.TimedOut):
        run(stream.receive(0.05))
    heard = []
    listener = threading.Thread(target=lambda: heard.append(run(stream.receive(10))))
    listener.start()
    run(stream.send("hello"))
    listener.join(10)
    assert heard == ["hello"]
    run(stream.close())


@pytest.mark.parametrize("url", ["", "nonsense", "http://127.0.0.1/x", "ws://", "ws://[::bad/x"])
def test_not_an_address(side, url):
    with pytest.raises(errors.ConfigurationError):
        side.listen(url)


def test_a_silent_peer_does_not_hold_up_the_goodbye(side, stream_peers):
    """The closing handshake has its own short limit: the peer of this test reads nothing for ten seconds."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        held = threading.Event()

        def serve():
            from websockets.server import ServerProtocol

            connection, _ = server.accept()
            with connection:
                protocol = ServerProtocol()
                protocol.receive_data(connection.recv(65536))
                protocol.send_response(protocol.accept(protocol.events_received()[0]))
                connection.sendall(b"".join(protocol.data_to_send()))
                held.wait(10)

        thread = threading.Thread(target=serve)
        thread.start()
        stream = side.listen(f"ws://127.0.0.1:{server.getsockname()[1]}/x")
        side.do(stream.close())
        assert thread.is_alive()  # we left first
        held.set()
        thread.join(5)


def test_listening_is_loaded_only_by_those_who_listen():
    program = (
        "import sys, tradehook, tradehook.client, tradehook.lines.blocking, tradehook.lines.asynchronous;"
        "sys.exit('websockets' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0
