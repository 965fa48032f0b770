"""Signing in. U1: the form and its field; U4: how long a token lives; U18: signed requests."""

from __future__ import annotations

import json
import logging
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs

import pytest
from tests.client.exchanges.far import AT, EMAIL, GOLDEN, INFO, LOGIN, PASSWORD, WALLETS, jwt, no, ok

from tradehook.errors import ConfigurationError, TradehookError, Unauthorized, UnexpectedResponse
from tradehook.exchanges.fintrusted import signing
from tradehook.lines.blocking import BlockingLine
from tradehook.run import run
from tradehook.wire import Request, Response, encode_form


def test_the_login_is_a_form_and_the_token_travels_bare(far):
    exchange = far.exchange()
    assert run(exchange.balances())
    (login,) = far.to(LOGIN)
    assert login.body == encode_form([("email", EMAIL), ("password", PASSWORD)])
    assert login.headers == {"content-type": "application/x-www-form-urlencoded"}
    (wallets,) = far.to(WALLETS)
    assert wallets.headers["Authorization"] == jwt()


def test_field_path_header_and_prefix_are_settings(far):
    far.answers["/uc/login"] = GOLDEN[LOGIN]
    exchange = far.exchange(
        login_field="username", login_path="/uc/login", auth_header="x-auth-token", auth_prefix="Bearer"
    )
    run(exchange.balances())
    assert parse_qs(far.to("/uc/login")[0].body.decode())["username"] == [EMAIL]
    headers = far.to(WALLETS)[0].headers
    assert headers["x-auth-token"] == f"Bearer {jwt()}"
    assert "Authorization" not in headers


@pytest.mark.parametrize(
    "answer",
    [
        ok({"Authorization": jwt()}),
        ok({"authorization": f" {jwt()} "}),
        ok({"token": f"Bearer {jwt()}"}),
        ok({"accessToken": jwt()}),
        ok({"access_token": jwt()}),
        ok(jwt()),
        {"data": {"Authorization": jwt()}},
        Response(200, {"authorization": jwt()}, b'{"code":0}'),
        Response(200, {"x-auth-token": jwt()}, b'{"code":0,"data":{"id":1}}'),
    ],
)
def test_the_token_is_found_wherever_it_stands(far, answer):
    far.answers[LOGIN] = answer
    run(far.exchange().balances())
    assert far.to(WALLETS)[0].headers["Authorization"] == jwt()


def test_a_given_token_is_used_before_any_login(far):
    exchange = far.exchange(token=jwt(memberId=7))
    assert run(exchange.account_id()) == "member-7"
    run(exchange.balances())
    assert far.to(LOGIN) == []


def test_a_given_token_that_is_refused_is_asked_for_anew(far):
    far.answers[WALLETS] = no("please login", 4000)
    with pytest.raises(Unauthorized, match="new TRADEHOOK_FINTRUSTED_TOKEN"):
        run(far.exchange(token="opaque-token-1").balances())
    assert (len(far.to(WALLETS)), len(far.to(LOGIN))) == (1, 0)


def test_a_given_token_that_has_expired_is_not_even_sent(far):
    with pytest.raises(Unauthorized, match="new TRADEHOOK_FINTRUSTED_TOKEN"):
        run(far.exchange(token=jwt(exp=int(AT) - 1)).balances())
    assert far.asked == []


def test_a_given_token_gives_way_to_the_password_where_there_is_one(far):
    def wallets(request):
        return GOLDEN[WALLETS] if request.headers["Authorization"] == jwt() else no("please login", 4000)

    far.answers[WALLETS] = wallets
    assert run(far.exchange(token="opaque-token-1", email=EMAIL, password=PASSWORD).balances())
    assert len(far.to(LOGIN)) == 1


@pytest.mark.parametrize("answer", [no("please login", 4000), no("x", 3011), Response(401, body=b"")])
def test_a_dead_token_is_renewed_once_and_no_more(far, answer):
    exchange = far.exchange()
    run(exchange.balances())
    far.answers[WALLETS] = answer
    with pytest.raises(Unauthorized):
        run(exchange.balances())
    assert (len(far.to(LOGIN)), len(far.to(WALLETS))) == (2, 3)


@pytest.mark.parametrize(
    "answer", [no("wrong username or password"), no("x", 4000), Response(401, body=b""), ok({"id": 1}), ok(None)]
)
def test_a_refused_login_is_told_and_never_a_loop(far, answer):
    far.answers[LOGIN] = answer
    exchange = far.exchange()
    for _ in range(5):
        with pytest.raises(Unauthorized, match=r"refused the login.*captcha.*ten minutes"):
            run(exchange.balances())
    assert (len(far.to(LOGIN)), len(far.to(WALLETS))) == (1, 0)
    far.clock.advance(601)
    far.answers[LOGIN] = GOLDEN[LOGIN]
    assert run(exchange.balances())


def test_a_refused_login_is_tried_once_even_where_the_clocks_differ(far):
    late = {"date": "Sat, 21 Nov 2026 12:04:00 GMT"}
    far.answers[LOGIN] = Response(200, late, json.dumps(no("wrong password")).encode())
    with pytest.raises(Unauthorized):
        run(far.exchange().balances())
    assert len(far.to(LOGIN)) == 1


def test_a_token_lives_as_long_as_it_says_else_a_week(far):
    far.answers[LOGIN] = ok({"Authorization": jwt(exp=int(AT) + 3600)})
    assert run(far.exchange().session.token()).life_seconds == pytest.approx(3600, abs=1)
    for token in (jwt(), jwt(exp="soon"), jwt(exp=True), jwt(exp=float("nan")), "opaque-token"):
        far.answers[LOGIN] = ok({"Authorization": token})
        assert run(far.exchange().session.token()).life_seconds == 7 * 86_400
    far.answers[LOGIN] = ok({"Authorization": jwt(exp=10**11)})
    assert run(far.exchange().session.token()).life_seconds == 366 * 86_400


def test_nothing_to_log_in_with_is_said(far):
    exchange = far.exchange()
    object.__setattr__(exchange.dialect, "password", "")
    with pytest.raises(ConfigurationError, match="TRADEHOOK_FINTRUSTED_TOKEN"):
        run(exchange.balances())


@pytest.mark.parametrize(
    ("login", "info", "account"),
    [
        ({"Authorization": jwt(memberId=5), "id": 1001}, None, "member-1001"),
        ({"Authorization": jwt(memberId=5)}, None, "member-5"),
        ({"Authorization": jwt(uid="u9")}, None, "member-u9"),
        ({"Authorization": jwt(sub="12")}, None, "member-12"),
        ({"Authorization": jwt(sub="who@example.com")}, {"id": 4}, "member-4"),
        ({"Authorization": "opaque-token"}, {"memberId": "77"}, "member-77"),
        ({"Authorization": jwt(sub="m-12")}, {}, "member-m-12"),
    ],
)
def test_whose_account_it_is(far, login, info, account):
    far.answers |= {LOGIN: ok(login), INFO: ok(info)}
    assert run(far.exchange().account_id()) == account
    assert bool(far.to(INFO)) is (info is not None)


def test_an_account_that_nothing_names_is_not_guessed(far):
    far.answers |= {LOGIN: ok({"Authorization": "opaque-token"}), INFO: ok({"email": EMAIL})}
    with pytest.raises(UnexpectedResponse, match="whose account"):
        run(far.exchange().account_id())


def test_the_sandbox_is_known_by_its_token(far):
    assert run(far.exchange().issued_by_sandbox())
    far.answers[LOGIN] = ok({"Authorization": jwt(iss="fintrusted")})
    assert not run(far.exchange().issued_by_sandbox())


def test_no_secret_leaves_by_a_log_an_error_or_a_repr(far, caplog):
    caplog.set_level(logging.DEBUG)
    token = "canary-token-opaque"
    far.answers[LOGIN] = ok({"Authorization": token, "id": 1, "username": "canary-name"})
    far.answers[WALLETS] = no(f"{PASSWORD} {token} {EMAIL} please do not")
    exchange = far.exchange(email=EMAIL, password=PASSWORD)
    with pytest.raises(TradehookError) as caught:
        run(exchange.balances())
    far.answers[LOGIN] = no(f"{PASSWORD} is not the password of {EMAIL}")
    with pytest.raises(Unauthorized) as refused:
        run(far.exchange().balances())
    told = [repr(exchange.dialect), repr(run(exchange.session.token())), repr(far.asked), caplog.text]
    for text in (*told, str(refused.value), repr(refused.value.details)):
        assert "canary" not in text
    assert PASSWORD not in str(caught.value)
    assert EMAIL not in str(caught.value)


# --- signed requests: U18, off by default -----------------------------------------------------------------------------

ORDER = [("symbol", "BTC/USDT"), ("direction", "0"), ("type", "0"), ("price", "74000"), ("amount", "0.001")]
SECRET = "testsecret-0123456789abcdef"
AT_MS = 1_700_000_000_000


def test_the_published_vector():
    body = b"symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559"
    secret = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"
    assert signing.digest(secret, body) == "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71"


def test_the_binance_style_signs_exactly_what_is_sent():
    signer = signing.BinanceStyle("testkey-public", SECRET)
    signed = signer.sign(Request("POST", "https://x/tx/spot/add", body=encode_form(ORDER)), at_ms=AT_MS)
    assert signed.body == (
        b"symbol=BTC%2FUSDT&direction=0&type=0&price=74000&amount=0.001&recvWindow=5000&timestamp=1700000000000"
        b"&signature=d54540cb568367c49656ed017a6a3304019a66b6ca43da56ada61068bb29482a"
    )
    assert signed.headers["X-API-KEY"] == "testkey-public"
    read = signer.sign(Request("GET", "https://x/uc/asset/spot-wallets"), at_ms=AT_MS)
    assert dict(read.params) == {
        "recvWindow": "5000",
        "timestamp": "1700000000000",
        "signature": "fe8702416829a442d2a62e25ad3e3b0e99db7db5793c385c7c1f1ee802801c87",
    }


def test_the_header_style_signs_exactly_what_is_sent():
    signer = signing.HeaderConcat("testkey-public", SECRET)
    request = Request("POST", "https://x/tx/spot/add", body=encode_form(ORDER))
    signed = signer.sign(request, at_ms=AT_MS)
    assert signed.headers["signature"] == "4689e85dd8bc2e0f98978a67be3abcaa125127af7eb7a4657d0319cb16aa5c6e"
    assert (signed.headers["timestamp"], signed.body) == ("1700000000000", request.body)


@pytest.mark.parametrize("style", ["binance", "header_concat"])
def test_signed_requests_need_no_login_and_show_no_secret(far, style):
    far.answers[INFO] = ok({"id": 9, "iss": "tradehook-sandbox"})
    exchange = far.exchange(hmac_style=style, hmac_key="canary-key", secret="canary-secret")
    assert run(exchange.balances())
    assert run(exchange.account_id()) == "member-9"
    assert run(exchange.issued_by_sandbox())
    (wallets,) = far.to(WALLETS)
    assert wallets.headers["X-API-KEY"] == "canary-key"
    assert "Authorization" not in wallets.headers
    assert far.to(LOGIN) == []
    assert "canary" not in repr((exchange.dialect, far.asked, signing.signer(exchange.dialect).secret and wallets))
    far.answers[WALLETS] = no("bad signature", 3002)
    with pytest.raises(Unauthorized, match="API key") as caught:
        run(exchange.balances())
    assert "canary" not in str(caught.value)


def test_requests_are_not_signed_unless_that_is_asked_for(far):
    assert signing.signer(far.exchange().dialect) is None
    run(far.exchange().balances())
    assert "X-API-KEY" not in far.to(WALLETS)[0].headers


class Echo(BaseHTTPRequestHandler):
    """Keeps what was sent, as it was sent."""

    def do_GET(self):
        length = int(self.headers.get("content-length") or 0)
        self.server.heard = (self.path, self.rfile.read(length), dict(self.headers))
        self.send_response(200)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def do_POST(self):
        self.do_GET()

    def log_message(self, *_):
        pass


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("style", [signing.BinanceStyle, signing.HeaderConcat])
def test_what_was_signed_is_what_arrives_to_the_byte(method, style):
    fields = (("symbol", "BTC/USDT"), ("note", "a b~c&d=\u00e9"))
    with HTTPServer(("127.0.0.1", 0), Echo) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}/tx/uorder/list"
        request = (
            Request("GET", url, params=fields) if method == "GET" else Request("POST", url, body=encode_form(fields))
        )
        line = BlockingLine()
        run(line.send(style("key", SECRET).sign(request, at_ms=AT_MS)))
        line.close()
        thread.join(10)
        path, body, headers = server.heard
    if style is signing.BinanceStyle:
        content = path.partition("?")[2].encode() if method == "GET" else body
        signed, _, signature = content.rpartition(b"&signature=")
    else:
        signed, signature = f"{AT_MS}{method}{path}".encode() + body, headers["signature"].encode()
    assert signing.digest(SECRET, signed).encode() == signature
