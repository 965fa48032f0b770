"""Whatever is sent, something sensible is answered: never an exception, never a 500 nobody asked for."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tradehook.wire import Request
from tradehook_sandbox import Sandbox

QUIET = settings(
    max_examples=250, deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
PATHS = [
    "/v1/conductor/quotes",
    "/v1/gateway/orders",
    "/v1/conductor/orders/11111111-2222-4333-8444-555555555555",
    "/v1/conductor/orders/{known}",
    "/v1/conductor/orders/{known}/status",
    "/v1/conductor/orders/{known}/execute",
    "/v1/conductor/assets",
    "/v1/gateway/balances/unified",
    "/v1/auth/api-key/token",
    "/v1/auth/token/refresh",
    "/.well-known/jwks.json",
    "/_sandbox/",
    "/_sandbox/prices",
    "/_sandbox/clock",
    "/_sandbox/balances",
    "/_sandbox/faults",
    "/_sandbox/book",
    "/_sandbox/orders",
    "/_sandbox/ledger",
]
WORDS = st.sampled_from(
    [
        "base_asset", "quote_asset", "qty", "qty_unit", "type", "side", "price", "chain", "asset_id", "base", "quote",
        "quantity", "signatures", "auth_type", "key_id", "timestamp", "signature", "refresh_token", "kind", "method",
        "path", "status", "times", "delay_seconds", "advance", "offset", "symbol", "available", "add", "account",
        "depth_percent", "walk", "BTC", "ETH", "SOL",
    ]
)  # fmt: skip
TEXTS = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        [
            "BTC", "ETH", "USD", "PYUSD", "0.01", "1", "1e9", "-1", "NaN", "0", "9" * 30, "0." + "0" * 40 + "1", "buy",
            "sell", "base", "quote", "market", "limit", "solana", "67340.2", "api_key", "error_after", "slow", "POST",
            "/orders", "*", "\ud800", "\x00", "11111111-2222-4333-8444-555555555555",
            "So11111111111111111111111111111111111111112", "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v",
        ]
    ),
)  # fmt: skip
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.just(10**400), st.floats(), TEXTS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=5,
)
BODIES = st.one_of(
    st.binary(max_size=60),
    st.dictionaries(WORDS, VALUES, max_size=9).map(lambda body: json.dumps(body).encode()),
    st.sampled_from(
        [b"[" * 100_000, b'{"a":' * 5_000, b"null", b"1e999999999999999999", b'{"qty": 1e99999999999999999999}']
    ),
)
QUERIES = st.lists(st.tuples(st.sampled_from(["limit", "cursor", "status", "venue", "x"]), TEXTS), max_size=3)


def refuses_sensibly(response, faults_asked=()):
    assert response.status < 500 or (response.status == 503 and b"venue unavailable" in response.body) or faults_asked
    assert response.headers["date"]
    assert isinstance(json.loads(response.body), dict)


@QUIET
@given(
    method=st.sampled_from(["GET", "POST", "DELETE", "PUT", "PATCH", "OPTIONS", "HEAD", "get", ""]),
    path=st.sampled_from(PATHS),
    body=BODIES,
    query=QUERIES,
    signed_in=st.booleans(),
)
def test_known_paths_with_any_body(trader, *, method, path, body, query, signed_in):
    known = trader.sandbox.exchange.house.orders
    if not len(known):
        trader.placed("buy", "0.01", price="60000.0")
    trader.sandbox.faults.remove()
    trader.mint()
    path = path.replace("{known}", next(iter(known)).order_id)
    answer = trader.answer(method, path, body, query=query, headers=None if signed_in else {})
    refuses_sensibly(answer.response)
    assert trader.sandbox.exchange.house.audit()


@QUIET
@given(
    st.dictionaries(
        st.sampled_from(["base_asset", "quote_asset", "qty", "qty_unit", "type", "side", "price", "chain"]),
        VALUES,
        max_size=3,
    ),
    st.sampled_from(["/v1/conductor/orders", "/v1/conductor/quotes"]),
)
def test_orders_that_are_nearly_right(trader, change, path):
    body = {
        "base_asset": "BTC",
        "quote_asset": "USD",
        "qty": "0.001",
        "qty_unit": "base",
        "type": "market",
        "side": "sell",
    }
    trader.sandbox.clock.advance(1)
    refuses_sensibly(trader.mint().answer("POST", path, json.dumps({**body, **change}).encode()).response)
    assert trader.sandbox.exchange.house.audit()


@QUIET
@given(
    st.text(max_size=60), st.text(max_size=8), st.dictionaries(st.text(max_size=12), st.text(max_size=40), max_size=3)
)
def test_any_address_method_and_headers(url, method, headers):
    sandbox = Sandbox()
    for address in (url, f"http://x/{url}", f"http://x/v1/conductor/orders/{url}", f"http://x/_sandbox/faults/{url}"):
        refuses_sensibly(sandbox.respond(Request(method, address, headers=headers)).response)


@QUIET
@given(st.text(max_size=200))
def test_any_authorization(text):
    sandbox = Sandbox()
    response = sandbox.respond(Request("GET", "http://x/v1/gateway/orders", headers={"Authorization": text})).response
    assert response.status == 401


@pytest.mark.parametrize("price", ["0.0000000001", "0.001", "0.5", "1", "999999999999999"])
def test_absurd_prices_break_nothing(trader, price):
    trader.placed("sell", "0.1", price="70000.0")
    trader.placed("buy", "0.1", price="60000.0")
    trader.settle()
    trader.admin("POST", "/prices", {"BTC": price, "SOL": price, "walk": True})
    for side in ("buy", "sell"):
        for qty in ("0.01", "1000000", "100"):
            for unit in ("base", "quote"):
                trader.answer(
                    "POST",
                    "/v1/conductor/orders",
                    json.dumps(
                        {
                            "base_asset": "BTC",
                            "quote_asset": "USD",
                            "qty": qty,
                            "qty_unit": unit,
                            "type": "market",
                            "side": side,
                        }
                    ).encode(),
                )
        created = trader.swap(side, "5")[1]
        if created.get("payloads"):
            trader.execute(created)
    trader.sandbox.clock.advance(100)
    assert trader.admin("GET", "/book")
    assert trader.ledger()["balanced"]


def test_a_body_that_is_too_large_is_413(trader):
    response = trader.send("POST", "/v1/conductor/orders", b"{" + b" " * 70_000 + b"}")
    assert response.status == 413


def test_what_is_refused_is_quoted_safely(trader):
    response = trader.send(
        "POST",
        "/v1/conductor/orders",
        json.dumps(
            {
                "base_asset": "<script>\u202e\x1b[31m" + "x" * 150,
                "quote_asset": "USD",
                "qty": "1",
                "qty_unit": "base",
                "type": "market",
                "side": "buy",
            }
        ).encode(),
    )
    message = response.json()["message"]
    assert response.status == 404
    assert message.isascii()
    assert message.isprintable()
    assert len(message) < 120
