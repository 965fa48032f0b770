"""Prices that somebody waits for: told once, armed again by going back, kept over restarts."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from tradehook.errors import GuardRefused, InvalidInput
from tradehook_bot import keyboards, price_watch
from tradehook_bot.commands.alerts import read
from tradehook_bot.outbox import Outbox
from tradehook_bot.price_alerts import MOST, Kind, PriceAlert, PriceAlerts, Verdict

ABOVE = PriceAlert(1, 7, "main", "BTC", Kind.ABOVE, Decimal(70000), None, is_armed=True, told=0)
BELOW = replace(ABOVE, kind=Kind.BELOW, level=Decimal(60000))
CHANGE = replace(ABOVE, kind=Kind.CHANGE, level=Decimal(5), reference=Decimal(60000))
BTC = {"user_id": 7, "account": "main", "symbol": "BTC"}


def told(person, text):
    return [message for message in person.messages() if message.from_bot and text in message.text]


# --- the rule --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("alert", "price", "verdict"),
    [
        (ABOVE, "69999.9", Verdict.NOTHING),
        (ABOVE, "70000", Verdict.TELL),
        (replace(ABOVE, is_armed=False), "70000", Verdict.NOTHING),
        (replace(ABOVE, is_armed=False), "69860.1", Verdict.NOTHING),
        (replace(ABOVE, is_armed=False), "69860", Verdict.ARM),
        (BELOW, "60000.1", Verdict.NOTHING),
        (BELOW, "60000", Verdict.TELL),
        (replace(BELOW, is_armed=False), "60119.9", Verdict.NOTHING),
        (replace(BELOW, is_armed=False), "60120", Verdict.ARM),
        (CHANGE, "62999.9", Verdict.NOTHING),
        (CHANGE, "63000", Verdict.TELL),
        (CHANGE, "57000", Verdict.TELL),
    ],
)
def test_when_a_price_is_told(alert, price, verdict):
    assert alert.judge(Decimal(price)) is verdict


def test_of_two_that_see_the_same_price_one_tells(store):
    alerts, outbox = PriceAlerts(store), Outbox(store)
    made = alerts.add(7, kind=Kind.ABOVE, level=Decimal(70000), price=Decimal(69000), **BTC)
    for price in ("70001", "70002"):
        alerts.tell(made, Decimal(price), outbox=outbox)
    (now,) = alerts.of_chat(7)
    assert (now.told, now.is_armed) == (1, False)
    assert outbox.waiting() == 1
    assert "BTC is at 70,001.0, above 70,000.0" in outbox.take().letter.body


def test_a_change_goes_on_from_where_it_was_told(store):
    alerts, outbox = PriceAlerts(store), Outbox(store)
    made = alerts.add(7, kind=Kind.CHANGE, level=Decimal(5), price=Decimal(60000), **BTC)
    alerts.tell(made, Decimal(63000), outbox=outbox)
    (now,) = alerts.of_chat(7)
    assert (now.reference, now.is_armed) == (Decimal(63000), True)
    assert "BTC is at 63,000.0, up 5 %" in outbox.take().letter.body


def test_a_chat_waits_for_so_many_and_removes_only_its_own(store):
    alerts = PriceAlerts(store)
    for number in range(MOST):
        alerts.add(7, kind=Kind.ABOVE, level=Decimal(70000 + number), price=Decimal(1), **BTC)
    with pytest.raises(GuardRefused, match="which is the most"):
        alerts.add(7, kind=Kind.ABOVE, level=Decimal(1), price=Decimal(1), **BTC)
    first = alerts.of_chat(7)[0]
    alerts.remove(first.alert_id, chat_id=8)
    assert len(alerts.of_chat(7)) == MOST
    alerts.remove(first.alert_id, chat_id=7)
    alerts.remove(first.alert_id, chat_id=7)
    assert len(alerts.of_chat(7)) == MOST - 1


# --- words -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("BTC > 70000", ("BTC", Kind.ABOVE, Decimal(70000))),
        ("btc>70000", ("BTC", Kind.ABOVE, Decimal(70000))),
        ("ETH below $3000.5", ("ETH", Kind.BELOW, Decimal("3000.5"))),
        ("BTC 5%", ("BTC", Kind.CHANGE, Decimal(5))),
        ("BTC 0.5 %", ("BTC", Kind.CHANGE, Decimal("0.5"))),
    ],
)
def test_what_can_be_typed(typed, meant):
    assert read(typed.split()) == meant


@pytest.mark.parametrize(
    "typed", ["", "BTC", "BTC >", "> 70000", "BTC 70000", "BTC > 70,000", "BTC > -1", "BTC > NaN", "BTC 5000%", "$ > 1"]
)
def test_what_cannot_be_meant_is_answered_with_commands(typed):
    with pytest.raises(InvalidInput) as refused:
        read(typed.split())
    assert all(offer.startswith("/alert ") for offer in refused.value.details["suggestions"])


@pytest.mark.parametrize("data", ["x:", "x:abc", "x:1234567890", "x:-1", "x:²"])
def test_a_made_up_button_is_none_of_ours(data):
    assert keyboards.read(data) is None


# --- whole -----------------------------------------------------------------------------------------------------------


def test_a_price_is_told_from_the_stream_once_and_again_after_it_went_back(exchange, bot, anna, eventually):
    anna.say("/alert BTC > 68000")
    assert "BTC is at 67,3" in anna.wait_for("I wait for BTC above 68,000.0.").text
    exchange.price(BTC="68100")
    told_at = anna.wait_for("BTC is at 68,1").text
    assert "above 68,000.0" in told_at
    exchange.price(BTC="67990")  # less than 0.2 % back
    exchange.price(BTC="68200")
    anna.say("/alerts")
    listed = anna.wait_for("1 price is waited for")
    assert "BTC above 68,000.0; told 1 time; waits for the price to go back" in listed.text
    exchange.price(BTC="67000")
    eventually(lambda: bot.house.price_alerts.of_chat(anna.chat)[0].is_armed)
    exchange.price(BTC="68300")
    anna.wait_for("BTC is at 68,3")
    assert len(told(anna, "above 68,000.0\n")) == 2


def test_alerts_are_removed_by_their_buttons_and_survive_a_restart(exchange, make_bot):
    bot = make_bot()
    with bot.running():
        anna = bot.let_in()
        anna.say("/alert BTC < 60000")
        anna.wait_for("I wait for BTC below 60,000.0.")
        anna.say("/alert ETH 5%")
        anna.wait_for("I wait for ETH by 5 % from 3,4")
    exchange.price(BTC="59000")
    with bot.running():
        anna.wait_for("BTC is at 59,0", since=0)
        anna.say("/alerts")
        listed = anna.wait_for("2 prices are waited for")
        assert [button.text[:11] for button in listed.buttons] == ["Remove BTC ", "Remove ETH "]
        anna.tap(1, listed)
        left = anna.wait_for(lambda message: message.id == listed.id and "1 price is waited for" in message.text)
        anna.tap(1, left)
        anna.wait_for(lambda message: message.id == listed.id and "No price is waited for." in message.text)
    assert len(told(anna, "BTC is at 59,0")) == 1


def test_where_the_stream_says_nothing_the_price_is_read(exchange, bot, anna, monkeypatch):
    async def silence(symbols, **_):
        for _ in ():
            yield symbols

    monkeypatch.setattr(bot.house.accounts[0].client, "watch_prices", silence)
    monkeypatch.setattr(price_watch, "POLL_SECONDS", 0.2)
    anna.say("/alert BTC > 68000")
    anna.wait_for("I wait for")
    exchange.price(BTC="68100")
    anna.wait_for("BTC is at 68,1")


def test_what_cannot_be_waited_for_is_said(anna):
    anna.say("/alert XYZ > 5")
    assert "XYZ" in anna.wait_for(lambda message: message.from_bot and "XYZ" in message.text).text
    anna.say("/alert BTC 70000")
    assert "/alert BTC > 70000" in anna.wait_for("Above or below that price").text
    anna.say("/alerts please")
    anna.wait_for("/alerts takes no words")
