"""Prices for everybody: the same market that the books follow, now and in the past."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from itertools import pairwise

import pytest

from tradehook_sandbox import Sandbox
from tradehook_sandbox.true_markets import market_data
from tradehook_sandbox.true_markets.catalogue import ASSETS

CHAINS = "/v1/defi/market"
BOOKS = "/v1/cefi/market"
SYMBOLS = sorted({asset.symbol for asset in ASSETS})


@pytest.fixture
def asker(trader_class):
    """Somebody without a token, at a market that has been walking for three days."""
    sandbox = Sandbox(rate_limit=0)
    sandbox.clock.advance(3 * 86_400 + 1_234.5)
    sandbox.catch_up()
    yield trader_class(sandbox)
    sandbox.close()


def ask(asker, path, **query):
    """Status and body; no token is sent."""
    response = asker.send("GET", path, query=query, headers={})
    return response.status, response.json()


def good(asker, path, **query):
    status, body = ask(asker, path, **query)
    assert status == 200, body
    return body


def seconds(text):
    assert text.endswith("Z")
    return int(datetime.fromisoformat(text).timestamp())


def prices_of(body):
    return [Decimal(point["price"]) for point in body["points"]]


# --- history ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("window", "resolution", "count", "step"),
    [
        ("1h", "5s", 721, 5),
        ("5m", "5s", 61, 5),
        ("24h", "1m", 1_441, 60),
        ("1d", "1h", 25, 3_600),
        ("7d", "1h", 169, 3_600),
        ("7d", "1d", 8, 86_400),
        ("1M", "1d", 32, 86_400),
        ("3M", "1d", 94, 86_400),
        ("6M", "1d", 187, 86_400),
        ("365d", "1d", 366, 86_400),
        ("5m", "1h", 2, 3_600),
    ],
)
def test_a_history_has_a_point_in_every_bucket_with_both_edges(asker, window, resolution, count, step):
    body = good(asker, f"{CHAINS}/prices/history", symbol="BTC", window=window, resolution=resolution)
    assert (body["symbol"], body["window"], body["resolution"]) == ("BTC", window, resolution)
    moments = [seconds(point["t"]) for point in body["points"]]
    assert count - 1 <= len(moments) <= count, "a window shorter than a bucket touches one or two"
    if window != "5m" or step == 5:
        assert len(moments) == count
    assert moments == list(range(moments[0], moments[-1] + 1, step)), "ascending, none left out"
    assert moments[0] % step == 0, "on the grid"
    assert asker.sandbox.clock.now() - step < moments[-1] <= asker.sandbox.clock.now()
    assert all(set(point) == {"t", "price"} and "T" in point["t"] and "." not in point["t"] for point in body["points"])
    assert all(point["price"] == format(Decimal(point["price"]).normalize(), "f") for point in body["points"])


def test_an_hour_in_five_seconds_is_what_nobody_asked_for_gets(asker):
    body = good(asker, f"{CHAINS}/prices/history", symbol="ETH")
    assert (body["window"], body["resolution"], len(body["points"])) == ("1h", "5s", 721)
    assert body == good(asker, f"{CHAINS}/prices/history", symbol="eth"), "letter case does not matter"


def test_history_is_the_past_of_the_price_that_was_seen(trader_class):
    sandbox = Sandbox(rate_limit=0)
    asker = trader_class(sandbox)
    seen = {}
    for _ in range(40):
        sandbox.clock.advance(5)
        seen[int(sandbox.clock.now())] = Decimal(asker.admin("GET", "/prices")["BTC"])
    body = good(asker, f"{CHAINS}/prices/history", symbol="BTC", window="5m", resolution="5s")
    past = {seconds(point["t"]): Decimal(point["price"]) for point in body["points"]}
    compared = [abs(past[at] - price) for at, price in seen.items() if at in past]
    assert len(compared) == 40
    assert max(compared) <= Decimal("0.1"), "within one tick"
    assert len(set(past.values())) > 5, "it did move"


def test_the_newest_price_is_what_a_quote_says(trader):
    trader.admin("POST", "/prices", {"BTC": "61234.5"})
    trader.sandbox.clock.advance(30)
    candles = good(trader, f"{CHAINS}/prices", symbol="BTC")["candles"]
    assert candles[0]["closePrice"] == "61234.5"
    body = {"base_asset": "BTC", "quote_asset": "PYUSD", "side": "buy", "qty": "0.001", "qty_unit": "base"}
    quoted = Decimal(trader.call("POST", "/quotes", body)[1]["price"])
    assert abs(quoted - Decimal("61234.5")) < 10


def test_a_coins_token_and_its_book_have_its_price(asker):
    query = {"window": "5m", "resolution": "5s"}
    bitcoin = good(asker, f"{CHAINS}/prices/history", symbol="BTC", **query)["points"]
    assert good(asker, f"{CHAINS}/prices/history", symbol="CBBTC", **query)["points"] == bitcoin
    assert good(asker, f"{BOOKS}/prices/history", symbol="BTC-USD", **query)["points"] == bitcoin
    assert {point["price"] for point in good(asker, f"{CHAINS}/prices/history", symbol="USDC")["points"]} == {"1"}


@pytest.mark.parametrize("path", [f"{CHAINS}/prices/history", f"{BOOKS}/prices/history"])
@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"window": "1x"}, "invalid window"),
        ({"window": "h"}, "invalid window"),
        ({"window": "0h"}, "invalid window"),
        ({"window": "-1h"}, "invalid window"),
        ({"window": "1.5h"}, "invalid window"),
        ({"window": "3Y"}, "invalid window"),
        ({"window": "367d"}, "invalid window"),
        ({"window": "1H"}, "invalid window"),
        ({"window": "²h"}, "invalid window"),
        ({"window": "1" * 400 + "s"}, "invalid window"),
        ({"resolution": "5"}, "invalid resolution"),
        ({"resolution": "1 h"}, "invalid resolution"),
        ({"window": "24h", "resolution": "5s"}, "too fine"),
        ({"window": "365d", "resolution": "1m"}, "too fine"),
        ({"symbol": ""}, "symbol is required"),
    ],
)
def test_a_window_that_makes_no_sense_is_400(asker, path, query, words):
    symbol = "BTC" if path.startswith(CHAINS) else "BTC-USD"
    status, body = ask(asker, path, **{"symbol": symbol, **query})
    assert status == 400
    assert words in body["message"]


def test_a_minute_is_not_a_month(asker):
    minute = good(asker, f"{CHAINS}/prices/history", symbol="BTC", window="1m", resolution="5s")["points"]
    month = good(asker, f"{CHAINS}/prices/history", symbol="BTC", window="1M", resolution="1d")["points"]
    assert seconds(minute[-1]["t"]) - seconds(minute[0]["t"]) == 60
    assert seconds(month[-1]["t"]) - seconds(month[0]["t"]) == 31 * 86_400


@pytest.mark.parametrize(
    ("path", "symbol"),
    [
        *((f"{CHAINS}/{path}", "DOGE") for path in ("prices", "prices/history", "prices/range")),
        *((f"{CHAINS}/{path}", "BTC-USD") for path in ("prices", "prices/history", "market-data/market-cap")),
        *((f"{BOOKS}/{path}", "BTC") for path in ("prices/history", "prices/range")),
        (f"{BOOKS}/prices/history", "SOL-USD"),
        (f"{BOOKS}/prices/history", "BTC-PYUSD"),
    ],
)
def test_a_symbol_that_does_not_exist_is_404_in_the_envelope_that_was_seen(asker, path, symbol):
    assert ask(asker, path, symbol=symbol) == (404, {"error": "", "message": "symbol not found", "code": 404})


def test_a_token_is_not_looked_at(asker):
    headers = {"Authorization": "Bearer nonsense"}
    assert asker.send("GET", f"{CHAINS}/prices", query={"symbol": "BTC"}, headers=headers).status == 200
    assert asker.send("POST", f"{CHAINS}/prices", {}, headers={}).status == 405
    assert asker.send("GET", "/v1/conductor/v1/defi/market/prices", headers={}).status == 404


# --- several at once --------------------------------------------------------------------------------------------------


def test_in_a_batch_each_symbol_fails_by_itself(asker):
    body = good(asker, f"{CHAINS}/prices/history/batch", symbols="BTC,doge, sol", window="1h", resolution="1m")
    assert (body["window"], body["resolution"]) == ("1h", "1m")
    bitcoin, unknown, sol = body["results"]
    assert unknown == {"symbol": "DOGE", "error": "symbol not found"}
    for result in (bitcoin, sol):
        query = {"symbol": result["symbol"], "window": "1h", "resolution": "1m"}
        assert result["points"] == good(asker, f"{CHAINS}/prices/history", **query)["points"]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({}, "symbols is required"),
        ({"symbols": ","}, "between 1 and 50"),
        ({"symbols": ",".join(["BTC"] * 51)}, "between 1 and 50"),
        ({"symbols": ",".join(["BTC"] * 50)}, "too fine"),
        ({"symbols": "BTC,ETH,SOL", "window": "4h"}, "too fine"),
        ({"symbols": "BTC", "window": "forever"}, "invalid window"),
    ],
)
def test_a_batch_that_is_too_much_is_400(asker, query, words):
    status, body = ask(asker, f"{CHAINS}/prices/history/batch", **query)
    assert status == 400
    assert words in body["message"]


# --- one moment -------------------------------------------------------------------------------------------------------


def test_a_point_is_the_last_known_at_or_before(asker):
    points = good(asker, f"{CHAINS}/prices/history", symbol="SOL", window="5m", resolution="5s")["points"]
    for point in (points[0], points[30], points[-1]):
        at = seconds(point["t"])
        for asked in (at, at + 3):
            body = good(asker, f"{CHAINS}/prices/history/point", symbol="SOL", timestamp=str(asked))
            if asked <= asker.sandbox.clock.now():
                assert body == {"symbol": "SOL", "timestamp": at, "price": point["price"]}
    future = good(asker, f"{CHAINS}/prices/history/point", symbol="SOL", timestamp="99999999999")
    assert future["timestamp"] == seconds(points[-1]["t"]), "the last one known is the newest"
    status, body = ask(asker, f"{CHAINS}/prices/history/point", symbol="SOL", timestamp="1000000000")
    assert (status, body["message"]) == (404, "no price at or before that time")


@pytest.mark.parametrize("timestamp", ["", "now", "-5", "1.5", "1e9", "²", "9" * 12, "9" * 4_000])
def test_a_moment_that_is_none_is_400(asker, timestamp):
    assert ask(asker, f"{CHAINS}/prices/history/point", symbol="BTC", timestamp=timestamp)[0] == 400


# --- ranges and candles -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("window", "resolution"),
    [("5m", "5s"), ("1h", "5s"), ("4h", "5s"), ("24h", "1m"), ("7d", "5m"), ("1M", "1h"), ("365d", "1d")],
)
def test_no_point_of_a_history_lies_outside_its_range(asker, window, resolution):
    for path, symbol in ((CHAINS, "BTC"), (CHAINS, "SOL"), (BOOKS, "ETH-USD")):
        found = good(asker, f"{path}/prices/range", symbol=symbol, window=window)
        points = good(asker, f"{path}/prices/history", symbol=symbol, window=window, resolution=resolution)
        low, high = Decimal(found["min_price"]), Decimal(found["max_price"])
        assert low <= min(prices_of(points))
        assert high >= max(prices_of(points))
        assert 0 < low < high
        assert (found["symbol"], found["window"]) == (symbol, window)
        assert seconds(points["points"][0]["t"]) <= seconds(found["min_timestamp"]) <= asker.sandbox.clock.now()
        assert seconds(points["points"][0]["t"]) <= seconds(found["max_timestamp"]) <= asker.sandbox.clock.now()


def test_the_moments_of_a_range_are_when_its_prices_were(asker):
    found = good(asker, f"{CHAINS}/prices/range", symbol="BTC")
    for price, moment in (("min_price", "min_timestamp"), ("max_price", "max_timestamp")):
        query = {"symbol": "BTC", "timestamp": str(seconds(found[moment]))}
        point = good(asker, f"{CHAINS}/prices/history/point", **query)
        if point["timestamp"] == seconds(found[moment]):
            assert point["price"] == found[price]


def test_four_candles_end_at_the_price_of_now(asker):
    for symbol in SYMBOLS:
        body = good(asker, f"{CHAINS}/prices", symbol=symbol)
        assert body["symbol"] == symbol
        assert [candle["interval"] for candle in body["candles"]] == ["30s", "1h", "4h", "24h"]
        assert len({candle["closePrice"] for candle in body["candles"]}) == 1
        for candle in body["candles"]:
            assert set(candle) == {"interval", "openPrice", "closePrice", "highPrice", "lowPrice"}
            low, high = Decimal(candle["lowPrice"]), Decimal(candle["highPrice"])
            assert 0 < low <= Decimal(candle["openPrice"]) <= high
            assert low <= Decimal(candle["closePrice"]) <= high
    day = next(one for one in good(asker, f"{CHAINS}/prices", symbol="BTC")["candles"] if one["interval"] == "24h")
    assert Decimal(day["lowPrice"]) < Decimal(day["highPrice"])


# --- market values ----------------------------------------------------------------------------------------------------


def test_a_market_value_is_a_supply_at_the_price_of_now(asker):
    asker.admin("POST", "/prices", {"BTC": "50000", "walk": False})
    before = good(asker, f"{CHAINS}/market-data/market-cap", symbol="BTC")
    assert before["symbol"] == "BTC"
    asker.admin("POST", "/prices", {"BTC": "100000"})
    after = good(asker, f"{CHAINS}/market-data/market-cap", symbol="btc")
    assert int(after["market_cap"]) == 2 * int(before["market_cap"]) > 10**12


def test_all_that_can_be_held_has_a_market_value(asker):
    ranked = good(asker, f"{CHAINS}/market-data/market-caps")["assets"]
    assert sorted(row["symbol"] for row in ranked) == SYMBOLS
    values = [int(row["market_cap"]) for row in ranked]
    assert values == sorted(values, reverse=True)
    for row in ranked:
        assert row == good(asker, f"{CHAINS}/market-data/market-cap", symbol=row["symbol"])
    assert good(asker, f"{CHAINS}/market-data/market-caps", limit="2")["assets"] == ranked[:2]
    assert ask(asker, f"{CHAINS}/market-data/market-caps", limit="0")[0] == 400


# --- what the WebSocket pushes ----------------------------------------------------------------------------------------


def test_pushed_candles_are_those_of_the_prices_endpoint(asker):
    rows = market_data.candles(asker.sandbox.exchange.house)
    assert {(row["symbol"], row["chain"], row["address"]) for row in rows} == {
        (asset.symbol, asset.chain or "", asset.address or "") for asset in ASSETS
    }
    assert len(rows) == 4 * len(ASSETS)
    for row in rows:
        candles = good(asker, f"{CHAINS}/prices", symbol=row["symbol"])["candles"]
        candle = next(candle for candle in candles if candle["interval"] == row["interval"])
        for name in ("open", "high", "low", "close"):
            assert row[name] == candle[f"{name}Price"]


def test_surging_assets_say_how_far_the_price_has_come(asker):
    rows = market_data.surging(asker.sandbox.exchange.house)
    assert {row["symbol"] for row in rows} == {"BTC", "ETH", "SOL", "CBBTC"}
    for row in rows:
        for name in ("1h", "4h", "24h"):
            now, before = Decimal(row["current_price"]), Decimal(row[f"price_{name}_ago"])
            assert abs((now / before - 1) * 100 - Decimal(row[f"price_change_pct_{name}"])) < Decimal("0.001")
    assert any(Decimal(row["price_change_pct_24h"]) for row in rows)


def test_reference_prices_lie_between_bid_and_ask(asker):
    rows = market_data.reference_prices(asker.sandbox.exchange.house)
    assert [row["symbol"] for row in rows] == ["BTC|USD", "ETH|USD"]
    for row in rows:
        assert Decimal(row["bid"]) < Decimal(row["mid_price"]) < Decimal(row["ask"])
        assert row["timestamp"] == int(asker.sandbox.clock.now())
        (source,) = row["sources"]
        assert set(source) == {"source", "bid", "ask", "mid_price", "weight_pct", "timestamp"}


def test_trending_assets_have_positive_numbers_as_text(asker):
    rows = market_data.trending(asker.sandbox.exchange.house)
    assert {row["symbol"] for row in rows} == {"BTC", "ETH", "SOL", "CBBTC"}
    for row in rows:
        assert Decimal(row["trending_ratio"]) > 0
        assert 0 <= int(row["recent_volume"]) <= int(row["historical_volume"])
        assert int(row["market_cap"]) > 0


# --- effort -----------------------------------------------------------------------------------------------------------


def test_no_question_takes_more_than_a_few_thousand_prices(asker, monkeypatch):
    looked = []
    real = market_data.price_at
    monkeypatch.setattr(market_data, "price_at", lambda *given: looked.append(1) or real(*given))
    for window in ("5s", "1h", "4h", "9999s", "25h", "7d", "1M", "365d", "366d"):
        looked.clear()
        good(asker, f"{CHAINS}/prices/range", symbol="BTC", window=window)
        assert 0 < len(looked) <= market_data.MOST_POINTS + 2, window
    looked.clear()
    good(asker, f"{CHAINS}/prices/history", symbol="BTC", window="250m", resolution="5s")
    assert len(looked) == 3_001
    looked.clear()
    assert ask(asker, f"{CHAINS}/prices/history", symbol="BTC", window="251m", resolution="5s")[0] == 400
    assert not looked


def test_a_longer_candle_never_lacks_what_a_shorter_one_has(asker):
    for symbol in ("BTC", "ETH", "SOL"):
        rows = good(asker, f"{CHAINS}/prices", symbol=symbol)["candles"]
        spans = [(Decimal(row["lowPrice"]), Decimal(row["highPrice"])) for row in rows]
        assert len(spans) == 4
        for (low, high), (longer_low, longer_high) in pairwise(spans):
            assert longer_low <= low <= high <= longer_high
