"""What travels: a request, a response, and a write as a value.

Knows nothing of exchanges, sockets or retries. Everything here is immutable, so a
request can be built in one place, looked at in a test and sent in another.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar
from urllib.parse import urlencode, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

T = TypeVar("T")

_HALF = re.compile(rb"\\u[dD][89a-fA-F]")

Lane = Literal["read", "money", "auth"]
"""Which share of the request budget a request is drawn from."""

Kind = Literal["read", "mint", "single", "create", "execute", "cancel"]
"""What a request does, for the one table of what may be repeated (`retry.py`).

`single` moves money in one step and is never repeated blindly; `create` and `execute` are the two
steps of a signed order or transfer.
"""


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request. Headers and body may hold secrets, so `repr` leaves them out."""

    method: str
    url: str
    params: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    timeout_seconds: float = 300.0
    """An upper limit of its own; the session's setting is usually shorter."""
    lane: Lane = "read"
    is_fresh: bool = False
    """Whether to open a connection of its own: a reused one may die unseen, which would leave doubt."""

    @property
    def path(self) -> str:
        """The path without host and query."""
        return urlsplit(self.url).path

    def with_headers(self, **headers: str) -> Request:
        """The same request with these headers added; underscores stand for dashes."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return replace(self, headers={**self.headers, **named})

    def json(self) -> Any:
        """The body as JSON. Raises `ValueError` when it is not."""
        return decode_json(self.body)


@dataclass(frozen=True, slots=True)
class Response:
    """One HTTP response. Header names are lower case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)

    def json(self) -> Any:
        """The body as JSON, numbers with a point as `Decimal`. Raises `ValueError` when it is not."""
        return decode_json(self.body)

    @property
    def is_page(self) -> bool:
        """Whether a page for people came, from whatever stands before the exchange, and no answer of its own."""
        kind = self.headers.get("content-type", "")
        return "cf-mitigated" in self.headers or "html" in kind or self.body.lstrip()[:1] == b"<"

    @property
    def at_seconds(self) -> float:
        """When it was sent, by the server's clock, in seconds since 1970; by ours where it does not say."""
        from email.utils import parsedate_to_datetime

        try:
            return parsedate_to_datetime(self.headers["date"]).timestamp()
        except (LookupError, ValueError, TypeError, OverflowError):
            return datetime.now(UTC).timestamp()


@dataclass(frozen=True, slots=True)
class Write(Generic[T]):
    """Something that changes the world at an exchange, not sent yet.

    Only the desk sends one (`desk/submit.py`). `read` turns the exchange's response into its result
    and raises an error of `errors.py` when the response is a refusal or not what is documented.
    """

    request: Request
    read: Callable[[Response], T]
    kind: Kind


def encode_json(value: object) -> bytes:
    """Compact UTF-8 JSON. `Decimal` is not accepted: money travels as text."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def encode_form(pairs: Sequence[tuple[str, str]]) -> bytes:
    """A form's body, or a query, in this order: what is signed and what is sent are the same bytes."""
    return urlencode(pairs).encode("ascii")


def decode_json(body: bytes) -> Any:
    """Read JSON with `Decimal` for numbers with a point; `NaN`, `Infinity` and deep nesting are refused.

    Raises `ValueError` for anything that is not JSON in UTF-8, half characters (lone surrogates) in it included:
    such a text could be neither stored nor printed nor sent.
    """
    try:
        value = json.loads(body.decode("utf-8"), parse_float=Decimal, parse_constant=_refuse_constant)
        if _HALF.search(body):
            # Two halves make a whole; only one that stands alone cannot be written again.
            json.dumps(value, ensure_ascii=False, default=str).encode()
    except RecursionError as error:
        raise ValueError("JSON is nested too deeply") from error
    except ArithmeticError as error:
        raise ValueError("a number has an exponent that is too large") from error
    return value


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")
