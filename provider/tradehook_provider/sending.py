"""An operator that sends something once for each task run, and waits until it has ended."""

from __future__ import annotations

import time
from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import BaseOperator

from tradehook_provider.doubts import deferred_doubt
from tradehook_provider.failures import explained, with_retries
from tradehook_provider.hooks.exchange import ExchangeHook
from tradehook_provider.runs import refuse_backfill, task_intent_id, task_source
from tradehook_provider.waiting import check_travels, follow, judge, line_of, read_wait, still_open, word_in

if TYPE_CHECKING:
    from collections.abc import Collection

    from airflow.sdk import Context
    from airflow.triggers.base import BaseTrigger

BACKSTOP_SECONDS = 120.0


class SendingOperator(BaseOperator):
    """Has sent what it sends exactly once when it succeeds, and has seen it end well (unless told not to wait).

    A subclass says what is sent and how (`check`, `wanted`, `send`), and how it is waited for (`accepts`, `watch`,
    `trigger_for`, `event_words`).
    """

    leg: ClassVar[str]
    """Which of the task's deeds it is, a part of the intent's id for ever."""
    noun: ClassVar[str]
    """What people call it."""
    id_name: ClassVar[str]
    """The name of the exchange's id for it, as an XCom."""
    event_words: ClassVar[Collection[str]]
    """What the trigger's event may say of it."""
    sent: ClassVar[str] = "sent"
    """What was done with it, in a word."""

    def __init__(
        self,
        *,
        exchange_conn_id: str,
        wait: bool | str,
        deferrable: bool,
        inline_wait_seconds: float,
        poll_seconds: float,
        deferred_poll_seconds: float,
        timeout_seconds: float,
        allow_backfill: bool,
        **kwargs: Any,
    ) -> None:
        """Make one.

        Args:
            exchange_conn_id: the account.
            wait: whether to wait until it has ended; in words `none`, `inline` or `deferred`.
            deferrable: wait in the triggerer instead of in a worker, and look there for what got no answer.
            inline_wait_seconds: how long to wait in the worker before deferring.
            poll_seconds: between two looks, in the worker.
            deferred_poll_seconds: the same in the triggerer.
            timeout_seconds: how long to wait in all.
            allow_backfill: let a backfill run send now.
            **kwargs: for every operator; `retries` is 2 unless it is set.
        """
        super().__init__(**with_retries(kwargs))
        self.exchange_conn_id = exchange_conn_id
        self.wait, self.deferrable = read_wait(wait, deferrable=deferrable)
        self.inline_wait_seconds = inline_wait_seconds
        self.poll_seconds = poll_seconds
        self.deferred_poll_seconds = deferred_poll_seconds
        self.timeout_seconds = timeout_seconds
        self.allow_backfill = allow_backfill
        self._hook: ExchangeHook | None = None
        self._is_killed = False

    # --- what a subclass says -----------------------------------------------------------------------------------------

    @abstractmethod
    def check(self, hook: ExchangeHook) -> None:
        """Refuse what this exchange cannot do, before anything is sent. Raises `InvalidInput`."""

    @abstractmethod
    def accepts(self, hook: ExchangeHook) -> Collection[str]:
        """How it ends when it ends well. Raises `InvalidInput` where nobody could ever tell."""

    def killed(self, context: Context, hook: ExchangeHook, made: Any) -> None:
        """What is done with what was sent when its task is stopped while it waits: nothing, unless a subclass does."""

    @abstractmethod
    def wanted(self) -> Any:
        """What the rendered arguments stand for. Raises `InvalidInput`."""

    @abstractmethod
    def send(self, hook: ExchangeHook, wanted: Any, *, intent_id: str, source: str) -> tuple[Any, bool]:
        """What is at the exchange now, and whether it was there before; says what was sent. Raises as the desk does."""

    @abstractmethod
    def watch(self, hook: ExchangeHook, intent_id: str) -> Any:
        """How it stands, in a look that is shared with all who wait."""

    @abstractmethod
    def trigger_for(self, intent_id: str, *, exchange_id: str, until: float) -> BaseTrigger:
        """The trigger that waits for it."""

    # --- sending and waiting ------------------------------------------------------------------------------------------

    def execute(self, context: Context) -> dict[str, Any]:
        """Send it, or find that it was sent, and wait for its end."""
        return self._execute(context, may_look=self.deferrable)

    def execute_after_doubt(self, context: Context, event: Any = None) -> dict[str, Any]:
        """Ask the desk again for what got no answer: it returns what was found, and sends nothing twice."""
        word = event.get("status") if isinstance(event, dict) else None
        self.log.info("Looking for the %s has ended: %s.", self.noun, word)
        return self._execute(context, may_look=False)

    def execute_complete(self, context: Context, event: Any = None) -> dict[str, Any]:
        """Look at it again after the trigger fired, and judge what is there, not what the event says."""
        from airflow.sdk.exceptions import AirflowException

        with explained(self.log), self._opened() as hook:
            intent_id = task_intent_id(context, hook=hook, leg=self.leg)
            made = self.watch(hook, intent_id)
            word = word_in(event, id_name=self.id_name, made_id=made.exchange_id, words=self.event_words)
            if not made.is_final and word not in ("timeout", "error"):
                made = self._follow(hook, intent_id, made, seconds=self.inline_wait_seconds)
            if not made.is_final and word != "timeout":
                raise AirflowException(
                    f"{self.noun.capitalize()} {made.exchange_id} could not be watched ({word}); it is {made.status}. "
                    "Trying again goes on waiting; nothing is sent twice."
                )
            self._end(hook, intent_id, made, context, seconds=0, until=0)
            return result(hook, intent_id)

    def on_kill(self) -> None:
        """Begin no new send. What is being sent goes on to its answer; what is sent stays."""
        self._is_killed = True
        if self._hook is not None:
            self._hook.stop()

    def _opened(self) -> ExchangeHook:
        self._hook = ExchangeHook(self.exchange_conn_id)
        return self._hook

    def _execute(self, context: Context, *, may_look: bool) -> dict[str, Any]:
        with explained(self.log), self._opened() as hook:
            refuse_backfill(context, is_allowed=self.allow_backfill)
            self.check(hook)
            wanted = self.wanted()
            if self.wait:
                self.accepts(hook)  # what nobody could wait for must not be sent
            intent_id = task_intent_id(context, hook=hook, leg=self.leg)
            if self.wait and self.deferrable:
                # What cannot be stored must be found out now, not when it is sent already.
                check_travels(self.trigger_for(intent_id, exchange_id=intent_id, until=time.time()))
            with deferred_doubt(self, hook=hook, intent_id=intent_id, is_on=may_look):
                made, is_stored = self.send(hook, wanted, intent_id=intent_id, source=task_source(context))
            if is_stored:
                self.log.info(
                    "Not sent again: intent %s has %s %s %s before. %s. To trade again, trigger a new run.",
                    intent_id,
                    self.sent,
                    self.noun,
                    made.exchange_id,
                    line_of(made),
                )
            # Pushed at once, so that they are there whatever becomes of the waiting.
            for name, value in (("intent_id", intent_id), (self.id_name, made.exchange_id)):
                context["ti"].xcom_push(key=name, value=value)
            until = time.time() + self.timeout_seconds
            seconds = min(self.timeout_seconds, self.inline_wait_seconds) if self.deferrable else self.timeout_seconds
            if self.wait:
                self._end(hook, intent_id, made, context, seconds=seconds, until=until)
            return result(hook, intent_id)

    def _end(
        self, hook: ExchangeHook, intent_id: str, made: Any, context: Context, *, seconds: float, until: float
    ) -> None:
        """Return when it has ended well. Defers when it goes on and there is time left.

        Raises:
            AirflowFailException: it ended otherwise, or not in time.
            AirflowException: the task was stopped while it waited.
        """
        from airflow.sdk.exceptions import AirflowException, AirflowFailException

        made = self._follow(hook, intent_id, made, seconds=seconds)
        if made.is_final:
            self.log.info("%s", line_of(made))
            judge(made, accept=self.accepts(hook))
            return
        if self._is_killed:
            self.killed(context, hook, made)
            raise AirflowException(f"Stopped while waiting for {self.noun} {made.exchange_id}, which is {made.status}.")
        left = until - time.time()
        if not self.deferrable or left <= 0:
            raise AirflowFailException(still_open(made, seconds=self.timeout_seconds))
        self.log.info("%s. Waiting for it in the triggerer.", line_of(made))
        self.defer(
            trigger=self.trigger_for(intent_id, exchange_id=made.exchange_id, until=until),
            method_name="execute_complete",
            # The trigger ends by itself; this only helps when it cannot.
            timeout=left + BACKSTOP_SECONDS,
        )

    def _follow(self, hook: ExchangeHook, intent_id: str, made: Any, *, seconds: float) -> Any:
        return follow(
            lambda: self.watch(hook, intent_id),
            made,
            seconds=seconds,
            poll_seconds=self.poll_seconds,
            log=self.log,
            is_stopped=lambda: self._is_killed,
        )


def result(hook: ExchangeHook, intent_id: str) -> dict[str, Any]:
    """What the journal knows by now of what was sent: plain values, money as text."""
    intent = hook.desk.journal.get(intent_id)
    made = {name: value for name, value in (intent.seen or {}).items() if name != "payloads"}
    return {"intent_id": intent_id, **made, "sent": intent.request}
