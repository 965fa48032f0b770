"""Values that the switches write in more than one way, and the writing: numbers, words, times, pages, envelopes.

An endpoint answers with plain data and these; nothing but this module knows how they look on the wire.
See: fintrusted-api 3.2, 3.5 and 3.6.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Final, NamedTuple

from tradehook.wire import Response
from tradehook_sandbox.clock import MICROS
from tradehook_sandbox.fintrusted.messages import in_chinese
from tradehook_sandbox.units import format_units

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tradehook_sandbox.fintrusted.calls import Refused
    from tradehook_sandbox.fintrusted.rules import FinTrustedRules

_GMT8: Final = timezone(timedelta(hours=8))
_PAGE_SIZE: Final = 50
_TOKEN_CODES: Final = frozenset({4000, 3000, 3001, 3002, 3003, 3004, 3011, 3012, 401})
_OK: Final = {"classic": (0, "message", "success"), "ruoyi": (200, "msg", "success")}


class Units(NamedTuple):
    """A decimal number."""

    units: int
    scale: int


class Text(NamedTuple):
    """A decimal number as text, whatever the switches say."""

    number: Units


class Word(NamedTuple):
    """One of an enum."""

    name: str
    ordinal: int


class Moment(NamedTuple):
    """A time."""

    micros: int


class Page(NamedTuple):
    """A list that may come in pages; all of it is on the first."""

    items: Sequence[object]


def success(rules: FinTrustedRules, data: object, *, is_bare: bool = False) -> Response:
    """The answer when something went well."""
    if is_bare:
        return _response(200, render(data, rules))
    code, name, word = _OK[rules.envelope]
    body: dict[str, object] = {"code": code, name: word}
    if isinstance(data, Page) and rules.page_style == "rows":
        body |= {"rows": list(data.items), "total": len(data.items)}
    else:
        body["data"] = data
    return _response(200, render(body, rules))


def failure(rules: FinTrustedRules, refused: Refused) -> Response:
    """The answer when FinTrusted says no: usually HTTP 200, and a code in the body."""
    name = _OK[rules.envelope][1]
    text = in_chinese(refused.text) if rules.messages == "chinese" else refused.text
    status = refused.status or (_status_of(refused.code) if rules.http_errors else 200)
    body = render({"code": refused.code, name: text}, rules)
    return _response(status, body, headers=refused.headers)


def render(value: object, rules: FinTrustedRules) -> str:
    """A value as JSON text, as the rules want it."""
    match value:
        case Units() | Text() | Word() | Moment():
            return _special(value, rules)
        case Page():
            return render(_paged(value.items, rules), rules)
        case dict():
            fields = ",".join(f"{json.dumps(name)}:{render(one, rules)}" for name, one in value.items())
            return f"{{{fields}}}"
        case list() | tuple():
            is_null = rules.null_lists and not value
            return "null" if is_null else f"[{','.join(render(one, rules) for one in value)}]"
        case _:
            return json.dumps(value, ensure_ascii=False)


def _special(value: Units | Text | Word | Moment, rules: FinTrustedRules) -> str:
    match value:
        case Units():
            return _number(value, rules)
        case Text():
            return f'"{format_units(*value.number)}"'
        case Word():
            return json.dumps(value.name) if rules.enums == "name" else str(value.ordinal)
        case Moment():
            return _time(value.micros, rules)


def _paged(items: Sequence[object], rules: FinTrustedRules) -> object:
    count, first = len(items), 0 if rules.zero_based_pages else 1
    match rules.page_style:
        case "spring":
            return {
                "content": list(items),
                "totalElements": count,
                "totalPages": 1,
                "number": first,
                "size": max(_PAGE_SIZE, count),
                "numberOfElements": count,
                "first": True,
                "last": True,
                "sort": None,
            }
        case "mybatis":
            return {
                "records": list(items),
                "total": count,
                "size": max(_PAGE_SIZE, count),
                "current": first,
                "pages": 1,
            }
        case _:
            return list(items)


def _number(value: Units, rules: FinTrustedRules) -> str:
    plain = format_units(value.units, value.scale)
    if rules.numbers == "string":
        return f'"{plain}"'
    return _as_java(value) if rules.numbers == "java" else plain


def _as_java(value: Units) -> str:
    """As Java prints a BigDecimal without trailing zeros: a zero keeps its scale, whole tens get an exponent."""
    units, scale = value.units, value.scale
    if not units:
        return f"0E-{scale}" if scale else "0"
    while units % 10 == 0:
        units, scale = units // 10, scale - 1
    digits, sign = str(abs(units)), "-" if units < 0 else ""
    exponent = len(digits) - 1 - scale
    if scale >= 0 and exponent >= -6:
        return format_units(units, scale)
    fraction = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{sign}{digits[0]}{fraction}E{exponent:+d}"


def _time(at_micros: int, rules: FinTrustedRules) -> str:
    if not rules.gmt8_strings:
        return str(at_micros // 1_000)
    at = datetime.fromtimestamp(at_micros // MICROS, UTC).astimezone(_GMT8)
    return f'"{at:%Y-%m-%d %H:%M:%S}"'


def _status_of(code: int) -> int:
    if code in _TOKEN_CODES:
        return 401
    return {3005: 429, 403: 403, 404: 404, 405: 405}.get(code, 400)


def _response(status: int, body: str, *, headers: Mapping[str, str] | None = None) -> Response:
    content_type = {"content-type": "application/json;charset=UTF-8"}
    return Response(status, headers={**content_type, **(headers or {})}, body=body.encode())
