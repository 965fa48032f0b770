"""A message to a Telegram chat, from a callback or a prompt. It never fails what it tells of.

Sent by itself (`telegram_messages.py`), or left in an account's journal for the bot, which sends it to everybody whom
it serves, and again until it has arrived.
"""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import closing
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook, BaseNotifier

from tradehook.errors import TradehookError

if TYPE_CHECKING:
    from collections.abc import Generator

    from airflow.sdk import Context

    from tradehook.desk.submit import Desk
    from tradehook_provider.telegram_messages import Message

DEFAULT_CONN_ID = "telegram_default"


class TelegramNotifier(BaseNotifier):
    """Has told a chat when it can; otherwise it has logged why not, and what called it goes on.

    The text is shown as it is: what looks like markup in it is no markup. Takes the connection type of the official
    Telegram provider, so both share one connection: `password` is the bot's token, `host` the chat's id.
    """

    template_fields = ("title", "text", "chat_id", "telegram_conn_id", "outbox_of", "key")

    def __init__(
        self,
        *,
        text: str,
        title: str | None = None,
        chat_id: str | int | None = None,
        silent: bool = False,
        telegram_conn_id: str = DEFAULT_CONN_ID,
        timeout_seconds: float = 5.0,
        outbox_of: str | None = None,
        key: str | None = None,
        picture: bytes | None = None,
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
            outbox_of: a connection to an exchange: the message is left in its journal for `tradehook-bot`, and neither
                `telegram_conn_id` nor `chat_id` is used. Who is told, and how loudly, is then the bot's business.
            key: names a message in the outbox, which holds each key once; made of task and text when it is left out.
            picture: a PNG above the text; the outbox takes none.
            context: for whoever awaits it instead of calling it.
        """
        super().__init__(*(() if context is None else (context,)))
        self.text = text
        self.title = title
        self.chat_id = chat_id
        self.silent = silent
        self.telegram_conn_id = telegram_conn_id
        self.timeout_seconds = timeout_seconds
        self.outbox_of = outbox_of
        self.key = key
        self.picture = picture

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

    def notify(self, context: Context) -> None:
        """Send the message and wait until Telegram has it, or leave it for the bot."""
        try:
            if self._outbox:
                self.leave(context)
            elif self.telegram_conn_id.strip():
                self.send()
        except Exception as error:  # noqa: BLE001 - see above
            self._say_not_sent(error)

    async def async_notify(self, context: Context) -> None:
        """The same inside an event loop, as in a triggerer."""
        from airflow.sdk.log import amask_secret

        from tradehook.lines.asynchronous import AsyncLine
        from tradehook_provider.desks import account_desk
        from tradehook_provider.telegram_messages import deliver

        try:
            if self._outbox:
                async with account_desk(self._outbox) as desk:
                    await asyncio.to_thread(self._leave_in, desk, context)
            elif self.telegram_conn_id.strip():
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

    def send(self) -> None:
        """Send the message and wait until Telegram has it, for a task whose work that is.

        Raises:
            AirflowNotFoundException: there is no such connection.
            TradehookError: it was not sent, or nobody knows.
        """
        from airflow.sdk.log import mask_secret

        from tradehook.lines.blocking import BlockingLine
        from tradehook.run import run
        from tradehook_provider.telegram_messages import deliver

        connection = BaseHook.get_connection(self.telegram_conn_id)
        message = self._message(connection, connection.extra_dejson)
        mask_secret(message.bot.token)
        with closing(BlockingLine()) as line:
            run(deliver(line, message))

    def leave(self, context: Context) -> bool:
        """Leave the message for the bot; whether it is new. For a task whose work that is.

        Raises:
            TradehookError: the account or its journal cannot be used, or there is nothing to tell.
        """
        from tradehook_provider.hooks.exchange import ExchangeHook

        with ExchangeHook(self._outbox) as hook:
            return self._leave_in(hook.desk, context)

    @property
    def _outbox(self) -> str:
        return (self.outbox_of or "").strip()

    def _leave_in(self, desk: Desk, context: Context) -> bool:
        from tradehook.desk.messages import Messages
        from tradehook_provider.runs import task_source

        source = task_source(context)
        # A callback that runs again says the same, and is told once.
        words = hashlib.sha256(f"{self.title}\0{self.text}".encode(errors="replace")).hexdigest()[:16]
        return Messages(desk.journal.engine).leave(
            self.key or f"{source[:200]}/{words}",
            str(self.text or ""),
            title=str(self.title or ""),
            account=self._outbox,
            source=source,
            is_silent=self.silent,
        )

    def _message(self, connection: Any, extra: dict[str, Any]) -> Message:
        from tradehook_provider.telegram_messages import message_to, read_bot

        chat = self.chat_id if self.chat_id is not None else connection.host
        return message_to(
            read_bot(connection, extra),
            str(chat or "").strip(),
            title=self.title,
            text=self.text,
            silent=self.silent,
            seconds=self.timeout_seconds,
            picture=self.picture,
        )

    def _say_not_sent(self, error: Exception) -> None:
        # Of what is not ours, only the kind is told: its text may hold the address, and that holds the token.
        why = error.message if isinstance(error, TradehookError) else f"{type(error).__name__}."
        self.log.warning("Not told in Telegram: %s What it was to tell of goes on.", why)
