"""What a fault does to an answer that was made: cut short, words nobody knows, fields too many or too few.

Works on the bytes of any JSON answer; what is not JSON stays as it is. Knows nothing of exchanges.
"""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from tradehook.wire import decode_json, encode_json
from tradehook_sandbox.seeded import draw

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tradehook.wire import Response

UNKNOWN_WORD: Final = "unheard_of"
EXTRA_FIELD: Final = "x_sandbox_extra"
_EXTRA: Final = {"since": "tomorrow", "values": [1, "two", None, {"three": True}]}
_ENUMS: Final = ("status", "side", "chain")
_DIGITS: Final = re.compile(rb'"\\u0000([^"]+)"')


def cut(response: Response) -> Response:
    """Half of it, which says that it is the whole."""
    return replace(response, body=response.body[: len(response.body) // 2] or b"{")


def with_unknown_word(response: Response, field: str | None) -> Response:
    """A word that nobody knows stands in this field, wherever it is; without one in the first of `_ENUMS` found."""
    content = _read(response)
    present = {name for record in _records(content) for name, value in record.items() if isinstance(value, str)}
    target = field or next((name for name in _ENUMS if name in present), None)
    for record in _records(content):
        if target is not None and isinstance(record.get(target), str):
            record[target] = UNKNOWN_WORD
    return _written(response, content)


def with_extra_field(response: Response) -> Response:
    """Every object in it has a field more."""
    content = _read(response)
    for record in list(_records(content)):
        record[EXTRA_FIELD] = _EXTRA
    return _written(response, content)


def without_field(response: Response, field: str | None, *, chance: tuple[object, ...]) -> Response:
    """This field is gone, wherever it was; without one, any of those that are there, drawn by `chance`."""
    content = _read(response)
    names = sorted({name for record in _records(content) for name in record})
    if names:
        target = field or names[draw("missing", *chance, below=len(names))]
        for record in list(_records(content)):
            record.pop(target, None)
    return _written(response, content)


def _read(response: Response) -> Any:
    try:
        return decode_json(response.body)
    except ValueError:
        return None


def _written(response: Response, content: Any) -> Response:
    if content is None:
        return response
    # A number with a point is read as a Decimal, which JSON has no word for: it is written as text, then unwrapped.
    return replace(response, body=_DIGITS.sub(rb"\1", encode_json(_with_digits(content))))


def _with_digits(content: Any) -> Any:
    if isinstance(content, dict):
        return {name: _with_digits(value) for name, value in content.items()}
    if isinstance(content, list):
        return [_with_digits(value) for value in content]
    return f"\0{content}" if isinstance(content, Decimal) else content


def _records(content: Any) -> Iterator[dict[str, Any]]:
    """Every object in some JSON, the outermost first."""
    if isinstance(content, dict):
        yield content
        for value in list(content.values()):
            yield from _records(value)
    elif isinstance(content, list):
        for value in content:
            yield from _records(value)
