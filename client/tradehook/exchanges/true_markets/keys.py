"""API keys on disk: read, checked, made, never shown.

The exchange hands out a JSON file with a JWK; a PEM file (encrypted or not) serves as well when its
key id is told. A file that others can read is refused. See: truemarkets-api 2.1.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from tradehook.errors import ConfigurationError, InvalidInput
from tradehook.private_files import read_private

if TYPE_CHECKING:
    from pathlib import Path

_COORDINATE_BYTES = 32
_LARGEST_EFFORT = 2**25
"""What OpenSSL and OWASP use comes to some hundred thousands, doubled a few times; this is a few seconds."""
_LONGEST_HEAD = 1_024
_DER_INTEGER, _DER_SEQUENCE = 0x02, 0x30


class Signer(Protocol):
    """Whatever holds a P-256 key: a file here, a hardware or cloud module elsewhere."""

    @property
    def key_id(self) -> str:
        """The id under which the exchange knows the public half."""
        ...

    @property
    def public_key_hex(self) -> str:
        """The compressed public point, lower-case hex."""
        ...

    def sign_der(self, message: bytes) -> bytes:
        """ECDSA over SHA-256 of the message, DER. The same message gives the same bytes (RFC 6979)."""
        ...


@dataclass(frozen=True, slots=True)
class FileSigner:
    """A key that lies in this process's memory. `repr` shows its id only."""

    key_id: str
    private_key: ec.EllipticCurvePrivateKey = field(repr=False)

    @property
    def public_key_hex(self) -> str:
        """The compressed public point, lower-case hex."""
        point = self.private_key.public_key().public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.CompressedPoint
        )
        return point.hex()

    def sign_der(self, message: bytes) -> bytes:
        """ECDSA over SHA-256, deterministic, so that a repeated execute sends identical bytes."""
        return self.private_key.sign(message, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))


def raw_signature(der: bytes) -> bytes:
    """DER to JOSE form: r and s, 32 bytes each."""
    r, s = decode_dss_signature(der)
    return r.to_bytes(_COORDINATE_BYTES) + s.to_bytes(_COORDINATE_BYTES)


def base64url(data: bytes) -> str:
    """Base64 for addresses, without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def new_private_key() -> ec.EllipticCurvePrivateKey:
    """A fresh P-256 key."""
    return ec.generate_private_key(ec.SECP256R1())


def public_pem(key: ec.EllipticCurvePrivateKey) -> str:
    """The public half, to be given to the exchange."""
    return (
        key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )


def bundle(key_id: str, key: ec.EllipticCurvePrivateKey) -> bytes:
    """The key file in the exchange's own form."""
    numbers = key.private_numbers()
    jwk = {
        "kty": "EC",
        "crv": "P-256",
        "x": base64url(numbers.public_numbers.x.to_bytes(_COORDINATE_BYTES)),
        "y": base64url(numbers.public_numbers.y.to_bytes(_COORDINATE_BYTES)),
        "d": base64url(numbers.private_value.to_bytes(_COORDINATE_BYTES)),
    }
    return json.dumps({"key_id": key_id, "private_key": jwk, "algorithm": "ES256"}, indent=2).encode() + b"\n"


def write_secret(path: Path, data: bytes) -> None:
    """Write a file that only its owner can read; it is never there half, and never replaces another.

    Raises:
        ConfigurationError: there is a file already, or the folder cannot be written.
    """
    path = _at_home(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.link(draft, path)
        finally:
            draft.unlink(missing_ok=True)
    except FileExistsError:
        raise ConfigurationError(f"{path} exists already. Move it away first; keys are never overwritten.") from None
    except OSError as error:
        raise ConfigurationError(f"{path} could not be written: {error.strerror}.") from None


def read_secret(path: Path) -> bytes:
    """Read a key file after checking who else can.

    Raises:
        ConfigurationError: it is missing, is not a plain file, belongs to somebody else, or others can read it.
    """
    path = _at_home(path)
    try:
        return read_private(path, what="key file", harm="if others may have read it, make a new key")
    except FileNotFoundError:
        raise ConfigurationError(
            f"There is no key file at {path}. Make one with `tradehook keys new`, bring one with "
            f"`tradehook keys import FILE`, or start the sandbox: `tradehook-sandbox serve --key-file {path}`."
        ) from None


def _at_home(path: Path) -> Path:
    """The path with `~` read. Raises `ConfigurationError` when it can be none."""
    try:
        found = path.expanduser()
    except RuntimeError:
        raise ConfigurationError(f"There is no home folder for {str(path)[:80]!r}.") from None
    if "\0" in str(found):
        raise ConfigurationError("The key file's name holds a zero byte: no file has such a name.")
    return found


def load(path: Path, *, key_id: str | None = None, passphrase: str | None = None) -> FileSigner:
    """Read a key file of any kind.

    Args:
        path: the file.
        key_id: the id of the key, needed for PEM, which does not hold it.
        passphrase: opens an encrypted PEM.

    Raises:
        ConfigurationError: the file cannot be used; the message never quotes it.
    """
    return parse(read_secret(path), where=str(path), key_id=key_id, passphrase=passphrase)


def parse(data: bytes, *, where: str, key_id: str | None = None, passphrase: str | None = None) -> FileSigner:
    """The same for key material that is in memory already; `where` names it in errors."""
    if data.lstrip().startswith(b"-----BEGIN"):
        return _from_pem(data, where=where, key_id=key_id, passphrase=passphrase)
    return _from_bundle(data, where=where)


def check_key_id(key_id: str, *, where: str) -> str:
    """The id in its usual form.

    Raises:
        ConfigurationError: it is not a UUID.
    """
    try:
        return str(uuid.UUID(key_id))
    except (ValueError, AttributeError, TypeError):
        raise ConfigurationError(f"The key id in {where} is not a UUID.") from None


def _from_pem(data: bytes, *, where: str, key_id: str | None, passphrase: str | None) -> FileSigner:
    if not key_id:
        raise ConfigurationError(
            f"{where} is a PEM file and does not say which key it is: set TRADEHOOK_TRUE_MARKETS_KEY_ID, "
            "or turn it into a key file with `tradehook keys import FILE --key-id ID`."
        )
    if _effort(data) > _LARGEST_EFFORT:
        raise ConfigurationError(f"{where} would take minutes to open: its passphrase is stretched beyond all reason.")
    try:
        key = serialization.load_pem_private_key(data, password=passphrase.encode() if passphrase else None)
    except TypeError:
        wrong = "is encrypted: set TRADEHOOK_TRUE_MARKETS_KEY_PASSPHRASE" if not passphrase else "is not encrypted"
        raise ConfigurationError(f"{where} {wrong}.") from None
    except (ValueError, UnsupportedAlgorithm):
        raise ConfigurationError(
            f"{where} could not be read as a private key (wrong passphrase, or damaged)."
        ) from None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise ConfigurationError(f"{where} holds a key of another kind; True Markets wants EC P-256.")
    return FileSigner(key_id=check_key_id(key_id, where=where), private_key=key)


def _effort(pem: bytes) -> int:
    """About how many rounds it takes to open an encrypted PEM, by the numbers in its head; 1 where there are none.

    The file says so itself, and a damaged or hostile one may say two thousand million.
    """
    body = b"".join(line for line in pem.splitlines() if line and b"-" not in line and b":" not in line)
    if not pem.lstrip().startswith(b"-----BEGIN ENCRYPTED"):
        return 1
    try:
        der = base64.b64decode(body[:_LONGEST_HEAD])
    except binascii.Error:
        return 1
    effort, at = 1, 0
    while at + 2 <= len(der):
        tag, size = der[at], der[at + 1]
        at += 2
        if size & 0x80:
            more = size & 0x7F
            size, at = int.from_bytes(der[at : at + more]), at + more
        if tag == _DER_INTEGER:
            effort *= max(int.from_bytes(der[at : at + size][:8]), 1)
        # A sequence is looked into, everything else is stepped over.
        at += 0 if tag == _DER_SEQUENCE else size
    return effort


def _from_bundle(data: bytes, *, where: str) -> FileSigner:
    try:
        content = json.loads(data)
        jwk = content["private_key"]
        key_id = content["key_id"]
        if content.get("algorithm", "ES256") != "ES256":
            raise ConfigurationError(f"{where} is for another algorithm; True Markets wants ES256.")
        if (jwk["kty"], jwk["crv"]) != ("EC", "P-256"):
            raise ConfigurationError(f"{where} holds a key of another kind; True Markets wants EC P-256.")
        secret = int.from_bytes(base64.urlsafe_b64decode(jwk["d"] + "=" * (-len(jwk["d"]) % 4)))
        key = ec.derive_private_key(secret, ec.SECP256R1())
        _check_public_half(jwk, key, where=where)
    except (ValueError, KeyError, TypeError, AttributeError, binascii.Error, RecursionError):
        raise ConfigurationError(
            f"{where} is not a True Markets key file: it should be JSON with `key_id` and `private_key` (a JWK)."
        ) from None
    return FileSigner(key_id=check_key_id(key_id, where=where), private_key=key)


def _check_public_half(jwk: dict[str, Any], key: ec.EllipticCurvePrivateKey, *, where: str) -> None:
    if "x" not in jwk:
        return
    x = base64.urlsafe_b64decode(jwk["x"] + "=" * (-len(jwk["x"]) % 4))
    if int.from_bytes(x) != key.private_numbers().public_numbers.x:
        raise ConfigurationError(f"The two halves of the key in {where} do not belong together.")


def parse_public_hint(text: str) -> str:
    """The key id a person pasted, without spaces.

    Raises:
        InvalidInput: it is not a UUID.
    """
    try:
        return str(uuid.UUID(text.strip()))
    except ValueError:
        raise InvalidInput(
            f"{text.strip()[:40]!r} is not a key id: it looks like 11111111-2222-4333-8444-555555555555."
        ) from None
