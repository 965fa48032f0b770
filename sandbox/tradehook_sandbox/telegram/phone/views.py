"""What the person's side sees of a message, as plain values. Made from the sandbox's JSON, by `Remote`'s users."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tradehook_sandbox.telegram.shapes import Json


@dataclass(frozen=True, slots=True)
class Button:
    """An inline button. `number` is None for one that opens or copies something instead of telling the bot."""

    number: int | None
    row: int
    text: str
    data: str | None
    url: str | None
    copies: str | None
    style: str | None = None


@dataclass(frozen=True, slots=True)
class SeenMessage:
    """A message as it stood when it was read; a later edit makes another one with the same id.

    `user` is who Telegram says sent it, `thread` the topic, `service` what the group itself said.
    """

    id: int
    chat: int
    from_bot: bool
    name: str
    date: str
    text: str
    entities: tuple[Json, ...]
    buttons: tuple[Button, ...]
    reply_keyboard: Json | None
    photo: Json | None
    edits: int
    edited_at: str | None
    deleted: bool
    document: Json | None = None
    user: int | None = None
    thread: int | None = None
    service: Json | None = None

    @property
    def pressable(self) -> tuple[Button, ...]:
        """The buttons that tell the bot something, in the order of their numbers."""
        return tuple(button for button in self.buttons if button.number is not None)


def seen_message(message: Json) -> SeenMessage:
    """The message of a transcript or an event."""
    return SeenMessage(
        id=message["message_id"],
        chat=message["chat"],
        from_bot=message["from"] == "bot",
        name=message["name"],
        date=message["date"],
        text=message["text"],
        entities=tuple(message["entities"]),
        buttons=tuple(Button(**button) for button in message["buttons"]),
        reply_keyboard=message["reply_keyboard"],
        photo=message["photo"],
        document=message["document"],
        edits=message["edits"],
        edited_at=message["edited_at"],
        deleted=message["deleted"],
        user=message["user"],
        thread=message["thread"],
        service=message["service"] or None,
    )
