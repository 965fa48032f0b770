"""A question is answered once, by its person, in its message, in time, at its price. Counted at the exchange."""

from __future__ import annotations

import threading
from decimal import Decimal

import pytest


def is_new(card, text):
    return lambda message: message.id != card.id and text in message.text


def asked(person, command="/buy BTC 0.01"):
    person.say(command)
    return person.wait_for("Open until:")


def settled(person):
    """Whatever was pressed before has been handled: updates of one chat are handled in order."""
    person.say("/help")
    person.wait_for("What I understand")


def test_ten_taps_from_ten_fingers_are_one_order(exchange, anna):
    before = exchange.orders()
    card = asked(anna)
    press = {"message_id": card.id, "user": anna.user, "forge": card.buttons[1].data, "token": anna.token}
    fingers = [threading.Thread(target=lambda: anna.remote.post("/tap", **press)) for _ in range(10)]
    for finger in fingers:
        finger.start()
    for finger in fingers:
        finger.join()
    anna.wait_for("Filled: bought", since=0)
    settled(anna)
    assert exchange.orders() == before + 1
    fills = [message for message in anna.messages() if "Filled: bought" in message.text]
    assert [message.id for message in fills] == sorted({card.id, fills[-1].id})


def test_a_press_that_comes_again_later_does_nothing(exchange, anna):
    card = asked(anna)
    anna.tap(2, card)
    anna.wait_for("Filled")
    placed = exchange.orders()
    anna.forge(card.buttons[1].data, card)
    anna.wait_for_answer()
    settled(anna)
    assert exchange.orders() == placed
    assert "Filled" in next(message for message in anna.messages() if message.id == card.id).text


def test_nobody_else_can_answer_not_even_another_owner(exchange, bot, anna):
    before = exchange.orders()
    card = asked(anna)
    ben = bot.let_in("Ben")
    ben.say("/balance")
    shown = ben.wait_for("PYUSD")
    ben.forge(card.buttons[1].data, shown)
    ben.wait_for_answer()
    ben.forge(card.buttons[0].data, shown)
    settled(ben)
    assert exchange.orders() == before
    # The question is still Anna's to answer.
    anna.tap(2, card)
    anna.wait_for("Filled")
    assert exchange.orders() == before + 1


def test_the_token_counts_only_in_its_own_message(exchange, anna):
    first = asked(anna)
    second = asked(anna, "/sell ETH 1")
    before = exchange.orders()
    anna.forge(first.buttons[1].data, second)
    anna.wait_for_answer()
    settled(anna)
    assert exchange.orders() == before
    assert next(message for message in anna.messages() if message.id == second.id).buttons


def test_made_up_data_does_nothing(exchange, anna):
    card = asked(anna)
    before = exchange.orders()
    for data in ("y:", "y:" + "A" * 22, "n:" + "A" * 22, "x" * 64, "y:../../etc/passwd000000", "confirm"):
        anna.forge(data, card)
        anna.wait_for_answer()
    settled(anna)
    assert exchange.orders() == before
    assert next(message for message in anna.messages() if message.id == card.id).buttons


def test_an_expired_question_loses_its_buttons_and_cannot_be_answered(exchange, make_bot):
    before = exchange.orders()
    with make_bot(market_seconds=Decimal("0.6")).running() as bot:
        anna = bot.let_in()
        card = asked(anna)
        over = anna.wait_for("Expired: Buy 0.0100 BTC")
        assert over.id == card.id
        assert not over.buttons
        assert "/buy BTC 0.01" in over.text
        anna.forge(card.buttons[1].data, card)
        anna.wait_for_answer()
        settled(anna)
    assert exchange.orders() == before


def test_a_price_that_got_worse_is_asked_about_again(exchange, anna):
    before = exchange.orders()
    card = asked(anna)
    exchange.price(BTC="68100")
    anna.tap(2, card)
    again = anna.wait_for(is_new(card, "against you"))
    assert "The price moved 1.1" in again.text
    assert again.buttons[1].text.startswith("Buy 0.0100 BTC for 681.")
    old = anna.wait_for(lambda message: message.id == card.id and "Not sent" in message.text, since=0)
    assert not old.buttons
    assert exchange.orders() == before
    anna.tap(2, again)
    anna.wait_for("Filled: bought 0.0100 BTC at 68,")
    assert exchange.orders() == before + 1


def test_a_worse_price_for_a_sale_is_a_lower_one(exchange, anna):
    before = exchange.orders()
    card = asked(anna, "/sell BTC 0.01")
    exchange.price(BTC="66500")
    anna.tap(2, card)
    anna.wait_for(is_new(card, "against you"))
    assert exchange.orders() == before


@pytest.mark.parametrize(
    ("command", "price"), [("/buy BTC 0.01", "66000"), ("/sell BTC 0.01", "69000"), ("/buy BTC 0.01", "67500")]
)
def test_a_better_price_or_a_little_worse_one_needs_no_question(command, price, exchange, anna):
    before = exchange.orders()
    card = asked(anna, command)
    exchange.price(BTC=price)
    anna.tap(2, card)
    anna.wait_for("Filled")
    assert exchange.orders() == before + 1


def test_no_price_no_order(exchange, anna):
    before = exchange.orders()
    card = asked(anna)
    exchange.fault("edge_html", path="/quotes", times=20)
    anna.tap(2, card)
    told = anna.wait_for(is_new(card, "Not sent: Buy 0.0100 BTC"))
    assert "Nothing was sent" in told.text
    assert "/buy BTC 0.01" in told.text
    anna.wait_for(lambda message: message.id == card.id and "Not sent" in message.text, since=0)
    assert exchange.orders() == before


def test_money_that_is_gone_meanwhile_is_told_as_the_exchange_tells_it(exchange, anna):
    before = exchange.orders()
    card = asked(anna, "/buy ETH 2")
    exchange.post("/balances", symbol="PYUSD", available="5")
    anna.tap(2, card)
    told = anna.wait_for(is_new(card, "Not placed: Buy 2.0000 ETH"))
    assert "insufficient" in told.text.lower()
    assert "Nothing was traded" in told.text
    assert "/balance" in told.text
    assert "tradehook" not in told.text
    assert exchange.orders() == before


def test_an_exchange_that_wants_a_sum_is_offered_one_and_asked_again(make_bot, strict):
    before = strict.orders()
    with make_bot(strict).running() as bot:
        anna = bot.let_in()
        card = asked(anna)
        anna.tap(2, card)
        again = anna.wait_for(is_new(card, "takes this only as an amount of PYUSD"))
        assert "Buy BTC for 673." in again.text
        assert "Typed 0.01, sends 673." in again.text
        assert strict.orders() == before
        old = next(message for message in anna.messages() if message.id == card.id)
        assert "Not placed: Buy 0.0100 BTC" in old.text
        anna.tap(2, again)
        anna.wait_for("Filled: bought 0.0100 BTC")
    assert strict.orders() == before + 1


@pytest.fixture(scope="module")
def strict(serve, tmp_path_factory):
    with serve(tmp_path_factory.mktemp("strict"), "--strict-units") as exchange:
        exchange.renew()
        yield exchange


def test_a_press_is_answered_first_and_the_buttons_go_before_anything_is_sent(exchange, anna):
    card = asked(anna)
    seen = anna.remote.get("/events", chat=anna.chat)["next"]
    exchange.fault("slow", path="/quotes", delay_seconds=0.3)
    anna.tap(2, card)
    anna.wait_for("Filled")
    events = anna.remote.get("/events", chat=anna.chat, token=anna.token, since=seen)["events"]
    told = [(event["kind"], event.get("message", {}).get("text", "")) for event in events]
    assert [kind for kind, _ in told[:3]] == ["press", "answer", "edit"]
    assert "Confirmed" in told[2][1]
    assert not events[2]["message"]["buttons"]
    assert "Submitting" in told[3][1]
