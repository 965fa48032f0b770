"""The market-data WebSocket: what it says, over real sockets, and that nothing anybody sends or leaves unread harms it."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import os
import socket
import struct
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import Frame, Opcode
from websockets.sync.client import connect

from tradehook.errors import Disconnected
from tradehook.lines.blocking import BlockingLine
from tradehook.run import run
from tradehook.wire import Request
from tradehook_sandbox import Sandbox
from tradehook_sandbox.true_markets.topics import TOPICS

PATIENCE_SECONDS = 20
PATH = "/v1/defi/market"
QUICK = ("--stream-seconds", "0.05")


def subscribe(*topics, kind="subscribe"):
    return json.dumps({"type": kind, "topics": list(topics)})


# --- over sockets -----------------------------------------------------------------------------------------------------


def joined(served, **options):
    return connect(f"ws://127.0.0.1:{served.port}{PATH}", open_timeout=PATIENCE_SECONDS, proxy=None, **options)


def receive(peer):
    return json.loads(peer.recv(timeout=PATIENCE_SECONDS))


def receive_until(peer, kind):
    while (message := receive(peer))["type"] != kind:
        pass
    return message


def admin(served, method, path, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=PATIENCE_SECONDS)
    connection.request(method, "/_sandbox" + path, body=json.dumps(body) if body is not None else None)
    response = connection.getresponse()
    content = json.loads(response.read())
    connection.close()
    assert response.status == 200, content
    return content


def assert_stops(served):
    code, seconds, errors = served.stop()
    assert code == 0
    assert seconds < 5
    assert "Traceback" not in errors
    assert "Cancel" not in errors, "nobody was waited for"


def test_pushes_carry_the_concrete_topic_and_what_the_reference_says(serve):
    served = serve(*QUICK)
    with joined(served) as peer:
        peer.send(subscribe("all"))
        first = receive(peer)
        assert (first["type"], first["status"], first["topics"]) == ("subscribe", "success", ["all"])
        batches = {topic: receive_until(peer, topic) for topic in TOPICS}
    for topic, batch in batches.items():
        assert (batch["status"], batch["topics"]) == ("success", [topic])
        assert isinstance(batch["timestamp"], int)
        assert batch["data"]
    candles = batches["price_candles"]["data"]
    assert {"SOL", "BTC"} <= {row["symbol"] for row in candles}
    assert {"30s", "24h"} <= {row["interval"] for row in candles}
    for row in candles:
        assert set(row) == {"symbol", "address", "chain", "interval", "open", "high", "low", "close"}
        assert all(isinstance(row[name], str) for name in row)
    assert {row["symbol"] for row in batches["reference_prices"]["data"]} >= {"BTC|USD"}
    assert_stops(served)


def test_a_push_follows_the_markets_price(serve):
    served = serve(*QUICK)
    admin(served, "POST", "/prices", {"BTC": "71000", "walk": False})
    with joined(served) as peer:
        peer.send(subscribe("reference_prices"))
        row = next(row for row in receive_until(peer, "reference_prices")["data"] if row["symbol"] == "BTC|USD")
    assert row["mid_price"] == "71000"


def test_nothing_is_pushed_that_was_not_asked_for(serve):
    served = serve(*QUICK)
    with joined(served) as idle, joined(served) as peer:
        peer.send(subscribe("reference_prices"))
        receive(peer)
        kinds = {receive(peer)["type"] for _ in range(5)}
        assert kinds == {"reference_prices"}
        with pytest.raises(TimeoutError):
            idle.recv(timeout=0)
        peer.send(subscribe("reference_prices", kind="unsubscribe"))
        assert receive_until(peer, "unsubscribe")["status"] == "success"
        with pytest.raises(TimeoutError):
            peer.recv(timeout=0.3)


def test_errors_leave_the_connection_open(serve):
    served = serve(*QUICK)
    with joined(served) as peer:
        for message in ("{", b"\x00\xff", subscribe("nothing"), subscribe("price_candles", kind="scream")):
            peer.send(message)
            assert receive(peer)["type"] == "error"
        peer.send(subscribe("surging_assets"))
        assert receive(peer)["type"] == "subscribe"
        assert receive(peer)["type"] == "surging_assets"


def test_a_frame_that_is_too_large_closes_its_connection_and_no_other(serve):
    served = serve(*QUICK)
    with joined(served) as other:
        with joined(served) as peer:
            peer.send(" " * 70_000)
            with pytest.raises(ConnectionClosed) as closed:
                peer.recv(timeout=PATIENCE_SECONDS)
            assert closed.value.rcvd.code == 1009
        other.send(subscribe("all"))
        assert receive(other)["type"] == "subscribe"
    assert_stops(served)


def raw(served, path=PATH):
    """A socket after the handshake, without anybody who reads it."""
    peer = served.connect()
    key = base64.b64encode(os.urandom(16)).decode()
    peer.sendall(
        f"GET {path} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    head = b""
    while b"\r\n\r\n" not in head:
        head += peer.recv(4_096)
    assert head.startswith(b"HTTP/1.1 101"), head
    return peer


def frame(text):
    return Frame(Opcode.TEXT, text.encode()).serialize(mask=True)


@pytest.mark.parametrize(
    "junk",
    [
        b"\xff" * 64,
        frame("x")[:1] + b"\x05abcde",
        struct.pack("!BBQ", 0x81, 0xFF, 2**63 - 1) + b"\0" * 20,
        b"\x88\x80\0\0\0\0",
        b"\x80\x80\0\0\0\0" * 3,
        Frame(Opcode.TEXT, b"\xff\xfe").serialize(mask=True),
        Frame(Opcode.PING, b"p" * 125).serialize(mask=True) * 50,
    ],
    ids=["noise", "unmasked", "boastful", "close", "continuation", "not-utf8", "pings"],
)
def test_broken_frames_end_their_connection_at_most(serve, junk):
    served = serve(*QUICK)
    with raw(served) as peer:
        peer.sendall(junk)
        peer.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionResetError):
            while peer.recv(65_536):
                pass
    with joined(served) as other:
        other.send(subscribe("all"))
        assert receive(other)["type"] == "subscribe"
    assert_stops(served)


def test_a_hundred_connections_get_every_batch_and_are_closed_at_once(serve):
    served = serve("--stream-seconds", "0.2")

    def follow(_):
        with joined(served) as peer:
            peer.send(subscribe("price_candles"))
            return receive(peer)["status"], len(receive_until(peer, "price_candles")["data"])

    with ThreadPoolExecutor(20) as pool:
        assert len(set(pool.map(follow, range(100)))) == 1
    with contextlib.ExitStack() as stack:
        peers = [stack.enter_context(raw(served)) for _ in range(100)]
        for peer in peers:
            peer.sendall(frame(subscribe("all")))
        for peer in peers:
            assert peer.recv(2)[0] == 0x81
        assert_stops(served)


def test_who_does_not_read_holds_nobody_up(serve):
    served = serve("--stream-seconds", "0.01")
    with raw(served) as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        deaf.sendall(frame(subscribe("all")))
        with joined(served) as peer:
            peer.send(subscribe("all"))
            for _ in range(100):
                receive(peer)
            assert admin(served, "GET", "/clock")
        assert_stops(served)


def test_a_flood_of_messages_whose_answers_nobody_reads_is_held_back(serve):
    served = serve(*QUICK)
    with raw(served) as peer:
        peer.settimeout(0.5)
        sent, flood = 0, frame(subscribe("orders")) * 500
        with contextlib.suppress(TimeoutError):
            while sent < 200_000_000:
                sent += peer.send(flood)
        assert sent < 200_000_000, "the server stopped reading"
        with joined(served) as other:
            other.send(subscribe("all"))
            assert receive(other)["type"] == "subscribe"
        assert_stops(served)


def test_other_paths_are_no_websockets(serve):
    served = serve()
    for path in ("/", "/v1/defi", f"{PATH}/x", "/v1/conductor/orders", "/bot1:x/getMe"):
        with pytest.raises(InvalidStatus) as refused:
            connect(f"ws://127.0.0.1:{served.port}{path}", open_timeout=PATIENCE_SECONDS, proxy=None)
        assert refused.value.response.status_code in (401, 404)
    assert_stops(served)


# --- faults -----------------------------------------------------------------------------------------------------------


def test_a_dropped_websocket_ends_without_a_close_frame(serve):
    served = serve(*QUICK)
    with joined(served) as peer, joined(served) as other:
        for one in (peer, other):
            one.send(subscribe("reference_prices"))
            assert receive(one)["type"] == "subscribe"
        admin(served, "POST", "/faults", {"kind": "drop_websocket", "path": PATH})
        ended = 0
        for one in (peer, other):
            try:
                for _ in range(20):
                    receive(one)
            except ConnectionClosed as closed:
                assert closed.rcvd is None
                ended += 1
        assert ended == 1
        assert admin(served, "GET", "/faults")["data"] == []
    assert_stops(served)


def test_a_silent_websocket_stays_open_and_says_nothing(serve):
    served = serve(*QUICK)
    with joined(served) as peer:
        peer.send(subscribe("reference_prices"))
        receive_until(peer, "reference_prices")
        admin(served, "POST", "/faults", {"kind": "silent_websocket"})
        while admin(served, "GET", "/faults")["data"]:
            pass
        with pytest.raises(TimeoutError):
            while True:
                peer.recv(timeout=0.4)
        peer.send(subscribe("all"))
        with pytest.raises(TimeoutError):
            peer.recv(timeout=0.3)
        assert peer.ping().wait(PATIENCE_SECONDS), "it is there, and dumb"
        with joined(served) as other:
            other.send(subscribe("reference_prices"))
            assert receive_until(other, "reference_prices")["data"]
        assert_stops(served)


@pytest.mark.parametrize(("kind", "status"), [("error_before", 503), ("edge_html", 403), ("rate_limited", 429)])
def test_a_handshake_can_be_refused_by_a_fault(serve, kind, status):
    served = serve(*QUICK)
    admin(served, "POST", "/faults", {"kind": kind, "path": PATH})
    with pytest.raises(InvalidStatus) as refused:
        joined(served)
    assert refused.value.response.status_code == status
    with joined(served) as peer:
        peer.send(subscribe("all"))
        assert receive(peer)["type"] == "subscribe"


def test_a_handshake_can_wait_for_ever_and_be_cut(serve):
    served = serve(*QUICK)
    admin(served, "POST", "/faults", {"kind": "truncated", "path": PATH})
    with pytest.raises(Exception, match=r"connection closed|did not receive|EOF"):
        joined(served)
    admin(served, "POST", "/faults", {"kind": "timeout_after", "path": PATH})
    with pytest.raises(TimeoutError):
        connect(f"ws://127.0.0.1:{served.port}{PATH}", open_timeout=0.3, proxy=None)
    admin(served, "POST", "/faults", {"kind": "timeout_after", "path": PATH})
    with served.connect() as peer:
        peer.sendall(
            f"GET {PATH} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        while admin(served, "GET", "/faults")["data"]:
            pass
        assert_stops(served)


def test_a_truncated_answer_breaks_off_after_its_headers_have_promised_all(serve, trader_at):
    served = serve()
    trader = trader_at(served)
    whole = trader.send("GET", "/v1/conductor/assets").body
    trader.admin("POST", "/faults", {"kind": "truncated", "path": "/assets", "times": 2})
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=PATIENCE_SECONDS)
    connection.request("GET", "/v1/conductor/assets")
    response = connection.getresponse()
    assert (response.status, response.getheader("content-length")) == (200, str(len(whole)))
    with pytest.raises(http.client.IncompleteRead) as broken:
        response.read()
    assert broken.value.partial == whole[: len(whole) // 2]
    connection.close()
    line = BlockingLine()
    with pytest.raises(Disconnected):
        run(line.send(Request("GET", f"{served.url}/v1/conductor/assets")))
    assert run(line.send(Request("GET", f"{served.url}/v1/conductor/assets"))).body == whole
    line.close()
    assert_stops(served)


# --- pace -------------------------------------------------------------------------------------------------------------


@pytest.mark.prove
def test_it_is_ready_in_under_a_second_at_its_best(serve):
    best = PATIENCE_SECONDS
    for _ in range(5):
        began = time.monotonic()
        served = serve()
        best = min(best, time.monotonic() - began)
        served.end()
        if best < 1:
            break
    print(f"serve was ready after {best:.2f} s")
    assert best < 1


@pytest.mark.prove
def test_an_emulator_in_memory_does_a_thousand_orders_a_second(trader_class):
    sandbox = Sandbox(rate_limit=0)
    trader = trader_class(sandbox).mint()
    body = {"base_asset": "BTC", "quote_asset": "PYUSD", "qty_unit": "base", "type": "market", "qty": "0.0001"}
    best = 0
    for _ in range(5):
        began = time.perf_counter()
        for number in range(400):
            side = "buy" if number % 2 else "sell"
            assert trader.send("POST", "/v1/conductor/orders", {**body, "side": side}).status == 201
            sandbox.clock.advance(0.001)
        best = max(best, 400 / (time.perf_counter() - began))
        if best >= 1_000:
            break
    print(f"{best:.0f} orders a second in memory")
    assert best >= 1_000
