"""Requests signed with an API key and HMAC-SHA256, in two styles of other exchanges. Pure. Off by default.

FinTrusted says that it has signed requests and not how: neither style was ever tried there. They work with the
sandbox. See: fintrusted-api 10.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Protocol

from tradehook.wire import encode_form

if TYPE_CHECKING:
    from tradehook.exchanges.fintrusted.dialect import Dialect
    from tradehook.wire import Request

WINDOW_MS: Final = "5000"
"""How long a signed request may be on its way."""


class Signer(Protocol):
    """One way of signing."""

    def sign(self, request: Request, *, at_ms: int) -> Request:
        """The request with its signature, for this moment."""
        ...


@dataclass(frozen=True, slots=True)
class BinanceStyle:
    """The time and the signature are parameters; signed is the query and then the form, exactly as they are sent."""

    key: str
    secret: str = field(repr=False)
    key_header: str = "X-API-KEY"
    signature_name: str = "signature"

    def sign(self, request: Request, *, at_ms: int) -> Request:
        """See `Signer`."""
        added = (("recvWindow", WINDOW_MS), ("timestamp", str(at_ms)))
        headers = {**request.headers, self.key_header: self.key}
        if request.method == "GET":
            params = (*request.params, *added)
            signature = digest(self.secret, encode_form(params))
            return replace(request, params=(*params, (self.signature_name, signature)), headers=headers)
        body = b"&".join(part for part in (request.body, encode_form(added)) if part)
        signature = digest(self.secret, encode_form(request.params) + body)
        signed = body + b"&" + encode_form([(self.signature_name, signature)])
        return replace(request, body=signed, headers={**headers, "content-type": FORM})


@dataclass(frozen=True, slots=True)
class HeaderConcat:
    """The time and the signature are headers; signed is time, method, path with its query, and body, in one line."""

    key: str
    secret: str = field(repr=False)
    key_header: str = "X-API-KEY"
    signature_name: str = "signature"

    def sign(self, request: Request, *, at_ms: int) -> Request:
        """See `Signer`."""
        query = b"?" + encode_form(request.params) if request.params else b""
        text = f"{at_ms}{request.method}{request.path}".encode() + query + request.body
        headers = {
            **request.headers,
            self.key_header: self.key,
            "timestamp": str(at_ms),
            self.signature_name: digest(self.secret, text),
        }
        return replace(request, headers=headers)


FORM: Final = "application/x-www-form-urlencoded"


def signer(dialect: Dialect) -> Signer | None:
    """The signer of these settings; `None` where requests are not signed."""
    if dialect.hmac_style == "none":
        return None
    kind = BinanceStyle if dialect.hmac_style == "binance" else HeaderConcat
    return kind(dialect.hmac_key, dialect.secret, dialect.hmac_key_header, dialect.hmac_signature_name)


def digest(secret: str, text: bytes) -> str:
    """HMAC-SHA256 in lower-case hex."""
    return hmac.new(secret.encode(), text, hashlib.sha256).hexdigest()
