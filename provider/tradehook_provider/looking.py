"""A sensor that looks at an exchange: some looks in the worker, then in the triggerer while no worker waits."""

from __future__ import annotations

import time
from abc import abstractmethod
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, NoReturn, cast

from airflow.sdk import BaseSensorOperator, PokeReturnValue

from tradehook.errors import TradehookError
from tradehook_provider.failures import explained, may_be_tried_again, reason, with_retries
from tradehook_provider.hooks.exchange import ExchangeHook
from tradehook_provider.waiting import MOST_FAILURES, check_travels

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from airflow.sdk import Context
    from airflow.triggers.base import BaseTrigger

BACKSTOP_SECONDS = 120.0
_INLINE_POLL_SECONDS = 1.0
WORDS = ("reached", "timeout", "error")
"""What a trigger of such a sensor may say."""


class LookingSensor(BaseSensorOperator):
    """Succeeds when a look finds what is waited for. Reads only, so it may be tried as often as one likes.

    A subclass says how to look (`look`), which trigger goes on (`trigger_until`), and what an event is worth
    (`conclude`).
    """

    def __init__(
        self,
        *,
        exchange_conn_id: str,
        deferrable: bool,
        inline_wait_seconds: float,
        poke_interval: float,
        **kwargs: Any,
    ) -> None:
        """Make one.

        Args:
            exchange_conn_id: the account.
            deferrable: wait in the triggerer instead of in a worker.
            inline_wait_seconds: how long to look in the worker before deferring.
            poke_interval: seconds between two looks.
            **kwargs: for every sensor: `timeout`, `mode`, `soft_fail`; `retries` is 2 unless it is set.
        """
        super().__init__(poke_interval=poke_interval, **with_retries(kwargs))
        self.exchange_conn_id = exchange_conn_id
        self.deferrable = deferrable
        self.inline_wait_seconds = inline_wait_seconds
        self._hook: ExchangeHook | None = None
        self._failed = 0

    # --- what a subclass says -----------------------------------------------------------------------------------------

    @abstractmethod
    def look(self, hook: ExchangeHook) -> dict[str, Any] | None:
        """What is found, as it is returned (XCom; an empty one as `None`), when it is what is waited for.

        Raises:
            TradehookError: the look failed.
        """

    @abstractmethod
    def trigger_until(self, until: float) -> BaseTrigger:
        """The trigger that goes on looking until then."""

    @abstractmethod
    def conclude(self, event: dict[str, Any], hook: ExchangeHook) -> dict[str, Any] | None:
        """What is returned after the trigger said `reached`; `None` where it is to be waited for again."""

    @abstractmethod
    def subject(self) -> dict[str, str]:
        """What an event must say that it is about."""

    def can_defer(self) -> bool:
        """Whether there is something that a trigger could wait for by now."""
        return True

    # --- looking ------------------------------------------------------------------------------------------------------

    def poke(self, context: Context) -> PokeReturnValue:  # noqa: ARG002 - Airflow's signature
        """Look once. A failure that may pass is not the end of the waiting."""
        with explained(self.log), self._opened() as hook:
            try:
                found = self.look(hook)
                self._failed = 0
            except TradehookError as error:
                self._failed += 1
                if not may_be_tried_again(error) or self._failed >= MOST_FAILURES:
                    raise
                self.log.warning("Look %d failed, looking again: %s", self._failed, reason(error))
                return PokeReturnValue(is_done=False)
            return PokeReturnValue(is_done=found is not None, xcom_value=found or None)

    def execute(self, context: Context) -> Any:
        """Look until it is found, here or in the triggerer."""
        try:
            if not self.deferrable:
                return super().execute(context)
            return self._softly(context)
        finally:
            if self._hook is not None:
                self._hook.close()
                self._hook = None

    def execute_complete(
        self,
        context: Context,  # noqa: ARG002 - Airflow's signature
        event: Any = None,
        until: float | None = None,
    ) -> dict[str, Any] | None:
        """Judge what the trigger says; the event alone is no result.

        Raises:
            AirflowSensorTimeout: it was not found in time.
            AirflowException: the trigger could not look, or the event belongs to something else.
        """
        from airflow.sdk.exceptions import AirflowException, AirflowSensorTimeout

        word = event.get("status") if isinstance(event, dict) else None
        with explained(self.log), ExchangeHook(self.exchange_conn_id) as hook:
            about = self.subject()
            if word not in WORDS or {name: event.get(name) for name in about} != about:
                raise AirflowException(
                    f"The trigger's event does not belong to {', '.join(about.values())}; this is not taken for a "
                    "result. The task can be tried again: it only reads."
                )
            if word == "reached":
                found = self.conclude(event, hook)
                if found is not None:
                    return found or None
                if until is not None and time.time() < until:
                    self.log.info("It has changed back meanwhile. Waiting on.")
                    self._defer(until)
                word = "timeout"
        if word == "timeout":
            raise AirflowSensorTimeout(self.too_late())
        raise AirflowException(
            f"{' '.join(about.values())} could not be looked at: {MOST_FAILURES} looks in a row failed. The log of the "
            "triggerer says why."
        )

    def _softly(self, context: Context) -> dict[str, Any] | None:
        """What the base class does with `soft_fail` and `never_fail`, for the part before deferring."""
        from airflow.sdk.exceptions import AirflowException, AirflowSkipException

        try:
            return self._look_then_defer(context)
        except Exception as error:
            if self.never_fail or (self.soft_fail and isinstance(error, AirflowException)):
                raise AirflowSkipException(str(error)) from error
            raise

    def _look_then_defer(self, context: Context) -> dict[str, Any] | None:
        from airflow.sdk.exceptions import AirflowSensorTimeout

        until = time.time() + self.timeout
        inline_until = time.time() + min(self.timeout, self.inline_wait_seconds)
        while True:
            looked = self.poke(context)
            if looked:
                return cast("dict[str, Any] | None", looked.xcom_value)
            if time.time() >= until:
                raise AirflowSensorTimeout(self.too_late())
            if time.time() >= inline_until and not self._failed and self.can_defer():
                self._defer(until)
            time.sleep(min(self.poke_interval, _INLINE_POLL_SECONDS))

    def _defer(self, until: float) -> NoReturn:
        trigger = self.trigger_until(until)
        check_travels(trigger)
        self.log.info("Not yet. Waiting for it in the triggerer.")
        self.defer(
            trigger=trigger,
            method_name="execute_complete",
            kwargs={"until": until},
            # The trigger ends by itself; this only helps when it cannot.
            timeout=max(until - time.time(), 0) + BACKSTOP_SECONDS,
        )

    def too_late(self) -> str:
        """What is said when the time is over."""
        return (
            f"{' '.join(self.subject().values())}: not reached within {self.timeout:g} s. Nothing was sent; set a "
            "longer `timeout`, or clear this task to wait again."
        )

    def _opened(self) -> AbstractContextManager[ExchangeHook]:
        """The hook for one look: kept while the worker stays, closed by `execute`."""
        if self._hook is None:
            self._hook = ExchangeHook(self.exchange_conn_id)
        return nullcontext(self._hook)
