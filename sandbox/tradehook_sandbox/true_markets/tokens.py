"""Signing in: an ES256 signature for a pair of JWTs, refresh with rotation, and the public key set.

See: truemarkets-api 2.2 to 2.5. Malformed input gives 400; everything cryptographic or temporal gives 401.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from tradehook.wire import decode_json, encode_json
from tradehook_sandbox.clock import MICROS, micros, rfc3339
from tradehook_sandbox.true_markets.calls import Refusal, require, text_field, uuid_text
from tradehook_sandbox.true_markets.keys import Key, from_base64url, public_jwk, to_base64url

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tradehook_sandbox.true_markets.keys import KeyRing
    from tradehook_sandbox.true_markets.rules import Rules

ISSUER: Final = "tradehook-sandbox"
WINDOW_SECONDS: Final = 30
REFRESH_SECONDS: Final = 30 * 86_400
_MOST_CACHED: Final = 10_000


@dataclass(frozen=True, slots=True)
class Claims:
    """What a token of ours says."""

    uid: str
    key_id: str
    use: str
    token_id: str
    expires: int


class Tokens:
    """Mints, renews and verifies tokens."""

    def __init__(self, keys: KeyRing, *, rules: Rules, signing_key: ec.EllipticCurvePrivateKey | None = None) -> None:
        self._rules = rules
        self.signing_key = signing_key or ec.generate_private_key(ec.SECP256R1())
        self.live_refresh: dict[str, int] = {}
        """Refresh tokens that may still be used once: id -> expiry."""
        self.unsaved: dict[str, int | None] = {}
        """What changed among them since a store last looked; `None` for one that was used."""
        self._keys = keys
        self._own = Key("", "", self.signing_key.public_key())
        self._verified: dict[str, Claims] = {}

    @cached_property
    def pem(self) -> str:
        """The signing key, for a store."""
        return self.signing_key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()

    def mint(self, content: Mapping[str, Any], *, now: float) -> dict[str, str]:
        """A first pair of tokens for whoever signed this second with a registered key.

        Raises:
            Refusal: 400 or 401.
        """
        require(content, "key_id", "timestamp", "signature")
        key_id = uuid_text(content["key_id"], "key_id")
        timestamp = content["timestamp"]
        if not isinstance(timestamp, int) or isinstance(timestamp, bool):
            raise Refusal(400, "timestamp must be an integer, in unix seconds")
        try:
            signature = from_base64url(text_field(content, "signature"))
        except ValueError:
            raise Refusal(400, "signature must be base64url") from None
        if abs(timestamp * MICROS - micros(now)) > WINDOW_SECONDS * MICROS:
            raise Refusal(401, f"timestamp is not within {WINDOW_SECONDS} seconds of server time")
        key = self._keys.get(key_id)
        message = f"{content['key_id']}.{timestamp}".encode()
        if key is None or not self._is_signed(key, message, signature):
            raise Refusal(401, "invalid signature")
        return self._pair(key.uid, key.key_id, now=now)

    def refresh(self, content: Mapping[str, Any], *, now: float) -> dict[str, str]:
        """A next pair for a refresh token that was not used yet; it is used up by this, unless the rules are lenient.

        Raises:
            Refusal: 400 or 401.
        """
        claims = self._read(text_field(content, "refresh_token", longest=4_000))
        if claims is None or claims.use != "refresh" or claims.expires <= now:
            raise Refusal(401, "invalid refresh token")
        if not self._rules.lenient_refresh:
            if self.live_refresh.pop(claims.token_id, None) is None:
                raise Refusal(401, "refresh token was already used")
            self.unsaved[claims.token_id] = None
        return self._pair(claims.uid, claims.key_id, now=now)

    def verify(self, authorization: str, *, now: float) -> Claims:
        """Whoever an `Authorization` header belongs to.

        Raises:
            Refusal: 401.
        """
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Refusal(401, "missing or malformed bearer token")
        claims = self._read(token.strip())
        if claims is None or claims.use != "access" or self._keys.get(claims.key_id) is None:
            raise Refusal(401, "invalid token")
        if claims.expires <= now:
            raise Refusal(401, "token is expired")
        return claims

    def key_set(self) -> dict[str, Any]:
        """The JWKS with the key that signs our tokens."""
        jwk = public_jwk(self.signing_key.public_key())
        return {"keys": [{**jwk, "alg": "ES256", "use": "sig", "kid": self._own.public_hex[:16]}]}

    def _is_signed(self, key: Key, message: bytes, signature: bytes) -> bool:
        if key.signed_raw(message, signature):
            return True
        return self._rules.accept_der and key.signed_der(message, signature)

    def _pair(self, uid: str, key_id: str, *, now: float) -> dict[str, str]:
        expires = int(now) + self._rules.token_seconds
        access, _ = self._issue(uid, key_id, "access", issued=int(now), expires=expires)
        return {
            "access_token": access,
            **({} if self._rules.no_refresh_token else {"refresh_token": self._refresh_token(uid, key_id, now=now)}),
            # A point in time, whatever its name says: so it is on the real wire.
            "expires_in": rfc3339(expires * MICROS).replace(".000000Z", "Z"),
            "token_type": "Bearer",
        }

    def _refresh_token(self, uid: str, key_id: str, *, now: float) -> str:
        expires = int(now) + REFRESH_SECONDS
        token, token_id = self._issue(uid, key_id, "refresh", issued=int(now), expires=expires)
        self.live_refresh[token_id] = self.unsaved[token_id] = expires
        return token

    def _issue(self, uid: str, key_id: str, use: str, *, issued: int, expires: int) -> tuple[str, str]:
        token_id = str(uuid4())
        header = {"alg": "ES256", "typ": "JWT", "kid": self._own.public_hex[:16]}
        claims = {
            "iss": ISSUER,
            "sub": f"{uid}@sandbox.invalid",
            "uid": uid,
            "iat": issued,
            "exp": expires,
            "jti": token_id,
            "key_id": key_id,
            "use": use,
        }
        signed = f"{to_base64url(encode_json(header))}.{to_base64url(encode_json(claims))}"
        r, s = decode_dss_signature(self.signing_key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
        token = f"{signed}.{to_base64url(r.to_bytes(32) + s.to_bytes(32))}"
        return token, token_id

    def _read(self, token: str) -> Claims | None:
        # A signature takes a tenth of a millisecond to verify; the same token comes with every request.
        if token in self._verified:
            return self._verified[token]
        claims = self._parse(token)
        if claims is not None:
            if len(self._verified) >= _MOST_CACHED:
                self._verified.clear()
            self._verified[token] = claims
        return claims

    def _parse(self, token: str) -> Claims | None:
        parts = token.split(".")
        if len(parts) != 3 or not token.isascii():
            return None
        try:
            header, content, signature = (from_base64url(part) for part in parts)
            # The algorithm is ours to choose, never the token's: "none" and friends end here.
            if decode_json(header).get("alg") != "ES256":
                return None
            if not self._own.signed_raw(f"{parts[0]}.{parts[1]}".encode(), signature):
                return None
            claims = json.loads(content)
            return Claims(claims["uid"], claims["key_id"], claims["use"], claims["jti"], claims["exp"])
        except (ValueError, ArithmeticError, AttributeError, KeyError, TypeError):
            return None
