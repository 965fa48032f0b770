"""A message, and how each side sees it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from tradehook_sandbox.telegram.files import Document, Photo
    from tradehook_sandbox.telegram.groups import Group
    from tradehook_sandbox.telegram.people import User
    from tradehook_sandbox.telegram.shapes import Json


@dataclass(slots=True)
class Message:
    """One message, as it stands now.

    `text` is the caption when there is a photo or a document. `change` is the number of the last event that touched it.
    `thread` is the topic of a forum, or the thread of replies in a supergroup. `service` is what the group itself says.
    """

    id: int
    chat: User | Group
    sender: Json
    from_bot: bool
    date: datetime
    text: str
    entities: list[Json] = field(default_factory=list)
    photo: Photo | None = None
    document: Document | None = None
    keyboard: list[list[Json]] = field(default_factory=list)
    reply_keyboard: Json | None = None
    reply_to: Message | None = None
    thread: int | None = None
    service: Json = field(default_factory=dict)
    origin: Json = field(default_factory=dict)
    edited_at: datetime | None = None
    edits: int = 0
    deleted: bool = False
    change: int = 0
    author: int | None = None  # who really wrote it, also where Telegram hides that

    @property
    def has_caption(self) -> bool:
        """Whether the text stands below something else."""
        return self.photo is not None or self.document is not None

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
            **self._thread(),
        }
        if self.service:
            return message | self.service
        if self.photo is not None:
            message["photo"] = [self.photo.as_size()]
        if self.document is not None:
            message["document"] = self.document.as_document()
        if not self.has_caption:
            message["text"] = self.text
            message |= {"entities": self.entities} if self.entities else {}
        else:
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

    def _thread(self) -> Json:
        if self.thread is None:
            return {}
        is_topic = bool(self.chat.as_chat().get("is_forum"))
        return {"message_thread_id": self.thread} | ({"is_topic_message": True} if is_topic else {})

    def as_transcript(self) -> Json:
        """The message as the person's side reads it."""
        return {
            "message_id": self.id,
            "chat": self.chat.id,
            "from": "bot" if self.from_bot else "person",
            "name": self.sender.get("first_name", ""),
            "user": self.sender.get("id"),
            "thread": self.thread,
            "service": self.service,
            "date": self.date.isoformat(),
            "text": self.text,
            "entities": self.entities,
            "buttons": self.buttons(),
            "reply_keyboard": self.reply_keyboard,
            "photo": None if self.photo is None else {**self.photo.as_size(), "media_type": self.photo.media_type},
            "document": None if self.document is None else self.document.as_document(),
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
                        "style": button.get("style"),
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
