"""Changes to messages. Edits may be repeated: the second is `message is not modified`, and nothing else happens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tradehook_sandbox.telegram.content.keyboards import parse_markup
from tradehook_sandbox.telegram.content.texts import caption_text, message_text
from tradehook_sandbox.telegram.shapes import bad_request

if TYPE_CHECKING:
    from tradehook_sandbox.telegram.bots import Bot
    from tradehook_sandbox.telegram.messages import Message
    from tradehook_sandbox.telegram.methods.arguments import Arguments
    from tradehook_sandbox.telegram.shapes import Json
    from tradehook_sandbox.telegram.world import World


def edit_message_text(world: World, bot: Bot, arguments: Arguments) -> Json:
    """The message has the new text, and only the keyboard sent along.

    See: https://core.telegram.org/bots/api#editmessagetext.

    Raises:
        ApiError: a limit, the markup, no such message, not the bot's, a photo, or nothing would change.
    """
    content = message_text(
        arguments.text("text"),
        too_long="MESSAGE_TOO_LONG",
        parse_mode=arguments.text("parse_mode"),
        entities=arguments.text("entities"),
    )
    keyboard = parse_markup(arguments.text("reply_markup"), inline_only=True).inline
    message = _own(world, bot, arguments)
    if message.has_caption:
        raise bad_request("there is no text in the message to edit")
    return world.edit(bot, message, content=content, keyboard=keyboard).as_api()


def edit_message_caption(world: World, bot: Bot, arguments: Arguments) -> Json:
    """The photo or document has the new caption, and only the keyboard sent along.

    See: https://core.telegram.org/bots/api#editmessagecaption.

    Raises:
        ApiError: as for a text; or the message has no place for a caption.
    """
    content = caption_text(
        arguments.text("caption"),
        parse_mode=arguments.text("parse_mode"),
        entities=arguments.text("caption_entities"),
    )
    keyboard = parse_markup(arguments.text("reply_markup"), inline_only=True).inline
    message = _own(world, bot, arguments)
    if not message.has_caption:
        raise bad_request("there is no caption in the message to edit")
    return world.edit(bot, message, content=content, keyboard=keyboard).as_api()


def edit_message_reply_markup(world: World, bot: Bot, arguments: Arguments) -> Json:
    """The message has the given inline keyboard, or none.

    See: https://core.telegram.org/bots/api#editmessagereplymarkup.

    Raises:
        ApiError: no such message, not the bot's, a bad keyboard, or nothing would change.
    """
    keyboard = parse_markup(arguments.text("reply_markup"), inline_only=True).inline
    message = _own(world, bot, arguments)
    return world.edit(bot, message, keyboard=keyboard).as_api()


def delete_message(world: World, bot: Bot, arguments: Arguments) -> bool:
    """The message is gone. See: https://core.telegram.org/bots/api#deletemessage.

    Raises:
        ApiError: no such message, or older than 48 hours.
    """
    chat_id, message_id = arguments.chat_id(), arguments.message_id()
    world.delete(bot, world.message(bot, chat_id, message_id, "message to delete not found"))
    return True


def _own(world: World, bot: Bot, arguments: Arguments) -> Message:
    if arguments.text("inline_message_id"):
        raise bad_request("invalid inline message identifier specified")  # the stand-in has no inline mode
    return world.own_message(bot, arguments.chat_id(), arguments.message_id())
