"""The person's door to bad days: `/_sandbox/telegram/faults`, `pace`, `updates` and `replay`."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.routing import Route

from tradehook_sandbox.telegram.faults import EVERY_METHOD, POLLING, Fault, FaultKind
from tradehook_sandbox.telegram.pace import Pace
from tradehook_sandbox.telegram.readings import integer_in, number_in, text_in, truth_in
from tradehook_sandbox.telegram.serving.addressing import bot_meant
from tradehook_sandbox.telegram.serving.answering import answering, object_in
from tradehook_sandbox.telegram.serving.polling import CONFLICT
from tradehook_sandbox.telegram.shapes import PersonError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request
    from starlette.routing import BaseRoute

    from tradehook_sandbox.telegram.shapes import Json
    from tradehook_sandbox.telegram.world import World

PREFIX = "/_sandbox/telegram"
ERRORS = range(400, 600)
RETRY_AFTER = range(86401)
PACES = range(1001)
IN_WORDS = {
    401: "Unauthorized",
    403: "Forbidden: bot was blocked by the user",
    409: CONFLICT,
    500: "Internal Server Error",
    502: "Bad Gateway",
}


class FaultApi:
    """The handlers, one for each path; `routes` puts them on theirs."""

    def __init__(self, world: World) -> None:
        """The handlers work on this world."""
        self.world = world

    def routes(self) -> list[BaseRoute]:
        """What goes wrong is staged under the returned routes."""
        table: list[tuple[str, str, Callable[[Request], Awaitable[object]]]] = [
            ("GET", "/faults", self.list_faults),
            ("POST", "/faults", self.add_fault),
            ("DELETE", "/faults", self.clear_faults),
            ("GET", "/pace", self.get_pace),
            ("POST", "/pace", self.set_pace),
            ("GET", "/updates", self.updates),
            ("POST", "/replay", self.replay),
        ]
        return [Route(PREFIX + path, answering(handler), methods=[method]) for method, path, handler in table]

    async def list_faults(self, _request: Request) -> object:
        """The faults still to come."""
        return self._faults()

    async def add_fault(self, request: Request) -> object:
        """The fault waits for the next calls of its method, or for those about `chat`."""
        body = await object_in(request)
        method = text_in(body, "method", longest=64)
        kind = text_in(body, "kind", longest=64)
        if not method or kind not in set(FaultKind):
            raise PersonError(400, f"a fault has a method (or *) and a kind, one of: {', '.join(FaultKind)}")
        if kind == FaultKind.ACK_LOST and method.lower() not in {POLLING, EVERY_METHOD}:
            raise PersonError(400, "ack_lost is for getUpdates")
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
            chat_id=integer_in(body, "chat"),
        )
        self.world.faults.waiting.append(fault)
        return self._faults()

    async def clear_faults(self, _request: Request) -> object:
        """No fault is to come."""
        self.world.faults.waiting.clear()
        return self._faults()

    async def get_pace(self, _request: Request) -> object:
        """How fast bots may write."""
        return self.world.pace.pace.as_json()

    async def set_pace(self, request: Request) -> object:
        """Bots may write this fast and no faster; what is not named has no limit."""
        body = await object_in(request)
        names = ("chat_per_second", "group_per_minute", "overall_per_second")
        limits = {name: integer_in(body, name) or 0 for name in names}
        if not all(limit in PACES for limit in limits.values()):
            raise PersonError(400, f"{', '.join(names)}: each from 0 (no limit) to 1000")
        self.world.pace.set(Pace(**limits))
        return self.world.pace.pace.as_json()

    async def updates(self, request: Request) -> object:
        """The newest updates of a bot, and which of them still wait."""
        return {"updates": bot_meant(self.world, request.query_params.get("token")).updates.past()}

    async def replay(self, request: Request) -> object:
        """The bot gets `update_id`, or its newest update, once more; `as_new` under a new id."""
        body = await object_in(request)
        bot = bot_meant(self.world, body.get("token"))
        wanted = integer_in(body, "update_id")
        found = bot.updates.replay(wanted, self.world.now(), is_new=truth_in(body, "as_new"))
        if found is None:
            raise PersonError(404, "there is no such update; GET updates lists those that can be replayed")
        self.world.changed()
        return {"update_id": found}

    def _faults(self) -> Json:
        return {"faults": [fault.as_json() for fault in self.world.faults.waiting]}


def _usual(status: int) -> str:
    return IN_WORDS.get(status) or (HTTPStatus(status).phrase if status in set(HTTPStatus) else "Error")
