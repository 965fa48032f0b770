"""Waiting for an order or transfer to end: beside it for a while, then by a trigger, and judging how it ended."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, TypeVar

from tradehook.errors import InvalidInput, TradehookError
from tradehook_provider import failures

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection

    from tradehook.contract import Exchange
    from tradehook.futures import FuturesOrder
    from tradehook.models import Order
    from tradehook.transfers import Transfer

MadeT = TypeVar("MadeT", "Order", "Transfer", "FuturesOrder")
FoundT = TypeVar("FoundT")

FINAL_WORDS = ("filled", "canceled", "failed", "probably_filled")
EVENT_WORDS = (*FINAL_WORDS, "timeout", "error")
"""What a trigger may say: how the order ended, or why it stopped looking."""
FUTURES_FINE_WORDS = ("filled", "accepted")
"""An exchange that answers without an id says *accepted*, and nothing more can be asked of it."""
FUTURES_EVENT_WORDS = (*FUTURES_FINE_WORDS, "canceled", "failed", "timeout", "error")
TRANSFER_FINAL_WORDS = ("completed", "failed")
TRANSFER_EVENT_WORDS = (*TRANSFER_FINAL_WORDS, "timeout", "error")
MOST_FAILURES = 10
"""After so many failed looks in a row, waiting ends: a short outage costs nothing, a broken key is noticed."""

_NAP_SECONDS = 0.5


def follow(
    look: Callable[[], MadeT],
    made: MadeT,
    *,
    seconds: float,
    poll_seconds: float,
    log: failures.Log,
    is_stopped: Callable[[], bool] = lambda: False,
) -> MadeT:
    """The order or transfer after it ended, or after `seconds`. Looks that fail for a passing reason are made up for.

    Raises:
        TradehookError: the last failure, when there were too many in a row or it is not a passing one.
    """
    deadline = time.monotonic() + seconds
    failed = 0
    while not made.is_final and not is_stopped() and (left := deadline - time.monotonic()) > 0:
        _sleep(min(poll_seconds, left), is_stopped=is_stopped)
        try:
            made = look()
            failed = 0
        except TradehookError as error:
            failed += 1
            if not failures.may_be_tried_again(error) or failed >= MOST_FAILURES:
                raise
            log.warning("Look %d failed, looking again: %s", failed, failures.reason(error))
    return made


class Looks:
    """How many looks in a row have failed. Whoever looks sets it back when one went well."""

    failed = 0


async def found_in_time(
    find: Callable[[Looks], Awaitable[FoundT]], *, what: str, until: float, poll_seconds: float, log: failures.Log
) -> tuple[FoundT | None, str]:
    """What was found, and an empty word; else `None`, and `timeout` when `until` came first, or `error`.

    `error` is said after too many failed looks in a row. Nothing is raised: from a trigger that would fail its task,
    whatever becomes of the money.

    Args:
        find: looks until there is something to tell.
        what: what is looked at, for the log.
        until: seconds since 1970 at which it stops looking.
        poll_seconds: how long to wait after a failure.
        log: where failed looks are told.
    """
    looks = Looks()
    while (left := until - time.time()) > 0:
        limit = asyncio.timeout(left)
        try:
            async with limit:
                return await find(looks), ""
        except Exception as error:  # noqa: BLE001 - see above
            if limit.expired():
                break
            looks.failed += 1
            log.warning("Look %d at %s failed: %s", looks.failed, what, type(error).__name__)
            if looks.failed >= MOST_FAILURES:
                return None, "error"
            await asyncio.sleep(min(poll_seconds, max(until - time.time(), 0)))
    return None, "timeout"


def _sleep(seconds: float, *, is_stopped: Callable[[], bool]) -> None:
    """In naps, since a signal wakes nobody: Airflow kills for good whoever does not stop within five seconds."""
    until = time.monotonic() + seconds
    while not is_stopped() and (left := until - time.monotonic()) > 0:
        time.sleep(min(left, _NAP_SECONDS))


def accepted(statuses: Collection[str], *, exchange: Exchange, accept_evidence: str | None) -> Collection[str]:
    """Which ends of an order are fine at this exchange.

    Args:
        statuses: what is fine where the exchange tells how an order stands.
        exchange: the account.
        accept_evidence: `wallet` takes *probably filled* for filled: the wallet moved as the order would have moved it.

    Raises:
        InvalidInput: the exchange will never tell, and nobody said that evidence is enough.
    """
    if accept_evidence is not None:
        return (*statuses, "probably_filled")
    if not exchange.spec.capabilities.can("orders"):
        raise InvalidInput(
            f"{exchange.spec.capabilities.cannot['orders']} So nothing here will ever say that an order was filled. "
            'Give accept_evidence="wallet" to take it for filled when the wallet moved as the order moves it, or do '
            "not wait.",
            exchange=exchange.spec.name,
        )
    return statuses


def read_wait(wait: bool | str, *, deferrable: bool) -> tuple[bool, bool]:  # noqa: FBT001 - as users write it
    """Whether to wait, and whether in the triggerer, from what `wait` says: True, False, or one of three words.

    Raises:
        ValueError: it is none of them.
    """
    match wait:
        case True | False:
            return wait, deferrable
        case "none":
            return False, deferrable
        case "inline":
            return True, False
        case "deferred":
            return True, True
    raise ValueError(f"wait can be True, False, 'none', 'inline' or 'deferred', not {wait!r}.")


def check_evidence(accept_evidence: str | None) -> None:
    """Raises `ValueError` for a kind of evidence that there is not."""
    if accept_evidence not in (None, "wallet"):
        raise ValueError(f"accept_evidence can be 'wallet' or None, not {accept_evidence!r}.")


def judge(made: Order | Transfer | FuturesOrder, *, accept: Collection[str]) -> None:
    """Pass an order or transfer that ended as wanted.

    Raises:
        AirflowFailException: it ended otherwise; trying again would not change that.
    """
    from airflow.sdk.exceptions import AirflowFailException

    if str(made.status) not in accept:
        noun, again, _ = _WORDS[type(made).__name__]
        raise AirflowFailException(
            f"{noun} {made.exchange_id} ended as {made.status}: {line_of(made)}. "
            f"This task run has had its {noun.lower()}; to {again}, start a new DAG run."
        )


def still_open(made: Order | Transfer | FuturesOrder, *, seconds: float) -> str:
    """What to say of an order or transfer that has not ended in time."""
    noun, _, what_to_do = _WORDS[type(made).__name__]
    return (
        f"{noun} {made.exchange_id} is still {made.status} after {seconds:g} s. "
        f"{what_to_do.format(made.exchange_id)}, or clear this task to go on waiting (nothing is sent again)."
    )


_WORDS = {
    "Order": ("Order", "order again", "It stays at the exchange: cancel it with `tradehook order cancel {}`"),
    "FuturesOrder": ("Futures order", "send another", "It stays at the exchange: look with `tradehook futures orders`"),
    "Transfer": (
        "Transfer",
        "send another",
        "It goes on without this task and cannot be called back: look with `tradehook transfers {}`",
    ),
}


def line_of(made: Order | Transfer | FuturesOrder) -> str:
    """An order, a transfer or a futures order in one line that begins with the fact."""
    from tradehook import made_words

    return made_words.line_of(made)


def word_in(event: Any, *, id_name: str, made_id: str, words: Collection[str]) -> str:
    """What the trigger said about this. Events come through a database, so nothing is taken on trust.

    Args:
        event: as it came.
        id_name: what its id is called there, such as `order_id`.
        made_id: which one is meant.
        words: what the trigger may say.

    Raises:
        AirflowException: the event is missing, is about something else, or says a word nobody knows.
    """
    from airflow.sdk.exceptions import AirflowException

    word = event.get("status") if isinstance(event, dict) else None
    if word not in words or event.get(id_name) != made_id:
        raise AirflowException(
            f"The trigger's event does not belong to {id_name.removesuffix('_id')} {made_id}; this is not taken for a "
            "result. The task can be tried again: nothing is sent twice."
        )
    return str(word)


def check_travels(trigger: Any) -> None:
    """Make sure a trigger can be stored and made again, before money depends on it.

    Raises:
        TypeError, ValueError: it cannot.
    """
    from airflow.sdk.serde import deserialize, serialize

    path, arguments = trigger.serialize()
    again: Any = deserialize(serialize(arguments))
    if again != arguments or path != f"{type(trigger).__module__}.{type(trigger).__qualname__}":
        raise ValueError(f"{path} does not survive being stored.")
    if type(trigger)(**again).serialize() != (path, arguments):
        raise ValueError(f"{path} is another one after being stored.")
