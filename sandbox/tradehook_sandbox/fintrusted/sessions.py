"""Logging in, and the tokens that come of it: HS256, signed by this sandbox, and by nobody else.

See: fintrusted-api 4.1 and 4.2.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from typing import TYPE_CHECKING, Any, Final

from tradehook.wire import decode_json, encode_json
from tradehook_sandbox.clock import MICROS
from tradehook_sandbox.fintrusted import messages
from tradehook_sandbox.fintrusted.calls import Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tradehook_sandbox.fintrusted.members import Member, Members
    from tradehook_sandbox.fintrusted.rules import FinTrustedRules

ISSUER: Final = "tradehook-sandbox"
"""Stands in every token, so that a client can see where it came from."""
LOGIN_FIELDS: Final = ("email", "username", "account", "loginName")
_LOCKED_MICROS: Final = 900 * MICROS
_MOST_SESSIONS: Final = 1_000
_HEADER: Final = {"alg": "HS256", "typ": "JWT"}
_BEARER: Final = "bearer "


class Sessions:
    """Who is logged in."""

    def __init__(self, members: Members, rules: FinTrustedRules, *, key: bytes | None = None) -> None:
        self.key = key or secrets.token_bytes(32)
        self._members = members
        self._rules = rules

    def login(self, form: Mapping[str, str], *, now_micros: int) -> tuple[Member, str]:
        """The member with this address and password, and a fresh token.

        Raises:
            Refused: they are wrong, or the account is locked for a while.
        """
        names = LOGIN_FIELDS if self._rules.lenient_login else (self._rules.login_field,)
        email = next((form[name] for name in names if form.get(name)), "")
        password = form.get("password", "")
        if not (email and password):
            raise Refused(messages.ILLEGAL)
        if self._rules.captcha:
            raise Refused(messages.CAPTCHA)
        member = self._members.by_email(email)
        if member is None:
            raise Refused(messages.WRONG_PASSWORD + _warning(email))
        if member.locked_until_micros > now_micros:
            raise Refused(messages.LOCKED_OUT)
        self._members.touch(member)
        if not member.has_password(password):
            self._count_failure(member, now_micros=now_micros)
            raise Refused(messages.WRONG_PASSWORD)
        member.failures = 0
        return member, self._issue(member, issued=now_micros // MICROS)

    def member_in(self, headers: Mapping[str, str], *, now_micros: int) -> Member | None:
        """Whose token these headers carry; `None` when there is no good one."""
        token = headers.get(self._rules.token_header, "").strip()
        if self._rules.lenient_bearer and token[: len(_BEARER)].lower() == _BEARER:
            token = token[len(_BEARER) :].strip()
        return self.member_of(token, now_micros=now_micros)

    def member_of(self, token: str, *, now_micros: int) -> Member | None:
        """Whose token this is, bare; `None` when it is not good, or not any more."""
        claims = self._read(token)
        if claims is None or claims["exp"] * MICROS <= now_micros:
            return None
        member = self._members.by_id(claims["memberId"])
        return member if member is not None and claims["jti"] in member.sessions else None

    def end_all(self, member: Member) -> None:
        """None of the member's tokens is good any more."""
        member.sessions.clear()
        self._members.touch(member)

    def _count_failure(self, member: Member, *, now_micros: int) -> None:
        member.failures += 1
        if self._rules.lockout_failures and member.failures >= self._rules.lockout_failures:
            member.failures, member.locked_until_micros = 0, now_micros + _LOCKED_MICROS

    def _issue(self, member: Member, *, issued: int) -> str:
        token_id = secrets.token_hex(8)
        kept = [] if self._rules.single_session else member.sessions[-_MOST_SESSIONS:]
        member.sessions = [*kept, token_id]
        claims = {
            "iss": ISSUER,
            "sub": str(member.member_id),
            "memberId": member.member_id,
            "iat": issued,
            "exp": issued + self._rules.token_seconds,
            "jti": token_id,
        }
        message = f"{_base64url(encode_json(_HEADER))}.{_base64url(encode_json(claims))}"
        return f"{message}.{self._signature(message)}"

    def _read(self, token: str) -> dict[str, Any] | None:
        """The claims of a token that was signed here."""
        message, _, signature = token.rpartition(".")
        if not hmac.compare_digest(signature.encode(errors="replace"), self._signature(message).encode()):
            return None
        claims = message.partition(".")[2]
        content = decode_json(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
        return content if isinstance(content, dict) else None

    def _signature(self, message: str) -> str:
        return _base64url(hmac.digest(self.key, message.encode(errors="replace"), hashlib.sha256))


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _warning(email: str) -> str:
    """What is added for an address that may be somebody's real one."""
    domain = email.rpartition("@")[2].lower()
    if domain.startswith("example.") or "@" not in email:
        return ""
    return ". This is a sandbox with play money: never type a real account's password here, use demo@example.com"
