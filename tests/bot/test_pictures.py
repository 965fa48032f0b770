"""`/price` and `/portfolio`: pictures with words below, and the words alone where there can be no picture."""

from __future__ import annotations

from dataclasses import replace
from struct import unpack

import pytest

from tradehook import charts
from tradehook.errors import NotFound
from tradehook.portfolio_goal import Goal
from tradehook_bot.accounts import Account
from tradehook_bot.commands import price
from tradehook_bot.replies import LONGEST


def with_picture(part):
    return lambda message: message.photo is not None and part in message.text


def size(png):
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    return unpack(">II", png[16:24])


def test_a_price_is_a_picture_with_its_extremes_in_the_chats_zone(exchange, bot, anna):
    exchange.post("/prices", walk=True)
    bot.house.chats.set_zone(anna.chat, "Asia/Tokyo")
    anna.say("/price BTC")
    shown = anna.wait_for(with_picture(" in 24 h)"))
    assert "BTC 6" in shown.text
    assert "low " in shown.text
    assert " JST" in shown.text
    assert shown.text.startswith("SANDBOX · ")
    wide, high = size(anna.picture(shown))
    assert wide == 1080
    assert high < wide
    anna.say("/price eth 7d")
    anna.wait_for(with_picture(" in 7 d)"))


def test_a_price_on_a_chain_says_where_that_is(anna):
    anna.say("/price CBBTC")
    shown = anna.wait_for(with_picture("CBBTC 67,340.2"))
    assert "CBBTC on base: 0xcbb7c0000ab88b473b1f5afd9ef808440eed33bf" in shown.text


@pytest.mark.parametrize(
    ("command", "wanted"),
    [
        ("/price", "Which asset?"),
        ("/price 5", "Which asset?"),
        ("/price BTC soon", "/price BTC 7d"),
        ("/price BTC 7d now", "/price BTC 7d"),
        ("/price BTX", "Did you mean BTC?"),
        ("/portfolio a b", "/portfolio day"),
        ("/portfolio nonsense", "No targets are called 'nonsense'."),
    ],
)
def test_slips_are_answered_with_what_can_be_typed(command, wanted, anna):
    anna.say(command)
    anna.wait_for(wanted)


def test_without_matplotlib_the_words_come_alone(anna, monkeypatch):
    monkeypatch.setattr(charts, "is_available", lambda: False)
    anna.say("/price BTC")
    told = anna.wait_for("BTC 67,340.2")
    assert told.photo is None
    assert "pip install 'tradehook[charts]'" in told.text


def test_where_the_exchange_tells_no_prices_it_is_quoted(bot, anna, monkeypatch):
    spec = bot.house.accounts[0].spec
    bare = replace(spec, capabilities=replace(spec.capabilities, has_prices=False))
    monkeypatch.setattr(Account, "spec", property(lambda _self: bare))
    anna.say("/price BTC")
    told = anna.wait_for("tells no past prices")
    assert told.photo is None
    assert "BTC: buy at 67," in told.text
    anna.say("/portfolio day")
    assert "BTC" in anna.wait_for("tells no past prices of what is held").text


def test_where_there_is_no_history_it_is_said(bot, anna, monkeypatch):
    async def nothing(_symbol, **_more):
        raise NotFound("True Markets knows no prices of BTC.", status=404)

    monkeypatch.setattr(bot.house.accounts[0].client, "price_history", nothing)
    anna.say("/price BTC")
    told = anna.wait_for("True Markets has no history of it.")
    assert told.photo is None
    assert "BTC: buy at 67," in told.text


def test_the_portfolio_without_targets_is_everything_by_place(anna):
    anna.say("/portfolio")
    shown = anna.wait_for(with_picture("There are no targets"))
    for words in ("BTC ", "CBBTC base ", "USDC solana ", " in 24 h"):
        assert words in shown.text
    wide, high = size(anna.picture(shown))
    assert (wide, high > 800) == (1080, True)


def test_the_portfolio_against_its_targets_is_what_a_rebalance_would_reckon(bot, anna):
    targets = bot.house.journal.targets
    targets.set("main", Goal.of({"BTC": "60", "ETH": "20"}, quote="PYUSD"), by="a test")
    anna.say("/portfolio")
    shown = anna.wait_for(with_picture("(target 60 %)"))
    assert "ETH 28." in shown.text
    assert "/rebalance main" in shown.text
    assert "CBBTC base" not in shown.text
    targets.set("other", Goal.of({"BTC": "10"}, quote="PYUSD"), by="a test")
    anna.say("/portfolio other")
    anna.wait_for(with_picture("(target 10 %)"))


def test_several_targets_and_none_called_main_are_offered(bot, anna):
    for name in ("calm", "bold"):
        bot.house.journal.targets.set(name, Goal.of({"BTC": "60"}, quote="PYUSD"), by="a test")
    anna.say("/portfolio")
    assert "/portfolio bold /portfolio calm" in anna.wait_for(with_picture("Against targets")).text


def test_the_day_is_what_is_held_now_at_the_days_prices(anna):
    anna.say("/portfolio day")
    shown = anna.wait_for(with_picture("at the day's prices"))
    assert " in 24 h)" in shown.text
    assert size(anna.picture(shown))[0] == 1080


def test_words_too_long_for_a_caption_follow_the_picture(bot, anna, monkeypatch):
    async def many(*_):
        return [f"line {number} of many" for number in range(LONGEST // 40)]

    monkeypatch.setattr(price, "_where", many)
    anna.say("/price BTC")
    shown = anna.wait_for(with_picture("BTC 67,340.2"))
    assert "line 1 of many" not in shown.text
    assert (
        "line 50 of many" in anna.wait_for(lambda message: message.photo is None and "line 1 of" in message.text).text
    )
