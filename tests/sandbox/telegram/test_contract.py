"""Every method's result parses with python-telegram-bot's classes, whole; every limit is PTB's BadRequest."""

from __future__ import annotations

import asyncio

import pytest
from telegram import (
    BotCommand,
    BotCommandScopeAllPrivateChats,
    CallbackQuery,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    MaybeInaccessibleMessage,
    Message,
    ReplyKeyboardMarkup,
    ReplyParameters,
    TelegramObject,
)  # fmt: skip
from telegram.error import BadRequest

from tradehook_sandbox.telegram.methods import METHODS

CARD = InlineKeyboardMarkup(
    [[InlineKeyboardButton("Buy", callback_data="c:1"), InlineKeyboardButton("Docs", url="https://e.org")]]
)


def unknown_fields(value: object) -> dict[str, object]:
    """What the stand-in sent and Telegram would not: PTB keeps such fields aside."""
    if isinstance(value, list | tuple):
        return {key: field for item in value for key, field in unknown_fields(item).items()}
    if not isinstance(value, TelegramObject):
        return {}
    found = dict(value.api_kwargs)
    for name in value.__slots__ if hasattr(type(value), "__slots__") else ():
        found |= unknown_fields(getattr(value, name, None)) if not name.startswith("_") else {}
    return found


def test_every_result_parses(connected, person, sandbox, token, picture):
    """Each method is called as PTB calls it, and nothing in its result is unknown to PTB or missing for it."""
    chat = person.say("/start CODE").chat
    called: set[str] = set()

    async def call_everything() -> list[object]:
        async with connected(sandbox.url, token) as bot:
            post = bot.request.post

            async def remember(url: str, *arguments: object, **options: object) -> object:
                called.add(url.rsplit("/", 1)[1].lower())
                return await post(url, *arguments, **options)

            bot.request.post = remember
            scope = BotCommandScopeAllPrivateChats()
            asked = await bot.send_message(chat, "Hello /start https://e.org", reply_markup=CARD)
            reply = await bot.send_message(
                chat, "<a href='https://e.org'>r</a>", "HTML", reply_parameters=ReplyParameters(asked.message_id)
            )
            photo = await bot.send_photo(chat, picture, caption="<i>c</i>", parse_mode="HTML", reply_markup=CARD)
            group = await asyncio.to_thread(person.group, "Desk", forum=True)
            topic = await asyncio.to_thread(group.topic, "Trades")
            there = await bot.send_message(group.id, "Hello, desk", message_thread_id=topic)
            file = await bot.send_document(chat, b"a,b", filename="day.csv", caption="<b>d</b>", parse_mode="HTML")
            await asyncio.to_thread(person.tap, "Buy", asked.message_id)
            await asyncio.to_thread(person.forge, "c:9", asked.message_id)
            await asyncio.to_thread(person.remote.post, "/block", user="Ann", token=token)
            await asyncio.to_thread(person.say, "changed", edits=asked.message_id - 1)
            updates = await bot.get_updates()
            results = [
                await bot.get_me(), asked, reply, photo, updates, file,
                await bot.answer_callback_query(updates[4].callback_query.id, "Working", show_alert=True),
                await bot.edit_message_text("Done", chat, asked.message_id, reply_markup=CARD),
                await bot.edit_message_reply_markup(chat, asked.message_id),
                await bot.edit_message_caption(chat, photo.message_id, caption="other"),
                await bot.set_my_commands([BotCommand("buy", "Buy something")], scope=scope, language_code="de"),
                await bot.get_my_commands(scope=scope, language_code="de"),
                await bot.delete_my_commands(scope=scope, language_code="de"),
                await bot.get_chat(chat),
                there,
                await bot.get_chat(group.id),
                await bot.get_chat_member(group.id, chat),
                await bot.get_chat_member_count(group.id),
                await bot.get_chat_administrators(group.id),
                await bot.leave_chat(group.id),
                await bot.send_chat_action(chat, "typing"),
                await bot.get_file(photo.photo[0].file_id),
                await bot.get_webhook_info(),
                await bot.set_webhook(""),
                await bot.delete_message(chat, asked.message_id),
                await bot.delete_webhook(drop_pending_updates=True),
                await bot.get_updates(),
                await bot.close(),
                await bot.log_out(),
            ]  # fmt: skip
            called.add("getupdates")
            return results

    results = asyncio.run(call_everything())
    assert unknown_fields(results) == {}
    assert called >= set(METHODS)
    me, asked, reply, photo, updates = results[:5]
    assert (me.username, me.is_bot) == (f"sandbox_{token.split(':')[0]}_bot", True)
    assert asked.parse_entities() != {}
    assert [entity.type for entity in asked.entities] == ["bot_command", "url"]
    assert reply.reply_to_message.message_id == asked.message_id
    assert (photo.caption, photo.caption_entities[0].type) == ("c", "italic")
    kinds = [next(name for name in update.to_dict() if name != "update_id") for update in updates]
    assert kinds == [
        "message",
        "my_chat_member",
        "message",
        "message",
        "callback_query",
        "callback_query",
        "my_chat_member",
        "my_chat_member",
        "edited_message",
    ]
    assert isinstance(updates[4].callback_query, CallbackQuery)
    assert isinstance(updates[4].callback_query.message, Message)
    assert updates[0].message.text == "/start CODE"
    assert results[-3] == ()


def test_a_press_on_a_deleted_message_is_inaccessible(connected, person, sandbox, token):
    """PTB sees that the message is there no more."""
    chat = person.say("hello").chat

    async def press() -> MaybeInaccessibleMessage:
        async with connected(sandbox.url, token) as bot:
            message = await bot.send_message(chat, "Shall I?", reply_markup=CARD)
            await message.delete()
            await asyncio.to_thread(person.forge, "c:1", message.message_id)
            return (await bot.get_updates())[-1].callback_query.message

    assert not asyncio.run(press()).is_accessible


def button(**options: object) -> InlineKeyboardMarkup:
    """One button."""
    return InlineKeyboardMarkup([[InlineKeyboardButton("x", **options)]])


LIMITS = [
    (lambda bot, chat, _: bot.send_message(chat, ""), "Message text is empty"),
    (lambda bot, chat, _: bot.send_message(chat, "x" * 4097), "Message is too long"),
    (lambda bot, chat, _: bot.send_message(chat, "<b>x", "HTML"), "Can't parse entities: can't find end tag"),
    (lambda bot, chat, _: bot.send_message(chat, "a < b", "HTML"), "Can't parse entities: unsupported start tag"),
    (lambda bot, _chat, _: bot.send_message(1, "x"), "Chat not found"),
    (lambda bot, _chat, _: bot.send_message("@channel", "x"), "Chat not found"),
    (lambda bot, chat, _: bot.send_message(chat, "x", reply_markup=button(callback_data="x" * 65)),
     "Button_data_invalid"),
    (lambda bot, chat, _: bot.send_message(chat, "x", reply_markup=button(url="nowhere")),
     "Inline keyboard button URL"),
    (lambda bot, chat, _: bot.send_message(chat, "x", reply_parameters=ReplyParameters(1)),
     "Message to be replied not found"),
    (lambda bot, chat, own: bot.edit_message_text("x", chat, own), "Message is not modified"),
    (lambda bot, chat, own: bot.edit_message_text("y" * 4097, chat, own), "Message_too_long"),
    (lambda bot, chat, _: bot.edit_message_text("y", chat, 1), "Message to edit not found"),
    (lambda bot, chat, own: bot.edit_message_text("y", chat, own - 1), "Message can't be edited"),
    (lambda bot, chat, own: bot.edit_message_caption(chat, own, caption="y"), "There is no caption in the message"),
    (lambda bot, chat, own: bot.edit_message_reply_markup(chat, own), "Message is not modified"),
    (lambda bot, chat, own: bot.edit_message_reply_markup(chat, own, reply_markup=ReplyKeyboardMarkup([["a"]])),
     "Inline keyboard expected"),
    (lambda bot, chat, _: bot.delete_message(chat, 1), "Message to delete not found"),
    (lambda bot, chat, _: bot.send_photo(chat, b"x" * 100), "Image_process_failed"),
    (lambda bot, chat, _: bot.send_photo(chat, "AgACxyz"), "Wrong remote file identifier specified"),
    (lambda bot, chat, _: bot.send_photo(chat, "https://e.org/a.png"), "Failed to get HTTP URL content"),
    (lambda bot, _chat, _: bot.answer_callback_query("1"), "Query is too old and response timeout expired"),
    (lambda bot, chat, _: bot.send_chat_action(chat, "dancing"), "Wrong parameter action in request"),
    (lambda bot, _chat, _: bot.set_my_commands([BotCommand("Buy", "x")]), "Bot_command_invalid"),
    (lambda bot, _chat, _: bot.get_file("x"), "Invalid file_id"),
    (lambda bot, _chat, _: bot.set_webhook("https://e.org/"), "Bad webhook"),
]  # fmt: skip


def test_every_limit_is_bad_request_in_telegrams_words(connected, person, sandbox, token):
    """PTB turns each of them into BadRequest, with Telegram's text as PTB capitalises it."""
    chat = person.say("hello").chat

    async def refusals() -> list[str]:
        async with connected(sandbox.url, token) as bot:
            own = (await bot.send_message(chat, "x")).message_id
            found = []
            for call, _ in LIMITS:
                with pytest.raises(BadRequest) as refusal:
                    await call(bot, chat, own)
                found.append(str(refusal.value))
            return found

    for words, (_, expected) in zip(asyncio.run(refusals()), LIMITS, strict=True):
        assert words.lower().startswith(expected.lower())


def test_the_longest_of_everything_is_taken(connected, person, sandbox, token, picture):
    """What is just within a limit passes it."""
    chat = person.say("hello").chat

    async def send() -> None:
        async with connected(sandbox.url, token) as bot:
            assert len((await bot.send_message(chat, "x" * 4096)).text) == 4096
            await bot.send_message(chat, "x", reply_markup=button(callback_data="x" * 64))
            await bot.send_photo(chat, picture, caption="x" * 1024)
            with pytest.raises(BadRequest, match="Message caption is too long"):
                await bot.send_photo(chat, picture, caption="x" * 1025)
            await asyncio.to_thread(person.tap, 1)
            query = (await bot.get_updates())[-1].callback_query
            with pytest.raises(BadRequest, match="Message_too_long"):
                await query.answer("x" * 201)
            assert await query.answer("x" * 200)
            with pytest.raises(BadRequest, match="Query is too old"):
                await query.answer("again")

    asyncio.run(send())
