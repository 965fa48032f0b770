"""A member at FinTrusted's emulator: sends forms as they stand on the wire. No tradehook client."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest

from tradehook.wire import Request, Response
from tradehook_sandbox import Sandbox

HOST = "http://sandbox.test"
FORM = "application/x-www-form-urlencoded"


class Caller:
    """One person with a token, or without."""

    def __init__(self, sandbox: Any, *, email: str = "demo@example.com", password: str = "demo") -> None:
        self.sandbox = sandbox
        self.email, self.password = email, password
        self.token = ""

    # --- the wire ---

    def answer(self, method: str, path: str, form: Any = None, *, headers: Any = None) -> Any:
        body = form if isinstance(form, bytes) else urlencode(form or {}).encode()
        if headers is None:
            headers = {"Authorization": self.token} if self.token else {}
        kind = {"Content-Type": FORM} if method == "POST" else {}
        address, _, query = path.partition("?")
        params = tuple(parse_qsl(query))
        return self.sandbox.respond(
            Request(method, HOST + address, params=params, headers={**kind, **headers}, body=body)
        )

    def send(self, method: str, path: str, form: Any = None, **more: Any) -> Response:
        response = self.answer(method, path, form, **more).response
        assert response is not None, "no answer came"
        return response

    def get(self, path: str, **more: Any) -> Any:
        return self.send("GET", path, **more).json()

    def post(self, path: str, form: Any = None, **more: Any) -> Any:
        return self.send("POST", path, form, **more).json()

    def admin(self, method: str, path: str, body: Any = None) -> Any:
        content = b"" if body is None else json.dumps(body).encode()
        response = self.sandbox.respond(Request(method, f"{HOST}/_sandbox{path}", body=content)).response
        assert response.status == 200, response.body
        return response.json()

    # --- what a member does ---

    def login(self) -> Caller:
        body = self.post("/uc/v2/login", {"email": self.email, "password": self.password})
        assert body["code"] == 0, body
        self.token = body["data"]["Authorization"]
        return self

    def add(self, side: str = "buy", amount: str = "0.001", price: str | None = None, **fields: Any) -> Any:
        """The answer to an order; one with a price is a limit order."""
        form = {
            "symbol": "BTC/USDT",
            "direction": "0" if side == "buy" else "1",
            "type": "1" if price is None else "0",
            "price": price or "0",
            "amount": amount,
            **fields,
        }
        return self.post("/tx/spot/add", {name: value for name, value in form.items() if value is not None})

    def placed(self, side: str = "buy", amount: str = "0.001", price: str | None = None, **fields: Any) -> str:
        """The id of an order that must have been accepted."""
        body = self.add(side, amount, price, **fields)
        assert body["code"] == 0, body
        return body["data"]

    def cancel(self, order_id: str) -> Any:
        return self.post("/tx/spot/cancel", {"orderId": order_id})

    def wallets(self) -> dict[str, tuple[Decimal, Decimal]]:
        rows = self.get("/uc/asset/spot-wallets")["data"]
        return {row["coin"]["unit"]: (Decimal(row["balance"]), Decimal(row["frozenBalance"])) for row in rows}

    def settle(self) -> None:
        """Let pass more time than anything takes."""
        self.sandbox.clock.advance(1.5)

    # --- what only whoever tests can see ---

    def order(self, order_id: str) -> dict[str, Any]:
        rows = self.admin("GET", "/fintrusted/orders")["data"]
        return next(row for row in rows if row["order_id"] == order_id)

    def price(self, dollars: str, *, walk: bool = False) -> None:
        self.admin("POST", "/prices", {"BTC": dollars, "walk": walk})

    def depth(self, percent: int) -> None:
        self.admin("POST", "/book", {"symbol": "BTC/USDT", "depth_percent": percent})

    def is_balanced(self) -> bool:
        return self.admin("GET", "/ledger")["balanced"]


@pytest.fixture
def new_caller():
    """Make a member who has logged in, at a sandbox of its own; arguments are switches, without the prefix."""
    made: list[Sandbox] = []

    def make(*, is_in: bool = True, **switches: Any) -> Caller:
        sandbox = Sandbox(**{f"fintrusted_{name}": value for name, value in switches.items()})
        made.append(sandbox)
        one = Caller(sandbox)
        one.price("74000")
        return one.login() if is_in else one

    yield make
    for sandbox in made:
        assert not any(sandbox.exchange.house.ledger.audit().values())
        assert sandbox.fintrusted.audit()
        sandbox.close()


@pytest.fixture
def caller(new_caller) -> Caller:
    """A member who has logged in; a bitcoin is 74,000 and stays there."""
    return new_caller()


@pytest.fixture
def another(caller) -> Caller:
    """Another member at the same sandbox."""
    caller.admin("POST", "/fintrusted/members", {"email": "ann@example.com", "password": "other"})
    return Caller(caller.sandbox, email="ann@example.com", password="other").login()


@pytest.fixture
def caller_class():
    """The class itself, for a sandbox that a test makes by hand."""
    return Caller
