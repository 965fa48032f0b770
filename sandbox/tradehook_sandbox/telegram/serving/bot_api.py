"""The bot's door: `/bot{token}/{method}` and `/file/bot{token}/{path}`.

Every answer is Telegram's envelope, `{"ok": true, "result": ...}` or `{"ok": false, "error_code": ..., ...}`, with the
code repeated as the HTTP status.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tradehook_sandbox.telegram.faults import POLLING, FaultKind
from tradehook_sandbox.telegram.methods import METHODS
from tradehook_sandbox.telegram.serving.bodies import BodyError, read_arguments
from tradehook_sandbox.telegram.serving.polling import get_updates
from tradehook_sandbox.telegram.serving.waiting import until
from tradehook_sandbox.telegram.shapes import ApiError

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.routing import BaseRoute

    from tradehook_sandbox.telegram.bots import Bot
    from tradehook_sandbox.telegram.faults import Fault
    from tradehook_sandbox.telegram.methods.arguments import Arguments
    from tradehook_sandbox.telegram.world import World

log = logging.getLogger(__name__)


def bot_routes(world: World) -> list[BaseRoute]:
    """The Bot API answers under the returned routes."""

    async def call(request: Request) -> Response:
        try:
            return JSONResponse({"ok": True, "result": await _called(world, request)})
        except ApiError as error:
            return JSONResponse(error.body(), status_code=error.code)

    async def load(request: Request) -> Response:
        try:
            bot = world.connect(request.path_params["token"])
        except ApiError as error:
            return JSONResponse(error.body(), status_code=error.code)
        folder, _, file_id = request.path_params["path"].partition("/")
        file = bot.file(file_id)
        if file is None or file.path != f"{folder}/{file_id}":
            return JSONResponse(ApiError(404, "Not Found").body(), status_code=404)
        # As at Telegram: a file to load, never a page to open.
        return Response(file.content, media_type="application/octet-stream")

    return [
        Route("/bot{token}/{method}", call, methods=["GET", "POST"]),
        Route("/file/bot{token}/{path:path}", load, methods=["GET"]),
    ]


@dataclass(frozen=True, slots=True)
class Call:
    """One call of one method, understood and not yet done."""

    world: World
    bot: Bot
    method: str
    arguments: Arguments
    request: Request

    async def done(self) -> object:
        """The `result` of the method.

        Raises:
            ApiError: refused.
        """
        if self.method == POLLING:
            return await get_updates(self.world, self.bot, self.arguments, self.request)
        if self.method.startswith(("send", "edit")) and self.method != "sendchataction":
            self.world.pace.check(self.bot.id, self.arguments.number("chat_id") or 0, self.world.now())
        return METHODS[self.method](self.world, self.bot, self.arguments)

    async def spoiled(self, fault: Fault) -> object:
        """The `result`, if the fault lets it through.

        Raises:
            ApiError: refused, by the method or by the fault.
        """
        if fault.kind in {FaultKind.RATE_LIMITED, FaultKind.ERROR_BEFORE}:
            raise fault.error()
        result = await self.done()
        if fault.kind is FaultKind.ERROR_AFTER:
            raise fault.error()
        # Late or never: the caller's own timeout decides which. It ends early when they hang up.
        await until(_nothing, world=self.world, request=self.request, timeout_seconds=fault.seconds)
        if fault.kind is FaultKind.TIMEOUT_AFTER:
            raise ApiError(504, "Gateway Timeout")
        return result


def _nothing() -> None:
    return None


async def _called(world: World, request: Request) -> object:
    bot = world.connect(request.path_params["token"])
    method = request.path_params["method"].lower()
    if method != POLLING and method not in METHODS:
        # PTB reads a 404 as a bad token, so the log has to say what it really was.
        log.warning("bot %s called %.64r, which the sandbox's Bot API does not have", bot.id, method)
        raise ApiError(404, "Not Found: method not found")
    try:
        arguments = await read_arguments(request)
    except BodyError as error:
        raise ApiError(error.status, f"{error.prefix}{error.reason}") from None
    call = Call(world, bot, method, arguments, request)
    fault = world.faults.take(bot.id, method, arguments.number("chat_id"))
    if fault is None:
        return await call.done()
    log.info("bot %s, %s: staged fault %s", bot.id, method, fault.kind)
    return await call.spoiled(fault)
