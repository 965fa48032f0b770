"""The request budget: a bucket of tokens for each caller, refilled evenly. See: fintrusted-api 3.7."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tradehook_sandbox.fintrusted import messages
from tradehook_sandbox.fintrusted.calls import Refused

if TYPE_CHECKING:
    from tradehook_sandbox.fintrusted.rules import FinTrustedRules

TOO_MANY: Final = 429
_FAMILY_TOO_MANY: Final = 3005
_MINUTE_SECONDS: Final = 60.0


@dataclass(slots=True)
class Bucket:
    """What one caller may still ask for."""

    level: float
    at: float
    """When that was counted, in seconds since 1970."""


class RateLimit:
    """Counts requests per caller."""

    def __init__(self, rules: FinTrustedRules) -> None:
        self._rules = rules
        self._buckets: dict[str, Bucket] = {}

    def take(self, caller: str, *, now: float) -> None:
        """One more request is counted.

        Raises:
            Refused: it is one too many; it is not counted.
        """
        most = self._rules.rate_limit
        if not most:
            return
        bucket = self._buckets.setdefault(caller, Bucket(float(most), now))
        # A clock that was turned back refills nothing.
        refill = max(0.0, now - bucket.at) * most / _MINUTE_SECONDS
        bucket.level, bucket.at = min(float(most), bucket.level + refill), now
        if bucket.level < 1:
            raise self.refusal(math.ceil((1 - bucket.level) * _MINUTE_SECONDS / most))
        bucket.level -= 1

    def refusal(self, wait_seconds: int) -> Refused:
        """The answer to one request too many."""
        if self._rules.rate_limit_style == "family":
            return Refused(messages.TOO_FREQUENT, code=_FAMILY_TOO_MANY)
        wait = {"retry-after": str(max(1, wait_seconds))}
        return Refused(messages.TOO_FREQUENT, code=TOO_MANY, status=TOO_MANY, headers=wait)
