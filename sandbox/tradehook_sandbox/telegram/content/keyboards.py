"""`reply_markup`: read, checked the way Telegram checks it, and stored as it will be shown.

See: https://core.telegram.org/bots/api#inlinekeyboardmarkup
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from tradehook_sandbox.telegram.content.entities import checked_url
from tradehook_sandbox.telegram.shapes import Json, bad_request

LONGEST_DATA = 64  # bytes
LONGEST_COPY = 256
MOST_BUTTONS = 100
LARGEST_MARKUP = 10 * 1024
STYLES = frozenset({"danger", "success", "primary"})


@dataclass(frozen=True, slots=True)
class Markup:
    """What a bot wants under its message, or under the person's keyboard."""

    inline: list[list[Json]] = field(default_factory=list)
    reply_keyboard: Json | None = None


def parse_markup(source: str, *, inline_only: bool = False) -> Markup:
    """The keyboard; an empty source is an empty keyboard.

    Args:
        source: the JSON the bot sent.
        inline_only: an edit can only carry an inline keyboard.

    Raises:
        ApiError: not the shape Telegram expects, `callback_data` not of 1 to 64 bytes, a bad address, too much of it.
    """
    if not source:
        return Markup()
    try:
        value = json.loads(source)
    except (ValueError, RecursionError):
        raise bad_request("can't parse reply keyboard markup JSON object") from None
    if not isinstance(value, dict):
        raise bad_request("object expected as reply markup")
    inline = _inline(value.get("inline_keyboard"))
    other = _reply_keyboard(value)
    if inline_only and other is not None:
        raise bad_request("inline keyboard expected")
    return Markup(inline, None if inline else other)


def _rows(value: Any, field_name: str) -> list[list[Any]]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise bad_request(f'field "{field_name}" must be of type Array')
    if not all(isinstance(row, list) for row in value):
        owner = " of the InlineKeyboardMarkup" if field_name == "inline_keyboard" else ""
        raise bad_request(f'field "{field_name}"{owner} must be an Array of Arrays')
    return [row for row in value if row]


def _inline(value: Any) -> list[list[Json]]:
    rows = [[_inline_button(button) for button in row] for row in _rows(value, "inline_keyboard")]
    if sum(map(len, rows)) > MOST_BUTTONS or len(json.dumps(rows, ensure_ascii=False).encode()) > LARGEST_MARKUP:
        raise bad_request("REPLY_MARKUP_TOO_LONG")
    return rows


def _inline_button(button: Any) -> Json:
    reason = "can't parse inline keyboard button: "
    if not isinstance(button, dict):
        raise bad_request(f"{reason}InlineKeyboardButton must be an Object")
    text = _string(button, "text", reason)
    if text is None:
        raise bad_request(f'{reason}Can\'t find field "text"')
    if not text.strip():
        raise bad_request("BUTTON_TEXT_INVALID")
    clean: Json = {"text": text}
    if button.get("style") is not None:
        if button["style"] not in STYLES:
            raise bad_request(f"{reason}invalid button style specified")
        clean["style"] = button["style"]
    return clean | _deed(button, reason)


def _deed(button: Json, reason: str) -> Json:
    """What the button does: exactly one thing, the first that Telegram looks for."""
    url, data = _string(button, "url", reason), _string(button, "callback_data", reason)
    if url:
        return {"url": _web_address(url)}
    if data:
        if len(data.encode()) > LONGEST_DATA:
            raise bad_request("BUTTON_DATA_INVALID")
        return {"callback_data": data}
    for name in ("web_app", "login_url"):
        if button.get(name) is not None:
            holder = _object(button, name, reason)
            return {name: {"url": _web_address(_string(holder, "url", reason) or "", secure=True)}}
    for name in ("switch_inline_query", "switch_inline_query_current_chat"):
        if button.get(name) is not None:
            return {name: _string(button, name, reason)}
    if button.get("copy_text") is not None:
        copied = _string(_object(button, "copy_text", reason), "text", reason) or ""
        if not 1 <= len(copied) <= LONGEST_COPY:
            raise bad_request("BUTTON_COPY_TEXT_INVALID")
        return {"copy_text": {"text": copied}}
    # Telegram takes an empty callback_data for a button without any, and has one text for both.
    raise bad_request(f"{reason}Text buttons are unallowed in the inline keyboard")


def _web_address(url: str, *, secure: bool = False) -> str:
    checked = checked_url(url)
    if checked is None:
        what = "Unsupported URL protocol" if "://" in url and not url.startswith("http") else "Wrong HTTP URL"
        raise bad_request(f"inline keyboard button URL '{url}' is invalid: {what}")
    if secure and not checked.startswith("https://"):
        raise bad_request(f"inline keyboard button Web App URL '{url}' is invalid: Only HTTPS links are allowed")
    return checked


def _string(holder: Json, name: str, reason: str) -> str | None:
    value = holder.get(name)
    if value is None or isinstance(value, str):
        return value
    raise bad_request(f'{reason}Field "{name}" must be of type String')


def _object(holder: Json, name: str, reason: str) -> Json:
    value = holder[name]
    if isinstance(value, dict):
        return value
    raise bad_request(f'{reason}Field "{name}" must be of type Object')


def _reply_keyboard(value: Json) -> Json | None:
    rows = _rows(value.get("keyboard"), "keyboard")
    if rows:
        return {"rows": [[_reply_button(button) for button in row] for row in rows]}
    if value.get("remove_keyboard") is True:
        return {"rows": []}
    return {"force_reply": True} if value.get("force_reply") is True else None


def _reply_button(button: Any) -> str:
    text = button.get("text") if isinstance(button, dict) else button
    if isinstance(text, str) and text.strip():
        return text
    raise bad_request("can't parse keyboard button: KeyboardButton must be a String or an Object")
