"""The threads of a desk: what moves money runs here from its start to its end, whoever stops waiting for it."""

from __future__ import annotations

import os
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from tradehook.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

_DEEDS = 8
_CANCELS = 2
_CLOSED = "The desk is closed; nothing was sent."


class Threads:
    """The threads of one desk, in the process that made it."""

    def __init__(self) -> None:
        self._process = os.getpid()
        self._deeds = ThreadPoolExecutor(max_workers=_DEEDS, thread_name_prefix="tradehook-desk")
        # Of their own, so that a cancel never waits behind orders that wait for an answer.
        self._cancels = ThreadPoolExecutor(max_workers=_CANCELS, thread_name_prefix="tradehook-cancel")
        self._lock = threading.Lock()
        self._running: dict[str, tuple[object, Future[Any]]] = {}

    def begin(self, intent_id: str, wanted: object, work: Callable[[], Any]) -> Future[Any]:
        """The work of an intent is under way; its future cannot be cancelled.

        Args:
            intent_id: names the deed. Two callers that want the same for it share one future.
            wanted: what they want.
            work: carries it out.
        """
        future: Future[Any] = Future()
        future.set_running_or_notify_cancel()  # from here on it cannot be cancelled
        with self._lock:
            running = self._running.get(intent_id)
            if running is not None and running[0] == wanted:
                return running[1]  # two callers, one deed: both hear the same
            if running is None:
                self._running[intent_id] = (wanted, future)
        try:
            self._deeds.submit(self._carry_out, intent_id, future, work)
        except RuntimeError:
            self._forget(intent_id, future)
            future.set_exception(ConfigurationError(_CLOSED))
        return future

    def do(self, work: Callable[[], T], *, is_cancel: bool = False) -> T:
        """What came of work that is no intent's. Raises what it raises."""
        try:
            asked = (self._cancels if is_cancel else self._deeds).submit(work)
        except RuntimeError:
            raise ConfigurationError(_CLOSED) from None
        return asked.result()

    def check_process(self) -> None:
        """Refuse to be used in another process than the one that made them.

        Raises:
            ConfigurationError: the threads stayed behind in the parent, so whoever waited would wait for ever.
        """
        if os.getpid() != self._process:
            raise ConfigurationError("This desk was opened before the process was forked. Open one in the child.")

    def close(self) -> None:
        """Begin nothing new, and wait for what runs."""
        self._deeds.shutdown(wait=True)
        self._cancels.shutdown(wait=True)

    def _carry_out(self, intent_id: str, future: Future[Any], work: Callable[[], Any]) -> None:
        try:
            outcome = work()
        except BaseException as error:  # noqa: BLE001 - whoever waits must hear of it, whatever it is
            self._forget(intent_id, future)
            future.set_exception(error)
        else:
            self._forget(intent_id, future)
            future.set_result(outcome)

    def _forget(self, intent_id: str, future: Future[Any]) -> None:
        with self._lock:
            if intent_id in self._running and self._running[intent_id][1] is future:
                del self._running[intent_id]
