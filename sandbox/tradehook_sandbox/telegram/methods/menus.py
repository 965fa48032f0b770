"""The bot's command menus. See: https://core.telegram.org/bots/api#setmycommands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tradehook_sandbox.telegram.commands import read_commands, read_scope

if TYPE_CHECKING:
    from tradehook_sandbox.telegram.bots import Bot
    from tradehook_sandbox.telegram.commands import Scope
    from tradehook_sandbox.telegram.methods.arguments import Arguments
    from tradehook_sandbox.telegram.shapes import Json
    from tradehook_sandbox.telegram.world import World


def set_my_commands(world: World, bot: Bot, arguments: Arguments) -> bool:
    """The menu of this scope and language is the given one. May be repeated.

    Raises:
        ApiError: a malformed scope, name or description.
    """
    scope, language = _which(arguments)
    bot.commands.set(scope, language, read_commands(arguments.json("commands", "commands")))
    world.changed()
    return True


def get_my_commands(_world: World, bot: Bot, arguments: Arguments) -> list[Json]:
    """The menu of exactly this scope and language, perhaps empty."""
    return bot.commands.get(*_which(arguments))


def delete_my_commands(world: World, bot: Bot, arguments: Arguments) -> bool:
    """There is no menu of this scope and language."""
    bot.commands.set(*_which(arguments), [])
    world.changed()
    return True


def _which(arguments: Arguments) -> tuple[Scope, str]:
    scope = read_scope(arguments.json("scope", "BotCommandScope"))
    return scope, arguments.text("language_code").strip().lower()
