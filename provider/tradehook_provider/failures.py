"""From what went wrong to what Airflow should do about it.

- out of reach, or asked to slow down: the error itself goes up, and Airflow tries again as often as it may.
  Nothing can be sent twice by that: the desk knows what was sent;
- everything else, first of all an unknown outcome: `AirflowFailException`, because trying again changes nothing.

The reason always stands in the text, and the original error is its cause. No secrets: our errors hold none.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from tradehook.errors import OutcomeUnknown, TradehookError

if TYPE_CHECKING:
    from collections.abc import Iterator

RETRIES = 2


class Log(Protocol):
    """What is used of Airflow's logger."""

    def warning(self, event: Any, *args: Any) -> Any:
        """Say that something went wrong and goes on."""
        ...


@contextmanager
def explained(log: Log) -> Iterator[None]:
    """Whatever of ours is raised inside leaves in the form that makes Airflow do the right thing.

    Raises:
        AirflowFailException: it is no use to try again.
        TradehookError: it is, and nothing was sent or all of it is remembered.
    """
    from airflow.sdk.exceptions import AirflowFailException

    try:
        yield
    except TradehookError as error:
        if may_be_tried_again(error):
            log.warning("%s Airflow may try again; nothing is ever sent twice.", reason(error))
            raise
        raise AirflowFailException(reason(error)) from error


def may_be_tried_again(error: TradehookError) -> bool:
    """Whether a later try can help. The desk turns every doubt about a send into `OutcomeUnknown`."""
    return error.retryable and not isinstance(error, OutcomeUnknown)


def reason(error: TradehookError) -> str:
    """What happened and what to do next, beginning with the kind of error."""
    from tradehook.render import error_line

    if isinstance(error, OutcomeUnknown):
        return (
            f"UNKNOWN: {error_line(error)} Airflow does not try this again, and clearing the task sends nothing: "
            f"the intent {error.intent_id} is held until its outcome is known."
        )
    return f"{type(error).__name__}: {error_line(error)}"


def with_retries(kwargs: dict[str, Any]) -> dict[str, Any]:
    """An operator's arguments with two retries and our retry policy, unless the task or `default_args` say otherwise.

    A mapped operator brings `retry_policy=None` along unasked, so `None` counts as not said.
    """
    defaults = kwargs.get("default_args") or {}
    if "retries" not in kwargs and "retries" not in defaults:
        kwargs["retries"] = RETRIES
    if kwargs.get("retry_policy") is None and defaults.get("retry_policy") is None:
        from tradehook_provider.retry_policy import TradehookRetryPolicy

        kwargs["retry_policy"] = TradehookRetryPolicy()
    return kwargs
