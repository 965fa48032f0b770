"""What a person does in a chat: say something, press a button, block the bot."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tradehook_sandbox.telegram.callbacks import Press
from tradehook_sandbox.telegram.content.entities import found_in, utf16_length
from tradehook_sandbox.telegram.content.texts import LONGEST_TEXT, cleaned
from tradehook_sandbox.telegram.groups import (
    CHANNEL_BOT,
    GROUP_ANONYMOUS_BOT,
    SUPERGROUPS_BEGIN,
    Group,
    Standing,
)
from tradehook_sandbox.telegram.messages import Message
from tradehook_sandbox.telegram.people import User, id_of
from tradehook_sandbox.telegram.shapes import PersonError

if TYPE_CHECKING:
    from datetime import datetime

    from tradehook_sandbox.telegram.bots import Bot
    from tradehook_sandbox.telegram.shapes import Json
    from tradehook_sandbox.telegram.world import World

NUMBERS = frozenset(map(str, range(1, 101)))  # a keyboard has at most a hundred buttons


@dataclass(frozen=True, slots=True)
class Saying:
    """What a person sends, with the circumstances a bot should not fall for.

    Args:
        text: 1 to 4096 characters.
        at: when it was sent; None is now. An old message is delivered all the same.
        edits: an earlier message of the person that this text replaces.
        edited: arrives as an edited message that the bot never saw before.
        forwarded_from: whom the person forwards.
        via_bot: the inline bot that wrote it for the person.
        reply_to: the message it answers.
        topic: the thread of a forum it goes to.
        is_anonymous: an administrator of a group writes as the group.
        as_channel: a person writes into a group under the name of this channel of theirs.
    """

    text: str
    at: datetime | None = None
    edits: int | None = None
    edited: bool = False
    forwarded_from: User | None = None
    via_bot: str | None = None
    reply_to: int | None = None
    topic: int | None = None
    is_anonymous: bool = False
    as_channel: str | None = None


def say(world: World, bot: Bot, person: User, saying: Saying, *, group: Group | None = None) -> Message:
    """The text is in the chat, and the bot has an update for it if it hears that. A private chat exists from now on.

    Raises:
        PersonError: the text is empty or too long, names a message or a topic that is not there, or the person is not
            in the group, or no administrator of it and yet anonymous.
    """
    saying = replace(saying, text=cleaned(saying.text).strip())
    if not saying.text:
        raise PersonError(400, "text is empty")
    if utf16_length(saying.text) > LONGEST_TEXT:
        raise PersonError(400, f"text is longer than {LONGEST_TEXT} characters")
    replied = None if saying.reply_to is None else _message(bot, saying.reply_to, person)
    if group is not None:
        _check_may_say(group, person, saying)
    elif saying.topic is not None or saying.is_anonymous or saying.as_channel is not None:
        raise PersonError(400, "topic, anonymous and as_channel are for groups; name one as chat")
    if saying.edits is not None:
        message = _edited(world, bot, person, saying, saying.edits)
    else:
        message = _said(world, bot, person, saying, replied, chat=group or person)
    if isinstance(message.chat, User):
        meet(world, bot, person)
    kind = "message" if message.edited_at is None else "edited_message"
    # The update is queued before watchers are called, so that a poll that wakes finds it.
    if isinstance(message.chat, User) or message.chat.hears(bot, message):
        bot.updates.add(kind, message.as_api(), world.now())
    world.tell("message" if kind == "message" or saying.edited else "edit", bot, message)
    return message


def meet(world: World, bot: Bot, person: User) -> None:
    """The private chat exists, under the person's present name, and is not blocked."""
    if person.id in bot.blocked_by:
        set_blocked(world, bot, person, blocked=False)
    bot.chats[person.id] = person


def _check_may_say(group: Group, person: User, saying: Saying) -> None:
    if person.id not in group.people:
        raise PersonError(409, f"{person.first_name} is not in {group.title!r}")
    if saying.topic is not None and saying.topic not in group.topics:
        topics = ", ".join(f"{number} {name!r}" for number, name in group.topics.items()) or "none"
        raise PersonError(404, f"{group.title!r} has no topic {saying.topic}; its topics: {topics}")
    if saying.is_anonymous and group.standing(person.id) is Standing.MEMBER:
        raise PersonError(
            409, f"{person.first_name} is no administrator of {group.title!r}; only those can be anonymous"
        )


def _said(
    world: World, bot: Bot, person: User, saying: Saying, replied: Message | None, *, chat: User | Group
) -> Message:
    at = saying.at or world.now()
    origin: Json = {}
    if saying.forwarded_from is not None:
        sender = saying.forwarded_from.as_user()
        origin["forward_origin"] = {"type": "user", "date": int(at.timestamp()), "sender_user": sender}
    if saying.via_bot is not None:
        name = saying.via_bot
        origin["via_bot"] = {"id": id_of(name), "is_bot": True, "first_name": name, "username": name}
    sender = person.as_user()
    if saying.is_anonymous:
        sender, origin["sender_chat"] = dict(GROUP_ANONYMOUS_BOT), chat.as_chat()
    elif saying.as_channel is not None:
        channel = {"id": -(SUPERGROUPS_BEGIN + id_of(saying.as_channel)), "type": "channel", "title": saying.as_channel}
        sender, origin["sender_chat"] = dict(CHANNEL_BOT), channel
    message = Message(
        id=bot.take_message_id(),
        chat=chat,
        sender=sender,
        author=person.id,
        from_bot=False,
        date=at,
        text=saying.text,
        entities=found_in(saying.text),
        reply_to=replied,
        thread=_thread(chat, saying, replied),
        origin=origin,
        edited_at=world.now() if saying.edited else None,
        edits=int(saying.edited),
    )
    bot.messages[message.id] = message
    return message


def _thread(chat: User | Group, saying: Saying, replied: Message | None) -> int | None:
    """A forum's topic; in other supergroups an answer has the number of what its thread of answers began with."""
    if isinstance(chat, User) or not chat.is_super:
        return None
    if saying.topic is not None or replied is None:
        return saying.topic
    return replied.thread if chat.is_forum else (replied.thread or replied.id)


def _edited(world: World, bot: Bot, person: User, saying: Saying, message_id: int) -> Message:
    message = _message(bot, message_id, person)
    if message.from_bot or message.service:
        raise PersonError(400, f"message {message_id} is the bot's; a person edits their own")
    if message.author not in (None, person.id):
        raise PersonError(400, f"message {message_id} is somebody else's; a person edits their own")
    message.text, message.entities = saying.text, found_in(saying.text)
    message.edited_at = world.now()
    message.edits += 1
    return message


def _message(bot: Bot, message_id: int, person: User | None) -> Message:
    message = bot.messages.get(message_id)
    if message is None or (person is not None and not _sees(person, message.chat)):
        raise PersonError(404, f"there is no message {message_id} in this chat with @{bot.username}")
    return message


def _sees(person: User, chat: User | Group) -> bool:
    return chat.id == person.id if isinstance(chat, User) else person.id in chat.people


def press(world: World, bot: Bot, message_id: int, button: str | int, *, person: User | None = None) -> Press:
    """The button is pressed, and the bot has a callback query.

    Args:
        world: where.
        bot: whose message it is.
        message_id: the message with the button.
        button: its text, its data, the beginning of its text where only one begins so, or its number from 1.
        person: who presses, checked against the chat where given; a group needs it.

    Raises:
        PersonError: no such message, or no such button on it as it stands now.
    """
    message = _message(bot, message_id, person)
    if message.deleted:
        raise PersonError(409, f"message {message_id} was deleted")
    found = _button(message, button)
    return _pressed(world, bot, message, found["data"], found["text"], by=person)


def forge(world: World, bot: Bot, message_id: int, data: str, *, person: User | None = None) -> Press:
    """The bot has a callback query with data of the caller's choice, as from a client that does not play fair.

    The message may never have had such a button, or may be deleted: a bot has to stand both.

    Raises:
        PersonError: no such message.
    """
    return _pressed(world, bot, _message(bot, message_id, person), data, None, by=person)


def _pressed(world: World, bot: Bot, message: Message, data: str, button: str | None, *, by: User | None) -> Press:
    by = by or (message.chat if isinstance(message.chat, User) else None)
    if by is None:
        raise PersonError(400, "say who presses, as user: the message stands in a group")
    pressed = Press(str(secrets.randbits(62) + 1), message, data, button, world.now(), by)
    bot.presses[pressed.id] = pressed
    bot.updates.add("callback_query", pressed.as_api(), world.now())
    details = {"press": pressed.as_transcript()}
    world.events.add("press", bot_id=bot.id, chat_id=message.chat.id, at=world.now(), details=details)
    world.changed()
    return pressed


def _button(message: Message, wanted: str | int) -> Json:
    buttons = message.buttons()
    pressable = [button for button in buttons if button["number"] is not None]
    if isinstance(wanted, str):
        for same in (
            [button for button in buttons if button["text"] == wanted],
            [button for button in pressable if button["data"] == wanted],
            [button for button in pressable if wanted and button["text"].startswith(wanted)],
        ):
            if len(same) == 1:
                return _that_sends(same[0])
    number = int(wanted) if isinstance(wanted, int) or wanted in NUMBERS else 0
    if 1 <= number <= len(pressable):
        return pressable[number - 1]
    names = ", ".join(f"{button['number']} {button['text']!r}" for button in pressable) or "none"
    raise PersonError(400, f"message {message.id} has no button {wanted!r}, or more than one; its buttons: {names}")


def _that_sends(button: Json) -> Json:
    if button["number"] is None:
        raise PersonError(
            400, f"the button {button['text']!r} opens or copies something; pressing it tells the bot nothing"
        )
    return button


def set_blocked(world: World, bot: Bot, person: User, *, blocked: bool) -> None:
    """The person has blocked or unblocked the bot, and the bot has an update that says so.

    Raises:
        PersonError: there is no chat yet.
    """
    if person.id not in bot.chats:
        raise PersonError(404, f"{person.first_name} has no chat with @{bot.username} yet")
    if blocked == (person.id in bot.blocked_by):
        return
    (bot.blocked_by.add if blocked else bot.blocked_by.discard)(person.id)
    member = {"user": bot.as_user(), "status": "member"}
    kicked = {"user": bot.as_user(), "status": "kicked", "until_date": 0}
    change = {
        "chat": person.as_chat(),
        "from": person.as_user(),
        "date": int(world.now().timestamp()),
        "old_chat_member": member if blocked else kicked,
        "new_chat_member": kicked if blocked else member,
    }
    bot.updates.add("my_chat_member", change, world.now())
    world.events.add(
        "blocked" if blocked else "unblocked", bot_id=bot.id, chat_id=person.id, at=world.now(), details={}
    )
    world.changed()
