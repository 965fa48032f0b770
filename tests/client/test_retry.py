"""The table, cell by cell: what may be sent again."""

from __future__ import annotations

import pytest

from tradehook import errors
from tradehook.retry import Verdict, delay_seconds, verdict

KINDS = ("read", "mint", "single", "create", "execute", "cancel")
AGAIN, WAIT, TOKEN, LOOK, UNKNOWN, NO = Verdict

SIGNALS = {
    "no byte left": (errors.NotSent("x"), (AGAIN,) * 6),
    "timed out": (errors.TimedOut("x"), (AGAIN, AGAIN, UNKNOWN, AGAIN, LOOK, AGAIN)),
    "disconnected": (errors.Disconnected("x"), (AGAIN, AGAIN, UNKNOWN, AGAIN, LOOK, AGAIN)),
    "401": (errors.Unauthorized("x", status=401), (TOKEN,) * 6),
    "429": (errors.RateLimited("x", status=429), (WAIT,) * 6),
    "408": (errors.ResponseError("x", status=408), (AGAIN, AGAIN, UNKNOWN, AGAIN, LOOK, NO)),
    "409": (errors.WrongState("x", status=409), (AGAIN, AGAIN, UNKNOWN, AGAIN, LOOK, NO)),
    "425": (errors.ResponseError("x", status=425), (AGAIN, AGAIN, UNKNOWN, AGAIN, LOOK, NO)),
    "500": (errors.Unavailable("x", status=500), (AGAIN, AGAIN, UNKNOWN, AGAIN, LOOK, AGAIN)),
    "503": (errors.Unavailable("x", status=503), (AGAIN, AGAIN, UNKNOWN, AGAIN, LOOK, AGAIN)),
    "400": (errors.InvalidOrder("x", status=400), (NO,) * 6),
    "403": (errors.Forbidden("x", status=403), (NO,) * 6),
    "edge": (errors.EdgeBlocked("x", status=403), (NO,) * 6),
    "404": (errors.NotFound("x", status=404), (NO,) * 6),
    "422": (errors.StaleQuote("x", status=422), (NO,) * 6),
    "302": (errors.ResponseError("x", status=302), (NO,) * 6),
    "garbled": (errors.UnexpectedResponse("x"), (AGAIN, AGAIN, UNKNOWN, AGAIN, LOOK, AGAIN)),
}


@pytest.mark.parametrize("signal", SIGNALS)
@pytest.mark.parametrize("kind", KINDS)
def test_table(signal, kind):
    error, row = SIGNALS[signal]
    assert verdict(kind, error) is row[KINDS.index(kind)]


def test_money_in_one_step_is_never_repeated_after_doubt():
    for error, _ in SIGNALS.values():
        if error.may_have_happened:
            assert verdict("single", error) is UNKNOWN


def test_the_servers_word_decides_how_long_to_wait():
    assert delay_seconds(1, errors.RateLimited("x", retry_after_seconds=7)) == 7
    assert delay_seconds(1, errors.RateLimited("x", retry_after_seconds=9999)) == 120
    assert all(0 < delay_seconds(n, errors.TimedOut("x")) <= 20 for n in range(1, 12))
