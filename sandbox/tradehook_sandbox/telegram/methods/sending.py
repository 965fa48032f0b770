"""New messages, and the answer to a press. None of them may be repeated blindly: Telegram has no idempotency key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tradehook_sandbox.telegram.content.images import look_at
from tradehook_sandbox.telegram.content.keyboards import parse_markup
from tradehook_sandbox.telegram.content.texts import caption_text, message_text
from tradehook_sandbox.telegram.files import new_document
from tradehook_sandbox.telegram.groups import Group
from tradehook_sandbox.telegram.shapes import bad_request, read_integer

if TYPE_CHECKING:
    from tradehook_sandbox.telegram.bots import Bot
    from tradehook_sandbox.telegram.files import Document, Photo
    from tradehook_sandbox.telegram.messages import Message
    from tradehook_sandbox.telegram.methods.arguments import Arguments
    from tradehook_sandbox.telegram.shapes import ApiError, Json
    from tradehook_sandbox.telegram.world import World

ATTACHED = "attach://"
LONGEST_FILE_ID = 200


def send_message(world: World, bot: Bot, arguments: Arguments) -> Json:
    """A text message is in the chat. See: https://core.telegram.org/bots/api#sendmessage.

    Raises:
        ApiError: a limit, the markup, the keyboard, the chat.
    """
    content = message_text(
        arguments.text("text"),
        too_long="message is too long",
        parse_mode=arguments.text("parse_mode"),
        entities=arguments.text("entities"),
    )
    markup = parse_markup(arguments.text("reply_markup"))
    place = _place(world, bot, arguments)
    return world.post(bot, place.chat_id, content, markup=markup, reply_to=place.reply_to, thread=place.thread).as_api()


def send_photo(world: World, bot: Bot, arguments: Arguments) -> Json:
    """A photo is in the chat. See: https://core.telegram.org/bots/api#sendphoto.

    Raises:
        ApiError: a limit, the picture, the caption's markup, the keyboard, the chat.
    """
    caption = caption_text(
        arguments.text("caption"),
        parse_mode=arguments.text("parse_mode"),
        entities=arguments.text("caption_entities"),
    )
    markup = parse_markup(arguments.text("reply_markup"))
    place = _place(world, bot, arguments)  # before the upload: a picture for nobody is not worth storing
    photo = _photo(bot, arguments)
    return world.post(
        bot, place.chat_id, caption, markup=markup, photo=photo, reply_to=place.reply_to, thread=place.thread
    ).as_api()


def send_document(world: World, bot: Bot, arguments: Arguments) -> Json:
    """A file is in the chat. See: https://core.telegram.org/bots/api#senddocument.

    Raises:
        ApiError: a limit, the caption's markup, the keyboard, the chat.
    """
    caption = caption_text(
        arguments.text("caption"),
        parse_mode=arguments.text("parse_mode"),
        entities=arguments.text("caption_entities"),
    )
    markup = parse_markup(arguments.text("reply_markup"))
    place = _place(world, bot, arguments)  # before the upload: a file for nobody is not worth storing
    document = _document(bot, arguments)
    return world.post(
        bot, place.chat_id, caption, markup=markup, document=document, reply_to=place.reply_to, thread=place.thread
    ).as_api()


def _photo(bot: Bot, arguments: Arguments) -> Photo:
    named = arguments.text("photo").strip()
    content = arguments.files.get(_field(named, "photo"))
    if content is not None:
        return bot.store_photo(content, look_at(content))
    if named in bot.photos:
        return bot.photos[named]
    raise _no_file(named, "photo")


def _document(bot: Bot, arguments: Arguments) -> Document:
    named = arguments.text("document").strip()
    field = _field(named, "document")
    content = arguments.files.get(field)
    if content is not None:
        return bot.store_document(new_document(content, arguments.file_names.get(field, "")))
    if named in bot.documents:
        return bot.documents[named]
    raise _no_file(named, "document")


def _field(named: str, otherwise: str) -> str:
    """Which part of the body holds the file."""
    return named.removeprefix(ATTACHED) if named.startswith(ATTACHED) else otherwise


def _no_file(named: str, what: str) -> ApiError:
    if not named or named.startswith(ATTACHED):
        return bad_request(f"there is no {what} in the request")
    if "://" in named:
        # The sandbox reaches nothing outside the machine.
        return bad_request("failed to get HTTP URL content")
    if "." in named or len(named) > LONGEST_FILE_ID:
        return bad_request("wrong file identifier/HTTP URL specified")
    return bad_request("wrong remote file identifier specified: Wrong string length")


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a message goes."""

    chat_id: int
    reply_to: Message | None
    thread: int | None


def _place(world: World, bot: Bot, arguments: Arguments) -> _Place:
    """Where the bot may write; what answers a message goes where that one stands."""
    chat_id = arguments.chat_id()
    chat = world.chat(bot, chat_id)
    reply_to = _replied(bot, chat_id, arguments)
    number = arguments.number("message_thread_id")
    if isinstance(chat, Group):
        thread = chat.thread(bot, number)
        return _Place(chat_id, reply_to, thread if reply_to is None or thread is not None else reply_to.thread)
    if number:
        raise bad_request("message thread not found")
    return _Place(chat_id, reply_to, None)


def _replied(bot: Bot, chat_id: int, arguments: Arguments) -> Message | None:
    parameters = arguments.json("reply_parameters", "reply parameters")
    message_id, optional = arguments.number("reply_to_message_id"), arguments.truth("allow_sending_without_reply")
    if parameters is not None:
        if not isinstance(parameters, dict):
            raise bad_request("object expected as reply parameters")
        message_id = read_integer(str(parameters.get("message_id", "")))
        optional = parameters.get("allow_sending_without_reply") is True
    if not message_id:
        return None
    found = bot.messages.get(message_id)
    if found is not None and not found.deleted and found.chat.id == chat_id:
        return found
    if optional:
        return None
    raise bad_request("message to be replied not found")


def answer_callback_query(world: World, bot: Bot, arguments: Arguments) -> bool:
    """The press is answered. See: https://core.telegram.org/bots/api#answercallbackquery.

    Raises:
        ApiError: unknown, too old or answered already; the text is longer than 200 characters; the address is no
            t.me link.
    """
    url = arguments.text("url").strip()
    if url and not url.startswith(("https://t.me/", "http://t.me/", "t.me/", "tg://")):
        raise bad_request("URL_INVALID")
    answer = {
        "text": arguments.text("text"),
        "show_alert": arguments.truth("show_alert"),
        "url": url or None,
        "cache_time": arguments.within("cache_time", 0, 86400, 0),
    }
    world.answer(bot, arguments.text("callback_query_id").strip(), answer)
    return True
