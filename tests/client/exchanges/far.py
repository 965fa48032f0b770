"""A FinTrusted that answers what a test tells it to: no network, and a clock that only moves when told."""

from __future__ import annotations

import base64
import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from tradehook.exchanges.fintrusted import FinTrusted
from tradehook.exchanges.fintrusted.dialect import Dialect
from tradehook.testing import MemoryLine
from tradehook.wire import Response

if TYPE_CHECKING:
    from tradehook.wire import Request

AT = 1_795_262_400.0  # 2026-11-21T12:00:00Z
LOGIN, COIN, CONVERT = "/uc/v2/login", "/market/data/quotations/coin", "/market/convert/price"
HOME, SPARKLINES = "/market/data/quotations/home", "/market/data/quotations/sparklines"
ADD, CANCEL, THUMBS = "/tx/spot/add", "/tx/spot/cancel", "/tx/spot/symbol-thumb-v2"
WALLETS, INFO = "/uc/asset/spot-wallets", "/uc/user-info"
EMAIL, PASSWORD = "canary-person@example.com", "canary-password-1"


def jwt(**claims: Any) -> str:
    """A token that says this."""
    parts = ({"alg": "HS256"}, {"iss": "tradehook-sandbox", **claims})
    head, middle = (base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)
    return f"{head}.{middle}.c2lnbmF0dXJl"


def ok(data: Any) -> dict[str, Any]:
    return {"code": 0, "message": "success", "data": data}


def no(text: str, code: Any = 500) -> dict[str, Any]:
    return {"code": code, "message": text}


TICKER = {
    "symbol": "BTC/USDT", "open": 73000, "high": 74500, "low": 72500, "close": 74000, "change": 1000, "chg": 0.0137,
    "volume": 12.5, "turnover": 921000,
}  # fmt: skip
GOLDEN: dict[str, Any] = {
    LOGIN: ok({"Authorization": jwt(), "id": 1001, "username": "demo"}),
    COIN: ok(TICKER),
    CONVERT: ok({"fromUnit": "BTC", "toUnit": "USDT", "price": 74000}),
    THUMBS: [TICKER, {**TICKER, "symbol": "ETH/USDT", "close": 3000}],
    HOME: ok([TICKER]),
    ADD: ok("E170000000000000001"),
    CANCEL: ok(None),
    WALLETS: ok(
        [
            {
                "id": 1,
                "memberId": 1001,
                "coin": {"unit": "USDT", "name": "USDT"},
                "balance": 99930,
                "frozenBalance": 70,
            },
            {"id": 2, "memberId": 1001, "coin": {"unit": "BTC"}, "balance": "1", "frozenBalance": "0E-8"},
        ]
    ),
    SPARKLINES: ok({"BTC": [73000, 73500, 74000]}),
    INFO: ok({"id": 1001, "email": EMAIL}),
}


class Clock:
    def __init__(self) -> None:
        self.at = AT

    def now(self) -> float:
        return self.at

    def advance(self, seconds: float) -> None:
        self.at += seconds


class Far:
    """The far side: golden answers, until a test says otherwise."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = dict(GOLDEN)
        self.asked: list[Request] = []
        self.clock = Clock()

    def respond(self, request: Request) -> SimpleNamespace:
        self.asked.append(request)
        answer = self.answers.get(request.path, Response(404, body=b'{"code":404,"message":"not found"}'))
        if callable(answer):
            answer = answer(request)
        if answer is None:
            return SimpleNamespace(response=None, delay_seconds=0.0, is_cut=False)
        if not isinstance(answer, Response):
            answer = Response(200, {"content-type": "application/json"}, json.dumps(answer).encode())
        return SimpleNamespace(response=answer, delay_seconds=0.01, is_cut=False)

    def exchange(self, *, environment: str = "sandbox", base_url: str | None = None, **options: str) -> FinTrusted:
        given = {} if "token" in options or "hmac_style" in options else {"email": EMAIL, "password": PASSWORD}
        dialect = Dialect.parse({**given, **options}, is_sandbox=environment == "sandbox")
        line = MemoryLine(self.respond, clock=self.clock, stop_at=500)
        return FinTrusted(line, dialect=dialect, environment=environment, base_url=base_url)

    def to(self, path: str) -> list[Request]:
        return [request for request in self.asked if request.path == path]
