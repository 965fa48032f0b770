"""What Airflow does about each of our errors when a task raises one: wait as long as it says, give up, or as usual.

`failures.explained` has turned most of what cannot be helped into `AirflowFailException` before Airflow asks here. This
also holds for code of others that calls the desk or a hook in a task of its own.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Self

from airflow.sdk import RetryDecision, RetryPolicy

from tradehook.errors import RateLimited, TradehookError
from tradehook_provider.failures import may_be_tried_again

if TYPE_CHECKING:
    from airflow.sdk import Context

_LONGEST_SECONDS = 3600.0
_GIVEN_UP = "trying again changes nothing"


class TradehookRetryPolicy(RetryPolicy):
    """Waits as long as the exchange asks, gives up what cannot be helped, and leaves the rest to the task's settings.

    Airflow lets no policy try more often than the task's `retries`. The time to wait stands in the error, so rules that
    map errors to fixed delays (`ExceptionRetryPolicy`) cannot say it.
    """

    def evaluate(
        self,
        exception: BaseException,
        try_number: int,  # noqa: ARG002 - Airflow's signature
        max_tries: int,  # noqa: ARG002
        context: Context | None = None,  # noqa: ARG002
    ) -> RetryDecision:
        """What to do about what the task raised. Airflow calls it in the worker."""
        if isinstance(exception, RateLimited):
            seconds = min(max(exception.retry_after_seconds, 1.0), _LONGEST_SECONDS)
            return RetryDecision.retry(
                delay=timedelta(seconds=seconds), reason=f"the exchange asked to wait {seconds:g} s"
            )
        if isinstance(exception, TradehookError) and not may_be_tried_again(exception):
            return RetryDecision.fail(reason=f"{type(exception).__name__}: {_GIVEN_UP}")
        return RetryDecision.default()

    def serialize(self) -> dict[str, Any]:
        """All there is to it: its name."""
        return {"__type": f"{type(self).__module__}.{type(self).__qualname__}"}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> Self:  # noqa: ARG003 - there is nothing to read
        """The policy again."""
        return cls()
