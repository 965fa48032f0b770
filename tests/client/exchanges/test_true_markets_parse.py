"""Answers are parsed or are a typed error, whatever comes back; and every known envelope is understood."""

from __future__ import annotations

import json
import random
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradehook import errors
from tradehook.exchanges.true_markets import orders, parse
from tradehook.models import NewOrder, Order, OrderStatus, SizedOrder
from tradehook.run import run
from tradehook.session import Session
from tradehook.wire import Response, encode_json

ORDER = {
    "order_id": "7d0f", "base_asset": "BTC", "quote_asset": "PYUSD", "type": "limit", "side": "buy", "price": "60000",
    "qty": "0.001", "executed_qty": "0", "leaves_qty": "0.001", "executed_vwap": "0", "status": "canceled",
    "created_at": "2026-06-26T10:36:18.123456Z",
}  # fmt: skip


def json_response(status, body, **headers):
    return Response(status, headers, encode_json(body))


@pytest.mark.parametrize(
    ("response", "kind", "said"),
    [
        (json_response(400, {"message": "bad qty"}), errors.InvalidOrder, "bad qty"),
        (json_response(400, {"error": "", "message": "insufficient balance", "code": 400}), errors.InsufficientFunds, "insufficient"),
        (json_response(400, {"error": "not found"}), errors.InvalidOrder, "not found"),
        (json_response(400, {"type": "invalid_argument", "field_violations": [{"field": "qty", "message": "too small"}]}), errors.InvalidOrder, "too small"),
        (json_response(401, {"type": "unauthenticated", "message": "invalid signature", "request_id": "r-1"}), errors.Unauthorized, "invalid signature"),
        (json_response(403, {"message": "kyc required"}), errors.Forbidden, "kyc required"),
        (Response(403, {"content-type": "text/html"}, b"<html>Just a moment</html>"), errors.EdgeBlocked, "protection layer"),
        (Response(403, {"cf-mitigated": "challenge"}, b""), errors.EdgeBlocked, "protection layer"),
        (json_response(404, {"message": "order not found"}), errors.NotFound, "order not found"),
        (json_response(409, {"message": "not initialized"}), errors.WrongState, "not initialized"),
        (json_response(422, {"type": "failed_precondition", "code": "quote_stale", "message": "x"}), errors.StaleQuote, "expired"),
        (json_response(429, {"message": "rate limit exceeded"}), errors.RateLimited, "slow down"),
        (json_response(500, {"error": "", "message": "internal server error", "code": 500}), errors.Unavailable, "internal server error"),
        (Response(503, {"content-type": "text/html"}, b"<html>"), errors.Unavailable, "503"),
        (Response(302, {"location": "https://elsewhere"}, b""), errors.ResponseError, "never followed"),
        (Response(418, {}, b"\xff\xfe"), errors.Rejected, "said no"),
        (Response(204, {}, b""), errors.UnexpectedResponse, "204"),
    ],
)  # fmt: skip
def test_refusals(response, kind, said):
    error = parse.refusal(response)
    assert type(error) is kind
    assert said in error.message
    assert error.exchange == "true_markets"


def test_refusals_carry_what_helps_support():
    error = parse.refusal(json_response(400, {"message": "no", "code": "too_small", "request_id": "r-1"}))
    assert (error.status, error.code, error.request_id) == (400, "too_small", "r-1")
    assert parse.refusal(json_response(400, {"message": "no", "code": 400})).code is None


def test_a_wrong_unit_is_told_apart():
    assert parse.refusal(json_response(400, {"message": "qty_unit must be quote for a market buy"})).code == "unit"


def test_somebody_elses_text_is_made_safe_to_show():
    error = parse.refusal(json_response(400, {"message": "a\x1b[31m\nb\u202e" + "x" * 5000}))
    assert "\x1b" not in error.message
    assert "\n" not in error.message
    assert len(error.message) < 300


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("initialized", OrderStatus.CREATED), ("pending", OrderStatus.PENDING), ("active", OrderStatus.OPEN),
        ("cancel_pending", OrderStatus.CANCELING), ("complete", OrderStatus.FILLED), ("canceled", OrderStatus.CANCELED),
        ("cancelled", OrderStatus.CANCELED), ("CANCELED", OrderStatus.CANCELED), ("failed", OrderStatus.FAILED),
        ("settling", OrderStatus.UNRECOGNIZED), (None, OrderStatus.UNRECOGNIZED), (7, OrderStatus.UNRECOGNIZED),
    ],
)  # fmt: skip
def test_status_words_old_new_and_unheard_of(word, status):
    order = parse.order({**ORDER, "status": word})
    assert order.status is status
    assert order.is_final == (status in (OrderStatus.FILLED, OrderStatus.CANCELED, OrderStatus.FAILED))


def test_an_order_with_everything_and_more():
    order = parse.order({**ORDER, "fee": "0.02", "qty_unit": "base", "venue": "cefi", "new_field": {"deep": [1]}})
    assert (order.price, order.filled, order.fee, order.average_price) == (
        Decimal(60000),
        Decimal(0),
        Decimal("0.02"),
        None,
    )
    assert order.created_at.isoformat() == "2026-06-26T10:36:18.123456+00:00"


def test_a_market_orders_reference_price_is_not_taken_for_a_limit():
    assert parse.order({**ORDER, "type": "market"}).price is None


@pytest.mark.parametrize("value", ["1e3", "1E-8", ".5", "5.", "0", "-0", "1" + "0" * 29])
def test_numbers_in_every_form_the_wire_uses(value):
    assert parse.number({"n": value}, "n") == Decimal(value)


@pytest.mark.parametrize("value", ["NaN", "inf", "-Infinity", "1e400", "abc", "1" + "0" * 40, [], {}, "１２x", "1e-99"])
def test_numbers_that_are_none(value):
    with pytest.raises(errors.UnexpectedResponse):
        parse.number({"n": value}, "n")


def test_json_numbers_keep_every_digit():
    body = Response(200, {}, b'{"n": 0.1000000000000000055511151231257827}').json()
    assert parse.number(body, "n") == Decimal("0.1000000000000000055511151231257827")


SIZED = SizedOrder(base="BTC", quote="PYUSD", side="buy", quantity=Decimal("0.001"), unit="base", typed="0.001")


@pytest.mark.parametrize("body", [{}, [], None, "x", {"order_id": 5}, {"order_id": None}, {"status": "pending"}, {"order_id": "a", "payloads": 5}, {"order_id": "a", "payloads": [5]}, {"order_id": "a", "payloads": [{"digest": "x"}]}])  # fmt: skip
def test_a_created_order_without_its_id_is_unexpected(body):
    write = orders.place("http://h", SIZED)
    with pytest.raises(errors.UnexpectedResponse):
        write.read(json_response(201, body))


@pytest.mark.parametrize(
    "issues", [["insufficient balance"], [{"message": "insufficient balance", "balance": {"actual": "0"}}]]
)
def test_an_empty_id_means_no_order_was_made(issues):
    write = orders.place("http://h", SIZED)
    with pytest.raises(errors.InsufficientFunds, match="insufficient balance"):
        write.read(json_response(201, {"order_id": "", "status": "failed", "quote": {"issues": issues}}))


READERS = {
    "created": lambda response: orders.place("http://h", SIZED).read(response),
    "order": lambda response: parse.order(parse.mapping(parse.accepted(response, 200))),
    "orders": lambda response: [parse.order(row) for row in parse.rows(parse.accepted(response, 200))],
    "asset": lambda response: [parse.asset(row) for row in parse.rows(parse.accepted(response, 200))],
    "balance": lambda response: [parse.balance(row) for row in parse.rows(parse.accepted(response, 200))],
    "quote": lambda response: parse.chain_quote(parse.mapping(parse.accepted(response, 200))),
    "refusal": lambda response: (_ for _ in ()).throw(parse.refusal(response)),
}
SESSION = Session(None, auth=None, budget=None, exchange="true_markets")  # only `understand` is used: it needs none


def understand(reader, response):
    """Parsed, or a typed error: nothing else may come out."""
    try:
        return SESSION.understand(response, reader)
    except errors.TradehookError:
        return None


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(
        ["pending", "buy", "base", "1.5", "2026-06-26T10:36:18Z", "9999-99-99T00:00:00Z", "1e999999999", "-1"]
    )
)
NAMES = st.sampled_from([*ORDER, "fee", "qty_unit", "payloads", "quote", "issues", "data", "pagination", "message", "code", "total", "available", "held", "symbol", "id", "decimals", "qty_out"])  # fmt: skip
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=8), max_leaves=20
)


@given(st.sampled_from(sorted(READERS)), st.sampled_from([200, 201, 400, 401, 403, 404, 422, 429, 500]), JSON)
def test_any_json_is_parsed_or_a_typed_error(name, status, body):
    understand(READERS[name], Response(status, {}, json.dumps(body).encode()))


@given(st.sampled_from(sorted(READERS)), st.integers(100, 599), st.binary(max_size=200))
def test_any_bytes_are_parsed_or_a_typed_error(name, status, body):
    understand(READERS[name], Response(status, {}, body))


def test_twenty_thousand_damaged_answers():
    """Real answers with bytes changed, cut, doubled: cheap, many, seeded."""
    chance = random.Random(20261121)
    bodies = [
        encode_json({"data": [{**ORDER, "fee": "0.1"}] * 2, "pagination": {"next_cursor": "2026-06-26T10:36:18Z", "limit": 2}}),
        encode_json({"order_id": "a", "status": "initialized", "payloads": [{"digest": "d", "payload": "{}"}], "quote": {"qty": "1", "qty_out": "2", "issues": []}}),
        encode_json({"error": "", "message": "internal server error", "code": 500}),
        encode_json({"data": [{"symbol": "BTC", "total": "0.5", "available": "0.4", "held": "0.1", "id": "x"}]}),
    ]  # fmt: skip
    for _ in range(20_000):
        body = bytearray(chance.choice(bodies))
        for _ in range(chance.randint(1, 4)):
            match chance.randint(0, 3):
                case 0 if body:
                    body[chance.randrange(len(body))] = chance.randrange(256)
                case 1 if body:
                    del body[chance.randrange(len(body)) :]
                case 2:
                    at = chance.randint(0, len(body))
                    body[at:at] = bytes(chance.choices(b'0123456789eE-+.",:{}[]\\u', k=chance.randint(1, 6)))
                case _:
                    body += body[: chance.randint(0, len(body))]
        reader = READERS[chance.choice(list(READERS))]
        understand(reader, Response(chance.choice([200, 201, 400, 500]), {}, bytes(body)))


def test_deep_nesting_is_a_typed_error():
    for body in (b"[" * 100_000, b'{"data":' * 50_000):
        with pytest.raises(errors.UnexpectedResponse):
            parse.accepted(Response(200, {}, body), 200)


# --- what we are asked to sign --------------------------------------------------------------------------------------

ON_CHAIN = NewOrder.of("CBBTC/USDC", side="buy", amount="$100", chain="base")


@pytest.fixture
def created(world):
    exchange = world.exchange()
    sized = run(exchange.size_order(ON_CHAIN))
    write = exchange.new_order(sized)
    order = run(exchange.session.read(write.request, write.read))
    return exchange, sized, order


def test_what_was_ordered_is_signed(created):
    exchange, sized, order = created
    assert exchange.execute_order(sized, created=order).kind == "execute"


def _swap(order: Order, old: str, new: str) -> Order:
    """The same order with its first payload changed, digest and all."""
    import hashlib

    payload = order.payloads[0].payload
    assert old in payload
    text = payload.replace(old, new)
    first = order.payloads[0].model_copy(update={"payload": text, "digest": hashlib.sha256(text.encode()).hexdigest()})
    return order.model_copy(update={"payloads": (first, *order.payloads[1:])})


def test_anything_else_is_not_signed(created):
    exchange, sized, order = created
    quote = order.chain_quote
    wrong = [
        order.model_copy(update={"payloads": ()}),
        order.model_copy(update={"chain_quote": None}),
        order.model_copy(update={"chain_quote": quote.model_copy(update={"quantity": Decimal(1000)})}),
        order.model_copy(update={"chain_quote": quote.model_copy(update={"output": Decimal(0)})}),
        order.model_copy(update={"chain_quote": quote.model_copy(update={"base": "0x0000000000000000000000000000000000000bad"})}),
        order.model_copy(update={"chain_quote": quote.model_copy(update={"quote": "EPjF"})}),
        order.model_copy(update={"chain_quote": quote.model_copy(update={"issues": ("trade size below minimum",)})}),
        order.model_copy(update={"payloads": (order.payloads[0].model_copy(update={"digest": "00" * 32}),)}),
        order.model_copy(update={"payloads": (order.payloads[0].model_copy(update={"payload": "not json", "digest": ""}),)}),
        order.model_copy(update={"payloads": (order.payloads[0].model_copy(update={"payload": "{}", "digest": ""}),)}),
        _swap(order, sized.base_address, "0x0000000000000000000000000000000000000bad"),
        _swap(order, '"side":"buy"', '"side":"sell"'),
        _swap(order, '"chain":"base"', '"chain":"solana"'),
    ]  # fmt: skip
    for number, changed in enumerate(wrong):
        with pytest.raises(errors.PayloadMismatch):
            exchange.execute_order(sized, created=changed)
            pytest.fail(f"number {number} was signed")
