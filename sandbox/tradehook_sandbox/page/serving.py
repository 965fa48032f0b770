"""The page's few files, served from the package, with headers that let nothing else into it."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Final

from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.routing import BaseRoute

PATH: Final = "/_sandbox/play"
_KINDS: Final = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}
_HEADERS: Final = {
    # What a bot or a person writes is shown on this page: no script but its own may ever run here.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


def page_routes() -> list[BaseRoute]:
    """The page at `/_sandbox/play`, and its parts below."""
    return [
        Route(PATH, _page, methods=["GET"]),
        Route(PATH + "/", _without_slash, methods=["GET"]),
        Route(PATH + "/{name}", _part, methods=["GET"]),
    ]


async def _page(_request: Request) -> Response:
    return _file("page.html")


async def _without_slash(_request: Request) -> Response:
    return RedirectResponse(PATH)


async def _part(request: Request) -> Response:
    return _file(request.path_params["name"])


def _file(name: str) -> Response:
    """One of ours; every other name is not found, whatever it looks like."""
    for file in files("tradehook_sandbox.page").iterdir():
        kind = _KINDS.get(name[name.rfind(".") :])
        if file.name == name and kind is not None:
            return Response(file.read_bytes(), media_type=kind, headers=_HEADERS)
    return PlainTextResponse("not found", status_code=404)
