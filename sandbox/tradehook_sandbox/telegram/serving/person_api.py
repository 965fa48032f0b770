"""The person's door: `/_sandbox/telegram/...`, for the chat client, the driver, tests and demos.

It is not part of Telegram. Errors are `{"error": "a sentence"}` with 400, 404 or 409.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from starlette.responses import Response
from starlette.routing import Route

from tradehook_sandbox.telegram import persons
from tradehook_sandbox.telegram.gatherings import group_meant
from tradehook_sandbox.telegram.people import User, id_of
from tradehook_sandbox.telegram.readings import (
    integer_in,
    moment_in,
    number_in,
    person_in,
    text_in,
    truth_in,
)  # fmt: skip
from tradehook_sandbox.telegram.serving.addressing import bot_meant
from tradehook_sandbox.telegram.serving.answering import answering, object_in
from tradehook_sandbox.telegram.serving.waiting import until
from tradehook_sandbox.telegram.shapes import PersonError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request
    from starlette.routing import BaseRoute

    from tradehook_sandbox.telegram.bots import Bot
    from tradehook_sandbox.telegram.shapes import Json
    from tradehook_sandbox.telegram.world import World

PREFIX = "/_sandbox/telegram"
LONGEST_POLL = 50.0


class PersonApi:
    """The handlers, one for each path; `routes` puts them on theirs."""

    def __init__(self, world: World) -> None:
        """The handlers work on this world."""
        self.world = world

    def routes(self) -> list[BaseRoute]:
        """The person's side answers under the returned routes."""
        table: list[tuple[str, str, Callable[[Request], Awaitable[object]]]] = [
            ("POST", "/say", self.say),
            ("POST", "/tap", self.tap),
            ("POST", "/block", self.block),
            ("GET", "/transcript", self.transcript),
            ("GET", "/events", self.events),
            ("GET", "/photos/{file_id}", self.photo),
            ("GET", "/documents/{file_id}", self.document),
            ("GET", "/bots", self.bots),
            ("POST", "/bots", self.register_bot),
            ("GET", "/commands", self.commands),
        ]
        return [Route(PREFIX + path, answering(handler), methods=[method]) for method, path, handler in table]

    async def say(self, request: Request) -> object:
        """The text was sent; answers with the message, the event number to read on from, and whether the bot polls."""
        body = await object_in(request)
        text = text_in(body, "text")
        if text is None:
            raise PersonError(400, "text is missing")
        bot = bot_meant(self.world, body.get("token"))
        person = person_in(body.get("user", "you"), bot)
        saying = persons.Saying(
            text=text,
            at=moment_in(body, self.world.now),
            edits=integer_in(body, "edits"),
            edited=truth_in(body, "edited"),
            forwarded_from=_forwarded(body),
            via_bot="some_bot" if body.get("via_bot") is True else text_in(body, "via_bot", longest=64),
            reply_to=integer_in(body, "reply_to"),
            topic=integer_in(body, "topic"),
            is_anonymous=truth_in(body, "anonymous"),
            as_channel=text_in(body, "as_channel", longest=64),
        )
        group = None if body.get("chat") is None else group_meant(bot, body["chat"])
        message = persons.say(self.world, bot, person, saying, group=group)
        return {"message": message.as_transcript(), **self._after(bot)}

    async def tap(self, request: Request) -> object:
        """The button was pressed (or data forged); answers with the press and the event number to read on from."""
        body = await object_in(request)
        message_id = integer_in(body, "message_id")
        if message_id is None:
            raise PersonError(400, "message_id is missing")
        bot = bot_meant(self.world, body.get("token"))
        person = person_in(body["user"], bot) if body.get("user") is not None else None
        forged, button = text_in(body, "forge", longest=4096), body.get("button")
        if (forged is None) == (button is None):
            raise PersonError(400, "give button (its text, data or number from 1), or forge (any data), and not both")
        if forged is not None:
            press = persons.forge(self.world, bot, message_id, forged, person=person)
        elif isinstance(button, str) or (isinstance(button, int) and not isinstance(button, bool)):
            press = persons.press(self.world, bot, message_id, button, person=person)
        else:
            raise PersonError(400, "button must be its text, its data or its number from 1")
        return {"press": press.as_transcript(), **self._after(bot)}

    async def block(self, request: Request) -> object:
        """The person has blocked the bot, or unblocked it with `"blocked": false`."""
        body = await object_in(request)
        bot = bot_meant(self.world, body.get("token"))
        person = person_in(body.get("user", "you"), bot)
        persons.set_blocked(self.world, bot, person, blocked=truth_in(body, "blocked", default=True))
        return {"blocked": person.id in bot.blocked_by, **self._after(bot)}

    async def transcript(self, request: Request) -> object:
        """Both sides as they stand now, oldest first; with `since`, only what changed after that event."""
        query = dict(request.query_params)
        since, chat = integer_in(query, "since") or 0, _chat(query)
        bots = [bot_meant(self.world, query["token"])] if query.get("token") else list(self.world.bots.values())
        since = 0 if since > self.world.events.last else since
        messages = [
            {"bot": bot.id, **message.as_transcript()}
            for bot in bots
            for message in bot.messages.values()
            if message.change > since and chat in (None, message.chat.id)
        ]
        presses = [
            {"bot": bot.id, **press.as_transcript()}
            for bot in bots
            for press in bot.presses.values()
            if chat in (None, press.message.chat.id)
        ]
        return {"messages": messages, "presses": presses, "next": self.world.events.last}

    async def events(self, request: Request) -> object:
        """What happened after event `since`, in `chat` or wherever `user` is; waits up to `timeout` seconds for it."""
        query = dict(request.query_params)
        since, chat = integer_in(query, "since") or 0, _chat(query)
        bot_id = bot_meant(self.world, query["token"]).id if query.get("token") else None
        timeout = number_in(query, "timeout", default=0.0, largest=LONGEST_POLL)
        user_id = person_in(query["user"]).id if query.get("user") else None

        def ready() -> list[Json] | None:
            chats = None if chat is None else {chat}
            if user_id is not None:
                chats = self._seen_by(user_id) if chats is None else chats & self._seen_by(user_id)
            return self.world.events.after(since, bot_id=bot_id, chats=chats) or None

        found = await until(ready, world=self.world, request=request, timeout_seconds=timeout)
        return {"events": found or [], "next": self.world.events.last, "stopping": self.world.stopped}

    async def photo(self, request: Request) -> object:
        """The bytes of a photo."""
        for bot in self.world.bots.values():
            photo = bot.photos.get(request.path_params["file_id"])
            if photo is not None:
                return Response(photo.content, media_type=photo.media_type)
        raise PersonError(404, "there is no photo of that id")

    async def document(self, request: Request) -> object:
        """The bytes of a document, to be saved: a browser never opens it as a page of ours."""
        for bot in self.world.bots.values():
            document = bot.documents.get(request.path_params["file_id"])
            if document is not None:
                headers = {
                    "Content-Disposition": f"attachment; filename*=UTF-8''{quote(document.name)}",
                    "X-Content-Type-Options": "nosniff",
                }
                return Response(document.content, media_type="application/octet-stream", headers=headers)
        raise PersonError(404, "there is no document of that id")

    async def bots(self, _request: Request) -> object:
        """The bots known here."""
        return {"bots": [bot.as_listed(self.world.now()) for bot in self.world.bots.values()]}

    async def register_bot(self, request: Request) -> object:
        """The bot is known, under the given `username` and `name`, before it connects; BotFather's part."""
        body = await object_in(request)
        if body.get("token") in (None, ""):
            raise PersonError(400, "token is missing: the bot's token or id")
        username, name = text_in(body, "username", longest=32), text_in(body, "name", longest=64)
        if username is not None and not (username.isascii() and username.replace("_", "").isalnum()):
            raise PersonError(400, "username has letters, digits and underscores only")
        bot = bot_meant(self.world, body["token"])
        if username and any(
            other.username.lower() == username.lower() and other is not bot for other in self.world.bots.values()
        ):
            raise PersonError(409, f"@{username} is another bot")
        return {"bot": self.world.add_bot(bot.id, username=username, name=name).as_listed(self.world.now())}

    async def commands(self, request: Request) -> object:
        """The menu the person in `chat` sees, and every menu the bot set."""
        query = dict(request.query_params)
        bot = bot_meant(self.world, query.get("token"))
        chat = _chat(query)
        person = bot.chats.get(chat) if chat is not None else None
        shown = bot.commands.shown_to(chat or 0, person.language_code if person else None)
        return {"commands": shown, "menus": bot.commands.everything()}

    def _seen_by(self, user_id: int) -> set[int]:
        """The private chat of this person, and the groups they are in."""
        groups = (group for bot in self.world.bots.values() for group in bot.groups.values())
        return {user_id, *(group.id for group in groups if user_id in group.people)}

    def _after(self, bot: Bot) -> Json:
        return {"next": self.world.events.last, "bot": bot.as_listed(self.world.now())}


def _chat(query: Json) -> int | None:
    """The chat asked for, by id or by the person's name."""
    chat = text_in(query, "chat", longest=64)
    if not chat:
        return None
    return id_of(chat) if not chat.lstrip("-").isdigit() else integer_in(query, "chat")


def _forwarded(body: Json) -> User | None:
    value = body.get("forwarded_from")
    if value is None:
        return person_in("somebody else") if truth_in(body, "forwarded") else None
    return person_in(value)
