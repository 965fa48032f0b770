"""FinTrusted's stream: every way of speaking, many ways of writing, and gaps in which no candle is lost unnoticed."""

from __future__ import annotations

import gc
import json
import random
import tracemalloc
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradehook import errors
from tradehook.exchanges.fintrusted import FinTrusted, parse_stream, stream, stream_frames
from tradehook.exchanges.fintrusted.dialect import Dialect
from tradehook.exchanges.fintrusted.parse_stream import Control, Frame
from tradehook.prices import Depth, Kline, PriceCandle, PriceGap, PriceUpdate, PublicTrade, Topic
from tradehook.run import run, run_each
from tradehook.testing import MemoryLine, Said
from tradehook.wire import Response, encode_json
from tradehook_sandbox import Sandbox
from tradehook_sandbox.clock import MICROS
from tradehook_sandbox.fintrusted import stream_quotes
from tradehook_sandbox.fintrusted.stream_connection import PATH, Connection

ALL = ("price_candles", "klines", "trades", "depth")
AT = datetime(2026, 11, 21, 12, tzinfo=UTC)
BTC = ("BTC", "USDT")


class SandboxFeed:
    """The sandbox's WebSocket in memory: tells twice a second, and is cut where a fault or the test says so."""

    def __init__(self, sandbox, *, cuts=lambda: False):
        self.sandbox = sandbox
        self.connection = Connection(sandbox.fintrusted)
        self.cuts = cuts
        self.heard: list[str] = []
        self.waiting: list[str] = []

    def hear(self, text):
        self.heard.append(text)
        self.waiting += self.sandbox.beside(lambda: self.connection.hear(text))

    def say(self):
        if self.waiting:
            return Said(self.waiting.pop(0))
        if self.cuts() or self.sandbox.strike_stream(PATH) == "drop_websocket":
            return Said(None)
        self.waiting = self.sandbox.beside(self.connection.tell)
        # The next beat is told of when the clock has come there.
        return Said(self.waiting.pop(0) if self.waiting else '{"op":"pong"}', 0.5)


class World:
    """A sandbox and a client of its FinTrusted; every connection is kept."""

    def __init__(self, *, options=None, cuts=lambda: False, **switches):
        self.sandbox = Sandbox(**{f"fintrusted_{name}": value for name, value in switches.items()})
        self.feeds: list[SandboxFeed] = []
        self.cuts = cuts
        self.line = MemoryLine(self.sandbox.respond, clock=self.sandbox.clock, open_feed=self._open)
        self.exchange = FinTrusted(self.line, dialect=Dialect.parse(options or {}))

    def _open(self, _request):
        self.feeds.append(SandboxFeed(self.sandbox, cuts=self.cuts))
        return self.feeds[-1]

    def take(self, count, symbols=("BTC",), **wanted):
        found = []
        news = run_each(self.exchange.prices.watch(symbols, **wanted))
        for one in news:
            found.append(one)
            if len(found) == count:
                break
        news.close()
        return found

    def truth(self, since, until, interval="1m"):
        """Closed candles by the market itself: when each began, and its close."""
        found = stream_quotes.candles(
            self.sandbox.fintrusted.floor, "BTC", interval, now=int(until.timestamp() * MICROS), last=100_000,
            since=int(since.timestamp() * MICROS),
        )  # fmt: skip
        return [
            (datetime.fromtimestamp(one.opened / MICROS, UTC), Decimal(one.close).scaleb(-10))
            for one in found
            if one.ends <= int(until.timestamp() * MICROS)
        ]


def closed(news):
    return [
        (one.item.opened_at, one.item.close)
        for one in news
        if isinstance(one, PriceUpdate) and isinstance(one.item, Kline) and one.item.is_closed
    ]


# --- every way of speaking ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("profile", ["op_args", "method_params", "type_channel", "event_channel"])
@pytest.mark.parametrize("payload", ["object", "text"])
def test_every_profile_tells_the_same(profile, payload):
    world = World(options={"stream_profile": profile}, stream_profile=profile, stream_payload=payload)
    news = world.take(400, topics=ALL)
    assert {one.topic for one in news} == set(ALL)
    assert {type(one.item) for one in news} == {PriceCandle, Kline, PublicTrade, Depth}
    assert all(one.item.symbol == "BTC" for one in news)
    assert not any(isinstance(one, PriceGap) for one in news)


def test_a_profile_that_is_not_the_streams_own_is_refused_in_its_words():
    world = World(options={"stream_profile": "type_channel"})
    with pytest.raises(errors.Rejected, match="op should be"):
        world.take(1, topics=("depth",))


@pytest.mark.parametrize("style", ["slash", "concat", "underscore", "dash", "concat_lower", "underscore_lower"])
def test_every_way_of_writing_a_market(style):
    world = World(options={"stream_symbol_style": style}, stream_symbols=style)
    assert {one.topic for one in world.take(130, topics=("klines", "depth"))} == {"klines", "depth"}


def test_the_wrong_way_of_writing_a_market_is_said():
    world = World(stream_symbols="concat")
    with pytest.raises(errors.Rejected, match="no such channel"):
        world.take(1, topics=("depth",))


@pytest.mark.parametrize("style", ["short", "family", "mon"])
def test_every_way_of_naming_an_interval(style):
    world = World(options={"stream_intervals": style}, stream_intervals=style, stream_candles=2)
    news = world.take(18, topics=("klines",), intervals=stream_frames.INTERVALS)
    assert {one.item.interval for one in news} == set(stream_frames.INTERVALS)


@pytest.mark.parametrize("numbers", ["number", "string", "java"])
@pytest.mark.parametrize("gmt8", [False, True])
def test_numbers_and_times_of_every_kind(numbers, gmt8):
    world = World(numbers=numbers, gmt8_strings=gmt8)
    news = world.take(300, topics=ALL)
    candles = [one.item for one in news if isinstance(one.item, Kline)]
    now = datetime.fromtimestamp(world.sandbox.clock.now(), UTC)
    assert timedelta(0) <= now - candles[-1].opened_at < timedelta(minutes=2)
    assert all(isinstance(one.close, Decimal) for one in candles)


def test_stream_and_requests_agree_about_the_price():
    world = World()
    world.sandbox.exchange.house.market.hold(int(world.sandbox.clock.now() * MICROS), still=True)
    told = next(one.item for one in world.take(2) if not one.is_reread)
    asked = run(world.exchange.prices.ticker("BTC"))
    assert told.close == asked.price
    book = world.take(1, topics=("depth",))[0].item
    assert book.bids[0].price < asked.price < book.asks[0].price


def test_topics_and_intervals_are_checked_first():
    world = World()
    for wanted in ({"topics": ("trending_assets",)}, {"topics": ()}, {"topics": ("klines",), "intervals": ("7m",)}):
        with pytest.raises(errors.InvalidInput):
            world.take(1, **wanted)
    assert world.feeds == []
    assert world.line.sent == []


def test_an_unknown_asset_is_not_found():
    with pytest.raises(errors.NotFound):
        World().take(1, ("DOGE",))


def test_all_assets_without_a_name():
    assert {one.item.symbol for one in World().take(6, ())} == {"BTC", "ETH"}


# --- books --------------------------------------------------------------------------------------------------------


def test_a_book_made_of_changes_is_the_book_told_whole():
    made, whole = World(), World(stream_depth="whole")
    one, other = made.take(60, topics=("depth",)), whole.take(60, topics=("depth",))
    assert [book.item for book in one] == [book.item for book in other]
    assert len({book.item for book in one}) > 50
    assert all(book.item.bids[0].price < book.item.asks[0].price for book in one)


def test_whole_books_called_updates_end_in_advice_or_are_taken_for_what_they_are():
    frame = {"channel": "depth.BTC/USDT", "type": "update"}

    def at(price):
        return {"bids": [[price, 1]], "asks": [[price + 1, 1]]}

    def frames():
        yield {**frame, "type": "snapshot", "data": at(100)}
        yield {**frame, "data": at(200)}

    reader = reader_of("depth")
    for _ in range(2):
        with pytest.raises(errors.Disconnected):
            read_all(reader, frames())
        reader.begin()
    with pytest.raises(errors.ConfigurationError, match="STREAM_DEPTH=replace"):
        read_all(reader, frames())
    books = read_all(reader_of("depth", stream_depth="replace"), frames())
    assert [book.item.bids[0].price for book in books] == [100, 200]


def test_changes_before_the_first_book_say_nothing():
    change = {"channel": "depth.BTC/USDT", "type": "update", "data": {"bids": [[1, 1]], "asks": []}}
    assert read_all(reader_of("depth"), [change]) == []


@pytest.mark.parametrize(
    "content",
    [
        {"bids": [["1", "2"]], "asks": [["3", "4"]]},
        {"bid": [{"price": 1, "amount": 2}], "ask": [{"price": "3", "amount": "4"}]},
        {"buy": [{"p": 1, "q": 2}], "sell": [{"p": 3, "q": 4}]},
        {"bid": {"items": [{"price": 1, "amount": 2}]}, "ask": {"items": [{"price": 3, "amount": 4}]}},
        {"b": [[1, 2, 9]], "a": [[3, 4], [5, 0]]},
    ],
)
def test_every_way_of_writing_a_book(content):
    (book,) = read_all(reader_of("depth"), [{"channel": "depth.BTC/USDT", "data": content}])
    assert [(one.price, one.quantity) for one in (*book.item.bids, *book.item.asks)] == [(1, 2), (3, 4)]


@pytest.mark.parametrize(
    "level", [["NaN", 1], [1, "NaN"], [True, 1], [None, 1], [1], [], "x", 7, None, {"price": 1}, ["1e40", 1], [1, -1],
              [0, 1], ["Infinity", 1], [[1], 1]],
)  # fmt: skip
def test_a_level_that_cannot_be_is_not_taken(level):
    with pytest.raises(errors.UnexpectedResponse):
        reader_of("depth").read({"channel": "depth.BTC/USDT", "data": {"bids": [[1, 1], level], "asks": []}})


def test_one_sided_plates_make_a_book_together():
    sides = [
        {"channel": "depth.BTC/USDT", "data": {"direction": side, "items": [{"price": price, "amount": 1}]}}
        for side, price in (("BUY", 1), ("SELL", 3), ("BUY", 2))
    ]
    last = read_all(reader_of("depth"), sides)[-1].item
    assert (last.bids[0].price, last.asks[0].price) == (2, 3)


# --- frames -------------------------------------------------------------------------------------------------------


def reader_of(kind, *, interval="1m", on_unknown=None, **options):
    topic = {"depth": Topic.DEPTH, "trades": Topic.TRADES, "ticker": Topic.PRICE_CANDLES, "kline": Topic.KLINES}[kind]
    dialect = Dialect.parse(options)
    channels = stream_frames.wanted([BTC], [topic], [interval], dialect)
    return stream.Reader(channels, dialect, now=lambda: AT, on_unknown=on_unknown)


def read_all(reader, frames):
    return [one for frame in frames for one in reader.read(frame) or ()]


PLATE = {"bids": [[1, 2]], "asks": [[3, 4]]}


@pytest.mark.parametrize(
    "frame",
    [
        {"channel": "depth.BTC/USDT", "data": PLATE},
        {"topic": "depth.BTC/USDT", "content": PLATE},
        {"stream": "depth.BTC/USDT", "tick": PLATE},
        {"ch": "depth.BTC/USDT", "payload": PLATE},
        {"arg": {"channel": "depth.BTC/USDT"}, "body": PLATE},
        {"destination": "DEPTH.btc/usdt", **PLATE},
        {"channel": "depth.BTC/USDT", "data": json.dumps(PLATE)},
        {"type": "quote-event", "channel": "depth.BTC/USDT", "content": {"dataType": "Snapshot", "data": PLATE}},
        {"type": "quote-event", "channel": "depth.BTC/USDT", "content": {"dataType": "Changed", **PLATE}, "x": 1},
    ],
)
def test_content_is_found_wherever_it_stands(frame):
    reader = reader_of("depth", stream_depth="replace")
    (book,) = read_all(reader, [frame])
    assert (book.item.bids[0].price, book.item.asks[0].quantity) == (1, 4)
    assert reader.unknown == 0


@pytest.mark.parametrize(
    "frame", [{}, [], 7, "x", None, {"channel": "depth.ETH/USDT", "data": PLATE}, {"data": PLATE}, {"op": "whisper"},
              {"channel": "depth.BTC/USDT", "data": "{"}, {"channel": 7, "data": PLATE}],
)  # fmt: skip
def test_unknown_frames_are_counted_and_shown_and_end_nothing(frame):
    seen = []
    reader = reader_of("depth", on_unknown=seen.append)
    assert reader.read(frame) is None
    assert (reader.unknown, seen) == (1, [frame])


@pytest.mark.parametrize(
    "frame",
    [
        {"op": "subscribe", "success": True, "args": ["depth.BTC/USDT"], "id": "1"},
        {"result": None, "id": 1},
        {"type": "subscribed", "channel": "depth.BTC/USDT"},
        {"event": "welcome"},
        {"op": "pong", "ts": 1},
        {"ping": 7},
    ],
)
def test_frames_about_the_stream_say_nothing(frame):
    reader = reader_of("depth")
    assert reader.read(frame) is None
    assert reader.unknown == 0


@pytest.mark.parametrize(
    ("frame", "kind"),
    [
        ({"op": "subscribe", "success": False, "code": 404, "message": "no such channel"}, errors.Rejected),
        ({"error": {"code": 404, "msg": "no such channel"}, "id": 1}, errors.Rejected),
        ({"type": "error", "content": {"code": 400, "msg": "no such channel"}}, errors.Rejected),
        ({"event": "error", "code": "503", "message": "no such channel"}, errors.Unavailable),
        ({"op": "subscribe", "success": False, "code": 429, "message": "no such channel"}, errors.Unavailable),
    ],
)
def test_refusals_are_told_in_the_exchanges_words(frame, kind):
    with pytest.raises(kind, match="no such channel"):
        reader_of("depth").read(frame)


@pytest.mark.parametrize(
    ("profile", "ping", "pong"),
    [
        ("op_args", {"op": "ping", "ts": 5}, {"op": "pong", "ts": 5}),
        ("type_channel", {"type": "ping", "time": "5"}, {"type": "pong", "time": "5"}),
        ("event_channel", {"event": "ping", "ts": 5}, {"event": "pong", "ts": 5}),
        ("method_params", {"ping": 5}, {"pong": 5}),
        ("op_args", {"ping": 5}, {"pong": 5}),
        ("op_args", {"ping": {"a": 1}}, {"pong": None}),
    ],
)
def test_pings_are_answered_in_the_same_words(profile, ping, pong):
    assert json.loads(stream_frames.answer(ping, stream_frames.SPEECHES[profile])) == pong


@pytest.mark.parametrize("profile", stream_frames.SPEECHES)
def test_a_stream_that_wants_pongs_gets_them(profile):
    world = World(options={"stream_profile": profile}, stream_profile=profile, stream_ping_seconds=5.0)
    news = world.take(300, topics=("depth",))
    assert not any(isinstance(one, PriceGap) for one in news)
    assert len(world.feeds) == 1
    assert not world.feeds[0].connection.is_overdue
    assert sum("pong" in text for text in world.feeds[0].heard) > 20


def test_silence_ends_a_connection_and_heartbeats_are_said_before():
    world = World()
    mute = SilentFeed()
    world.line.open_feed = lambda _: mute
    news = run_each(world.exchange.prices.watch(("BTC",), topics=("depth",)))
    began = world.sandbox.clock.now()
    assert isinstance(next(news), PriceGap)
    assert 60 <= world.sandbox.clock.now() - began < 70
    assert mute.heard[1:] == ['{"op":"ping"}'] * 2
    news.close()


class SilentFeed:
    def __init__(self):
        self.heard = []

    def hear(self, text):
        self.heard.append(text)

    def say(self):
        return None


# --- numbers ------------------------------------------------------------------------------------------------------


def numbered(*numbers, kind="update"):
    return [{"channel": "trades.BTC/USDT", "type": kind, "seq": number, "data": []} for number in numbers]


def test_a_number_left_out_is_a_loss_once_numbers_are_known_to_follow_each_other():
    reader = reader_of("trades")
    read_all(reader, numbered(*range(1, 11)))
    with pytest.raises(errors.Disconnected, match="left out 2 messages"):
        read_all(reader, numbered(13))
    reader.begin()
    read_all(reader, numbered(1, kind="snapshot"))


def test_numbers_that_count_something_else_are_no_loss():
    assert read_all(reader_of("trades"), numbered(5, 9, 17, 40, 41, 90)) == []


def test_numbers_can_be_ignored():
    assert read_all(reader_of("trades", stream_seq="ignore"), numbered(*range(1, 11), 20)) == []


def test_a_number_that_was_heard_already_says_nothing_new():
    trade = {"price": 1, "amount": 1, "time": 1_700_000_000_000}
    reader = reader_of("trades")
    read_all(reader, numbered(*range(1, 11)))
    again = {"channel": "trades.BTC/USDT", "type": "update", "seq": 10, "data": [trade]}
    assert read_all(reader, [again]) == []
    assert len(read_all(reader, [{**again, "seq": 11}])) == 1


# --- trades and tickers -------------------------------------------------------------------------------------------


def test_trades_are_told_once_each_over_a_loss():
    rng = random.Random(3)
    world = World(cuts=lambda: rng.random() < 0.05)
    news = [one for one in world.take(800, topics=("trades",)) if isinstance(one, PriceUpdate)]
    assert len(world.feeds) > 5
    told = [one.item for one in news]
    floor = world.sandbox.fintrusted.floor
    first, last = (floor.market.step_at(int(one.at.timestamp() * MICROS)) for one in (told[0], told[-1]))
    true = [
        (
            datetime.fromtimestamp(trade.at / MICROS, UTC),
            Decimal(trade.price).scaleb(-10),
            Decimal(trade.amount).scaleb(-8),
        )
        for step in range(first, last + 1)
        for trade in stream_quotes.trades_of(floor, "BTC", step)
    ]
    assert [(one.at, one.price, one.quantity) for one in told] == true[: len(told)]


@pytest.mark.parametrize(
    ("row", "side"),
    [
        ({"price": "1.5", "amount": "2", "direction": "BUY", "time": 1_700_000_000_000}, "buy"),
        ({"p": 1.5, "q": 2, "side": "Sell", "T": 1_700_000_000}, "sell"),
        ({"price": Decimal("1.5"), "size": 2, "direction": {"name": "SELL", "code": 1}, "ts": "1700000000000"}, "sell"),
        ({"price": 1.5, "qty": 2, "direction": 1, "time": "2023-11-15 06:13:20"}, None),
    ],
)
def test_every_way_of_writing_a_trade(row, side):
    row = json.loads(json.dumps(row, default=str), parse_float=Decimal)
    (trade,) = read_all(reader_of("trades"), [{"channel": "trades.BTC/USDT", "data": row}])
    assert (trade.item.price, trade.item.quantity, trade.item.side) == (Decimal("1.5"), 2, side)
    assert trade.item.at == datetime.fromtimestamp(1_700_000_000, UTC)


def test_a_ticker_without_its_day_is_the_last_price_alone():
    (one,) = read_all(reader_of("ticker"), [{"channel": "ticker.BTC/USDT", "data": {"last": "74000"}}])
    assert (one.item.interval, one.item.close) == ("0s", 74000)


# --- candles ------------------------------------------------------------------------------------------------------


def bar(minute, *, closed=None, close=10):
    row = {"time": 1_700_000_040_000 + minute * 60_000, "open": 10, "high": 12, "low": 9, "close": close}
    return row if closed is None else {**row, "closed": closed}


def kline(data, kind="update"):
    return {"channel": "kline.BTC/USDT.1m", "type": kind, "data": data}


def test_a_candle_is_closed_when_the_next_begins_where_the_stream_does_not_say_so():
    news = read_all(reader_of("kline"), [kline(bar(0)), kline(bar(0, close=11)), kline(bar(1)), kline(bar(2))])
    assert [close for _, close in closed(news)] == [11, 10]


def test_where_the_stream_says_when_a_candle_is_closed_nothing_is_concluded():
    news = read_all(reader_of("kline"), [kline(bar(0, closed=False)), kline(bar(1, closed=False))])
    assert closed(news) == []


def test_candles_that_stay_missing_are_told_once():
    reader = reader_of("kline")
    news = read_all(
        reader, [kline(bar(0, closed=True)), kline(bar(4, closed=False)), kline(bar(4, closed=True)), kline(bar(5))]
    )
    gaps = [one for one in news if isinstance(one, PriceGap)]
    assert len(gaps) == 1
    assert gaps[0].reason.startswith("3 1m candles of BTC/USDT before 2023-11-14 22:18 UTC are missing")


@pytest.mark.parametrize("choice", ["snapshot", "tell"])
def test_missed_candles_come_from_the_first_frame_of_a_subscription_or_are_told(choice):
    reader = reader_of("kline", stream_candle_gap=choice)
    read_all(reader, [kline([bar(-1, closed=True), bar(0, closed=False)], "snapshot"), kline(bar(0, closed=True))])
    reader.begin()
    rest = [kline([bar(number, closed=number < 4) for number in range(5)], "snapshot"), kline(bar(4, closed=True))]
    news = read_all(reader, rest)
    gaps = [one for one in news if isinstance(one, PriceGap)]
    if choice == "snapshot":
        assert len(closed(news)) == 4
        assert [one.is_reread for one in news] == [True] * 4 + [False]
        assert gaps == []
    else:
        assert len(closed(news)) == 1
        assert [one.reason[:9] for one in gaps] == ["3 1m cand"]


@pytest.mark.parametrize(
    "row",
    [
        [1_700_000_040_000, 10, 12, 9, 11, 5],
        ["1700000040", "10", "12", "9", "11"],
        {"time": 1_700_000_040_000, "openPrice": 10, "highestPrice": 12, "lowestPrice": 9, "closePrice": 11},
        {"t": 1_700_000_040, "o": "10", "h": "12", "l": "9", "c": "11", "v": "5"},
    ],
)
def test_every_way_of_writing_a_candle(row):
    (one,) = read_all(reader_of("kline"), [kline(row)])
    assert (one.item.open, one.item.high, one.item.low, one.item.close) == (10, 12, 9, 11)
    assert one.item.opened_at == datetime.fromtimestamp(1_700_000_040, UTC)


@pytest.mark.parametrize("row", [[1, 2], {"time": 1}, bar(0, close=13), bar(0, close=8), bar(0, close=0)])
def test_a_candle_that_cannot_be_is_not_taken(row):
    with pytest.raises(errors.UnexpectedResponse):
        reader_of("kline").read(kline(row))


def watched_with_losses(*, losses, seconds, seed, topics=("klines",)):
    """Listens through so many losses over so long; checks every candle against the market. Returns the world."""
    rng = random.Random(seed)
    world = World(stream_candles=60)
    start, ends = world.sandbox.clock.now(), []
    opened = world.line.open_feed

    def open_late(request):
        # Now and then nobody is there for minutes: a gap of several candles.
        if world.feeds and rng.random() < 0.2:
            world.sandbox.clock.advance(rng.uniform(0, 200))
        ends.append(world.sandbox.clock.now() + rng.uniform(0, 2 * seconds / losses))
        world.feeds[:-1] = [None] * len(world.feeds[:-1])  # What is measured is the client.
        return opened(request)

    world.line.open_feed = open_late
    world.cuts = lambda: len(ends) <= losses and world.sandbox.clock.now() >= ends[-1]
    told, sizes, since = [], [], None
    news = run_each(world.exchange.prices.watch(("BTC",), topics=topics))
    for number, one in enumerate(news):
        if number % 2_000 == 0 and tracemalloc.is_tracing():
            gc.collect()
            sizes.append(tracemalloc.get_traced_memory()[0])
        if isinstance(one, PriceGap):
            assert "missing" not in one.reason
        elif isinstance(one.item, Kline) and one.item.is_closed:
            since = since or one.item.opened_at
            told.append((one.item.opened_at, one.item.close))
            if len(ends) > losses and world.sandbox.clock.now() - start > seconds:
                break
    news.close()
    assert len(world.feeds) == losses + 1
    assert told == world.truth(since, told[-1][0] + timedelta(minutes=1))
    return world, sizes, told


def test_no_candle_is_missing_after_twenty_losses():
    _, _, told = watched_with_losses(losses=20, seconds=1_200, seed=1)
    assert len(told) >= 60 + 20 - 1


@pytest.mark.prove
def test_no_candle_is_missing_after_an_hour_with_two_hundred_losses_and_memory_is_flat():
    tracemalloc.start()
    try:
        world, sizes, told = watched_with_losses(
            losses=200, seconds=3_600, seed=2, topics=("klines", "depth", "trades")
        )
    finally:
        tracemalloc.stop()
    # The far side is in this process, too, and keeps closed candles: a few hundred bytes a minute.
    settled = sizes[len(sizes) // 3 :]
    print(f"{len(world.feeds)} connections, {len(told)} candles, {settled[0]:,} to {settled[-1]:,} bytes")
    assert settled[-1] - settled[0] < 500_000


# --- whatever comes in --------------------------------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.decimals(allow_nan=False) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(
        st.sampled_from(["data", "type", "op", "seq", "ts", "time", "bids", "asks", "price", "amount", "open", "error",
                         "high", "low", "close", "direction", "content", "items", "ping", "code", "event", "id"]),
        inner, max_size=6,
    ),
    max_leaves=25,
)  # fmt: skip


@given(kind=st.sampled_from(["depth", "trades", "ticker", "kline"]), content=JSON, frame=JSON)
def test_whatever_comes_in_is_news_unknown_or_an_error_of_ours(kind, content, frame):
    name = f"{kind}.BTC/USDT" + (".1m" if kind == "kline" else "")
    reader = reader_of(kind)
    for message in (
        frame,
        {"channel": name, "data": content},
        {**(frame if isinstance(frame, dict) else {}), "ch": name},
    ):
        try:
            news = reader.read(message)
        except (errors.TradehookError, ValueError, TypeError, LookupError, ArithmeticError):
            continue  # `listening.py` makes an `UnexpectedResponse` of the last four, and comes back.
        for one in news or ():
            assert one.to_dict()


# --- addresses and handshakes -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("base", "options", "url"),
    [
        ("http://127.0.0.1:8787", {}, "ws://127.0.0.1:8787/ws"),
        ("https://fintrusted.com", {}, "wss://stream.fintrusted.com"),
        ("https://api.fintrusted.com", {}, "wss://stream.fintrusted.com"),
        ("https://example.org", {}, "wss://example.org/ws"),
        ("https://fintrusted.com", {"stream_url": "wss://fintrusted.com/x"}, "wss://fintrusted.com/x"),
    ],
)
def test_where_the_stream_is(base, options, url):
    assert stream_frames.address(base, Dialect.parse(options)) == url


def test_prices_of_real_money_do_not_come_in_clear_text():
    with pytest.raises(errors.ConfigurationError, match="wss://"):
        stream_frames.address("https://fintrusted.com", Dialect.parse({"stream_url": "ws://fintrusted.com"}))


@pytest.mark.parametrize(
    ("response", "kind"),
    [
        (Response(404), errors.Rejected),
        (Response(401), errors.Unauthorized),
        (Response(403), errors.Forbidden),
        (Response(403, {"content-type": "text/html"}), errors.EdgeBlocked),
        (Response(429), errors.RateLimited),
        (Response(502), errors.Unavailable),
        (Response(302), errors.Rejected),
    ],
)
def test_a_handshake_that_is_answered_otherwise(response, kind):
    world = World()
    world.line.open_feed = lambda _: response
    with pytest.raises(kind):
        world.take(20, topics=("depth",))


def test_many_channels_are_asked_for_in_several_frames():
    dialect = Dialect.parse({})
    markets = [(f"C{number}", "USDT") for number in range(120)]
    channels = stream_frames.wanted(markets, [Topic.DEPTH], ["1m"], dialect)
    frames = [json.loads(text) for text in stream_frames.subscriptions(channels, stream_frames.SPEECHES["op_args"])]
    assert [(len(frame["args"]), frame["id"]) for frame in frames] == [(50, "1"), (50, "2"), (20, "3")]


def test_a_frame_is_read_as_what_it_is():
    assert isinstance(parse_stream.read_frame({"op": "pong"}), Control)
    frame = parse_stream.read_frame({"channel": "ticker.BTC/USDT", "type": "snapshot", "seq": 1, "ts": 2, "data": {}})
    assert frame == Frame("ticker.BTC/USDT", "snapshot", 1, 2, {})
    assert encode_json({"a": 1})
