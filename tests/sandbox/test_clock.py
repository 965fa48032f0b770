"""Time: real or frozen, moved by hand, written as the wire wants it."""

from __future__ import annotations

import pytest

from tradehook_sandbox import Clock
from tradehook_sandbox.clock import http_date, rfc3339


def test_a_frozen_clock_moves_only_when_it_is_advanced():
    clock = Clock.frozen()
    assert clock.now() == clock.now() == 1_790_000_000.0
    clock.advance(1.5)
    assert clock.now() == 1_790_000_001.5


def test_an_offset_is_added_to_the_source():
    clock = Clock(lambda: 100.0, offset=5.0)
    clock.advance(-10)
    assert clock.now() == 95.0


@pytest.mark.parametrize("seconds", [float("nan"), float("inf"), 1e12, -1e12])
def test_a_date_the_wire_could_not_write_is_refused(seconds):
    clock = Clock.frozen()
    with pytest.raises(ValueError, match="ten years"):
        clock.advance(seconds)
    assert clock.now() == 1_790_000_000.0


def test_moments_are_written_in_utc():
    assert rfc3339(1_790_000_000_123_456) == "2026-09-21T14:13:20.123456Z"
    assert http_date(1_790_000_000.9) == "Mon, 21 Sep 2026 14:13:20 GMT"
