"""FinTrusted's stream: what it answers and tells, frame by frame, and over real sockets."""

from __future__ import annotations

import contextlib
import gzip
import itertools
import json
import zlib
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tradehook_sandbox import Sandbox
from tradehook_sandbox.clock import MICROS
from tradehook_sandbox.fintrusted import stream_quotes
from tradehook_sandbox.fintrusted.stream_connection import PATH, Connection

PATIENCE_SECONDS = 20


class Peer:
    """One connection in memory."""

    def __init__(self, sandbox):
        self.sandbox = sandbox
        self.connection = Connection(sandbox.fintrusted)

    def ask(self, frame):
        text = frame if isinstance(frame, str | None) else json.dumps(frame)
        return [json.loads(one) for one in self.sandbox.beside(lambda: self.connection.hear(text))]

    def subscribe(self, *channels):
        return self.ask({"op": "subscribe", "args": list(channels), "id": "1"})

    def tell(self, seconds=0.5):
        self.sandbox.clock.advance(seconds)
        return [json.loads(one, parse_float=Decimal) for one in self.sandbox.beside(self.connection.tell)]

    def data(self, seconds=0.5):
        return [one["data"] for one in self.tell(seconds)]


@pytest.fixture
def new_peer():
    made = []

    def make(**switches):
        made.append(Sandbox(**{f"fintrusted_{name}": value for name, value in switches.items()}))
        return Peer(made[-1])

    yield make
    for sandbox in made:
        sandbox.close()


@pytest.fixture
def peer(new_peer):
    return new_peer()


# --- answers ------------------------------------------------------------------------------------------------------


def test_a_subscription_is_acknowledged_and_begins_with_a_snapshot(peer):
    channels = ["depth.BTC/USDT", "trades.BTC/USDT", "ticker.ETH/USDT", "kline.BTC/USDT.1m"]
    assert peer.subscribe(*channels) == [{"op": "subscribe", "success": True, "args": channels, "id": "1"}]
    first, second = peer.tell(), peer.tell()
    assert [(one["channel"], one["type"], one["seq"]) for one in first] == [(one, "snapshot", 1) for one in channels]
    assert {(one["type"], one["seq"]) for one in second} == {("update", 2)}
    assert {one["ts"] for one in second} == {int(peer.sandbox.clock.now() * 1000)}


def test_unsubscribing_ends_a_channel_and_subscribing_again_begins_it_anew(peer):
    peer.subscribe("depth.BTC/USDT", "ticker.BTC/USDT")
    peer.tell()
    assert peer.ask({"op": "unsubscribe", "args": ["ticker.BTC/USDT"], "id": 2}) == [
        {"op": "unsubscribe", "success": True, "args": ["ticker.BTC/USDT"], "id": 2}
    ]
    assert {one["channel"] for one in peer.tell()} == {"depth.BTC/USDT"}
    peer.subscribe("depth.BTC/USDT")
    assert [(one["type"], one["seq"]) for one in peer.tell()] == [("snapshot", 1)]


@pytest.mark.parametrize(
    "channel", ["depth", "depth.", "depth.DOGE/USDT", "depth.BTCUSDT", "kline.BTC/USDT", "kline.BTC/USDT.7m",
                "ticker.BTC/USDT.1m", "wallets", "", "kline.BTC/USDT.1min", "x" * 500],
)  # fmt: skip
def test_a_channel_that_does_not_exist(peer, channel):
    (answer,) = peer.subscribe("depth.BTC/USDT", channel)
    assert (answer["success"], answer["code"], answer["id"]) == (False, 404, "1")
    assert len(answer["message"]) < 100
    assert peer.tell() == [], "all of them or none"


@pytest.mark.parametrize(
    "frame", [None, "", "{", "[]", "7", "{}", '{"op":"scream"}', '{"op":"subscribe"}', '{"op":"subscribe","args":[7]}',
              '{"op":"subscribe","args":[]}', '{"op":"auth","args":["a","b"]}', '{"op":"ping","id":{}}', "x" * 70_000],
)  # fmt: skip
def test_what_nothing_can_be_made_of_is_answered_and_ends_nothing(peer, frame):
    (answer,) = peer.ask(frame)
    assert (answer["success"], answer["code"]) == (False, 400)
    assert peer.subscribe("depth.BTC/USDT")[0]["success"] is True


@pytest.mark.parametrize(
    ("profile", "frame", "answer"),
    [
        ("op_args", {"op": "ping", "ts": 7}, {"op": "pong", "ts": 7}),
        ("type_channel", {"type": "ping", "time": "7"}, {"type": "pong", "time": "7"}),
        ("event_channel", {"event": "ping", "ts": 7}, {"event": "pong", "ts": 7}),
        ("method_params", {"method": "PING", "id": 7}, {"method": "PONG", "id": 7, "ts": 1_790_000_000_000}),
    ],
)
def test_pings_are_answered(new_peer, profile, frame, answer):
    assert new_peer(stream_profile=profile).ask(frame) == [answer]


def test_who_owes_pongs_is_overdue(new_peer):
    peer = new_peer(stream_ping_seconds=10.0)
    for _ in range(3):
        assert [one["op"] for one in peer.tell(10)] == ["ping"]
        assert peer.connection.is_overdue is (_ == 2)
    peer.ask({"op": "pong", "ts": 1})
    assert not peer.connection.is_overdue


@pytest.mark.parametrize(
    ("profile", "asked", "acknowledged"),
    [
        (
            "method_params",
            {"method": "SUBSCRIBE", "params": ["ticker.BTC/USDT"], "id": 3},
            {"result": None, "id": 3},
        ),
        (
            "type_channel",
            {"type": "subscribe", "channel": "ticker.BTC/USDT"},
            {"type": "subscribed", "channel": "ticker.BTC/USDT"},
        ),
        (
            "event_channel",
            {"event": "subscribe", "channel": "ticker.BTC/USDT"},
            {"event": "subscribed", "channel": "ticker.BTC/USDT"},
        ),
    ],
)
def test_the_other_ways_of_writing_frames(new_peer, profile, asked, acknowledged):
    peer = new_peer(stream_profile=profile)
    assert peer.ask(asked) == [acknowledged]
    (frame,) = peer.tell()
    content = frame.get("data") or frame["content"]["data"]
    assert content["symbol"] == "BTC/USDT"
    assert "ticker.BTC/USDT" in (frame.get("channel"), frame.get("stream"))


def test_data_as_a_text_that_holds_json(new_peer):
    peer = new_peer(stream_payload="text")
    peer.subscribe("ticker.BTC/USDT")
    (text,) = peer.data()
    assert json.loads(text)["symbol"] == "BTC/USDT"


@pytest.mark.parametrize(
    ("style", "name"), [("concat", "BTCUSDT"), ("underscore_lower", "btc_usdt"), ("dash", "BTC-USDT")]
)
def test_the_other_ways_of_writing_a_market(new_peer, style, name):
    peer = new_peer(stream_symbols=style)
    assert peer.subscribe(f"ticker.{name}")[0]["success"] is True
    assert peer.subscribe("ticker.BTC/USDT")[0]["success"] is False


@pytest.mark.parametrize(("style", "name"), [("short", "1M"), ("family", "1month"), ("mon", "mon")])
def test_the_ways_of_naming_an_interval(new_peer, style, name):
    peer = new_peer(stream_intervals=style, stream_candles=3)
    assert peer.subscribe(f"kline.BTC/USDT.{name}")[0]["success"] is True
    assert {row["interval"] for row in peer.data()[0]} == {name}


# --- what is told -------------------------------------------------------------------------------------------------


def test_the_ticker_is_the_one_that_requests_get(peer, caller_class):
    peer.subscribe("ticker.BTC/USDT")
    (told,) = peer.data()
    asked = caller_class(peer.sandbox).get("/market/data/quotations/coin?coin=btc")["data"]
    assert {name: Decimal(str(value)) for name, value in asked.items() if name != "symbol"} == {
        name: value for name, value in told.items() if name != "symbol"
    }


def test_nothing_is_told_where_nothing_changed(new_peer):
    peer = new_peer()
    peer.subscribe("depth.BTC/USDT", "kline.BTC/USDT.1m")
    peer.tell()
    assert peer.tell(0.0) == []


def test_candles_follow_each_other_and_the_market(peer):
    peer.subscribe("kline.BTC/USDT.1m")
    (rows,) = peer.data()
    assert len(rows) == 100
    for before, after in itertools.pairwise(rows):
        assert after["time"] - before["time"] == 60_000
        assert after["open"] == before["close"]
        assert before["low"] <= min(before["open"], before["close"])
        assert before["high"] >= max(before["open"], before["close"])
    assert [row["closed"] for row in rows] == [True] * 99 + [False]
    floor = peer.sandbox.fintrusted.floor
    for row in rows[:-1]:
        assert row["open"] == Decimal(floor.price("BTC", row["time"] * 1_000)).scaleb(-10)
        assert row["close"] == Decimal(floor.price("BTC", (row["time"] + 60_000) * 1_000)).scaleb(-10)


def test_every_candle_is_told_closed_once_whatever_the_pace(peer):
    peer.subscribe("kline.BTC/USDT.1m")
    (rows,) = peer.data()
    closed = [row["time"] for row in rows if row["closed"]]
    for seconds in (0.5, 59, 200, 1, 31, 30, 3_000, 0.5, 60):
        closed += [row["time"] for row in peer.data(seconds) if row["closed"]]
    assert closed == list(range(closed[0], closed[-1] + 1, 60_000))


def test_trades_are_told_once_and_lie_at_the_price(peer):
    peer.subscribe("trades.BTC/USDT")
    told = [row for _ in range(60) for rows in peer.data() for row in rows]
    assert len({row["id"] for row in told}) == len(told) > 50
    assert [row["time"] for row in told] == sorted(row["time"] for row in told)
    floor = peer.sandbox.fintrusted.floor
    for row in told:
        middle = Decimal(floor.price("BTC", row["time"] * 1_000)).scaleb(-10)
        assert abs(row["price"] - middle) <= middle / 10_000
        assert row["amount"] > 0
        assert row["direction"] in ("BUY", "SELL")


def test_the_books_changes_make_the_book(peer):
    peer.subscribe("depth.BTC/USDT")
    book = {"bids": {}, "asks": {}}
    for _ in range(30):
        for data in peer.data():
            for side, levels in book.items():
                for price, amount in data[side]:
                    levels[price] = amount
                    if amount == "0":
                        del levels[price]
        fresh = Peer(peer.sandbox)
        fresh.subscribe("depth.BTC/USDT")
        (whole,) = fresh.data(0.0)
        assert {side: dict(whole[side]) for side in book} == book
        assert max(map(Decimal, book["bids"])) < min(map(Decimal, book["asks"]))


def test_a_members_order_stands_in_the_book(peer, caller_class):
    caller = caller_class(peer.sandbox).login()
    caller.price("74000")
    peer.subscribe("depth.BTC/USDT")
    (before,) = peer.data()
    mine = str(Decimal(before["bids"][0][0]) + Decimal("0.01"))
    form = {"symbol": "BTC/USDT", "direction": 0, "type": 0, "price": mine, "amount": "0.5"}
    assert caller.post("/tx/spot/add", form)["code"] == 0
    (change,) = peer.data(1)
    assert [mine, "0.5"] in change["bids"]


@pytest.mark.parametrize("interval", stream_quotes.INTERVALS)
def test_an_intervals_candles_lie_side_by_side(peer, interval):
    at = int(peer.sandbox.clock.now() * MICROS)
    for _ in range(30):
        begin = stream_quotes.begin_of(interval, at)
        end = stream_quotes.end_of(interval, begin)
        assert begin <= at < end
        assert stream_quotes.begin_of(interval, end) == end
        assert stream_quotes.begin_of(interval, end - 1) == begin
        at = begin - 1


def test_a_clock_that_is_turned_back_begins_the_candles_anew(peer):
    peer.subscribe("kline.BTC/USDT.1m", "trades.BTC/USDT")
    peer.tell(600)
    frames = peer.tell(-300)
    assert ("kline.BTC/USDT.1m", "snapshot") in [(one["channel"], one["type"]) for one in frames]
    assert peer.tell(60)


# --- a member's own -----------------------------------------------------------------------------------------------


def test_private_channels_need_a_token_and_tell_of_its_member_alone(peer, caller_class):
    assert peer.subscribe("orders")[0]["code"] == 401
    assert peer.ask({"op": "auth", "args": ["nonsense"]})[0]["code"] == 401
    caller = caller_class(peer.sandbox).login()
    caller.admin("POST", "/fintrusted/members", {"email": "ann@example.com", "password": "other"})
    other = caller_class(peer.sandbox, email="ann@example.com", password="other").login()
    answers = peer.ask({"op": "auth", "args": [caller.token], "id": "a"})
    assert answers == [{"op": "auth", "success": True, "id": "a"}]
    assert peer.subscribe("orders", "account")[0]["success"] is True
    first = peer.tell()
    assert [(one["channel"], one["type"]) for one in first] == [("orders", "snapshot"), ("account", "snapshot")]
    assert first[0]["data"] == []
    form = {"symbol": "BTC/USDT", "direction": 0, "type": 0, "price": "50000", "amount": "0.001"}
    assert other.post("/tx/spot/add", form)["code"] == 0
    assert peer.tell(1) == []
    order_id = caller.post("/tx/spot/add", form)["data"]
    orders, account = peer.tell(1)
    assert [(row["orderId"], row["status"]) for row in orders["data"]] == [(order_id, "TRADING")]
    assert next(row for row in account["data"] if row["coin"] == "USDT")["frozen"] == 50
    assert caller.post("/tx/spot/cancel", {"orderId": order_id})["code"] == 0
    orders, account = peer.tell(1)
    assert [(row["orderId"], row["status"]) for row in orders["data"]] == [(order_id, "CANCELED")]
    assert next(row for row in account["data"] if row["coin"] == "USDT")["frozen"] == 0


@pytest.mark.parametrize("single_session", [True, False])
def test_a_token_that_has_ended_hears_no_more(new_peer, caller_class, single_session):
    peer = new_peer(single_session=single_session)
    caller = caller_class(peer.sandbox).login()
    peer.ask({"op": "auth", "args": [caller.token]})
    peer.subscribe("account")
    assert peer.tell()
    caller_class(peer.sandbox).login()
    caller.admin("POST", "/fintrusted/deposit", {"email": "demo@example.com", "coin": "USDT", "add": "5"})
    assert bool(peer.tell()) is not single_session


# --- whatever comes in --------------------------------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20) | st.sampled_from(["subscribe", "ping", "auth"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["op", "args", "id", "type", "channel", "method", "params", "event", "ts", "pong"]), inner
        )
    ),
    max_leaves=12,
)
SHARED = {
    profile: Sandbox(fintrusted_stream_profile=profile)
    for profile in ("op_args", "method_params", "type_channel", "event_channel")
}


@given(profile=st.sampled_from(sorted(SHARED)), message=JSON | st.text(max_size=40))
def test_whatever_comes_in_is_answered_in_json(profile, message):
    peer = Peer(SHARED[profile])
    text = message if isinstance(message, str) else json.dumps(message)
    assert all(isinstance(answer, dict) for answer in peer.ask(text))
    peer.tell(0)


# --- over sockets -------------------------------------------------------------------------------------------------


def joined(served):
    return connect(f"ws://127.0.0.1:{served.port}{PATH}", open_timeout=PATIENCE_SECONDS, proxy=None)


@contextlib.contextmanager
def asked_for(served, *channels):
    with joined(served) as peer:
        peer.send(json.dumps({"op": "subscribe", "args": list(channels)}))
        yield peer


def receive(peer):
    return json.loads(peer.recv(timeout=PATIENCE_SECONDS))


QUICK = ("--fintrusted-stream-seconds", "0.05")


def test_both_exchanges_streams_are_served_on_one_port(serve):
    served = serve(*QUICK, "--stream-seconds", "0.05")
    with (
        asked_for(served, "ticker.BTC/USDT") as one,
        connect(f"ws://127.0.0.1:{served.port}/v1/defi/market", proxy=None) as other,
    ):
        other.send('{"type":"subscribe","topics":["price_candles"]}')
        assert receive(one)["success"] is True
        assert receive(one)["channel"] == "ticker.BTC/USDT"
        assert receive(other)["status"] == "success"
        assert receive(other)["type"] == "price_candles"
    code, _, problems = served.stop()
    assert (code, "Traceback" in problems) == (0, False)


@pytest.mark.parametrize(
    ("packing", "unpack"), [("gzip", gzip.decompress), ("deflate", lambda content: zlib.decompress(content, -15))]
)
def test_packed_frames(serve, packing, unpack):
    served = serve(*QUICK, "--fintrusted-stream-packing", packing)
    with asked_for(served, "ticker.BTC/USDT") as peer:
        frames = [json.loads(unpack(peer.recv(timeout=PATIENCE_SECONDS))) for _ in range(2)]
    assert [frame.get("channel") for frame in frames] == [None, "ticker.BTC/USDT"]


def test_faults_cut_a_connection_or_make_it_silent(serve, trader_at):
    served = serve(*QUICK)
    admin = trader_at(served).admin
    with asked_for(served, "trades.BTC/USDT") as peer:
        receive(peer)
        admin("POST", "/faults", {"kind": "drop_websocket", "path": PATH})
        with pytest.raises(ConnectionClosed):
            while True:
                receive(peer)
    with asked_for(served, "trades.BTC/USDT") as peer:
        receive(peer)
        receive(peer)
        admin("POST", "/faults", {"kind": "silent_websocket", "path": PATH})
        with pytest.raises(TimeoutError):
            while True:
                peer.recv(timeout=1.5)
        peer.send('{"op":"ping"}')
        with pytest.raises(TimeoutError):
            peer.recv(timeout=0.3)


def test_who_owes_pongs_is_hung_up_on(serve):
    served = serve(*QUICK, "--fintrusted-stream-ping-seconds", "0.1")
    with joined(served) as peer, pytest.raises(ConnectionClosed):
        while True:
            receive(peer)


def test_garbage_over_a_socket_harms_nobody(serve):
    served = serve(*QUICK)
    with joined(served) as peer, asked_for(served, "depth.BTC/USDT") as other:
        for message in ("{", b"\x00\xff", "[]"):
            peer.send(message)
            assert receive(peer)["success"] is False
        assert receive(other)["success"] is True
        assert receive(other)["channel"] == "depth.BTC/USDT"
    code, _, problems = served.stop()
    assert (code, "Traceback" in problems) == (0, False)
