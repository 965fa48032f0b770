"""Keys: the published vector, every format, and refusal of what others could read."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from tradehook.errors import ConfigurationError, InvalidInput
from tradehook.exchanges.true_markets import keys
from tradehook.exchanges.true_markets.auth import TrueMarketsAuth, stamp

KEY_ID = "11111111-2222-4333-8444-555555555555"
VECTOR = {
    "key_id": KEY_ID,
    "private_key": {
        "kty": "EC",
        "crv": "P-256",
        "x": "S5oKySoLz5BUzThk5xliYgByRKXXKL51ZG5UiD6ayE0",
        "y": "7q7voHibA6SLVV-qeQtz5jSWHxvo12rt5A4_nzMZJB0",
        "d": "qznDWGgWX6dtbSgtkN0rxWeve3AQ_j3lKgNNIepA3lY",
    },
    "algorithm": "ES256",
}
PAYLOAD = (
    '{"type":"ACTIVITY_TYPE_SIGN_RAW_PAYLOAD_V2","organizationId":"00000000-0000-4000-8000-000000000001",'
    '"timestampMs":"1790000000000","parameters":{"signWith":"0x0000000000000000000000000000000000000001",'
    '"payload":"deadbeef","encoding":"PAYLOAD_ENCODING_HEXADECIMAL","hashFunction":"HASH_FUNCTION_NO_OP"}}'
)
STAMP = (
    "eyJwdWJsaWNLZXkiOiIwMzRiOWEwYWM5MmEwYmNmOTA1NGNkMzg2NGU3MTk2MjYyMDA3MjQ0YTVkNzI4YmU3NTY0NmU1NDg4M2U5YWM4NGQi"
    "LCJzaWduYXR1cmUiOiIzMDQ1MDIyMTAwZDM3ODE2NWQ4YTM4YmE3Zjc1ZjZjODZiZTU5YTg3NTEwZWYzNjU2NjUyNmYyMmIxMzk4NTMxZDNm"
    "ZWIxM2EwZDAyMjA3ZTEwNjRmMTljNWM4NTI0YTUwNmI0ZDI2NWZjMzJmMjBlNGE3NTZiNDAzNTRkYzUxYzkzMjQ0ZWIyZmY0YWVmIiwic2No"
    "ZW1lIjoiU0lHTkFUVVJFX1NDSEVNRV9US19BUElfUDI1NiJ9"
)


@pytest.fixture
def vector_file(tmp_path) -> Path:
    path = tmp_path / "key.json"
    path.write_text(json.dumps(VECTOR))
    path.chmod(0o600)
    return path


def test_mint_signature_of_the_vector(vector_file):
    signer = keys.load(vector_file)
    request = TrueMarketsAuth(signer, base_url="http://127.0.0.1").mint(at=1790000000.9)
    assert request.json() == {
        "key_id": KEY_ID,
        "timestamp": 1790000000,
        "signature": "CjovwNs4cwchZArI9w3x2COarPYaqu9wPTqtgbqRrOyq8cvV6lPOUCcdZPWk6tnLn7B0TL1zlNcMKORBK25O1Q",
    }
    assert request.path == "/v1/auth/api-key/token"


def test_stamp_of_the_vector_and_again(vector_file):
    signer = keys.load(vector_file)
    assert stamp(PAYLOAD, signer=signer) == STAMP
    assert stamp(PAYLOAD, signer=signer) == STAMP
    assert signer.public_key_hex == "034b9a0ac92a0bcf9054cd3864e7196262007244a5d728be75646e54883e9ac84d"


def test_pem_plain_and_encrypted(tmp_path, vector_file):
    private = keys.load(vector_file).private_key
    for name, encryption, passphrase in (
        ("plain", serialization.NoEncryption(), None),
        ("locked", serialization.BestAvailableEncryption(b"correct horse"), "correct horse"),
    ):
        path = tmp_path / f"{name}.pem"
        path.write_bytes(
            private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
        )
        path.chmod(0o600)
        signer = keys.load(path, key_id=KEY_ID, passphrase=passphrase)
        assert stamp(PAYLOAD, signer=signer) == STAMP
        with pytest.raises(ConfigurationError, match="KEY_ID"):
            keys.load(path, passphrase=passphrase)
    with pytest.raises(ConfigurationError, match="PASSPHRASE"):
        keys.load(tmp_path / "locked.pem", key_id=KEY_ID)
    with pytest.raises(ConfigurationError):
        keys.load(tmp_path / "locked.pem", key_id=KEY_ID, passphrase="wrong")
    with pytest.raises(ConfigurationError):
        keys.load(tmp_path / "plain.pem", key_id=KEY_ID, passphrase="needless")


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660, 0o610])
def test_a_file_that_others_can_read_is_refused(vector_file, mode):
    vector_file.chmod(mode)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        keys.load(vector_file)


def test_links_pipes_and_missing_files_are_refused(tmp_path, vector_file):
    (tmp_path / "link").symlink_to(vector_file)
    os.mkfifo(tmp_path / "pipe", 0o600)
    (tmp_path / "folder").mkdir(mode=0o700)
    for name in ("link", "pipe", "folder"):
        with pytest.raises(ConfigurationError):
            keys.load(tmp_path / name)
    with pytest.raises(ConfigurationError, match="keys new"):
        keys.load(tmp_path / "none")


@pytest.mark.parametrize(
    "change",
    [
        {"key_id": "not a uuid"},
        {"key_id": 5},
        {"key_id": None},
        {"algorithm": "RS256"},
        {"private_key": None},
        {"private_key": "text"},
        {"private_key": {}},
        {"private_key": {**VECTOR["private_key"], "kty": "OKP"}},
        {"private_key": {**VECTOR["private_key"], "crv": "P-384"}},
        {"private_key": {**VECTOR["private_key"], "d": ""}},
        {"private_key": {**VECTOR["private_key"], "d": 7}},
        {"private_key": {**VECTOR["private_key"], "d": "A" * 43}},
        {"private_key": {**VECTOR["private_key"], "d": "_" * 43}},
        {"private_key": {**VECTOR["private_key"], "x": VECTOR["private_key"]["y"]}},
    ],
)
def test_damaged_key_files_are_a_clear_error_that_quotes_nothing(change):
    data = json.dumps({**VECTOR, **change}).encode()
    with pytest.raises(ConfigurationError) as caught:
        keys.parse(data, where="key.json")
    assert "qznDWGgW" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 20000, b"-----BEGIN NOTHING-----"])
def test_not_a_key_file(data):
    with pytest.raises(ConfigurationError):
        keys.parse(data, where="key.json", key_id=KEY_ID)


def test_other_kinds_of_key_are_refused():
    for private in (ec.generate_private_key(ec.SECP384R1()), rsa.generate_private_key(65537, 2048)):
        pem = private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        with pytest.raises(ConfigurationError, match="P-256"):
            keys.parse(pem, where="key.pem", key_id=KEY_ID)


def test_written_keys_are_closed_and_never_overwritten(tmp_path):
    path = tmp_path / "deep" / "key.json"
    key = keys.new_private_key()
    keys.write_secret(path, keys.bundle(KEY_ID, key))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert keys.load(path).private_key.private_numbers() == key.private_numbers()
    with pytest.raises(ConfigurationError, match="exists"):
        keys.write_secret(path, b"other")
    assert [entry.name for entry in path.parent.iterdir()] == ["key.json"]


def test_repr_shows_no_key(vector_file):
    signer = keys.load(vector_file)
    assert "qznDWGgW" not in repr(signer)
    assert "PrivateKey" not in repr(signer)


def test_pasted_key_ids():
    assert keys.parse_public_hint(f" {KEY_ID} ") == KEY_ID
    with pytest.raises(InvalidInput):
        keys.parse_public_hint("abc")
