"""Codes from an authenticator app: set up by a picture, each good once, five wrong ones and it is over."""

from __future__ import annotations

import logging
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pyotp
import pytest

from tradehook.errors import GuardRefused, InvalidInput
from tradehook_bot.settings import BotSettings
from tradehook_bot.totp import ENROL_WITHIN, TRIES, Totp, Verdict

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
TOKEN = "123456789:AAExampleExampleExampleExampleExample"
WRONG = "000000"


@pytest.fixture
def totp(store):
    return Totp(store, token=TOKEN)


@pytest.fixture
def secret(totp):
    """Anna's, set up at noon."""
    secret = totp.enrol(7, label="bot", at=NOON).secret
    assert totp.check(7, code(secret, NOON), at=NOON) is Verdict.FIRST
    return secret


def code(secret, at):
    return pyotp.TOTP(secret).at(at)


def wrong(secret, at):
    """A code that is none of these minutes."""
    near = {code(secret, at + timedelta(seconds=30 * off)) for off in range(-3, 4)}
    return next(word for word in (f"{number:06d}" for number in range(20)) if word not in near)


def test_a_code_works_once_and_an_older_one_not_after_it(totp, secret):
    later = NOON + timedelta(minutes=2)
    assert totp.check(7, code(secret, NOON), at=NOON) is Verdict.USED
    assert totp.check(7, code(secret, later), at=later) is Verdict.RIGHT
    assert totp.check(7, code(secret, later), at=later) is Verdict.USED
    before = later - timedelta(seconds=30)
    assert totp.check(7, code(secret, before), at=later) is Verdict.USED


def test_of_many_at_once_one_is_right(totp, secret):
    later = NOON + timedelta(minutes=2)
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda _: totp.check(7, code(secret, later), at=later), range(40)))
    assert found.count(Verdict.RIGHT) == 1
    assert found.count(Verdict.USED) == 39


def test_a_clock_may_be_a_step_off_and_no_more(totp, secret):
    for minutes, off, verdict in (
        (2, -30, Verdict.RIGHT),
        (4, 30, Verdict.RIGHT),
        (6, -60, Verdict.WRONG),
        (8, 60, Verdict.WRONG),
    ):
        at = NOON + timedelta(minutes=minutes)
        assert totp.check(7, code(secret, at + timedelta(seconds=off)), at=at) is verdict


def test_five_wrong_ones_lock_and_only_the_machine_unlocks(totp, secret):
    at = NOON + timedelta(minutes=2)
    for left in range(TRIES - 1, 0, -1):
        assert totp.check(7, wrong(secret, at), at=at) is Verdict.WRONG
        assert totp.standing(7).tries_left == left
    assert totp.check(7, wrong(secret, at), at=at) is Verdict.LOCKED
    much_later = at + timedelta(days=30)
    assert totp.check(7, code(secret, much_later), at=much_later) is Verdict.LOCKED
    with pytest.raises(GuardRefused, match="totp reset 7"):
        totp.check_ready(7, what="A transfer")
    with pytest.raises(InvalidInput):
        totp.enrol(7, label="bot")
    assert totp.reset(7)
    assert not totp.reset(7)
    assert totp.check(7, code(secret, much_later), at=much_later) is Verdict.NONE
    totp.enrol(7, label="bot")


def test_a_right_one_forgives_the_wrong_ones_before(totp, secret):
    at = NOON + timedelta(minutes=2)
    for _ in range(TRIES - 1):
        totp.check(7, wrong(secret, at), at=at)
    assert totp.check(7, code(secret, at), at=at) is Verdict.RIGHT
    assert totp.standing(7).tries_left == TRIES


def test_an_app_counts_only_once_it_was_proved_in_time(totp):
    late = NOON + ENROL_WITHIN + timedelta(seconds=1)
    secret = totp.enrol(7, label="bot", at=NOON).secret
    assert not totp.standing(7, at=NOON).is_proved
    with pytest.raises(GuardRefused, match="/totp sets one up"):
        totp.check_ready(7, what="A transfer")
    assert totp.check(7, code(secret, late), at=late) is Verdict.NONE
    again = totp.enrol(7, label="bot", at=late).secret
    assert totp.check(7, wrong(again, late), at=late) is Verdict.WRONG
    assert totp.check(7, code(again, late), at=late) is Verdict.FIRST


def test_secrets_are_nowhere_in_plain_and_another_token_reads_none(totp, store, secret):
    from pathlib import Path

    enrolment = totp.enrol(8, label="bot")
    assert enrolment.secret not in repr(enrolment)
    store.engine.dispose()
    for file in Path(store.engine.url.database).parent.iterdir():
        assert secret.encode() not in file.read_bytes()
        assert enrolment.secret.encode() not in file.read_bytes()
    other = Totp(store, token=TOKEN[:-1] + "X")
    at = NOON + timedelta(minutes=2)
    assert other.check(7, code(secret, at), at=at) is Verdict.UNREADABLE


def test_live_orders_need_a_code_above_a_sum_unless_another_was_chosen():
    assert BotSettings().step_up("live") == 1000
    assert BotSettings().step_up("sandbox") is None
    chosen = BotSettings.from_environment({"TRADEHOOK_BOT_STEP_UP_ABOVE": "0"})
    assert chosen.step_up("live") == chosen.step_up("sandbox") == 0


# --- in the chat ---


def is_new(card, text):
    return lambda message: message.id != card.id and text in message.text


def is_now(card, text):
    return lambda message: message.id == card.id and text in message.text


def test_an_app_is_set_up_by_a_picture_that_goes_with_the_code(bot, anna, caplog):
    caplog.set_level(logging.DEBUG)
    anna.say("/totp")
    shown = anna.wait_for("Scan this with an authenticator app")
    assert anna.picture(shown).startswith(b"\x89PNG")
    secret = re.search(r"\b[A-Z2-7]{32}\b", shown.text)[0]
    typed = anna.say(pyotp.TOTP(secret).now())
    anna.wait_for("Your authenticator app is set up.")
    there = [message.id for message in anna.messages()]
    assert shown.id not in there
    assert typed.id not in there
    assert bot.house.totp.standing(anna.chat).is_proved
    anna.say("/totp")
    assert f"tradehook-bot totp reset {anna.chat}" in anna.wait_for("is set up\n").text
    assert secret not in caplog.text


def test_everybody_else_hears_of_a_new_app(bot, anna, app_of):
    ben = bot.let_in("Ben")
    ben.say("/totp")
    shown = ben.wait_for("Scan this")
    secret = re.search(r"\b[A-Z2-7]{32}\b", shown.text)[0]
    ben.say(pyotp.TOTP(secret).now())
    ben.wait_for("Your authenticator app is set up.")
    anna.wait_for(f"An authenticator app was set up for Ben {bot.token[:10]} (user {ben.chat})", since=0)


def test_a_code_that_nothing_waits_for_is_deleted(anna, app_of):
    app = app_of(anna)
    typed = anna.say(app.code())
    anna.wait_for("Nothing waits for a code")
    assert typed.id not in [message.id for message in anna.messages()]


def test_an_order_above_a_sum_takes_a_code(exchange, make_bot, app_of):
    with make_bot(step_up_above=Decimal(500)).running() as bot:
        anna = bot.let_in()
        before = exchange.orders()
        anna.say("/buy BTC 0.01")
        assert "/totp sets one up" in anna.wait_for("An order above 500 PYUSD needs a code").text
        app = app_of(anna, bot)
        anna.say("/buy BTC 0.001")
        anna.tap(2, anna.wait_for("Open until:"))
        anna.wait_for("Filled: bought 0.0010 BTC")
        anna.say("/buy BTC 0.01")
        card = anna.wait_for("after Confirm I ask for a code")
        anna.tap(2, card)
        waits = anna.wait_for(is_now(card, "Now type the six digits"))
        assert [button.text for button in waits.buttons] == ["Cancel"]
        assert exchange.orders() == before + 1
        anna.forge(card.buttons[1].data, card)  # a second Confirm is no code
        anna.wait_for_answer()
        anna.say(app.wrong())
        anna.wait_for("That code is wrong. 4 tries are left")
        assert exchange.orders() == before + 1
        typed = anna.say(app.code())
        anna.wait_for(is_now(card, "Filled: bought 0.0100 BTC"))
        assert exchange.orders() == before + 2
        assert typed.id not in [message.id for message in anna.messages()]


def test_a_price_that_got_worse_while_the_code_was_typed_is_asked_about_again(exchange, make_bot, app_of):
    with make_bot(step_up_above=Decimal(500)).running() as bot:
        anna = bot.let_in()
        app = app_of(anna, bot)
        before = exchange.orders()
        anna.say("/buy BTC 0.01")
        card = anna.wait_for("after Confirm I ask for a code")
        anna.tap(2, card)
        anna.wait_for(is_now(card, "Now type the six digits"))
        exchange.price(BTC="68100")
        anna.say(app.code())
        anna.wait_for(is_new(card, "against you"))
        assert exchange.orders() == before


def test_a_question_that_waits_for_a_code_can_be_left_and_ends_by_itself(exchange, make_bot, app_of):
    with make_bot(step_up_above=Decimal(0), code_seconds=Decimal(1)).running() as bot:
        anna = bot.let_in()
        app = app_of(anna, bot)
        before = exchange.orders()
        anna.say("/sell ETH 1 limit 9000")
        card = anna.wait_for("Open until:")
        anna.tap(2, card)
        anna.wait_for(is_now(card, "Now type the six digits"))
        anna.tap("Cancel", card)
        assert not anna.wait_for(is_now(card, "You said no.")).buttons
        anna.say("/sell ETH 1 limit 9000")
        card = anna.wait_for(is_new(card, "Open until:"))
        anna.tap(2, card)
        assert not anna.wait_for(is_now(card, "Expired: Sell 1.0000 ETH")).buttons
        anna.say(app.code())
        anna.wait_for("Nothing waits for a code")
        assert exchange.orders() == before


def test_five_wrong_codes_lock_and_the_machine_unlocks(exchange, make_bot, app_of):
    with make_bot(step_up_above=Decimal(0)).running() as bot:
        anna = bot.let_in()
        app = app_of(anna, bot)
        before = exchange.orders()
        anna.say("/buy BTC 0.01")
        card = anna.wait_for("Open until:")
        anna.tap(2, card)
        anna.wait_for(is_now(card, "Now type the six digits"))
        for left in ("4 tries are", "3 tries are", "2 tries are", "1 try is"):
            anna.say(app.wrong())
            anna.wait_for(f"That code is wrong. {left} left")
        ben = bot.let_in("Ben")
        anna.say(app.wrong())
        anna.wait_for("Codes are locked")
        ben.wait_for(f"(user {anna.chat}) after 5 wrong ones")
        anna.say(app.code())
        anna.wait_for("Codes are locked")
        anna.say("/buy BTC 0.01")
        refused = anna.wait_for(f"tradehook-bot totp reset {anna.chat}")
        assert not refused.buttons
        assert exchange.orders() == before
        done = bot.command("totp", "reset", str(anna.chat))
        assert (done.returncode, "/totp" in done.stdout) == (0, True), done.stderr
        assert bot.command("totp", "reset", str(anna.chat)).returncode != 0
        anna.say("/totp")
        anna.wait_for("Scan this")


@pytest.fixture
def live_bot(make_bot):
    """A bot whose environment is called live; the address is the sandbox's, so no money is near."""
    bot = make_bot()
    bot.account = replace(bot.account, environment="live")
    with bot.running() as running:
        yield running


def test_where_money_is_real_the_machine_allows_an_app_first(live_bot):
    anna = live_bot.let_in()
    anna.say("/totp")
    assert f"tradehook-bot totp allow {anna.chat}" in anna.wait_for("somebody at the machine allows it").text
    totp = live_bot.house.totp
    for word in ("letmein", totp.allowing_word(anna.chat + 1), totp.allowing_word(anna.chat, at=NOON)):
        anna.say(f"/totp {word}")
        anna.wait_for("somebody at the machine allows it")
    anna.say(f"/totp {totp.allowing_word(anna.chat).upper()}")
    anna.wait_for("Scan this")


def test_a_word_of_the_machine_is_of_one_person_and_lasts_ten_minutes(store):
    totp, other = Totp(store, token=TOKEN), Totp(store, token=TOKEN[:-1] + "x")
    word = totp.allowing_word(7, at=NOON)
    assert totp.is_allowed(7, f" {word.upper()} ", at=NOON + timedelta(minutes=10))
    assert not totp.is_allowed(7, word, at=NOON + timedelta(minutes=11))
    assert not totp.is_allowed(7, word, at=NOON - timedelta(minutes=1))
    assert not totp.is_allowed(8, word, at=NOON)
    assert not other.is_allowed(7, word, at=NOON)
    for typed in ("", "\u043a\u043b\u044e\u0447", "\ud800", word[:-1], word + "a"):
        assert not totp.is_allowed(7, typed, at=NOON)


def test_going_on_takes_a_question_and_a_code_where_money_is_real(live_bot, app_of):
    anna = live_bot.let_in()
    trading = live_bot.house.journal.trading_state
    anna.say("/freeze")
    anna.wait_for("Frozen.")
    anna.say("/resume")
    assert "/totp" in anna.wait_for("Letting live trading go on needs a code").text
    assert trading()["state"] == "HALTED"
    app = app_of(anna, live_bot)
    anna.say("/resume")
    card = anna.wait_for("Let trading go on?")
    anna.tap(2, card)
    anna.wait_for(is_now(card, "Now type the six digits"))
    anna.say(app.wrong())
    anna.wait_for("That code is wrong")
    assert trading()["state"] == "HALTED"
    anna.say(app.code())
    told = anna.wait_for(is_now(card, "Trading goes on."))
    assert "LIVE · main" in told.text
    assert trading()["state"] == "NORMAL"


def test_a_sale_far_below_the_market_is_worth_what_it_trades_at(make_bot, app_of):
    """By its limit it is 500 and needs no code; at the market it brings fifty times that."""
    with make_bot(step_up_above=Decimal(1000)).running() as bot:
        anna = bot.let_in()
        app_of(anna, bot)
        anna.say("/sell BTC 0.4 limit 1250")
        card = anna.wait_for("Open until:")
        anna.tap(2, card)
        anna.wait_for("Now type the six digits")
