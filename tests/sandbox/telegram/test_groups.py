"""Groups, supergroups and topics: what python-telegram-bot reads of them, and what it is refused, over a real socket."""

from __future__ import annotations

import asyncio

import pytest
from telegram import InlineKeyboardButton, InlineKeyboardMarkup
from telegram.error import BadRequest, ChatMigrated, Forbidden
from telegram.ext import CallbackQueryHandler, ChatMemberHandler, CommandHandler, MessageHandler, filters

from tradehook_sandbox.telegram.driver import NeverCame, Person

CARD = InlineKeyboardMarkup([[InlineKeyboardButton("Confirm", callback_data="c:1")]])


@pytest.fixture
def bob(sandbox, token) -> Person:
    """Somebody else in the group."""
    return Person(sandbox.url, user="Bob", token=token)


async def ask(update, _context):
    """Asks where it was asked."""
    message = update.effective_message
    await message.reply_text(f"{message.text}?", reply_markup=CARD, do_quote=False)


async def who(update, _context):
    """Says who pressed."""
    await update.callback_query.answer(update.effective_user.first_name)
    await update.callback_query.edit_message_text(f"confirmed by {update.effective_user.first_name}")


async def seen(connected, sandbox, token):
    """The updates that wait for the bot."""
    async with connected(sandbox.url, token) as bot:
        return await bot.get_updates()


def test_people_trade_in_a_topic(run_bot, person, bob):
    """A command in a topic is answered there, whoever presses is named, and everybody in the group sees it."""
    run_bot(CommandHandler("buy", ask), CallbackQueryHandler(who))
    group = person.group("Desk", people=[bob], forum=True)
    trades = group.topic("Trades")
    said = person.say("/buy BTC", chat=group, topic=trades)
    card = bob.wait_for("/buy BTC?", since=0)
    assert (said.chat, said.thread, card.chat, card.thread) == (group.id, trades, group.id, trades)
    bob.tap("Confirm", card)
    assert bob.wait_for_answer() == "Bob"
    assert person.wait_for("confirmed by Bob", chat=group).id == card.id
    assert person.messages() == []
    general = person.say("/buy ETH", chat=group)
    assert person.wait_for("/buy ETH?").thread is general.thread is None
    assert [message.name for message in group.messages()][:2] == ["Ann", card.name]


def test_who_is_not_in_the_group_neither_speaks_nor_presses_nor_hears(run_bot, person, bob):
    """A stranger's telephone does not have the group."""
    run_bot(CommandHandler("buy", ask))
    group = person.group("Desk")
    person.say("/buy BTC", chat=group)
    card = person.wait_for("?")
    with pytest.raises(Exception, match="Bob is not in 'Desk'"):
        bob.say("/buy BTC", chat=group)
    with pytest.raises(Exception, match="there is no message"):
        bob.tap("Confirm", card)
    with pytest.raises(NeverCame):
        bob.wait_for("?", since=0, timeout_seconds=0.01)
    group.add(bob)
    bob.tap("Confirm", card)
    group.remove(bob)
    with pytest.raises(Exception, match="there is no message"):
        bob.tap("Confirm", card)


def test_privacy_mode(connected, person, sandbox, token):
    """A member hears commands without a name or with its own, and answers to it; an administrator hears everything."""
    group = person.group("Desk", supergroup=True)
    me = f"sandbox_{token.partition(':')[0]}_bot"
    for text in ("hello", "/buy", f"/buy@{me.upper()} BTC", "/buy@other_bot BTC", f"@{me} hello"):
        person.say(text, chat=group)
    group.set_bot("administrator")
    person.say("now you hear me", chat=group)
    texts = [update.message.text for update in asyncio.run(seen(connected, sandbox, token)) if update.message]
    assert texts == [None, "/buy", f"/buy@{me.upper()} BTC", "now you hear me"]


def test_an_answer_in_a_supergroup_has_a_thread_that_is_no_topic(connected, person, sandbox, token):
    """The trap for bots that tell topics by message_thread_id alone."""
    group = person.group("Desk", supergroup=True)
    first = person.say("/buy", chat=group)
    person.say("/sell", chat=group, reply_to=first.id)
    message = asyncio.run(seen(connected, sandbox, token))[-1].message
    assert (message.message_thread_id, message.is_topic_message) == (first.id, None)

    async def send() -> int:
        async with connected(sandbox.url, token) as bot:
            return (await bot.send_message(group.id, "there", message_thread_id=first.id)).message_thread_id

    assert asyncio.run(send()) == first.id


def test_hidden_senders(connected, person, bob, sandbox, token):
    """An anonymous administrator and a channel are Telegram's own accounts, with the chat they speak for."""
    group = person.group("Desk", people=[bob], supergroup=True)
    with pytest.raises(Exception, match="Bob is no administrator of 'Desk'"):
        bob.say("/freeze", chat=group, anonymous=True)
    group.promote(bob)
    bob.say("/freeze", chat=group, anonymous=True)
    bob.say("/freeze", chat=group, as_channel="News")
    anonymous, channel = [update.message for update in asyncio.run(seen(connected, sandbox, token))[-2:]]
    assert (anonymous.from_user.username, anonymous.from_user.is_bot) == ("GroupAnonymousBot", True)
    assert anonymous.sender_chat.id == group.id
    assert (channel.from_user.username, channel.sender_chat.type) == ("Channel_Bot", "channel")


def test_forwarded_via_bot_and_edited_in_a_group(connected, person, bob, sandbox, token):
    """As in a private chat; nobody edits what somebody else wrote."""
    group = person.group("Desk", people=[bob])
    said = person.say("/buy BTC 1", chat=group, forwarded_from="Bob", via_bot="some_bot")
    person.say("/buy BTC 2", chat=group, edits=said.id)
    with pytest.raises(Exception, match="somebody else's"):
        bob.say("/buy BTC 3", chat=group, edits=said.id)
    first, second = asyncio.run(seen(connected, sandbox, token))[-2:]
    assert first.message.forward_origin.sender_user.first_name == "Bob"
    assert first.message.via_bot.username == "some_bot"
    assert (second.edited_message.text, second.edited_message.message_id) == ("/buy BTC 2", said.id)


def test_a_group_that_becomes_a_supergroup(connected, person, sandbox, token):
    """The old id is refused with the new one, which PTB raises as ChatMigrated; both chats say what happened."""
    group = person.group("Desk")
    old = group.id
    new = group.migrate()
    assert new < -1_000_000_000_000 < old < 0

    async def send() -> list:
        async with connected(sandbox.url, token) as bot:
            with pytest.raises(ChatMigrated) as migrated:
                await bot.send_message(old, "hello")
            assert migrated.value.new_chat_id == new
            await bot.send_message(migrated.value.new_chat_id, "hello")
            return [update.message for update in await bot.get_updates() if update.message]

    *_, there, here = asyncio.run(send())
    assert (there.chat.id, there.migrate_to_chat_id) == (old, new)
    assert (here.chat.id, here.migrate_from_chat_id) == (new, old)
    assert [message.text for message in group.messages()] == ["hello"]
    with pytest.raises(Exception, match=f"its id is {new} now"):
        person.say("hello?", chat=old)


def test_a_bot_that_is_thrown_out(run_bot, person):
    """It is told, cannot write any more, and hears nothing until it is let in again."""
    told: list[tuple[str, str]] = []

    async def moved(update, _context):
        change = update.my_chat_member
        told.append((change.old_chat_member.status, change.new_chat_member.status))

    running = run_bot(
        ChatMemberHandler(moved, ChatMemberHandler.MY_CHAT_MEMBER), MessageHandler(filters.Regex("^/"), ask)
    )
    group = person.group("Desk", supergroup=True)
    group.set_bot("kicked")
    person.say("/lost", chat=group)
    group.set_bot("administrator")
    person.say("/found", chat=group)
    person.wait_for("/found?")
    assert told == [("left", "member"), ("member", "kicked"), ("kicked", "administrator")]
    assert not any("lost?" in message.text for message in group.messages())
    assert running.errors == []


def test_what_a_bot_may_not_do_in_groups(connected, person, sandbox, token):
    """In Telegram's words, as PTB's exceptions."""
    group = person.group("Desk", forum=True)
    said = person.say("/buy", chat=group)
    attempts = [
        (lambda bot: bot.send_message(group.id, "x", message_thread_id=1), BadRequest, "Message thread not found"),
        (lambda bot: bot.send_message(group.id, "x", message_thread_id=said.id), BadRequest, "thread not found"),
        (lambda bot: bot.delete_message(group.id, said.id), BadRequest, "Message can't be deleted"),
        (lambda bot: bot.get_chat_member(group.id, 5), BadRequest, "Participant_id_invalid"),
        (lambda bot: bot.send_message(-4000, "x"), BadRequest, "Chat not found"),
    ]
    out = [
        ("left", "Forbidden: bot is not a member of the supergroup chat"),
        ("kicked", "Forbidden: bot was kicked from the supergroup chat"),
    ]

    async def attempt() -> None:
        async with connected(sandbox.url, token) as bot:
            for call, error, words in attempts:
                with pytest.raises(error, match=words):
                    await call(bot)
            await asyncio.to_thread(group.set_bot, "administrator")
            await bot.delete_message(group.id, said.id)
            for status, words in out:
                await asyncio.to_thread(group.set_bot, status)
                with pytest.raises(Forbidden, match=words):
                    await bot.send_message(group.id, "x")

    asyncio.run(attempt())


@pytest.mark.parametrize(
    ("path", "body", "reason"),
    [
        ("/groups", {}, "a group has a title"),
        ("/groups", {"title": "a\nb"}, "printable characters"),
        ("/groups", {"title": "x", "people": [{}]}, "user must have an id or a name"),
        ("/groups", {"title": "x", "bot": "creator"}, "the bot can be one of"),
        ("/groups/bot", {"chat": "nowhere"}, "there is no group 'nowhere'"),
        ("/groups/people", {"chat": "Desk", "status": "king"}, "status must be one of"),
        ("/groups/topics", {"chat": "Desk", "name": "x"}, "has no topics"),
        ("/groups/topics", {"chat": "Desk"}, "name is missing"),
        ("/groups/migrate", {"chat": "Desk", "user": "Bob"}, "Bob is not in 'Desk'"),
        ("/say", {"chat": "Desk", "text": "x", "topic": 5}, "has no topic 5"),
        ("/say", {"text": "x", "topic": 5}, "are for groups"),
    ],
)
def test_what_is_said_wrong_about_groups_is_explained(person, path, body, reason):
    """One sentence, and never a failure of the server's own."""
    person.group("Desk")
    with pytest.raises(Exception, match=reason):
        person.remote.post(path, **{"token": person.token, "user": "Ann", **body})


def test_the_same_group_twice(person):
    """Its id follows from its title, so an allow-list holds it after a restart, and there is only one of it."""
    group = person.group("Desk")
    with pytest.raises(Exception, match=f"its id is {group.id}"):
        person.group(" desk ")
