"""Every switch does what it says, turned either way. See: fintrusted-api 11 and 14."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

import pytest

from tradehook_sandbox import FinTrustedRules, Sandbox
from tradehook_sandbox.fintrusted.rules import SWITCHES

ROOT = Path(__file__).parents[3]
COIN = "/market/data/quotations/coin?coin=btc"
HOME = "/market/data/quotations/home"
SPARKLINES = "/market/data/quotations/sparklines"
THUMBS = "/tx/spot/symbol-thumb-v2"
WALLETS = "/uc/asset/spot-wallets"
LOGIN = "/uc/v2/login"
BTC_IN_ETH = "/market/convert/price?fromUnit=BTC&toUnit=ETH"


# --- the switches themselves ---


def test_every_switch_is_tested_and_documented():
    from typer.testing import CliRunner

    from tradehook_sandbox.__main__ import app

    source = "".join(path.read_text() for path in (ROOT / "tests" / "sandbox").rglob("test_*.py"))
    flags = CliRunner().invoke(app, ["serve", "--help"], env={"COLUMNS": "200"}, terminal_width=200).output
    table = (ROOT / "docs" / "reference" / "sandbox.md").read_text()
    for switch in SWITCHES:
        assert f"{switch.name}=" in source or f'"{switch.name}"' in source, f"{switch.name} is not tested"
        flag = f"--fintrusted-{switch.name.replace('_', '-')}"
        assert flag in flags
        default = "off" if switch.default is False else f"`{switch.default}`".replace(".0`", "`")
        assert re.search(rf"^\| `{flag}( [^`]*)?` \| {default} \| ", table, re.MULTILINE), f"{flag} has no row"
        for choice in switch.choices:
            assert str(choice) in table


@pytest.mark.parametrize(
    ("switch", "value"),
    [("envelope", "soap"), ("fee_millionths", -1), ("bare_market", 1), ("auth_code", 200), ("cancel_race", 2)],
)
def test_a_value_that_a_switch_cannot_have_is_refused_by_its_name(switch, value):
    with pytest.raises(ValueError, match=f"^fintrusted_{switch} must be "):
        Sandbox(**{f"fintrusted_{switch}": value})
    with pytest.raises(ValueError, match=f"^fintrusted_{switch} must be "):
        FinTrustedRules(**{switch: value})


def test_a_misspelt_switch_is_refused():
    with pytest.raises(TypeError, match="envelop"):
        Sandbox(fintrusted_envelop="ruoyi")


def test_flags_reach_the_exchange(serve, caller_class):
    flags = ("--fintrusted-envelope", "ruoyi", "--fintrusted-auth-code", "401", "--fintrusted-null-lists")
    served = serve(*flags, "--fintrusted-add-response", "none", "--fintrusted-login-field", "username")
    caller = caller_class(served)
    assert caller.get(WALLETS) == {"code": 401, "msg": "please login"}
    body = caller.post(LOGIN, {"username": "demo@example.com", "password": "demo"})
    caller.token = body["data"]["Authorization"]
    assert caller.add("buy", "0.001", "1000") == {"code": 200, "msg": "success", "data": None}
    assert caller.get(THUMBS + "?keyWord=NOPE")["data"] is None


# --- every answer ---


def test_envelope(new_caller):
    path = "/market/convert/price?fromUnit=BTC&toUnit=NOPE"
    classic, ruoyi = new_caller(envelope="classic"), new_caller(envelope="ruoyi", is_in=False)
    assert (classic.get(COIN)["code"], classic.get(COIN)["message"]) == (0, "success")
    assert classic.get(path) == {"code": 500, "message": "no rate"}
    assert (ruoyi.get(COIN)["code"], ruoyi.get(COIN)["msg"]) == (200, "success")
    assert ruoyi.get(path) == {"code": 500, "msg": "no rate"}


def test_bare_market(new_caller):
    assert list(new_caller(bare_market=False).get(THUMBS)) == ["code", "message", "data"]
    bare = new_caller(bare_market=True)
    assert [row["symbol"] for row in bare.get(THUMBS)] == ["BTC/USDT", "ETH/USDT"]
    assert bare.get(HOME)["code"] == 0, "that one is not meant"


def test_numbers(new_caller):
    def balance(numbers: str) -> tuple[str, ...]:
        body = new_caller(numbers=numbers).send("GET", WALLETS).body.decode()
        return tuple(re.findall(r'"balance":([^,]+),"frozenBalance":([^,]+)', body)[0])

    assert balance("number") == ("100000", "0")
    assert balance("string") == ('"100000"', '"0"')
    assert balance("java") == ("1E+5", "0E-8")
    small = new_caller(numbers="java")
    small.admin("POST", "/fintrusted/deposit", {"coin": "ETH", "add": "0.00000012"})
    assert b'"balance":1.2E-7' in small.send("GET", WALLETS).body
    assert small.wallets()["ETH"][0] == Decimal("0.00000012")


def test_enums(new_caller):
    row = new_caller(enums="name", add_response="order").add("sell", "0.1")["data"]
    assert (row["direction"], row["type"], row["status"]) == ("SELL", "MARKET_PRICE", "TRADING")
    row = new_caller(enums="ordinal", add_response="order").add("sell", "0.1")["data"]
    assert (row["direction"], row["type"], row["status"]) == (1, 1, 0)


def test_page_style(new_caller):
    assert isinstance(new_caller(page_style="list").get(WALLETS)["data"], list)
    page = new_caller(page_style="spring").get(WALLETS)["data"]
    assert (len(page["content"]), page["totalElements"], page["number"], page["last"]) == (3, 3, 1, True)
    page = new_caller(page_style="mybatis").get(THUMBS)["data"]
    assert (len(page["records"]), page["total"], page["current"], page["pages"]) == (2, 2, 1, 1)
    body = new_caller(page_style="rows").get(HOME)
    assert (len(body["rows"]), body["total"], "data" in body) == (2, 2, False)


def test_zero_based_pages(new_caller):
    assert new_caller(page_style="spring", zero_based_pages=True).get(WALLETS)["data"]["number"] == 0
    assert new_caller(page_style="mybatis", zero_based_pages=True).get(WALLETS)["data"]["current"] == 0


def test_null_lists(new_caller):
    path = THUMBS + "?baseSymbol=EUR"
    assert new_caller(null_lists=False).get(path)["data"] == []
    assert new_caller(null_lists=True).get(path)["data"] is None
    assert len(new_caller(null_lists=True).get(THUMBS)["data"]) == 2


def test_gmt8_strings(new_caller):
    assert new_caller(gmt8_strings=False).post("/uc/user-info")["data"]["createTime"] == 1_790_000_000_000
    # 14:13:20 in Greenwich.
    assert new_caller(gmt8_strings=True).post("/uc/user-info")["data"]["createTime"] == "2026-09-21 22:13:20"


def test_http_errors(new_caller):
    for is_http, statuses in ((False, (200, 200)), (True, (401, 400))):
        caller = new_caller(http_errors=is_http)
        refused = caller.send("GET", WALLETS, headers={}), caller.send("POST", "/tx/spot/add")
        assert tuple(response.status for response in refused) == statuses
        assert [response.json()["code"] for response in refused] == [4000, 500]


def test_messages(new_caller):
    assert new_caller(messages="english").add(amount="5", price="70000")["message"] == "insufficient coin:USDT"
    chinese = new_caller(messages="chinese")
    assert chinese.add(amount="5", price="70000")["message"] == "余额不足:USDT"
    assert chinese.cancel("E1")["message"] == "订单不存在"


def test_rate_limit(new_caller):
    caller = new_caller(rate_limit=3, is_in=False)
    assert [caller.send("GET", COIN).status for _ in range(4)] == [200, 200, 200, 429]
    response = caller.send("GET", COIN)
    assert response.json()["code"] == 429
    assert int(response.headers["retry-after"]) == 20
    caller.sandbox.clock.advance(20)
    assert [caller.send("GET", COIN).status for _ in range(2)] == [200, 429], "it fills up evenly"
    assert {new_caller(rate_limit=0).send("GET", COIN).status for _ in range(3)} == {200}


def test_each_token_has_a_budget_of_its_own(new_caller):
    caller = new_caller(rate_limit=2)
    assert [caller.send("GET", WALLETS).status for _ in range(3)] == [200, 200, 429]
    assert caller.send("GET", COIN, headers={}).status == 200


def test_rate_limit_style(new_caller):
    caller = new_caller(rate_limit=1, rate_limit_style="family", is_in=False)
    caller.get(COIN)
    response = caller.send("GET", COIN)
    assert (response.status, response.json()) == (200, {"code": 3005, "message": "request too frequent"})
    assert new_caller(rate_limit=1, rate_limit_style="http").send("GET", WALLETS).status == 200


# --- logging in ---


@pytest.mark.parametrize("field", ["email", "username", "account", "loginName"])
def test_login_field(new_caller, field):
    right = {field: "demo@example.com", "password": "demo"}
    assert new_caller(login_field=field, is_in=False).post(LOGIN, right)["code"] == 0
    other = "account" if field != "account" else "email"
    assert new_caller(login_field=other, is_in=False).post(LOGIN, right)["message"] == "illegal argument"
    assert new_caller(lenient_login=True, is_in=False).post(LOGIN, right)["code"] == 0


def test_lenient_login_is_off(new_caller):
    form = {"username": "demo@example.com", "password": "demo"}
    assert new_caller(lenient_login=False, is_in=False).post(LOGIN, form)["code"] == 500


def test_captcha(new_caller):
    form = {"email": "demo@example.com", "password": "demo"}
    assert new_caller(captcha=True, is_in=False).post(LOGIN, form) == {"code": 500, "message": "captcha required"}
    assert new_caller(captcha=False, is_in=False).post(LOGIN, form)["code"] == 0


def test_token_place(new_caller):
    form = {"email": "demo@example.com", "password": "demo"}

    def answer(place: str):
        caller = new_caller(token_place=place, is_in=False)
        response = caller.send("POST", LOGIN, form)
        return caller, response.json()["data"], response.headers

    for place in ("authorization", "token", "string", "header"):
        caller, data, headers = answer(place)
        token = {
            "authorization": lambda data=data: data["Authorization"],
            "token": lambda data=data: data["token"],
            "string": lambda data=data: data,
            "header": lambda headers=headers: headers["x-auth-token"],
        }[place]()
        caller.token = token
        assert caller.get(WALLETS)["code"] == 0
        assert ("Authorization" in data) is (place == "authorization")
        assert ("x-auth-token" in headers) is (place == "header")


def test_token_header(new_caller):
    for name, right in (("authorization", "Authorization"), ("x-auth-token", "X-Auth-Token")):
        caller = new_caller(token_header=name)
        for header in ("Authorization", "X-Auth-Token"):
            code = caller.get(WALLETS, headers={header: caller.token})["code"]
            assert code == (0 if header == right else 4000)


def test_lenient_bearer(new_caller):
    for is_lenient, code in ((False, 4000), (True, 0)):
        caller = new_caller(lenient_bearer=is_lenient)
        assert caller.get(WALLETS, headers={"Authorization": f"Bearer {caller.token}"})["code"] == code
        assert caller.get(WALLETS)["code"] == 0


@pytest.mark.parametrize("code", [4000, 3000, 3011, 3012, 401])
def test_auth_code(new_caller, code):
    caller = new_caller(auth_code=code, is_in=False)
    assert caller.get(WALLETS) == {"code": code, "message": "please login"}


# --- market data ---


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


# --- spot orders ---


def test_family_enums(new_caller):
    for is_reversed, kinds in ((False, ["limit", "market"]), (True, ["market", "limit"])):
        caller = new_caller(family_enums=is_reversed)
        found = [caller.placed("buy", "1", "1000", type=code) for code in ("0", "1")]
        assert [caller.order(order_id)["type"] for order_id in found] == kinds


def test_market_buy_unit(new_caller):
    by_quote, by_base = (new_caller(market_buy_unit=unit) for unit in ("quote", "base"))
    assert by_quote.order(by_quote.placed("buy", "370"))["amount_unit"] == "quote"
    order_id = by_base.placed("buy", "0.5")
    frozen = by_base.wallets()["USDT"][1]
    assert 37_000 < frozen < 38_000
    by_base.settle()
    order = by_base.order(order_id)
    assert (order["status"], order["traded_amount"], order["amount_unit"]) == ("COMPLETED", "0.5", "base")
    assert by_base.wallets()["USDT"] == (100_000 - Decimal(order["turnover"]), 0)
    assert by_base.add("buy", "5")["message"] == "insufficient coin:USDT"


def test_market_needs_price(new_caller):
    assert new_caller(market_needs_price=False).add("buy", "100", price=None)["code"] == 0
    for needs, code in ((False, 0), (True, 500)):
        caller = new_caller(market_needs_price=needs)
        form = {"symbol": "BTC/USDT", "direction": "0", "type": "1", "amount": "100"}
        assert caller.post("/tx/spot/add", form)["code"] == code
        assert caller.post("/tx/spot/add", {**form, "price": "0"})["code"] == 0


def test_market_leftover(new_caller):
    for leftover, status in (("cancel", "CANCELED"), ("queue", "TRADING")):
        caller = new_caller(market_leftover=leftover)
        caller.depth(0)
        order_id = caller.placed("sell", "0.5")
        caller.settle()
        assert caller.order(order_id)["status"] == status
        assert caller.wallets()["BTC"] == ((1, 0) if status == "CANCELED" else (Decimal("0.5"), Decimal("0.5")))


def test_a_queued_market_order_takes_what_comes(new_caller):
    caller = new_caller(market_leftover="queue")
    caller.depth(0)
    waiting, given_up = caller.placed("sell", "0.5"), caller.placed("buy", "100")
    caller.settle()
    assert caller.order(given_up)["status"] == caller.order(waiting)["status"] == "TRADING", "they never meet"
    caller.cancel(given_up)
    limit = caller.placed("buy", "0.2", "70000")
    caller.settle()
    assert caller.order(given_up)["status"] == "CANCELED"
    assert (caller.order(limit)["status"], caller.order(waiting)["turnover"]) == ("COMPLETED", "14000")
    caller.depth(100)
    assert caller.order(waiting)["status"] == "COMPLETED"


def test_bare_insufficient(new_caller):
    assert new_caller(bare_insufficient=False).add("sell", "2")["message"] == "insufficient coin:BTC"
    assert new_caller(bare_insufficient=True).add("sell", "2")["message"] == "BTC"


def test_add_response(new_caller):
    def data(shape: str):
        caller = new_caller(add_response=shape)
        found = caller.add("buy", "0.001", "70000")["data"]
        return found, caller.admin("GET", "/fintrusted/orders")["data"][0]["order_id"]

    found, order_id = data("id")
    assert found == order_id
    found, order_id = data("object")
    assert found == {"orderId": order_id}
    found, order_id = data("order")
    assert (found["orderId"], found["coinSymbol"], found["baseSymbol"]) == (order_id, "BTC", "USDT")
    assert data("none")[0] is None


@pytest.mark.parametrize(
    ("name", "understood"),
    [
        ("any", {"orderId", "id", "?orderId", "?id"}),
        ("orderId", {"orderId", "?orderId"}),
        ("id", {"id", "?id"}),
        ("order_id", {"order_id", "?order_id"}),
        ("path", {"/"}),
    ],
)
def test_cancel_name(new_caller, name, understood):
    caller = new_caller(cancel_name=name)
    works = set()
    for way in ("orderId", "id", "order_id", "?orderId", "?id", "?order_id", "/"):
        order_id = caller.placed("buy", "0.001", "70000")
        if way == "/":
            body = caller.post(f"/tx/spot/cancel/{order_id}")
        elif way[0] == "?":
            body = caller.post(f"/tx/spot/cancel{way}={order_id}")
        else:
            body = caller.post("/tx/spot/cancel", {way: order_id})
        caller.settle()
        assert (caller.order(order_id)["status"] == "CANCELED") is (body["code"] == 0)
        works |= {way} if body["code"] == 0 else set()
    assert works == understood


def test_cancel_race(new_caller):
    for chance, status in ((0.0, "CANCELED"), (1.0, "COMPLETED")):
        caller = new_caller(cancel_race=chance)
        order_id = caller.placed("buy", "0.001", "70000")
        caller.settle()
        caller.cancel(order_id)
        caller.settle()
        assert caller.order(order_id)["status"] == status
        assert caller.wallets()["USDT"] == ((100_000, 0) if chance == 0 else (99_930, 0))


def test_add_seconds_and_cancel_seconds(new_caller):
    at_once, slow = new_caller(add_seconds=0, cancel_seconds=0), new_caller(add_seconds=10, cancel_seconds=20)
    order_id = at_once.placed("buy", "0.001", "70000")
    assert at_once.order(order_id)["is_resting"]
    at_once.cancel(order_id)
    assert at_once.order(order_id)["status"] == "CANCELED"
    order_id = slow.placed("buy", "0.001", "70000")
    slow.sandbox.clock.advance(9)
    assert not slow.order(order_id)["is_resting"]
    slow.sandbox.clock.advance(1)
    assert slow.order(order_id)["is_resting"]
    slow.cancel(order_id)
    slow.sandbox.clock.advance(19)
    assert slow.order(order_id)["is_canceling"]
    slow.sandbox.clock.advance(1)
    assert slow.order(order_id)["status"] == "CANCELED"


def test_fee_millionths(new_caller):
    for millionths in (0, 1_000, 100_000):
        caller = new_caller(fee_millionths=millionths)
        caller.depth(0)
        caller.placed("sell", "0.1", "74000")
        caller.settle()
        caller.placed("buy", "0.1", "74000")
        caller.settle()
        assert caller.wallets()["USDT"][0] == 100_000 - Decimal(7_400) * millionths / 1_000_000


def test_most_open(new_caller):
    caller = new_caller(most_open=2)
    first = caller.placed("buy", "0.001", "70000")
    caller.placed("buy", "0.001", "70000")
    assert caller.add("buy", "0.001", "70000") == {"code": 500, "message": "too many open orders"}
    assert caller.add("sell", "0.001", "80000")["code"] == 0
    assert caller.add("buy", "0.01", "2000", symbol="ETH/USDT")["code"] == 0
    caller.cancel(first)
    caller.settle()
    assert caller.add("buy", "0.001", "70000")["code"] == 0
    free = new_caller(most_open=0)
    assert {free.add("buy", "0.001", "70000")["code"] for _ in range(5)} == {0}


def test_all_switches_at_once_still_make_an_exchange(new_caller):
    turned = {
        switch.name: switch.choices[-1] if switch.choices else True
        for switch in SWITCHES
        if switch.choices or switch.kind is bool
    }
    caller = new_caller(is_in=False, **{**turned, "captcha": False})
    response = caller.send("POST", LOGIN, {"account": "demo@example.com", "password": "demo"})
    headers = {"X-Auth-Token": f"Bearer {response.headers['x-auth-token']}"}
    form = {"symbol": "BTC/USDT", "direction": "1", "type": "0", "price": "0", "amount": "0.5"}
    assert caller.post("/tx/spot/add", form, headers=headers) == {"code": 200, "msg": "success", "data": None}
    caller.settle()
    assert caller.get(WALLETS, headers=headers)["data"]["BTC"]["available"] == Decimal("0.5")
    assert caller.is_balanced()
