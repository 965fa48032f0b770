"""Requests that are signed with an API key. Signed here by hand, never by the client. See: fintrusted-api 10."""

from __future__ import annotations

import hashlib
import hmac

import pytest

ORDER = "symbol=BTC%2FUSDT&direction=0&type=0&price=70000&amount=0.001"
WALLETS = "/uc/asset/spot-wallets"
VECTORS = [
    (
        "symbol=BTC%2FUSDT&direction=0&type=0&price=74000&amount=0.001&recvWindow=5000&timestamp=1700000000000",
        "d54540cb568367c49656ed017a6a3304019a66b6ca43da56ada61068bb29482a",
    ),
    ("recvWindow=5000&timestamp=1700000000000", "fe8702416829a442d2a62e25ad3e3b0e99db7db5793c385c7c1f1ee802801c87"),
    (
        "1700000000000POST/tx/spot/addsymbol=BTC%2FUSDT&direction=0&type=0&price=74000&amount=0.001",
        "4689e85dd8bc2e0f98978a67be3abcaa125127af7eb7a4657d0319cb16aa5c6e",
    ),
]


def sign(secret: str, text: str) -> str:
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


class Signing:
    """A program with a key."""

    def __init__(self, caller, **content) -> None:
        self.caller = caller
        self.key = caller.admin("POST", "/fintrusted/keys", content)

    def now(self) -> int:
        return round(self.caller.sandbox.clock.now() * 1_000)

    def get(self, path: str, *, at: int | None = None, secret: str = "", window: int = 5_000):
        text = f"recvWindow={window}&timestamp={self.now() if at is None else at}"
        path += f"?{text}&signature={sign(secret or self.key['secret'], text)}"
        return self.caller.get(path, headers={"X-API-KEY": self.key["key"]})

    def post(self, path: str, form: str, *, signed: str | None = None):
        added = f"&recvWindow=5000&timestamp={self.now()}"
        signature = sign(self.key["secret"], (signed or form) + added)
        return self.caller.post(path, f"{form}{added}&signature={signature}".encode(), headers=self.headers())

    def headers(self, **more: str) -> dict[str, str]:
        return {"X-API-KEY": self.key["key"], **more}


def test_the_way_of_signing_is_that_of_the_reference():
    for text, signature in VECTORS:
        assert sign("testsecret-0123456789abcdef", text) == signature


def test_a_signed_request_needs_no_token(caller):
    one = Signing(caller)
    assert one.get(WALLETS)["data"][0]["balance"] == 100_000
    assert one.post("/tx/spot/add", ORDER)["code"] == 0
    assert caller.wallets()["USDT"] == (99_930, 70)


def test_what_is_wrong_with_a_signed_request(caller):
    one = Signing(caller)
    assert one.get(WALLETS, secret="another")["code"] == 3002
    assert one.post("/tx/spot/add", ORDER, signed=ORDER.replace("70000", "7"))["code"] == 3002
    assert caller.get(WALLETS, headers={"X-API-KEY": "nobody"})["code"] == 3001
    assert caller.get(WALLETS, headers=one.headers())["code"] == 3003
    assert caller.wallets()["USDT"] == (100_000, 0)


@pytest.mark.parametrize(
    ("late_ms", "window", "code"),
    [(5_000, 5_000, 0), (5_001, 5_000, 3003), (-999, 5_000, 0), (-1_000, 5_000, 3003), (60_001, 999_999, 3003)],
)
def test_a_signed_request_is_good_for_a_while(caller, late_ms, window, code):
    one = Signing(caller)
    assert one.get(WALLETS, at=one.now() - late_ms, window=window)["code"] == code


def test_a_key_that_may_only_read(caller):
    one = Signing(caller, can_trade=False)
    assert one.get(WALLETS)["code"] == 0
    assert one.post("/tx/spot/add", ORDER) == {"code": 403, "message": "Not allowed to pass"}
    assert caller.wallets()["USDT"] == (100_000, 0)


def test_a_key_belongs_to_one_member(caller, another):
    one = Signing(caller, email="ann@example.com")
    assert one.post("/tx/spot/add", ORDER)["code"] == 0
    assert another.wallets()["USDT"] == (99_930, 70)
    assert caller.wallets()["USDT"] == (100_000, 0)
    shown = caller.admin("GET", "/fintrusted/keys")["data"]
    assert shown == [{"key": one.key["key"], "member_id": 1002, "can_trade": True}]


def test_hmac_style(new_caller):
    for style, works in (("header_concat", True), ("binance", False)):
        one = Signing(new_caller(hmac_style=style))
        at = str(one.now())
        text = f"{at}POST/tx/spot/add{ORDER}"
        headers = one.headers(timestamp=at, signature=sign(one.key["secret"], text))
        body = one.caller.post("/tx/spot/add", ORDER.encode(), headers=headers)
        assert (body["code"] == 0) is works
        path = "/uc/asset/spot-wallets?a=1"
        headers = one.headers(timestamp=at, signature=sign(one.key["secret"], f"{at}GET{path}"))
        assert (one.caller.get(path, headers=headers)["code"] == 0) is works
        assert (one.get(WALLETS)["code"] == 0) is not works


def test_keys_are_there_after_a_restart(tmp_path, caller_class):
    from tradehook_sandbox import Sandbox

    sandbox = Sandbox(state=tmp_path / "state.sqlite")
    one = Signing(caller_class(sandbox))
    sandbox.close()
    one.caller.sandbox = Sandbox(state=tmp_path / "state.sqlite")
    assert one.get(WALLETS)["code"] == 0
    one.caller.sandbox.close()
