"""API keys as the exchange knows them: the public halves, and whose they are.

See: truemarkets-api 2.1 (the file) and 2.8 (the test vector).
"""

from __future__ import annotations

import base64
import binascii
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_BYTES: Final = 32
_ECDSA: Final = ec.ECDSA(hashes.SHA256())


def to_base64url(data: bytes) -> str:
    """Base64 for addresses, without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def from_base64url(text: str) -> bytes:
    """The bytes again, with or without padding.

    Raises:
        ValueError: other characters, or a length that cannot be.
    """
    try:
        raw = text.rstrip("=").encode("ascii")
        return base64.b64decode(raw + b"=" * (-len(raw) % 4), altchars=b"-_", validate=True)
    except (UnicodeEncodeError, binascii.Error):
        raise ValueError("not base64url") from None


@dataclass(frozen=True, slots=True)
class Key:
    """One registered key."""

    key_id: str
    uid: str
    public_key: ec.EllipticCurvePublicKey

    @property
    def public_hex(self) -> str:
        """The compressed point, lower-case hex: its name in a stamp, and in a store."""
        return compressed_hex(self.public_key)

    def signed_raw(self, message: bytes, signature: bytes) -> bool:
        """Whether this is the key's signature of the message, in JOSE form: r and s, 32 bytes each."""
        if len(signature) != 2 * _BYTES:
            return False
        r, s = int.from_bytes(signature[:_BYTES]), int.from_bytes(signature[_BYTES:])
        return self.signed_der(message, encode_dss_signature(r, s))

    def signed_der(self, message: bytes, signature: bytes) -> bool:
        """The same for a signature in DER."""
        try:
            self.public_key.verify(signature, message, _ECDSA)
        except InvalidSignature:
            return False
        return True


class KeyRing:
    """All registered keys."""

    def __init__(self) -> None:
        self._keys: dict[str, Key] = {}

    def __iter__(self) -> Iterator[Key]:
        return iter(self._keys.values())

    def get(self, key_id: str) -> Key | None:
        """The key with this id."""
        return self._keys.get(key_id)

    def of(self, uid: str) -> list[Key]:
        """All keys of one account."""
        return [key for key in self._keys.values() if key.uid == uid]

    def register(self, key_id: str, public_key: ec.EllipticCurvePublicKey, uid: str) -> Key:
        """The exchange accepts this key for the account from now on."""
        key = Key(key_id=key_id, uid=uid, public_key=public_key)
        self._keys[key_id] = key
        return key


def compressed_hex(public_key: ec.EllipticCurvePublicKey) -> str:
    """The compressed point, lower-case hex."""
    return public_key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.CompressedPoint).hex()


def from_compressed_hex(text: str) -> ec.EllipticCurvePublicKey:
    """The public key again. Raises `ValueError`."""
    return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), bytes.fromhex(text))


def fresh_bundle() -> dict[str, Any]:
    """A new key in the exchange's file format, private half included."""
    key = ec.generate_private_key(ec.SECP256R1())
    secret = to_base64url(key.private_numbers().private_value.to_bytes(_BYTES))
    return {
        "key_id": str(uuid.uuid4()),
        "private_key": {**public_jwk(key.public_key()), "d": secret},
        "algorithm": "ES256",
    }


def public_jwk(public_key: ec.EllipticCurvePublicKey) -> dict[str, str]:
    """The public half as a JWK."""
    numbers = public_key.public_numbers()
    x, y = numbers.x.to_bytes(_BYTES), numbers.y.to_bytes(_BYTES)
    return {"kty": "EC", "crv": "P-256", "x": to_base64url(x), "y": to_base64url(y)}


def read_bundle(bundle: Mapping[str, Any]) -> tuple[str, ec.EllipticCurvePublicKey]:
    """The id and public key in a key file, from `d`, or from `x` and `y` when it holds only those.

    The JWK may stand under `private_key`, `public_key`, or beside `key_id`.

    Raises:
        ValueError: what is wrong; never quotes the file.
    """
    try:
        key_id = str(uuid.UUID(bundle["key_id"]))
    except (KeyError, ValueError, AttributeError, TypeError):
        raise ValueError("`key_id` is missing or is not a UUID") from None
    jwk = bundle.get("private_key") or bundle.get("public_key") or bundle
    if not hasattr(jwk, "get") or (jwk.get("kty", "EC"), jwk.get("crv", "P-256")) != ("EC", "P-256"):
        raise ValueError("the key is not an EC P-256 JWK")
    if bundle.get("algorithm", "ES256") != "ES256":
        raise ValueError("`algorithm` must be ES256")
    try:
        return key_id, _public_key(jwk)
    except (KeyError, ValueError, AttributeError, TypeError):
        raise ValueError("the JWK is damaged: it needs `d`, or `x` and `y`, in base64url") from None


def _public_key(jwk: Mapping[str, Any]) -> ec.EllipticCurvePublicKey:
    if "d" in jwk:
        secret = int.from_bytes(from_base64url(jwk["d"]))
        return ec.derive_private_key(secret, ec.SECP256R1()).public_key()
    x, y = (int.from_bytes(from_base64url(jwk[name])) for name in ("x", "y"))
    return ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
