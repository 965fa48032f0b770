"""Shapes that nobody has published, under every name that a relative gives them. U5, U6, U7, U13, U21, U22, U23."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from tradehook.errors import UnexpectedResponse
from tradehook.exchanges.fintrusted import parse
from tradehook.wire import decode_json

HERE = timezone(timedelta(hours=8))
BTC = {"symbol": "BTC/USDT", "close": 74000}


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ([1], [1]),
        (None, []),
        ({}, []),
        ({"content": [1], "totalElements": 1}, [1]),
        ({"records": [1]}, [1]),
        ({"rows": [1], "total": 1}, [1]),
        ({"rows": None, "total": 0}, []),
        ({"data": {"result": {"list": [1]}}}, [1]),
        ({"list": [1], "totalUsdt": "5"}, [1]),
        ({"BTC": {"a": 1}, "ETH": {"a": 2}}, [{"symbol": "BTC", "a": 1}, {"symbol": "ETH", "a": 2}]),
    ],
)
def test_a_list_is_found_wherever_it_stands(content, found):
    assert parse.extract_list(content) == found


@pytest.mark.parametrize("content", [5, "x", {"a": 1}, {"data": {"page": {"result": {"data": {"page": {"x": 1}}}}}}])
def test_what_has_no_list_is_said(content):
    with pytest.raises(UnexpectedResponse):
        parse.extract_list(content)
    with pytest.raises(UnexpectedResponse):
        parse.extract_list([0] * (parse.MOST_ROWS + 1))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("74000", Decimal(74000)),
        ('"74000.10"', Decimal("74000.10")),
        ("0E-8", Decimal(0)),
        ('"1E+2"', Decimal(100)),
        ("1E+2", Decimal(100)),
        ('""', None),
        ("null", None),
    ],
)
def test_numbers_come_as_numbers_or_as_text(text, expected):
    assert parse.number(decode_json(text.encode()), "it") == expected


@pytest.mark.parametrize("value", ["NaN", "Infinity", "1e99", "٣", "x", [], {}, 0.5])
def test_what_is_no_number_is_said(value):
    with pytest.raises(UnexpectedResponse):
        parse.number(value, "it")


def test_times_of_every_kind_and_texts_in_the_users_zone():
    noon = datetime(2026, 11, 21, 12, tzinfo=UTC)
    for value in (1_795_262_400, 1_795_262_400_000, "1795262400000", 1_795_262_400_000_000, "2026-11-21 20:00:00"):
        assert parse.time(value, zone=HERE) == noon
    assert parse.time("2026-11-21 12:00:00", zone=UTC) == noon
    assert parse.time("2026-11-21T12:00:00Z", zone=HERE) == noon
    assert parse.time(None, zone=HERE) is None
    for value in ("soon", -1, 10**30, []):
        with pytest.raises(UnexpectedResponse):
            parse.time(value, zone=HERE)


@pytest.mark.parametrize("symbol", ["BTC/USDT", "btc_usdt", "BTC-USDT", "BTCUSDT", "btc", "BTC"])
@pytest.mark.parametrize("name", ["symbol", "pair", "coin", "coinName", "currency"])
@pytest.mark.parametrize("price", ["close", "last", "lastPrice", "price", "current", "usdtPrice"])
def test_a_ticker_under_every_name(symbol, name, price):
    found = parse.thumb({name: symbol, price: "74000"})
    assert (found.market, found.last, found.open) == ("BTC/USDT", Decimal(74000), None)


def test_a_ticker_is_of_the_coin_that_was_asked_for():
    assert parse.thumb({"close": 5}, of="BTC").base == "BTC"
    assert parse.thumb({"close": 5}) is None
    assert parse.thumb({"symbol": "BTC/USDT", "close": 0}) is None
    with pytest.raises(UnexpectedResponse, match="ETH"):
        parse.thumb({"symbol": "ETH/USDT", "close": 5}, of="BTC")


@pytest.mark.parametrize(
    "content",
    [
        [BTC],
        {"list": [BTC]},
        {"recommend": [BTC], "changeRank": [BTC]},
        {"recommend": [BTC]},
        {"BTC": {"close": 74000}},
        {"BTC/USDT": {"close": 74000}},
        [BTC, {"symbol": "no price"}, None, "x"],
    ],
)
def test_all_tickers_in_every_shape(content):
    assert [(one.market, one.last) for one in parse.thumbs(content)] == [("BTC/USDT", Decimal(74000))]


def test_a_list_of_tickers_without_a_ticker_is_said():
    assert parse.thumbs([]) == []
    with pytest.raises(UnexpectedResponse):
        parse.thumbs([{"name": "x y"}])


@pytest.mark.parametrize(
    "content",
    [
        {"BTC": [1, "2"]},
        {"btc": [1, 2], "ETH": []},
        {"BTC/USDT": [1, 2]},
        [{"symbol": "BTC/USDT", "trend": [1, 2]}],
        {"list": [{"coin": "btc", "sparkline": [1, 2]}]},
        {"BTC": {"prices": [1, 2]}},
    ],
)
def test_sparklines_in_every_shape(content):
    assert [point.price for point in parse.sparklines(content, zone=HERE)["BTC"]] == [1, 2]


def test_sparklines_with_times():
    points = parse.sparklines({"BTC": [[1_795_262_400_000, 1], {"time": 1_795_266_000_000, "price": "2"}]}, zone=HERE)
    assert [(point.at.hour, point.price) for point in points["BTC"]] == [(12, 1), (13, 2)]


@pytest.mark.parametrize("content", [74000, "74000", {"price": 74000}, {"rate": "74000"}, {"data": {"value": 74000}}])
def test_a_conversion_in_every_shape(content):
    assert parse.rate(content) == 74000


@pytest.mark.parametrize("content", [0, "0", "0E-8", {"price": 0}, None, {}])
def test_no_rate_is_written_as_nought(content):
    assert parse.rate(content) is None


@pytest.mark.parametrize(
    "content", [-1, [], True, "x", {"a": 1}, {"price": {"rate": {"value": {"data": {"rate": 1}}}}}]
)
def test_what_is_no_rate_is_said(content):
    with pytest.raises(UnexpectedResponse):
        parse.rate(content)


@pytest.mark.parametrize(
    "row",
    [
        {"coin": {"unit": "USDT"}, "balance": 99930, "frozenBalance": 70},
        {"coin": "usdt", "available": "99930", "frozen": "70"},
        {"unit": "USDT", "free": 99930, "locked": 70, "total": 100000},
        {"currency": "USDT", "usable": 99930, "hold": 70, "balance": 100000},  # here the balance is the whole
        {"asset": "USDT", "totalBalance": 100000, "freeze": 70},
        {"coin": {"name": "USDT"}, "balance": 99930, "frozenBalance": 70, "isLock": 0, "locked": False},
    ],
)
def test_a_wallet_under_every_name(row):
    for content in ([row], {"list": [row], "totalUsdt": 1}, {"USDT": row}):
        (found,) = parse.balances(content)
        assert (found.symbol, found.available, found.held, found.total) == ("USDT", 99930, 70, 100000)


@pytest.mark.parametrize("row", [{}, {"coin": "USDT"}, {"balance": 1}, {"coin": "USDT", "balance": -1}, 5, None])
def test_a_wallet_that_cannot_be_read_is_never_left_out(row):
    with pytest.raises(UnexpectedResponse):
        parse.balances([{"coin": "BTC", "balance": 1}, row])


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("E17", "E17"),
        (17, "17"),
        (9_007_199_254_740_993, "9007199254740993"),
        ({"orderId": "E17", "id": 4}, "E17"),
        ({"id": 4}, "4"),
        ({"orderNo": "E17"}, "E17"),
        (None, None),
        (True, None),
        ("success", None),
        ({}, None),
    ],
)
def test_the_id_of_an_order_in_every_shape(content, expected):
    assert parse.order_id(content) == expected


def test_an_id_that_cannot_be_one_is_said():
    for content in ("../x", {"orderId": "a b 1"}, "1" * 65):
        with pytest.raises(UnexpectedResponse):
            parse.order_id(content)


def test_numbers_for_a_status_mean_something_only_when_the_user_says_so():
    assert parse.status_word(1, numeric=True) == "COMPLETED"
    assert parse.status_word(1, numeric=False) == "1"
    assert parse.status_word({"code": 1, "name": "TRADING"}, numeric=False) == "TRADING"
    assert parse.status_word({"code": 1}, numeric=True) == "COMPLETED"
    assert parse.status_word("new word", numeric=True) == "new word"
    assert parse.status_word(9, numeric=True) == "9"
    assert parse.status_word(None, numeric=True) == "none"


def test_a_member_is_a_number_never_a_person():
    assert parse.member({"id": 1001}) == "1001"
    assert parse.member({"memberId": "m-7"}) == "m-7"
    for content in ({"id": "who@example.com"}, {"id": "somebody"}, {"id": True}, {}, None, [], {"username": "1"}):
        assert parse.member(content) is None
