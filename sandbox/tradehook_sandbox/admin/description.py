"""The descriptions of both APIs, for programs and as a page. Written down in `openapi/`, loaded when asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tradehook.wire import Response
from tradehook_sandbox.true_markets.calls import Refusal

if TYPE_CHECKING:
    from tradehook_sandbox.admin.errands import Errand


def get_openapi(errand: Errand) -> object:
    """`exchange.json` or `admin.json`, as the path says."""
    from tradehook_sandbox.openapi import admin, exchange

    documents = {"exchange.json": exchange.document, "admin.json": admin.document}
    document = documents.get(errand.rest)
    if document is None:
        raise Refusal(404, f"not found: expected one of {', '.join(documents)}")
    return document()


def get_docs(_: Errand) -> Response:
    """Both as one HTML page."""
    from tradehook_sandbox.openapi.page import page

    return Response(status=200, headers={"content-type": "text/html; charset=utf-8"}, body=page().encode())
