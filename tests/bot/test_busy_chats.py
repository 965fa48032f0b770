"""A chat that is slow, full or told to wait holds up no other; and in a chat what is new goes before what is edited."""

from __future__ import annotations

import httpx
import pytest

from tradehook_bot.outbox import Letter

MANY = 60


@pytest.fixture
def busy(bot, anna):
    """A group in which many messages are to be edited, and what Telegram does about it is yet to be said."""
    group = anna.group("Busy")
    url = f"{bot.exchange.url}/bot{bot.token}/sendMessage"
    with httpx.Client() as client:
        sent = [client.post(url, json={"chat_id": group.id, "text": str(number)}).json() for number in range(MANY)]

    def begin():
        for number, answer in enumerate(sent):
            message_id, intent_id = answer["result"]["message_id"], f"chat-{number}"
            bot.house.order_messages.begin(intent_id, chat_id=group.id, account=None, message_id=message_id)
            bot.house.order_messages.end(intent_id, last_words=f"Edited {number}")

    group.begin = begin
    return group


def to_edit(bot):
    return len(bot.house.order_messages.due())


@pytest.mark.parametrize("trouble", [{"kind": "slow", "seconds": 60}, {"kind": "rate_limited", "retry_after": 60}])
def test_a_chat_in_trouble_holds_up_no_other(trouble, bot, anna, busy, exchange):
    bot.loud(anna)
    anna.say("/buy BTC 0.01 limit 64000")
    card = anna.wait_for("Open until:", chat=anna.chat)
    anna.tap(2, card)
    anna.wait_for("Open: buy 0.0100 BTC", chat=anna.chat)
    anna.fault(method="editMessageText", chat=busy, times=MANY, **trouble)
    busy.begin()
    exchange.price(BTC="63900")
    told = anna.wait_for(lambda seen: seen.id != card.id and "Filled: bought 0.0100 BTC" in seen.text, chat=anna.chat)
    assert "may be a repeat" not in told.text
    assert to_edit(bot) >= MANY - 1


def test_what_is_new_in_a_group_finds_room_however_much_there_is_to_edit(bot, anna, busy, eventually):
    busy.begin()
    # Telegram takes 20 messages of a group in a minute, and edits are not given the last of them.
    eventually(lambda: to_edit(bot) <= MANY - 15)
    bot.house.outbox.put(*(Letter(busy.id, f"k:{number}", f"new {number}") for number in range(3)))
    anna.wait_for("new 2", chat=busy)
    eventually(lambda: bot.house.outbox.waiting() == 0)
    assert to_edit(bot) > MANY // 2


def test_a_stop_waits_for_what_is_on_its_way_and_begins_nothing(bot, anna):
    anna.fault("slow", "sendMessage", seconds=0.3, times=MANY)
    bot.house.outbox.put(*(Letter(anna.chat, f"k:{number}", f"new {number}") for number in range(MANY)))
    anna.wait_for("new 1", since=0)
    bot.run(bot.app.post_stop(bot.app))
    left = bot.house.outbox.waiting()
    assert left > MANY // 2
    bot.run(bot.house.look())
    assert bot.house.outbox.waiting() == left  # the next boot sends them
