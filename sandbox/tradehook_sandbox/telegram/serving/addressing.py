"""Which bot a person's request means."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tradehook_sandbox.telegram.bots import token_parts
from tradehook_sandbox.telegram.people import LARGEST_ID
from tradehook_sandbox.telegram.shapes import ApiError, PersonError, read_integer

if TYPE_CHECKING:
    from tradehook_sandbox.telegram.bots import Bot
    from tradehook_sandbox.telegram.world import World

OUR_USERNAME = re.compile(r"sandbox_([1-9]\d{0,15})_bot", re.ASCII)
NONE_YET = "no bot has connected yet: start one, or name it by its token or id, and the message will wait for it"


def bot_meant(world: World, name: object) -> Bot:
    """The bot named by token, id or username; without a name, the only one there is.

    An unknown token or id makes a bot that nobody has connected to yet: what is said to it waits.

    Raises:
        PersonError: nobody has that name, or there is none or more than one to choose from.
    """
    if name is None or name == "":
        return _only(world)
    if isinstance(name, int) and not isinstance(name, bool):
        return _numbered(world, name)
    if not isinstance(name, str):
        raise PersonError(400, "token must be a bot's token, id or username")
    number = read_integer(name)
    if number is not None:
        return _numbered(world, number)
    if ":" in name:
        return _of_token(world, name)
    username = name.removeprefix("@").lower()
    for bot in world.bots.values():
        if bot.username.lower() == username:
            return bot
    ours = OUR_USERNAME.fullmatch(username)
    if ours is None:
        known = ", ".join(f"@{bot.username}" for bot in world.bots.values()) or "none"
        raise PersonError(404, f"there is no bot of that name; known: {known}")
    return _numbered(world, int(ours[1]))


def _only(world: World) -> Bot:
    if not world.bots:
        raise PersonError(409, NONE_YET)
    if len(world.bots) > 1:
        names = ", ".join(f"@{bot.username}" for bot in world.bots.values())
        raise PersonError(400, f"there is more than one bot, name one as token: {names}")
    return next(iter(world.bots.values()))


def _numbered(world: World, number: int) -> Bot:
    if not 1 <= number <= LARGEST_ID:
        raise PersonError(400, "a bot's id is a positive number")
    return world.add_bot(number)


def _of_token(world: World, token: str) -> Bot:
    try:
        bot_id, _ = token_parts(token)
    except ApiError:
        raise PersonError(
            400, "that is no bot token: digits, a colon, then 30 or more letters, digits, _ or -"
        ) from None
    bot = world.add_bot(bot_id)
    if bot.token not in (None, token):
        raise PersonError(400, f"bot {bot_id} connected with another token")
    return bot
