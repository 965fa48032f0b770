"""What is told without being asked: every order of the journal, once, whatever Telegram does meanwhile."""

from __future__ import annotations

import time
from decimal import Decimal

import pytest

from tradehook.client import connect
from tradehook.errors import OutcomeUnknown
from tradehook.models import NewOrder


def is_new(card, text):
    return lambda message: message.id != card.id and text in message.text


def asked(person, command="/buy BTC 0.01"):
    person.say(command)
    return person.wait_for("Open until:")


def notices(person, text, *, besides=None):
    return [
        message
        for message in person.messages()
        if message.from_bot and text in message.text and (besides is None or message.id != besides.id)
    ]


def command_line(bot, *words, limit=None, wait=False):
    """What `tradehook order place` does, without a process for each: same desk, same journal, same source."""
    side, market, amount = words
    order = NewOrder.of(market, side=side, amount=amount, price=Decimal(limit) if limit else None)
    with connect(bot.account) as client:
        outcome = client.place_order(order, source="cli")
        while wait and not client.desk.follow(outcome.intent_id).is_final:
            time.sleep(0.05)


@pytest.fixture
def loud(bot, anna):
    """Anna, who hears of everything: otherwise what is filled while she looks is an edit."""
    bot.loud(anna)
    return anna


def telegram_fault(exchange, kind, method="sendMessage", **more):
    exchange.post("/telegram/faults", method=method, kind=kind, **more)


def test_orders_from_the_command_line_are_told_to_the_owner_once(bot, anna):
    command_line(bot, "buy", "BTC/PYUSD", "0.01")
    told = anna.wait_for("Filled: bought 0.0100 BTC", since=0)
    assert "from the command line" in told.text
    command_line(bot, "sell", "ETH/PYUSD", "1", limit="4000")
    resting = anna.wait_for("Open: sell 1.0000 ETH at 4,000.0", since=0)
    link = next(word for word in resting.text.split() if word.startswith("/cancel_"))
    anna.say(link)
    anna.wait_for(
        lambda message: "Canceled: sell 1.0000 ETH" in message.text and "from the command line" in message.text
    )
    anna.say("/status")
    anna.wait_for("Trading: on")
    assert bot.has_read_everything()
    assert len(notices(anna, "Filled: bought 0.0100 BTC")) == 1
    assert len(notices(anna, "from the command line")) == 2  # one for each order, edited as it goes


def test_a_command_line_order_without_an_answer_is_told_of(exchange, bot, anna):
    exchange.fault("error_after")
    with pytest.raises(OutcomeUnknown):
        command_line(bot, "buy", "BTC/PYUSD", "0.01")
    told = anna.wait_for("UNKNOWN: Buy 0.0100 BTC", since=0)
    assert "From the command line" in told.text


def test_what_happened_before_the_bots_first_boot_is_not_news(exchange, make_bot):
    bot = make_bot()
    command_line(bot, "buy", "BTC/PYUSD", "0.01", wait=True)
    with bot.running():
        anna = bot.let_in()
        asked(anna, "/buy ETH 1")
        anna.tap(2)
        anna.wait_for("Filled: bought 1.0000 ETH")
        assert not notices(anna, "command line")


@pytest.mark.parametrize("kind", ["error_before", "error_after"])
def test_a_notice_that_may_have_arrived_is_sent_again_and_says_so(kind, exchange, bot, loud, eventually):
    card = asked(loud, "/buy BTC 0.01 limit 64000")
    loud.tap(2, card)
    loud.wait_for("Open: buy 0.0100 BTC")
    telegram_fault(exchange, kind, status=502)
    exchange.price(BTC="63900")
    loud.wait_for(is_new(card, "(may be a repeat)"))
    eventually(lambda: bot.house.outbox.waiting() == 0)
    told = notices(loud, "Filled: bought", besides=card)
    assert len(told) == (1 if kind == "error_before" else 2)
    assert exchange.get("/telegram/faults")["faults"] == []


def test_telegram_asking_to_slow_down_is_obeyed(exchange, bot, loud):
    card = asked(loud, "/buy BTC 0.01 limit 64000")
    loud.tap(2, card)
    loud.wait_for("Open: buy 0.0100 BTC")
    telegram_fault(exchange, "rate_limited", retry_after=1)
    exchange.price(BTC="63900")
    told = loud.wait_for(is_new(card, "Filled: bought 0.0100 BTC"))
    assert "may be a repeat" not in told.text
    assert len(notices(loud, "Filled: bought", besides=card)) == 1


def test_an_edit_that_was_lost_is_made_up_for(exchange, bot, loud):
    card = asked(loud)
    telegram_fault(exchange, "error_before", method="editMessageText", status=502, times=3)
    loud.tap(2, card)
    loud.wait_for(is_new(card, "Filled: bought"))
    edited = loud.wait_for(lambda message: message.id == card.id and "Filled: bought" in message.text, since=0)
    assert not edited.buttons


def test_a_notice_for_somebody_who_blocked_the_bot_is_given_up(exchange, bot, loud, eventually):
    card = asked(loud, "/buy BTC 0.01 limit 64000")
    loud.tap(2, card)
    loud.wait_for("Open: buy 0.0100 BTC")
    loud.remote.post("/block", user=loud.user, token=loud.token)
    exchange.price(BTC="63900")
    host = bot.house.accounts[0].client.exchange.host
    eventually(lambda: not bot.house.journal.open_orders(host))
    eventually(lambda: bot.house.outbox.waiting() == 0)
    assert not notices(loud, "Filled: bought", besides=card)


def test_a_card_that_was_sent_but_not_heard_of_cannot_be_confirmed(exchange, bot, anna):
    before = exchange.orders()
    telegram_fault(exchange, "error_after", status=502)
    anna.say("/buy BTC 0.01")
    card = anna.wait_for("Open until:")
    anna.wait_for("No order was sent")
    anna.tap(2, card)
    gone = anna.wait_for("Cut off: Buy 0.0100 BTC")
    assert gone.id == card.id
    assert not gone.buttons
    anna.say("/help")
    anna.wait_for("What I understand")
    assert exchange.orders() == before
