"""FinTrusted through the desk: with a login and with signed requests; sent once, whatever becomes of the answer.

The judge is the sandbox's own list of orders, which FinTrusted itself does not have.
"""

from __future__ import annotations

import json
from contextlib import suppress
from decimal import Decimal

import pytest

from tradehook.client import AsyncClient, Client
from tradehook.desk.journal import Journal
from tradehook.desk.submit import Desk
from tradehook.errors import GuardRefused, OutcomeUnknown, Rejected, TradehookError
from tradehook.exchanges.fintrusted import FinTrusted
from tradehook.exchanges.fintrusted.dialect import Dialect
from tradehook.models import NewOrder, OrderStatus
from tradehook.run import run
from tradehook.testing import MemoryLine
from tradehook.wire import Request
from tradehook_sandbox import Sandbox

DEMO = {"email": "demo@example.com", "password": "demo"}
LIMIT = NewOrder.of("BTC/USDT", side="buy", amount="0.001", price=Decimal(40000))


class House:
    """A sandbox and one account's desk."""

    def __init__(self, folder, **rules) -> None:
        self.sandbox = Sandbox(**{f"fintrusted_{name}": value for name, value in rules.items()})
        self.journal_url = f"sqlite:///{folder}/journal.db"
        self.desks: list[Desk] = []

    def admin(self, method: str, path: str, body=None):
        content = json.dumps(body).encode() if body is not None else b""
        response = self.sandbox.handle(Request(method, f"http://127.0.0.1:8787/_sandbox/{path}", body=content))
        assert response.status < 300, response.body
        return response.json()

    def client(self, **options: str) -> Client:
        line = MemoryLine(self.sandbox.respond, clock=self.sandbox.clock)
        exchange = FinTrusted(line, dialect=Dialect.parse(options or DEMO))
        desk = Desk(exchange, journal=Journal.open(self.journal_url), account="main")
        self.desks.append(desk)
        return Client(AsyncClient(exchange, desk=lambda: desk))

    def orders(self) -> list[dict]:
        self.sandbox.clock.advance(60)
        return self.admin("GET", "fintrusted/orders")["data"]


@pytest.fixture
def house(tmp_path):
    made: list[House] = []

    def make(**rules) -> House:
        made.append(House(tmp_path, **rules))
        return made[-1]

    yield make
    for each in made:
        for desk in each.desks:
            desk.close()


@pytest.mark.parametrize("style", ["binance", "header_concat"])
def test_an_order_with_signed_requests_alone(house, style):
    place = house(hmac_style=style)
    key = place.admin("POST", "fintrusted/keys", {})
    client = place.client(hmac_style=style, hmac_key=key["key"], secret=key["secret"])
    exchange = client.desk.exchange
    assert run(exchange.account_id()) == "member-1001"
    outcome = client.place_order(LIMIT, intent_id="signed")
    assert outcome.order.status is OrderStatus.ACCEPTED
    assert [order["status"] for order in place.orders()] == ["TRADING"]
    client.cancel_order(outcome.order.order_id)
    assert [order["status"] for order in place.orders()] == ["CANCELED"]
    assert not [request for request in exchange.session.line.sent if request.path.endswith("/login")]

    wrong = place.client(hmac_style=style, hmac_key=key["key"], secret="0" * 64)
    with pytest.raises(TradehookError, match="API key"):
        wrong.balances()


def test_whoever_is_not_the_sandbox_gets_no_order(house):
    place = house()
    client = place.client(token="opaque-token-from-elsewhere")
    with pytest.raises((GuardRefused, TradehookError)):
        client.place_order(LIMIT)
    assert place.orders() == []


IN_DOUBT = ["error_after", "timeout_after", "garbled", "truncated"]


@pytest.mark.parametrize("kind", IN_DOUBT)
def test_an_order_whose_answer_is_lost_is_never_sent_again(house, kind):
    place = house()
    client = place.client()
    fault = {"method": "POST", "path": "/tx/spot/add", "kind": kind, "times": 1}
    place.admin("POST", "faults", fault)
    for _ in range(3):
        # Told as unknown, or found by its fingerprint in the wallet; another call finds the same, and sends nothing.
        with suppress(OutcomeUnknown):
            client.place_order(LIMIT, intent_id="once")
    assert len(place.orders()) == 1
    posts = [request for request in client.desk.exchange.session.line.sent if request.path == "/tx/spot/add"]
    assert len(posts) == 1


@pytest.mark.parametrize("kind", ["error_before", "edge_html", "rate_limited"])
def test_an_order_that_was_not_carried_out_is_not_told_as_placed(house, kind):
    place = house()
    client = place.client()
    place.admin("POST", "faults", {"method": "POST", "path": "/tx/spot/add", "kind": kind, "times": 1})
    try:
        outcome = client.place_order(LIMIT, intent_id="once")
    except TradehookError as error:
        assert place.orders() == []
        # A failure on the exchange's side leaves doubt; that of the layer in front of it does not.
        assert isinstance(error, OutcomeUnknown) is (kind == "error_before")
    else:
        assert kind == "rate_limited"  # waited for, and then sent
        assert [order["order_id"] for order in place.orders()] == [outcome.order.order_id]


def test_a_business_error_with_status_200_is_a_no_and_the_id_is_free_for_nothing_else(house):
    place = house()
    client = place.client()
    with pytest.raises(Rejected, match="insufficient coin"):
        client.place_order(NewOrder.of("BTC/USDT", side="sell", amount="5"), intent_id="too-much")
    assert place.orders() == []
    assert place.admin("GET", "ledger")["balanced"] is True
