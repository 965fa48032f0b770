"""Tokens: who gets one, how long it lives, and what is refused."""

from __future__ import annotations

import base64
import json
from datetime import datetime

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from tradehook_sandbox import Clock, Sandbox

MINT = "/v1/auth/api-key/token"
REFRESH = "/v1/auth/token/refresh"
VECTOR_KEY = {
    "key_id": "11111111-2222-4333-8444-555555555555",
    "private_key": {
        "kty": "EC",
        "crv": "P-256",
        "x": "S5oKySoLz5BUzThk5xliYgByRKXXKL51ZG5UiD6ayE0",
        "y": "7q7voHibA6SLVV-qeQtz5jSWHxvo12rt5A4_nzMZJB0",
        "d": "qznDWGgWX6dtbSgtkN0rxWeve3AQ_j3lKgNNIepA3lY",
    },
}
VECTOR_BODY = {
    "key_id": "11111111-2222-4333-8444-555555555555",
    "timestamp": 1790000000,
    "signature": "CjovwNs4cwchZArI9w3x2COarPYaqu9wPTqtgbqRrOyq8cvV6lPOUCcdZPWk6tnLn7B0TL1zlNcMKORBK25O1Q",
}


def decoded(part):
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def tokens(trader):
    response = trader.send("POST", MINT, trader.mint_body())
    assert response.status == 200
    return response.json()


def test_the_references_test_vector_signs_in(trader_class):
    one = trader_class(Sandbox(), bundle=VECTOR_KEY)
    one.sandbox.register(VECTOR_KEY)
    assert one.send("POST", MINT, VECTOR_BODY).status == 200
    assert one.send("POST", MINT, {**VECTOR_BODY, "timestamp": 1790000001}).json()["message"] == "invalid signature"


def test_a_file_with_only_the_public_half_is_enough(trader_class):
    public = {name: VECTOR_KEY["private_key"][name] for name in ("x", "y")}
    for bundle in (
        {"key_id": VECTOR_KEY["key_id"], **public},
        {"key_id": VECTOR_KEY["key_id"], "public_key": {"kty": "EC", "crv": "P-256", **public}},
        {"key_id": VECTOR_KEY["key_id"], "private_key": {"kty": "EC", "crv": "P-256", **public}, "algorithm": "ES256"},
    ):
        sandbox = Sandbox()
        sandbox.register(bundle)
        assert trader_class(sandbox, bundle=VECTOR_KEY).send("POST", MINT, VECTOR_BODY).status == 200


def test_a_mint_answers_with_a_pair_and_a_point_in_time(trader):
    body = tokens(trader)
    assert set(body) == {"access_token", "refresh_token", "expires_in", "token_type"}
    assert body["token_type"] == "Bearer"
    assert body["expires_in"] == "2026-09-21T15:13:20Z"


def test_tokens_are_es256_jwts_that_the_published_key_verifies(trader):
    body = tokens(trader)
    key = trader.send("GET", "/.well-known/jwks.json").json()["keys"][0]
    x, y = (int.from_bytes(base64.urlsafe_b64decode(key[name] + "=")) for name in ("x", "y"))
    public = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
    header, claims, signature = body["access_token"].split(".")
    raw = base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4))
    assert len(raw) == 64
    der = encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))
    public.verify(der, f"{header}.{claims}".encode(), ec.ECDSA(hashes.SHA256()))
    assert decoded(header)["alg"] == key["alg"] == "ES256"
    assert decoded(header)["kid"] == key["kid"]
    said = decoded(claims)
    assert said["iss"] == "tradehook-sandbox"
    assert said["exp"] == datetime.fromisoformat(body["expires_in"]).timestamp() == said["iat"] + 3600
    assert said["sub"]
    assert said["jti"] != decoded(body["refresh_token"].split(".")[1])["jti"]


def test_the_uid_is_the_accounts_own_in_every_sandbox(trader, another_trader, new_trader):
    def uid(one):
        return decoded(tokens(one)["access_token"].split(".")[1])["uid"]

    assert uid(trader) == uid(new_trader(seed=9))
    assert uid(trader) != uid(another_trader)


@pytest.mark.parametrize(("offset", "status"), [(-31, 401), (-30, 200), (0, 200), (30, 200), (31, 401)])
def test_a_signature_is_good_for_thirty_seconds_either_way(trader, offset, status):
    assert trader.send("POST", MINT, trader.mint_body(offset=offset)).status == status


def test_a_signature_in_der_is_refused(trader):
    timestamp = int(trader.sandbox.clock.now())
    message = f"{trader.bundle['key_id']}.{timestamp}".encode()
    der = trader.key.sign(message, ec.ECDSA(hashes.SHA256()))
    signature = base64.urlsafe_b64encode(der).rstrip(b"=").decode()
    body = {"key_id": trader.bundle["key_id"], "timestamp": timestamp, "signature": signature}
    assert trader.send("POST", MINT, body).status == 401


def test_a_number_that_was_not_padded_is_refused(trader):
    body = trader.mint_body()
    raw = base64.urlsafe_b64decode(body["signature"] + "==")
    while raw[32]:
        body = trader.mint_body()
        raw = base64.urlsafe_b64decode(body["signature"] + "==")
    short = base64.urlsafe_b64encode(raw[:32] + raw[33:]).rstrip(b"=").decode()
    assert trader.send("POST", MINT, {**body, "signature": short}).status == 401
    assert trader.send("POST", MINT, body).status == 200


def test_another_key_cannot_sign(trader, another_trader):
    body = {**another_trader.mint_body(), "key_id": trader.bundle["key_id"]}
    assert trader.send("POST", MINT, body).status == 401
    body = {**trader.mint_body(), "key_id": "11111111-2222-4333-8444-555555555555"}
    assert trader.send("POST", MINT, body).status == 401


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"key_id": None}, "missing required field: key_id"),
        ({"key_id": "x"}, "key_id is not a valid UUID"),
        ({"key_id": 5}, "key_id is not a valid UUID"),
        ({"timestamp": "1790000000"}, "timestamp must be an integer"),
        ({"timestamp": True}, "timestamp must be an integer"),
        ({"timestamp": 1790000000.5}, "timestamp must be an integer"),
        ({"signature": "!!!"}, "signature must be base64url"),
        ({"signature": 7}, "signature must be a string"),
    ],
)
def test_what_is_malformed_is_400_and_named(trader, change, message):
    response = trader.send("POST", MINT, {**trader.mint_body(), **change})
    assert response.status == 400
    assert message in response.json()["message"]
    assert response.json()["code"] == 400


def test_a_time_beyond_all_numbers_is_401(trader):
    assert trader.send("POST", MINT, {**trader.mint_body(), "timestamp": 10**400}).status == 401


def test_a_token_ends_with_its_second(new_trader):
    one = new_trader(token_seconds=60)
    one.sandbox.clock.advance(59)
    assert one.call("GET", "/orders")[0] == 200
    one.sandbox.clock.advance(1)
    assert one.call("GET", "/orders") == (401, {"error": "", "message": "token is expired", "code": 401})
    assert one.mint().call("GET", "/orders")[0] == 200


def test_refresh_gives_the_next_pair_once(trader):
    first = trader.refresh_token
    response = trader.send("POST", REFRESH, {"refresh_token": first})
    assert response.status == 200
    second = response.json()
    trader.token = second["access_token"]
    assert trader.call("GET", "/orders")[0] == 200
    again = trader.send("POST", REFRESH, {"refresh_token": first})
    assert again.status == 401
    assert again.json()["message"] == "refresh token was already used"
    assert trader.send("POST", REFRESH, {"refresh_token": second["refresh_token"]}).status == 200


def test_a_refresh_token_outlives_the_access_token_and_not_for_ever(trader):
    trader.sandbox.clock.advance(7_200)
    assert trader.send("POST", REFRESH, {"refresh_token": trader.refresh_token}).status == 200
    trader.mint().sandbox.clock.advance(31 * 86_400)
    assert trader.send("POST", REFRESH, {"refresh_token": trader.refresh_token}).status == 401


def test_the_two_kinds_of_token_cannot_stand_for_each_other(trader):
    assert trader.send("POST", REFRESH, {"refresh_token": trader.token}).status == 401
    trader.token = trader.refresh_token
    assert trader.call("GET", "/orders")[0] == 401


def test_a_forged_token_is_refused(trader):
    header, claims, signature = trader.token.split(".")
    none = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').rstrip(b"=").decode()
    foreign = Sandbox(clock=Clock.frozen())
    other = type(trader)(foreign).mint()
    forged = (
        f"{header}.{claims}.",
        f"{none}.{claims}.",
        f"{header}.{claims}.{signature[:-4]}AAAA",
        other.token,
        "x",
        "a.b.c",
    )
    for token in forged:
        trader.token = token
        assert trader.call("GET", "/balances/unified")[0] == 401, token


def test_a_jwt_signed_with_the_api_key_itself_is_refused(trader):
    def part(content):
        return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()

    signed = f"{part({'alg': 'ES256'})}.{part({'uid': 'x', 'key_id': 'x', 'use': 'access', 'jti': 'x', 'exp': 9e9})}"
    trader.token = f"{signed}.{trader.sign_raw(signed)}"
    assert trader.call("GET", "/orders")[0] == 401


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic abc", "bearer x y"])
def test_every_private_endpoint_wants_a_bearer_token(trader, header):
    for method, path in (("GET", "/orders"), ("POST", "/orders"), ("GET", "/balances"), ("GET", "/balances/unified")):
        response = trader.send(method, f"/v1/gateway{path}", headers={"AUTHORIZATION": header})
        assert response.status == 401


def test_quotes_and_assets_are_open_but_a_bad_token_is_still_bad(trader):
    quote = {"base_asset": "BTC", "quote_asset": "USD", "qty": "0.01", "qty_unit": "base", "side": "buy"}
    for headers, status in (({}, 200), ({"authorization": "Bearer nonsense"}, 401)):
        assert trader.send("POST", "/v1/conductor/quotes", quote, headers=headers).status == status
        assert trader.send("GET", "/v1/conductor/assets", headers=headers).status == status
