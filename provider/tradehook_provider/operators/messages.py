"""Tells a Telegram chat, as the work of a task of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from airflow.sdk import BaseOperator

from tradehook.errors import TradehookError
from tradehook_provider.failures import with_retries
from tradehook_provider.notifications.telegram import DEFAULT_CONN_ID, TelegramNotifier

if TYPE_CHECKING:
    from airflow.sdk import Context


class TelegramMessageOperator(BaseOperator):
    """Has told a chat when it succeeds; is skipped when there is nothing to tell.

    A callback (`TelegramNotifier`) never fails what it tells of; this fails when the message was not sent. A message
    that got no answer is sent again by the next try, so it may arrive twice.

    Returns (XCom) `told`, the text.
    """

    template_fields = ("title", "text", "chat_id", "telegram_conn_id")
    ui_color = "#dcecf7"

    def __init__(
        self,
        *,
        text: str,
        title: str | None = None,
        chat_id: str | int | None = None,
        silent: bool = False,
        skip_without_connection: bool = False,
        telegram_conn_id: str = DEFAULT_CONN_ID,
        timeout_seconds: float = 5.0,
        **kwargs: Any,
    ) -> None:
        """Make one.

        Args:
            text: what to say, cut where it is longer than a message may be; empty: nothing is sent, the task is
                skipped.
            title: a line in bold above it.
            chat_id: the chat; the connection's host when it is left out.
            silent: whether it arrives without a sound.
            skip_without_connection: be skipped where there is no such connection, instead of failing.
            telegram_conn_id: the bot.
            timeout_seconds: how long one send may take.
            **kwargs: for every operator; `retries` is 2 unless it is set.
        """
        super().__init__(**with_retries(kwargs))
        self.text = text
        self.title = title
        self.chat_id = chat_id
        self.silent = silent
        self.skip_without_connection = skip_without_connection
        self.telegram_conn_id = telegram_conn_id
        self.timeout_seconds = timeout_seconds

    def execute(self, context: Context) -> dict[str, Any]:  # noqa: ARG002 - Airflow's signature
        """Send the message and wait until Telegram has it.

        Raises:
            AirflowSkipException: there is nothing to tell, or nobody to tell it to.
            AirflowException: it was not sent, or nobody knows.
        """
        from airflow.sdk.exceptions import AirflowException, AirflowNotFoundException, AirflowSkipException

        text = str(self.text or "").strip()
        if not text:
            raise AirflowSkipException("There is nothing to tell.")
        self.log.info("%s", text)
        name = self.telegram_conn_id.strip()
        if not name:
            self._nobody("No connection is named, so nobody is told.")
        notifier = TelegramNotifier(
            text=text,
            title=self.title,
            chat_id=self.chat_id,
            silent=self.silent,
            telegram_conn_id=name,
            timeout_seconds=self.timeout_seconds,
        )
        try:
            notifier.send()
        except AirflowNotFoundException:
            self._nobody(f"There is no connection {name}, so nobody is told. Make one of type telegram.")
        except TradehookError as error:
            raise AirflowException(f"Not told in Telegram: {error.message}") from None
        return {"told": text}

    def _nobody(self, why: str) -> NoReturn:
        """Raise `AirflowSkipException` or `AirflowFailException`, as was wanted."""
        from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

        raise (AirflowSkipException if self.skip_without_connection else AirflowFailException)(why)
