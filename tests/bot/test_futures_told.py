"""Futures orders of Airflow and the command line are told like every other: filled, refused, or nobody knows."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from tradehook.client import connect
from tradehook.errors import InsufficientFunds, OutcomeUnknown
from tradehook.futures import NewFuturesOrder
from tradehook_bot.chats import Loudness


@pytest.fixture(scope="module")
def futures_exchange(serve, tmp_path_factory):
    """A sandbox that answers for futures."""
    with serve(tmp_path_factory.mktemp("futures"), "--fintrusted-futures-answer", "order") as exchange:
        yield exchange


@pytest.fixture
def bot(futures_exchange, make_bot):
    futures_exchange.http.delete("/faults")
    futures_exchange.price(BTC="74000")
    bot = make_bot(futures_exchange)
    options = {"email": "demo@example.com", "password": "demo", "futures_profile": "family_default"}
    bot.account = replace(bot.account, exchange="fintrusted", account="fin", options=options)
    with bot.running() as running:
        yield running


def place(bot, contracts="10", *, source="airflow:hedge/manual__1/open", **more):
    fields = {"contract": "BTC/USDT", "position_side": "long", "action": "open", "leverage": 10, **more}
    order = NewFuturesOrder.model_validate({**fields, "contracts": Decimal(contracts)})
    with connect(bot.account) as client:
        client.desk.place_futures(order, intent_id=f"f-{contracts}-{len(more)}", source=source)


def tellings(person, words):
    return [seen for seen in person.messages() if seen.from_bot and words in seen.text]


def test_one_that_was_filled_is_told_once_and_where_it_came_from(bot, anna, eventually):
    bot.house.chats.set_loudness(anna.chat, Loudness.NORMAL)
    place(bot)
    told = anna.wait_for("Filled: open long 10 contracts of BTC/USDT", since=0)
    assert "from Airflow (hedge)" in told.text
    assert "/cancel" not in told.text
    assert [button.text for button in told.buttons] == ["Not me: freeze"]
    eventually(bot.has_read_everything)
    eventually(lambda: bot.house.outbox.waiting() == 0)
    assert len(tellings(anna, "10 contracts")) == 1


def test_one_that_the_exchange_refused_is_told_in_a_quiet_chat_too(bot, anna):
    bot.house.chats.set_loudness(anna.chat, Loudness.QUIET)
    with pytest.raises(InsufficientFunds):
        place(bot, "5000", source="cli")
    told = anna.wait_for("Not placed: Open long 5000 contracts of BTC/USDT, 10x", since=0)
    assert "From the command line" in told.text


def test_one_without_an_answer_is_unknown_and_told_how_it_ended(bot, futures_exchange, anna):
    futures_exchange.fault("error_before", path="/tx/uorder/open", status=503)
    with pytest.raises(OutcomeUnknown):
        place(bot, "7")
    told = anna.wait_for("UNKNOWN: Open long 7 contracts of BTC/USDT, 10x", since=0)
    assert "Do not enter it again" in told.text
    assert "/unknown" in told.text
    assert "/orders" not in told.text
    anna.say("/unknown")
    anna.wait_for("UNKNOWN: Open long 7 BTC/USDT futures")


def test_one_that_rests_is_followed_until_it_is_filled(bot, futures_exchange, anna):
    place(bot, "3", price=Decimal(73000), source="cli")
    resting = anna.wait_for("Open: open long 3 contracts of BTC/USDT", since=0)
    futures_exchange.price(BTC="72000")
    anna.wait_for(
        lambda seen: seen.id == resting.id and "Filled: open long 3 contracts" in seen.text,
        since=0,
        timeout_seconds=40,
    )
