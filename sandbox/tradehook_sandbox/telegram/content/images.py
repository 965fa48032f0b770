"""How large a picture is, from the first bytes of a PNG, JPEG, GIF or WebP: enough to refuse what Telegram refuses."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from tradehook_sandbox.telegram.shapes import bad_request

LARGEST_FILE = 10 * 1024 * 1024
LARGEST_SIDES = 10_000  # width and height together
LARGEST_RATIO = 20
START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


@dataclass(frozen=True, slots=True)
class Picture:
    """What the first bytes say."""

    width: int
    height: int
    media_type: str


def look_at(content: bytes) -> Picture:
    """The picture's size, when Telegram would take it as a photo.

    Raises:
        ApiError: empty, larger than 10 MiB, not a picture, or with impossible sides.
    """
    if not content:
        raise bad_request("file must be non-empty")
    if len(content) > LARGEST_FILE:
        raise bad_request(
            f"file of size {len(content)} bytes is too big for a photo; the maximum size is 10485760 bytes"
        )
    try:
        picture = _png(content) or _gif(content) or _webp(content) or _jpeg(content)
    except struct.error:  # cut short
        picture = None
    if picture is None:
        raise bad_request("IMAGE_PROCESS_FAILED")
    small, large = sorted((picture.width, picture.height))
    if small == 0 or small + large > LARGEST_SIDES or large > small * LARGEST_RATIO:
        raise bad_request("PHOTO_INVALID_DIMENSIONS")
    return picture


def _png(content: bytes) -> Picture | None:
    if not content.startswith(b"\x89PNG\r\n\x1a\n"):
        return None
    width, height = struct.unpack_from(">II", content, 16)
    return Picture(width, height, "image/png")


def _gif(content: bytes) -> Picture | None:
    if content[:6] not in (b"GIF87a", b"GIF89a"):
        return None
    width, height = struct.unpack_from("<HH", content, 6)
    return Picture(width, height, "image/gif")


def _webp(content: bytes) -> Picture | None:
    if content[:4] != b"RIFF" or content[8:12] != b"WEBP":
        return None
    kind = content[12:16]
    if kind == b"VP8X":
        width, height = content[24:27], content[27:30]
        return Picture(int.from_bytes(width, "little") + 1, int.from_bytes(height, "little") + 1, "image/webp")
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", content, 21)
        return Picture((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1, "image/webp")
    width_, height_ = struct.unpack_from("<HH", content, 26)
    return Picture(width_ & 0x3FFF, height_ & 0x3FFF, "image/webp")


def _jpeg(content: bytes) -> Picture | None:
    if not content.startswith(b"\xff\xd8"):
        return None
    at = 2
    while content[at : at + 1] == b"\xff" and at + 9 <= len(content):
        marker = content[at + 1]
        if marker in START_OF_FRAME:
            height, width = struct.unpack_from(">HH", content, at + 5)
            return Picture(width, height, "image/jpeg")
        (length,) = struct.unpack_from(">H", content, at + 2)
        at += 2 + max(length, 2)
    return None
