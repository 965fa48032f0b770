"""Logging in, tokens and their end, lock-outs, and who may go where. See: fintrusted-api 4."""

from __future__ import annotations

import base64
import json

import pytest

LOGIN = "/uc/v2/login"
GUARDED = [
    ("POST", "/tx/spot/add"),
    ("POST", "/tx/spot/cancel"),
    ("POST", "/tx/uorder/open"),
    ("POST", "/tx/uorder/close"),
    ("GET", "/tx/uorder/list"),
    ("GET", "/uc/asset/spot-wallets"),
    ("GET", "/uc/asset/futures-wallets"),
    ("POST", "/uc/user-info"),
    ("POST", "/uc/referral/count"),
]
OPEN = [
    "/market/data/quotations/home",
    "/market/data/quotations/coin?coin=btc",
    "/market/data/quotations/sparklines",
    "/market/convert/price?fromUnit=BTC&toUnit=USDT",
    "/tx/spot/symbol-thumb-v2",
]


def claims_of(token: str) -> dict:
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def test_a_token_says_who_and_from_where_and_how_long(caller):
    claims = claims_of(caller.token)
    assert claims["iss"] == "tradehook-sandbox"
    assert (claims["memberId"], claims["sub"]) == (1001, "1001")
    assert claims["exp"] - claims["iat"] == 7 * 86_400


@pytest.mark.parametrize(("method", "path"), GUARDED)
def test_what_needs_a_token(caller, method, path):
    refused = {"code": 4000, "message": "please login"}
    forged = caller.token[:-4] + ("AAAA" if not caller.token.endswith("AAAA") else "BBBB")
    for headers in ({}, {"Authorization": ""}, {"Authorization": f"Bearer {caller.token}"}, {"Authorization": forged}):
        response = caller.send(method, path, headers=headers)
        assert (response.status, response.json()) == (200, refused), headers
    assert caller.send(method, path).json() != refused


@pytest.mark.parametrize("path", OPEN)
def test_what_needs_none(caller, path):
    assert caller.get(path, headers={})["code"] == 0
    assert caller.get(path, headers={"Authorization": "nonsense"})["code"] == 0


def test_there_is_nothing_but_what_is_documented(caller):
    for method, path in [("GET", "/tx/spot/list"), ("POST", "/tx/spot"), ("GET", "/uc/"), ("GET", "/market/klines")]:
        response = caller.send(method, path)
        assert (response.status, response.json()["code"]) == (404, 404)
    response = caller.send("GET", "/tx/spot/add")
    assert (response.status, response.json()["code"]) == (405, 405)


def test_a_token_ends(new_caller):
    caller = new_caller(token_seconds=60)
    caller.sandbox.clock.advance(59)
    assert caller.get("/uc/asset/spot-wallets")["code"] == 0
    caller.sandbox.clock.advance(1)
    assert caller.get("/uc/asset/spot-wallets")["code"] == 4000
    assert caller.login().get("/uc/asset/spot-wallets")["code"] == 0


def test_one_session_or_many(new_caller):
    for is_single, code in ((False, 0), (True, 4000)):
        caller = new_caller(single_session=is_single)
        first = caller.token
        caller.login()
        assert caller.get("/uc/asset/spot-wallets")["code"] == 0
        assert caller.get("/uc/asset/spot-wallets", headers={"Authorization": first})["code"] == code


def test_wrong_passwords_lock_an_account_for_a_while(new_caller):
    caller = new_caller(is_in=False)
    wrong, right = ({"email": "demo@example.com", "password": word} for word in ("demo ", "demo"))
    for _ in range(4):
        assert caller.post(LOGIN, wrong) == {"code": 500, "message": "username or password error"}
    assert caller.post(LOGIN, right)["code"] == 0, "which starts the count anew"
    for _ in range(5):
        caller.post(LOGIN, wrong)
    assert caller.post(LOGIN, right) == {"code": 500, "message": "account locked, try again later"}
    caller.sandbox.clock.advance(900)
    assert caller.post(LOGIN, right)["code"] == 0


def test_no_lock_out_when_it_is_switched_off(new_caller):
    caller = new_caller(lockout_failures=0)
    for _ in range(20):
        caller.post(LOGIN, {"email": "demo@example.com", "password": "?"})
    assert caller.post(LOGIN, {"email": "demo@example.com", "password": "demo"})["code"] == 0


def test_an_address_that_may_be_somebodys_real_one_is_warned_about(caller):
    body = caller.post(LOGIN, {"email": "someone@mail.test", "password": "x"})
    assert body["code"] == 500
    assert "never type a real account's password here" in body["message"]
    made_up = caller.post(LOGIN, {"email": "nobody@example.com", "password": "x"})
    assert made_up["message"] == "username or password error"


def test_who_is_logged_in(caller, another):
    assert caller.post("/uc/user-info")["data"]["email"] == "demo@example.com"
    found = another.post("/uc/user-info")["data"]
    assert (found["id"], found["username"], found["email"]) == (1002, "ann", "ann@example.com")
    assert another.wallets()["USDT"] == (100_000, 0)


def test_the_admin_can_end_all_sessions(caller):
    caller.admin("POST", "/fintrusted/members", {"email": "demo@example.com", "log_out": True})
    assert caller.get("/uc/asset/spot-wallets")["code"] == 4000
