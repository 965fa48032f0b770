"""/limits with words: less takes a yes, more takes a code as well, and only the version that was looked at is changed."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tradehook.desk import guard
from tradehook.desk.limits import Limits
from tradehook_bot.access import TRADER, VIEWER


def is_now(card, text):
    return lambda message: message.id == card.id and text in message.text


def asked(person, command):
    person.say(command)
    return person.wait_for("Open until:")


def answer(person, command, text):
    person.say(command)
    return person.wait_for(text).text


@pytest.fixture
def book(bot, anna):
    """The limits of the account, as the journal has them."""

    class Book:
        def __init__(self):
            account = bot.house.accounts[0]
            self.whose = account.client.exchange.host, bot.run(account.identify())

        def set(self, **fields):
            return bot.house.journal.limits.set(*self.whose, Limits(**fields), by="a test")

        @property
        def newest(self):
            return bot.house.journal.limits.newest(*self.whose)

    return Book()


def test_less_takes_a_yes_and_stands_with_who_said_so(anna, book):
    book.set(order=Decimal(100), day=Decimal(400))
    card = asked(anna, "/limits order 50")
    assert "one order: 100 -> 50" in card.text
    assert "This allows no more than now." in card.text
    assert book.newest.version == 1, "not before the yes"
    anna.tap(2, card)
    told = anna.wait_for(is_now(card, "Version 2 of the limits holds from now on."))
    assert not told.buttons
    assert (book.newest.limits.order, book.newest.limits.day) == (50, 400)
    assert book.newest.set_by.startswith("Anna")


def test_what_was_set_is_obeyed_at_once(anna, book, exchange):
    anna.tap(2, asked(anna, "/limits order 50"))
    anna.wait_for("Version 1 of the limits")
    before = exchange.orders()
    anna.say("/buy BTC $80")
    anna.tap(2, anna.wait_for("Open until:"))
    assert "50" in anna.wait_for("Not sent:").text
    assert exchange.orders() == before


def test_more_takes_a_code(bot, anna, book, app_of):
    book.set(order=Decimal(100))
    assert "needs a code" in answer(anna, "/limits order 200", "none is set up")
    app = app_of(anna)
    card = asked(anna, "/limits order 200")
    assert "This allows more: one order." in card.text
    anna.tap(2, card)
    assert "one order: 100 -> 200" in anna.wait_for(is_now(card, "Now type the six digits")).text
    assert book.newest.version == 1
    anna.say(app.wrong())
    anna.wait_for("That code is wrong.")
    assert book.newest.version == 1
    anna.say(app.code())
    anna.wait_for(is_now(card, "Version 2 of the limits holds"), since=0)
    assert book.newest.limits.order == 200


def test_the_first_limits_of_a_live_account_take_a_code(anna, book, app_of, monkeypatch):
    """They are what go-live begins with: whoever has the phone must not widen them before it is live."""
    monkeypatch.setattr(guard, "is_live", lambda _exchange: True)
    assert "needs a code" in answer(anna, "/limits order 100000 collar none", "none is set up")
    app_of(anna)
    told = asked(anna, "/limits order 100000 collar none").text
    assert "This allows more: one order, percent a price may be worse than the market." in told
    assert "percent a price may be worse than the market: none" in told
    assert book.newest is None


@pytest.mark.parametrize("command", ["/limits order none", "/limits day 1000 order 50", "/limits collar 3"])
def test_more_in_one_of_them_is_more(command, anna, book, app_of):
    book.set(order=Decimal(100), day=Decimal(400))
    app_of(anna)
    assert "This allows more" in asked(anna, command).text


def test_others_are_told_of_it(bot, anna, book):
    ben = bot.person("Ben")
    ben.say(f"/start {bot.house.access.invite(TRADER)}")
    ben.wait_for("You are its trader")
    anna.tap(2, asked(anna, "/limits order 50"))
    told = ben.wait_for("Version 1 of the limits", since=0)
    assert "Set by Anna" in told.text
    assert told.buttons[0].text == "Not me: freeze"


def test_a_version_set_meanwhile_stays(anna, book):
    card = asked(anna, "/limits order 50")
    book.set(order=Decimal(20))
    anna.tap(2, card)
    told = anna.wait_for("Not set:")
    assert "meanwhile" in told.text
    assert "The limits stand as they were." in told.text
    assert (book.newest.version, book.newest.limits.order) == (1, 20)


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("/limits order", "How much? Write /limits order 50"),
        ("/limits set", "How much? Write /limits order 50"),
        ("/limits odrer 50", "/limits order 50"),
        ("/limits live yes", "There is no limit 'live'"),
        ("/limits order lots", "lots"),
        ("/limits order -5", "-5"),
        ("/limits order 50 order 60", "Name each limit once."),
        ("/limits in-flight 2.5", "counts: write a whole number"),
        ("/limits unknowns 0", "--unknowns cannot be 0"),
        ("/limits zone Mars/Base", "is no time zone"),
        ("/limits zone Mars/Base", "/limits zone Europe/Berlin"),
        ("/limits zoen Europe/Berlin", "/limits zone Europe/Berlin"),
        ("/limits orders-hour lots", "/limits orders_hour none"),
        ("/limits destination_cool_off_hours x", "counts: write a whole number"),
        ("/limits cool-off-hours 5 destination_cool_off_hours 6", "Name each limit once."),
        ("/limits order 50 day", "How much? Write /limits day 50"),
        ("/limits unknowns 3", "nothing would change"),
    ],
)
def test_what_cannot_be_read_is_answered_with_what_to_type(command, says, bot, anna, book):
    book.set(order=Decimal(100))
    answer(anna, command, says)
    assert book.newest.version == 1
    assert "No question waits" in answer(anna, "/pending", "question")


def test_a_viewer_sees_them_and_changes_none(bot, anna, book):
    book.set(order=Decimal(100))
    vera = bot.person("Vera")
    vera.say(f"/start {bot.house.access.invite(VIEWER)}")
    vera.wait_for("You are its viewer")
    vera.say("/limits")
    vera.wait_for("Limits of main")
    vera.say("/limits order 5")
    vera.wait_for("You may look here")
    assert book.newest.version == 1
