"""API keys, and requests that are signed with them instead of carrying a token.

The vendor advertises HMAC-SHA256 and says nothing more, so both ways here are those of other exchanges.
See: fintrusted-api 10.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

from tradehook.wire import encode_form
from tradehook_sandbox.fintrusted.calls import Refused

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tradehook.wire import Request
    from tradehook_sandbox.fintrusted.members import Member, Members
    from tradehook_sandbox.fintrusted.rules import FinTrustedRules
    from tradehook_sandbox.true_markets.calls import Call

KEY_HEADER: Final = "x-api-key"
_SIGNATURE: Final = "signature"
_TIME: Final = "timestamp"
_UNKNOWN_KEY, _WRONG_SIGNATURE, _WRONG_TIME, _NOT_ALLOWED = 3001, 3002, 3003, 403
_USUAL_WINDOW_MS: Final = 5_000
_LONGEST_WINDOW_MS: Final = 60_000
_AHEAD_MS: Final = 1_000
_LAST: Final = re.compile(rb"&?signature=([^&]*)$")
_WHOLE: Final = re.compile(r"[0-9]{1,16}", re.ASCII)


@dataclass(frozen=True, slots=True)
class ApiKey:
    """One key of one member."""

    key: str
    secret: str = field(repr=False)
    member_id: int
    can_trade: bool


class ApiKeys:
    """All keys."""

    def __init__(self, members: Members, rules: FinTrustedRules) -> None:
        self._members = members
        self._rules = rules
        self._by_key: dict[str, ApiKey] = {}
        self.changed: set[str] = set()
        """Keys that a store has not seen."""

    def __iter__(self) -> Iterator[ApiKey]:
        return iter(self._by_key.values())

    def __getitem__(self, key: str) -> ApiKey:
        return self._by_key[key]

    def create(self, member: Member, *, can_trade: bool) -> ApiKey:
        """A fresh key of the member."""
        made = ApiKey(secrets.token_hex(16), secrets.token_hex(32), member.member_id, can_trade)
        self.add(made)
        self.changed.add(made.key)
        return made

    def add(self, key: ApiKey) -> None:
        """The key is known."""
        self._by_key[key.key] = key

    def member_in(self, request: Request, call: Call, *, now: float) -> Member | None:
        """Whose key has signed the request; `None` when it names none.

        Raises:
            Refused: it names one, and something about it is wrong.
        """
        name = call.headers.get(KEY_HEADER)
        if name is None:
            return None
        key = self._by_key.get(name)
        if key is None:
            raise Refused("unknown api key", code=_UNKNOWN_KEY)
        is_binance = self._rules.hmac_style == "binance"
        text, given, at, window = (_binance if is_binance else _header_concat)(request, call)
        _check_time(at, window, now_ms=round(now * 1_000))
        expected = hmac.new(key.secret.encode(), text, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(expected.encode(), given):
            raise Refused("signature error", code=_WRONG_SIGNATURE)
        if call.path.startswith("/tx/") and call.method != "GET" and not key.can_trade:
            raise Refused("Not allowed to pass", code=_NOT_ALLOWED)
        return self._members.by_id(key.member_id)


def _binance(request: Request, call: Call) -> tuple[bytes, bytes, str, str]:
    """What was signed, its signature, its time and how long it is good: all of them parameters."""
    query, body = _query(request), call.body
    if found := _LAST.search(body):
        body = body[: found.start()]
    elif found := _LAST.search(query):
        query = query[: found.start()]
    pairs = dict(parse_qsl((query + b"&" + body).decode("latin-1"), max_num_fields=None))
    given = found[1] if found else b""
    return query + body, given, pairs.get(_TIME, ""), pairs.get("recvWindow", str(_USUAL_WINDOW_MS))


def _header_concat(request: Request, call: Call) -> tuple[bytes, bytes, str, str]:
    """The same of the other way, where time and signature are headers."""
    query, at = _query(request), call.headers.get(_TIME, "")
    target = call.path.encode(errors="replace") + (b"?" + query if query else b"")
    text = at.encode(errors="replace") + call.method.encode(errors="replace") + target + call.body
    given = call.headers.get(_SIGNATURE, "").encode(errors="replace")
    return text, given, at, str(_USUAL_WINDOW_MS)


def _query(request: Request) -> bytes:
    """The query as it stands on the wire."""
    written = request.url.partition("?")[2].encode(errors="replace")
    return written if not request.params else written + encode_form(request.params)


def _check_time(at: str, window: str, *, now_ms: int) -> None:
    if not _WHOLE.fullmatch(at):
        raise Refused("timestamp missing", code=_WRONG_TIME)
    longest = min(int(window), _LONGEST_WINDOW_MS) if _WHOLE.fullmatch(window) else _USUAL_WINDOW_MS
    if not now_ms - longest <= int(at) < now_ms + _AHEAD_MS:
        raise Refused("timestamp outside of the window", code=_WRONG_TIME)
