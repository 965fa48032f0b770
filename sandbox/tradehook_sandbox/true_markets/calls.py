"""A request as the exchange reads it, and a refusal as it answers one.

Everything in here is somebody else's input: nothing may raise anything but `Refusal`, and nothing raw is echoed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, unquote
from uuid import UUID, uuid4

from tradehook.wire import Response, decode_json, encode_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tradehook.wire import Request
    from tradehook_sandbox.true_markets.rules import ErrorStyle

LARGEST_BODY: Final = 64 * 1024
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TYPES: Final = {
    400: "invalid_argument",
    401: "unauthenticated",
    403: "permission_denied",
    404: "not_found",
    405: "unimplemented",
    409: "failed_precondition",
    413: "invalid_argument",
    422: "failed_precondition",
    429: "resource_exhausted",
    500: "internal",
}
"""What the newer revision calls a status; the rest of 5xx is `unavailable`."""


class Refusal(Exception):
    """The exchange says no: a status and a message for the body.

    `error` is a short code such as `quote_stale`; `fields` are those of the body or query that are to blame.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        error: str = "",
        fields: tuple[str, ...] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.error = error
        self.fields = fields
        self.headers = dict(headers or {})

    def response(self, style: ErrorStyle = "live") -> Response:
        """The refusal in one of the bodies that were seen; by default that of June 2026. See: truemarkets-api 9.1."""
        return reply(self.status, self._body(style), headers=self.headers)

    def _body(self, style: ErrorStyle) -> dict[str, object]:
        if style == "plain":
            return {"message": self.message}
        if style == "live":
            return {"error": self.error, "message": self.message, "code": self.status}
        body: dict[str, object] = {"type": _TYPES.get(self.status, "unavailable"), "message": self.message}
        if self.error:
            body["code"] = self.error
        if self.fields:
            body["field_violations"] = [{"field": name, "message": self.message} for name in self.fields]
        return {**body, "request_id": str(uuid4())}


def reply(status: int, body: object, *, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON response."""
    return Response(
        status=status, headers={"content-type": "application/json", **(headers or {})}, body=encode_json(body)
    )


def shown(value: object) -> str:
    """Somebody's input, safe to quote: ASCII, short."""
    return ascii(value)[:60]


@dataclass(frozen=True, slots=True)
class Call:
    """A request, taken apart."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    @classmethod
    def read(cls, request: Request) -> Call:
        """Take a request apart; never fails, whatever the address looks like."""
        rest = request.url.partition("://")[2] if "://" in request.url else request.url
        address, _, query = rest.partition("#")[0].partition("?")
        path = unquote("/" + address.partition("/")[2], errors="replace")
        pairs = [*parse_qsl(query, keep_blank_values=True, errors="replace"), *request.params]
        headers = {name.lower(): value for name, value in request.headers.items()}
        return cls(request.method.upper(), path, dict(pairs), headers, request.body)

    def content(self) -> dict[str, Any]:
        """The body as a JSON object.

        Raises:
            Refusal: 400 when it is not one, 413 when it is too large.
        """
        if len(self.body) > LARGEST_BODY:
            raise Refusal(413, "the body is too large")
        try:
            content = decode_json(self.body)
        except (ValueError, ArithmeticError):
            raise Refusal(400, "the body is not valid JSON") from None
        if not isinstance(content, dict):
            raise Refusal(400, "the body must be a JSON object")
        return content

    def limit(self, *, default: int = 50) -> int:
        """The page size asked for.

        Raises:
            Refusal: 400 outside 1 to 100.
        """
        text = self.query.get("limit", str(default))
        if not (text.isascii() and text.isdigit() and len(text) <= 3 and 1 <= int(text) <= 100):
            raise Refusal(400, "limit must be between 1 and 100", fields=("limit",))
        return int(text)

    def cursor(self) -> int | None:
        """Where the page begins, in microseconds; `Z`, `+00:00` and `%2B00:00` are all understood.

        Raises:
            Refusal: 400 when it is not a time.
        """
        text = self.query.get("cursor")
        if not text:
            return None
        # An unescaped plus arrives as a space, and one that was escaped twice as %2B.
        text = text.replace(" ", "+").replace("%2B", "+").replace("%2b", "+")
        try:
            at = datetime.fromisoformat(text)
            if at.tzinfo is None:
                raise ValueError("no zone")
            return (at - _EPOCH) // timedelta(microseconds=1)
        except (ValueError, OverflowError):
            raise Refusal(400, "cursor must be an RFC 3339 time", fields=("cursor",)) from None


def require(content: Mapping[str, Any], *names: str) -> None:
    """All of these fields are there.

    Raises:
        Refusal: 400 with the names of those that are not.
    """
    if missing := [name for name in names if content.get(name) in (None, "")]:
        plural = "s" if len(missing) > 1 else ""
        raise Refusal(400, f"missing required field{plural}: {', '.join(missing)}", fields=tuple(missing))


def text_field(content: Mapping[str, Any], name: str, *, longest: int = 200) -> str:
    """A field that must be text.

    Raises:
        Refusal: 400 when it is missing, not text, or longer than any such thing is.
    """
    require(content, name)
    value = content[name]
    if not isinstance(value, str):
        raise Refusal(400, f"{name} must be a string", fields=(name,))
    if len(value) > longest:
        raise Refusal(400, f"{name} is too long", fields=(name,))
    return value


def choice_field(content: Mapping[str, Any], name: str, *choices: str) -> str:
    """A field that must be one of these words.

    Raises:
        Refusal: 400 otherwise.
    """
    value = text_field(content, name)
    if value not in choices:
        raise Refusal(400, f"{name} must be one of {', '.join(choices)}, not {shown(value)}", fields=(name,))
    return value


def uuid_text(value: object, name: str) -> str:
    """An id in its usual form.

    Raises:
        Refusal: 400 when it is not a UUID.
    """
    try:
        return str(UUID(value if isinstance(value, str) else ""))
    except ValueError:
        raise Refusal(400, f"{name} is not a valid UUID", fields=(name,)) from None
