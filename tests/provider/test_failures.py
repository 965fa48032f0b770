"""What Airflow is told to do about each error of ours."""

from __future__ import annotations

import logging

import pytest

from tradehook import errors
from tradehook_provider import failures

pytestmark = pytest.mark.usefixtures("airflow_database")

TRIED_AGAIN = {
    errors.Interrupted,
    errors.JournalUnavailable,
    errors.NetworkError,
    errors.NotSent,
    errors.TimedOut,
    errors.Disconnected,
    errors.RateLimited,
}
TRIED_AGAIN |= {errors.Unavailable}


def every_kind(kind=errors.TradehookError):
    """Those of the client: programs above it may have some of their own, loaded by other tests."""
    if kind.__module__.startswith("tradehook."):
        yield kind
    for below in kind.__subclasses__():
        yield from every_kind(below)


def make(kind):
    if kind is errors.GuardRefused:
        return kind("No.", rule="live")
    if kind is errors.OutcomeUnknown:
        return kind("Nobody knows.", intent_id="i-1", next_step="tradehook intents show i-1")
    return kind("No.")


@pytest.mark.parametrize("kind", sorted(set(every_kind()), key=lambda kind: kind.__name__))
def test_each_error_is_tried_again_or_not(kind):
    from airflow.sdk.exceptions import AirflowFailException

    error = make(kind)
    expected = kind if kind in TRIED_AGAIN else AirflowFailException
    with pytest.raises(expected) as caught, failures.explained(logging.getLogger("test")):
        raise error
    if kind not in TRIED_AGAIN:
        assert caught.value.__cause__ is error
        assert error.message in str(caught.value)


def test_an_unknown_outcome_says_what_it_is_and_what_to_do():
    text = failures.reason(make(errors.OutcomeUnknown))
    assert text.startswith("UNKNOWN: ")
    assert "i-1 is held" in text


def test_other_errors_pass_untouched():
    with pytest.raises(ZeroDivisionError), failures.explained(logging.getLogger("test")):
        raise ZeroDivisionError


def test_two_retries_unless_the_task_or_its_dag_says_otherwise():
    from airflow.sdk import DAG

    from tradehook_provider.operators.balances import BalancesOperator

    with DAG("plain", schedule=None):
        assert BalancesOperator(task_id="a").retries == 2
        assert BalancesOperator(task_id="b", retries=7).retries == 7
    with DAG("with_defaults", schedule=None, default_args={"retries": 5}):
        assert BalancesOperator(task_id="a").retries == 5
        assert BalancesOperator(task_id="b", retries=0).retries == 0
