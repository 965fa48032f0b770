"""One key's standing with one exchange: its token, its clock, its budget.

The renewal policy, in words:
- a token with less than a fifth of its life left is renewed when somebody next asks, by one short try; if that
  fails, the old one serves on for half a minute before the next try;
- one with less than 60 s left is renewed before anything is sent;
- renewal refreshes where it can and mints anew where it cannot; 200 callers at once cause one;
- a 401 drops the token it was sent with, if that is still the one we hold, and is tried again once.

Expiry is counted on the monotonic clock from the moment of receipt, so a wrong wall clock cannot
keep a dead token alive. Signatures use the wall clock corrected by the server's `Date` headers.
"""

from __future__ import annotations

import logging
import statistics
from collections import deque
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from tradehook.errors import ConfigurationError, RateLimited, TradehookError, Unauthorized, UnexpectedResponse
from tradehook.retry import ATTEMPTS, PATIENCE_SECONDS, Verdict, delay_seconds, verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tradehook.budget import Budget
    from tradehook.line import Line
    from tradehook.wire import Kind, Lane, Request, Response

T = TypeVar("T")

_for_money: ContextVar[bool] = ContextVar("for_money", default=False)

_log = logging.getLogger(__name__)

ADVISORY_SHARE = 0.2
MANDATORY_SECONDS = 60.0
EARLY_TRY_SECONDS = 5.0
PAUSE_AFTER_FAILURE_SECONDS = 30.0
CORRECT_ABOVE_SECONDS = 5.0
REFUSE_ABOVE_SECONDS = 300.0


@contextmanager
def for_money() -> Iterator[None]:
    """What is read meanwhile is read for something that moves money, and draws on its share of the budget."""
    before = _for_money.set(True)
    try:
        yield
    finally:
        _for_money.reset(before)


@dataclass(frozen=True, slots=True)
class Token:
    """An access token and what is known of it. `repr` shows neither token."""

    access: str = field(repr=False)
    refresh: str | None = field(repr=False)
    claims: Mapping[str, Any] = field(repr=False)
    received_at: float
    """Monotonic seconds."""
    life_seconds: float

    def left_seconds(self, *, now: float) -> float:
        """How long it still lives; `now` is monotonic."""
        return self.received_at + self.life_seconds - now


class Auth(Protocol):
    """How one exchange signs in. Pure: builds requests and reads responses."""

    def mint(self, *, at: float) -> Request:
        """The request for a first token; `at` is the corrected time in seconds since 1970."""
        ...

    def refresh(self, token: Token) -> Request | None:
        """The request for a next token without a signature, or `None` where that does not exist."""
        ...

    def read(self, response: Response, *, server_now: float, received_at: float) -> Token:
        """The token in a response. Raises what the response says."""
        ...

    def apply(self, request: Request, token: Token) -> Request:
        """The request, signed in."""
        ...


class Session:
    """Sends requests of one key: signed in, within the budget, repeated where the table allows it."""

    def __init__(self, line: Line, *, auth: Auth, budget: Budget, exchange: str, timeout_seconds: float = 30.0) -> None:
        self.line = line
        self.auth = auth
        self.budget = budget
        self.exchange = exchange
        self.timeout_seconds = timeout_seconds
        self._token: Token | None = None
        self._renew_again_at = 0.0
        self._skews: deque[float] = deque(maxlen=9)

    @property
    def skew_seconds(self) -> float:
        """How far the server's clock is ahead of ours; 0 until it has answered once."""
        return statistics.median(self._skews) if self._skews else 0.0

    def rest(self) -> None:
        """Let other processes have what this one took of the budget and did not use."""
        self.budget.give_back(now=self.line.monotonic())

    def server_now(self) -> float:
        """Our clock, corrected when it is clearly off."""
        skew = self.skew_seconds
        return self.line.now() + (skew if abs(skew) > CORRECT_ABOVE_SECONDS else 0.0)

    def check_clock(self) -> None:
        """Refuse to go on when the clocks are minutes apart: time windows would mean nothing.

        Raises:
            ConfigurationError: more than five minutes.
        """
        if abs(self.skew_seconds) > REFUSE_ABOVE_SECONDS:
            raise ConfigurationError(
                f"This machine's clock is {abs(self.skew_seconds):.0f} s "
                f"{'behind' if self.skew_seconds > 0 else 'ahead of'} the exchange's. Set the clock, then try again.",
                exchange=self.exchange,
            )

    async def token(self) -> Token:
        """A token that lives for at least a minute more.

        Raises:
            Unauthorized: the key was not accepted.
            NetworkError: the exchange could not be reached.
        """
        token = self._token
        if token is not None:
            left = token.left_seconds(now=self.line.monotonic())
            if left > token.life_seconds * ADVISORY_SHARE:
                return token
            if left > min(MANDATORY_SECONDS, token.life_seconds / 2):
                if self.line.monotonic() < self._renew_again_at:
                    return token
                try:
                    return await self.line.once("token", self._renew_early)
                except TradehookError:
                    self._renew_again_at = self.line.monotonic() + PAUSE_AFTER_FAILURE_SECONDS
                    return token
        return await self.line.once("token", self._renew)

    def hold(self, token: Token) -> None:
        """Use this token, which came another way than by signing in, for as long as it lives."""
        self._token = token

    def drop(self, token: Token) -> None:
        """Forget this token if it is still the one we hold: another caller may have renewed it already."""
        if self._token is token:
            self._token = None

    async def prepare(self, request: Request) -> tuple[Request, Token]:
        """Everything that may wait or fail before a send: a permit of the budget, a token, its place in the request."""
        await self._permit(request)
        token = await self.token()
        return self.auth.apply(request, token), token

    async def send_once(self, request: Request) -> Response:
        """Send exactly once. Learns the clock and the budget from the answer, judges nothing."""
        request = replace(request, timeout_seconds=min(self.timeout_seconds, request.timeout_seconds))
        before = self.line.now()
        try:
            response = await self.line.send(request)
        except TradehookError as error:
            _log.debug("%s %s: %s", request.method, request.url, type(error).__name__)
            raise
        _log.debug("%s %s: %s", request.method, request.url, response.status)
        self._learn(response, midpoint=(before + self.line.now()) / 2)
        return response

    def understand(self, response: Response, read: Callable[[Response], T]) -> T:
        """What a response says. A shape nobody foresaw is an `UnexpectedResponse` like any other.

        Raises:
            TradehookError: what the response says, when that is no.
        """
        return self.judge(lambda: read(response))

    def judge(self, reading: Callable[[], T]) -> T:
        """The result of reading what came from outside, whatever it is."""
        try:
            return reading()
        except (ValueError, TypeError, LookupError, ArithmeticError) as error:
            raise UnexpectedResponse(
                f"The exchange answered something unexpected ({type(error).__name__}).", exchange=self.exchange
            ) from None

    async def read(
        self,
        request: Request,
        read: Callable[[Response], T],
        *,
        kind: Kind = "read",
        is_anonymous: bool = False,
        attempts: int = ATTEMPTS,
    ) -> T:
        """Send something that may be repeated, as often as the table allows, and return what it says.

        Raises:
            TradehookError: the last failure, when there is nothing left to try.
        """
        deadline = self.line.monotonic() + PATIENCE_SECONDS
        has_new_token = False
        for attempt in range(1, attempts + 1):
            token = None if is_anonymous else await self.token()
            await self._permit(request)
            try:
                response = await self.send_once(self.auth.apply(request, token) if token else request)
                return self.understand(response, read)
            except TradehookError as error:
                match verdict(kind, error):
                    case Verdict.NEW_TOKEN if token and not has_new_token and attempt < attempts:
                        has_new_token = True
                        self.drop(token)
                        continue
                    case Verdict.AGAIN | Verdict.WAIT if attempt < attempts:
                        pause = delay_seconds(attempt, error)
                        if self.line.monotonic() + pause > deadline:
                            raise
                        await self.line.pause(pause)
                    case _:
                        raise
        raise AssertionError("unreachable")  # pragma: no cover - the loop returns or raises

    async def _permit(self, request: Request) -> None:
        waited_until = self.line.monotonic() + PATIENCE_SECONDS
        lane: Lane = "money" if _for_money.get() else request.lane
        while wait := self.budget.take(lane, now=self.line.monotonic()):
            if self.line.monotonic() + wait > waited_until:
                raise RateLimited(
                    "The request budget is used up; other work on this key is taking it all.",
                    retry_after_seconds=wait,
                    exchange=self.exchange,
                )
            await self.line.pause(wait)

    async def _renew_early(self) -> Token:
        """One short try, while the old token still serves."""
        held = self._token
        request = self.auth.refresh(held) if held is not None else None
        request = request or self.auth.mint(at=self.server_now())
        return await self._obtain(replace(request, timeout_seconds=EARLY_TRY_SECONDS), attempts=1)

    async def _renew(self) -> Token:
        held = self._token
        now = self.line.monotonic()
        if held is not None and held.left_seconds(now=now) > held.life_seconds * ADVISORY_SHARE:
            return held  # somebody renewed it while we waited for our turn
        if held is not None and (request := self.auth.refresh(held)) is not None:
            with suppress(TradehookError):  # a key can always mint anew; a refresh token may be spent or expired
                return await self._obtain(request)
        try:
            return await self._obtain(self.auth.mint(at=self.server_now()))
        except Unauthorized:
            # The first answer shows the server's clock: if ours is off, that was the reason.
            if abs(self.skew_seconds) <= CORRECT_ABOVE_SECONDS:
                raise
            return await self._obtain(self.auth.mint(at=self.server_now()))

    async def _obtain(self, request: Request, *, attempts: int = ATTEMPTS) -> Token:
        def read(response: Response) -> Token:
            return self.auth.read(response, server_now=self.server_now(), received_at=self.line.monotonic())

        token = await self.read(request, read, kind="mint", is_anonymous=True, attempts=attempts)
        self._token = token
        self._renew_again_at = 0.0
        return token

    def _learn(self, response: Response, *, midpoint: float) -> None:
        date = response.headers.get("date")
        if date:
            with suppress(ValueError, TypeError, LookupError, OverflowError):
                # The header has whole seconds: on average the truth is half a second later.
                self._skews.append(parsedate_to_datetime(date).timestamp() + 0.5 - midpoint)
        self.budget.learn(response, now=self.line.monotonic(), server_now=self.server_now())
