"""Prices: what is told of now and of the last day, and that nothing older, finer or larger is pretended. U5, U6, U7."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from tests.client.exchanges.far import COIN, CONVERT, HOME, SPARKLINES, TICKER, no, ok

from tradehook.errors import InvalidInput, NotFound, UnexpectedResponse
from tradehook.run import run
from tradehook.wire import Response

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.fixture
def prices(far):
    return far.exchange(token="").prices


@pytest.mark.parametrize(
    "answer", [ok(TICKER), TICKER, ok([TICKER]), [TICKER], {"code": 200, "data": {"list": [TICKER]}}]
)
@pytest.mark.parametrize("symbol", ["BTC", "btc", "BTC/USDT", "BTC-USDT"])
def test_a_ticker_and_the_days_candle(far, prices, answer, symbol):
    far.answers[COIN] = answer
    ticker = run(prices.ticker(symbol))
    assert (ticker.symbol, ticker.price) == ("BTC", 74000)
    # By the open, as everybody means it; the exchange's own figure may be by the low.
    assert round(ticker.change_percent("24h"), 2) == Decimal("1.37")
    (asked,) = far.asked
    assert asked.params == (("coin", "btc"),)
    assert "Authorization" not in asked.headers


def test_a_ticker_with_a_price_alone(far, prices):
    far.answers[COIN] = ok({"coin": "btc", "price": "74000"})
    ticker = run(prices.ticker("BTC"))
    assert (ticker.price, ticker.candles) == (74000, ())


@pytest.mark.parametrize("answer", [no("nonsupport coin!"), ok(None), ok([]), ok({}), Response(404)])
def test_a_coin_that_is_not_known(far, prices, answer):
    far.answers[COIN] = answer
    with pytest.raises(NotFound, match="no prices of NOSUCH"):
        run(prices.ticker("NOSUCH"))


@pytest.mark.parametrize(
    "answer",
    [ok({"symbol": "ETH/USDT", "close": 1}), ok({"symbol": "BTC/USDT"}), ok([5]), ok({"coin": "btc", "close": "x"})],
)
def test_a_ticker_that_is_not_of_this_coin_or_has_no_price(far, prices, answer):
    far.answers[COIN] = answer
    with pytest.raises(UnexpectedResponse):
        run(prices.ticker("BTC"))


def test_prices_are_in_one_currency_only(far, prices):
    with pytest.raises(InvalidInput) as caught:
        run(prices.ticker("BTC/EUR"))
    assert caught.value.suggestions == ("BTC", "BTC/USDT")
    far.answers[COIN] = ok({"symbol": "BTC/USDC", "close": 5})
    with pytest.raises(NotFound):
        run(prices.ticker("BTC"))
    assert len(far.asked) == 1


def test_all_tickers(far, prices):
    far.answers[HOME] = ok({"recommend": [TICKER], "changeRank": [TICKER, {**TICKER, "symbol": "ETH/USDT"}]})
    assert [one.market for one in run(prices.thumbs())] == ["BTC/USDT", "ETH/USDT"]


def test_a_conversion(far, prices):
    assert run(prices.convert("BTC", "USDT")) == 74000
    assert far.to(CONVERT)[0].params == (("fromUnit", "BTC"), ("toUnit", "USDT"))
    far.answers[CONVERT] = ok(0)
    assert run(prices.convert("BTC", "USDT")) is None


def test_points_without_times_stand_on_the_last_whole_hours(far, prices):
    far.clock.at += 59 * 60
    history = run(prices.history("BTC"))
    assert [(point.at, point.price) for point in history.points] == [
        (NOON - timedelta(hours=2), 73000), (NOON - timedelta(hours=1), 73500), (NOON, 74000),
    ]  # fmt: skip
    assert (history.venue, history.window, history.resolution) == ("cefi", "24h", "1h")
    assert [point.at for point in run(prices.history("BTC", window="1h")).points] == [NOON]
    assert [point.at.hour for point in run(prices.history("BTC", window="2h", resolution="1h")).points] == [11, 12]


def test_points_with_times_stand_where_they_say(far, prices):
    at = int(NOON.timestamp() * 1000)
    far.answers[SPARKLINES] = ok({"BTC": [[at - 600_000, 2], [at - 7_200_000, "1"], [at + 600_000, 9]]})
    history = run(prices.history("BTC"))
    assert [(point.at, point.price) for point in history.points] == [
        (NOON - timedelta(hours=2), 1), (NOON - timedelta(minutes=10), 2),
    ]  # fmt: skip


def test_ranges_and_moments(far, prices):
    found = run(prices.price_range("BTC", window="24h"))
    assert (found.low, found.high, found.low_at, found.high_at) == (73000, 74000, NOON - timedelta(hours=2), NOON)
    assert run(prices.price_at("BTC", NOON - timedelta(minutes=1))).price == 73500
    assert run(prices.price_at("BTC", NOON)).price == 74000
    with pytest.raises(NotFound, match="last 24 hours"):
        run(prices.price_at("BTC", NOON - timedelta(days=2)))
    with pytest.raises(NotFound, match="no prices of ETH"):
        run(prices.price_at("ETH", NOON))
    with pytest.raises(InvalidInput, match="not come yet"):
        run(prices.price_at("BTC", NOON + timedelta(hours=1)))
    with pytest.raises(InvalidInput, match="zone"):
        run(prices.price_at("BTC", NOON.replace(tzinfo=None)))


def test_several_at_once_in_one_request_and_one_that_fails_stops_no_other(far, prices):
    found = run(prices.histories(["BTC", "NOSUCH", "btc"]))
    assert [(one.symbol, len(one.points), bool(one.problem)) for one in found] == [
        ("BTC", 3, False),
        ("NOSUCH", 0, True),
    ]
    assert len(far.to(SPARKLINES)) == 1
    with pytest.raises(NotFound):
        run(prices.history("NOSUCH"))
    far.answers[SPARKLINES] = ok(None)
    with pytest.raises(NotFound):
        run(prices.price_range("BTC"))


@pytest.mark.parametrize("window", ["soon", "7d", "25h", "30m", "0h", "1M", "", "1w", "9" * 50])
def test_windows_that_do_not_exist_here_are_refused_with_those_that_do(far, prices, window):
    with pytest.raises(InvalidInput, match=r"of the last 24 hours\. Write 1h to 24h"):
        run(prices.history("BTC", window=window))
    assert far.asked == []


def test_what_is_not_published_is_refused(far, prices):
    with pytest.raises(InvalidInput, match="point an hour"):
        run(prices.history("BTC", resolution="1m"))
    for attempt in (prices.market_cap("BTC"), prices.market_caps(limit=2)):
        with pytest.raises(InvalidInput, match="no market caps"):
            run(attempt)
    assert far.asked == []
