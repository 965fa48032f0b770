"""A message to a Telegram chat, from a callback or a prompt. It never fails what it tells of.

Sent over the shared client's lines, so it costs no library of its own. Nothing is sent twice: a message that got no
answer may have arrived.
See: https://core.telegram.org/bots/api#sendmessage.
"""

from __future__ import annotations

import re
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook, BaseNotifier

from tradehook.errors import ConfigurationError, TradehookError

if TYPE_CHECKING:
    from collections.abc import Generator

    from airflow.sdk import Context

    from tradehook.line import Line
    from tradehook.wire import Request, Response

DEFAULT_CONN_ID = "telegram_default"
BASE_URL = "https://api.telegram.org"
LONGEST = 4096
"""UTF-16 units of a message's text, which is how Telegram counts."""
MOST_PATIENCE_SECONDS = 30
"""A callback holds a worker: longer than this it is not kept waiting by a 429."""
_TOKEN = re.compile(r"[1-9]\d*:[A-Za-z0-9_-]{30,}", re.ASCII)
_CHAT = re.compile(r"-?[1-9]\d*|@[A-Za-z]\w{3,31}", re.ASCII)


class TelegramNotifier(BaseNotifier):
    """Has told a chat when it can; otherwise it has logged why not, and what called it goes on.

    The text is shown as it is: what looks like markup in it is no markup. Takes the connection type of the official
    Telegram provider, so both share one connection: `password` is the bot's token, `host` the chat's id.
    """

    template_fields = ("title", "text", "chat_id", "telegram_conn_id")

    def __init__(
        self,
        *,
        text: str,
        title: str | None = None,
        chat_id: str | int | None = None,
        silent: bool = False,
        telegram_conn_id: str = DEFAULT_CONN_ID,
        timeout_seconds: float = 5.0,
        context: Context | None = None,
    ) -> None:
        """Make one.

        Args:
            text: what to say; cut where it is longer than a message may be.
            title: a line in bold above it.
            chat_id: the chat; the connection's host when it is left out.
            silent: whether it arrives without a sound.
            telegram_conn_id: the bot; empty, as a template may leave it: nobody is told.
            timeout_seconds: how long one send may take.
            context: for whoever awaits it instead of calling it.
        """
        super().__init__(*(() if context is None else (context,)))
        self.text = text
        self.title = title
        self.chat_id = chat_id
        self.silent = silent
        self.telegram_conn_id = telegram_conn_id
        self.timeout_seconds = timeout_seconds

    def __call__(self, *args: Any) -> None:
        """Tell, whatever happens to be wrong with the template."""
        try:
            super().__call__(*args)
        except Exception as error:  # noqa: BLE001 - a message must never fail the trade that it tells of
            self._say_not_sent(error)

    def __await__(self) -> Generator[Any, None, None]:
        """Tell, inside an event loop."""
        return self._told().__await__()

    async def _told(self) -> None:
        try:
            self._update_context(self.context)
            self.render_template_fields(self.context)
        except Exception as error:  # noqa: BLE001 - see above
            self._say_not_sent(error)
            return
        await self.async_notify(self.context)

    def notify(self, context: Context) -> None:  # noqa: ARG002 - Airflow's signature
        """Send the message and wait until Telegram has it."""
        if not self.telegram_conn_id.strip():
            return
        try:
            self.send()
        except Exception as error:  # noqa: BLE001 - see above
            self._say_not_sent(error)

    def send(self) -> None:
        """Send the message and wait until Telegram has it, for a task whose work that is.

        Raises:
            AirflowNotFoundException: there is no such connection.
            TradehookError: it was not sent, or nobody knows.
        """
        from airflow.sdk.log import mask_secret

        from tradehook.lines.blocking import BlockingLine
        from tradehook.run import run

        connection = BaseHook.get_connection(self.telegram_conn_id)
        message = self._message(connection, connection.extra_dejson)
        mask_secret(message.bot.token)
        with closing(BlockingLine()) as line:
            run(deliver(line, message))

    async def async_notify(self, context: Context) -> None:  # noqa: ARG002 - Airflow's signature
        """The same inside an event loop, as in a triggerer."""
        from airflow.sdk.log import amask_secret

        from tradehook.lines.asynchronous import AsyncLine

        if not self.telegram_conn_id.strip():
            return
        try:
            connection = await BaseHook.aget_connection(self.telegram_conn_id)
            message = self._message(connection, await connection.aextra_dejson())
            await amask_secret(message.bot.token)
            line = AsyncLine()
            try:
                await deliver(line, message)
            finally:
                await line.close()
        except Exception as error:  # noqa: BLE001 - see above
            self._say_not_sent(error)

    def _message(self, connection: Any, extra: dict[str, Any]) -> Message:
        bot = read_bot(connection, extra)
        chat = str(self.chat_id if self.chat_id is not None else connection.host or "").strip()
        if not _CHAT.fullmatch(chat):
            raise ConfigurationError(
                f"Connection {self.telegram_conn_id} names no chat: put its id, a number or @name, into the host, or "
                "give chat_id."
            )
        title, text = (_sendable(str(part)) if part else "" for part in (self.title, self.text))
        return Message(bot=bot, chat=chat, title=title, text=text, silent=self.silent, seconds=self.timeout_seconds)

    def _say_not_sent(self, error: Exception) -> None:
        # Of what is not ours, only the kind is told: its text may hold the address, and that holds the token.
        why = error.message if isinstance(error, TradehookError) else f"{type(error).__name__}."
        self.log.warning("Not told in Telegram: %s What it was to tell of goes on.", why)


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

    def request(self) -> Request:
        """The request that sends it. Nothing in it needs escaping: the title is bold by its place, not by markup."""
        from tradehook.wire import Request, encode_json

        whole = f"{self.title}\n{self.text}" if self.title and self.text else self.title or self.text
        body: dict[str, Any] = {
            "chat_id": self.chat,
            "text": _cut(whole),
            "disable_notification": self.silent,
            "link_preview_options": {"is_disabled": True},
        }
        if self.title:
            body["entities"] = [{"type": "bold", "offset": 0, "length": min(_units(self.title), LONGEST)}]
        return Request(
            method="POST",
            url=f"{self.bot.base_url}/bot{self.bot.token}/sendMessage",
            headers={"content-type": "application/json"},
            body=encode_json(body),
            timeout_seconds=self.seconds,
        )


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


def _cut(text: str) -> str:
    """As much of a text as a message may hold; that it is cut can be seen."""
    if _units(text) <= LONGEST:
        return text
    return text.encode("utf-16-le")[: 2 * (LONGEST - 1)].decode("utf-16-le", errors="ignore") + "…"
