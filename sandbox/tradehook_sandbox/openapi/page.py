"""The descriptions as one HTML page: no scripts, nothing from elsewhere, readable on a phone and in the dark."""

from __future__ import annotations

import json
import re
from functools import cache
from html import escape
from typing import TYPE_CHECKING, Any, Final

from tradehook_sandbox.openapi import admin, exchange
from tradehook_sandbox.openapi.writing import AMOUNT, DIGITS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tradehook_sandbox.openapi.writing import Json

_STYLE: Final = """
:root { color-scheme: light dark; --ink: #1c2330; --soft: #5b6678; --page: #fff; --card: #f6f7f9; --line: #dfe3e9;
  --get: #0b6bcb; --post: #18794e; --delete: #c62a2f; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ef; --soft: #9aa5b8; --page: #12161d; --card: #1a202a;
  --line: #2c3543; --get: #6cb2ff; --post: #5fd394; --delete: #ff8f8f; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1rem 4rem; max-width: 62rem; color: var(--ink); background: var(--page);
  font: 16px/1.55 system-ui, sans-serif; }
h1 { font-size: 1.7rem; margin: 2.5rem 0 .5rem; } h1:first-child { margin-top: 0; }
h2 { font-size: 1.2rem; margin: 2rem 0 .6rem; border-bottom: 1px solid var(--line); padding-bottom: .25rem; }
h3 { font-size: .8rem; margin: 1rem 0 .3rem; color: var(--soft); letter-spacing: .02em; }
a { color: var(--get); } p { margin: .4rem 0; }
code, pre { font: .86em/1.5 ui-monospace, "DejaVu Sans Mono", monospace; overflow-wrap: anywhere; }
pre { overflow-x: auto; overflow-wrap: normal; padding: .7rem .9rem; border: 1px solid var(--line); border-radius: 6px;
  background: var(--page); margin: .3rem 0; }
details { background: var(--card); border: 1px solid var(--line); border-radius: 8px; margin: .5rem 0; }
summary { cursor: pointer; padding: .55rem .8rem; display: flex; flex-wrap: wrap; gap: .1rem .7rem;
  align-items: baseline; list-style: none; }
summary::-webkit-details-marker { display: none; }
summary:focus-visible { outline: 2px solid var(--get); border-radius: 8px; }
summary code { min-width: 25rem; }
summary:has(.open) code { min-width: auto; }
summary .says { color: var(--soft); font-size: .93rem; margin-left: auto; }
.method { font: 600 .78rem/1 ui-monospace, monospace; min-width: 3.7rem; }
.get { color: var(--get); } .post { color: var(--post); } .delete { color: var(--delete); }
.open { font-size: .75rem; color: var(--soft); border: 1px solid var(--line); border-radius: 99px; padding: 0 .5rem; }
.inside { padding: 0 .8rem .9rem; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; }
td { vertical-align: top; border-top: 1px solid var(--line); padding: .3rem .7rem .3rem 0; }
td:first-child { white-space: nowrap; } td:nth-child(2) { color: var(--soft); }
nav { display: flex; flex-wrap: wrap; gap: .3rem 1.1rem; margin: .8rem 0 0; }
footer { margin-top: 3rem; color: var(--soft); font-size: .9rem; }
@media (max-width: 48rem) { summary code { min-width: auto; } summary .says { flex-basis: 100%; }
  h1 { font-size: 1.4rem; } table, tbody, tr { display: block; }
  tr { border-top: 1px solid var(--line); padding: .35rem 0; }
  td { display: inline; border: 0; padding: 0 .5rem 0 0; } td:first-child { white-space: normal; } }
"""
_NAMES: Final = {"string": "text", "integer": "whole number", "boolean": "true or false"}
_FORMS: Final = {"date-time": "time", "uuid": "UUID", DIGITS: "decimal text", AMOUNT: "decimal text"}
_OPEN: Final = {None: "no token", False: "token optional", True: ""}


@cache
def page() -> str:
    """Both descriptions as one document."""
    parts = [("exchange", exchange.document()), ("admin", admin.document())]
    links = "".join(
        f'<nav><a href="#{name}"><b>{name.capitalize()}</b></a>'
        + "".join(f'<a href="#{name}-{_slug(tag["name"])}">{escape(tag["name"])}</a>' for tag in document["tags"])
        + f'<a href="#{name}-shapes">Shapes</a></nav>'
        for name, document in parts
    )
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>The sandbox: what it serves</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">'
        f"<style>{_STYLE}</style></head><body>"
        + "".join(
            "".join(_part(name, document, links if not index else "")) for index, (name, document) in enumerate(parts)
        )
        + '<footer>For programs: <a href="openapi/exchange.json">exchange.json</a>, '
        '<a href="openapi/admin.json">admin.json</a> (OpenAPI 3.1).</footer></body></html>'
    )


def _part(name: str, document: Json, links: str) -> Iterator[str]:
    yield f'<h1 id="{name}">{escape(document["info"]["title"])}</h1>{_prose(document["info"]["description"])}'
    if links:
        yield links
    for tag in document["tags"]:
        yield f'<h2 id="{name}-{_slug(tag["name"])}">{escape(tag["name"])}</h2>'
        for path, methods in document["paths"].items():
            for method, operation in methods.items():
                if operation["tags"] == [tag["name"]]:
                    yield from _operation(document, path, method, operation)
    yield f'<h2 id="{name}-shapes">Shapes</h2>'
    for shape, schema in document["components"]["schemas"].items():
        yield f"<details><summary><code>{shape}</code>"
        yield f'<span class="says">{_line(schema.get("description", ""))}</span></summary>'
        # The id is inside: a browser opens what is folded when a link leads into it.
        yield f'<div class="inside" id="{name}-shape-{shape}">{"".join(_fields(name, schema))}</div></details>'


def _operation(document: Json, path: str, method: str, operation: Json) -> Iterator[str]:
    name = "exchange" if "securitySchemes" in document["components"] else "admin"
    needs = {"[]": None, '[{}, {"bearerAuth": []}]': False}.get(json.dumps(operation["security"]), True)
    badge = f'<span class="open">{_OPEN[needs]}</span>' if _OPEN[needs] and name == "exchange" else ""
    yield f'<details id="{operation["operationId"]}"><summary><span class="method {method}">{method.upper()}</span>'
    yield f'<code>{escape(path)}</code>{badge}<span class="says">{escape(operation["summary"])}</span></summary>'
    yield f'<div class="inside">{_prose(operation.get("description", ""))}'
    if parameters := operation.get("parameters"):
        rows = (
            _row(one["name"], one["schema"], name, about=one["description"], is_needed=one["required"])
            for one in parameters
        )
        yield f"<h3>Parameters</h3><table>{''.join(rows)}</table>"
    if body := operation.get("requestBody"):
        content = body["content"]["application/json"]
        shape = content["schema"].get("$ref", "").rpartition("/")[2]
        schema = document["components"]["schemas"][shape] if shape else content["schema"]
        yield f"<h3>Body</h3>{_prose(schema.get('description', ''))}{''.join(_fields(name, schema))}"
        for title, example in content.get("examples", {}).items():
            shown = escape(json.dumps(example["value"], indent=2))
            yield f"<h3>Example: {escape(title)}</h3><pre>{shown}</pre>"
    yield "<h3>Answers</h3><table>"
    for status, one in operation["responses"].items():
        schema = next(iter(one["content"].values()))["schema"]
        about = _line(one["description"])
        yield f"<tr><td><code>{status}</code></td><td>{_kind(schema, name)}</td><td>{about}</td></tr>"
    yield "</table></div></details>"


def _fields(name: str, schema: Json) -> Iterator[str]:
    """An object's fields as a table; whatever else it is, in one line."""
    if choices := [one for one in schema.get("anyOf") or schema.get("oneOf") or () if "properties" in one]:
        for number, one in enumerate(choices):
            yield "<p>or</p>" if number else ""
            yield from _fields(name, one)
        return
    if "properties" not in schema:
        yield f"<p>{_kind(schema, name)}</p>"
        return
    needed = schema.get("required", [])
    rows = (_row(field, one, name, is_needed=field in needed) for field, one in schema["properties"].items())
    yield f"<table>{''.join(rows)}</table>"


def _row(field: str, schema: Json, name: str, *, about: str = "", is_needed: bool) -> str:
    optional = "" if is_needed else ", optional"
    said = " ".join(part for part in (about, schema.get("description", "")) if part)
    return (
        f"<tr><td><code>{escape(field)}</code></td><td>{_kind(schema, name)}{optional}</td><td>{_line(said)}</td></tr>"
    )


def _kind(schema: Json, name: str) -> str:
    """What sort of value it is, in a few words."""
    if "$ref" in schema:
        shape = schema["$ref"].rpartition("/")[2]
        return f'<a href="#{name}-shape-{shape}">{shape}</a>'
    for joint in ("anyOf", "oneOf", "allOf"):
        if joint in schema and "type" not in schema:
            return (" and " if joint == "allOf" else " or ").join(_kind(one, name) for one in schema[joint])
    if schema.get("type") == "array":
        return f"list of {_kind(schema['items'], name)}"
    if isinstance(schema.get("additionalProperties"), dict):
        return f"object of {_kind(schema['additionalProperties'], name)}"
    if "enum" in schema:
        return ", ".join(f"<code>{escape(_plain(one))}</code>" for one in schema["enum"])
    kinds: list[str] = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    words = " or ".join(_NAMES.get(kind, kind) for kind in kinds)
    if form := _FORMS.get(schema.get("format") or schema.get("pattern") or ""):
        words = words.replace("text", form, 1)
    low, high = schema.get("minimum"), schema.get("maximum")
    words += f" from {low} to {high}" if low is not None and high is not None else ""
    return words + (f", usually <code>{escape(_plain(schema['default']))}</code>" if "default" in schema else "")


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _prose(words: str) -> str:
    return "".join(f"<p>{_line(part)}</p>" for part in words.strip().split("\n\n") if part)


def _line(words: str) -> str:
    return re.sub("`([^`]+)`", r"<code>\1</code>", escape(words, quote=False))


def _slug(words: str) -> str:
    return words.lower().replace(" ", "-")
