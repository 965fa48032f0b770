"""An exchange that does not answer is told of when something is open there, in a pair, over restarts."""

from __future__ import annotations

import pytest

from tradehook.client import connect
from tradehook.models import NewOrder
from tradehook_bot import outages

DOWN = "True Markets has not answered for"
UP = "True Markets answers again."


@pytest.fixture(autouse=True)
def two_minutes_later(monkeypatch):
    """The first failure is one of two minutes ago."""
    monkeypatch.setattr(outages, "DOWN_AFTER_SECONDS", 0.0)


def goes_down(exchange):
    exchange.fault("error_before", method="GET", path="/orders", status=503, times=100_000)


def told(person, words):
    return [message for message in person.messages() if message.from_bot and words in message.text]


def rests(bot):
    with connect(bot.account) as client:
        client.place_order(NewOrder.of("BTC/PYUSD", side="buy", amount="0.001", price="40000"))


def test_down_and_up_are_told_once_each(exchange, bot, anna, eventually):
    rests(bot)
    goes_down(exchange)
    anna.wait_for(DOWN, since=0, timeout_seconds=40)
    exchange.http.delete("/faults")
    anna.wait_for(UP, since=0, timeout_seconds=40)
    eventually(lambda: bot.house.outbox.waiting() == 0)
    assert (len(told(anna, DOWN)), len(told(anna, UP))) == (1, 1)


def test_up_is_told_after_a_restart(exchange, make_bot):
    stopped = make_bot()
    with stopped.running():
        anna = stopped.let_in()
        rests(stopped)
        goes_down(exchange)
        anna.wait_for(DOWN, since=0, timeout_seconds=40)
    with stopped.running():
        exchange.http.delete("/faults")
        anna.wait_for(UP, since=0, timeout_seconds=40)
    assert (len(told(anna, DOWN)), len(told(anna, UP))) == (1, 1)


def test_with_nothing_open_nobody_hears_of_it(exchange, bot, anna, eventually):
    rests(bot)
    (order,) = exchange.open_ids()
    exchange.cancel(order)
    eventually(lambda: not bot.house.journal.open_orders(bot.house.accounts[0].client.exchange.host))
    goes_down(exchange)
    anna.say("/quote BTC 0.01")  # the exchange answers all but what the bot looks at
    anna.wait_for("Buy at")
    anna.say("/orders")
    anna.wait_for("True Markets")  # and that it does not
    assert not told(anna, DOWN)


def test_a_look_that_fails_in_a_way_nobody_thought_of_has_failed(bot, anna, monkeypatch, caplog):
    rests(bot)
    (account,) = bot.house.accounts

    def breaks():
        raise KeyError("order_id")

    with monkeypatch.context() as broken:
        broken.setattr(account.client.desk, "sweep", breaks)
        words = anna.wait_for("I could not look at True Markets", since=0, timeout_seconds=40)
        assert "Something went wrong on this machine (KeyError)" in words.text
        assert "Open orders of main could not be looked at: KeyError." in caplog.text
    anna.wait_for(UP, since=0, timeout_seconds=40)  # it went on looking
