"""Telegram's HTML parse mode: tags become entities, and what Telegram refuses is refused in its words.

The rules and the error texts follow `parse_html` of TDLib (td/telegram/MessageEntity.cpp). Offsets in entities count
UTF-16 code units; offsets in errors count bytes of the source, as Telegram's do.
See: https://core.telegram.org/bots/api#html-style
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from tradehook_sandbox.telegram.content.entities import link_target

if TYPE_CHECKING:
    from tradehook_sandbox.telegram.shapes import Json

KINDS = {
    "b": "bold", "strong": "bold",
    "i": "italic", "em": "italic",
    "u": "underline", "ins": "underline",
    "s": "strikethrough", "strike": "strikethrough", "del": "strikethrough",
    "span": "spoiler", "tg-spoiler": "spoiler",
    "a": "text_link", "code": "code", "pre": "pre", "blockquote": "blockquote", "tg-emoji": "custom_emoji",
}  # fmt: skip
NAMED = {"lt": "<", "gt": ">", "amp": "&", "quot": '"'}
REFERENCE = re.compile(r"&(?:#x(?P<hex>[0-9a-fA-F]*)|#(?P<decimal>[0-9]*)|(?P<name>[a-zA-Z]*));?")
NAME_TOKEN = re.compile(r"[a-zA-Z0-9.-]*")
LONGEST_LINK = 4096
LONGEST_REFERENCE = 10
SPACE = " \t\r\n\0\v"


class MarkupError(ValueError):
    """The HTML is not what Telegram accepts; the text is what it would answer after `can't parse entities: `."""


@dataclass(slots=True)
class Tag:
    """A start tag that waits for its end."""

    name: str
    argument: str
    begins_at: int  # in the plain text, UTF-16 units
    piece: int  # how many pieces of plain text stood before it


def parse_html(source: str) -> tuple[str, list[Json]]:
    """The plain text and its entities, in no particular order.

    Raises:
        MarkupError: an unknown, unclosed, unmatched or malformed tag.
    """
    return _Parser(source).parse()


class _Parser:
    def __init__(self, source: str) -> None:
        self.source = source
        self.at = 0
        self.pieces: list[str] = []
        self.length = 0
        self.open: list[Tag] = []
        self.entities: list[Json] = []

    def parse(self) -> tuple[str, list[Json]]:
        while self.at < len(self.source):
            character = self.source[self.at]
            if character == "<":
                self._tag()
            elif character == "&":
                self._add(self._reference())
            else:
                self.at += 1
                self._add(character)
        if self.open:
            raise MarkupError(f'Can\'t find end tag corresponding to start tag "{self.open[-1].name}"')
        text = "".join(self.pieces)
        if any("\ud800" <= character <= "\udfff" for character in text):
            raise MarkupError(
                "Text contains invalid Unicode characters after decoding HTML entities, check for unmatched surrogate "
                "code units"
            )
        for entity in self.entities:
            if entity["type"] == "code":
                entity.pop("language", None)  # a language alone does not make a block
        return text, self.entities

    def _add(self, piece: str) -> None:
        self.pieces.append(piece)
        self.length += 2 if piece > "\uffff" else 1

    def _fail(self, reason: str, at: int, more: str = "") -> NoReturn:
        offset = len(self.source[:at].encode(errors="surrogatepass"))
        raise MarkupError(f"{reason} at byte offset {offset}{more}")

    def _reference(self) -> str:
        """The character that `&...;` stands for, or the bare `&` where Telegram leaves it alone."""
        match = REFERENCE.match(self.source, self.at)
        decoded = None if match is None else _decoded(match)
        if match is None or decoded is None:
            self.at += 1
            return "&"
        self.at = match.end()
        return decoded

    def _peek(self) -> str:
        return self.source[self.at] if self.at < len(self.source) else ""

    def _skip(self, *, until: str) -> str:
        begin = self.at
        while self.at < len(self.source) and self.source[self.at] not in until:
            self.at += 1
        return self.source[begin : self.at]

    def _skip_space(self) -> None:
        while self.at < len(self.source) and self.source[self.at] in SPACE:
            self.at += 1

    def _tag(self) -> None:
        begin = self.at
        self.at += 1
        if self._peek() == "/":
            self.at += 1
            self._end_tag(begin)
        else:
            self._start_tag(begin)
        self.at += 1  # the closing bracket

    def _start_tag(self, begin: int) -> None:
        name = self._skip(until=SPACE + ">").lower()
        if not self._peek():
            self._fail("Unclosed start tag", begin)
        if name not in KINDS:
            self._fail(f'Unsupported start tag "{name}"', begin)
        argument = ""
        while self._peek() != ">":
            self._skip_space()
            if self._peek() == ">":
                break
            attribute, value = self._attribute(name, begin)
            argument = _argument(name, attribute, value) or argument
        if name == "span" and argument != "spoiler":
            self._fail('Tag "span" must have class "tg-spoiler"', begin)
        self.open.append(Tag(name, argument, self.length, len(self.pieces)))

    def _attribute(self, tag: str, begin: int) -> tuple[str, str]:
        attribute = self._skip(until=SPACE + "=>").lower()
        if not attribute:
            self._fail(f'Empty attribute name in the tag "{tag}"', begin)
        self._skip_space()
        if self._peek() != "=":
            if not self._peek():
                self._fail(f'Unclosed start tag "{tag}"', begin)
            return attribute, ""
        self.at += 1
        self._skip_space()
        if not self._peek():
            self._fail(f'Unclosed start tag "{tag}"', begin)
        value = self._quoted() if self._peek() in "'\"" else self._name_token()
        if not self._peek():
            self._fail("Unclosed start tag", begin)
        return attribute, value

    def _name_token(self) -> str:
        begin = self.at
        match = NAME_TOKEN.match(self.source, self.at)
        token = match.group() if match else ""
        self.at += len(token)
        if self._peek() not in (*SPACE, ">"):
            self._fail("Unexpected end of name token", begin)
        return token.lower()

    def _quoted(self) -> str:
        quote = self._peek()
        self.at += 1
        value: list[str] = []
        while self._peek() not in (quote, ""):
            if self._peek() == "&":
                value.append(self._reference())
            else:
                value.append(self._peek())
                self.at += 1
        if self._peek() == quote:
            self.at += 1
        return "".join(value)

    def _end_tag(self, begin: int) -> None:
        if not self.open:
            self._fail("Unexpected end tag", begin)
        name = self._skip(until=SPACE + ">").lower()
        self._skip_space()
        if self._peek() != ">":
            self._fail("Unclosed end tag", begin)
        tag = self.open[-1]
        if name and name != tag.name:
            self._fail("Unmatched end tag", begin, f', expected "</{tag.name}>", found "</{name}>"')
        self.open.pop()
        if self.length > tag.begins_at:
            self._close(tag)

    def _close(self, tag: Tag) -> None:
        entity: Json = {"type": KINDS[tag.name], "offset": tag.begins_at, "length": self.length - tag.begins_at}
        last = self.entities[-1] if self.entities else {}
        same_place = last.get("offset") == entity["offset"] and last.get("length") == entity["length"]
        if tag.name == "a":
            target = link_target(tag.argument or "".join(self.pieces[tag.piece : tag.piece + LONGEST_LINK]))
            if target is None:  # Telegram shows the text and drops a link that leads nowhere
                return
            entity |= target
        elif tag.name == "tg-emoji":
            if not tag.argument.isdecimal() or int(tag.argument[:19]) == 0:
                raise MarkupError("Invalid custom emoji identifier specified")
            entity["custom_emoji_id"] = tag.argument
        elif tag.name == "blockquote" and tag.argument:
            entity["type"] = "expandable_blockquote"
        elif tag.name == "pre" and same_place and last["type"] == "code" and last.get("language"):
            last["type"] = "pre"
            return
        elif tag.name == "code" and tag.argument:
            if same_place and last["type"] == "pre":
                last["language"] = tag.argument
                return
            entity["language"] = tag.argument
        self.entities.append(entity)


def _decoded(match: re.Match[str]) -> str | None:
    if match["name"] is not None:
        return NAMED.get(match["name"])
    digits, base = (match["hex"], 16) if match["hex"] is not None else (match["decimal"], 10)
    # TDLib reads at most nine characters of a numeric reference and leaves longer ones alone.
    if not digits or len(match.group().rstrip(";")) >= LONGEST_REFERENCE:
        return None
    code = int(digits, base)
    return chr(code) if 0 < code < sys.maxunicode else None


def _argument(tag: str, attribute: str, value: str) -> str:
    if tag == "a" and attribute == "href":
        return value
    if tag == "code" and attribute == "class" and value.startswith("language-"):
        return value.removeprefix("language-")
    if tag == "span" and attribute == "class" and value.startswith("tg-"):
        return value.removeprefix("tg-")
    if tag == "tg-emoji" and attribute == "emoji-id":
        return value
    return "expandable" if tag == "blockquote" and attribute == "expandable" else ""
