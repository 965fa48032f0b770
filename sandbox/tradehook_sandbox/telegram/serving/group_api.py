"""The person's door to groups: `/_sandbox/telegram/groups...`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.routing import Route

from tradehook_sandbox.telegram import gatherings
from tradehook_sandbox.telegram.groups import INSIDE, Standing
from tradehook_sandbox.telegram.readings import integer_in, person_in, text_in, truth_in
from tradehook_sandbox.telegram.serving.addressing import bot_meant
from tradehook_sandbox.telegram.serving.answering import answering, object_in
from tradehook_sandbox.telegram.shapes import PersonError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request
    from starlette.routing import BaseRoute

    from tradehook_sandbox.telegram.bots import Bot
    from tradehook_sandbox.telegram.groups import Group
    from tradehook_sandbox.telegram.people import User
    from tradehook_sandbox.telegram.shapes import Json
    from tradehook_sandbox.telegram.world import World

GROUPS = "/_sandbox/telegram/groups"
MOST_PEOPLE = 200


class GroupApi:
    """The handlers, one for each path; `routes` puts them on theirs. All but the list answer with the group."""

    def __init__(self, world: World) -> None:
        """The handlers work on this world."""
        self.world = world

    def routes(self) -> list[BaseRoute]:
        """The groups answer under the returned routes."""
        table: list[tuple[str, str, Callable[[Request], Awaitable[object]]]] = [
            ("GET", "", self.groups),
            ("POST", "", self.begin),
            ("POST", "/bot", self.set_bot),
            ("POST", "/people", self.join),
            ("POST", "/topics", self.open_topic),
            ("POST", "/migrate", self.migrate),
        ]
        return [Route(GROUPS + path, answering(handler), methods=[method]) for method, path, handler in table]

    async def groups(self, request: Request) -> object:
        """The groups of a bot, those that became supergroups too."""
        bot = bot_meant(self.world, request.query_params.get("token"))
        return {"groups": [group.as_json() for group in bot.groups.values()]}

    async def begin(self, request: Request) -> object:
        """The group exists, with `user` who founded it, `people`, and the bot as `bot` says (a member)."""
        body = await object_in(request)
        bot = bot_meant(self.world, body.get("token"))
        creator = person_in(body.get("user", "you"), bot)
        title, others = text_in(body, "title"), body.get("people", [])
        if title is None or not isinstance(others, list) or len(others) > MOST_PEOPLE:
            raise PersonError(400, f"a group has a title, and people: a list of at most {MOST_PEOPLE}")
        people = [person_in(person, bot) for person in others]
        standing = _standing(body, "bot", Standing.MEMBER)
        if standing not in gatherings.THE_BOTS:
            raise PersonError(400, f"the bot can be one of: {', '.join(sorted(gatherings.THE_BOTS))}")
        group = gatherings.begin(
            self.world,
            bot,
            creator,
            title,
            people=people,
            is_super=truth_in(body, "supergroup"),
            is_forum=truth_in(body, "forum"),
        )
        gatherings.set_bot(self.world, bot, group, creator, standing)
        return self._answer(group)

    async def set_bot(self, request: Request) -> object:
        """The bot is `status` in the group: member, administrator, left or kicked."""
        body = await object_in(request)
        bot, group, person = self._meant(body)
        gatherings.set_bot(self.world, bot, group, person, _standing(body, "status", Standing.MEMBER))
        return self._answer(group)

    async def join(self, request: Request) -> object:
        """`user` is `status` in the group: creator, administrator, member, left or kicked."""
        body = await object_in(request)
        bot, group, person = self._meant(body, is_inside=False)
        gatherings.join(self.world, bot, group, person, _standing(body, "status", Standing.MEMBER))
        return self._answer(group)

    async def open_topic(self, request: Request) -> object:
        """The forum has a topic `name`; answers with its `topic`, too."""
        body = await object_in(request)
        bot, group, person = self._meant(body)
        name = (text_in(body, "name", longest=128) or "").strip()
        if not name:
            raise PersonError(400, "name is missing: what the topic is called")
        topic = gatherings.open_topic(self.world, bot, group, person, name)
        return {"topic": topic, **self._answer(group)}

    async def migrate(self, request: Request) -> object:
        """The group is a supergroup, with a new id."""
        bot, group, person = self._meant(await object_in(request))
        return self._answer(gatherings.migrate(self.world, bot, group, person))

    def _meant(self, body: Json, *, is_inside: bool = True) -> tuple[Bot, Group, User]:
        bot = bot_meant(self.world, body.get("token"))
        chat = body.get("chat")
        group = gatherings.group_meant(bot, integer_in(body, "chat") if isinstance(chat, int) else chat)
        person = person_in(body.get("user", "you"), bot)
        if is_inside and person.id not in group.people:
            raise PersonError(409, f"{person.first_name} is not in {group.title!r}")
        return bot, group, person

    def _answer(self, group: Group) -> Json:
        return {"group": group.as_json(), "next": self.world.events.last}


def _standing(body: Json, name: str, otherwise: Standing) -> Standing:
    value = text_in(body, name, longest=32) or otherwise
    if value not in set(Standing):
        raise PersonError(400, f"{name} must be one of: {', '.join(sorted({*INSIDE, Standing.LEFT, Standing.KICKED}))}")
    return Standing(value)
