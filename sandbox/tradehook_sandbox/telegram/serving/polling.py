"""getUpdates, as Telegram does it: a true long poll, one at a time.

See: https://core.telegram.org/bots/api#getupdates
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tradehook_sandbox.telegram.serving.waiting import until
from tradehook_sandbox.telegram.shapes import ApiError
from tradehook_sandbox.telegram.updates import LARGEST_BATCH

if TYPE_CHECKING:
    from starlette.requests import Request

    from tradehook_sandbox.telegram.bots import Bot
    from tradehook_sandbox.telegram.methods.arguments import Arguments
    from tradehook_sandbox.telegram.shapes import Json
    from tradehook_sandbox.telegram.world import World

LONGEST_POLL = 50  # seconds; Telegram's own ceiling
CONFLICT = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"


async def get_updates(world: World, bot: Bot, arguments: Arguments, request: Request) -> list[Json]:
    """The updates from `offset` on; those before it are acknowledged and gone.

    Raises:
        ApiError: 409 when another poll for the same bot began to wait while this one waited.
    """
    offset = arguments.within("offset", -(2**31), 2**31 - 1, 0)
    limit = arguments.within("limit", 1, LARGEST_BATCH, LARGEST_BATCH)
    timeout = arguments.within("timeout", 0, LONGEST_POLL, 0)
    bot.last_polled_at = world.now()
    _allow(bot, arguments.text("allowed_updates"))
    if not bot.updates.would_acknowledge(offset) or not world.faults.loses_acknowledgement(bot.id):
        bot.updates.acknowledge(offset, world.now())
    updates = bot.updates.fetch(limit)
    if updates or not timeout:
        return updates
    return await _wait(world, bot, request, limit=limit, timeout=timeout)


async def _wait(world: World, bot: Bot, request: Request, *, limit: int, timeout: int) -> list[Json]:  # noqa: ASYNC109
    bot.polls += 1
    mine = bot.polls
    bot.polling += 1
    world.changed()  # an earlier poll looks up, and sees that it is no longer the last

    def ready() -> list[Json] | ApiError | None:
        if bot.polls != mine:
            return ApiError(409, CONFLICT)
        return bot.updates.fetch(limit) or None

    try:
        result: list[Json] | ApiError | None = await until(ready, world=world, request=request, timeout_seconds=timeout)
    finally:
        bot.polling -= 1
    if isinstance(result, ApiError):
        raise result
    return result or []


def _allow(bot: Bot, source: str) -> None:
    """The list stays as it was where none, or none that can be read, is sent; so does Telegram's."""
    if not source:
        return
    try:
        kinds = json.loads(source)
    except (ValueError, RecursionError):
        return
    if isinstance(kinds, list):
        bot.updates.allow([kind for kind in kinds if isinstance(kind, str)])
