"""Signing in: a login with e-mail and password, a token that somebody pasted, or requests that are signed. Pure.

A refused password is not tried again for a while: accounts are locked after a few failures. See: fintrusted-api 4.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from tradehook.errors import ConfigurationError, Rejected, Unauthorized
from tradehook.exchanges.fintrusted import envelope, parse, signing
from tradehook.session import Token
from tradehook.wire import Request, encode_form

if TYPE_CHECKING:
    from collections.abc import Callable

    from tradehook.exchanges.fintrusted.dialect import Dialect
    from tradehook.wire import Response

_LIFE_SECONDS: Final = 7 * 86_400.0
"""How long a token of the relatives lives, where this one does not say."""
_FOR_EVER_SECONDS: Final = 10.0**9
_LONGEST_LIFE_SECONDS: Final = 366 * 86_400.0
_AUTH_SECONDS: Final = 20.0
_NO_MORE_LOGINS_SECONDS: Final = 600.0
_TOKEN: Final = re.compile(r"[\x21-\x7e]{8,8192}", re.ASCII)
_NAMES: Final = ("Authorization", "authorization", "token", "accessToken", "access_token")
_HEADERS: Final = ("authorization", "x-auth-token")
MEMBER: Final = "tradehook_member"
"""The claim under which the member id is kept that the login told."""


class FinTrustedAuth:
    """Logs in for one account, and puts its token into requests."""

    def __init__(self, dialect: Dialect, *, base_url: str, now: Callable[[], float]) -> None:
        """Make one.

        Args:
            dialect: how the exchange is spoken to; holds the secrets.
            base_url: where it is.
            now: the corrected time, which signatures are made for.
        """
        self._dialect = dialect
        self._url = base_url + dialect.login_path
        self._now = now
        self._signer = signing.signer(dialect)
        self._refused: tuple[float, str] | None = None

    def given(self, *, now: float, monotonic: float) -> Token | None:
        """The token that needs no login, where there is one: pasted, or none at all where requests are signed."""
        if self._signer is not None:
            return Token("", None, {}, monotonic, _FOR_EVER_SECONDS)
        return self._token(self._dialect.token, now=now, monotonic=monotonic) if self._dialect.token else None

    def mint(self, *, at: float) -> Request:
        """The login.

        Raises:
            Unauthorized: what was given is no longer taken, and there is nothing else to log in with.
            ConfigurationError: nothing was given.
        """
        dialect = self._dialect
        if self._signer is not None:
            raise _refused("FinTrusted did not accept the API key or its signature. Check both, then start again.")
        if not dialect.password:
            if dialect.token:
                raise _refused(
                    "FinTrusted does not accept the token any more. Log in again on its site and set a new "
                    "TRADEHOOK_FINTRUSTED_TOKEN."
                )
            raise ConfigurationError(
                "There is nothing to log in to FinTrusted with: set TRADEHOOK_FINTRUSTED_TOKEN, or "
                "TRADEHOOK_FINTRUSTED_EMAIL and TRADEHOOK_FINTRUSTED_PASSWORD.",
                exchange=envelope.EXCHANGE,
            )
        if self._refused is not None and at < self._refused[0]:
            raise _refused(self._refused[1])
        return Request(
            "POST",
            self._url,
            headers={"content-type": signing.FORM},
            body=encode_form([(dialect.login_field, dialect.email), ("password", dialect.password)]),
            timeout_seconds=_AUTH_SECONDS,
            lane="auth",
        )

    def refresh(self, _token: Token) -> Request | None:
        """Nothing: there is no refreshing here, only another login."""
        return None

    def read(self, response: Response, *, server_now: float, received_at: float) -> Token:
        """The token in a login's answer.

        Raises:
            Unauthorized: the login was refused. The next one is only tried some minutes later.
        """
        try:
            content = envelope.payload(response, self._dialect)
        except (Unauthorized, Rejected) as error:
            raise self._no_login(error.message.partition(": ")[2], at=server_now, status=error.status) from None
        access = _find(content, response)
        if access is None:
            raise self._no_login("its answer has no token.", at=server_now, status=response.status)
        token = self._token(access, now=server_now, monotonic=received_at)
        told = parse.member(content)
        if told is None:
            return token
        return Token(token.access, None, {**token.claims, MEMBER: told}, token.received_at, token.life_seconds)

    def apply(self, request: Request, token: Token) -> Request:
        """The request with the bare token in its header, or signed for this moment."""
        if self._signer is not None:
            return self._signer.sign(request, at_ms=int(self._now() * 1000))
        prefix = f"{self._dialect.auth_prefix} " if self._dialect.auth_prefix else ""
        return replace(request, headers={**request.headers, self._dialect.auth_header: prefix + token.access})

    def _token(self, access: str, *, now: float, monotonic: float) -> Token:
        content = claims(access)
        until = content.get("exp")
        life = _LIFE_SECONDS
        if isinstance(until, int | float) and not isinstance(until, bool) and 0 < until < 10**12:
            life = min(until - now, _LONGEST_LIFE_SECONDS)
        return Token(access, None, content, monotonic, life)

    def _no_login(self, said: str, *, at: float, status: int) -> Unauthorized:
        message = (
            f"FinTrusted refused the login{f': {said}' if said else '.'} Check TRADEHOOK_FINTRUSTED_EMAIL and "
            "TRADEHOOK_FINTRUSTED_PASSWORD; if it wants a captcha or a second factor, log in on its site and set "
            "TRADEHOOK_FINTRUSTED_TOKEN. This process does not try again for ten minutes, so that the account is not "
            "locked."
        )
        self._refused = (at + _NO_MORE_LOGINS_SECONDS, message)
        return _refused(message, status=status)


def _refused(message: str, *, status: int = 0) -> Unauthorized:
    return Unauthorized(message, status=status, exchange=envelope.EXCHANGE)


def _find(content: Any, response: Response) -> str | None:
    """The token, wherever one of the relatives puts it."""
    found: list[object] = [content.get(name) for name in _NAMES] if isinstance(content, dict) else [content]
    found += [response.headers.get(name) for name in _HEADERS]
    for value in found:
        text = value.strip() if isinstance(value, str) else ""
        text = text.removeprefix("Bearer ").strip()
        if _TOKEN.fullmatch(text):
            return text
    return None


def claims(token: str) -> dict[str, Any]:
    """What a JWT says, unverified: used to tell accounts apart, never to trust; nothing where it is none."""
    try:
        middle = token.split(".")[1]
        content = json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))
    except (IndexError, ValueError, binascii.Error, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
