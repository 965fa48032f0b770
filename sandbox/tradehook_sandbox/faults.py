"""What can go wrong on the way, on demand: faults wait in a queue and strike the requests they match.

    error_before   answered with `status`; nothing happened
    error_after    it happened, and `status` was answered
    timeout_after  it happened, and no answer ever comes
    slow           it happened; the answer takes `delay_seconds`
    garbled        it happened; the answer is cut in half
    rate_limited   429; nothing happened
    edge_html      an HTML page of a protection layer (403 or `status`); nothing happened
    late_accept    `status` is answered at once; it happens `delay_seconds` later

Knows nothing of exchanges: it composes with whatever answers requests.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from tradehook.wire import Response, encode_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from tradehook.wire import Request

Kind = Literal[
    "error_before", "error_after", "timeout_after", "slow", "garbled", "rate_limited", "edge_html", "late_accept"
]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
DEFAULT_DELAY_SECONDS: Final = 3.0
_EDGE_PAGE: Final = (
    b"<!DOCTYPE html><html><head><title>Just a moment...</title></head>"
    b"<body><h1>Checking your browser before accessing the site.</h1></body></html>"
)
_WORDS: Final = {429: "rate limit exceeded", 500: "internal server error", 502: "bad gateway"}


@dataclass(frozen=True, slots=True)
class Answer:
    """What comes back over the wire, and when."""

    response: Response | None
    """`None`: no answer ever comes; whoever serves this holds the connection open."""
    delay_seconds: float = 0.0
    """How long the answer takes. What the request did was done at once."""


@dataclass(slots=True)
class Fault:
    """One fault, waiting for the requests it matches."""

    kind: Kind
    method: str = "*"
    """An HTTP method, or `*` for any."""
    path: str = "*"
    """A path below the exchange's prefix such as `/orders/{id}/execute`, or in full, or `*` for any."""
    status: int | None = None
    """What to answer; `None`: 403 for `edge_html`, 503 for the others."""
    times: int | None = 1
    """How many requests it strikes; `None`: all until it is removed."""
    delay_seconds: float = DEFAULT_DELAY_SECONDS
    id: int = 0
    struck: int = 0

    @property
    def is_spent(self) -> bool:
        """Whether it has struck as often as it should."""
        return self.times is not None and self.struck >= self.times

    def matches(self, method: str, paths: tuple[str, ...]) -> bool:
        """Whether it strikes a request with this method, whose path may be written in these ways."""
        if self.method not in ("*", method):
            return False
        return self.path == "*" or any(_pattern(self.path).fullmatch(path) for path in paths)

    def as_json(self) -> dict[str, Any]:
        """The fault as the admin shows it and a store keeps it."""
        return asdict(self)


@dataclass(slots=True)
class Late:
    """A request that was answered with an error and is carried out later all the same."""

    due: float
    request: Request


class Faults:
    """The queue, and the one place where faults meet requests."""

    def __init__(self) -> None:
        self.waiting: list[Fault] = []
        self.late: list[Late] = []
        self._last_id = 0

    def add(self, fault: Fault) -> Fault:
        """The fault waits behind the others, under an id of its own unless it has one."""
        fault.id = fault.id or self._last_id + 1
        self._last_id = max(self._last_id, fault.id)
        self.waiting.append(fault)
        return fault

    def remove(self, fault_id: int | None = None) -> int:
        """One fault, or all of them, no longer wait; returns how many that were."""
        before = len(self.waiting)
        self.waiting = [] if fault_id is None else [fault for fault in self.waiting if fault.id != fault_id]
        return before - len(self.waiting)

    def take_due(self, now: float) -> list[Late]:
        """The late requests whose time has come, earliest first; they are no longer kept."""
        due = sorted((late for late in self.late if late.due <= now), key=lambda late: late.due)
        if due:
            self.late = [late for late in self.late if late.due > now]
        return due

    def turn_back(self, seconds: float) -> None:
        """The clock was turned back by this much: what was to come soon still comes as soon."""
        for late in self.late:
            late.due -= seconds

    def respond(
        self, request: Request, handle: Callable[[Request], Response], *, paths: tuple[str, ...], now: float
    ) -> Answer:
        """Answer the request through the first fault that matches it, or plainly.

        Args:
            request: what came in.
            handle: whoever carries it out.
            paths: the ways in which its path may be written in a fault.
            now: seconds since 1970.
        """
        fault = next((fault for fault in self.waiting if fault.matches(request.method.upper(), paths)), None)
        if fault is None:
            return Answer(handle(request))
        fault.struck += 1
        if fault.is_spent:
            self.waiting.remove(fault)
        if fault.kind == "late_accept":
            self.late.append(Late(due=now + fault.delay_seconds, request=request))
        return _strike(fault, request, handle, now=now)


def _strike(fault: Fault, request: Request, handle: Callable[[Request], Response], *, now: float) -> Answer:
    match fault.kind:
        case "error_before" | "late_accept":
            return Answer(_error(fault.status or 503))
        case "error_after":
            real = handle(request)
            # The budget it cost is said all the same.
            budget = {name: value for name, value in real.headers.items() if name.startswith("x-ratelimit-")}
            return Answer(_error(fault.status or 503, budget))
        case "timeout_after":
            handle(request)
            return Answer(None)
        case "slow":
            return Answer(handle(request), delay_seconds=fault.delay_seconds)
        case "garbled":
            return Answer(_cut(handle(request)))
        case "rate_limited":
            reset = str(int(now + fault.delay_seconds) + 1)
            return Answer(_error(429, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": reset}))
        case "edge_html":
            headers = {"content-type": "text/html; charset=UTF-8", "cf-mitigated": "challenge"}
            return Answer(Response(status=fault.status or 403, headers=headers, body=_EDGE_PAGE))


def _error(status: int, headers: dict[str, str] | None = None) -> Response:
    message = _WORDS.get(status, "service unavailable")
    body = encode_json({"error": "", "message": message, "code": status})
    return Response(status=status, headers={"content-type": "application/json", **(headers or {})}, body=body)


def _cut(response: Response) -> Response:
    headers = {name: value for name, value in response.headers.items() if name != "content-length"}
    return Response(status=response.status, headers=headers, body=response.body[: len(response.body) // 2] or b"{")


@lru_cache(maxsize=256)
def _pattern(path: str) -> re.Pattern[str]:
    # `{anything}` stands for one segment; everything else stands for itself.
    parts = ("[^/]+" if re.fullmatch(r"\{[^/]*\}", part) else re.escape(part) for part in path.split("/"))
    return re.compile("/".join(parts))
