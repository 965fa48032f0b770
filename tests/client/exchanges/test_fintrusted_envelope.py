"""What an answer means: four envelopes, codes and texts, and what stays in doubt. U2, U3, U19, U25."""

from __future__ import annotations

import json

import pytest

from tradehook.errors import (
    EdgeBlocked,
    Forbidden,
    InsufficientFunds,
    InvalidOrder,
    NotFound,
    RateLimited,
    Rejected,
    ResponseError,
    Unauthorized,
    Unavailable,
    UnexpectedResponse,
    WrongState,
)
from tradehook.exchanges.fintrusted import envelope
from tradehook.exchanges.fintrusted.dialect import Dialect
from tradehook.retry import Verdict, verdict
from tradehook.wire import Response

DIALECT = Dialect()


def said(body: object, status: int = 200, **headers: str) -> Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Response(status, {name.replace("_", "-"): value for name, value in headers.items()}, content)


@pytest.mark.parametrize(
    ("body", "payload", "has_code"),
    [
        ({"code": 0, "message": "success", "data": {"a": 1}}, {"a": 1}, True),
        ({"code": "0", "message": "success", "data": None}, None, True),
        ({"code": "00", "data": 5}, 5, True),
        ({"code": 200, "msg": "ok", "data": [1]}, [1], True),
        ({"code": 200, "msg": "ok", "rows": [1], "total": 1}, {"rows": [1], "total": 1}, True),
        ({"code": 0, "orderId": "E1"}, {"orderId": "E1"}, True),
        ({"code": 0}, None, True),
        ({"code": None, "data": 5}, 5, False),
        ({"data": {"a": 1}}, {"a": 1}, False),
        ({"symbol": "BTC/USDT"}, {"symbol": "BTC/USDT"}, False),
        ([1, 2], [1, 2], False),
        (74000, 74000, False),
    ],
)
def test_every_envelope_is_opened(body, payload, has_code):
    assert envelope.answer(said(body), DIALECT) == (payload, has_code)


def test_codes_of_success_are_a_setting():
    body = {"code": 1, "message": "fine", "data": 5}
    with pytest.raises(Rejected):
        envelope.answer(said(body), DIALECT)
    assert envelope.answer(said(body), Dialect.parse({"success_codes": "1"})).payload == 5
    with pytest.raises(Rejected):
        envelope.answer(said({"code": 0, "message": "refused"}), Dialect.parse({"success_codes": "1"}))


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        ({"code": 500, "message": "insufficient coin:USDT"}, 200, InsufficientFunds),
        ({"code": "500", "message": "Insufficient Coin:USDT"}, 200, InsufficientFunds),
        ({"code": 500, "message": "USDT"}, 200, InsufficientFunds),
        ({"code": 500, "message": "可用余额不足"}, 200, InsufficientFunds),
        ({"code": 6010, "message": "?"}, 200, InsufficientFunds),
        ({"code": 500, "message": "insufficient permissions"}, 200, Forbidden),
        ({"code": 500, "message": "order state error (completed or canceled)"}, 200, WrongState),
        ({"code": 9027, "msg": "x"}, 200, WrongState),
        ({"code": 500, "message": "illegal argument"}, 200, InvalidOrder),
        ({"code": 4001, "message": "x"}, 200, InvalidOrder),
        ({"code": 9026, "message": "x"}, 200, NotFound),
        ({"code": 4000, "message": "please login"}, 200, Unauthorized),
        ({"code": 500, "message": "please login"}, 200, Unauthorized),
        ({"code": 3011, "message": "x"}, 200, Unauthorized),
        ({"code": 3004, "message": "x"}, 200, Forbidden),
        ({"code": 3005, "message": "x"}, 200, RateLimited),
        ({"code": 500, "message": "something else"}, 200, Rejected),
        ({"code": 500, "message": "FAILED"}, 200, Rejected),
        ({"code": 500}, 200, Rejected),
        ({"code": 77, "message": "something else"}, 200, Rejected),
        ({"code": 0, "success": False, "message": "something else"}, 200, Rejected),
        ({"code": 500, "message": "insufficient coin:USDT"}, 400, InsufficientFunds),
        ({"code": 4000, "message": "please login"}, 400, Unauthorized),
        ({"code": 0, "message": "success"}, 400, Rejected),
        (b"", 401, Unauthorized),
        (b"", 404, NotFound),
        (b"{}", 403, Forbidden),
        (b"<html>challenge</html>", 403, EdgeBlocked),
        (b"", 418, RateLimited),
        (b"", 429, RateLimited),
        (b"", 302, ResponseError),
    ],
)
def test_a_no_is_definite_and_has_its_class(body, status, kind):
    with pytest.raises(ResponseError) as caught:
        envelope.answer(said(body, status), DIALECT)
    assert type(caught.value) is kind
    assert not caught.value.may_have_happened
    assert verdict("single", caught.value) is not Verdict.UNKNOWN
    assert caught.value.exchange == "fintrusted"


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        ({"code": 500, "message": "insufficient coin:USDT"}, 500, Unavailable),
        (b"<html>bad gateway</html>", 502, Unavailable),
        ({"code": 500, "message": "request timeout"}, 200, Unavailable),
        ({"code": 503, "message": "busy"}, 200, Unavailable),
        (b"<html>checking your browser</html>", 200, UnexpectedResponse),
        (b'{"code":0,"mess', 200, UnexpectedResponse),
        (b"", 200, UnexpectedResponse),
        (b"null", 200, UnexpectedResponse),
        (b"true", 200, UnexpectedResponse),
        ({"code": 500, "message": "TIMEOUT"}, 200, Unavailable),
        ({"code": 1, "message": "SUCCESS"}, 200, UnexpectedResponse),
        ({"code": 500, "message": "success"}, 200, UnexpectedResponse),
        ({"code": 500, "success": True, "message": "x"}, 200, UnexpectedResponse),
        ({"code": "ok", "message": "ok"}, 200, UnexpectedResponse),
        ({"code": 1, "success": True, "message": "placed"}, 200, UnexpectedResponse),
        ({"code": 1, "data": "E1"}, 200, UnexpectedResponse),
        ({"code": True, "data": "E1"}, 200, UnexpectedResponse),
        ({"code": [], "data": "E1"}, 200, UnexpectedResponse),
        (b" " * 5_000_001, 200, UnexpectedResponse),
    ],
)
def test_what_cannot_be_told_stays_in_doubt_where_money_moved(body, status, kind):
    with pytest.raises(kind) as caught:
        envelope.answer(said(body, status), DIALECT)
    assert caught.value.may_have_happened
    assert verdict("single", caught.value) is Verdict.UNKNOWN


def test_codes_that_mean_log_in_again_are_a_setting():
    body = {"code": 777, "message": "who are you"}
    with pytest.raises(Rejected):
        envelope.answer(said(body), DIALECT)
    with pytest.raises(Unauthorized):
        envelope.answer(said(body), Dialect.parse({"auth_error_codes": "777"}))


def test_how_long_to_wait_is_the_servers_word():
    with pytest.raises(RateLimited) as caught:
        envelope.answer(said({"code": 3005}, retry_after="7"), DIALECT)
    assert caught.value.retry_after_seconds == 7


def test_the_exchanges_own_words_are_shown_and_nothing_in_them_harms():
    text = (
        "订单提交失败: insufficient coin:USDT\x1b[31m\u202e for a@b.example with eyJhbGciOiJIUzI1NiJ9.e30.x "
        + "y" * 999
    )
    with pytest.raises(InsufficientFunds) as caught:
        envelope.answer(said({"code": 500, "message": text}), DIALECT)
    message = caught.value.message
    assert "订单提交失败: insufficient coin:USDT" in message
    assert message.isprintable()
    assert "a@b.example" not in message
    assert "eyJ" not in message
    assert len(message) < 300


def test_a_secret_that_is_sent_back_is_not_shown():
    dialect = Dialect.parse({"email": "who@example.com", "password": "canary-pass", "token": "canary-token"})
    with pytest.raises(Rejected) as caught:
        envelope.answer(said({"code": 500, "message": "bad canary-pass and canary-token"}), dialect)
    assert "canary" not in caught.value.message
