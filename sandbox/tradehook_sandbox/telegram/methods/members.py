"""Who is in a group, and leaving it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tradehook_sandbox.telegram.groups import INSIDE, Group, Standing, as_member
from tradehook_sandbox.telegram.people import User
from tradehook_sandbox.telegram.shapes import ApiError, bad_request

if TYPE_CHECKING:
    from tradehook_sandbox.telegram.bots import Bot
    from tradehook_sandbox.telegram.methods.arguments import Arguments
    from tradehook_sandbox.telegram.shapes import Json
    from tradehook_sandbox.telegram.world import World


def get_chat_member(world: World, bot: Bot, arguments: Arguments) -> Json:
    """What somebody is in the chat. See: https://core.telegram.org/bots/api#getchatmember.

    Raises:
        ApiError: no such chat, or nobody of that id was ever there.
    """
    chat = world.chat(bot, arguments.chat_id(), to_write=False)
    user_id = arguments.number("user_id") or 0
    if user_id == bot.id:
        return as_member(bot.as_user(), chat.bot_is if isinstance(chat, Group) else Standing.MEMBER)
    if isinstance(chat, User):
        if user_id == chat.id:
            return as_member(chat.as_user(), Standing.MEMBER)
        raise bad_request("PARTICIPANT_ID_INVALID")
    person = chat.people.get(user_id) or bot.chats.get(user_id)
    if person is None:
        raise bad_request("PARTICIPANT_ID_INVALID")
    return as_member(person.as_user(), chat.standing(user_id))


def get_chat_administrators(world: World, bot: Bot, arguments: Arguments) -> list[Json]:
    """Who may change the group, without other bots. See: https://core.telegram.org/bots/api#getchatadministrators.

    Raises:
        ApiError: no such group.
    """
    chat = _group(world, bot, arguments, "there are no administrators in the private chat")
    found = [
        as_member(person.as_user(), chat.standing(person.id))
        for person in chat.people.values()
        if chat.standing(person.id) in {Standing.CREATOR, Standing.ADMINISTRATOR}
    ]
    return [*found, *([as_member(bot.as_user(), chat.bot_is)] if chat.bot_is is Standing.ADMINISTRATOR else [])]


def get_chat_member_count(world: World, bot: Bot, arguments: Arguments) -> int:
    """How many are in the chat, the bot too. See: https://core.telegram.org/bots/api#getchatmembercount."""
    chat = world.chat(bot, arguments.chat_id(), to_write=False)
    return len(chat.people) + (chat.bot_is in INSIDE) if isinstance(chat, Group) else 2


def leave_chat(world: World, bot: Bot, arguments: Arguments) -> bool:
    """The bot has left the group. See: https://core.telegram.org/bots/api#leavechat.

    Raises:
        ApiError: no such group, or the bot is not in it.
    """
    group = _group(world, bot, arguments, "chat member status can't be changed in private chats")
    if group.bot_is not in INSIDE:
        raise ApiError(403, f"Forbidden: bot is not a member of the {group.kind} chat")
    group.bot_is = Standing.LEFT
    world.events.add("left", bot_id=bot.id, chat_id=group.id, at=world.now(), details={})
    world.changed()
    return True


def _group(world: World, bot: Bot, arguments: Arguments, otherwise: str) -> Group:
    chat = world.chat(bot, arguments.chat_id(), to_write=False)
    if not isinstance(chat, Group):
        raise bad_request(otherwise)
    return chat
