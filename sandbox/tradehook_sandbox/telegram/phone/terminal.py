"""Messages as a terminal shows them: entities as styles, buttons with their numbers."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from rich.text import Text

from tradehook_sandbox.telegram.content.entities import utf16_length

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tradehook_sandbox.telegram.phone.views import Button, SeenMessage
    from tradehook_sandbox.telegram.shapes import Json

STYLES = {
    "bold": "bold",
    "italic": "italic",
    "underline": "underline",
    "strikethrough": "strike",
    "spoiler": "dim",
    "code": "cyan",
    "pre": "cyan",
    "blockquote": "italic dim",
    "expandable_blockquote": "italic dim",
    "bot_command": "blue",
    "mention": "blue",
    "url": "blue underline",
    "text_link": "blue underline",
}


def styled(text: str, entities: Iterable[Json]) -> Text:
    """The text with its entities as styles; a link whose address is not its text has the address behind it."""
    shown = Text(text)
    places = _places(text)
    links: list[tuple[int, str]] = []
    for entity in entities:
        begin = places.get(entity["offset"], len(text))
        end = places.get(entity["offset"] + entity["length"], len(text))
        if entity["type"] in STYLES:
            shown.stylize(STYLES[entity["type"]], begin, end)
        if entity["type"] == "text_link":
            links.append((end, entity["url"]))
    for end, url in sorted(links, reverse=True):
        shown = shown[:end].append(f" <{url}>", style="dim").append_text(shown[end:])
    return shown


def _places(text: str) -> dict[int, int]:
    """Where in the string a UTF-16 offset lies."""
    places: dict[int, int] = {}
    at = 0
    for index, character in enumerate(text):
        places[at] = index
        at += utf16_length(character)
    places[at] = len(text)
    return places


def headline(message: SeenMessage, remark: str = "") -> Text:
    """Who said it and when, or when it was last edited."""
    style = "bold green" if message.from_bot else "bold"
    clock = datetime.fromisoformat(message.edited_at or message.date).astimezone().strftime("%H:%M:%S")
    name = message.name if message.from_bot else "you"
    return Text.assemble((name, style), (f"  {clock}{'  ' if remark else ''}{remark}", "dim"))


def content_of(message: SeenMessage, photo_path: str | None = None) -> list[Text]:
    """The picture's or the file's path, the text, the buttons."""
    parts: list[Text] = []
    if message.photo is not None:
        size = f"{message.photo['width']}x{message.photo['height']}"
        parts.append(Text(f"[picture {size}, {photo_path or 'not saved'}]", style="magenta"))
    if message.document is not None:
        name, size = message.document["file_name"], message.document["file_size"]
        parts.append(Text(f"[file {name}, {size} bytes, {photo_path or 'not saved'}]", style="magenta"))
    if message.text:
        parts.append(styled(message.text, message.entities))
    return parts + buttons_of(message)


def buttons_of(message: SeenMessage) -> list[Text]:
    """The buttons, row by row; those that can be pressed by number have it in front."""
    rows: dict[int, list[Button]] = {}
    for button in message.buttons:
        rows.setdefault(button.row, []).append(button)
    lines = [_row(buttons) for buttons in rows.values()]
    keyboard = message.reply_keyboard or {}
    if keyboard.get("rows"):
        words = " | ".join(text for row in keyboard["rows"] for text in row)
        lines.append(Text(f"(type one of: {words})", style="dim"))
    return lines


def _row(buttons: Sequence[Button]) -> Text:
    row = Text()
    for button in buttons:
        if row:
            row.append("   ")
        if button.number is not None:
            row.append(f"[{button.number}] ", style="bold yellow").append(button.text, style="yellow")
        elif button.url is not None:
            row.append(button.text, style="yellow").append(f" -> {button.url}", style="dim")
        elif button.copies is not None:
            row.append(button.text, style="yellow").append(f" (copies: {button.copies})", style="dim")
        else:
            row.append(button.text, style="yellow dim")
    return row
