"""Requests read to their end, whatever they hold: JSON, forms, files."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from tradehook_sandbox.telegram.methods.arguments import Arguments

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from starlette.requests import Request

LARGEST_BODY = 20 * 1024 * 1024
MOST_FIELDS = 200


class BodyError(Exception):
    """The body cannot be read; the text says why.

    Args:
        reason: for the response.
        status: 413 for too large, 400 for the rest.
    """

    def __init__(self, reason: str, *, status: int = 400) -> None:
        """The reason becomes part of the response."""
        super().__init__(reason)
        self.reason = reason
        self.status = status
        self.prefix = "Bad Request: " if status == HTTPStatus.BAD_REQUEST else ""  # as Telegram words them


async def read_body(request: Request) -> bytes:
    """The whole body.

    Raises:
        BodyError: larger than 20 MiB.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_BODY:
            raise BodyError("Request Entity Too Large", status=413)
    return bytes(body)


async def read_arguments(request: Request) -> Arguments:
    """The arguments of a Bot API call, from the address and the body together.

    Raises:
        BodyError: too large, or not what its content type says.
    """
    body = await read_body(request)
    values: dict[str, str] = dict(request.query_params)
    files: dict[str, bytes] = {}
    names: dict[str, str] = {}
    content_type = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if content_type == "application/json":
        decoded = read_json(body)
        if not isinstance(decoded, dict):
            raise BodyError("can't parse JSON: an object is expected")
        values |= {name: _as_text(value) for name, value in decoded.items() if value is not None}
    elif content_type == "application/x-www-form-urlencoded":
        values |= _form(body)
    elif content_type == "multipart/form-data":
        fields, files, names = await _multipart(request, body)
        values |= fields
    if not all(map(_is_utf8, values.values())):
        raise BodyError("strings must be encoded in UTF-8")
    return Arguments(values, files, names)


def read_json(body: bytes) -> Any:
    """The body decoded; an empty one is an empty object.

    Raises:
        BodyError: not JSON, nested too deep, with numbers that are none, or with text that is no UTF-8.
    """
    try:
        decoded = json.loads(body or b"{}", parse_constant=_refuse)
        json.dumps(
            decoded, ensure_ascii=False
        ).encode()  # lone surrogates pass the decoder and break whoever stores them
    except (ValueError, RecursionError):
        raise BodyError("can't parse JSON body") from None
    return decoded


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _form(body: bytes) -> dict[str, str]:
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="strict")
    except ValueError:
        raise BodyError("can't parse form body") from None
    return dict(pairs)


async def _multipart(request: Request, body: bytes) -> tuple[dict[str, str], dict[str, bytes], dict[str, str]]:
    async def once() -> AsyncGenerator[bytes, None]:
        yield body

    parser = MultiPartParser(
        request.headers, once(), max_files=MOST_FIELDS, max_fields=MOST_FIELDS, max_part_size=LARGEST_BODY
    )
    try:
        form = await parser.parse()
    except (MultiPartException, ValueError, LookupError):
        raise BodyError("can't parse multipart body") from None
    values: dict[str, str] = {}
    files: dict[str, bytes] = {}
    names: dict[str, str] = {}
    try:
        for name, value in form.multi_items():
            if isinstance(value, UploadFile):
                files[name] = await value.read()
                names[name] = value.filename or ""
            else:
                values[name] = value
    finally:
        await form.close()
    return values, files, names
