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
THUMBS = "/tx/spot/symbol-thumb-v2"
WALLETS = "/uc/asset/spot-wallets"
LOGIN = "/uc/v2/login"


# --- the switches themselves ---


def test_every_switch_is_tested_and_documented():
    from typer.testing import CliRunner

    from tradehook_sandbox.__main__ import app

    source = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    flags = CliRunner().invoke(app, ["serve", "--help"], env={"COLUMNS": "200"}, terminal_width=200).output
    table = (ROOT / "docs" / "reference" / "sandbox.md").read_text()
    for switch in SWITCHES:
        flag = f"--fintrusted-{switch.name.replace('_', '-')}"
        ways = (f"{switch.name}=", f'"{switch.name}"', f'"{flag}"')
        assert any(way in source for way in ways), f"{switch.name} is not tested"
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
