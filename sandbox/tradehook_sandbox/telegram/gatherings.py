"""What people do with a group: begin it, come and go, let the bot in and out, open topics, let it grow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tradehook_sandbox.telegram.groups import INSIDE, Group, Standing, as_member, group_id
from tradehook_sandbox.telegram.messages import Message
from tradehook_sandbox.telegram.shapes import PersonError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tradehook_sandbox.telegram.bots import Bot
    from tradehook_sandbox.telegram.people import User
    from tradehook_sandbox.telegram.shapes import Json
    from tradehook_sandbox.telegram.world import World

LONGEST_TITLE = 128
THE_BOTS = frozenset({Standing.ADMINISTRATOR, Standing.MEMBER, Standing.LEFT, Standing.KICKED})


def begin(
    world: World,
    bot: Bot,
    creator: User,
    title: str,
    *,
    people: Iterable[User] = (),
    is_super: bool = False,
    is_forum: bool = False,
) -> Group:
    """There is a group with these people in it, and without the bot.

    Raises:
        PersonError: the title is no title, or there is such a group.
    """
    title = title.strip()
    if not 1 <= len(title) <= LONGEST_TITLE or not title.isprintable():
        raise PersonError(400, f"a group's title has 1 to {LONGEST_TITLE} printable characters")
    is_super = is_super or is_forum
    number = group_id(bot.id, title, is_super=is_super)
    if number in bot.groups:
        raise PersonError(409, f"there is a group {title!r} already; its id is {number}")
    group = bot.groups[number] = Group(number, title, is_super=is_super, is_forum=is_forum)
    group.people = {person.id: person for person in (creator, *people)}
    group.standings = dict.fromkeys(group.people, Standing.MEMBER) | {creator.id: Standing.CREATOR}
    world.changed()
    return group


def group_meant(bot: Bot, wanted: object) -> Group:
    """The group of this id or title.

    Raises:
        PersonError: there is none, or it became another.
    """
    group = bot.groups.get(wanted) if isinstance(wanted, int) else None
    if isinstance(wanted, str):
        named = [one for one in bot.groups.values() if one.title == wanted or str(one.id) == wanted]
        group = next((one for one in named if one.migrated_to is None), named[0] if named else None)
    if group is None:
        known = ", ".join(f"{one.title!r} ({one.id})" for one in bot.groups.values()) or "none"
        raise PersonError(404, f"there is no group {wanted!r} of @{bot.username}; known: {known}")
    if group.migrated_to is not None:
        raise PersonError(409, f"{group.title!r} became a supergroup; its id is {group.migrated_to} now")
    return group


def set_bot(world: World, bot: Bot, group: Group, by: User, standing: Standing) -> None:
    """The bot is this in the group, and has an update that says so.

    Raises:
        PersonError: a bot cannot be that.
    """
    if standing not in THE_BOTS:
        raise PersonError(400, f"the bot can be one of: {', '.join(sorted(THE_BOTS))}")
    before, group.bot_is = group.bot_is, standing
    if before is standing:
        return
    me = bot.as_user()
    change = {
        "chat": group.as_chat(),
        "from": by.as_user(),
        "date": int(world.now().timestamp()),
        "old_chat_member": as_member(me, before),
        "new_chat_member": as_member(me, standing),
    }
    bot.updates.add("my_chat_member", change, world.now())
    if before not in INSIDE and standing in INSIDE:
        _announce(world, bot, group, by, {"new_chat_members": [me]}, words=f"{by.first_name} added {bot.first_name}")
    elif before in INSIDE and standing not in INSIDE:
        _announce(world, bot, group, by, {"left_chat_member": me}, words=f"{bot.first_name} is gone")


def join(world: World, bot: Bot, group: Group, person: User, standing: Standing = Standing.MEMBER) -> None:
    """The person is in the group as this, or in it no more."""
    was_inside = person.id in group.people
    group.standings[person.id] = standing
    if standing in INSIDE:
        group.people[person.id] = person
        if not was_inside:
            _announce(
                world, bot, group, person, {"new_chat_members": [person.as_user()]}, words=f"{person.first_name} joined"
            )
    elif was_inside:
        del group.people[person.id]
        _announce(world, bot, group, person, {"left_chat_member": person.as_user()}, words=f"{person.first_name} left")


def open_topic(world: World, bot: Bot, group: Group, by: User, name: str) -> int:
    """The forum has a topic of this name; returns its thread.

    Raises:
        PersonError: the group is no forum.
    """
    if not group.is_forum:
        raise PersonError(409, f"{group.title!r} has no topics; found it with forum")
    number = bot.next_message_id  # the message that opens it gives it its number
    group.topics[number] = name
    service = {"forum_topic_created": {"name": name, "icon_color": 7322096}}
    _announce(world, bot, group, by, service, words=f"topic {name}", thread=number)
    return number


def migrate(world: World, bot: Bot, group: Group, by: User) -> Group:
    """The group is a supergroup with another id; who writes to the old id is told the new one.

    Raises:
        PersonError: it is a supergroup already.
    """
    if group.is_super:
        raise PersonError(409, f"{group.title!r} is a supergroup already")
    new = Group(group_id(bot.id, group.title, is_super=True), group.title, is_super=True)
    new.people, new.standings, new.bot_is = dict(group.people), dict(group.standings), group.bot_is
    bot.groups[new.id] = new
    _announce(world, bot, group, by, {"migrate_to_chat_id": new.id}, words="became a supergroup")
    group.migrated_to = new.id
    _announce(world, bot, new, by, {"migrate_from_chat_id": group.id}, words="was a group")
    return new


def _announce(
    world: World, bot: Bot, group: Group, by: User, service: Json, *, words: str, thread: int | None = None
) -> None:
    """The group itself says what happened; `words` are for the person's side."""
    message = Message(
        id=bot.take_message_id(),
        chat=group,
        sender=by.as_user(),
        from_bot=False,
        date=world.now(),
        text=words,
        service=service,
        thread=thread,
    )
    bot.messages[message.id] = message
    if group.hears(bot, message):
        bot.updates.add("message", message.as_api(), world.now())
    world.tell("message", bot, message)
