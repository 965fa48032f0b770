"""What is said over the market-data WebSocket, without sockets: every message gets exactly one answer."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradehook_sandbox.true_markets.topics import ALL, TOPICS, Subscription


@pytest.fixture
def told():
    """Send messages to one subscription and see its answers, without the time."""
    subscription = Subscription()

    def tell(message):
        text = message if isinstance(message, str) or message is None else json.dumps(message)
        answer = subscription.answer(text, now=1_790_000_000)
        assert answer.pop("timestamp") == 1_790_000_000
        return answer

    tell.subscription = subscription
    return tell


def test_subscribing_is_acknowledged(told):
    answer = told({"type": "subscribe", "topics": ["price_candles"]})
    assert answer == {
        "type": "subscribe",
        "status": "success",
        "message": "subscribed",
        "topics": ["price_candles"],
    }
    assert told.subscription.topics == ("price_candles",)
    told({"type": "subscribe", "topics": ["reference_prices", "price_candles"]})
    assert told.subscription.topics == ("price_candles", "reference_prices")
    assert told({"type": "unsubscribe", "topics": ["price_candles"]})["message"] == "unsubscribed"
    assert told.subscription.topics == ("reference_prices",)


def test_all_stands_for_every_topic_and_single_ones_cannot_be_taken_from_it(told):
    told({"type": "subscribe", "topics": [ALL]})
    assert told.subscription.topics == TOPICS
    assert told({"type": "unsubscribe", "topics": ["price_candles"]})["status"] == "success"
    assert told.subscription.topics == TOPICS
    told({"type": "unsubscribe", "topics": [ALL]})
    assert told.subscription.topics == ()


def test_unsubscribing_from_what_one_has_not_is_an_error_of_that_acknowledgement(told):
    answer = told({"type": "unsubscribe", "topics": ["price_candles"]})
    assert (answer["type"], answer["status"], answer["message"]) == ("unsubscribe", "error", "not subscribed")


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("{", "invalid message"),
        ("[]", "invalid message"),
        ("7", "invalid message"),
        ("NaN", "invalid message"),
        ("\ud800", "invalid message"),
        ("[" * 50_000, "invalid message"),
        (None, "text frames only"),
        ({}, "invalid type"),
        ({"type": "shout", "topics": ["all"]}, "invalid type"),
        ({"type": ["subscribe"], "topics": ["all"]}, "invalid type"),
        ({"type": "subscribe"}, "invalid topics"),
        ({"type": "subscribe", "topics": "all"}, "invalid topics"),
        ({"type": "subscribe", "topics": []}, "invalid topics"),
        ({"type": "subscribe", "topics": ["orders"]}, "invalid topic"),
        ({"type": "subscribe", "topics": ["all", {"a": 1}]}, "invalid topic"),
        ({"type": "subscribe", "topics": [None]}, "invalid topic"),
    ],
)
def test_what_is_not_understood_is_a_typed_error_and_changes_nothing(told, message, said):
    answer = told(message)
    assert (answer["type"], answer["status"], answer["message"]) == ("error", "error", said)
    assert answer["error"]
    assert len(json.dumps(answer)) < 400
    assert told.subscription.topics == ()


@given(st.one_of(st.text(), st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["type", "topics", "x"]), inner)).map(json.dumps)))  # fmt: skip
def test_anything_gets_one_answer(text):
    answer = Subscription().answer(text, now=1)
    assert answer["type"] in ("subscribe", "unsubscribe", "error")
    assert json.dumps(answer).isascii()
