"""A real python-telegram-bot application over a real socket, and a person who talks to it."""

from __future__ import annotations

import asyncio

import pytest
from telegram import InlineKeyboardButton, InlineKeyboardMarkup
from telegram.error import BadRequest, Conflict, InvalidToken, NetworkError, RetryAfter, TimedOut
from telegram.ext import AIORateLimiter, CallbackQueryHandler, CommandHandler, MessageHandler, filters

from tradehook_sandbox.telegram.driver import NeverCame, Person

CARD = InlineKeyboardMarkup(
    [[InlineKeyboardButton("Buy 0.01 BTC", callback_data="c:1")], [InlineKeyboardButton("Cancel", callback_data="c:2")]]
)


async def ask(update, _context):
    await update.message.reply_text("<b>Buy</b> 0.01 BTC &amp; pay?", parse_mode="HTML", reply_markup=CARD)


async def confirm(update, _context):
    await update.callback_query.answer("Working on it")
    await update.callback_query.edit_message_text("Submitting")
    await update.callback_query.edit_message_text("Filled")


async def echo(update, _context):
    await update.message.reply_text(f"echo: {update.message.text}")


def test_command_card_press_answer_and_edits(run_bot, person):
    """The whole of a trade's conversation; the person sees each step, also one that stood for a moment only."""
    run_bot(CommandHandler("buy", ask), CallbackQueryHandler(confirm))
    person.say("/buy 0.01 BTC")
    card = person.wait_for("pay?")
    assert card.text == "Buy 0.01 BTC & pay?"
    assert [button.text for button in card.buttons] == ["Buy 0.01 BTC", "Cancel"]
    person.tap("Buy", card)
    assert person.wait_for_answer() == "Working on it"
    assert person.wait_for("Submitting").id == card.id
    assert person.wait_for("Filled").buttons == ()
    ours = [(message.text, message.edits) for message in person.messages()]
    assert ours == [("/buy 0.01 BTC", 0), ("Filled", 2)]


def test_a_deep_link_starts_the_bot_with_its_code(run_bot, person):
    """Opening `t.me/<bot>?start=<code>` says `/start <code>`, which PTB splits into arguments."""
    codes: list[list[str]] = []

    async def start(update, context):
        codes.append(context.args)
        await update.message.reply_text("Welcome")

    run_bot(CommandHandler("start", start))
    person.open("https://t.me/some_bot?start=AB-12_x")
    person.wait_for("Welcome")
    assert codes == [["AB-12_x"]]
    with pytest.raises(ValueError, match="is no t"):
        person.open("https://example.com/")


def test_circumstances_are_what_ptb_filters_by(run_bot, person):
    """Edited, forwarded and via-bot messages do not pass the filters that keep them out; old ones carry their date."""
    fresh = filters.UpdateType.MESSAGE & ~filters.FORWARDED & ~filters.VIA_BOT
    ages: list[float] = []

    async def age(update, _context):
        ages.append(update.message.date.timestamp())
        await update.message.reply_text(f"took {update.message.text}")

    run_bot(MessageHandler(fresh, age))
    person.say("edited", edited=True)
    person.say("forwarded", forwarded=True)
    person.say("via", via_bot="helper_bot")
    person.say("a month old", ago_seconds=30 * 86400)
    said = person.say("fresh")
    person.say("changed", edits=said.id)
    person.say("last")
    person.wait_for("took last", since=0)
    took = [message.text for message in person.messages() if message.from_bot]
    assert took == ["took a month old", "took fresh", "took last"]
    assert 30 * 86400 - 60 < ages[1] - ages[0] < 30 * 86400 + 60


def test_an_idle_bot_waits_in_one_poll(run_bot, person, sandbox, token):
    """The long poll wakes for each update and not otherwise: three exchanges cost at most a poll each, and two more."""
    run_bot(MessageHandler(filters.TEXT, echo))
    for number in range(3):
        person.say(f"n{number}")
        person.wait_for(f"echo: n{number}")
    assert sandbox.world.connect(token).polls <= 5


def test_what_is_said_before_the_bot_connects_waits_for_it(run_bot, person):
    """The bot is named by its token, and finds the message when it starts."""
    person.say("early bird")
    run_bot(MessageHandler(filters.TEXT, echo))
    assert person.wait_for("echo: early bird")


def test_a_bot_that_dies_before_acknowledging_sees_the_update_again(run_bot, connected, person, sandbox, token):
    """Fetching is not acknowledging; after the offset moved on, the update is gone for good."""

    async def fetch_and_die() -> list[int]:
        async with connected(sandbox.url, token) as bot:
            return [update.update_id for update in await bot.get_updates(timeout=5)]

    person.say("/work")
    assert asyncio.run(fetch_and_die()) == asyncio.run(fetch_and_die())
    running = run_bot(MessageHandler(filters.TEXT, echo))
    person.wait_for("echo: /work")
    running.stop()
    run_bot(MessageHandler(filters.TEXT, echo))
    person.say("next")
    person.wait_for("echo: next")
    assert [message.text for message in person.messages()].count("echo: /work") == 1


def test_a_second_poll_ends_the_first_with_a_conflict(connected, person, sandbox, token, eventually):
    """As at Telegram the newer one stays, and gets the update."""

    async def both() -> tuple[object, list[str]]:
        async with connected(sandbox.url, token) as bot:
            first = asyncio.create_task(bot.get_updates(timeout=30))
            await asyncio.to_thread(eventually, lambda: polling() == 1, "the first poll waits")
            second = asyncio.create_task(bot.get_updates(timeout=30))
            refusal = (await asyncio.gather(first, return_exceptions=True))[0]
            await asyncio.to_thread(person.say, "hello")
            return refusal, [update.message.text for update in await second]

    def polling() -> int:
        return sandbox.world.connect(token).polling

    refusal, texts = asyncio.run(both())
    assert isinstance(refusal, Conflict)
    assert "terminated by other getUpdates request" in str(refusal)
    assert texts == ["hello"]


def test_a_rate_limited_bot_tries_again_after_the_given_time(run_bot, person):
    """429 carries `retry_after`, PTB's limiter waits for it, and the message comes once."""
    running = run_bot(MessageHandler(filters.TEXT, echo), rate_limiter=AIORateLimiter(max_retries=2))
    person.remote.post("/faults", method="sendMessage", kind="rate_limited", retry_after=1, token=person.token)
    person.say("patience")
    person.wait_for("echo: patience")
    assert running.errors == []
    assert person.remote.get("/faults")["faults"] == []


@pytest.mark.parametrize(
    ("fault", "error", "delivered"),
    [
        ({"kind": "rate_limited", "retry_after": 7}, RetryAfter, False),
        ({"kind": "error_before", "status": 502}, NetworkError, False),
        ({"kind": "error_before", "status": 403}, Exception, False),
        ({"kind": "error_after", "status": 500}, NetworkError, True),
        ({"kind": "timeout_after", "seconds": 600}, TimedOut, True),
        ({"kind": "slow", "seconds": 0.01}, None, True),
    ],
)
def test_staged_faults(connected, person, fault, error, delivered):
    """Each fault reaches PTB as the exception Telegram's own would, and says truly whether the message was sent."""
    url, token = person.remote.url, f"{person.token}:{'A' * 35}"
    said = person.say("hello")
    person.remote.post("/faults", method="sendMessage", token=token, **fault)

    async def send() -> None:
        async with connected(url, token) as bot:
            await bot.send_message(said.chat, "are you there?", read_timeout=0.3)

    if error is None:
        asyncio.run(send())
    else:
        with pytest.raises(error) as raised:
            asyncio.run(send())
        assert token not in str(raised.value)
    assert ("are you there?" in [message.text for message in person.messages()]) is delivered


def test_a_photo_travels_as_bytes_and_again_by_its_id(connected, person, sandbox, token, picture):
    """Uploaded as multipart, sent again by file id, loaded back by the bot and by the person."""
    said = person.say("/chart")

    async def send() -> bytes:
        async with connected(sandbox.url, token) as bot:
            first = await bot.send_photo(said.chat, picture, caption="<b>BTC</b>", parse_mode="HTML")
            again = await bot.send_photo(said.chat, first.photo[-1].file_id)
            assert again.photo == first.photo
            file = await bot.get_file(first.photo[-1].file_id)
            return bytes(await file.download_as_bytearray())

    assert asyncio.run(send()) == picture
    shown = person.wait_for("BTC")
    assert (shown.photo["width"], shown.photo["height"], shown.photo["media_type"]) == (3, 2, "image/png")
    assert person.remote.photo(shown.photo["file_id"]) == picture


def test_a_person_who_blocks_the_bot_gets_nothing(connected, person, sandbox, token):
    """Forbidden, and an update that says so."""
    said = person.say("hello")
    person.remote.post("/block", user="Ann", token=token)

    async def send() -> list[str]:
        async with connected(sandbox.url, token) as bot:
            with pytest.raises(Exception, match="bot was blocked by the user"):
                await bot.send_message(said.chat, "hello?")
            return [update.my_chat_member.new_chat_member.status for update in (await bot.get_updates())[1:]]

    assert asyncio.run(send()) == ["kicked"]


def test_a_wrong_secret_and_an_unknown_method_are_told_apart_in_the_log(connected, person, sandbox, token, caplog):
    """PTB calls both an invalid token, so the sandbox's log says which it was; it never holds the secret."""
    person.say("hello")

    async def call() -> None:
        async with connected(sandbox.url, token) as bot:
            with pytest.raises(InvalidToken):
                await bot.send_dice(1)
        with pytest.raises(InvalidToken):
            async with connected(sandbox.url, token.replace("A", "B")):
                pass

    asyncio.run(call())
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("tradehook_sandbox")]
    assert any("senddice" in line for line in ours)
    assert not any("AAAA" in line or "BBBB" in line for line in ours)


def test_a_wait_that_fails_shows_the_transcript(run_bot, person):
    """Whoever reads the failure sees what was said instead."""
    run_bot(CommandHandler("buy", ask))
    person.say("/buy")
    person.wait_for("pay?")
    with pytest.raises(NeverCame) as failure:
        person.wait_for("Filled", timeout_seconds=0.01)
    assert "'Filled' did not come within 0.01 seconds" in str(failure.value)
    assert "bot: Buy 0.01 BTC & pay? [Buy 0.01 BTC] [Cancel]" in str(failure.value)


def test_two_people_do_not_hear_each_other(run_bot, person, sandbox, token):
    """Chats are private; pressing a button in somebody else's is refused."""
    run_bot(CommandHandler("buy", ask))
    bob = Person(sandbox.url, user={"id": 4242, "name": "Bob", "language_code": "de"}, token=token)
    person.say("/buy")
    card = person.wait_for("pay?")
    bob.say("/buy")
    bob.wait_for("pay?")
    assert {message.chat for message in bob.messages()} == {4242}
    with pytest.raises(Exception, match="there is no message"):
        bob.tap("Buy", card)


def test_an_answer_too_late_is_bad_request(connected, person, sandbox, token, monkeypatch):
    """A press that nobody answered in time cannot be answered any more."""
    said = person.say("hello")

    async def press_and_dawdle() -> None:
        async with connected(sandbox.url, token) as bot:
            await bot.send_message(said.chat, "Shall I?", reply_markup=CARD)
            await asyncio.to_thread(person.tap, "Buy")
            query = (await bot.get_updates())[-1].callback_query
            monkeypatch.setattr(sandbox.world, "answer_within", -sandbox.world.answer_within)
            with pytest.raises(BadRequest, match="Query is too old"):
                await query.answer("late")

    asyncio.run(press_and_dawdle())
