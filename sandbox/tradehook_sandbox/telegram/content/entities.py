"""Entities of a text: those Telegram finds by itself, those a bot sends, and how the two are put together.

Offsets and lengths count UTF-16 code units. See: https://core.telegram.org/bots/api#messageentity
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tradehook_sandbox.telegram.shapes import bad_request

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tradehook_sandbox.telegram.shapes import Json

FOUND = (
    ("bot_command", re.compile(r"(?<![\w/<>@])/[A-Za-z0-9_]{1,64}(?:@[A-Za-z0-9_]{3,32})?(?![\w/<>@])")),
    ("mention", re.compile(r"(?<![\w@])@[A-Za-z][A-Za-z0-9_]{3,31}(?![\w@])")),
    ("url", re.compile(r"https?://[^\s<>\"]+(?<![.,:;!?)\]'])")),
)
# Which of two entities at the same place is the outer one. From TDLib's get_type_priority.
ORDER = {"expandable_blockquote": 0, "blockquote": 0, "pre": 11, "code": 20, "text_link": 49, "text_mention": 49,
         "bold": 90, "italic": 91, "underline": 92, "strikethrough": 93, "spoiler": 94, "custom_emoji": 99}  # fmt: skip
OUTER = 50
MOST = 100  # a message keeps this many entities; Telegram drops the rest in silence
SENT_BY_BOTS = (
    frozenset(ORDER) | {kind for kind, _ in FOUND} | {"hashtag", "cashtag", "email", "phone_number", "date_time"}
)
PLAIN_INSIDE = frozenset({"pre", "code"})
MENTION_LINK = re.compile(r"tg:(?://)?user\?id=(\d{1,16})", re.IGNORECASE)
HOST = re.compile(r"[^\s/?#@:]+\.[^\s/?#@:.]+|localhost|\d+\.\d+\.\d+\.\d+")


def utf16_length(text: str) -> int:
    """How long Telegram thinks the text is."""
    return len(text) + sum(character > "\uffff" for character in text)


def utf16_slice(text: str, offset: int, length: int) -> str:
    """The part of the text that an entity covers."""
    units = text.encode("utf-16-le", errors="surrogatepass")
    return units[2 * offset : 2 * (offset + length)].decode("utf-16-le", errors="replace")


def found_in(text: str) -> list[Json]:
    """Commands, mentions and links, as Telegram marks them in any text without being asked."""
    found: list[Json] = []
    for kind, pattern in FOUND:
        for match in pattern.finditer(text):
            if len(found) == MOST:
                return found
            entity = {
                "type": kind,
                "offset": utf16_length(text[: match.start()]),
                "length": utf16_length(match.group()),
            }
            if not any(_overlap(entity, other) for other in found):
                found.append(entity)
    return found


def put_together(written: Iterable[Json], text: str) -> list[Json]:
    """The entities of a message: written ones, and found ones where they do not cross; outer before inner."""
    kept = sorted(written, key=_place)[:MOST]
    plain = [entity for entity in kept if entity["type"] in PLAIN_INSIDE]
    kept = [
        entity
        for entity in kept
        if entity["type"] in PLAIN_INSIDE
        or not any(_overlap(entity, outer) and _within(entity, outer) for outer in plain)
    ]
    closed = [entity for entity in kept if entity["type"] in {*PLAIN_INSIDE, "text_link", "text_mention"}]
    kept += [entity for entity in found_in(text) if not any(_overlap(entity, other) for other in closed)]
    return sorted(kept, key=_place)[:MOST]


def _place(entity: Json) -> tuple[int, int, int]:
    return entity["offset"], -entity["length"], ORDER.get(entity["type"], OUTER)


def _overlap(one: Json, other: Json) -> bool:
    return bool(one["offset"] < other["offset"] + other["length"] and other["offset"] < one["offset"] + one["length"])


def _within(inner: Json, outer: Json) -> bool:
    ends = inner["offset"] + inner["length"] <= outer["offset"] + outer["length"]
    return bool(inner["offset"] >= outer["offset"] and ends and "blockquote" not in inner["type"])


def trimmed(text: str, entities: list[Json]) -> tuple[str, list[Json]]:
    """Text without white space around it, as Telegram stores it; entities moved and cut to fit."""
    stripped = text.strip(" \t\r\n\v\f")
    lead = utf16_length(text[: text.find(stripped)]) if stripped else 0
    length = utf16_length(stripped)
    kept: list[Json] = []
    for entity in entities:
        begin = max(entity["offset"] - lead, 0)
        end = min(entity["offset"] + entity["length"] - lead, length)
        if end > begin:
            kept.append({**entity, "offset": begin, "length": end - begin})
    return stripped, kept


def sent_by_bot(value: Any, text: str) -> list[Json]:
    """The `entities` a bot sent instead of a parse mode.

    Raises:
        ApiError: not an array of entities, of an unknown type, or outside the text.
    """
    if not isinstance(value, list):
        raise bad_request("can't parse entities: expected an Array of MessageEntity")
    return [_sent_entity(entity, utf16_length(text)) for entity in value]


def _sent_entity(entity: Any, length: int) -> Json:
    reason = "can't parse entities: can't parse MessageEntity: "
    if not isinstance(entity, dict):
        raise bad_request(f"{reason}expected an Object")
    numbers = [entity.get("offset"), entity.get("length")]
    if not all(isinstance(number, int) and not isinstance(number, bool) for number in numbers):
        raise bad_request(f'{reason}Field "offset" and Field "length" must be of type Number')
    if entity.get("type") not in SENT_BY_BOTS:
        raise bad_request(f"{reason}unsupported MessageEntity type specified")
    begin, size = entity["offset"], entity["length"]
    if begin < 0 or size <= 0 or begin + size > length:
        raise bad_request(f"entity beginning at UTF-16 offset {begin} ends after the end of the text")
    clean: Json = {"type": entity["type"], "offset": begin, "length": size}
    for name in ("language", "custom_emoji_id"):
        if isinstance(entity.get(name), str):
            clean[name] = entity[name]
    if clean["type"] in {"text_link", "text_mention"}:
        url = entity.get("url")
        target = link_target(url) if isinstance(url, str) else None
        if target is None:
            raise bad_request(f"entity URL '{url}' is invalid: Wrong HTTP URL")
        clean |= target
    return clean


def link_target(url: str) -> Json | None:
    """Where a link leads: `url`, or `user` for `tg://user?id=`; None for an address that is none."""
    person = MENTION_LINK.fullmatch(url.strip())
    if person:
        user = {"id": int(person[1]), "is_bot": False, "first_name": ""}
        return {"type": "text_mention", "user": user} if user["id"] else None
    checked = checked_url(url)
    return None if checked is None else {"type": "text_link", "url": checked}


def checked_url(url: str) -> str | None:
    """The address as Telegram would store it (a scheme, a path), or None where it is no web address."""
    url = url.strip()
    with_scheme = url if "://" in url or url.startswith("tg:") else f"http://{url}"
    try:
        parts = urlsplit(with_scheme)
        host = parts.hostname or ""
    except ValueError:
        return None
    if parts.scheme in {"tg", "ton"}:
        return with_scheme
    if parts.scheme not in {"http", "https"} or not HOST.fullmatch(host) or any(map(str.isspace, with_scheme)):
        return None
    return with_scheme if parts.path or parts.query or parts.fragment else f"{with_scheme}/"
