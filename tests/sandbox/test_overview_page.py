"""The curl commands of the exchange's overview page work as printed: only the host is another, and the blanks are filled."""

from __future__ import annotations

import json
import re
import subprocess
import time
from decimal import Decimal

import pytest
from truemarkets.auth import load_key_file, sign_challenge

MINT = """\
curl -X POST https://api.truemarkets.co/v1/auth/api-key/token \\
  -H "Content-Type: application/json" \\
  -d '{"key_id":"<UUID>","timestamp":<UNIX_SECONDS>,"signature":"<BASE64URL_ES256_SIG>"}'
"""
QUOTE = """\
curl -X POST https://api.truemarkets.co/v1/conductor/quotes \\
  -H "Authorization: Bearer <ACCESS_TOKEN>" \\
  -H "Content-Type: application/json" \\
  -d '{"base":"BTC","quote":"USD","side":"buy","quantity":"0.01"}'
"""


@pytest.fixture
def typed(sandbox_server, tmp_path):
    """Type a command of the page into a shell; returns the JSON that it prints."""

    def type_it(command: str, **blanks: object) -> dict:
        for name, value in blanks.items():
            assert f"<{name}>" in command
            command = command.replace(f"<{name}>", str(value))
        assert not re.search(r"<[A-Z0-9_]+>", command), "a blank is left"
        command, hosts = re.subn(r"https://api\.truemarkets\.co", sandbox_server.url, command)
        assert hosts == 1
        done = subprocess.run(
            ["bash", "-c", command.replace("curl ", "curl --silent --show-error --noproxy '*' ", 1)],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return type_it


def minted(typed, sandbox_server) -> dict:
    key_id, key = load_key_file(sandbox_server.key_file)
    now = int(time.time())
    return typed(MINT, UUID=key_id, UNIX_SECONDS=now, BASE64URL_ES256_SIG=sign_challenge(key, key_id, now))


def test_mint(typed, sandbox_server):
    tokens = minted(typed, sandbox_server)
    assert {"access_token", "refresh_token"} <= set(tokens), "as the page says"
    assert tokens["access_token"].count(".") == 2


def test_quote_with_the_body_as_it_is_printed(typed, sandbox_server):
    quote = typed(QUOTE, ACCESS_TOKEN=minted(typed, sandbox_server)["access_token"])
    assert Decimal(quote["qty"]) == Decimal("0.01")
    assert 1_000 < Decimal(quote["price"]) < 1_000_000
    newer = QUOTE.replace("/v1/conductor", "/v1/gateway")
    assert typed(newer, ACCESS_TOKEN=minted(typed, sandbox_server)["access_token"])["qty"] == "0.01"


def test_refresh_as_the_page_tells(typed, sandbox_server):
    """Point 5 of the page has no command; this is the first one with its path and field."""
    tokens = minted(typed, sandbox_server)
    refresh = MINT.replace("api-key/token", "token/refresh")
    body = re.search(r"-d '(.*)'", refresh)[1]
    again = typed(refresh.replace(body, '{"refresh_token":"<REFRESH_TOKEN>"}'), REFRESH_TOKEN=tokens["refresh_token"])
    assert again["access_token"] != tokens["access_token"]


def test_a_wrong_signature_is_refused(typed, sandbox_server):
    key_id, _ = load_key_file(sandbox_server.key_file)
    answer = typed(MINT, UUID=key_id, UNIX_SECONDS=int(time.time()), BASE64URL_ES256_SIG="A" * 86)
    assert "message" in answer
    assert "access_token" not in answer
