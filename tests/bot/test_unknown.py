"""When an answer is lost the bot says so, sends nothing a second time, and tells once."""

from __future__ import annotations

import pytest


def is_new(card, text):
    return lambda message: message.id != card.id and text in message.text


def asked(person, command="/buy BTC 0.01"):
    person.say(command)
    return person.wait_for("Open until:")


@pytest.mark.parametrize("kind", ["error_after", "garbled"])
def test_an_order_whose_answer_was_lost_is_found_and_told_once(kind, exchange, anna):
    before = exchange.orders()
    card = asked(anna, "/buy BTC 0.0123")
    exchange.fault(kind, times=1)
    anna.tap(2, card)
    told = anna.wait_for(
        lambda message: message.id != card.id and ("Filled" in message.text or "UNKNOWN" in message.text)
    )
    # Where others use the account, nothing tells whose it is, and a person is asked.
    assert "bought 0.0123 BTC" in told.text or "It may exist or not" in told.text
    assert exchange.orders() == before + 1


def test_an_order_that_is_not_there_is_unknown_and_never_sent_again(exchange, bot, anna):
    before = exchange.orders()
    card = asked(anna)
    exchange.fault("error_before", times=1)
    anna.tap(2, card)
    told = anna.wait_for(is_new(card, "UNKNOWN: Buy 0.0100 BTC"))
    for words in (
        "It may exist or not",
        "Do not enter it again",
        "tradehook intents show chat-",
        "/orders",
        "/balance",
    ):
        assert words in told.text
    edited = anna.wait_for(lambda message: message.id == card.id and "UNKNOWN" in message.text, since=0)
    assert not edited.buttons
    anna.forge(card.buttons[1].data, card)
    anna.wait_for_answer()
    anna.say("/orders")
    listed = anna.wait_for("1 UNKNOWN")
    assert "do not enter them again" in listed.text
    anna.say("/status")
    anna.wait_for("UNKNOWN orders: 1")
    assert exchange.orders() == before
    assert sum("UNKNOWN: Buy" in message.text for message in anna.messages()) == 2
    intent_id = told.text.split("intents show ")[1].split()[0]
    assert bot.house.journal.get(intent_id).reads_as == "UNKNOWN"


@pytest.mark.parametrize("kind", ["rate_limited", "edge_html"])
def test_a_definite_no_is_no_doubt(kind, exchange, anna):
    before = exchange.orders()
    card = asked(anna)
    exchange.fault(kind, times=20 if kind == "edge_html" else 1, delay_seconds=0)
    anna.tap(2, card)
    expected = "Filled" if kind == "rate_limited" else is_new(card, "Not placed: Buy 0.0100 BTC")
    told = anna.wait_for(expected)
    assert "UNKNOWN" not in told.text
    assert exchange.orders() == before + (kind == "rate_limited")


def test_an_exchange_that_is_gone_gets_nothing(make_bot, serve, tmp_path):
    with serve(tmp_path) as exchange:
        bot = make_bot()  # Telegram stays with the sandbox that all tests share
        bot.account = exchange.account(bot.folder)
        with bot.running():
            anna = bot.let_in()
            card = asked(anna, "/buy BTC 0.01 limit 60000")
            exchange.process.terminate()
            exchange.process.wait(timeout=20)
            anna.tap(2, card)
            told = anna.wait_for(is_new(card, "Not sent: Buy 0.0100 BTC at 60,000.0"), timeout_seconds=30)
            assert "Nothing was sent" in told.text
            anna.say("/freeze")
            frozen = anna.wait_for("The exchange does not answer", timeout_seconds=30)
            assert "Frozen." in frozen.text
