"""The descriptions are true: Schemathesis makes requests from them, and every answer must be as they say.

Each example is a short life of a sandbox of its own, so that a failure repeats and shrinks. Requests that come from the
schema alone seldom get past a check of balances or ids; so parts of many of them are replaced by what is really there:
known orders, real stamps, cursors of real pages. How many got through is counted, and too few is a failure.
"""

from __future__ import annotations

import copy
import importlib
import inspect
import json
import pkgutil
import re
from collections import Counter
from functools import cache
from typing import Any

import attrs
import jsonschema
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tradehook.wire import Request
from tradehook_sandbox import Sandbox
from tradehook_sandbox.openapi import admin, exchange
from tradehook_sandbox.openapi.page import page
from tradehook_sandbox.true_markets.catalogue import BY_KEY
from tradehook_sandbox.true_markets.rules import SWITCHES

CHECKS = [
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
URL = "http://sandbox.test"
USDC_SOLANA = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"
SOL = "So11111111111111111111111111111111111111112"
USDC_BASE = "0x833589fcd6edb6e08f4c7c32d4f71b54bda02913"
CBBTC = "0xcbb7c0000ab88b473b1f5afd9ef808440eed33bf"
BTC_ID = "b2538174-aae3-4b55-b79f-ac177c99f816"
ETH_ID = "742f90d4-b0db-45a4-9c21-813c152aad15"
STEPS = 12

BOOK = {"base_asset": "BTC", "quote_asset": "PYUSD", "qty_unit": "base", "type": "market", "side": "sell"}
CHAIN = {"base_asset": SOL, "quote_asset": USDC_SOLANA, "type": "market", "chain": "solana"}
GOOD_BODIES: dict[str, list[dict[str, Any]]] = {
    "computeQuote": [
        {**BOOK, "qty": "0.01"},
        {"base_asset": "ETH", "quote_asset": "USD", "qty": "100", "qty_unit": "quote", "side": "buy"},
        {"base": "BTC", "quote": "USD", "side": "buy", "quantity": "0.01"},
    ],
    "createOrder": [
        {**BOOK, "qty": "0.001"},
        {**BOOK, "qty": "25", "qty_unit": "quote", "side": "buy"},
        {**BOOK, "qty": "0.001", "type": "limit", "side": "buy", "price": "60000.0"},
        {**BOOK, "qty": ".0001", "type": "limit", "price": "70000.0"},
        {**BOOK, "base_asset": "ETH", "quote_asset": "USDC", "qty": "0.01"},
        {"asset_id": BTC_ID, "qty": "30", "qty_unit": "quote", "type": "market", "side": "buy"},
        {**CHAIN, "qty": "5", "qty_unit": "quote", "side": "buy"},
        {**CHAIN, "qty": "0.1", "qty_unit": "base", "side": "sell"},
        {**CHAIN, "qty": "100000", "qty_unit": "base", "side": "sell"},
        {**CHAIN, "base_asset": CBBTC, "quote_asset": USDC_BASE, "chain": "base", "qty": "0.001", "side": "sell"}
        | {"qty_unit": "base"},
        {**BOOK, "qty": "10500", "qty_unit": "quote", "side": "buy"},
    ],
    "createTransfer": [
        {"asset_id": BTC_ID, "qty": "0.001", "qty_unit": "base", "to": "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq"},
        {"asset_id": ETH_ID, "qty": "50", "qty_unit": "quote", "to": "0xd8dA6BF26964aF9D7eEd9e03E53415D37aA96045"},
        {
            "asset_id": BY_KEY["solana:SOL"].asset_id,
            "qty": "0.1",
            "qty_unit": "base",
            "to": "9WzDXwBbmkg8ZTbNMqUxvQRAyrZzDsGYdLVL9zYtAWWM",
        },
    ],
    "setPrices": [{"BTC": "68000"}, {"ETH": "3400.5", "walk": False}],
    "setBook": [{"symbol": "BTC", "depth_percent": 50}],
    "setClock": [{"advance": 1}, {"offset": 0}],
    "setBalances": [{"symbol": "PYUSD", "add": "5"}, {"symbol": "SOL", "chain": "solana", "available": "20"}],
    "setMember": [
        {"email": "ann@example.com", "password": "secret"},
        {"email": "demo@example.com", "is_disabled": True, "locked_coins": ["BTC"], "log_out": True},
        {"email": "nobody@example.com"},
    ],
    "createKey": [{}, {"email": "demo@example.com", "can_trade": False}],
    "deposit": [{"coin": "ETH", "add": "0.5"}, {"coin": "USDT", "add": "-20"}, {"coin": "BTC", "add": "-99"}],
    "setPair": [{"symbol": "BTC/USDT", "is_disabled": True, "min_sell_price": "70000"}],
    "addFault": [{"kind": "slow", "path": "/nowhere", "times": None}],
}
NEWER = ("getOrder", "getPortfolio", "listTransactions")
RIGHT_STATUS = {"cancelOrder": "active", "executeOrder": "initialized", "executeTransfer": "awaiting_signature"}
SYMBOLS = ["BTC", "ETH", "SOL", "CBBTC"]


def close(schema: Any) -> Any:
    """The same, where an object may have no fields but those that are described."""
    if isinstance(schema, list):
        return [close(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {name: close(value) for name, value in schema.items()}
    if "properties" in closed and isinstance(closed["properties"], dict) and closed.get("type") == "object":
        closed.setdefault("additionalProperties", False)
    return closed


class Described:
    """One of the two descriptions, and what holds answers against it."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self.schema = schemathesis.openapi.from_dict(copy.deepcopy(document))
        self.operations = {
            operation.definition.raw["operationId"]: operation
            for operation in (one.ok() for one in self.schema.get_all_operations())
        }
        self.closed = close(document["components"]["schemas"])

    @cache  # noqa: B019 - there are two of them
    def validator(self, name: str, status: int) -> jsonschema.Draft202012Validator:
        raw = self.operations[name].definition.raw["responses"][str(status)]
        schema = next(iter(raw["content"].values()))["schema"]
        return jsonschema.Draft202012Validator({**close(schema), "components": {"schemas": self.closed}})


@cache
def described(which: str) -> Described:
    return Described({"exchange": exchange, "admin": admin}[which].document())


class Life:
    """A sandbox with one trader who has done a little already."""

    def __init__(self, trader_class: Any, which: str, **switches: Any) -> None:
        self.described = described(which)
        self.trader = trader_class(Sandbox(rate_limit=0, **switches)).mint()
        self.trader.placed("buy", "0.001", price="60000.0")
        self.trader.placed("sell", "0.001")
        self.trader.swap("buy", "5")
        for body in GOOD_BODIES["createTransfer"]:
            self.trader.call("POST", "/transfers", body)
        fintrusted = self.trader.sandbox.fintrusted
        order = {"symbol": "BTC/USDT", "direction": "0", "type": "0", "price": "60000", "amount": "0.001"}
        fintrusted.spot.add(order, fintrusted.open_demo())
        self.trader.settle()

    def rows(self, path: str) -> list[dict[str, Any]]:
        return self.trader.call("GET", f"/{path}")[1].get("data", [])

    def payloads(self, thing_id: str) -> list[dict[str, str]]:
        order = self.trader.sandbox.exchange.house.orders.get(thing_id)
        if order is not None:
            return order.payloads
        found = self.trader.call("GET", f"/transfers/{thing_id}")[1]
        return found.get("payloads") or []

    def ground(self, draw: Any, name: str, case: Any) -> None:
        """Some of what was made up is replaced by what is there."""
        # A guess is worth little here: three in four requests speak of real things.
        if draw(st.integers(0, 3)) == 3:
            return
        if "id" in case.path_parameters and name != "removeFault":
            kind, key = ("transfers", "id") if "ransfer" in name else ("orders", "order_id")
            rows = self.rows(kind)
            # Of most kinds of things one can be had that is in the right status.
            fitting = [row for row in rows if row["status"] == RIGHT_STATUS.get(name)]
            if ids := [row[key] for row in (fitting or rows if draw(st.integers(0, 3)) < 3 else rows)]:
                case.path_parameters["id"] = draw(st.sampled_from(ids))
        self._ground_query(draw, name, case)
        if name in GOOD_BODIES:
            body = dict(draw(st.sampled_from(GOOD_BODIES[name])))
            if isinstance(case.body, dict) and draw(st.integers(0, 3)) == 3:
                body.update(dict(list(case.body.items())[:1]))
            case.body = body
        elif name in ("executeOrder", "executeTransfer"):
            stamps = [self.trader.stamp(one["payload"]) for one in self.payloads(case.path_parameters["id"])]
            case.body = {"signatures": stamps or ["x"], "auth_type": "api_key"}
        elif name == "exchangeApiKeyToken":
            case.body = self.trader.mint_body(offset=draw(st.sampled_from([0, 0, 29, -90])))
        elif name == "refreshToken":
            self.trader.mint()
            case.body = {"refresh_token": self.trader.refresh_token}
        elif name == "endTransfer":
            created = self.trader.call("POST", "/transfers", GOOD_BODIES["createTransfer"][0])[1]
            case.body = {"id": created["id"], "status": draw(st.sampled_from(["completed", "failed"]))}
        elif name == "removeFault":
            self.trader.admin("POST", "/faults", {"kind": "slow", "path": "/nowhere"})
            case.path_parameters["id"] = self.trader.admin("GET", "/faults")["data"][0]["id"]

    def _ground_query(self, draw: Any, name: str, case: Any) -> None:
        query = dict(case.query or {})
        if "symbol" in query:
            pair = "-USD" if name.startswith("book") else ""
            query["symbol"] = draw(st.sampled_from(SYMBOLS[:2] if pair else SYMBOLS)) + pair
        if "symbols" in query:
            query["symbols"] = ",".join(draw(st.lists(st.sampled_from([*SYMBOLS, "NOPE"]), min_size=1, max_size=3)))
        if "window" in query:
            query["window"] = draw(st.sampled_from(["5m", "1h", "24h", "7d"]))
        if "resolution" in query:
            query["resolution"] = draw(st.sampled_from(["1h", "5m"]))
        if "timestamp" in query:
            query["timestamp"] = int(self.trader.sandbox.clock.now()) - draw(st.integers(0, 90_000))
        if "cursor" in query:
            page_of = self.trader.call("GET", "/transfers?limit=1" if "ransfer" in name else "/orders?limit=1")[1]
            cursor = page_of.get("pagination", {}).get("next_cursor")
            query.pop("cursor")
            if cursor:
                query["cursor"] = draw(st.sampled_from([cursor, cursor.replace("Z", "+00:00")]))
        if name == "listOrders" and "status" in query:
            query["status"] = ",".join(draw(st.lists(st.sampled_from(["active", "complete", "failed"]), max_size=2)))
        case.query = query

    def step(self, draw: Any, name: str, seen: Counter) -> None:
        """One request, and everything that must be true of its answer."""
        operation = self.described.operations[name]
        mode = draw(st.sampled_from([GenerationMode.POSITIVE, GenerationMode.POSITIVE, GenerationMode.NEGATIVE]))
        can_be_wrong = operation.body or operation.query or operation.path_parameters
        case = draw(operation.as_strategy(mode if can_be_wrong else GenerationMode.POSITIVE))
        self.ground(draw, name, case)
        authorization = draw(st.sampled_from([f"Bearer {self.trader.token}"] * 6 + ["Bearer a.b.c", ""]))
        case.headers = {name: value for name, value in (case.headers or {}).items() if name.lower() != "authorization"}
        if authorization:
            case.headers["Authorization"] = authorization
        response = self.send(case)
        seen[name, response.status_code] += 1
        case.validate_response(response, checks=CHECKS)
        content = json.loads(response.content) if "json" in response.headers["content-type"][0] else None
        assert response.status_code < 500 or (response.status_code == 503 and content["message"] == "venue unavailable")
        if content is not None:
            self.described.validator(name, response.status_code).validate(content)
        if response.status_code == 401:
            assert operation.definition.raw["security"] or name in ("exchangeApiKeyToken", "refreshToken")
        elif response.status_code in (404, 405) and name in NEWER:
            pass  # June's revision does not have it, with or without a token.
        elif authorization == "" and operation.definition.raw["security"] == [{"bearerAuth": []}]:
            raise AssertionError(f"{name} answered {response.status_code} without a token")
        if name == "setClock":
            # A token of then may not be one of now.
            self.trader.admin("POST", "/clock", {"offset": 0})
        self.trader.sandbox.faults.remove()
        money = self.trader.sandbox.exchange
        assert money.house.audit(money.withdrawals.all)

    def send(self, case: Any) -> schemathesis.Response:
        """Through the whole sandbox but for the socket, with the request as Schemathesis writes it."""
        prepared = requests.Request(**_plain(case.as_transport_kwargs(base_url=URL))).prepare()
        body = prepared.body or b""
        answer = self.trader.sandbox.respond(
            Request(
                prepared.method,
                prepared.url,
                headers={name: _text(value) for name, value in prepared.headers.items()},
                body=body if isinstance(body, bytes) else body.encode(),
            )
        ).response
        headers = {name: [value] for name, value in answer.headers.items()}
        return schemathesis.Response(answer.status, headers, answer.body, prepared, 0.0, verify=False)


def _plain(arguments: dict[str, Any]) -> dict[str, Any]:
    known = ("method", "url", "headers", "files", "data", "params", "auth", "cookies", "json")
    return {name: value for name, value in arguments.items() if name in known}


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


def prove(trader_class: Any, which: str, *, cases: int) -> Counter:
    """This many requests and answers; returns how often each operation answered what."""
    seen: Counter = Counter()

    @settings(
        max_examples=cases // STEPS,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def live(data: Any) -> None:
        life = Life(trader_class, which)
        for name in data.draw(st.permutations(sorted(life.described.operations)))[:STEPS]:
            life.step(data.draw, name, seen)

    live()
    return seen


SWITCHED = st.fixed_dictionaries(
    {},
    optional={
        switch.name: st.sampled_from(switch.choices or [False, True])
        for switch in SWITCHES
        if switch.choices or switch.kind is bool
    },
)


def prove_switched(trader_class: Any, *, cases: int) -> Counter:
    """The same of the exchange, with any of its switches set in any way."""
    seen: Counter = Counter()

    @settings(max_examples=cases // STEPS, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.data(), SWITCHED)
    def live(data: Any, switches: dict[str, Any]) -> None:
        life = Life(trader_class, "exchange", **switches)
        for name in data.draw(st.permutations(sorted(life.described.operations)))[:STEPS]:
            life.step(data.draw, name, seen)

    live()
    return seen


def check_that_it_was_no_farce(seen: Counter, which: str, *, cases: int) -> None:
    """Enough requests were made, many were carried out, and of each operation some."""
    good = Counter()
    for (name, status), times in seen.items():
        good[name] += times if status < 300 else 0
    total, through = seen.total(), good.total()
    print(f"\n{which}: {total} requests, {through} answered 2xx")
    for name in sorted(described(which).operations):
        print(f"  {name}: {dict(sorted((status, n) for (one, status), n in seen.items() if one == name))}")
    assert total >= cases * 9 // 10
    assert through >= total * 4 // 10
    if cases >= 1_000:
        # With fewer, a rare one may be left out by chance.
        assert [name for name in described(which).operations if not good[name]] == []


@pytest.mark.parametrize(("which", "cases"), [("exchange", 1_200), ("admin", 480)])
def test_every_answer_is_as_described(which, cases, trader_class):
    check_that_it_was_no_farce(prove(trader_class, which, cases=cases), which, cases=cases)


@pytest.mark.prove
@pytest.mark.parametrize("which", ["exchange", "admin"])
def test_ten_thousand_answers_are_as_described(which, trader_class):
    check_that_it_was_no_farce(prove(trader_class, which, cases=10_000), which, cases=10_000)


def test_every_answer_is_as_described_whatever_the_switches(trader_class):
    check_that_it_was_no_farce(prove_switched(trader_class, cases=600), "exchange", cases=600)


@pytest.mark.prove
def test_ten_thousand_answers_are_as_described_whatever_the_switches(trader_class):
    check_that_it_was_no_farce(prove_switched(trader_class, cases=10_000), "exchange", cases=10_000)


# --- the descriptions themselves ---


@pytest.mark.parametrize("which", ["exchange", "admin"])
def test_schemas_and_examples_are_valid(which):
    document = described(which).document
    assert document["openapi"] == "3.1.0"
    components = {"schemas": document["components"]["schemas"]}
    for schema in components["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)
    examples = 0
    for operation in described(which).operations.values():
        raw = operation.definition.raw
        assert raw["tags"][0] in [tag["name"] for tag in document["tags"]]
        for content in raw.get("requestBody", {}).get("content", {}).values():
            for example in content.get("examples", {}).values():
                validator = jsonschema.Draft202012Validator({**content["schema"], "components": components})
                validator.validate(example["value"])
                examples += 1
    assert examples >= 5
    names = set(re.findall(r"#/components/schemas/(\w+)", json.dumps(document)))
    assert names <= set(components["schemas"])


def test_methods_that_are_not_described_are_405(trader):
    for which in ("exchange", "admin"):
        for path, methods in described(which).document["paths"].items():
            if which == "admin" and "{id}" in path:
                # To the admin this is the path without the id, which has more methods.
                continue
            known = {method.upper() for method in methods}
            for method in {"GET", "POST", "PUT", "PATCH", "DELETE"} - known:
                response = trader.send(method, path.replace("{id}", "11111111-2222-4333-8444-555555555555"))
                assert (response.status, method) == (405, method), path
                assert set(response.headers["allow"].split(", ")) >= known


def test_they_are_served_as_they_are_written(trader):
    for which in ("exchange", "admin"):
        response = trader.send("GET", f"/_sandbox/openapi/{which}.json")
        assert json.loads(response.body) == described(which).document
    assert trader.send("GET", "/_sandbox/openapi/other.json").status == 404
    response = trader.send("GET", "/_sandbox/docs")
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert response.body.decode() == page()


def test_the_page_shows_everything_and_fetches_nothing():
    shown = page()
    for which in ("exchange", "admin"):
        document = described(which).document
        for path, methods in document["paths"].items():
            assert path in shown
            for operation in methods.values():
                assert f'id="{operation["operationId"]}"' in shown
        for name in document["components"]["schemas"]:
            assert f'id="{which}-shape-{name}"' in shown
    assert not re.search(r"<script|<link rel=.stylesheet|src=|@import|url\(|https?://", shown)
    ids = re.findall(r' id="([^"]+)"', shown)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]+)"', shown)) <= set(ids)


# --- against the exchange's own description, as its SDK was generated from it ---

SAME_SHAPE = {
    "AccessTokensResponse": "Tokens",
    "APIKeyTokenExchangeRequest": "TokenRequest",
    "AssetItem": "Asset",
    "BalanceItem": "Balance",
    "BatchPriceHistoryResponse": "Histories",
    "CreateOrderRequest": "CreateOrderRequest",
    "CreateOrderResponse": "CreateOrderResponse",
    "CreateTransferRequest": "CreateTransferRequest",
    "ErrorResponse": "Error",
    "ExecuteOrderRequest": "ExecuteRequest",
    "ExecuteTransferRequest": "ExecuteTransferRequest",
    "MarketCapResponse": "MarketCap",
    "OrderDetail": "OrderDetail",
    "Pagination": "Pagination",
    "Point": "Point",
    "PriceHistoryResponse": "History",
    "PricePointResponse": "PriceAt",
    "PriceRangeResponse": "PriceRange",
    "QuoteDetails": "QuoteDetails",
    "QuoteResponse": "QuoteResponse",
    "RefreshTokenRequest": "RefreshRequest",
    "TransferDetail": "TransferDetail",
    "UnsignedPayload": "Payload",
}


def official_operations():
    for part, prefix in (("gateway", exchange.GATEWAY), ("authapi", "/v1/auth"), ("marketdata", "")):
        api = importlib.import_module(f"truemarkets._generated.{part}.api")
        for tag in pkgutil.iter_modules(api.__path__):
            folder = importlib.import_module(f"{api.__name__}.{tag.name}")
            for operation in pkgutil.iter_modules(folder.__path__):
                source = inspect.getsource(importlib.import_module(f"{folder.__name__}.{operation.name}"))
                path = prefix + re.search(r'"url": "([^"]+)"', source)[1]
                method = re.search(r'"method": "(\w+)"', source)[1]
                yield operation.name, path, method, set(re.findall(r"status_code == (\d+)", source))


def test_every_official_operation_is_described_with_its_statuses():
    paths = described("exchange").document["paths"]
    seen = 0
    for name, path, method, statuses in official_operations():
        operation = paths[path][method]
        # The official ids of market data are paths; ours are words.
        snake = re.sub("([A-Z])", r"_\1", operation["operationId"]).lower()
        assert name == snake or name.startswith("get_v1_")
        assert statuses <= set(operation["responses"]), name
        assert [one for one in statuses if one < "300"] == [one for one in operation["responses"] if one < "300"], name
        seen += 1
    assert seen == 24


@pytest.mark.parametrize("official", SAME_SHAPE)
def test_every_official_field_is_described(official):
    models = [
        importlib.import_module(f"truemarkets._generated.{part}.models")
        for part in ("gateway", "authapi", "marketdata")
    ]
    model = next(getattr(one, official) for one in models if hasattr(one, official))
    fields = {field.name.rstrip("_") for field in attrs.fields(model)} - {"additional_properties"}
    # Deprecated, and never sent.
    fields -= {"web_authn_payload"}
    assert fields <= set(described("exchange").document["components"]["schemas"][SAME_SHAPE[official]]["properties"])
