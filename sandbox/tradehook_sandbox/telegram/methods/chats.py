"""Chats and files: who is there, what the bot is doing, what it stored."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tradehook_sandbox.telegram.people import User
from tradehook_sandbox.telegram.shapes import bad_request

if TYPE_CHECKING:
    from tradehook_sandbox.telegram.bots import Bot
    from tradehook_sandbox.telegram.methods.arguments import Arguments
    from tradehook_sandbox.telegram.shapes import Json
    from tradehook_sandbox.telegram.world import World

ACTIONS = frozenset({
    "cancel", "typing", "upload_photo", "record_video", "upload_video", "record_audio", "record_voice", "upload_audio",
    "upload_voice", "upload_document", "choose_sticker", "find_location", "pick_up_location", "record_video_note",
    "upload_video_note",
})  # fmt: skip


def get_chat(world: World, bot: Bot, arguments: Arguments) -> Json:
    """The chat's `ChatFullInfo`. See: https://core.telegram.org/bots/api#getchat."""
    chat = world.chat(bot, arguments.chat_id(), to_write=False)
    no_gifts = dict.fromkeys(
        ("unlimited_gifts", "limited_gifts", "unique_gifts", "premium_subscription", "gifts_from_channels"), False
    )
    return {
        **chat.as_chat(),
        **({"active_usernames": [chat.username]} if isinstance(chat, User) and chat.username else {}),
        "accent_color_id": chat.id % 7,
        "max_reaction_count": 11,
        "accepted_gift_types": no_gifts,
    }


def send_chat_action(world: World, bot: Bot, arguments: Arguments) -> bool:
    """The person sees that the bot is busy. See: https://core.telegram.org/bots/api#sendchataction."""
    action = arguments.text("action").strip().lower()
    if action not in ACTIONS:
        raise bad_request("wrong parameter action in request")
    world.act(bot, arguments.chat_id(), action)
    return True


def get_file(_world: World, bot: Bot, arguments: Arguments) -> Json:
    """Where the bot can load a file it sent. See: https://core.telegram.org/bots/api#getfile."""
    file = bot.file(arguments.text("file_id"))
    if file is None:
        raise bad_request("invalid file_id")
    return {
        "file_id": file.file_id,
        "file_unique_id": file.unique_id,
        "file_size": len(file.content),
        "file_path": file.path,
    }
