"""What can go wrong on the way, on demand: faults wait in a queue and strike the requests they match.

    error_before   answered with `status`; nothing happened
    error_after    it happened, and `status` was answered
    timeout_after  it happened, and no answer ever comes
    slow           it happened; the answer takes `delay_seconds`
    garbled        it happened; the answer is cut in half, and its headers say that it is the whole
    truncated      it happened; the answer breaks off in the middle, and the connection closes
    rate_limited   429; nothing happened
    edge_html      an HTML page of a protection layer (403 or `status`); nothing happened
    late_accept    `status` is answered at once; it happens `delay_seconds` later
    stale_list     it happened; orders and transfers are shown as they were `delay_seconds` ago
    unknown_enum   it happened; `field`, or the status, side or chain, is a word that nobody knows
    extra_field    it happened; every object in the answer has a field more
    missing_field  it happened; `field`, or one drawn by chance, is missing everywhere in the answer

and two that strike WebSockets at their next message, not requests:

    drop_websocket    the connection is cut without a close frame
    silent_websocket  it stays open, and nothing comes any more

Knows nothing of exchanges: it composes with whatever answers requests.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, get_args

from tradehook.wire import Response
from tradehook_sandbox import spoiling
from tradehook_sandbox.seeded import draw

if TYPE_CHECKING:
    from tradehook.wire import Request

Kind = Literal[
    "error_before",
    "error_after",
    "timeout_after",
    "slow",
    "garbled",
    "truncated",
    "rate_limited",
    "edge_html",
    "late_accept",
    "stale_list",
    "unknown_enum",
    "extra_field",
    "missing_field",
    "drop_websocket",
    "silent_websocket",
]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
STREAM_KINDS: Final[frozenset[Kind]] = frozenset({"drop_websocket", "silent_websocket"})
DEFAULT_DELAY_SECONDS: Final = 3.0
_EDGE_PAGE: Final = (
    b"<!DOCTYPE html><html><head><title>Just a moment...</title></head>"
    b"<body><h1>Checking your browser before accessing the site.</h1></body></html>"
)
_WORDS: Final = {429: "rate limit exceeded", 500: "internal server error", 502: "bad gateway"}
_CERTAIN: Final = 1_000_000


class FarSide(Protocol):
    """Whoever carries requests out."""

    @property
    def seed(self) -> int:
        """What its chances follow from."""
        ...

    def handle(self, request: Request, *, seen: float | None = None) -> Response:
        """Carry it out and answer; reads show things as they were at the moment `seen`."""
        ...

    def broken(self, status: int, message: str, *, back: float | None = None) -> Response:
        """How its errors look; with `back`, those that say when the budget is whole again."""
        ...


@dataclass(frozen=True, slots=True)
class Answer:
    """What comes back over the wire, and when."""

    response: Response | None
    """`None`: no answer ever comes; whoever serves this holds the connection open."""
    delay_seconds: float = 0.0
    """How long the answer takes. What the request did was done at once."""
    is_cut: bool = False
    """The headers promise the whole response; half of its body comes, then the connection closes."""


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
    probability: float = 1.0
    """How likely it is to strike a request that it matches; the same seed, the same strikes."""
    delay_seconds: float = DEFAULT_DELAY_SECONDS
    field: str | None = None
    """Which field of the answer `unknown_enum` and `missing_field` are about."""
    id: int = 0
    met: int = 0
    """How many requests it has matched."""
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

    def strikes(self, seed: int) -> bool:
        """Whether it strikes the next request that it matches."""
        self.met += 1
        if self.probability < 1 and draw("fault", seed, self.id, self.met, below=_CERTAIN) >= (
            self.probability * _CERTAIN
        ):
            return False
        self.struck += 1
        return True

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

    def respond(self, request: Request, far_side: FarSide, *, paths: tuple[str, ...], now: float) -> Answer:
        """Answer the request through the first fault that strikes it, or plainly.

        Args:
            request: what came in.
            far_side: whoever carries it out.
            paths: the ways in which its path may be written in a fault.
            now: seconds since 1970.
        """
        fault = self._take(request.method.upper(), paths, seed=far_side.seed, is_stream=False)
        if fault is None:
            return Answer(far_side.handle(request))
        if fault.kind == "late_accept":
            self.late.append(Late(due=now + fault.delay_seconds, request=request))
        early = _instead(fault, far_side, now=now)
        if early is not None:
            return Answer(early)
        seen = now - fault.delay_seconds if fault.kind == "stale_list" else None
        return _spoilt(fault, far_side.handle(request, seen=seen), far_side)

    def strike_stream(self, paths: tuple[str, ...], *, seed: int) -> Kind | None:
        """What happens to a WebSocket at one of these paths instead of its next message; usually nothing."""
        fault = self._take("GET", paths, seed=seed, is_stream=True)
        return None if fault is None else fault.kind

    def _take(self, method: str, paths: tuple[str, ...], *, seed: int, is_stream: bool) -> Fault | None:
        """The first fault that strikes; it no longer waits if that was its last time."""
        for fault in self.waiting:
            if (fault.kind in STREAM_KINDS) is is_stream and fault.matches(method, paths) and fault.strikes(seed):
                if fault.is_spent:
                    self.waiting.remove(fault)
                return fault
        return None


def _instead(fault: Fault, far_side: FarSide, *, now: float) -> Response | None:
    """What is answered by a fault that lets nothing happen."""
    match fault.kind:
        case "error_before" | "late_accept":
            return _error(fault, far_side)
        case "rate_limited":
            return far_side.broken(429, _WORDS[429], back=now + fault.delay_seconds)
        case "edge_html":
            headers = {"content-type": "text/html; charset=UTF-8", "cf-mitigated": "challenge"}
            return Response(status=fault.status or 403, headers=headers, body=_EDGE_PAGE)
        case _:
            return None


def _spoilt(fault: Fault, real: Response, far_side: FarSide) -> Answer:
    """What becomes of the answer to something that has happened."""
    match fault.kind:
        case "error_after":
            error = _error(fault, far_side)
            # The budget it cost is said all the same.
            budget = {name: value for name, value in real.headers.items() if name.startswith("x-ratelimit-")}
            return Answer(replace(error, headers={**error.headers, **budget}))
        case "timeout_after":
            return Answer(None)
        case "slow":
            return Answer(real, delay_seconds=fault.delay_seconds)
        case "truncated":
            return Answer(real, is_cut=True)
        case _:
            return Answer(_rewritten(fault, real, seed=far_side.seed))


def _rewritten(fault: Fault, real: Response, *, seed: int) -> Response:
    match fault.kind:
        case "garbled":
            return spoiling.cut(real)
        case "unknown_enum":
            return spoiling.with_unknown_word(real, fault.field)
        case "extra_field":
            return spoiling.with_extra_field(real)
        case "missing_field":
            return spoiling.without_field(real, fault.field, chance=(seed, fault.id, fault.struck))
        case _:
            return real


def _error(fault: Fault, far_side: FarSide) -> Response:
    status = fault.status or 503
    return far_side.broken(status, _WORDS.get(status, "service unavailable"))


@lru_cache(maxsize=256)
def _pattern(path: str) -> re.Pattern[str]:
    # `{anything}` stands for one segment; everything else stands for itself.
    parts = ("[^/]+" if re.fullmatch(r"\{[^/]*\}", part) else re.escape(part) for part in path.split("/"))
    return re.compile("/".join(parts))
