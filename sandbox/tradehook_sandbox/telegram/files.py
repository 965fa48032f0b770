"""What a bot uploaded: pictures and documents, kept in memory so that both sides can load them again."""

from __future__ import annotations

import mimetypes
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tradehook_sandbox.telegram.shapes import bad_request

if TYPE_CHECKING:
    from tradehook_sandbox.telegram.content.images import Picture
    from tradehook_sandbox.telegram.shapes import Json

LONGEST_FILE_NAME = 60


@dataclass(frozen=True, slots=True)
class Photo:
    """A picture a bot uploaded."""

    file_id: str
    unique_id: str
    content: bytes
    width: int
    height: int
    media_type: str

    def as_size(self) -> Json:
        """The Bot API's `PhotoSize`."""
        return {
            "file_id": self.file_id,
            "file_unique_id": self.unique_id,
            "width": self.width,
            "height": self.height,
            "file_size": len(self.content),
        }

    @property
    def path(self) -> str:
        """Where getFile says that it is."""
        return f"photos/{self.file_id}"


@dataclass(frozen=True, slots=True)
class Document:
    """A file of any kind a bot uploaded."""

    file_id: str
    unique_id: str
    content: bytes
    name: str
    media_type: str

    def as_document(self) -> Json:
        """The Bot API's `Document`."""
        return {
            "file_id": self.file_id,
            "file_unique_id": self.unique_id,
            "file_name": self.name,
            "mime_type": self.media_type,
            "file_size": len(self.content),
        }

    @property
    def path(self) -> str:
        """Where getFile says that it is."""
        return f"documents/{self.file_id}"


def new_photo(content: bytes, picture: Picture) -> Photo:
    """The picture, under a new id."""
    return Photo(
        file_id=f"AgACAg{secrets.token_urlsafe(36)}",
        unique_id=f"AQAD{secrets.token_urlsafe(9)}",
        content=content,
        width=picture.width,
        height=picture.height,
        media_type=picture.media_type,
    )


def new_document(content: bytes, name: str) -> Document:
    """The file, under a new id and a name that is safe to save it by.

    Raises:
        ApiError: it is empty.
    """
    if not content:
        raise bad_request("file must be non-empty")
    name = "".join(character for character in name if character.isprintable() and character not in '/\\:"')
    name = name.lstrip(".")[-LONGEST_FILE_NAME:] or "file"
    return Document(
        file_id=f"BQACAg{secrets.token_urlsafe(36)}",
        unique_id=f"AgAD{secrets.token_urlsafe(9)}",
        content=content,
        name=name,
        media_type=mimetypes.guess_type(name)[0] or "application/octet-stream",
    )
