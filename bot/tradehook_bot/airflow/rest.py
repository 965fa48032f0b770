"""Airflow's REST API over the shared client's line: signing in, and what its answers mean. Knows no chat.

Nothing is repeated here but what was certainly refused for its token, once, with a new one. What got no answer is
the caller's to look at.
See: https://airflow.apache.org/docs/apache-airflow/stable/stable-rest-api-ref.html
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from tradehook.errors import ConfigurationError, NetworkError, TradehookError
from tradehook.lines.asynchronous import AsyncLine
from tradehook.wire import Request
from tradehook_bot.airflow import exact_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tradehook.wire import Response
    from tradehook_bot.airflow.settings import AirflowSettings

_SECONDS = 15.0
_FOREIGN_TOKEN = "JWT"
"""In what Airflow 3.3 says with a 403 of a token that it did not sign, or signed before its key was changed."""
_LONGEST_WHY = 300
_SIGN_IN = "auth/token"
UNAUTHORIZED, FORBIDDEN, NOT_FOUND, CONFLICT, TOO_MANY = 401, 403, 404, 409, 429


class AirflowError(TradehookError):
    """Airflow could not do it, or did not answer. `message` is for people."""


class AirflowAway(AirflowError):
    """No answer, or none that can be believed. `may_be_done` says whether what was asked may be done all the same."""

    def __init__(self, message: str, *, may_be_done: bool = False, **details: Any) -> None:
        """Say what happened, and whether it leaves a doubt."""
        super().__init__(message, may_be_done=may_be_done, **details)


class AirflowUnreadable(AirflowAway):
    """It answered, in JSON that does not say what was asked. Of something else it may tell well."""


class AirflowRefused(AirflowError):
    """Airflow understood and said no: `status`, and in `why` its own words, which are not to be trusted as markup."""

    def __init__(self, message: str, *, status: int, why: str = "", **details: Any) -> None:
        """Say what was refused."""
        super().__init__(message, status=status, why=why, **details)


class AirflowApi:
    """One Airflow, as one account. Belongs to the event loop that first used it. Its `repr` shows no token."""

    def __init__(self, settings: AirflowSettings) -> None:
        """Send nothing yet."""
        self.settings = settings
        self._line: AsyncLine | None = None
        self._token: str | None = None
        self._signing_in = asyncio.Lock()

    @property
    def url(self) -> str:
        """Where people find it in a browser, as far as this bot knows."""
        return self.settings.url

    async def get(self, path: str, **params: str) -> Any:
        """What Airflow holds there, as JSON, and the time it said it (`at` of `ask`) left out."""
        return (await self.ask("GET", path, params=params)).json()

    async def ask(
        self, method: str, path: str, *, params: Mapping[str, str] | None = None, body: object = None
    ) -> Response:
        """Airflow's answer, a 2xx with JSON in it.

        Args:
            method: GET, POST or PATCH.
            path: below `api/v2/`, each part quoted by `part`.
            params: the query.
            body: sent as JSON.

        Raises:
            AirflowRefused: it said no, and did nothing.
            AirflowAway: it could not be asked, or nobody knows what came of it.
            ConfigurationError: the way in cannot be read.
        """
        token = await self._signed_in(None)
        answer = await self._send(method, f"api/v2/{path}", token=token, params=params, body=body)
        if _is_about_token(answer):
            token = await self._signed_in(token)
            answer = await self._send(method, f"api/v2/{path}", token=token, params=params, body=body)
        return _checked(answer, is_read=method == "GET")

    async def close(self) -> None:
        """Close kept connections. May be repeated."""
        line, self._line = self._line, None
        if line is not None:
            await line.close()

    async def _signed_in(self, spent: str | None) -> str:
        """A token other than the one that was just refused."""
        async with self._signing_in:
            if self._token is not None and self._token != spent:
                return self._token
            secret = await asyncio.to_thread(self.settings.secret)
            if self.settings.token_file is not None:
                self._token = secret
                return secret
            answer = await self._send("POST", _SIGN_IN, body={"username": self.settings.user, "password": secret})
            if answer.status in (UNAUTHORIZED, FORBIDDEN):
                raise AirflowRefused(
                    f"Airflow does not know {self.settings.user} with this password.", status=answer.status
                )
            said = _checked(answer, is_read=True).json()
            token = said.get("access_token") if isinstance(said, dict) else None
            if not isinstance(token, str) or not token.isascii() or not token.isprintable() or not token:
                raise AirflowAway("Airflow signed me in and gave no token.")
            self._token = token
            return token

    async def _send(
        self,
        method: str,
        path: str,
        *,
        token: str | None = None,
        params: Mapping[str, str] | None = None,
        body: object = None,
    ) -> Response:
        if self._line is None:
            self._line = AsyncLine()
        headers = {"content-type": "application/json"} if body is not None else {}
        if token is not None:
            headers["authorization"] = f"Bearer {token}"
        request = Request(
            method=method,
            url=f"{self.url}/{path}",
            params=tuple((params or {}).items()),
            headers=headers,
            body=exact_json.write(body).encode() if body is not None else b"",
            timeout_seconds=_SECONDS,
        )
        try:
            return await self._line.send(request)
        except NetworkError as error:
            may_be_done = error.may_have_happened and method != "GET"
            raise AirflowAway(f"Airflow: {error.message}", may_be_done=may_be_done) from None
        except ConfigurationError as error:
            raise AirflowAway(f"Airflow: {error.message}") from None


def part(name: object) -> str:
    """One part of a path."""
    return quote(str(name), safe="")


def _is_about_token(answer: Response) -> bool:
    """Whether the token was refused, and with it whatever was asked."""
    return answer.status == UNAUTHORIZED or (answer.status == FORBIDDEN and _FOREIGN_TOKEN in _why(answer))


def _checked(answer: Response, *, is_read: bool) -> Response:
    """A good answer as it is."""
    status = UNAUTHORIZED if _is_about_token(answer) else answer.status
    if 200 <= status < 300:
        try:
            answer.json()
        except ValueError:
            raise AirflowAway("Airflow answered with something that is no JSON.", may_be_done=not is_read) from None
        return answer
    if status >= 500 or status == 408:
        raise AirflowAway(f"Airflow has trouble ({status}).", may_be_done=not is_read)
    if status == TOO_MANY:
        raise AirflowAway("Airflow is asked too often just now.")
    raise AirflowRefused(_REFUSED.get(status, f"Airflow refused it ({status})."), status=status, why=_why(answer))


_REFUSED = {
    400: "Airflow refused it.",
    UNAUTHORIZED: "Airflow does not accept my token any more. Whoever runs me has to renew it.",
    FORBIDDEN: "My account in Airflow may not do this.",
    NOT_FOUND: "Airflow has nothing of that name, or my account may not see it.",
}


def _why(answer: Response) -> str:
    """What Airflow says of a refusal, short. Never markup; escape it."""
    try:
        said = answer.json()["detail"]
    except (ValueError, KeyError, TypeError):
        return ""
    if isinstance(said, dict):
        said = said.get("reason") or said.get("message") or ""
    if isinstance(said, list):
        said = "; ".join(str(each.get("msg", "")) for each in said if isinstance(each, dict))
    # Its first line says what is wrong, the others how that was found out.
    first = str(said).partition("\n")[0]
    words = "".join(letter if letter.isprintable() else " " for letter in first)
    return " ".join(words.split())[:_LONGEST_WHY]
