"""The command menus a bot sets: one for each scope and language.

See: https://core.telegram.org/bots/api#setmycommands
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tradehook_sandbox.telegram.shapes import bad_request

if TYPE_CHECKING:
    from tradehook_sandbox.telegram.shapes import Json

MOST_COMMANDS = 100
LONGEST_DESCRIPTION = 256
NAME = re.compile(r"[a-z0-9_]{1,32}")
PLAIN_SCOPES = frozenset({"default", "all_private_chats", "all_group_chats", "all_chat_administrators"})
CHAT_SCOPES = frozenset({"chat", "chat_administrators", "chat_member"})
Scope = tuple[str, int, int]


class CommandMenus:
    """What the person sees under the menu button."""

    def __init__(self) -> None:
        """No menu is set."""
        self._menus: dict[tuple[Scope, str], list[Json]] = {}

    def set(self, scope: Scope, language: str, commands: list[Json]) -> None:
        """The menu is the given one; an empty list removes it."""
        if commands:
            self._menus[scope, language] = commands
        else:
            self._menus.pop((scope, language), None)

    def get(self, scope: Scope, language: str) -> list[Json]:
        """The menu of exactly this scope and language."""
        return self._menus.get((scope, language), [])

    def shown_to(self, chat_id: int, language: str | None) -> list[Json]:
        """The menu a person sees in this chat: the narrowest scope wins, then their own language."""
        among = "all_private_chats" if chat_id >= 0 else "all_group_chats"
        for scope in (("chat", chat_id, 0), (among, 0, 0), ("default", 0, 0)):
            for code in (language or "", ""):
                if (scope, code) in self._menus:
                    return self._menus[scope, code]
        return []

    def everything(self) -> list[Json]:
        """Every menu with its scope and language."""
        return [
            {"scope": scope[0], "chat": scope[1] or None, "language_code": language, "commands": commands}
            for (scope, language), commands in self._menus.items()
        ]


def read_scope(value: object) -> Scope:
    """The scope; none given is the default one.

    Raises:
        ApiError: it is not a scope Telegram knows, or lacks its chat.
    """
    if value is None:
        return ("default", 0, 0)
    reason = "can't parse BotCommandScope: "
    if not isinstance(value, dict):
        raise bad_request(f"{reason}BotCommandScope must be an Object")
    kind = value.get("type")
    if kind in PLAIN_SCOPES:
        return (kind, 0, 0)
    if kind not in CHAT_SCOPES:
        raise bad_request(f"{reason}unsupported type specified")
    chat_id, user_id = value.get("chat_id"), value.get("user_id", 0)
    if isinstance(chat_id, str) and chat_id.lstrip("-").isdecimal():
        chat_id = int(chat_id[:20])
    if not isinstance(chat_id, int) or not isinstance(user_id, int):
        raise bad_request("chat not found")
    return (str(kind), chat_id, user_id)


def read_commands(value: object) -> list[Json]:
    """The commands of a menu.

    Raises:
        ApiError: not an array of commands, too many, a bad name, a description not of 1 to 256 characters.
    """
    if not isinstance(value, list):
        raise bad_request("can't parse commands: expected an Array of BotCommand")
    if len(value) > MOST_COMMANDS:
        raise bad_request("BOT_COMMANDS_TOO_MUCH")
    return [_command(command) for command in value]


def _command(command: Any) -> Json:
    reason = "can't parse BotCommand: "
    if not isinstance(command, dict):
        raise bad_request(f"{reason}BotCommand must be an Object")
    name, description = command.get("command"), command.get("description")
    if not isinstance(name, str) or not isinstance(description, str):
        raise bad_request(f'{reason}Field "command" and Field "description" must be of type String')
    if not NAME.fullmatch(name.removeprefix("/")):
        raise bad_request("BOT_COMMAND_INVALID")
    if not 1 <= len(description.strip()) <= LONGEST_DESCRIPTION:
        raise bad_request("BOT_COMMAND_DESCRIPTION_INVALID")
    return {"command": name.removeprefix("/"), "description": description.strip()}
