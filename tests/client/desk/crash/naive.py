"""The control: a client as many are, which tries again when no answer came and remembers nothing."""

from __future__ import annotations

from typing import Any

from tradehook.errors import NetworkError, ResponseError, TradehookError, UnexpectedResponse

TRIES = 5


async def do(exchange: Any, deed: Any) -> Any:
    """Size it, send it, try again on every failure that may pass."""
    settled = await deed.settle(exchange)
    for attempt in range(1, TRIES + 1):
        try:
            made = await _send(exchange, deed.write(exchange, settled))
            if made.awaits_signature:
                made = await _send(exchange, deed.execute(exchange, settled, made))
        except TradehookError as error:
            may_pass = isinstance(error, NetworkError | UnexpectedResponse) or (
                isinstance(error, ResponseError) and (error.status >= 500 or error.status in (401, 408, 409, 425, 429))
            )
            if attempt == TRIES or not may_pass:
                raise
            await exchange.session.line.pause(0.2 * attempt)
        else:
            return made
    raise AssertionError("the last try returns or raises")


async def _send(exchange: Any, write: Any) -> Any:
    session = exchange.session
    request, token = await session.prepare(write.request)
    try:
        return session.understand(await session.send_once(request), write.read)
    except ResponseError as error:
        if error.status == 401:
            session.drop(token)
        raise
