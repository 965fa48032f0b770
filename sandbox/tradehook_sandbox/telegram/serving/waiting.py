"""Long polls: waiting for a change of the world, and for nothing longer than anybody is there to hear of it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from tradehook_sandbox.telegram.world import World

T = TypeVar("T")


async def until(ready: Callable[[], T | None], *, world: World, request: Request, timeout_seconds: float) -> T | None:
    """What `ready` returned as soon as that was not None.

    Returns None after the timeout, when the caller has hung up, when the world stops, and when the server cancels the
    request because it shuts down: whoever waits should then answer as if nothing had happened, so that a bot's poll
    ends as an ordinary empty one and the server's log stays free of a traceback.

    Args:
        ready: asked now and after every change.
        world: whose changes count.
        request: read to its end; its disconnection ends the waiting.
        timeout_seconds: how long at most.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout_seconds
    bell = asyncio.Event()
    # A change may come from elsewhere than the loop: a signal handler, or a test's thread, that stops the world.
    unwatch = world.watch(lambda: loop.call_soon_threadsafe(bell.set))
    gone = asyncio.ensure_future(_hung_up(request))
    try:
        while True:
            bell.clear()
            result = ready()
            remaining = deadline - loop.time()
            if result is not None or remaining <= 0 or gone.done() or world.stopped:
                return result
            ring = asyncio.ensure_future(bell.wait())
            try:
                await asyncio.wait({ring, gone}, timeout=remaining, return_when=asyncio.FIRST_COMPLETED)
            finally:
                ring.cancel()
    except asyncio.CancelledError:
        return None
    finally:
        unwatch()
        gone.cancel()


async def _hung_up(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
