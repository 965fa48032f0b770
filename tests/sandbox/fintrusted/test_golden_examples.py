"""The reference's ten examples of what goes over the wire, word for word. See: fintrusted-api 7."""

from __future__ import annotations

from decimal import Decimal

ORDER = b"symbol=BTC%2FUSDT&direction=0&type=0&price=70000&amount=0.001"


def test_g1_login(new_caller):
    caller = new_caller(is_in=False)
    body = caller.post("/uc/v2/login", b"email=demo%40example.com&password=demo")
    token = body["data"].pop("Authorization")
    assert body == {"code": 0, "message": "success", "data": {"id": 1001, "username": "demo"}}
    assert token.startswith("eyJ")
    assert token.count(".") == 2


def test_g2_one_ticker(caller):
    caller.price("74000", walk=True)
    body = caller.get("/market/data/quotations/coin?coin=btc", headers={})
    assert {name: body[name] for name in ("code", "message")} == {"code": 0, "message": "success"}
    found = body["data"]
    names = ["symbol", "open", "high", "low", "close", "change", "chg", "volume", "turnover"]
    assert list(found) == names
    assert (found["symbol"], found["close"]) == ("BTC/USDT", 74_000)
    assert found["low"] <= min(found["open"], found["close"])
    assert found["high"] >= max(found["open"], found["close"])
    assert found["change"] == found["close"] - found["open"] != 0
    assert found["chg"] == round(Decimal(found["change"]) / Decimal(found["open"]), 4)


def test_g3_to_g5_a_limit_order_comes_and_goes(caller):
    before = caller.wallets()["USDT"]
    body = caller.post("/tx/spot/add", ORDER)
    order_id = body["data"]
    assert body == {"code": 0, "message": "success", "data": order_id}
    assert order_id[0] == "E"
    assert order_id[1:].isdigit()
    assert caller.wallets()["USDT"] == (before[0] - 70, before[1] + 70)
    caller.settle()
    cancel = f"orderId={order_id}".encode()
    assert caller.post("/tx/spot/cancel", cancel) == {"code": 0, "message": "success", "data": None}
    assert caller.wallets()["USDT"] == (before[0] - 70, before[1] + 70), "it is only asked for yet"
    assert caller.order(order_id)["status"] == "TRADING"
    caller.settle()
    assert caller.wallets()["USDT"] == before
    assert caller.order(order_id)["status"] == "CANCELED"
    again = caller.send("POST", "/tx/spot/cancel", cancel)
    assert (again.status, again.json()) == (
        200,
        {"code": 500, "message": "order state error (completed or canceled)"},
    )


def test_g6_wallets_without_a_token(caller):
    response = caller.send("GET", "/uc/asset/spot-wallets", headers={})
    assert (response.status, response.body) == (200, b'{"code":4000,"message":"please login"}')


def test_g7_wallets(caller):
    caller.post("/tx/spot/add", ORDER)
    body = caller.send("GET", "/uc/asset/spot-wallets").body.decode()
    first = (
        '{"code":0,"message":"success","data":[{"id":1,"memberId":1001,"coin":{"unit":"USDT","name":"USDT"},'
        '"balance":99930,"frozenBalance":70,"isLock":0}'
    )
    assert body.startswith(first)


def test_g8_a_price_for_conversion(new_caller):
    path = "/market/convert/price?fromUnit=BTC&toUnit=USDT"
    answers = {
        "object": b'{"fromUnit":"BTC","toUnit":"USDT","price":74000}',
        "rate": b'{"rate":74000,"sourceCoin":"BTC","targetCoin":"USDT"}',
        "string": b'"74000"',
        "number": b"74000",
    }
    for shape, data in answers.items():
        body = new_caller(convert=shape).send("GET", path, headers={}).body
        assert body == b'{"code":0,"message":"success","data":' + data + b"}"


def test_g9_too_little_money(caller):
    response = caller.send("POST", "/tx/spot/add", ORDER.replace(b"0.001", b"5"))
    assert (response.status, response.json()) == (200, {"code": 500, "message": "insufficient coin:USDT"})


def test_g10_json_is_not_understood(caller):
    body = b'{"symbol":"BTC/USDT","direction":0,"type":0,"price":70000,"amount":0.001}'
    for kind in ("application/json", "application/x-www-form-urlencoded"):
        headers = {"Authorization": caller.token, "Content-Type": kind}
        response = caller.send("POST", "/tx/spot/add", body, headers=headers)
        assert (response.status, response.json()) == (200, {"code": 500, "message": "illegal argument"})
    assert caller.wallets()["USDT"] == (100_000, 0)
