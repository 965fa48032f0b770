"""The person's door: `/_sandbox/telegram/...`, for the chat client, the driver, tests and demos.

It is not part of Telegram. Errors are `{"error": "a sentence"}` with 400, 404 or 409.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tradehook_sandbox.telegram import persons
from tradehook_sandbox.telegram.faults import Fault, FaultKind
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
from tradehook_sandbox.telegram.serving.bodies import BodyError, read_body, read_json
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
ERRORS = range(400, 600)
RETRY_AFTER = range(86401)


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
            ("GET", "/bots", self.bots),
            ("POST", "/bots", self.register_bot),
            ("GET", "/commands", self.commands),
            ("GET", "/faults", self.list_faults),
            ("POST", "/faults", self.add_fault),
            ("DELETE", "/faults", self.clear_faults),
        ]
        return [Route(PREFIX + path, _answering(handler), methods=[method]) for method, path, handler in table]

    async def say(self, request: Request) -> object:
        """The text was sent; answers with the message, the event number to read on from, and whether the bot polls."""
        body = await _object(request)
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
        )
        message = persons.say(self.world, bot, person, saying)
        return {"message": message.as_transcript(), **self._after(bot)}

    async def tap(self, request: Request) -> object:
        """The button was pressed (or data forged); answers with the press and the event number to read on from."""
        body = await _object(request)
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
        body = await _object(request)
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
        """What happened after event `since`; waits up to `timeout` seconds for something to happen."""
        query = dict(request.query_params)
        since, chat = integer_in(query, "since") or 0, _chat(query)
        bot_id = bot_meant(self.world, query["token"]).id if query.get("token") else None
        timeout = number_in(query, "timeout", default=0.0, largest=LONGEST_POLL)

        def ready() -> list[Json] | None:
            return self.world.events.after(since, bot_id=bot_id, chat_id=chat) or None

        found = await until(ready, world=self.world, request=request, timeout_seconds=timeout)
        return {"events": found or [], "next": self.world.events.last, "stopping": self.world.stopped}

    async def photo(self, request: Request) -> object:
        """The bytes of a photo."""
        for bot in self.world.bots.values():
            photo = bot.photos.get(request.path_params["file_id"])
            if photo is not None:
                return Response(photo.content, media_type=photo.media_type)
        raise PersonError(404, "there is no photo of that id")

    async def bots(self, _request: Request) -> object:
        """The bots known here."""
        return {"bots": [bot.as_listed(self.world.now()) for bot in self.world.bots.values()]}

    async def register_bot(self, request: Request) -> object:
        """The bot is known, under the given `username` and `name`, before it connects; BotFather's part."""
        body = await _object(request)
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

    async def list_faults(self, _request: Request) -> object:
        """The faults still to come."""
        return {"faults": [fault.as_json() for fault in self.world.faults.waiting]}

    async def add_fault(self, request: Request) -> object:
        """The fault waits for the next calls of its method."""
        body = await _object(request)
        method = text_in(body, "method", longest=64)
        kind = text_in(body, "kind", longest=64)
        if not method or kind not in set(FaultKind):
            raise PersonError(400, f"a fault has a method (or *) and a kind, one of: {', '.join(FaultKind)}")
        times, status = integer_in(body, "times"), integer_in(body, "status")
        retry_after = integer_in(body, "retry_after")
        if times is not None and times < 1:
            raise PersonError(400, "times must be 1 or more")
        if status is not None and status not in ERRORS:
            raise PersonError(400, "status must be a number from 400 to 599")
        if retry_after is not None and retry_after not in RETRY_AFTER:
            raise PersonError(400, "retry_after must be a number of seconds from 0 to 86400")
        fault = Fault(
            method=method.lower(),
            kind=FaultKind(kind),
            times=1 if times is None else times,
            status=502 if status is None else status,
            description=text_in(body, "description", longest=500) or _usual(status or 502),
            retry_after=1 if retry_after is None else retry_after,
            seconds=number_in(body, "seconds", default=30.0, largest=600.0),
            bot_id=bot_meant(self.world, body["token"]).id if body.get("token") else None,
        )
        self.world.faults.waiting.append(fault)
        return {"faults": [fault.as_json() for fault in self.world.faults.waiting]}

    async def clear_faults(self, _request: Request) -> object:
        """No fault is to come."""
        self.world.faults.waiting.clear()
        return {"faults": []}

    def _after(self, bot: Bot) -> Json:
        return {"next": self.world.events.last, "bot": bot.as_listed(self.world.now())}


def _answering(handler: Callable[[Request], Awaitable[object]]) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        try:
            result = await handler(request)
        except PersonError as error:
            return JSONResponse({"error": error.message}, status_code=error.status)
        return result if isinstance(result, Response) else JSONResponse(result)

    return endpoint


async def _object(request: Request) -> Json:
    try:
        body: Any = read_json(await read_body(request))
    except BodyError as error:
        raise PersonError(error.status, error.reason) from None
    if not isinstance(body, dict):
        raise PersonError(400, "a JSON object is expected")
    return body


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


def _usual(status: int) -> str:
    words = {403: "Forbidden: bot was blocked by the user", 500: "Internal Server Error", 502: "Bad Gateway"}
    return words.get(status) or (HTTPStatus(status).phrase if status in set(HTTPStatus) else "Error")
