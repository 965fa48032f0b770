"""Kill storms: the bot dies between any two steps of question, order and notice, and is started again. Long.

Most deaths come at a step of its own code (`dying_bot.py`), some at a moment; updates are replayed meanwhile,
under their own number and under new ones. The sandbox's books say what was placed, its chat what was told.
"""

from __future__ import annotations

import random
import re
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest

from tradehook.render import quantity

SEEDS, KILLS = 10, 50
ENDS = ("Filled", "UNKNOWN", "Not sent", "Expired", "Cut off", "Not placed")
NOBODY_ASKED = ("Expired", "Cut off")
"""Ends of a question that nobody is known to have answered: its own message says so, and no other."""
DYING_BOT = Path(__file__).with_name("dying_bot.py")
MOST_STEPS = 600
"""An order is filled and told of after about so many."""


def end_of(messages, number):
    text = next(message.text for message in messages if message.id == number)
    return next((word for word in ENDS if word in text), None)


def spawn(bot):
    """The bot in a process that dies where `dies_at` says; it polls when this returns."""
    log = bot.folder / "bot.log"
    log.touch()
    boots = log.read_text().count("Application started")
    with log.open("a") as out:
        process = subprocess.Popen(
            [sys.executable, str(DYING_BOT), str(bot.folder)], env=bot.environ, stdout=out, stderr=out
        )
    deadline = time.monotonic() + 60
    while log.read_text().count("Application started") == boots:
        is_well = process.poll() is None and time.monotonic() < deadline
        assert is_well, log.read_text()[-3000:]
        time.sleep(0.02)
    return process


def die_at(bot, step, *, story):
    """The process dies at this step after the next press; at none where it is 0."""
    (bot.folder / "dies_at").write_text(f"{story} {step}")


def steps_of(bot):
    """How many steps the last story had before its process ended, and where that was."""
    found = re.match(r"\s*(\d+) (.*)", (bot.folder / "steps").read_text())
    return (int(found[1]), found[2]) if found else (0, "before the press was read")


@pytest.mark.prove
@pytest.mark.parametrize(("seed", "chain"), [*((seed, "") for seed in range(SEEDS)), (SEEDS, "base")])
def test_killed_anywhere_nothing_is_sent_twice_and_nothing_is_left_untold(seed, chain, make_bot, exchange, eventually):
    chance = random.Random(seed)
    bot = make_bot()
    # A press that dies with its process leaves a question that has to run out.
    bot.environ_extra = {"TRADEHOOK_BOT_MARKET_SECONDS": "15"}
    anna = bot.person()
    bot.admit(anna)
    # Every other storm is over a chat that hears of everything; the rest are as chats begin, where what is filled at
    # once is told by the order's own message alone.
    is_loud = seed % 2 == 0
    if is_loud:
        bot.loud(anna)
    ends, died_at = [], set()
    process = spawn(bot)
    try:
        for number in range(KILLS):
            dies_at = chance.randrange(1, MOST_STEPS) if chance.random() < 0.75 else 0
            die_at(bot, dies_at, story=number)
            before = exchange.orders()
            # Each of a size of its own: the guard refuses the twin of one in doubt.
            size, where = size_of(number, chain)
            anna.say(f"/{'sell' if number % 2 or chain else 'buy'} {size}{where}")
            card = anna.wait_for("Open until:", timeout_seconds=30)
            anna.tap(2, card)
            if chance.random() < 0.3:
                anna.replay(is_new=chance.random() < 0.5)
            wait_for_death(process, chance, dies_at)
            died_at.add(steps_of(bot)[1])
            context = (seed, number, dies_at, steps_of(bot))
            die_at(bot, 0, story=number)
            forget_requests(bot)
            process = spawn(bot)
            if chance.random() < 0.3:
                anna.replay(is_new=chance.random() < 0.5)
            end = eventually(lambda card=card: end_of(anna.messages(), card.id), seconds=60)
            anna.say("/status")
            anna.wait_for("Trading: on", timeout_seconds=60)
            eventually(bot.has_read_everything)
            placed = exchange.orders() - before
            assert placed <= 1, context
            assert (placed == 1) is (end == "Filled") or end == "UNKNOWN", (context, end)
            if end not in NOBODY_ASKED and (is_loud or end != "Filled"):
                eventually(lambda card=card, end=end, size=size: notices(anna, card, end, size))
            eventually(bot.has_sent_everything)
            told = [message.text for message in notices(anna, card, end, size)]
            assert sum("may be a repeat" not in text for text in told) <= 1, (context, told)
            ends.append(end)
    finally:
        process.kill()
        process.wait()
    # It is a storm over orders: many were placed, many died before.
    assert ends.count("Filled") >= KILLS // 10, ends
    print(f"seed {seed}: {len(ends)} kills at {len(died_at)} places, { ({end: ends.count(end) for end in ENDS}) }")


def size_of(number, chain):
    """How much is traded, as messages show it, and what names the chain; on one, what is bought is sized in dollars."""
    if not chain:
        return f"0.00{20 + number} BTC", ""
    return quantity(Decimal(20 + number) / 10**6, "CBBTC"), f" on {chain}"


def wait_for_death(process, chance, dies_at):
    """The process is dead: by its own step, or at a moment; a step that never came is a moment too."""
    deadline = time.monotonic() + (5 if dies_at else chance.choice([0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.8]))
    while process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    process.kill()
    process.wait()


def notices(person, card, end, size):
    """What was told of an order beside its own message. Of an earlier one in doubt, news may come only now."""
    later = [message for message in person.messages() if message.id > card.id]
    return [message for message in later if end in message.text and size in message.text]


def forget_requests(bot):
    """A storm asks in a minute what a person asks in a day, and each kill loses permits: count from nothing again."""
    for path in bot.folder.glob("*.permits*"):
        path.unlink()
    with closing(sqlite3.connect(bot.folder / "journal.db")) as journal, journal:
        journal.execute("UPDATE preview SET asked_at = '2026-01-01T00:00:00.000000Z'")


def test_a_bot_that_dies_at_a_step_dies_there(make_bot, exchange, eventually):
    """The storm's own tool: the step is reached, the process is gone, and the next one says how it stands."""
    bot = make_bot()
    anna = bot.person()
    bot.admit(anna)
    process = spawn(bot)
    try:
        die_at(bot, 30, story=1)
        anna.say("/buy BTC 0.0002")
        anna.tap(2, anna.wait_for("Open until:"))
        assert process.wait(20) == -9
        assert steps_of(bot)[0] == 30
    finally:
        process.kill()
        process.wait()


def test_ten_taps_from_three_devices_replayed_and_duplicated_are_one_order(bot, anna, exchange):
    devices = [anna, bot.person(), bot.person()]
    before = exchange.orders()
    anna.say("/buy BTC 0.0002")
    card = anna.wait_for("Open until:")
    data = card.buttons[1].data
    for number in range(10):
        devices[number % 3].forge(data, card)
        anna.replay(is_new=False)
        anna.replay(is_new=True)
    anna.wait_for("Filled", since=0)
    # The next answer of this chat comes after all of them.
    anna.say("/status")
    anna.wait_for("Trading: on")
    assert exchange.orders() == before + 1
    assert len(bot.house.journal.list()) == 1
