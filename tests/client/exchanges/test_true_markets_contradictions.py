"""Where True Markets' own sources contradict each other: one test for each, by its number in docs/reference/true-markets.md.

The far side is a function that answers as one source or the other says.
"""

from __future__ import annotations

import hashlib
import json
from decimal import Decimal
from typing import Any

import pytest

from tradehook.errors import (
    GuardRefused,
    InsufficientFunds,
    InvalidOrder,
    NotFound,
    Rejected,
    TradehookError,
    Unavailable,
)
from tradehook.exchanges.true_markets import TrueMarkets, keys, parse, parse_transfers
from tradehook.exchanges.true_markets.auth import stamp
from tradehook.models import NewOrder, OrderStatus, Side, Unit
from tradehook.run import run, run_each
from tradehook.testing import MemoryLine
from tradehook.transfers import TransferStatus
from tradehook.wire import Request, Response, encode_json
from tradehook_sandbox import Sandbox
from tradehook_sandbox.clock import Clock
from tradehook_sandbox.faults import Answer

URL = "http://127.0.0.1:8787"
ASSETS = {
    "data": [
        {"id": "b", "symbol": "BTC", "venue": "cefi", "tradeable": True, "decimals": 8, "networks": []},
        {
            "id": "p",
            "symbol": "PYUSD",
            "venue": "cefi",
            "tradeable": False,
            "decimals": 6,
            "stable": True,
            "networks": [],
        },
    ],
    # 25: `limit` was seen to repeat the number of rows.
    "pagination": {"next_cursor": None, "limit": 2},
}


class Wire:
    """An exchange that signs anybody in and answers what a test tells it to."""

    def __init__(self, *, prefix: str = "/v1/conductor", token: dict[str, Any] | None = None) -> None:
        self.answers: dict[tuple[str, str], list[Response]] = {}
        self.asked: list[Request] = []
        self.prefix = prefix
        self.token = {"expires_in": "2100-01-01T00:00:00Z", "refresh_token": "r", **(token or {})}
        self.clock = Clock.frozen()
        signer = keys.parse(json.dumps(Sandbox().key_file()).encode(), where="test")
        self.exchange = TrueMarkets(
            MemoryLine(self.respond, clock=self.clock), signer=signer, base_url=URL, prefix=prefix
        )
        self.say("GET", "/assets", 200, ASSETS)

    def say(self, method: str, path: str, status: int, body: Any, **headers: str) -> None:
        content = body if isinstance(body, bytes) else encode_json(body)
        self.answers.setdefault((method, path), []).append(Response(status, headers, content))

    def respond(self, request: Request) -> Answer:
        self.asked.append(request)
        if request.path.startswith("/v1/auth/"):
            body = {"access_token": "a.e30.s", "token_type": "Bearer", **self.token}
            return Answer(Response(200, {}, encode_json({k: v for k, v in body.items() if v is not None})))
        waiting = self.answers.get((request.method, request.path.removeprefix(self.prefix)))
        if not waiting:
            return Answer(Response(404, {}, b'{"error":"","message":"not found","code":404}'))
        return Answer(waiting[0] if len(waiting) == 1 else waiting.pop(0))

    def bodies(self, method: str, path: str) -> list[Any]:
        return [entry.json() for entry in self.asked if (entry.method, entry.path) == (method, self.prefix + path)]


@pytest.fixture
def wire() -> Wire:
    return Wire()


def test_01_quotes_are_asked_for_in_the_specifications_words(wire):
    wire.say("POST", "/quotes", 200, {"qty": "0.01", "price": "67340.25"})
    run(wire.exchange.get_quote("BTC", quote="PYUSD", side=Side.BUY, quantity=Decimal("0.01"), unit=Unit.BASE))
    assert set(wire.bodies("POST", "/quotes")[0]) == {"base_asset", "quote_asset", "qty", "qty_unit", "side"}


def test_02_both_prefixes_serve(wire):
    for prefix in ("/v1/conductor", "/v1/gateway"):
        other = Wire(prefix=prefix)
        assert [asset.symbol for asset in run_each(other.exchange.list_assets())] == ["BTC", "PYUSD"]


def test_03_a_token_is_sent_where_there_is_one(wire):
    list(run_each(wire.exchange.list_assets()))
    assert wire.asked[-1].headers["authorization"].startswith("Bearer ")


@pytest.mark.parametrize("payload", ['{"a": 1}', ' {"b":\n2} ', "eyJhIjoxfQ==", "\u00fc"])
def test_04_the_payload_is_signed_exactly_as_received(payload):
    bundle = Sandbox().key_file()
    signer = keys.parse(json.dumps(bundle).encode(), where="test")
    made = json.loads(__import__("base64").urlsafe_b64decode(stamp(payload, signer=signer) + "=="))
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), bytes.fromhex(made["publicKey"]))
    public.verify(bytes.fromhex(made["signature"]), payload.encode(), ec.ECDSA(hashes.SHA256()))


@pytest.mark.parametrize("word", ["canceled", "cancelled", "CANCELLED", "Canceled"])
def test_05_both_spellings_of_canceled_are_one(word):
    assert parse.status(word) is OrderStatus.CANCELED


def test_06_open_orders_are_found_whether_the_list_shows_them_or_not(make_world):
    for is_terminal_only in (False, True):
        world = make_world(list_terminal_only=is_terminal_only)
        desk = world.desk()
        order = NewOrder.of("BTC/PYUSD", side="buy", amount="0.001", price=Decimal(40000))
        placed = desk.place_order(order, intent_id="a", source="test").order
        world.sandbox.clock.advance(5)
        listed = [found.order_id for found in run_each(desk.exchange.list_orders())]
        assert (placed.order_id in listed) is not is_terminal_only
        assert [found.order_id for found in desk.open_orders()] == [placed.order_id]


@pytest.mark.parametrize("word", ["pending", "complete"])
def test_07_an_execute_may_end_at_once_or_later(make_world, word):
    world = make_world(execute_answers=word)
    desk = world.desk()
    order = NewOrder.of("CBBTC/USDC", side="buy", amount="$50", chain="base")
    placed = desk.place_order(order, intent_id="a", source="test").order
    assert placed.status is (OrderStatus.PENDING if word == "pending" else OrderStatus.FILLED)
    world.sandbox.clock.advance(5)
    assert desk.follow("a").status is OrderStatus.FILLED


@pytest.mark.parametrize(
    ("issue", "kind"), [("insufficient balance", InsufficientFunds), ("trade size below minimum", InvalidOrder)]
)
@pytest.mark.parametrize("shape", [str, lambda text: {"message": text, "balance": {"actual": "0", "expected": "1"}}])
def test_08_and_12_an_empty_id_is_no_order_and_issues_say_why_in_either_shape(wire, issue, kind, shape):
    sized = run(wire.exchange.size_order(NewOrder.of("BTC/PYUSD", side="sell", amount="0.001", price=Decimal(70000))))
    quote = {"base_asset": "a", "quote_asset": "b", "qty": "1", "qty_out": "1", "issues": [shape(issue)]}
    body = {"order_id": "", "status": "initialized", "quote": quote}
    write = wire.exchange.new_order(sized)
    with pytest.raises(kind, match=issue):
        write.read(Response(201, {}, encode_json(body)))


def test_09_an_amount_in_quote_is_sent_in_quote_and_base_is_never_turned_into_it_unseen(make_world):
    world = make_world(strict_units=True)
    desk = world.desk()
    assert desk.place_order(NewOrder.of("BTC/PYUSD", side="buy", amount="$50"), intent_id="q", source="t").order
    with pytest.raises(InvalidOrder) as caught:
        desk.place_order(NewOrder.of("BTC/PYUSD", side="buy", amount="0.001"), intent_id="b", source="t")
    assert caught.value.code == "unit"


def test_10_balances_are_read_from_the_unified_path_and_in_either_shape(wire):
    row = {"symbol": "BTC", "total": "2", "available": "1.5", "held": "0.5", "chain": None}
    wire.say("GET", "/balances/unified", 200, {"data": [row]})
    assert [(found.symbol, found.held) for found in run(wire.exchange.balances())] == [("BTC", Decimal("0.5"))]
    old = Wire()
    old.say("GET", "/balances", 200, {"balances": [{"asset_name": "Bitcoin", "asset_id": "b", "balance": "2"}]})
    assert [(found.symbol, found.total) for found in run(old.exchange.balances())] == [("BTC", Decimal(2))]
    live = Wire()
    live.say("GET", "/balances", 200, {"data": [row]})
    assert [(found.symbol, found.total) for found in run(live.exchange.balances())] == [("BTC", Decimal(2))]
    with pytest.raises(NotFound):
        run(Wire().exchange.balances())


@pytest.mark.parametrize("expires", ["2100-01-01T00:00:00Z", "2100-01-01T00:00:00.123456+00:00", 3600, "3600"])
def test_11_expiry_is_a_time_or_seconds(expires):
    wire = Wire(token={"expires_in": expires})
    token = run(wire.exchange.session.token())
    assert token.left_seconds(now=wire.clock.now()) >= 3600 - 1


@pytest.mark.parametrize(
    "body",
    [
        {"message": "the reason"},
        {"error": "", "message": "the reason", "code": 400},
        {"error": "the reason"},
        {"type": "invalid_argument", "code": "x", "message": "the reason", "request_id": "q"},
        {"type": "invalid_argument", "field_violations": [{"field": "qty", "message": "the reason"}]},
    ],
)
def test_13_every_envelope_gives_its_reason(body):
    error = parse.refusal(Response(400, {}, encode_json(body)))
    assert isinstance(error, Rejected)
    assert "the reason" in error.message
    assert error.request_id == body.get("request_id")


def test_14_the_sandbox_is_ours_unless_somebody_says_otherwise(monkeypatch):
    from tradehook.settings import Settings

    assert Settings.from_environment({}).environment == "sandbox"
    assert TrueMarkets.spec.hosts["sandbox"].startswith("http://127.0.0.1")


@pytest.mark.parametrize("chain", ["robinhood", "hypercore", "somethingnew"])
def test_15_any_chain_is_read(chain):
    assert parse.order({"order_id": "1", "status": "complete", "chain": chain}).chain == chain


def test_16_a_token_without_a_refresh_token_is_renewed_by_the_key():
    wire = Wire(token={"refresh_token": None, "expires_in": 100})
    run(wire.exchange.session.token())
    wire.clock.advance(95)
    run(wire.exchange.session.token())
    assert [request.path for request in wire.asked] == ["/v1/auth/api-key/token"] * 2


@pytest.mark.parametrize("has_payloads", [True, False])
def test_17_payloads_decide_whether_a_transfer_waits_for_a_signature(has_payloads):
    row = {"id": "t", "status": "pending", "payloads": [{"digest": "d", "payload": "p"}] if has_payloads else None}
    from tradehook.exchanges.true_markets import transfers
    from tradehook.transfers import SizedTransfer

    sized = SizedTransfer(asset="A", asset_id="a", quantity="1", to="x", address="0x", network="base", typed="1")
    made = transfers.create(URL, sized).read(Response(201, {}, encode_json(row)))
    assert made.awaits_signature is has_payloads


@pytest.mark.parametrize("status", [404, 405])
def test_18_without_the_single_read_an_order_is_found_in_the_list_and_else_by_its_status(wire, status):
    wire.say("GET", "/orders/one", status, {"message": "no"})
    wire.say("GET", "/orders/one/status", 200, {"status": "complete"})
    wire.say("GET", "/orders", 200, {"data": [{"order_id": "one", "status": "complete", "executed_qty": "0.5"}]})
    assert run(wire.exchange.get_order("one")).filled == Decimal("0.5")
    wire.answers.pop(("GET", "/orders"))
    wire.say("GET", "/orders", 200, {"data": []})
    order = run(wire.exchange.get_order("one"))
    assert (order.status, order.filled) == (OrderStatus.FILLED, None)
    # It is not asked for again and again.
    assert sum(1 for request in wire.asked if request.path.endswith("/orders/one")) == 1


def test_18_an_order_that_nobody_knows_is_not_found(wire):
    with pytest.raises(NotFound):
        run(wire.exchange.get_order("one"))


def test_19_orders_and_transfers_are_done_in_words_of_their_own():
    assert parse.status("complete") is OrderStatus.FILLED
    assert parse.status("completed") is OrderStatus.UNRECOGNIZED
    assert parse_transfers.transfer({"id": "t", "status": "completed"}).status is TransferStatus.COMPLETED
    assert not parse_transfers.transfer({"id": "t", "status": "success"}).is_final


@pytest.mark.parametrize("cursor", ["2026-06-26T10:36:18.5Z", "eyJhIjoxfQ", "2026-06-26T10:36:18+00:00"])
def test_20_a_cursor_goes_back_as_it_came(wire, cursor):
    first = {"data": [{"order_id": "1", "status": "complete"}], "pagination": {"next_cursor": cursor}}
    wire.say("GET", "/orders", 200, first)
    wire.say("GET", "/orders", 200, {"data": [{"order_id": "2", "status": "complete"}], "pagination": None})
    assert [order.order_id for order in run_each(wire.exchange.list_orders())] == ["1", "2"]
    assert dict(wire.asked[-1].params)["cursor"] == cursor


@pytest.mark.parametrize("name", ["USD", "USDC", "PYUSD"])
def test_22_every_name_of_the_dollar_is_the_books_at_the_exchange(wire, name):
    wire.say("POST", "/quotes", 200, {"qty": "0.01", "price": "67340.2"})
    sized = run(wire.exchange.size_order(NewOrder.of(f"BTC/{name}", side="buy", amount="$50")))
    assert sized.market == "BTC/PYUSD"
    assert wire.bodies("POST", "/quotes")[0]["quote_asset"] == "PYUSD"


def test_what_is_signed_is_hashed_once():
    """`digest` belongs to the payload; signing it instead would hash twice, and a wrong one is not signed."""
    payload = '{"type":"X"}'
    from tradehook.errors import PayloadMismatch
    from tradehook.exchanges.true_markets.orders import check_digest
    from tradehook.models import Payload

    check_digest(Payload(digest=hashlib.sha256(payload.encode()).hexdigest(), payload=payload))
    with pytest.raises(PayloadMismatch):
        check_digest(Payload(digest="00", payload=payload))


def test_a_failure_of_theirs_is_told_from_a_no():
    assert isinstance(parse.refusal(Response(503, {}, b"<html>")), Unavailable)
    assert not issubclass(GuardRefused, Rejected)
    assert issubclass(Rejected, TradehookError)
