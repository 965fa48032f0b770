"""How a doubt ended is told once: by the question where somebody said it, elsewhere by one letter."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import text

from tradehook.client import connect
from tradehook.desk.intents import iso
from tradehook.errors import OutcomeUnknown
from tradehook.models import NewOrder


@pytest.fixture
def bot(make_bot):
    """A bot that calls something a doubt at once, instead of looking for it for seconds first."""
    quick = make_bot()
    quick.account = replace(quick.account, look_seconds=0)
    with quick.running() as running:
        yield running


def over(bot):
    """The only doubt there is, whose horizon is over."""
    (intent,) = bot.house.journal.doubts.list(bot.house.accounts[0].client.exchange.host)
    with bot.house.store.engine.begin() as connection:
        connection.execute(
            text("UPDATE intent SET looking_until = :at WHERE intent_id = :id"),
            {"at": iso(datetime.now(UTC) - timedelta(minutes=1)), "id": intent.intent_id},
        )
    return intent


def from_chat(person, exchange):
    person.say("/buy BTC 0.0123")
    card = person.wait_for("Open until:")
    exchange.fault("error_before", times=1)
    person.tap(2, card)
    person.wait_for(lambda seen: seen.id != card.id and "UNKNOWN" in seen.text)
    person.wait_for(lambda seen: seen.id == card.id and "UNKNOWN" in seen.text, since=0)
    return card


def from_elsewhere(bot, exchange, *people):
    exchange.fault("error_before", times=1)
    order = NewOrder.of("BTC/PYUSD", side="buy", amount="0.0123", price=Decimal(60000))
    with connect(bot.account) as client, pytest.raises(OutcomeUnknown):
        client.place_order(order, source="cli")
    return [person.wait_for("UNKNOWN: Buy 0.0123 BTC", since=0) for person in people]


def resolve_in_chat(person, app):
    """The question by which the person said that it was not placed."""
    person.say("/unknown")
    person.tap("It was not", person.wait_for("UNKNOWN: Buy 0.0123 BTC"))
    question = person.wait_for("It was not placed?")
    person.tap("It was not placed", question)
    person.wait_for("Now type the six digits")
    person.say(app.code())
    resolved = person.wait_for("Resolved: Buy 0.0123 BTC")
    assert resolved.id == question.id
    return question


def tellings(person, *, after):
    """What the bot told of the end in new messages."""
    return [seen for seen in person.messages() if seen.from_bot and seen.id > after.id and "Not placed" in seen.text]


def settled(bot, eventually):
    eventually(bot.has_read_everything)
    eventually(lambda: bot.house.outbox.waiting() == 0)
    eventually(lambda: not bot.house.order_messages.due() and not bot.house.notices.due())


def test_the_question_says_it_and_the_orders_own_message(bot, anna, exchange, app_of, eventually):
    app = app_of(anna)
    card = from_chat(anna, exchange)
    over(bot)
    question = resolve_in_chat(anna, app)
    anna.wait_for(lambda seen: seen.id == card.id and "Not placed: Buy 0.0123 BTC" in seen.text, since=0)
    settled(bot, eventually)
    assert tellings(anna, after=question) == []


def test_others_hear_of_it_in_one_letter(bot, anna, exchange, app_of, eventually):
    app, ben = app_of(anna), bot.let_in("Ben")
    hers, his = from_elsewhere(bot, exchange, anna, ben)
    over(bot)
    question = resolve_in_chat(anna, app)
    for person, notice in ((anna, hers), (ben, his)):
        person.wait_for(lambda seen, notice=notice: seen.id == notice.id and "Not placed" in seen.text, since=0)
    settled(bot, eventually)
    assert tellings(anna, after=question) == []
    assert len(tellings(ben, after=his)) == 1


def test_what_was_said_on_the_machine_is_one_letter(bot, anna, exchange, eventually):
    card = from_chat(anna, exchange)
    intent = over(bot)
    with connect(bot.account) as client:
        client.desk.resolve(intent.intent_id, "not-placed", by="root at the machine", why="")
    anna.wait_for(lambda seen: seen.id == card.id and "Not placed: Buy 0.0123 BTC" in seen.text, since=0)
    settled(bot, eventually)
    (told,) = tellings(anna, after=card)
    assert "root at the machine" in told.text
