"""`/cancel all` asks once, names what it would cancel, and cancels exactly that. Counted at the exchange."""

from __future__ import annotations

from decimal import Decimal


def is_new(card, text):
    return lambda message: message.id != card.id and text in message.text


def is_now(card, text):
    return lambda message: message.id == card.id and text in message.text


def rest(person, *commands):
    for command in commands:
        person.say(command)
        person.tap(2, person.wait_for("or better?"))
        person.wait_for("Open: ")


def test_all_are_cancelled_after_one_question_with_their_count(exchange, anna, eventually):
    rest(anna, "/buy BTC 0.01 limit 60000", "/buy BTC 0.02 limit 61000", "/sell ETH 1 limit 9000")
    anna.say("/cancel all")
    card = anna.wait_for("Cancel all 3 orders?")
    assert [button.text for button in card.buttons] == ["Leave them", "Cancel all 3 orders"]
    assert "Open: buy 0.0100 BTC at 60,000.0" in card.text
    assert "Open: sell 1.0000 ETH at 9,000.0" in card.text
    assert len(exchange.open_ids()) == 3
    anna.tap(2, card)
    done = anna.wait_for(is_now(card, "Asked for the cancellation of 3 orders"))
    assert not done.buttons
    assert done.text.count("anceled: ") == 3
    eventually(lambda: exchange.open_ids() == [])
    anna.say("/cancel all")
    anna.wait_for("No order is open that could be canceled")


def test_an_order_that_was_opened_after_the_question_is_left(exchange, anna, eventually):
    rest(anna, "/buy BTC 0.01 limit 60000")
    anna.say("/cancel_all")
    card = anna.wait_for("Cancel 1 order?")
    rest(anna, "/buy BTC 0.01 limit 61000")
    anna.tap(2, card)
    anna.wait_for(is_now(card, "Asked for the cancellation of 1 order."))
    eventually(lambda: len(exchange.open_ids()) == 1)
    anna.say("/orders")
    assert "61,000.0" in anna.wait_for("1 open").text


def test_no_and_silence_cancel_nothing(exchange, make_bot):
    with make_bot(limit_seconds=Decimal(1)).running() as bot:
        anna = bot.let_in()
        rest(anna, "/buy BTC 0.01 limit 60000")
        anna.say("/cancel all")
        card = anna.wait_for("Cancel 1 order?")
        anna.tap(1, card)
        assert not anna.wait_for(is_now(card, "You said no: they were left")).buttons
        anna.say("/cancel all")
        card = anna.wait_for(is_new(card, "Cancel 1 order?"))
        over = anna.wait_for(is_now(card, "Nobody answered in time: they were left"))
        assert not over.buttons
        assert len(exchange.open_ids()) == 1


def test_what_cannot_be_cancelled_is_told_beside_what_was(exchange, anna, eventually):
    rest(anna, "/buy BTC 0.01 limit 60000", "/buy BTC 0.02 limit 61000")
    anna.say("/cancel all")
    card = anna.wait_for("Cancel all 2 orders?")
    exchange.price(BTC="60500")  # one is filled before the answer
    anna.wait_for(is_new(card, "Filled: bought 0.0200 BTC"))
    anna.tap(2, card)
    done = anna.wait_for(is_now(card, "Asked for the cancellation of 2 orders"))
    assert "Not canceled: " in done.text
    assert "filled" in done.text
    eventually(lambda: exchange.open_ids() == [])


def test_it_works_in_a_freeze_and_one_press_counts(exchange, anna, eventually):
    rest(anna, "/buy BTC 0.01 limit 60000")
    anna.say("/freeze")
    card = anna.wait_for("STILL LIVE at the exchange: 1 order")
    assert [button.text for button in card.buttons] == ["Leave them", "Cancel 1 order"]
    anna.tap(2, card)
    done = anna.wait_for(is_now(card, "Asked for the cancellation of 1 order."))
    assert "Nothing new will be sent from chat, Airflow or the command line" in done.text
    assert not done.buttons
    eventually(lambda: exchange.open_ids() == [])
    anna.forge(card.buttons[1].data, card)
    anna.wait_for_answer()


def test_after_a_freeze_they_can_be_left(exchange, anna):
    rest(anna, "/buy BTC 0.01 limit 60000")
    anna.say("/freeze lost my phone")
    card = anna.wait_for("STILL LIVE at the exchange: 1 order")
    anna.tap(1, card)
    left = anna.wait_for(is_now(card, "You said no: they were left as they are."))
    assert "STILL LIVE at the exchange: 1 order" in left.text
    assert not left.buttons
    assert len(exchange.open_ids()) == 1
