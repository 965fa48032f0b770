"""/rebalance: the whole plan on one card, its legs sent once, one message as they go. Counted at the exchange."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tradehook.rebalance import Goal


def is_new(card, text):
    return lambda message: message.id != card.id and text in message.text


def is_now(card, text):
    return lambda message: message.id == card.id and text in message.text


def write_targets(bot, name="main", **shares):
    goal = Goal.of(shares or {"BTC": "40", "ETH": "40"}, quote="PYUSD", band="1", fee="0.5", reserve="0.5")
    bot.house.journal.targets.set(name, goal, by="test")


@pytest.fixture
def targets(bot):
    write_targets(bot)


def asked(person, command="/rebalance"):
    person.say(command)
    return person.wait_for("Open until:")


@pytest.mark.usefixtures("targets")
def test_a_plan_is_shown_whole_and_carried_out_leg_by_leg(exchange, bot, anna, eventually):
    before = exchange.orders()
    card = asked(anna)
    assert "main at True Markets, targets main, version 1" in card.text
    assert "by 2 trades?" in card.text
    assert card.text.index("1. sell") < card.text.index("2. buy")
    assert "target 40 %" in card.text
    assert "outside the band" in card.text
    assert [button.text for button in card.buttons] == ["Cancel", "Rebalance to main: 2 trades"]
    anna.tap(2, card)
    done = anna.wait_for(is_now(card, "Rebalanced: 2 trades filled."), since=0)
    assert not done.buttons
    assert done.text.count("Filled: ") == 2
    anna.wait_for(is_new(card, "Rebalanced: 2 trades filled."), since=0)
    assert exchange.orders() == before + 2
    eventually(bot.has_sent_everything)
    texts = [message.text for message in anna.messages() if message.from_bot]
    assert sum("Rebalanced: " in words for words in texts) == 2  # the plan's own message, and one notice
    assert not [words for words in texts if words.startswith("SANDBOX · Filled")]
    anna.say("/rebalance")
    assert "Nothing to trade." in anna.wait_for("targets main, version 1").text


@pytest.mark.usefixtures("targets")
def test_ten_presses_carry_it_out_once(exchange, anna):
    before = exchange.orders()
    card = asked(anna)
    for _ in range(10):
        anna.forge(card.buttons[1].data, card)
    anna.wait_for(is_now(card, "Rebalanced: 2 trades filled."), since=0)
    anna.say("/help")
    anna.wait_for("What I understand")
    assert exchange.orders() == before + 2


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("/rebalance nosuch", "No targets are called nosuch; there is main, safe"),
        ("/rebalance main safe", "Name one set of targets."),
        ("/rebalance <b>", "is not a name for targets"),
    ],
)
def test_targets_that_are_none_are_answered_with_those_there_are(command, words, bot, anna):
    write_targets(bot)
    write_targets(bot, "safe", BTC="10")
    anna.say(command)
    answer = anna.wait_for(words)
    assert "/rebalance" in answer.text
    assert not answer.buttons


def test_several_sets_of_targets(bot, anna):
    write_targets(bot)
    write_targets(bot, "safe", BTC="10")
    card = asked(anna, "/rebalance safe")
    assert "targets safe, version 1" in card.text
    assert "1. sell" in card.text


def test_a_plan_expires_and_nothing_is_sent(exchange, make_bot):
    with make_bot(plan_seconds=Decimal(1)).running() as bot:
        write_targets(bot)
        anna = bot.let_in()
        before = exchange.orders()
        card = asked(anna)
        over = anna.wait_for(is_now(card, "Expired: Rebalance to main"))
        assert "/rebalance" in over.text
        assert not over.buttons
        anna.forge(card.buttons[1].data, card)
        anna.wait_for_answer()
        assert exchange.orders() == before


@pytest.mark.usefixtures("targets")
@pytest.mark.parametrize(("price", "is_asked"), [("66000", True), ("67200", False), ("69000", False)])
def test_an_old_plan_is_priced_anew_and_only_worse_asks_again(price, is_asked, exchange, anna, monkeypatch):
    from datetime import timedelta

    from tradehook_bot.deeds import rebalance

    monkeypatch.setattr(rebalance, "_FRESH", timedelta(0))
    before = exchange.orders()
    card = asked(anna)
    exchange.price(BTC=price)  # the plan sells BTC
    anna.tap(2, card)
    if is_asked:
        again = anna.wait_for(is_new(card, "against you"))
        assert again.buttons
        assert not anna.wait_for(is_now(card, "Asked again below"), since=0).buttons
        assert exchange.orders() == before
    else:
        anna.wait_for(is_now(card, "Rebalanced: 2 trades filled."), since=0)
        assert exchange.orders() == before + 2


@pytest.mark.usefixtures("targets")
def test_a_leg_that_got_no_answer_stops_the_plan_and_is_told(exchange, anna):
    before = exchange.orders()
    card = asked(anna)
    exchange.fault("error_after", times=1, status=502)
    anna.tap(2, card)
    told = anna.wait_for(is_now(card, "Stopped: Rebalance to main"), since=0, timeout_seconds=60)
    assert "1. sell" in told.text
    assert "UNKNOWN" in told.text
    assert "2. buy" in told.text
    assert "not sent" in told.text
    assert "Nothing was sent" not in told.text
    assert exchange.orders() == before + 1


@pytest.mark.usefixtures("targets")
def test_a_freeze_between_question_and_confirm_stops_all_of_it(exchange, anna):
    before = exchange.orders()
    card = asked(anna)
    anna.say("/freeze")
    anna.wait_for("Frozen.")
    anna.tap(2, card)
    told = anna.wait_for(is_new(card, "Not sent: Rebalance to main"))
    assert "frozen" in told.text
    assert exchange.orders() == before


def test_a_plan_worth_more_than_a_sum_takes_a_code(exchange, make_bot, app_of):
    with make_bot(step_up_above=Decimal(500)).running() as bot:
        write_targets(bot)
        anna = bot.let_in()
        anna.say("/rebalance")
        anna.wait_for("A rebalance of more than 500 PYUSD needs a code")
        app = app_of(anna, bot)
        before = exchange.orders()
        card = asked(anna)
        anna.tap(2, card)
        anna.wait_for(is_now(card, "Now type the six digits"))
        assert exchange.orders() == before
        anna.say(app.code())
        anna.wait_for(is_now(card, "Rebalanced: 2 trades filled."), since=0)
        assert exchange.orders() == before + 2
