"""How a message reaches Telegram: what is sent, and what its answer means. Knows no Airflow.

Sent over the shared client's lines, so it costs no library of its own. Nothing is sent twice: a message that got no
answer may have arrived.
See: https://core.telegram.org/bots/api#sendmessage, https://core.telegram.org/bots/api#sendphoto.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tradehook.errors import ConfigurationError, TradehookError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tradehook.line import Line
    from tradehook.wire import Request, Response

BASE_URL = "https://api.telegram.org"
LONGEST = 4096
"""UTF-16 units of a message's text, which is how Telegram counts."""
LONGEST_CAPTION = 1024
"""The same of the text under a picture."""
MOST_PATIENCE_SECONDS = 30
"""A callback holds a worker: longer than this it is not kept waiting by a 429."""
_TOKEN = re.compile(r"[1-9]\d*:[A-Za-z0-9_-]{30,}", re.ASCII)
_CHAT = re.compile(r"-?[1-9]\d*|@[A-Za-z]\w{3,31}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Bot:
    """Whom to speak as, and where. Its `repr` shows no token."""

    base_url: str
    token: str

    def __repr__(self) -> str:
        return f"Bot({self.base_url!r})"


@dataclass(frozen=True, slots=True)
class Message:
    """What is to be sent."""

    bot: Bot
    chat: str
    title: str
    text: str
    silent: bool
    seconds: float
    picture: bytes | None = None
    """A PNG above the text. A text that is too long to stand under it comes after it, as a message of its own."""

    @property
    def whole(self) -> str:
        """Title and text."""
        return f"{self.title}\n{self.text}" if self.title and self.text else self.title or self.text

    def parts(self) -> Sequence[Message]:
        """The messages that it takes, in their order."""
        if self.picture is None or _units(self.whole) <= LONGEST_CAPTION:
            return (self,)
        return (replace(self, text=""), replace(self, title="", picture=None))

    def request(self) -> Request:
        """The request that sends it. Nothing in it needs escaping: the title is bold by its place, not by markup."""
        from tradehook.wire import Request, encode_json

        most = LONGEST if self.picture is None else LONGEST_CAPTION
        bold = [{"type": "bold", "offset": 0, "length": min(_units(self.title), most)}] if self.title else []
        if self.picture is None:
            method, kind = "sendMessage", "application/json"
            body = encode_json(
                {
                    "chat_id": self.chat,
                    "text": _cut(self.whole, most),
                    "entities": bold,
                    "disable_notification": self.silent,
                    "link_preview_options": {"is_disabled": True},
                }
            )
        else:
            fields = {
                "chat_id": self.chat,
                "caption": _cut(self.whole, most),
                "caption_entities": encode_json(bold).decode(),
                "disable_notification": "true" if self.silent else "false",
            }
            method, (kind, body) = "sendPhoto", _as_form(fields, picture=self.picture)
        return Request(
            method="POST",
            url=f"{self.bot.base_url}/bot{self.bot.token}/{method}",
            headers={"content-type": kind},
            body=body,
            timeout_seconds=self.seconds,
        )


def message_to(
    bot: Bot,
    chat: str,
    *,
    title: str | None,
    text: str | None,
    silent: bool,
    seconds: float,
    picture: bytes | None = None,
) -> Message:
    """What is to be sent, with its chat checked.

    Raises:
        ConfigurationError: this names no chat.
    """
    if not _CHAT.fullmatch(chat):
        raise ConfigurationError(
            f"{chat[:40]!r} names no chat: put its id, a number or @name, into the connection's host, or give chat_id."
        )
    words = [_sendable(str(part)) if part else "" for part in (title, text)]
    return Message(bot=bot, chat=chat, title=words[0], text=words[1], silent=silent, seconds=seconds, picture=picture)


def read_bot(connection: Any, extra: dict[str, Any]) -> Bot:
    """The bot of a connection.

    Raises:
        ConfigurationError: it has no token that can be one, or an address that cannot be used.
    """
    from tradehook_provider import connections

    name = connection.conn_id
    if not _TOKEN.fullmatch(connection.password or ""):
        raise ConfigurationError(
            f"The password of connection {name} is no bot token. @BotFather gives one: digits, a colon, letters."
        )
    told = connections.text(extra, "base_url", name=name)
    # A token that travels in clear belongs to everybody on the way.
    address = connections.address(told, None, name=name, needs_tls=True) if told else None
    return Bot(base_url=address or BASE_URL, token=connection.password)


async def deliver(line: Line, message: Message) -> None:
    """Send a message; once more when Telegram asks for a pause that is short enough.

    Raises:
        TradehookError: it was not sent, or nobody knows.
    """
    for part in message.parts():
        await _deliver(line, part)


async def _deliver(line: Line, message: Message) -> None:
    request = message.request()
    response = await line.send(request)
    if response.status == 429 and (seconds := _pause_in(response)) <= MOST_PATIENCE_SECONDS:
        await line.pause(seconds)
        response = await line.send(request)
    if response.status != 200:
        raise TradehookError(f"Telegram answered {response.status}{_said(response, message.bot.token)}.")


def _pause_in(response: Response) -> int:
    try:
        return int(response.json()["parameters"]["retry_after"])
    except (ValueError, TypeError, LookupError):
        return MOST_PATIENCE_SECONDS + 1  # it did not say how long


def _said(response: Response, token: str) -> str:
    try:
        words = str(response.json()["description"])[:200]
    except (ValueError, TypeError, LookupError):
        return ""
    return f" ({words.replace(token, '***')})"


def _sendable(text: str) -> str:
    """Half characters cannot be sent, and are shown as what they are: unreadable."""
    return text.encode(errors="replace").decode()


def _units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def _cut(text: str, most: int) -> str:
    """As much of a text as may stand there; that it is cut can be seen."""
    if _units(text) <= most:
        return text
    return text.encode("utf-16-le")[: 2 * (most - 1)].decode("utf-16-le", errors="ignore") + "…"


def _as_form(fields: dict[str, str], *, picture: bytes) -> tuple[str, bytes]:
    """The content type and the body of a form with a picture in it. See: RFC 7578."""
    mark = secrets.token_hex(16)
    parts = [
        f'--{mark}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    head = f'--{mark}\r\nContent-Disposition: form-data; name="photo"; filename="picture.png"\r\n'
    parts += [head.encode(), b"Content-Type: image/png\r\n\r\n", picture, f"\r\n--{mark}--\r\n".encode()]
    return f"multipart/form-data; boundary={mark}", b"".join(parts)
