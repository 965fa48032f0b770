"""A message, a photo, and how each side sees them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from tradehook_sandbox.telegram.people import User
    from tradehook_sandbox.telegram.shapes import Json


@dataclass(frozen=True, slots=True)
class Photo:
    """A picture a bot uploaded; the bytes are kept so that a person can look at it."""

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


@dataclass(slots=True)
class Message:
    """One message of a private chat, as it stands now.

    `text` is the caption when there is a photo. `change` is the number of the last event that touched the message.
    """

    id: int
    chat: User
    sender: Json
    from_bot: bool
    date: datetime
    text: str
    entities: list[Json] = field(default_factory=list)
    photo: Photo | None = None
    keyboard: list[list[Json]] = field(default_factory=list)
    reply_keyboard: Json | None = None
    reply_to: Message | None = None
    origin: Json = field(default_factory=dict)
    edited_at: datetime | None = None
    edits: int = 0
    deleted: bool = False
    change: int = 0

    def as_api(self, *, with_reply: bool = True) -> Json:
        """The Bot API's `Message`; a deleted one is `InaccessibleMessage`."""
        if self.deleted:
            return {"chat": self.chat.as_chat(), "message_id": self.id, "date": 0}
        message: Json = {
            "message_id": self.id,
            "from": self.sender,
            "chat": self.chat.as_chat(),
            "date": int(self.date.timestamp()),
            **self.origin,
        }
        if self.photo is None:
            message["text"] = self.text
            message |= {"entities": self.entities} if self.entities else {}
        else:
            message["photo"] = [self.photo.as_size()]
            message |= {"caption": self.text} if self.text else {}
            message |= {"caption_entities": self.entities} if self.entities else {}
        if self.keyboard:
            message["reply_markup"] = {"inline_keyboard": self.keyboard}
        if self.edited_at is not None:
            message["edit_date"] = int(self.edited_at.timestamp())
        # Telegram shows one level of replies and no more, whatever the thread looks like.
        if with_reply and self.reply_to is not None and not self.reply_to.deleted:
            message["reply_to_message"] = self.reply_to.as_api(with_reply=False)
        return message

    def as_transcript(self) -> Json:
        """The message as the person's side reads it."""
        return {
            "message_id": self.id,
            "chat": self.chat.id,
            "from": "bot" if self.from_bot else "person",
            "name": self.sender.get("first_name", ""),
            "date": self.date.isoformat(),
            "text": self.text,
            "entities": self.entities,
            "buttons": self.buttons(),
            "reply_keyboard": self.reply_keyboard,
            "photo": None if self.photo is None else {**self.photo.as_size(), "media_type": self.photo.media_type},
            "reply_to": None if self.reply_to is None else self.reply_to.id,
            "origin": self.origin,
            "edits": self.edits,
            "edited_at": None if self.edited_at is None else self.edited_at.isoformat(),
            "deleted": self.deleted,
            "change": self.change,
        }

    def buttons(self) -> list[Json]:
        """The inline buttons in reading order; those that can be pressed are numbered from 1."""
        found: list[Json] = []
        pressable = 0
        for row, buttons in enumerate(self.keyboard):
            for button in buttons:
                data = button.get("callback_data")
                pressable += data is not None
                found.append(
                    {
                        "number": pressable if data is not None else None,
                        "row": row,
                        "text": button["text"],
                        "data": data,
                        "url": _opens(button),
                        "copies": button.get("copy_text", {}).get("text"),
                    }
                )
        return found


def _opens(button: Json) -> str | None:
    for holder in (button, button.get("web_app", {}), button.get("login_url", {})):
        url = holder.get("url")
        if isinstance(url, str):
            return url
    return None
