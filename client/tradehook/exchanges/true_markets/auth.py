"""Signing in: an ES256 signature for a JWT, and stamps for payloads. Pure, no waiting.

See: truemarkets-api 2.2 to 2.7 (docs.truemarkets.co, authentication).
"""

from __future__ import annotations

import base64
import binascii
import json
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tradehook.errors import UNKNOWN_KEY, Unauthorized, UnexpectedResponse
from tradehook.exchanges.true_markets import parse
from tradehook.exchanges.true_markets.keys import base64url, raw_signature
from tradehook.session import Token
from tradehook.wire import Request, encode_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tradehook.exchanges.true_markets.keys import Signer
    from tradehook.wire import Response

_SCHEME = "SIGNATURE_SCHEME_TK_API_P256"
_AUTH_SECONDS = 20.0
_LONGEST_LIFE_SECONDS = 10**9


class TrueMarketsAuth:
    """Mints and refreshes tokens for one key."""

    def __init__(self, signer: Signer, *, base_url: str) -> None:
        self.signer = signer
        self._url = f"{base_url}/v1/auth"

    def mint(self, *, at: float) -> Request:
        """The request for a first token, signed for this second (the exchange allows 30 s either way)."""
        timestamp = int(at)
        signature = raw_signature(self.signer.sign_der(f"{self.signer.key_id}.{timestamp}".encode()))
        body = {"key_id": self.signer.key_id, "timestamp": timestamp, "signature": base64url(signature)}
        return self._post("/api-key/token", body)

    def refresh(self, token: Token) -> Request | None:
        """The request for a next token; `None` when the last answer held no refresh token."""
        return self._post("/token/refresh", {"refresh_token": token.refresh}) if token.refresh else None

    def read(self, response: Response, *, server_now: float, received_at: float) -> Token:
        """The token in an answer. `expires_in` is a point in time, whatever its name says."""
        body = parse.mapping(self._accepted(response))
        access = parse.text(body, "access_token")
        if not access.isascii() or not access.isprintable() or " " in access:
            # It becomes part of a header.
            raise parse.unexpected("the token is not one")
        refresh = body.get("refresh_token")
        life = _life_seconds(body.get("expires_in"), server_now=server_now)
        return Token(
            access=access,
            refresh=refresh if isinstance(refresh, str) and refresh else None,
            claims=claims(access),
            received_at=received_at,
            life_seconds=life,
        )

    def _accepted(self, response: Response) -> Any:
        try:
            return parse.accepted(response, 200, 201)
        except Unauthorized as error:
            if "invalid signature" not in error.message:
                raise
            # The signature is ours and right: so it is the key that is not on their list.
            host = urlsplit(self._url).netloc
            details = {**error.details, "code": UNKNOWN_KEY}
            raise Unauthorized(f"{host} does not know this key.", exchange=parse.EXCHANGE, **details) from None

    def apply(self, request: Request, token: Token) -> Request:
        """The request with its bearer token."""
        return request.with_headers(authorization=f"Bearer {token.access}")

    def _post(self, path: str, body: Mapping[str, Any]) -> Request:
        return Request(
            "POST",
            self._url + path,
            headers={"content-type": "application/json"},
            body=encode_json(body),
            timeout_seconds=_AUTH_SECONDS,
            lane="auth",
        )


def stamp(payload: str, *, signer: Signer) -> str:
    """Sign one payload exactly as received, in Turnkey's form.

    The text itself is signed, not its digest: signing hashes it. The same text gives the same stamp.
    """
    content = {
        "publicKey": signer.public_key_hex,
        "signature": signer.sign_der(payload.encode()).hex(),
        "scheme": _SCHEME,
    }
    return base64url(encode_json(content))


def claims(token: str) -> dict[str, Any]:
    """What a JWT says of its holder, unverified: used to tell accounts apart, never to trust."""
    try:
        middle = token.split(".")[1]
        content = json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))
    except (IndexError, ValueError, binascii.Error, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _life_seconds(value: object, *, server_now: float) -> float:
    if isinstance(value, str) and not (value.isascii() and value.isdigit()):
        try:
            until = datetime.fromisoformat(value)
        except ValueError:
            raise UnexpectedResponse("The token's expiry is not a time.", exchange="true_markets") from None
        if until.tzinfo is None:
            raise UnexpectedResponse("The token's expiry has no time zone.", exchange="true_markets")
        return until.timestamp() - server_now
    if isinstance(value, int | str):
        seconds = int(value)
        if abs(seconds) > _LONGEST_LIFE_SECONDS:
            raise UnexpectedResponse("The token's expiry is too far away to be true.", exchange="true_markets")
        return seconds
    raise UnexpectedResponse("The token came without its expiry.", exchange="true_markets")
