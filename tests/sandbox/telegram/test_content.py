"""Keyboards, pictures and command menus: what Telegram takes and what it refuses."""

from __future__ import annotations

import json
import struct
from typing import Any

import pytest

from tradehook_sandbox.telegram.commands import CommandMenus, read_commands, read_scope
from tradehook_sandbox.telegram.content.images import look_at
from tradehook_sandbox.telegram.content.keyboards import parse_markup
from tradehook_sandbox.telegram.shapes import ApiError

BAD_URL = "inline keyboard button URL '{}' is invalid: {}"
TEXT_BUTTON = "can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard"


def png(width: int, height: int) -> bytes:
    """The first bytes of a picture, which are all that is read."""
    return b"\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR" + struct.pack(">II", width, height)


def keyboard(*buttons: Any) -> str:
    """An inline keyboard of one row."""
    return json.dumps({"inline_keyboard": [list(buttons)]})


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("{", "can't parse reply keyboard markup JSON object"),
        ("[" * 100_000, "can't parse reply keyboard markup JSON object"),
        ("[]", "object expected as reply markup"),
        ('{"inline_keyboard": {}}', 'field "inline_keyboard" must be of type Array'),
        ('{"inline_keyboard": [{}]}', 'field "inline_keyboard" of the InlineKeyboardMarkup must be an Array of Arrays'),
        (keyboard("x"), "can't parse inline keyboard button: InlineKeyboardButton must be an Object"),
        (keyboard({"callback_data": "x"}), 'can\'t parse inline keyboard button: Can\'t find field "text"'),
        (keyboard({"text": 5}), 'can\'t parse inline keyboard button: Field "text" must be of type String'),
        (keyboard({"text": " ", "callback_data": "x"}), "BUTTON_TEXT_INVALID"),
        (keyboard({"text": "x"}), TEXT_BUTTON),
        (keyboard({"text": "x", "callback_data": ""}), TEXT_BUTTON),
        (keyboard({"text": "x", "callback_data": "é" * 33}), "BUTTON_DATA_INVALID"),
        (keyboard({"text": "x", "url": "no address"}), BAD_URL.format("no address", "Wrong HTTP URL")),
        (keyboard({"text": "x", "url": "ftp://a.b"}), BAD_URL.format("ftp://a.b", "Unsupported URL protocol")),
        (keyboard({"text": "x", "copy_text": {"text": ""}}), "BUTTON_COPY_TEXT_INVALID"),
        (keyboard(*[{"text": "x", "callback_data": "y"}] * 101), "REPLY_MARKUP_TOO_LONG"),
        ('{"keyboard": [[5]]}', "can't parse keyboard button: KeyboardButton must be a String or an Object"),
    ],
)  # fmt: skip
def test_bad_keyboards_are_refused(source: str, reason: str) -> None:
    """The shape is checked field by field, data by its bytes."""
    with pytest.raises(ApiError) as refusal:
        parse_markup(source)
    assert refusal.value.description == f"Bad Request: {reason}"


def test_good_keyboards_are_kept_as_they_will_be_shown() -> None:
    """64 bytes of data fit; empty rows go; what Telegram does not know is not stored."""
    data = "é" * 32
    source = {
        "inline_keyboard": [[{"text": "a", "callback_data": data, "colour": 1}], [], [{"text": "b", "url": "e.org"}]]
    }
    assert parse_markup(json.dumps(source)).inline == [
        [{"text": "a", "callback_data": data}],
        [{"text": "b", "url": "http://e.org/"}],
    ]
    assert parse_markup("").inline == parse_markup('{"inline_keyboard": []}').inline == []
    assert parse_markup('{"keyboard": [["Yes", {"text": "No"}]]}').reply_keyboard == {"rows": [["Yes", "No"]]}
    with pytest.raises(ApiError, match="inline keyboard expected"):
        parse_markup('{"remove_keyboard": true}', inline_only=True)


@pytest.mark.parametrize(
    ("content", "size"),
    [
        (png(30, 20), (30, 20, "image/png")),
        (b"GIF89a\x1e\x00\x14\x00rest", (30, 20, "image/gif")),
        (b"\xff\xd8\xff\xe0\x00\x04ab\xff\xc0\x00\x0b\x08\x00\x14\x00\x1e\x01", (30, 20, "image/jpeg")),
        (b"RIFF____WEBPVP8L" + b"\0" * 5 + (29 | 19 << 14).to_bytes(4, "little"), (30, 20, "image/webp")),
        (b"RIFF____WEBPVP8 " + b"\0" * 10 + b"\x1e\0\x14\0", (30, 20, "image/webp")),
        (b"RIFF____WEBPVP8X" + b"\0" * 8 + b"\x1d\0\0\x13\0\0", (30, 20, "image/webp")),
    ],
)
def test_a_pictures_size_is_read(content: bytes, size: tuple[int, int, str]) -> None:
    """From its first bytes, in the four formats a chart may have."""
    picture = look_at(content)
    assert (picture.width, picture.height, picture.media_type) == size


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "file must be non-empty"),
        (b"plain text", "IMAGE_PROCESS_FAILED"),
        (b"\x89PNG\r\n\x1a\n", "IMAGE_PROCESS_FAILED"),
        (b"\xff\xd8\xff\xe0", "IMAGE_PROCESS_FAILED"),
        (png(9_999, 2), "PHOTO_INVALID_DIMENSIONS"),
        (png(1, 21), "PHOTO_INVALID_DIMENSIONS"),
        (b"\x89PNG" + b"x" * 10_485_760, "file of size 10485764 bytes is too big for a photo"),
    ],
)
def test_what_is_no_photo_is_refused(content: bytes, reason: str) -> None:
    """Empty, cut short, not a picture, too large, or of impossible sides."""
    with pytest.raises(ApiError, match=reason):
        look_at(content)


def test_the_narrowest_menu_wins() -> None:
    """A person sees the menu of their chat, then of all private chats, then the default; their language first."""
    menus, ann = CommandMenus(), 42
    commands = {name: read_commands([{"command": name, "description": "d"}]) for name in ("a", "b", "c", "d")}
    menus.set(read_scope(None), "", commands["a"])
    assert menus.shown_to(ann, "de") == commands["a"]
    menus.set(read_scope({"type": "all_private_chats"}), "", commands["b"])
    menus.set(read_scope({"type": "all_private_chats"}), "de", commands["c"])
    assert menus.shown_to(ann, None) == commands["b"]
    assert menus.shown_to(ann, "de") == commands["c"]
    menus.set(read_scope({"type": "chat", "chat_id": ann}), "", commands["d"])
    assert menus.shown_to(ann, "de") == commands["d"]
    menus.set(read_scope({"type": "chat", "chat_id": ann}), "", [])
    assert menus.shown_to(ann, None) == commands["b"]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({}, "expected an Array of BotCommand"),
        ([5], "BotCommand must be an Object"),
        ([{"command": "buy"}], "must be of type String"),
        ([{"command": "Buy!", "description": "x"}], "BOT_COMMAND_INVALID"),
        ([{"command": "x" * 33, "description": "x"}], "BOT_COMMAND_INVALID"),
        ([{"command": "buy", "description": " "}], "BOT_COMMAND_DESCRIPTION_INVALID"),
        ([{"command": "buy", "description": "x"}] * 101, "BOT_COMMANDS_TOO_MUCH"),
    ],
)
def test_bad_commands_are_refused(value: object, reason: str) -> None:
    """Names are 1 to 32 of a-z, 0-9 and _; descriptions 1 to 256 characters; a hundred at most."""
    with pytest.raises(ApiError, match=reason):
        read_commands(value)
