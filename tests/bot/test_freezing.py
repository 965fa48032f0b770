"""/freeze stops everything that uses the journal, at once, and says what it does not stop."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta


def is_new(card, text):
    return lambda message: message.id != card.id and text in message.text


def place_from_the_command_line(bot, *words):
    command = [sys.executable, "-m", "tradehook.cli", "order", "place", *words, "--yes", "--json"]
    return subprocess.run(command, env=bot.environ, capture_output=True, text=True, timeout=60, check=False)


def test_a_freeze_stops_chat_and_command_line_and_names_what_is_live(exchange, bot, anna):
    anna.say("/buy BTC 0.01 limit 64000")
    anna.tap(2, anna.wait_for("or better?"))
    anna.wait_for("Open: buy 0.0100 BTC")
    before = exchange.orders()
    anna.say("/freeze lost my phone")
    frozen = anna.wait_for("STILL LIVE at the exchange: 1 order")
    assert "Nothing new will be sent from chat, Airflow or the command line" in frozen.text
    assert "Open: buy 0.0100 BTC at 64,000.0" in frozen.text
    assert "/cancel_" in frozen.text
    trading = bot.house.journal.trading_state()
    assert trading["state"] == "HALTED"
    assert trading["why"] == "lost my phone"
    assert f"user {anna.chat}" in trading["changed_by"]

    anna.say("/buy BTC 0.01")
    refused = anna.wait_for("Trading is frozen by")
    assert "lost my phone" in refused.text
    assert "/resume" in refused.text
    assert not refused.buttons
    done = place_from_the_command_line(bot, "buy", "BTC/PYUSD", "0.001")
    assert done.returncode == 3, done.stdout + done.stderr
    assert "frozen" in done.stdout + done.stderr
    assert exchange.orders() == before

    anna.say("/status")
    assert "lost my phone" in anna.wait_for("Trading: FROZEN since").text
    anna.say(next(word for word in frozen.text.split() if word.startswith("/cancel_")))
    anna.wait_for("Canceled: buy 0.0100 BTC at 64,000.0")
    assert exchange.open_ids() == []

    anna.say("/resume")
    anna.wait_for("Trading goes on")
    anna.say("/buy BTC 0.01")
    card = anna.wait_for("Open until:")
    anna.tap(2, card)
    anna.wait_for("Filled")
    assert exchange.orders() == before + 1


def test_a_freeze_between_question_and_confirm_stops_the_order(exchange, anna):
    before = exchange.orders()
    anna.say("/buy BTC 0.01")
    card = anna.wait_for("Open until:")
    anna.say("/freeze")
    anna.wait_for("Frozen.")
    anna.tap(2, card)
    told = anna.wait_for(is_new(card, "Not sent: Buy 0.0100 BTC"))
    assert "frozen" in told.text
    assert exchange.orders() == before


def test_a_freeze_waits_for_nobody(exchange, bot, anna):
    exchange.fault("slow", method="GET", path="/balances/unified", delay_seconds=2)
    anna.say("/balance")
    anna.say("/freeze")
    anna.wait_for("Frozen.")
    assert not [message for message in anna.messages() if "PYUSD" in message.text]
    anna.wait_for("10,000.00 PYUSD", since=0)
    assert bot.house.journal.trading_state()["state"] == "HALTED"


def test_a_freeze_for_a_while_asks_when_it_is_over_and_holds_until_somebody_says_yes(exchange, bot, anna):
    anna.say("/freeze 1s lost my phone")
    frozen = anna.wait_for("Frozen.")
    assert "It does not end by itself" in frozen.text
    assert bot.house.journal.trading_state()["why"] == "lost my phone"
    card = anna.wait_for("The 1s of your freeze are over. It still holds.")
    assert [button.text for button in card.buttons] == ["Leave it frozen", "Let trading go on"]
    assert bot.house.journal.trading_state()["state"] == "HALTED"
    anna.tap(2, card)
    anna.wait_for(is_new(card, "Trading goes on."))
    assert bot.house.journal.trading_state()["state"] == "NORMAL"
    anna.say("/buy BTC 0.01")
    anna.wait_for("Open until:")


def test_the_question_lifts_no_later_freeze(bot, anna):
    anna.say("/freeze 1s")
    card = anna.wait_for("The 1s of your freeze are over.")
    anna.say("/resume")
    anna.wait_for("Trading goes on")
    anna.say("/freeze again")
    anna.wait_for("Frozen.")
    anna.tap(2, card)
    anna.wait_for("It was frozen anew by")
    assert bot.house.journal.trading_state()["why"] == "again"


def test_a_freeze_that_was_lifted_before_is_not_asked_about(bot, anna, eventually):
    from tradehook_bot.freeze_end import FreezeEnds
    from tradehook_bot.store import now

    anna.say("/freeze 2s")
    anna.wait_for("Frozen.")
    anna.say("/resume")
    anna.wait_for("Trading goes on")
    ends = FreezeEnds(bot.house.store)
    later = now() + timedelta(minutes=1)
    assert ends.due(at=later) is not None
    eventually(lambda: ends.due(at=later) is None)
    anna.say("/status")
    anna.wait_for("Trading: on")
    assert not [message for message in anna.messages() if "of your freeze are over" in message.text]


def test_resume_without_a_freeze_says_so(anna):
    anna.say("/resume")
    anna.wait_for("not frozen")


def test_what_is_no_length_of_time_is_said_to_be_a_reason(bot, anna):
    anna.say("/freeze 2x")
    assert "a length of time is written 90s, 30m, 2h or 1d" in anna.wait_for("Frozen.").text
    assert bot.house.journal.trading_state()["why"] == "2x"
