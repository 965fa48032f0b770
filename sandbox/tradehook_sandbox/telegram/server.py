"""The stand-in's routes, for whatever Starlette application serves the sandbox."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tradehook_sandbox.telegram.serving.bot_api import bot_routes
from tradehook_sandbox.telegram.serving.fault_api import FaultApi
from tradehook_sandbox.telegram.serving.group_api import GroupApi
from tradehook_sandbox.telegram.serving.person_api import PersonApi
from tradehook_sandbox.telegram.world import World

if TYPE_CHECKING:
    from starlette.routing import BaseRoute


def routes(world: World | None = None) -> list[BaseRoute]:
    """The Bot API (`/bot{token}/...`) and the person's side (`/_sandbox/telegram/...`) answer.

    Long polls answer at once when `world.stop()` is called, so call it before uvicorn waits for its connections;
    without that they end when uvicorn cancels them after `timeout_graceful_shutdown`. Keep uvicorn's access log off:
    the paths hold tokens.

    Args:
        world: what the routes work on; each call has a fresh one of its own where none is given.
    """
    world = World() if world is None else world
    return [*bot_routes(world), *PersonApi(world).routes(), *GroupApi(world).routes(), *FaultApi(world).routes()]
