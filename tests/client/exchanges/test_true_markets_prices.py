"""Market data at True Markets: every path, every way of writing a window, and a stream that closes its gaps."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing, closing, suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradehook import errors
from tradehook.client import AsyncClient, Client
from tradehook.exchanges.true_markets import TrueMarkets, keys, market, parse_market, stream, windows
from tradehook.lines.asynchronous import AsyncLine
from tradehook.lines.blocking import BlockingLine
from tradehook.prices import (
    PriceCandle,
    PriceGap,
    PriceUpdate,
    ReferencePrice,
    SurgingAsset,
    Ticker,
    Topic,
    TrendingAsset,
)
from tradehook.testing import MemoryLine, Said
from tradehook.wire import Response, encode_json
from tradehook_sandbox.true_markets import topics

AT = datetime(2026, 9, 21, 14, 0, tzinfo=UTC)


class SandboxFeed:
    """The sandbox's WebSocket in memory: pushes every two seconds, and does what faults are staged."""

    def __init__(self, sandbox):
        self.sandbox = sandbox
        self.subscription = topics.Subscription()
        self.waiting: list[Said] = []

    def hear(self, text):
        answer = self.subscription.answer(text, now=int(self.sandbox.clock.now()))
        self.waiting.append(Said(encode_json(answer).decode()))

    def say(self):
        if not self.waiting:
            for number, topic in enumerate(self.subscription.topics):
                if self.sandbox.strike_stream(topics.PATH) == "drop_websocket":
                    return Said(None)
                push = topics.push(topic, self.sandbox.market_data(topic), now=int(self.sandbox.clock.now()))
                self.waiting.append(Said(encode_json(push).decode(), 0.0 if number else 2.0))
        return self.waiting.pop(0) if self.waiting else None


@pytest.fixture
def client(world) -> Client:
    line = MemoryLine(world.sandbox.respond, clock=world.sandbox.clock, open_feed=lambda _: SandboxFeed(world.sandbox))
    world.lines.append(line)
    exchange = TrueMarkets(line, signer=keys.parse(json.dumps(world.key).encode(), where="test"))
    return Client(AsyncClient(exchange, desk=lambda: None))


def sent(world):
    return world.lines[-1].sent


# --- the nine paths -----------------------------------------------------------------------------------------------


def test_nothing_is_signed_in_for(client, world):
    client.price("BTC")
    client.market_caps()
    assert [request.headers for request in sent(world)] == [{}, {}]


def test_the_price_is_the_close_of_the_shortest_candle(client):
    ticker = client.price("btc")
    assert ticker.symbol == "BTC"
    assert [candle.interval for candle in ticker.candles] == ["30s", "1h", "4h", "24h"]
    assert ticker.price == ticker.candle("30s").close
    for candle in ticker.candles:
        assert candle.low <= min(candle.open, candle.close) <= max(candle.open, candle.close) <= candle.high
    day = ticker.candle("24h")
    assert ticker.change_percent("24h") == (day.close - day.open) * 100 / day.open
    assert ticker.change_percent("3h") is None
    assert ticker.told_at.tzinfo is UTC


@pytest.mark.parametrize(
    ("written", "path", "spelled"),
    [
        ("btc", "/v1/defi/market/prices/history", "BTC"),
        ("BTC/PYUSD", "/v1/cefi/market/prices/history", "BTC-USD"),
        ("btc-usd", "/v1/cefi/market/prices/history", "BTC-USD"),
        ("BTC|USD", "/v1/cefi/market/prices/history", "BTC-USD"),
        ("BTC/USDC", "/v1/cefi/market/prices/history", "BTC-USD"),
    ],
)
def test_people_write_markets_in_many_ways(client, world, written, path, spelled):
    history = client.price_history(written, window="1h")
    assert (sent(world)[-1].path, sent(world)[-1].params[0]) == (path, ("symbol", spelled))
    assert (history.symbol, history.venue) == ("BTC", "cefi" if "cefi" in path else "defi")


@pytest.mark.parametrize(
    ("window", "resolution", "points"),
    [("5m", "5s", 61), ("1h", "1m", 61), ("24h", "5m", 289), ("7d", "1h", 169), ("3M", "1d", 94), ("365d", "1d", 366)],
)
def test_a_resolution_is_chosen_for_a_few_hundred_points(client, window, resolution, points):
    history = client.price_history("ETH", window=window)
    assert history.resolution == resolution
    assert abs(len(history.points) - points) <= 4
    assert [point.at for point in history.points] == sorted({point.at for point in history.points})
    assert history.low.price <= history.points[0].price <= history.high.price


def test_several_histories_at_once_and_one_that_fails(client, world):
    found = client.price_histories(["BTC", "nosuch", "eth", "BTC"], window="1h")
    assert [(history.symbol, bool(history.points), bool(history.problem)) for history in found] == [
        ("BTC", True, False),
        ("NOSUCH", False, True),
        ("ETH", True, False),
    ]
    assert len(sent(world)) == 1
    assert found[1].change_percent is None


def test_many_symbols_are_asked_for_in_parts(client, world):
    found = client.price_histories([f"COIN{number}" for number in range(120)], window="5m")
    assert len(found) == 120
    assert len(sent(world)) == 3


def test_a_price_in_the_past_says_when_it_is_from(client, world):
    at = datetime.fromtimestamp(world.sandbox.clock.now(), UTC) - timedelta(hours=3, seconds=2)
    point = client.price_at("BTC", at)
    assert timedelta(0) <= at - point.at < timedelta(minutes=1)
    assert point.price > 0
    with pytest.raises(errors.NotFound):
        client.price_at("BTC", at - timedelta(days=4000))
    for wrong in (at.replace(tzinfo=None), at + timedelta(days=1)):
        with pytest.raises(errors.InvalidInput):
            client.price_at("BTC", wrong)


def test_ranges_hold_the_price(client):
    for symbol in ("BTC", "BTC/PYUSD"):
        found = client.price_range(symbol, window="24h")
        assert found.low <= client.price("BTC").price <= found.high
        assert found.low_at.tzinfo is not None
        assert found.low_at != found.high_at


def test_market_caps_come_largest_first(client):
    caps = client.market_caps(limit=3)
    assert len(caps) == 3
    assert [cap.value for cap in caps] == sorted((cap.value for cap in caps), reverse=True)
    assert client.market_cap(caps[0].symbol.lower()) == caps[0]
    for wrong in (0, -1, 10_000):
        with pytest.raises(errors.InvalidInput):
            client.market_caps(limit=wrong)


def test_what_is_not_known_is_named(client):
    with pytest.raises(errors.NotFound, match="NOSUCH"):
        client.price("nosuch")
    with pytest.raises(errors.NotFound, match="SOL-USD"):
        client.price_history("SOL/USD")


@pytest.mark.parametrize("fault", ["error_before", "truncated", "garbled", "rate_limited", "timeout_after"])
def test_reads_are_repeated(client, world, fault):
    world.fault(fault, method="GET", path="/v1/defi/market/prices", delay_seconds=1)
    assert client.price("BTC").price > 0


# --- what is wrong is said before anything is sent ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("window", "resolution", "suggested"),
    [
        ("1month", None, "1M"), ("1 min", None, "1m"), ("2w", None, "14d"), ("1y", None, "365d"), ("5y", None, "365d"),
        ("1D", None, "1d"), ("1m", "1h", "1M"), ("1h", "1d", "1h"), ("1M", "5s", "1h"), ("24h", "1s", "1m"),
        ("", None, "1h"), ("0h", None, "1h"), ("-1h", None, "1h"), ("1.5h", None, "1h"), ("99999d", None, "1h"),
        ("366d", None, "365d"), ("1h&x=1", None, "1h"), ("١h", None, "1h"), ("24h", "fast", "1h"),
    ],
)  # fmt: skip
def test_windows_and_resolutions(client, world, window, resolution, suggested):
    with pytest.raises(errors.InvalidInput) as caught:
        client.price_history("BTC", window=window, resolution=resolution)
    assert suggested in caught.value.suggestions
    assert sent(world) == []


@given(st.text(max_size=12), st.none() | st.text(max_size=6))
def test_any_window_is_checked(window, resolution):
    try:
        checked = windows.check_window(window)
        step = windows.check_resolution(resolution, window=checked)
    except errors.InvalidInput as error:
        assert error.suggestions
        for suggestion in error.suggestions:
            windows.check_window(suggestion)
    else:
        windows.check_resolution(step, window=checked)


@pytest.mark.parametrize("symbol", ["", "BTC/ETH", "B T C", "a/b/c", "BTC&limit=1", "x" * 20, "USD/USD"])
def test_symbols(client, world, symbol):
    with pytest.raises(errors.InvalidInput):
        client.price(symbol)
    assert sent(world) == []


# --- answers ------------------------------------------------------------------------------------------------------

CANDLE = {"interval": "30s", "openPrice": "1", "highPrice": "2", "lowPrice": "0.5", "closePrice": "1.5"}


def test_candles_that_are_missing_are_never_guessed():
    only_day = {"candles": [{**CANDLE, "interval": "24h"}, {**CANDLE, "interval": "soon", "closePrice": "9"}]}
    ticker = parse_market.ticker(only_day, symbol="X", told_at=AT)
    assert (ticker.price, ticker.change_percent("1h")) == (Decimal("1.5"), None)
    for body in ({"candles": []}, {"candles": None}, {}, [], None, {"candles": "x"}, {"candles": [None]},
                 {"candles": [{"interval": "30s"}]}, {"candles": [{**CANDLE, "closePrice": "NaN"}]}):  # fmt: skip
        with pytest.raises(errors.UnexpectedResponse):
            parse_market.ticker(body, symbol="X", told_at=AT)


def test_points_are_sorted_and_each_moment_counts_once():
    rows = [("2026-09-21T14:01:00Z", "2"), ("2026-09-21T14:00:00Z", 1), ("2026-09-21T14:01:00+00:00", "3")]
    body = {"points": [{"t": at, "price": price} for at, price in rows], "asset_id": "new"}
    history = parse_market.history(body, symbol="X", venue="defi", window="1h", resolution="1m")
    assert [(point.at.minute, point.price) for point in history.points] == [(0, Decimal(1)), (1, Decimal(3))]
    assert history.change_percent == 200


@pytest.mark.parametrize("timestamp", [1790000000, "1790000000", "2026-09-21T14:13:20Z"])
def test_times_in_both_forms(timestamp):
    assert parse_market.point({"timestamp": timestamp, "price": "1"}).at == datetime(
        2026, 9, 21, 14, 13, 20, tzinfo=UTC
    )


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["symbol", "candles", "points", "results", "data", "type", "timestamp", "t", "price", "interval", "error", "assets", "market_cap", "sources"]), inner, max_size=5),
        max_leaves=12,
    )
)  # fmt: skip
def test_any_answer_is_read_or_is_a_typed_error(body):
    told = {"symbol": "X", "venue": "defi", "window": "1h", "resolution": "1m"}
    readers = [
        lambda: parse_market.ticker(body, symbol="X", told_at=AT),
        lambda: parse_market.history(body, **told),
        lambda: parse_market.histories(body, symbols=("X",), venue="defi", window="1h", resolution="1m"),
        lambda: parse_market.point(body),
        lambda: parse_market.price_range(body, symbol="X", venue="defi", window="1h"),
        lambda: parse_market.market_caps(body),
        *[
            lambda topic=topic: stream.profile("http://h", topics=list(Topic), symbols=()).read({**body, "type": topic} if isinstance(body, dict) else body)
            for topic in (*Topic, "error", "subscribe", "new")
        ],
    ]  # fmt: skip
    for read in readers:
        with suppress(errors.TradehookError):
            read()


# --- the stream ---------------------------------------------------------------------------------------------------


def take(client, count, *arguments, **options):
    with closing(client.watch_prices(*arguments, **options)) as news:
        return [next(news) for _ in range(count)]


def test_the_stream_begins_with_what_is_read_beside_it(client):
    news = take(client, 12, ["btc"])
    assert [update.is_reread for update in news[:5]] == [True] * 4 + [False]
    assert {update.item.symbol for update in news} == {"BTC"}
    assert {update.item.interval for update in news[:4]} == {update.item.interval for update in news[4:8]}
    times = [update.at for update in news[4:]]
    assert times == sorted(times)


def test_a_lost_stream_is_told_and_its_gap_is_closed(client, world):
    first = take(client, 4, ["BTC", "ETH"])
    assert len({update.item.symbol for update in first}) == 1
    world.fault("drop_websocket", method="GET", path=topics.PATH)
    news = take(client, 20, ["BTC"])
    gap = next(place for place, item in enumerate(news) if isinstance(item, PriceGap))
    assert gap == 4  # the first beat was cut
    assert news[gap].again_in_seconds <= 0.5
    assert [update.is_reread for update in news[gap + 1 : gap + 6]] == [True] * 4 + [False]


def test_a_symbol_nobody_knows_is_said_at_once(client):
    with pytest.raises(errors.NotFound, match="NOSUCH"):
        take(client, 1, ["BTC", "NOSUCH"])


def test_every_topic(client):
    news = take(client, 300, (), topics=list(stream.TOPICS))
    kinds = {Topic.PRICE_CANDLES: PriceCandle, Topic.TRENDING_ASSETS: TrendingAsset,
             Topic.SURGING_ASSETS: SurgingAsset, Topic.REFERENCE_PRICES: ReferencePrice}  # fmt: skip
    assert {update.topic for update in news} == set(kinds)
    assert all(type(update.item) is kinds[update.topic] for update in news)
    reference = next(update.item for update in news if update.topic is Topic.REFERENCE_PRICES)
    assert reference.bid < reference.price < reference.ask
    assert (reference.symbol, reference.quote) in (("BTC", "USD"), ("ETH", "USD"))
    assert json.loads(json.dumps(news[0].to_dict()))["topic"]


def test_reference_prices_are_filtered_by_their_base(client):
    assert {update.item.symbol for update in take(client, 5, ["ETH"], topics=["reference_prices"])} == {"ETH"}


@pytest.mark.parametrize("wanted", [[], ["candles"], ["all", "price_candles"], ["klines"]])
def test_topics_are_checked_first(client, world, wanted):
    with pytest.raises(errors.InvalidInput, match="price_candles"):
        take(client, 1, ["BTC"], topics=wanted)
    assert world.lines[-1].waits == 0


def push(**changed):
    row = {
        "symbol": "BTC",
        "address": "",
        "chain": "",
        "interval": "30s",
        "open": "1",
        "high": "2",
        "low": "1",
        "close": "1.5",
    }
    return {"type": "price_candles", "status": "success", "timestamp": 1790000002, "topics": ["price_candles"], "data": [{**row, **changed}]}  # fmt: skip


def test_messages_of_the_stream():
    read = stream.profile("https://api.example", topics=(Topic.PRICE_CANDLES,), symbols=frozenset({"BTC"})).read
    (update,) = read(push(new_field={"a": 1}))
    assert (update.item.close, update.at.timestamp()) == (Decimal("1.5"), 1790000002)
    assert read(push(symbol="ETH", close=None)) == ()  # what nobody asked for is not even read
    assert read({"type": "subscribe", "status": "success", "topics": ["price_candles"]}) is None
    assert read({**push(), "type": "something_new"}) is None
    with pytest.raises(errors.UnexpectedResponse):
        read(push(close=None))
    with pytest.raises(errors.Rejected, match="invalid topic"):
        read({"type": "error", "status": "error", "message": "invalid topic", "error": "x"})
    with pytest.raises(errors.Rejected):
        read({"type": "subscribe", "status": "error", "message": "too many"})
    with pytest.raises(errors.Unavailable):
        read({"type": "error", "status": "error", "message": "internal"})


def test_the_streams_address_follows_the_hosts():
    assert stream.address("https://api.truemarkets.co") == "wss://api.truemarkets.co/v1/defi/market"
    assert stream.address("http://127.0.0.1:8787") == "ws://127.0.0.1:8787/v1/defi/market"


def test_a_handshake_that_is_blocked_is_a_typed_error():
    refusal = stream.profile("https://h", topics=(Topic.PRICE_CANDLES,), symbols=()).refusal
    assert type(refusal(Response(403, {"content-type": "text/html"}, b"<html>"))) is errors.EdgeBlocked
    assert type(refusal(Response(429, {"retry-after": "3"}))) is errors.RateLimited


def test_a_ticker_follows_its_updates():
    candles = [PriceCandle(symbol="BTC", interval=span, open=Decimal(1), high=Decimal(2), low=Decimal(1), close=Decimal(close)) for span, close in (("24h", 5), ("30s", 3))]  # fmt: skip
    ticker = Ticker.of("BTC", candles, told_at=AT)
    assert ticker.price == 3
    newer = PriceUpdate(topic=Topic.PRICE_CANDLES, item=candles[1].model_copy(update={"close": Decimal(4)}), at=AT)
    assert ticker.after(newer).price == 4
    assert ticker.after(newer).candle("24h") == ticker.candle("24h")
    other = newer.model_copy(update={"item": candles[1].model_copy(update={"symbol": "ETH"})})
    assert ticker.after(other) == ticker
    assert Ticker.of("BTC", [], told_at=AT) is None


def test_a_ticker_stays_with_the_asset_it_heard_first():
    """The same symbol stands on several chains, and the stream tells of each."""
    held = Ticker.of("USDC", [PriceCandle(symbol="USDC", interval="30s", open=Decimal(1), high=Decimal(1), low=Decimal(1), close=Decimal(1))], told_at=AT)  # fmt: skip
    for chain, close in (("base", 2), ("solana", 3), ("base", 4), (None, 5)):
        candle = held.candles[0].model_copy(update={"chain": chain, "address": chain, "close": Decimal(close)})
        held = held.after(PriceUpdate(topic=Topic.PRICE_CANDLES, item=candle, at=AT))
        assert held.price == {2: 2, 3: 2, 4: 4, 5: 5}[close]


# --- over sockets -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def quick_sandbox(start_sandbox):
    return start_sandbox("--rate-limit", "0", "--stream-seconds", "0.05")


def watch_blocking(server, count):
    line = BlockingLine()
    exchange = TrueMarkets(line, signer=keys.load(server.key_file), base_url=server.url)
    client = Client(AsyncClient(exchange, desk=lambda: None))
    try:
        return take(client, count, ["BTC"])
    finally:
        line.close()


def watch_async(server, count):
    async def main():
        line, found = AsyncLine(), []
        exchange = TrueMarkets(line, signer=keys.load(server.key_file), base_url=server.url)
        client = AsyncClient(exchange, desk=lambda: None)
        try:
            async with aclosing(client.watch_prices(["BTC"])) as news:
                async for item in news:
                    found.append(item)
                    if len(found) == count:
                        return found
        finally:
            await line.close()
        return found

    return asyncio.run(main())


@pytest.mark.parametrize("watch", [watch_blocking, watch_async])
def test_the_sandboxs_own_stream(quick_sandbox, watch):
    quick_sandbox.fault("drop_websocket", method="GET", path=topics.PATH)
    news = watch(quick_sandbox, 13)
    assert [isinstance(item, PriceGap) for item in news] == [False] * 4 + [True] + [False] * 8
    assert [item.is_reread for item in news[5:]] == [True] * 4 + [False] * 4


@pytest.mark.parametrize("watch", [watch_blocking, watch_async])
@pytest.mark.parametrize("fault", ["error_before", "edge_html"])
def test_a_handshake_that_is_refused(quick_sandbox, watch, fault):
    quick_sandbox.fault(fault, method="GET", path=topics.PATH)
    if fault == "edge_html":
        with pytest.raises(errors.EdgeBlocked):
            watch(quick_sandbox, 1)
        return
    news = watch(quick_sandbox, 2)
    assert isinstance(news[0], PriceGap)
    assert news[1].is_reread


def test_names_are_data():
    assert market.Named.parse("btc") == ("BTC", "defi")
    assert market.Named.parse("BTC/PYUSD").spelled == "BTC-USD"
