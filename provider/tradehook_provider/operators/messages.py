"""Tells a Telegram chat, as the work of a task of its own."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.sdk import BaseOperator

from tradehook.errors import ConfigurationError, TradehookError
from tradehook_provider.arguments import as_text
from tradehook_provider.failures import explained, with_retries
from tradehook_provider.notifications.telegram import DEFAULT_CONN_ID, TelegramNotifier

if TYPE_CHECKING:
    from airflow.sdk import Context


class TelegramMessageOperator(BaseOperator):
    """Has told a chat when it succeeds; is skipped when there is nothing to tell.

    A callback (`TelegramNotifier`) never fails what it tells of; this fails when the message was not sent. A message
    that got no answer is sent again by the next try, so it may arrive twice; one that is left for the bot (`outbox_of`)
    is not, since the bot counts them by `key`.

    Returns (XCom) `told`, the text, and with a `key` `key` and `told_at`.
    """

    template_fields = ("title", "text", "chat_id", "telegram_conn_id", "outbox_of", "key", "repeat_after", "report")
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
        outbox_of: str | None = None,
        key: str | None = None,
        repeat_after: str = "24h",
        report: Any = None,
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
            outbox_of: a connection to an exchange: the message is left in its journal for `tradehook-bot`, and neither
                `telegram_conn_id` nor `chat_id` is used.
            key: what the message is about, such as `{{ ti.xcom_pull("look", key="key") }}`: as long as the last message
                of this task was about the same, nothing is sent and the task is skipped.
            repeat_after: after so long the same is told again all the same: `90m`, `24h`, `7d`.
            report: what an `AccountReportOperator` returned: a picture of it is sent above the text, where the extra
                `tradehook[charts]` is installed.
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
        self.outbox_of = outbox_of
        self.key = key
        self.repeat_after = repeat_after
        self.report = report

    def execute(self, context: Context) -> dict[str, Any]:
        """Send the message and wait until Telegram has it, or leave it for the bot.

        Raises:
            AirflowSkipException: there is nothing to tell, nobody to tell it to, or it was told before.
            AirflowException: it was not sent, or nobody knows.
        """
        from airflow.sdk.exceptions import AirflowSkipException

        text = str(self.text or "").strip()
        if not text:
            raise AirflowSkipException("There is nothing to tell.")
        self.log.info("%s", text)
        with explained(self.log):
            told_at = self._told_before(context)
        if told_at is not None:
            raise AirflowSkipException(
                f"The same was told at {told_at:%Y-%m-%d %H:%M} UTC; again after {self.repeat_after}, or when "
                "there is something else to tell."
            )
        self._tell(context, text)
        if not self.key:
            return {"told": text}
        now = datetime.now(UTC).isoformat()
        return {"told": text, "key": self.key, "told_at": now, "map_index": _map_index(context)}

    def _tell(self, context: Context, text: str) -> None:
        from airflow.sdk.exceptions import AirflowException, AirflowNotFoundException

        outbox, name = (self.outbox_of or "").strip(), self.telegram_conn_id.strip()
        if not outbox and not name:
            self._nobody("No connection is named, so nobody is told.")
        notifier = TelegramNotifier(
            text=text,
            title=self.title,
            chat_id=self.chat_id,
            silent=self.silent,
            telegram_conn_id=name,
            timeout_seconds=self.timeout_seconds,
            outbox_of=outbox,
            picture=None if outbox else self._picture(),
        )
        try:
            if outbox:
                notifier.leave(context)
            else:
                notifier.send()
        except AirflowNotFoundException:
            self._nobody(f"There is no connection {outbox or name}, so nobody is told. Make one.")
        except TradehookError as error:
            raise AirflowException(f"Not told in Telegram: {error.message}") from None

    def _told_before(self, context: Context) -> datetime | None:
        """When the same was told last, if that is not too long ago; by what an earlier run of this task returned."""
        from tradehook.amounts import parse_duration

        if not self.key:
            return None
        age = parse_duration(as_text(self.repeat_after, what="repeat_after"))
        earlier: Any = context["ti"].xcom_pull(task_ids=self.task_id, include_prior_dates=True)
        # Of several, Airflow tells no order; and each mapped task has its own.
        mine = [
            told
            for told in (earlier if isinstance(earlier, list | tuple) else [earlier])
            if isinstance(told, dict) and "told_at" in told and told.get("map_index") == _map_index(context)
        ]
        last = max(mine, key=lambda told: datetime.fromisoformat(str(told["told_at"])), default=None)
        if last is None or last.get("key") != self.key:
            return None
        told_at = datetime.fromisoformat(str(last["told_at"]))
        return told_at if datetime.now(UTC) - told_at < age else None

    def _picture(self) -> bytes | None:
        """The picture of the report, where there is one to draw and something to draw it with."""
        from tradehook_provider.account_report import picture_of

        if not isinstance(self.report, dict):
            return None
        try:
            return picture_of(self.report)
        except ConfigurationError as error:
            self.log.info("Sent without a picture: %s", error.message)
            return None

    def _nobody(self, why: str) -> NoReturn:
        """Raise `AirflowSkipException` or `AirflowFailException`, as was wanted."""
        from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

        raise (AirflowSkipException if self.skip_without_connection else AirflowFailException)(why)


def _map_index(context: Context) -> int:
    index = context["ti"].map_index
    return -1 if index is None else index
