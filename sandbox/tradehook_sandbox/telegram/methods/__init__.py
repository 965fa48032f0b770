"""The Bot API's methods: each takes the world, the bot and its arguments, and returns the `result`.

`METHODS` is the whole of what a bot can call, apart from getUpdates, which waits (`polling`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from tradehook_sandbox.telegram.bots import Bot
from tradehook_sandbox.telegram.methods import about, chats, editing, members, menus, sending
from tradehook_sandbox.telegram.methods.arguments import Arguments
from tradehook_sandbox.telegram.world import World

Method: TypeAlias = Callable[[World, Bot, Arguments], object]

# Telegram compares the names in lower case.
METHODS: Mapping[str, Method] = {
    "getme": about.get_me,
    "logout": about.log_out,
    "close": about.close,
    "setwebhook": about.set_webhook,
    "deletewebhook": about.delete_webhook,
    "getwebhookinfo": about.get_webhook_info,
    "setmycommands": menus.set_my_commands,
    "getmycommands": menus.get_my_commands,
    "deletemycommands": menus.delete_my_commands,
    "getchat": chats.get_chat,
    "getchatmember": members.get_chat_member,
    "getchatadministrators": members.get_chat_administrators,
    "getchatmembercount": members.get_chat_member_count,
    "leavechat": members.leave_chat,
    "sendchataction": chats.send_chat_action,
    "getfile": chats.get_file,
    "sendmessage": sending.send_message,
    "sendphoto": sending.send_photo,
    "senddocument": sending.send_document,
    "answercallbackquery": sending.answer_callback_query,
    "editmessagetext": editing.edit_message_text,
    "editmessagecaption": editing.edit_message_caption,
    "editmessagereplymarkup": editing.edit_message_reply_markup,
    "deletemessage": editing.delete_message,
}
