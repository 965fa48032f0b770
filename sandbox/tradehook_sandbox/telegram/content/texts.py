"""A text on its way into a message: cleaned, parsed, trimmed, measured."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tradehook_sandbox.telegram.content.entities import put_together, sent_by_bot, trimmed, utf16_length
from tradehook_sandbox.telegram.content.markup import MarkupError, parse_html
from tradehook_sandbox.telegram.shapes import bad_request

if TYPE_CHECKING:
    from tradehook_sandbox.telegram.shapes import Json

LONGEST_TEXT = 4096
LONGEST_CAPTION = 1024
LONGEST_SOURCE = (
    64 * 1024
)  # markup included; nothing Telegram takes is near this, and parsing more would only cost time
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")


@dataclass(frozen=True, slots=True)
class FormattedText:
    """Plain text and its entities, as they will stand in the message."""

    text: str
    entities: list[Json]


def cleaned(source: str) -> str:
    """The text without control characters, which Telegram turns into spaces; line ends and tabs stay."""
    return CONTROL.sub(" ", source.replace("\r", ""))


def formatted(source: str, *, longest: int, too_long: str, parse_mode: str = "", entities: str = "") -> FormattedText:
    """The text after markup, cleaning and trimming.

    Args:
        source: what the bot sent.
        longest: how many UTF-16 units may remain.
        too_long: Telegram's words when more remain.
        parse_mode: `HTML`, or empty for plain text. Telegram's two Markdown modes are not read here.
        entities: a JSON array, used where there is no parse mode.

    Raises:
        ApiError: the markup is malformed, the mode unknown, the text too long.
    """
    if len(source) > LONGEST_SOURCE:
        raise bad_request(too_long)
    text = cleaned(source)
    written: list[Json] = []
    mode = parse_mode.strip().lower()
    if mode == "html":
        try:
            text, written = parse_html(text)
        except MarkupError as error:
            raise bad_request(f"can't parse entities: {error}") from None
    elif mode in {"markdown", "markdownv2"}:
        raise bad_request(f"unsupported parse_mode: the sandbox reads HTML and plain text, not {parse_mode}")
    elif mode not in {"", "none"}:
        raise bad_request("unsupported parse_mode")
    elif entities:
        written = sent_by_bot(_array(entities), text)
    text, written = trimmed(text, written)
    if utf16_length(text) > longest:
        raise bad_request(too_long)
    return FormattedText(text, put_together(written, text))


def _array(source: str) -> object:
    try:
        parsed: object = json.loads(source)
    except (ValueError, RecursionError):
        raise bad_request("can't parse entities: can't parse entities JSON object") from None
    return parsed


def message_text(source: str, *, too_long: str, parse_mode: str = "", entities: str = "") -> FormattedText:
    """The text of a message, 1 to 4096 characters after parsing.

    Raises:
        ApiError: empty, longer (with the words of `too_long`, which differ between sending and editing), malformed.
    """
    if not source:
        raise bad_request("message text is empty")
    result = formatted(source, longest=LONGEST_TEXT, too_long=too_long, parse_mode=parse_mode, entities=entities)
    if not result.text:
        raise bad_request("text must be non-empty")
    return result


def caption_text(source: str, *, parse_mode: str = "", entities: str = "") -> FormattedText:
    """The caption of a photo, 0 to 1024 characters after parsing.

    Raises:
        ApiError: longer, or malformed.
    """
    too_long = "message caption is too long"
    return formatted(source, longest=LONGEST_CAPTION, too_long=too_long, parse_mode=parse_mode, entities=entities)
