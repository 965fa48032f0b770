"""A trader at the sandbox: signs in, sends requests as they stand on the wire, signs payloads. No tradehook client."""

from __future__ import annotations

import base64
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from tradehook.wire import Request, Response
from tradehook_sandbox import Answer, Sandbox

ROOT = Path(__file__).parents[2]
HOST = "http://sandbox.test"
PATIENCE_SECONDS = 20
USDC_SOLANA = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"
SOL = "So11111111111111111111111111111111111111112"
USDC_BASE = "0x833589fcd6edb6e08f4c7c32d4f71b54bda02913"
CBBTC = "0xcbb7c0000ab88b473b1f5afd9ef808440eed33bf"


def to_base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Trader:
    """One key of one account."""

    def __init__(self, sandbox: Sandbox, *, account: str = "default", bundle: dict[str, Any] | None = None) -> None:
        self.sandbox = sandbox
        self.bundle = bundle or sandbox.key_file(account)
        jwk = self.bundle["private_key"]
        secret = int.from_bytes(base64.urlsafe_b64decode(jwk["d"] + "="))
        self.key = ec.derive_private_key(secret, ec.SECP256R1())
        self.token = ""
        self.refresh_token = ""
        self.prefix = "/v1/conductor"

    # --- the wire ---

    def answer(self, method: str, path: str, body: Any = None, *, query: Any = (), headers: Any = None) -> Answer:
        """What comes back for a path in full; a body that is not bytes is sent as JSON."""
        content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        pairs = tuple(query.items()) if isinstance(query, dict) else tuple(query)
        if headers is None:
            headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        return self.sandbox.respond(Request(method, HOST + path, params=pairs, headers=headers, body=content))

    def send(self, method: str, path: str, body: Any = None, **more: Any) -> Response:
        response = self.answer(method, path, body, **more).response
        assert response is not None, "no answer came"
        return response

    def call(self, method: str, path: str, body: Any = None, **more: Any) -> tuple[int, Any]:
        """Status and JSON of an endpoint below the Gateway's prefix."""
        response = self.send(method, self.prefix + path, body, **more)
        return response.status, response.json()

    def admin(self, method: str, path: str, body: Any = None) -> Any:
        """JSON of an admin endpoint, which must have accepted."""
        response = self.send(method, "/_sandbox" + path, body)
        assert response.status == 200, response.body
        return response.json()

    # --- signing ---

    def sign_raw(self, message: str) -> str:
        r, s = decode_dss_signature(self.key.sign(message.encode(), ec.ECDSA(hashes.SHA256())))
        return to_base64url(r.to_bytes(32) + s.to_bytes(32))

    def mint_body(self, *, offset: int = 0) -> dict[str, Any]:
        timestamp = int(self.sandbox.clock.now()) + offset
        key_id = self.bundle["key_id"]
        return {"key_id": key_id, "timestamp": timestamp, "signature": self.sign_raw(f"{key_id}.{timestamp}")}

    def mint(self) -> Trader:
        response = self.send("POST", "/v1/auth/api-key/token", self.mint_body())
        assert response.status == 200, response.body
        tokens = response.json()
        self.token, self.refresh_token = tokens["access_token"], tokens.get("refresh_token", "")
        return self

    def stamp(self, payload: str) -> str:
        point = self.key.public_key().public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.CompressedPoint
        )
        signature = self.key.sign(payload.encode(), ec.ECDSA(hashes.SHA256()))
        content = {"publicKey": point.hex(), "signature": signature.hex(), "scheme": "SIGNATURE_SCHEME_TK_API_P256"}
        return to_base64url(json.dumps(content).encode())

    # --- trading ---

    def order(self, side: str = "buy", qty: str = "0.01", base: str = "BTC", **fields: Any) -> tuple[int, Any]:
        """Create an order; a field that is None is left out."""
        body = {
            "base_asset": base,
            "quote_asset": "PYUSD",
            "qty": qty,
            "qty_unit": "base",
            "type": "limit" if "price" in fields else "market",
            "side": side,
            **fields,
        }
        return self.call("POST", "/orders", {name: value for name, value in body.items() if value is not None})

    def placed(self, side: str = "buy", qty: str = "0.01", base: str = "BTC", **fields: Any) -> str:
        """The id of an order that must have been accepted."""
        status, body = self.order(side, qty, base, **fields)
        assert status == 201, body
        assert body["order_id"], body
        return body["order_id"]

    def swap(self, side: str, qty: str, *, chain: str = "solana", **fields: Any) -> tuple[int, Any]:
        token, dollars = (SOL, USDC_SOLANA) if chain == "solana" else (CBBTC, USDC_BASE)
        unit = "quote" if side == "buy" else "base"
        return self.order(side, qty, token, **{"quote_asset": dollars, "qty_unit": unit, "chain": chain, **fields})

    def execute(self, created: dict[str, Any]) -> tuple[int, Any]:
        """Check the digests, sign what there is to sign, and send it."""
        for item in created["payloads"]:
            assert item["digest"] == sha256(item["payload"].encode()).hexdigest()
        signatures = [self.stamp(item["payload"]) for item in created["payloads"]]
        body = {"signatures": signatures, "auth_type": "api_key"}
        return self.call("POST", f"/orders/{created['order_id']}/execute", body)

    def transfer(self, symbol: str, qty: str, to: str, *, chain: str | None = None, **fields: Any) -> tuple[int, Any]:
        """Create a transfer; a field that is None is left out."""
        rows = self.call("GET", "/assets")[1]["data"]
        asset = next(row for row in rows if (row["symbol"], row["chain"]) == (symbol, chain))
        body = {"asset_id": asset["id"], "qty": qty, "qty_unit": "base", "to": to, **fields}
        return self.call("POST", "/transfers", {name: value for name, value in body.items() if value is not None})

    def execute_transfer(self, created: dict[str, Any]) -> tuple[int, Any]:
        """Sign what there is to sign, and send it."""
        signatures = [self.stamp(item["payload"]) for item in created["payloads"]]
        body = {"signatures": signatures, "auth_type": "api_key"}
        return self.call("POST", f"/transfers/{created['id']}/execute", body)

    def transfer_now(self, transfer_id: str) -> dict[str, Any]:
        status, body = self.call("GET", f"/transfers/{transfer_id}")
        assert status == 200, body
        return body

    def status(self, order_id: str) -> str:
        status, body = self.call("GET", f"/orders/{order_id}/status")
        assert status == 200, body
        return body["status"]

    def detail(self, order_id: str) -> dict[str, Any]:
        status, body = self.call("GET", f"/orders/{order_id}")
        assert status == 200, body
        return body

    def settle(self) -> None:
        """Let pass more time than anything takes to be confirmed."""
        self.sandbox.clock.advance(1.5)

    def balance(self, symbol: str, chain: str | None = None) -> dict[str, Any]:
        status, body = self.call("GET", "/balances/unified")
        assert status == 200, body
        return next(row for row in body["data"] if (row["symbol"], row["chain"]) == (symbol, chain))

    def ledger(self) -> dict[str, Any]:
        return self.admin("GET", "/ledger")


@pytest.fixture
def new_trader():
    """Make a signed-in trader at a sandbox of its own; arguments go to the sandbox."""
    made: list[Sandbox] = []

    def make(**options: Any) -> Trader:
        sandbox = Sandbox(**{"rate_limit": 0, **options})
        made.append(sandbox)
        return Trader(sandbox).mint()

    yield make
    for sandbox in made:
        sandbox.close()


@pytest.fixture
def trader(new_trader) -> Trader:
    """A signed-in trader of the default account, without a request limit; prices stand still."""
    one = new_trader()
    one.admin("POST", "/prices", {"walk": False})
    return one


@pytest.fixture
def another_trader(trader):
    """A signed-in trader of another account at the same sandbox."""
    return Trader(trader.sandbox, account="other").mint()


@pytest.fixture
def trader_class():
    """The class itself, for a sandbox that a test makes by hand."""
    return Trader


# --- over sockets -----------------------------------------------------------------------------------------------------


class Served:
    """A sandbox in a process of its own; to a trader it looks like a `Sandbox`, but requests go over a socket."""

    def __init__(self, *arguments: str, environ: dict[str, str] | None = None) -> None:
        environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'client'}:{ROOT / 'sandbox'}", **(environ or {})}
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-W",
                "error::DeprecationWarning:tradehook_sandbox",
                "-m",
                "tradehook_sandbox",
                *arguments,
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        self.first_line = self.process.stdout.readline()
        self.url = self.first_line.removeprefix("ready ").strip()
        self.timeout = PATIENCE_SECONDS
        self.clock = self

    def now(self) -> float:
        return time.time()

    @property
    def port(self) -> int:
        return urlsplit(self.url).port

    def connect(self, timeout: float = PATIENCE_SECONDS) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=timeout)

    def respond(self, request) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=self.timeout)
        try:
            target = f"{request.path}?{urlencode(request.params)}" if request.params else request.path
            connection.request(request.method, target, body=request.body or None, headers=dict(request.headers))
            response = connection.getresponse()
            headers = {name.lower(): value for name, value in response.getheaders()}
            return Answer(Response(response.status, headers, response.read()))
        except TimeoutError:
            return Answer(None)
        finally:
            connection.close()

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, float, str]:
        """Exit code, seconds it took, and what was written to stderr."""
        began = time.monotonic()
        self.process.send_signal(number)
        _, errors = self.process.communicate(timeout=PATIENCE_SECONDS)
        return self.process.returncode, time.monotonic() - began, errors

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


@pytest.fixture
def serve(tmp_path):
    """Start a sandbox process; it is gone when the test ends."""
    running: list[Served] = []

    def start(*arguments: str, **options) -> Served:
        one = Served("serve", "--port", "0", "--key-file", str(tmp_path / "key.json"), *arguments, **options)
        running.append(one)
        return one

    yield start
    for one in running:
        one.end()


@pytest.fixture
def trader_at(tmp_path, trader_class):
    """A signed-in trader with the key file that the server wrote."""

    def sign_in(served: Served):
        return trader_class(served, bundle=json.loads((tmp_path / "key.json").read_text())).mint()

    return sign_in


@pytest.fixture
def served_class():
    """The class itself, for a server that is started with other arguments."""
    return Served
