"""How many requests may leave, so that the exchange never has to say no.

A sliding window with two lanes: reads may use all but a reserve, and money (orders, cancels,
executes, tokens) may use everything, so that polling never starves a cancel. What the
server says in its headers wins over our own count, because other programs may share the key.

Processes that share a key share the window through a store (`Budget.share`): each takes permits from it in batches, so
most requests ask nobody. Where the store cannot be used, a small emergency share goes on, for cancels and for looking
at what was sent; new orders stop (`Budget.trouble`).
"""

from __future__ import annotations

import logging
import math
import os
import threading
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from tradehook.wire import Lane, Response

_log = logging.getLogger(__name__)

_EPOCH_SECONDS = 1_000_000_000
"""Above this a reset header is a point in time, below it a number of seconds (truemarkets-api 11)."""


BATCH_SECONDS = 5.0
"""How long permits that were taken in a batch may be used. What is left of them then is given back."""
_LARGEST_BATCH = 10
_EMERGENCY_REQUESTS, _EMERGENCY_RESERVE = 10, 3
_ASK_AGAIN_SECONDS = 5.0


class StoreUnavailable(Exception):
    """The store of permits cannot be used now; the message says why."""


@dataclass(frozen=True, slots=True)
class Spent:
    """What became of a batch: how many of it were used, and how long ago the last."""

    batch: int
    used: int
    idle_seconds: float


@dataclass(frozen=True, slots=True)
class Granted:
    """The answer of a store: a batch of permits, or the seconds after which to ask again."""

    batch: int
    count: int
    wait_seconds: float


class Permits(Protocol):
    """One window for all processes that share a key. Each method raises `StoreUnavailable`."""

    def lease(self, wanted: int, *, most: int, window_seconds: float, spent: Spent | None) -> Granted:
        """Take up to `wanted` permits for `BATCH_SECONDS`, while no more than `most` are out; settle an older batch."""
        ...

    def settle(self, spent: Spent) -> None:
        """Take back what is left of a batch."""
        ...

    def out(self, *, window_seconds: float) -> int:
        """How many permits are out or were used in this window."""
        ...

    def close_window(self, seconds: float, *, window_seconds: float) -> None:
        """Grant nothing for so long."""
        ...


@dataclass(slots=True)
class _Batch:
    """Permits of the store that this process holds."""

    number: int
    count: int
    until: float
    used_at: float
    used: int = 0
    process: int = field(default_factory=os.getpid)

    def has_one(self, *, now: float) -> bool:
        return self.used < self.count and now < self.until and self.process == os.getpid()

    def use(self, *, now: float) -> None:
        self.used += 1
        self.used_at = now


@dataclass
class Budget:
    """Permits for one key. Safe for threads; `now` is monotonic seconds, given by the caller."""

    requests: int = 95
    window_seconds: float = 60.0
    reserve: int = 20
    """Permits that reads leave for money: two orders in a minute, with what is read for each before it is sent."""
    scope: str = ""
    """What the key is called where processes share it; empty for a budget that is not shared."""
    _sent: deque[float] = field(default_factory=deque, init=False, repr=False)
    _closed_until: float = field(default=0.0, init=False, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)
    _permits: Permits | None = field(default=None, init=False, repr=False)
    _batch: _Batch | None = field(default=None, init=False, repr=False)
    _batch_size: int = field(default=1, init=False, repr=False)
    _emergency: Budget | None = field(default=None, init=False, repr=False)
    _trouble: str | None = field(default=None, init=False, repr=False)
    _ask_again_at: float = field(default=-math.inf, init=False, repr=False)

    def share(self, permits: Permits) -> None:
        """Take permits from a store from now on. The first store stays: there is one for a process and key."""
        with self._lock:
            if self._permits is None:
                self._permits = permits

    def take(self, lane: Lane, *, now: float) -> float:
        """Take a permit and return 0, or return the seconds after which to ask again."""
        with self._lock:
            if now < self._closed_until:
                return self._closed_until - now
            if self._permits is not None:
                return self._take_shared(self._permits, lane, now=now)
            while self._sent and self._sent[0] <= now - self.window_seconds:
                self._sent.popleft()
            allowed = self._allowed(lane)
            if len(self._sent) < allowed:
                self._sent.append(now)
                return 0.0
            return max(self._sent[len(self._sent) - allowed] + self.window_seconds - now, 0.01)

    def give_back(self, *, now: float) -> None:
        """Let other processes have what this one took and did not use. It can go on taking more."""
        with self._lock:
            held, self._batch = self._batch, None
            spent = self._spent(held, now=now)
            if self._permits is not None and held is not None and spent is not None and held.has_one(now=now):
                with suppress(StoreUnavailable):  # it comes back by itself, later
                    self._permits.settle(spent)

    def left(self, *, now: float, lane: Lane = "money") -> int:
        """How many permits are left for a lane in this window; for money, that is the reserve as well."""
        with self._lock:
            if self._permits is None:
                used = sum(1 for at in self._sent if at > now - self.window_seconds)
                return max(self._allowed(lane) - used, 0)
            out = self._out(self._permits, now=now)
            if out is None:
                return self._emergency_share().left(now=now, lane=lane)
            held = self._batch
            unused = held.count - held.used if held is not None and held.has_one(now=now) else 0
            return max(self._allowed(lane) - out + unused, 0)

    def trouble(self, *, now: float) -> str | None:
        """Why nothing new may be sent: the store of permits cannot be used. `None` while all is well."""
        with self._lock:
            if self._trouble is not None and self._permits is not None:
                self._out(self._permits, now=now)
            return self._trouble

    def _out(self, permits: Permits, *, now: float) -> int | None:
        """How many permits are out, `None` while the store cannot be used; it is not asked at every call then."""
        if now < self._ask_again_at:
            return None
        try:
            out = permits.out(window_seconds=self.window_seconds)
        except StoreUnavailable as error:
            self._go_on_without(str(error), now=now)
            return None
        self._is_back()
        return out

    def _allowed(self, lane: Lane) -> int:
        return self.requests - (self.reserve if lane == "read" else 0)

    def _take_shared(self, permits: Permits, lane: Lane, *, now: float) -> float:
        held = self._batch
        if held is not None and held.has_one(now=now):
            held.use(now=now)
            return 0.0
        if now < self._ask_again_at:
            return self._emergency_share().take(lane, now=now)
        try:
            granted = permits.lease(
                self._wanted(lane, held),
                most=self._allowed(lane),
                window_seconds=self.window_seconds,
                spent=self._spent(held, now=now),
            )
        except StoreUnavailable as error:
            self._go_on_without(str(error), now=now)
            return self._emergency_share().take(lane, now=now)
        self._is_back()
        self._batch = None
        if granted.count == 0:
            return granted.wait_seconds
        self._batch = _Batch(granted.batch, granted.count, until=now + BATCH_SECONDS, used_at=now)
        self._batch.use(now=now)
        return 0.0

    def _wanted(self, lane: Lane, held: _Batch | None) -> int:
        """One at first, then twice as many for who uses them up: who sends one request keeps nothing from others."""
        if lane != "read":
            return 1
        if held is None or held.process != os.getpid():
            self._batch_size = 1
        elif held.used < held.count:
            self._batch_size = max(held.used, 1)
        else:
            self._batch_size = min(2 * max(held.count, 1), max(_LARGEST_BATCH, self.requests // 10))
        return self._batch_size

    def _spent(self, held: _Batch | None, *, now: float) -> Spent | None:
        # A batch that came by a fork is the parent's: it goes on using it there.
        if held is None or held.process != os.getpid():
            return None
        return Spent(held.number, held.used, max(now - held.used_at, 0.0))

    def _go_on_without(self, why: str, *, now: float) -> None:
        if self._trouble is None:
            _log.warning("The store of request permits cannot be used, so new orders stop: %s", why)
        self._trouble = why
        self._ask_again_at = now + _ASK_AGAIN_SECONDS

    def _is_back(self) -> None:
        if self._trouble is not None:
            _log.info("The store of request permits can be used again.")
        self._trouble, self._ask_again_at = None, -math.inf

    def _emergency_share(self) -> Budget:
        if self._emergency is None:
            self._emergency = Budget(_EMERGENCY_REQUESTS, self.window_seconds, reserve=_EMERGENCY_RESERVE)
        return self._emergency

    def learn(self, response: Response, *, now: float, server_now: float) -> None:
        """Close the window early when the server says that nothing is left.

        Args:
            response: any answer of the exchange.
            now: monotonic seconds.
            server_now: seconds since 1970 by the server's clock, to read a reset given as a time.
        """
        remaining = _number(response.headers.get("x-ratelimit-remaining"))
        if response.status != 429 and (remaining is None or remaining > 0):
            return
        wait = reset_seconds(response, server_now=server_now)
        with self._lock:
            wait = min(wait, self.window_seconds)
            self._closed_until = max(self._closed_until, now + wait)
            if self._permits is not None and now >= self._ask_again_at:
                try:
                    self._permits.close_window(wait, window_seconds=self.window_seconds)
                except StoreUnavailable as error:
                    self._go_on_without(str(error), now=now)


def reset_seconds(response: Response, *, server_now: float) -> float:
    """How long the server asks to wait: `Retry-After`, else the reset header in either form, else 1 s."""
    for name in ("retry-after", "x-ratelimit-reset"):
        value = _number(response.headers.get(name))
        if value is not None:
            return max(value - server_now, 0.1) if value > _EPOCH_SECONDS else max(value, 0.1)
    return 1.0


def _number(text: str | None) -> float | None:
    """A header's number; seconds and counts only, never money."""
    try:
        seconds = float(text) if text is not None else None
    except ValueError:
        return None
    return seconds if seconds is not None and math.isfinite(seconds) else None
