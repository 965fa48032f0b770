"""The few shapes of which a description is put together: fields, objects, answers, operations.

Knows OpenAPI and nothing of any endpoint.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

Json = dict[str, Any]

DIGITS: Final = r"^-?[0-9]+(\.[0-9]+)?$"
"""Decimal text as it is answered."""
AMOUNT: Final = r"^([0-9]{1,15}(\.[0-9]{0,18})?|\.[0-9]{1,18})$"
"""Decimal text as it is accepted: no sign, no exponent; a leading point is fine."""


def text(about: str = "", **more: Any) -> Json:
    """Text."""
    return _described({"type": "string", **more}, about)


def decimal(about: str = "", **more: Any) -> Json:
    """A number that travels as text."""
    return text(about, **{"pattern": DIGITS, **more})


def amount(about: str = "", **more: Any) -> Json:
    """A number that somebody sends as text."""
    return text(about, **{"pattern": AMOUNT, **more})


def word(about: str, *words: str, **more: Any) -> Json:
    """One of a few words."""
    return text(about, enum=list(words), **more)


def moment(about: str = "", **more: Any) -> Json:
    """A point in time, RFC 3339."""
    return text(about, **{"format": "date-time", "examples": ["2026-09-21T14:13:20.123456Z"], **more})


def uuid(about: str = "", **more: Any) -> Json:
    """An id."""
    return text(about, **{"format": "uuid", **more})


def whole(about: str = "", low: int | None = None, high: int | None = None, **more: Any) -> Json:
    """A whole number, in a range where one is given."""
    bounds = {name: value for name, value in (("minimum", low), ("maximum", high)) if value is not None}
    return _described({"type": "integer", **bounds, **more}, about)


def seconds(about: str, low: float, high: float, **more: Any) -> Json:
    """A number of seconds."""
    return _described({"type": "number", "minimum": low, "maximum": high, **more}, about)


def truth(about: str = "", **more: Any) -> Json:
    """True or false."""
    return _described({"type": "boolean", **more}, about)


def nothing_or(schema: Json) -> Json:
    """The same, or null."""
    if "enum" in schema:
        return {**schema, "type": [schema["type"], "null"], "enum": [*schema["enum"], None]}
    return {**schema, "type": [schema["type"], "null"]}


def ref(name: str) -> Json:
    """One of the named schemas."""
    return {"$ref": f"#/components/schemas/{name}"}


def items(schema: Json, about: str = "", **more: Any) -> Json:
    """A list."""
    return _described({"type": "array", "items": schema, **more}, about)


def entries(schema: Json, about: str = "", **more: Any) -> Json:
    """An object whose names are not known beforehand."""
    return _described({"type": "object", "additionalProperties": schema, **more}, about)


def record(fields: Mapping[str, Json], *, about: str = "", optional: tuple[str, ...] = (), **more: Any) -> Json:
    """An object; all of its fields are there, but for those that are named optional."""
    schema: Json = {"type": "object", "properties": dict(fields)}
    if required := [name for name in fields if name not in optional]:
        schema["required"] = required
    return _described({**schema, **more}, about)


def query(name: str, schema: Json, about: str, *, required: bool = False) -> Json:
    """A parameter of the query."""
    return {"name": name, "in": "query", "description": about, "required": required, "schema": schema}


def in_path(name: str, schema: Json, about: str) -> Json:
    """A parameter in the path."""
    return {"name": name, "in": "path", "description": about, "required": True, "schema": schema}


def answer(about: str, schema: Json, *, example: Any = None, media: str = "application/json", **more: Any) -> Json:
    """What comes back."""
    content: Json = {"schema": schema}
    if example is not None:
        content["example"] = example
    return {"description": about, "content": {media: content}, **more}


def operation(
    name: str,
    title: str,
    *,
    tag: str,
    answers: Mapping[int, Json],
    about: str = "",
    parameters: tuple[Json, ...] = (),
    body: Json | None = None,
    examples: Mapping[str, Any] | None = None,
    needs_token: bool | None = None,
) -> Json:
    """One thing that can be asked for.

    Args:
        name: the operation's id; the official one where there is one.
        title: what it does, in a few words.
        tag: the group it belongs to.
        answers: by status.
        about: more words.
        parameters: of path and query.
        body: the schema of a JSON body.
        examples: bodies, by name.
        needs_token: False where it works without one as well, None where none is looked at.
    """
    described: Json = {"operationId": name, "summary": title, "tags": [tag]}
    if about:
        described["description"] = about
    if parameters:
        described["parameters"] = list(parameters)
    if body is not None:
        content: Json = {"schema": body}
        if examples:
            content["examples"] = {key: {"value": value} for key, value in examples.items()}
        described["requestBody"] = {"required": True, "content": {"application/json": content}}
    described["responses"] = {str(status): one for status, one in answers.items()}
    described["security"] = {None: [], False: [{}, {"bearerAuth": []}], True: [{"bearerAuth": []}]}[needs_token]
    return described


def _described(schema: Json, about: str) -> Json:
    return {**schema, "description": about} if about else schema
