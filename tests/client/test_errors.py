"""Every error says what it is, survives pickling, and the drawn tree is the real one."""

from __future__ import annotations

import copy
import inspect
import pickle

import pytest

from tradehook import errors
from tradehook.errors import TradehookError


def _all() -> list[type[TradehookError]]:
    return [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, TradehookError)]


def _make(kind: type[TradehookError]) -> TradehookError:
    match kind:
        case errors.GuardRefused:
            return kind("no", rule="live", limit="0", actual="1", exchange="true_markets")
        case errors.OutcomeUnknown:
            return kind("who knows", intent_id="i-1", next_step="look", exchange="true_markets")
        case errors.RateLimited:
            return kind("slow", retry_after_seconds=3.5, status=429, exchange="true_markets")
        case errors.InvalidInput:
            return kind("what", suggestions=("this", "that"), field="amount")
        case _ if issubclass(kind, errors.ResponseError):
            return kind("no", status=400, code="unit", request_id="r", exchange="true_markets")
        case _:
            return kind("broken", exchange="true_markets", hint="x")


@pytest.mark.parametrize("kind", _all(), ids=lambda kind: kind.__name__)
def test_survives_pickle_and_copy(kind):
    error = _make(kind)
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert type(again) is kind
        assert (again.message, again.exchange, again.details) == (error.message, error.exchange, error.details)
        assert str(again) == str(error) == error.message
        for name, value in error.details.items():
            assert getattr(again, name) == value


def test_the_drawn_tree_names_every_class():
    for kind in _all():
        assert kind.__name__ in (errors.__doc__ or "")


def test_what_may_have_happened():
    assert not errors.NotSent("x").may_have_happened
    assert errors.TimedOut("x").may_have_happened
    assert errors.Disconnected("x").may_have_happened
    assert errors.Unavailable("x", status=503).may_have_happened
    assert errors.UnexpectedResponse("x").may_have_happened
    assert not errors.RateLimited("x", status=429).may_have_happened
    assert not errors.Rejected("x", status=400).may_have_happened


def test_an_unknown_detail_is_an_attribute_error():
    with pytest.raises(AttributeError):
        _ = errors.TradehookError("x").nothing_like_it
