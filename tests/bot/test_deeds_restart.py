"""Deeds that take more than one step, in a process that is killed between them. Nothing is done twice, or denied."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pyotp

from tradehook.rebalance import Goal
from tradehook_bot.store import Store
from tradehook_bot.totp import Totp

VAULT = "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq"


def is_new(card, text):
    return lambda message: message.id != card.id and text in message.text


def is_now(card, text):
    return lambda message: message.id == card.id and text in message.text


def kill(running):
    running.kill()
    running.wait(timeout=20)


def write_targets(bot):
    journal = bot.journal()
    journal.targets.set(
        "main", Goal.of({"BTC": "40", "ETH": "40"}, quote="PYUSD", band="1", fee="0.5", reserve="0.5"), by="test"
    )
    journal.close()


def app_of(bot, person):
    """An app that was set up five minutes ago; gives a code of now."""
    journal = bot.journal()
    store = Store(journal.engine, bot_id=int(bot.token.partition(":")[0]))
    totp, then = Totp(store, token=bot.token), datetime.now(UTC) - timedelta(minutes=5)
    secret = totp.enrol(person.chat, label="test", at=then).secret
    totp.check(person.chat, pyotp.TOTP(secret).at(then), at=then)
    store.close()
    host = bot.exchange.url.removeprefix("http://")
    journal.destinations.add(host, "vault", network="bitcoin", address=VAULT, by="test")
    journal.close()
    return lambda: pyotp.TOTP(secret).now()


def test_a_plan_that_is_killed_between_its_legs_says_how_far_it_came(process, exchange, eventually):
    anna = process.person()
    process.admit(anna)
    write_targets(process)
    running = process.start()
    anna.say("/rebalance")
    card = anna.wait_for("by 2 trades?")
    before = exchange.orders()
    exchange.fault("slow", delay_seconds=0.1)
    exchange.fault("slow", delay_seconds=60)  # the second leg's answer comes too late
    anna.tap(2, card)
    eventually(lambda: exchange.orders() == before + 2)
    kill(running)
    exchange.http.delete("/faults")
    process.start()
    told = anna.wait_for(is_now(card, "Stopped: Rebalance to main: 2 trades"), since=0)
    assert "I was stopped before it was done." in told.text
    assert "Filled: sold" in told.text
    assert "2. buy" in told.text
    assert "UNKNOWN" in told.text
    assert not told.buttons
    anna.wait_for(is_new(card, "Stopped: Rebalance to main: 2 trades"), since=0)
    anna.forge(card.buttons[1].data, card)
    anna.wait_for_answer()
    assert exchange.orders() == before + 2


def test_a_question_that_waits_for_a_code_waits_on_after_a_restart(process, exchange):
    anna = process.person()
    process.admit(anna)
    code = app_of(process, anna)
    before = len(exchange.get("/transfers")["data"])
    running = process.start()
    anna.say("/transfer BTC 0.1 vault")
    card = anna.wait_for("Open until:")
    anna.tap(2, card)
    anna.wait_for(is_now(card, "Now type the six digits"))
    kill(running)
    process.start()
    assert len(exchange.get("/transfers")["data"]) == before
    anna.say(code())
    anna.wait_for(is_now(card, "Transfer completed: 0.1000 BTC"), since=0)
    assert len(exchange.get("/transfers")["data"]) == before + 1


def test_a_transfer_that_is_killed_on_its_way_is_unknown_and_not_sent_again(process, exchange, eventually):
    anna = process.person()
    process.admit(anna)
    code = app_of(process, anna)
    before = len(exchange.get("/transfers")["data"])
    running = process.start()
    anna.say("/transfer BTC 0.1 vault")
    card = anna.wait_for("Open until:")
    anna.tap(2, card)
    anna.wait_for(is_now(card, "Now type the six digits"))
    exchange.fault("slow", path="/transfers", delay_seconds=60)
    anna.say(code())
    eventually(lambda: len(exchange.get("/transfers")["data"]) == before + 1)
    kill(running)
    process.start()
    anna.wait_for(is_new(card, "UNKNOWN: Send 0.1000 BTC"), since=0)
    assert "Not sent" not in "".join(message.text for message in anna.messages())
    assert len(exchange.get("/transfers")["data"]) == before + 1


def test_cancels_that_are_cut_off_are_not_denied(process, exchange):
    anna = process.person()
    process.admit(anna)
    running = process.start()
    for price in ("60000", "61000"):
        anna.say(f"/buy BTC 0.01 limit {price}")
        anna.tap(2, anna.wait_for("or better?"))
        anna.wait_for("Open: ")
    anna.say("/cancel all")
    card = anna.wait_for("Cancel all 2 orders?")
    exchange.fault("slow", method="DELETE", path="/orders/{id}", delay_seconds=60, times=5)
    anna.tap(2, card)
    anna.wait_for(is_now(card, "Confirmed"))
    kill(running)
    exchange.http.delete("/faults")
    process.start()
    told = anna.wait_for(is_now(card, "Cut off: Cancel all 2 orders"), since=0)
    assert "Some of the cancellations may have gone out" in told.text
    assert not told.buttons
