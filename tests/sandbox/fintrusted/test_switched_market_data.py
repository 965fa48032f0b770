"""Every switch of market data and of accounts, turned either way. See: fintrusted-api 5 and 14."""

from __future__ import annotations

from decimal import Decimal

COIN = "/market/data/quotations/coin?coin=btc"
HOME = "/market/data/quotations/home"
SPARKLINES = "/market/data/quotations/sparklines"
THUMBS = "/tx/spot/symbol-thumb-v2"
WALLETS = "/uc/asset/spot-wallets"
BTC_IN_ETH = "/market/convert/price?fromUnit=BTC&toUnit=ETH"


def test_home(new_caller):
    assert [row["symbol"] for row in new_caller(home="list").get(HOME)["data"]] == ["BTC/USDT", "ETH/USDT"]
    groups = new_caller(home="groups").get(HOME)["data"]
    assert {name: [row["symbol"] for row in rows] for name, rows in groups.items()} == {
        "recommend": ["BTC/USDT"],
        "changeRank": ["BTC/USDT", "ETH/USDT"],
    }
    assert new_caller(home="map").get(HOME)["data"]["ETH/USDT"]["symbol"] == "ETH/USDT"


def test_coin(new_caller):
    assert new_caller(coin="object").get(COIN)["data"]["close"] == 74_000
    assert [row["close"] for row in new_caller(coin="list").get(COIN)["data"]] == [74_000]


def test_unknown_coin(new_caller):
    path = "/market/data/quotations/coin?coin=doge"
    assert new_caller(unknown_coin="error").get(path) == {"code": 500, "message": "nonsupport coin!"}
    assert new_caller(unknown_coin="null").get(path) == {"code": 0, "message": "success", "data": None}


def test_ticker_names(new_caller):
    assert new_caller(ticker_names="family").get(COIN)["data"]["close"] == 74_000
    short = new_caller(ticker_names="short").get(COIN)["data"]
    assert (short["coin"], short["last"]) == ("btc", 74_000)
    assert {"openPrice", "high24h", "low24h", "changePercent", "vol", "quoteVolume"} <= set(short)


def test_chg_by_low(new_caller):
    usual, odd = (new_caller(chg_by_low=is_odd) for is_odd in (False, True))
    for caller in (usual, odd):
        caller.price("74000", walk=True)
    for hours in range(0, 48, 5):
        plain, quirky = usual.get(COIN)["data"], odd.get(COIN)["data"]
        change = plain["change"]
        by_low = Decimal(abs(change)) / Decimal(plain["low"])
        assert abs(quirky["chg"]) == by_low.quantize(Decimal("0.0001"), rounding="ROUND_UP"), hours
        assert plain["chg"] == round(Decimal(change) / Decimal(plain["open"]), 4)
        for caller in (usual, odd):
            caller.sandbox.clock.advance(5 * 3_600)
    assert plain["chg"] != quirky["chg"]


def test_sparklines(new_caller):
    callers = {shape: new_caller(sparklines=shape) for shape in ("map", "trend", "pairs")}
    data = {}
    for shape, caller in callers.items():
        caller.price("74000", walk=True)
        data[shape] = caller.get(SPARKLINES)["data"]
    assert list(data["map"]) == ["btc", "eth"]
    assert len(data["map"]["btc"]) == 24
    assert data["map"]["btc"][-1] == 74_000
    assert [row["trend"] for row in data["trend"]] == list(data["map"].values())
    assert [row["symbol"] for row in data["trend"]] == ["BTC/USDT", "ETH/USDT"]
    assert [price for _, price in data["pairs"]["btc"]] == data["map"]["btc"]
    times = [at for at, _ in data["pairs"]["btc"]]
    assert times == sorted(times)
    assert all(at % 3_600_000 == 0 for at in times[:-1])
    assert times[-1] == 1_790_000_000_000
    ticker = callers["map"].get(COIN)["data"]
    assert ticker["low"] <= min(data["map"]["btc"]) <= max(data["map"]["btc"]) <= ticker["high"]


def test_convert(new_caller):
    # Its shapes are golden example G8; here is what they say of two coins.
    caller = new_caller(convert="object")
    caller.admin("POST", "/prices", {"ETH": "3700", "walk": False})
    assert caller.get(BTC_IN_ETH)["data"]["price"] == 20
    assert caller.get("/market/convert/price?fromUnit=ETH&toUnit=BTC")["data"]["price"] == Decimal("0.05")
    assert caller.get("/market/convert/price?fromUnit=USDT&toUnit=USDT")["data"]["price"] == 1


def test_zero_rate_on_missing(new_caller):
    path = "/market/convert/price?fromUnit=DOGE&toUnit=USDT"
    assert new_caller(zero_rate_on_missing=False).get(path) == {"code": 500, "message": "no rate"}
    assert new_caller(zero_rate_on_missing=True).get(path)["data"]["price"] == 0


def test_thumb_needs_token(new_caller):
    assert new_caller(thumb_needs_token=False).get(THUMBS, headers={})["code"] == 0
    strict = new_caller(thumb_needs_token=True)
    assert (strict.get(THUMBS, headers={})["code"], strict.get(THUMBS)["code"]) == (4000, 0)


# --- accounts ---


def test_wallets(new_caller):
    assert [row["coin"]["unit"] for row in new_caller(wallets="list").get(WALLETS)["data"]] == ["USDT", "BTC", "ETH"]
    found = new_caller(wallets="object").get(WALLETS)["data"]
    assert (len(found["list"]), found["totalUsdt"]) == (3, 174_000)
    assert new_caller(wallets="map").get(WALLETS)["data"]["BTC"]["balance"] == 1


def test_wallet_names(new_caller):
    def first(names: str):
        caller = new_caller(wallet_names=names)
        caller.admin("POST", "/fintrusted/members", {"email": "demo@example.com", "locked_coins": ["USDT"]})
        return caller.get(WALLETS)["data"][0]

    assert first("family")["isLock"] == 1
    assert first("words")["isLock"] == "IS_TRUE"
    assert first("short") == {"coin": "USDT", "available": 100_000, "frozen": 0, "total": 100_000, "locked": True}


def test_referral(new_caller):
    assert new_caller(referral="number").post("/uc/referral/count")["data"] == 0
    levels = {"firstLevel": 0, "secondLevel": 0, "thirdLevel": 0}
    assert new_caller(referral="object").post("/uc/referral/count")["data"] == levels
