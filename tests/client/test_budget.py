"""The budget keeps under the limit, keeps a share for money, and believes the server."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tradehook.budget import Budget, reset_seconds
from tradehook.wire import Response


def test_reads_leave_a_reserve_for_money():
    budget = Budget(requests=20, reserve=5)
    assert [budget.take("read", now=0.0) for _ in range(15)] == [0.0] * 15
    assert budget.take("read", now=0.0) == 60.0
    assert [budget.take("money", now=0.0) for _ in range(5)] == [0.0] * 5
    assert budget.take("money", now=0.0) == 60.0
    assert budget.take("money", now=60.0) == 0.0


@given(st.lists(st.floats(min_value=0, max_value=5), min_size=50, max_size=300))
def test_never_more_than_the_limit_in_any_minute(gaps):
    budget = Budget(requests=30, reserve=0)
    now, sent = 0.0, []
    for gap in gaps:
        now += gap
        while wait := budget.take("money", now=now):
            now += wait
        sent.append(now)
    for start in sent:
        assert sum(1 for at in sent if start <= at < start + 59.999) <= 30


def test_the_server_closes_the_window():
    budget = Budget()
    empty = Response(200, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "12"})
    budget.learn(empty, now=100.0, server_now=1_790_000_000)
    assert budget.take("money", now=100.0) == 12.0
    assert budget.take("money", now=112.0) == 0.0


def test_both_forms_of_reset_and_nonsense():
    at = 1_790_000_000.0
    assert reset_seconds(Response(429, {"x-ratelimit-reset": "1790000030"}), server_now=at) == 30.0
    assert reset_seconds(Response(429, {"x-ratelimit-reset": "30"}), server_now=at) == 30.0
    assert reset_seconds(Response(429, {"retry-after": "5", "x-ratelimit-reset": "30"}), server_now=at) == 5.0
    for nonsense in ("soon", "nan", "inf", "-inf", "", "1e999"):
        assert 0 < reset_seconds(Response(429, {"x-ratelimit-reset": nonsense}), server_now=at) <= 1.0
