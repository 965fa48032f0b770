"""The key file: made once, never changed, readable by its owner only."""

from __future__ import annotations

import json
import stat

import pytest

from tradehook_sandbox import Sandbox
from tradehook_sandbox.key_files import KeyFileError, provide


def test_a_missing_file_is_made_in_the_exchanges_format_and_opens_the_account(tmp_path, trader_class):
    path = tmp_path / "new" / "folder" / "key.json"
    sandbox = Sandbox()
    assert provide(path, sandbox) is True
    bundle = json.loads(path.read_text())
    assert set(bundle) == {"key_id", "private_key", "algorithm"}
    assert set(bundle["private_key"]) == {"kty", "crv", "x", "y", "d"}
    assert (bundle["private_key"]["kty"], bundle["private_key"]["crv"]) == ("EC", "P-256")
    assert bundle["algorithm"] == "ES256"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [entry.name for entry in path.parent.iterdir()] == ["key.json"]
    trader_class(sandbox, bundle=bundle).mint()


def test_an_existing_file_is_registered_and_not_touched(tmp_path, trader_class):
    path = tmp_path / "key.json"
    provide(path, Sandbox())
    before = path.read_bytes(), path.stat().st_mtime_ns
    second = Sandbox()
    assert provide(path, second) is False
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before
    trader_class(second, bundle=json.loads(path.read_text())).mint()


def test_the_private_half_is_not_needed(tmp_path, trader_class):
    path = tmp_path / "key.json"
    provide(path, Sandbox())
    bundle = json.loads(path.read_text())
    public = {name: bundle["private_key"][name] for name in ("x", "y")}
    path.write_text(json.dumps({"key_id": bundle["key_id"], **public}))
    sandbox = Sandbox()
    provide(path, sandbox)
    trader_class(sandbox, bundle=bundle).mint()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "it is not JSON"),
        ("[]", "it is not a JSON object"),
        ("{}", "`key_id` is missing"),
        ('{"key_id": "x"}', "is not a UUID"),
        ('{"key_id": "11111111-2222-4333-8444-555555555555"}', "the JWK is damaged"),
        ('{"key_id": "11111111-2222-4333-8444-555555555555", "private_key": 5}', "not an EC P-256"),
        ('{"key_id": "11111111-2222-4333-8444-555555555555", "private_key": {"kty": "RSA"}}', "not an EC P-256"),
        ('{"key_id": "11111111-2222-4333-8444-555555555555", "x": "AAAA", "y": "AAAA"}', "the JWK is damaged"),
        ('{"key_id": "11111111-2222-4333-8444-555555555555", "private_key": {"d": "secret-!"}}', "the JWK is damaged"),
        ('{"key_id": "11111111-2222-4333-8444-555555555555", "d": "AAAA", "algorithm": "RS256"}', "must be ES256"),
    ],
)
def test_a_file_that_is_no_key_is_refused_without_being_quoted(tmp_path, content, words):
    path = tmp_path / "key.json"
    path.write_text(content)
    with pytest.raises(KeyFileError, match="is not a True Markets key file") as refusal:
        provide(path, Sandbox())
    assert words in str(refusal.value)
    assert "secret" not in str(refusal.value)
    assert path.read_text() == content


def test_a_place_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(KeyFileError, match="could not be"):
        provide(tmp_path / "file" / "key.json", Sandbox())
    with pytest.raises(KeyFileError, match="could not be read"):
        provide(tmp_path, Sandbox())
