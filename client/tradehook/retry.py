"""The one table of what may be sent again. Nothing else in the code decides that.

Rows are what came back, columns are what was sent (`wire.Kind`):

    signal                     read, mint   single     create    execute          cancel
    no byte left               again        again      again     again            again
    no answer, broken answer   again        UNKNOWN    again     look, then again again
    401                        new token    new token  new token new token        new token
    429                        wait         wait       wait      wait             wait
    408, 409, 425              again        UNKNOWN    again     look, then again no
    5xx                        again        UNKNOWN    again     look, then again again
    other 4xx, 3xx             no           no         no        no               no
    2xx, not as documented     again        UNKNOWN    again     look, then again again

`single` moves money in one step at an exchange without any key against repetition, so doubt is
UNKNOWN and stays so. A `create` that was never executed moves nothing. An `execute` is addressed by
id: its status is looked at first, and then the very same bytes go again.
Sources: RFC 9110 9.2.2; the exchanges' own pages and the observations behind them (docs/explanation).
"""

from __future__ import annotations

import random
from enum import Enum
from typing import TYPE_CHECKING

from tradehook.errors import (
    NotSent,
    RateLimited,
    ResponseError,
    TradehookError,
    Unauthorized,
)

if TYPE_CHECKING:
    from tradehook.wire import Kind

ATTEMPTS = 4
"""How often a request that may be repeated is sent at most."""
PATIENCE_SECONDS = 90.0
"""How long all attempts and pauses of one read may take together."""
_LONGEST_WAIT_SECONDS = 120.0


class Verdict(Enum):
    """What to do after a failure."""

    AGAIN = "again"
    WAIT = "wait"
    NEW_TOKEN = "new token"
    LOOK = "look"
    UNKNOWN = "unknown"
    NO = "no"


def verdict(kind: Kind, error: TradehookError) -> Verdict:
    """What the table says about this failure of this kind of request."""
    if isinstance(error, NotSent):
        return Verdict.AGAIN
    if isinstance(error, Unauthorized):
        return Verdict.NEW_TOKEN
    if isinstance(error, RateLimited):
        return Verdict.WAIT
    is_doubtful = error.may_have_happened
    if isinstance(error, ResponseError) and error.status in (408, 409, 425):
        if kind == "cancel":
            return Verdict.NO
        is_doubtful = True
    if not is_doubtful:
        return Verdict.NO
    match kind:
        case "single":
            return Verdict.UNKNOWN
        case "execute":
            return Verdict.LOOK
        case _:
            return Verdict.AGAIN


def delay_seconds(attempt: int, error: TradehookError) -> float:
    """How long to pause before attempt number `attempt` + 1: the server's word, else full jitter from 0.25 s."""
    if isinstance(error, RateLimited):
        return min(max(float(error.retry_after_seconds), 0.1), _LONGEST_WAIT_SECONDS)
    return random.uniform(0.05, min(20.0, 0.25 * 2**attempt))  # noqa: S311 - spreads load, guards no secret
