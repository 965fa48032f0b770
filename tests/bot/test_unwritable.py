"""What cannot be written where it belongs is not lost: it goes to whom it is for, or is kept, and `/status` says so."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tradehook_bot import news
from tradehook_bot.outbox import Letter

NOT_THERE = {
    "no rights": (400, "Bad Request: not enough rights to send text messages to the chat"),
    "forbidden": (403, "Forbidden: CHAT_WRITE_FORBIDDEN"),
    "gone": (400, "Bad Request: chat not found"),
    "topic closed": (400, "Bad Request: TOPIC_CLOSED"),
    "topic deleted": (400, "Bad Request: message thread not found"),
}


@pytest.fixture(autouse=True)
def _ten_seconds_later(monkeypatch):
    """What is filled in these tests is filled when nobody looks at the message any more."""
    monkeypatch.setattr(news, "QUICK", timedelta(0))


def from_bot(messages, words):
    return [message for message in messages if message.from_bot and words in message.text]


def resting_in(group, person, *, topic=None):
    """The message of an order that the person placed in a group, and that rests."""
    person.say("/allow_here", chat=group, topic=topic)
    person.wait_for("From now on", chat=group)
    person.say("/buy BTC 0.01 limit 64000", chat=group, topic=topic)
    card = person.wait_for("Open until:", chat=group)
    person.tap(2, card)
    person.wait_for("Open: buy 0.0100 BTC", chat=group)
    return card


def all_delivered(bot, eventually):
    eventually(bot.has_read_everything)
    eventually(lambda: bot.house.outbox.waiting() == 0)


@pytest.mark.parametrize("why", [*NOT_THERE, "kicked"])
def test_a_letter_that_a_group_does_not_take_goes_to_whoever_ordered(why, bot, anna, exchange, eventually):
    ben = bot.let_in("Ben")
    group = anna.group("Desk & <Co>", people=[ben])
    card = resting_in(group, anna)
    if why == "kicked":
        group.set_bot("kicked")
        eventually(lambda: not bot.house.groups.every())
    else:
        status, description = NOT_THERE[why]
        anna.fault("error_before", "sendMessage", chat=group, status=status, description=description, times=50)
    exchange.price(BTC="63900")
    told = anna.wait_for("Filled: bought 0.0100 BTC", chat=anna.chat, timeout_seconds=20)
    assert told.text.startswith("SANDBOX · Meant for Desk & <Co>, where I may not write: Filled: bought 0.0100 BTC")
    assert [button.text for button in told.buttons] == ["Not me: freeze"]
    all_delivered(bot, eventually)
    assert len(from_bot(anna.messages(), "Filled")) == 1
    assert not from_bot(ben.messages(), "Filled")
    assert not [each for each in from_bot(group.messages(), "Filled") if each.id != card.id]


def test_a_letter_about_an_order_stands_in_its_topic(bot, anna, exchange, eventually):
    group = anna.group("Desk", forum=True)
    trades = group.topic("Trades")
    card = resting_in(group, anna, topic=trades)
    exchange.price(BTC="63900")
    told = anna.wait_for(lambda seen: seen.id != card.id and "Filled: bought" in seen.text, chat=group)
    assert told.thread == trades


def test_what_nobody_can_be_told_is_kept_and_said_to_whoever_asks(bot, anna, exchange, eventually):
    ben = bot.let_in("Ben")
    resting_in(anna.group("Desk"), anna)
    anna.remote.post("/block", user=anna.user, token=anna.token)
    anna.fault("error_before", "sendMessage", chat=anna.group("Other"), times=1)  # another chat's trouble is its own
    group = next(each.chat_id for each in bot.house.groups.every())
    anna.fault("error_before", "sendMessage", chat=group, status=403, description="Forbidden: no", times=50)
    exchange.price(BTC="63900")
    eventually(lambda: bot.house.outbox.kept() == 1)
    ben.say("/status")
    assert "1 kept for whoever blocked me" in ben.wait_for("Notices waiting for Telegram: 0").text
    anna.say("/start")
    anna.wait_for("Meant for Desk, where I may not write: Filled: bought 0.0100 BTC", chat=anna.chat, since=0)
    assert bot.house.outbox.kept() == 0


def test_what_waited_for_whoever_blocked_the_bot_comes_as_one(bot, anna, exchange, eventually):
    anna.say("/notify all")
    anna.wait_for("all")
    cards = []
    for size in ("0.01", "0.02", "0.03"):
        anna.say(f"/buy BTC {size} limit 64000")
        cards.append(anna.wait_for("Open until:"))
        anna.tap(2, cards[-1])
        anna.wait_for(f"Open: buy {size}00 BTC")
    anna.remote.post("/block", user=anna.user, token=anna.token)
    exchange.price(BTC="63900")
    eventually(lambda: bot.house.outbox.kept() == 3)
    anna.say("/start")
    told = anna.wait_for("3 things happened", since=0)
    assert all(f"Filled: bought {size}00 BTC" in told.text for size in ("0.01", "0.02", "0.03"))
    all_delivered(bot, eventually)
    for card, size in zip(cards, ("0.01", "0.02", "0.03"), strict=True):
        # Each order's own message says it, too, once it can be edited again.
        words = f"Filled: bought {size}00 BTC"
        anna.wait_for(lambda seen, card=card, words=words: seen.id == card.id and words in seen.text, since=0)
        assert len(from_bot(anna.messages(), words)) == 2


def test_an_end_that_no_message_can_show_any_more_is_told_in_a_new_one(bot, anna, exchange, eventually, monkeypatch):
    monkeypatch.setattr(news, "QUICK", timedelta(hours=1))
    anna.say("/buy BTC 0.01")
    card = anna.wait_for("Open until:")
    gone = "Bad Request: message to edit not found"
    anna.fault("error_before", "editMessageText", status=400, description=gone, times=50)
    anna.tap(2, card)
    told = anna.wait_for(lambda seen: seen.id != card.id and "Filled: bought 0.0100 BTC" in seen.text)
    all_delivered(bot, eventually)
    assert [each.id for each in from_bot(anna.messages(), "Filled")] == [told.id]


def test_the_end_of_a_freeze_is_asked_about_in_private_when_its_group_is_closed(bot, anna):
    group = anna.group("Desk")
    anna.say("/allow_here", chat=group)
    anna.wait_for("From now on", chat=group)
    anna.say("/freeze 3s", chat=group)
    anna.wait_for("No order is live", chat=group)
    group.set_bot("kicked")
    asked = anna.wait_for(
        "Meant for Desk, where I may not write: The 3s of your freeze are over", chat=anna.chat, since=0
    )
    anna.tap("Let trading go on", asked)
    anna.wait_for("Trading goes on.", chat=anna.chat, since=0)
    assert bot.house.journal.trading_state()["state"] == "NORMAL"


def test_what_may_have_stood_in_the_group_already_says_so_where_it_goes_instead(bot, anna):
    group = anna.group("Desk")
    anna.wait_for("I do nothing here", chat=group, since=0)
    anna.fault("error_after", "sendMessage", chat=group, status=502, times=1)
    anna.fault("error_before", "sendMessage", chat=group, status=403, description="Forbidden: no", times=50)
    bot.house.outbox.put(Letter(group.id, "k:1", "<b>Filled: 7 BTC</b>"))
    told = anna.wait_for("Meant for a group, where I may not write: Filled: 7 BTC", chat=anna.chat, since=0)
    assert len(from_bot(group.messages(), "Filled: 7 BTC")) == 1
    assert told.text.endswith("(may be a repeat)")


def test_what_belongs_to_nobody_on_the_list_goes_to_the_owner(bot, anna, eventually):
    group = anna.group("Desk")
    group.set_bot("kicked")
    bot.house.outbox.put(Letter(group.id, "k:1", "<b>Filled: 7 BTC</b>"), Letter(group.id, "k:2", "more", user_id=7))
    anna.wait_for("Meant for a group, where I may not write: Filled: 7 BTC", since=0)
    anna.wait_for("Meant for a group, where I may not write: more", since=0)
    eventually(lambda: bot.house.outbox.waiting() == 0)


def test_what_telegram_never_takes_is_said_in_status(bot, anna, eventually):
    anna.fault("error_before", "sendMessage", status=400, description="Bad Request: no such thing", times=1)
    bot.house.outbox.put(Letter(anna.chat, "k:1", "<b>Filled: 7 BTC</b>\nand more"))
    eventually(lambda: bot.house.outbox.waiting() == 0)
    anna.say("/status")
    assert "1 that Telegram did not take: Filled: 7 BTC" in anna.wait_for("Notices waiting for Telegram: 0").text
