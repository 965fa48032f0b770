"""The bot as a process: set up, killed between any two steps, started again. Nothing is sent twice or told twice."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import stat
import subprocess
import sys
import termios
import time
from datetime import timedelta

from sqlalchemy import update

from tradehook.desk.intents import this_owner
from tradehook_bot.proposals import State
from tradehook_bot.store import now, stamp
from tradehook_bot.tables import PROPOSAL


def is_new(card, text):
    return lambda message: message.id != card.id and text in message.text


def asked(person, command="/buy BTC 0.01"):
    person.say(command)
    card = person.wait_for("Open until:")
    person.say("/help")  # what comes after it in a chat is handled after it
    person.wait_for("What I understand")
    return card


def told(person, text):
    return [message for message in person.messages() if message.from_bot and text in message.text]


def kill(running):
    running.kill()
    running.wait(timeout=20)


def stop(running):
    running.terminate()
    assert running.wait(timeout=30) == 0


def test_a_fill_while_the_bot_was_dead_is_told_once(process, exchange, eventually):
    anna = process.person()
    process.admit(anna)
    process.loud(anna)
    running = process.start()
    card = asked(anna, "/buy BTC 0.01 limit 64000")
    anna.tap(2, card)
    anna.wait_for("Open: buy 0.0100 BTC")
    kill(running)
    exchange.price(BTC="63900")
    running = process.start()
    anna.wait_for(is_new(card, "Filled: bought 0.0100 BTC"))
    edited = anna.wait_for(lambda message: message.id == card.id and "Filled" in message.text, since=0)
    assert not edited.buttons
    eventually(process.has_sent_everything)
    kill(running)
    running = process.start()
    anna.say("/status")
    anna.wait_for("Trading: on")
    stop(running)
    assert len(told(anna, "Filled: bought")) == 2  # the order's own message, and one notice
    assert not told(anna, "may be a repeat")


def test_killed_while_the_order_is_on_its_way_it_is_unknown_and_told_once(process, exchange, eventually):
    anna = process.person()
    process.admit(anna)
    running = process.start()
    card = asked(anna)
    before = exchange.orders()
    exchange.fault("slow", delay_seconds=60)
    anna.tap(2, card)
    eventually(lambda: exchange.orders() == before + 1)
    eventually(process.has_read_everything)  # so that only the order's state can tell of it, and no event
    kill(running)
    running = process.start()
    doubt = anna.wait_for(is_new(card, "UNKNOWN: Buy 0.0100 BTC"))
    assert "Do not enter it again" in doubt.text
    eventually(process.has_sent_everything)
    kill(running)
    running = process.start()
    anna.say("/orders")
    anna.wait_for("1 UNKNOWN")
    stop(running)
    assert len(told(anna, "UNKNOWN: Buy")) == 2
    assert exchange.orders() == before + 1


def test_killed_before_it_was_sent_it_says_that_nothing_was(process, exchange):
    anna = process.person()
    process.admit(anna)
    running = process.start()
    card = asked(anna)
    before = exchange.orders()
    exchange.fault("slow", path="/quotes", delay_seconds=60)
    anna.tap(2, card)
    anna.wait_for("Confirmed")
    kill(running)
    exchange.http.delete("/faults")
    running = process.start()
    words = anna.wait_for(is_new(card, "Not sent: Buy 0.0100 BTC"))
    assert "I was stopped before it was done" in words.text
    anna.wait_for(lambda message: message.id == card.id and "Not sent" in message.text, since=0)
    stop(running)
    assert exchange.orders() == before


def test_questions_outlive_a_restart_while_they_are_open_and_lose_their_buttons_when_over(process, exchange):
    anna = process.person()
    process.admit(anna)
    running = process.start()
    open_card = asked(anna, "/buy BTC 0.01 limit 60000")
    kill(running)
    running = process.start()
    anna.tap(2, open_card)
    anna.wait_for("Open: buy 0.0100 BTC at 60,000.0")
    process.environ_extra = {"TRADEHOOK_BOT_MARKET_SECONDS": "1"}
    stop(running)
    running = process.start()
    over_card = asked(anna)
    kill(running)
    time.sleep(1.1)  # the question's own time has to pass
    running = process.start()
    gone = anna.wait_for("Expired: Buy 0.0100 BTC")
    assert gone.id == over_card.id
    assert not gone.buttons
    stop(running)


def test_sigterm_finishes_the_order_that_runs(process, exchange, eventually):
    anna = process.person()
    process.admit(anna)
    process.loud(anna)
    running = process.start()
    card = asked(anna)
    before = exchange.orders()
    exchange.fault("slow", delay_seconds=1.5)
    anna.tap(2, card)
    eventually(lambda: exchange.orders() == before + 1)
    stop(running)
    assert told(anna, "Accepted: buy 0.0100 BTC") or told(anna, "Filled: bought")
    running = process.start()
    anna.wait_for(is_new(card, "Filled: bought 0.0100 BTC"), since=0)
    stop(running)
    assert not told(anna, "UNKNOWN")
    assert exchange.orders() == before + 1


def test_setup_without_waiting_prints_the_link_and_run_takes_it(process):
    refused = process.command("run")
    assert refused.returncode == 2
    assert "tradehook-bot setup" in refused.stderr
    done = process.command("setup", "--no-wait")
    assert done.returncode == 0, done.stderr
    assert "▄" in done.stdout
    link = re.search(r"https://t\.me/\w+\?start=[\w-]{22}", done.stdout)
    assert link
    stored = process.folder / "tradehook/telegram/sandbox.token"
    assert stored.read_text().strip() == process.token
    assert stat.S_IMODE(stored.stat().st_mode) == 0o600
    assert process.token not in done.stdout + done.stderr
    running = process.start()
    anna = process.person()
    anna.open(link.group())
    anna.wait_for("You are its owner")
    checked = process.command("check")
    assert checked.returncode == 0, checked.stderr
    assert f"{anna.chat} {anna.user} (owner)" in checked.stdout
    stop(running)
    assert process.token not in checked.stdout + checked.stderr + process.log


def test_setup_asks_for_the_token_without_showing_it_and_waits_for_the_link(process, eventually):
    environ = {name: value for name, value in process.environ.items() if name != "TELEGRAM_TOKEN_FILE"}
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "tradehook_bot", "setup"]
    waiting = subprocess.Popen(command, env=environ, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
    os.close(theirs)
    try:
        screen = read_until(ours, "will not be shown")
        eventually(lambda: not termios.tcgetattr(ours)[3] & termios.ECHO)
        os.write(ours, process.token.encode() + b"\n")
        screen += read_until(ours, "Waiting for you")
        link = re.search(r"https://t\.me/\w+\?start=[\w-]{22}", screen)
        anna = process.person()
        anna.open(link.group())
        assert anna.wait_for("This bot is yours now").text.startswith("SANDBOX")
        screen += read_until(ours, "owns the bot")
        assert waiting.wait(timeout=20) == 0
    finally:
        waiting.kill()
        waiting.wait(timeout=20)
        os.close(ours)
    assert process.token not in screen
    assert process.token.partition(":")[2] not in screen


def read_until(terminal, words, *, seconds=30):
    shown = ""
    deadline = time.monotonic() + seconds
    while words not in shown:
        assert time.monotonic() < deadline, shown
        if select.select([terminal], [], [], 0.2)[0]:
            shown += os.read(terminal, 4096).decode(errors="replace")
    return shown


def test_a_token_telegram_does_not_know_is_told_without_showing_it(process):
    process.command("setup", "--no-wait")
    head, _, secret = process.token.partition(":")
    process.token = f"{head}:{secret[::-1]}"
    for command in (("setup", "--no-wait"), ("run",)):
        done = process.command(*command)
        assert done.returncode == 2, done.stderr
        assert process.token not in done.stdout + done.stderr
        assert secret[::-1] not in done.stdout + done.stderr
    assert "Telegram does not know this token" in done.stderr
    assert "Traceback" not in done.stderr


def test_two_bots_with_one_token_are_told_of_each_other_and_no_log_holds_a_secret(process, make_bot):
    anna = process.person()
    process.admit(anna)
    first = process.start()
    anna.say("/status")
    anna.wait_for("Trading: on")
    thief = make_bot()  # with a journal of its own, so that no lock stops it
    thief.token = process.token
    thief.admit(anna)
    second = thief.spawn()
    anna.wait_for("Another program uses my token", since=0, timeout_seconds=30)
    kill(second)
    anna.say("/buy BTC 0.01")
    card = anna.wait_for("Open until:")
    anna.tap(2, card)
    anna.wait_for("Filled")
    first.send_signal(signal.SIGINT)
    first.wait(timeout=30)
    log = process.log
    assert "asks Telegram for this bot's messages" in log
    assert process.token not in log
    assert process.token.partition(":")[2] not in log
    assert "eyJ" not in log
    assert card.buttons[1].data not in log
    assert "Traceback" not in log


def test_a_stop_does_not_wait_for_an_exchange_that_says_nothing(process, exchange):
    anna = process.person()
    process.admit(anna)
    running = process.start()
    anna.tap(2, asked(anna, "/buy BTC 0.01 limit 60000"))
    anna.wait_for("Open: buy 0.0100 BTC")
    exchange.fault("timeout_after", method="GET", times=50)
    time.sleep(1.2)  # the next look has begun, and hears nothing
    stop(running)


def test_what_was_confirmed_on_another_machine_that_died_is_told_while_the_bot_runs(bot, anna, exchange, eventually):
    before = exchange.orders()
    card = asked(anna)
    (job,) = bot.app.job_queue.get_jobs_by_name("confirmed by the dead")

    def confirmed_by(owner, *, at):
        with bot.house.store.engine.begin() as connection:
            changed = update(PROPOSAL).where(PROPOSAL.c.message_id == card.id)
            connection.execute(changed.values(state=str(State.CONFIRMED), owner=owner, closed_at=stamp(at)))

    def look():
        bot.run(job.callback(None))
        return told(anna, "I was stopped before it was done")

    confirmed_by(this_owner(), at=now())
    assert not look()  # we live, and may be about to begin
    confirmed_by("otherhost:1:1", at=now())
    assert not look()  # so may that one
    confirmed_by("otherhost:1:1", at=now() - timedelta(hours=1))
    bot.run(job.callback(None))
    words = anna.wait_for(is_new(card, "Not sent: Buy 0.0100 BTC"), since=0)
    assert "I was stopped before it was done" in words.text
    anna.wait_for(lambda message: message.id == card.id and "Not sent" in message.text, since=0)
    eventually(lambda: bot.house.outbox.waiting() == 0)
    assert len(look()) == 2  # the question's own message, and one notice
    assert exchange.orders() == before
