"""Pictures and files: uploaded by python-telegram-bot, seen by a person, edited and deleted like any message."""

from __future__ import annotations

import asyncio
import struct

import httpx
import pytest
from telegram import InlineKeyboardButton, InlineKeyboardMarkup
from telegram.error import BadRequest
from telegram.ext import CallbackQueryHandler, CommandHandler, MessageHandler, filters

from tradehook_sandbox.telegram.driver import NeverCame

CARD = InlineKeyboardMarkup([[InlineKeyboardButton("Later", callback_data="later")]])


def of_size(picture: bytes, width: int, height: int) -> bytes:
    """The picture, with other sides in its head."""
    return picture[:16] + struct.pack(">II", width, height) + picture[24:]


def test_a_picture_with_buttons_lives_through_a_press(run_bot, person, picture):
    """Its caption and buttons change under it; the person has the bytes that were sent."""

    async def chart(update, _context):
        await update.message.reply_photo(picture, caption="<b>BTC</b> 67,340", parse_mode="HTML", reply_markup=CARD)

    async def later(update, _context):
        await update.callback_query.answer()
        await update.callback_query.edit_message_caption("BTC 67,400", reply_markup=CARD)
        await update.callback_query.edit_message_reply_markup(None)

    run_bot(CommandHandler("price", chart), CallbackQueryHandler(later))
    person.say("/price BTC")
    shown = person.wait_for("67,340")
    assert person.picture(shown) == picture
    assert "[picture 3x2] BTC 67,340 [Later]" in person.transcript()
    person.tap("Later", shown)
    bare = person.wait_for(lambda message: not message.buttons)
    assert (bare.id, bare.text, bare.photo) == (shown.id, "BTC 67,400", shown.photo)


def test_a_bot_deletes_what_a_person_wrote(run_bot, person):
    """A code that was typed does not stay in the chat."""

    async def forget(update, _context):
        await update.message.delete()

    run_bot(MessageHandler(filters.TEXT, forget))
    said = person.say("123456")
    person.wait_until_gone(said)
    assert person.messages() == []
    with pytest.raises(NeverCame, match="the end of message"):
        person.wait_until_gone(said.id + 1, timeout_seconds=0.01)


def test_a_file_keeps_its_name_and_never_opens_as_a_page(connected, person, sandbox, token):
    """By both doors; what is HTML inside is not served as HTML."""
    said = person.say("/audit")
    page = b"<script>alert(1)</script>"

    async def send() -> tuple[bytes, str]:
        async with connected(sandbox.url, token) as bot:
            sent = await bot.send_document(said.chat, page, filename="../day.html", caption="The day")
            again = await bot.send_document(said.chat, sent.document.file_id)
            assert again.document == sent.document
            file = await bot.get_file(sent.document.file_id)
            return bytes(await file.download_as_bytearray()), sent.document.file_name

    content, name = asyncio.run(send())
    assert (content, name) == (page, "day.html")
    shown = person.wait_for("The day")
    assert person.document(shown) == page
    assert "[file day.html] The day" in person.transcript()
    answer = httpx.get(f"{sandbox.url}/_sandbox/telegram/documents/{shown.document['file_id']}")
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"].startswith("attachment")


REFUSED = [
    (lambda bot, chat, picture: bot.send_photo(chat, of_size(picture, 9000, 1001)), "photo_invalid_dimensions"),
    (lambda bot, chat, picture: bot.send_photo(chat, of_size(picture, 2100, 100)), "photo_invalid_dimensions"),
    (lambda bot, chat, picture: bot.send_photo(chat, picture + bytes(10 * 1024 * 1024)), "too big for a photo"),
    (lambda bot, chat, picture: bot.send_photo(chat, picture, caption="x" * 1025), "caption is too long"),
    (lambda bot, chat, _: bot.send_photo(chat, b""), "file must be non-empty"),
    (lambda bot, chat, _: bot.send_document(chat, b""), "file must be non-empty"),
    (lambda bot, chat, _: bot.send_document(chat, "BQxyz"), "wrong remote file identifier"),
]


def test_what_telegram_does_not_take(connected, person, sandbox, token, picture):
    """PTB reads each as a bad request, and nothing is in the chat."""
    said = person.say("hello")

    async def refusals() -> list[str]:
        async with connected(sandbox.url, token) as bot:
            found = []
            for send, _ in REFUSED:
                with pytest.raises(BadRequest) as refusal:
                    await send(bot, said.chat, picture)
                found.append(str(refusal.value).lower())
            return found

    for words, (_, expected) in zip(asyncio.run(refusals()), REFUSED, strict=True):
        assert expected in words
    assert [message.id for message in person.messages()] == [said.id]


def test_the_largest_picture_is_taken(connected, person, sandbox, token, picture):
    """Sides of 10,000 together, twenty to one, 10 MiB."""
    said = person.say("hello")

    async def send() -> None:
        async with connected(sandbox.url, token) as bot:
            await bot.send_photo(said.chat, of_size(picture, 9000, 1000))
            await bot.send_photo(said.chat, of_size(picture, 2000, 100))
            await bot.send_photo(said.chat, picture + bytes(10 * 1024 * 1024 - len(picture)))

    asyncio.run(send())
    assert len(person.messages()) == 4
