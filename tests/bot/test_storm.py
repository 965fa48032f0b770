"""Kill storms: the bot dies at random moments between question, order and notice, and is started again. Long."""

from __future__ import annotations

import random
import time

import pytest

KILLS = 100
ENDS = ("Filled", "UNKNOWN", "Not sent", "Expired", "Cut off", "Not placed")


def end_of(messages, number):
    text = next(message.text for message in messages if message.id == number)
    return next((word for word in ENDS if word in text), None)


@pytest.mark.prove
@pytest.mark.parametrize("seed", range(5))
def test_killed_anywhere_nothing_is_sent_twice_and_nothing_is_left_untold(seed, make_bot, exchange, eventually):
    moments = random.Random(seed)
    bot = make_bot()
    anna = bot.person()
    bot.admit(anna)
    process = bot.spawn()
    try:
        for _ in range(KILLS):
            before = exchange.orders()
            anna.say("/buy BTC 0.0002")
            card = anna.wait_for("Open until:", timeout_seconds=30)
            anna.tap(2, card)
            time.sleep(moments.choice([0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.8]))
            process.kill()
            process.wait()
            forget_requests(bot)
            process = bot.spawn()
            end = eventually(lambda card=card: end_of(anna.messages(), card.id), seconds=60)
            anna.say("/status")
            anna.wait_for("Trading: on", timeout_seconds=30)
            eventually(bot.has_read_everything)
            told = [message.text for message in notices(anna, card, end)]
            placed = exchange.orders() - before
            assert placed <= 1
            assert (placed == 1) is (end == "Filled") or end == "UNKNOWN"
            if end not in ("Expired", "Cut off"):
                eventually(lambda card=card, end=end: notices(anna, card, end))
                assert sum("may be a repeat" not in text for text in told) <= 1
    finally:
        process.kill()
        process.wait()


def notices(person, card, end):
    """What was told of an order beside its own message; the answer to /status counts UNKNOWN orders, too."""
    later = [message for message in person.messages() if message.id > card.id and "Trading:" not in message.text]
    return [message for message in later if end in message.text]


def forget_requests(bot):
    """A storm asks in a minute what a person asks in a day, and each kill loses permits: count from nothing again."""
    for path in bot.folder.glob("*.permits*"):
        path.unlink()
