"""The person's door: a JSON object in, a JSON object or a sentence out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse, Response

from tradehook_sandbox.telegram.serving.bodies import BodyError, read_body, read_json
from tradehook_sandbox.telegram.shapes import PersonError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

    from tradehook_sandbox.telegram.shapes import Json


def answering(handler: Callable[[Request], Awaitable[object]]) -> Callable[[Request], Awaitable[Response]]:
    """The handler as an endpoint: its result as JSON, its refusal as a sentence."""

    async def endpoint(request: Request) -> Response:
        try:
            result = await handler(request)
        except PersonError as error:
            return JSONResponse({"error": error.message}, status_code=error.status)
        return result if isinstance(result, Response) else JSONResponse(result)

    return endpoint


async def object_in(request: Request) -> Json:
    """The body, a JSON object; an empty body is an empty object.

    Raises:
        PersonError: it is something else, or too large.
    """
    try:
        body: Any = read_json(await read_body(request))
    except BodyError as error:
        raise PersonError(error.status, error.reason) from None
    if not isinstance(body, dict):
        raise PersonError(400, "a JSON object is expected")
    return body
