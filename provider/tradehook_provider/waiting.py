"""Waiting for an order to end: beside it for a while, then from what a trigger says, and judging how it ended."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from tradehook.errors import InvalidInput, TradehookError
from tradehook_provider import failures

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from tradehook.contract import Exchange
    from tradehook.models import Order

FINAL_WORDS = ("filled", "canceled", "failed", "probably_filled")
EVENT_WORDS = (*FINAL_WORDS, "timeout", "error")
"""What a trigger may say: how the order ended, or why it stopped looking."""
MOST_FAILURES = 10
"""After so many failed looks in a row, waiting ends: a short outage costs nothing, a broken key is noticed."""


def follow(
    look: Callable[[], Order],
    order: Order,
    *,
    seconds: float,
    poll_seconds: float,
    log: failures.Log,
    is_stopped: Callable[[], bool] = lambda: False,
) -> Order:
    """The order after it ended, or after `seconds`. Looks that fail for a passing reason are made up for.

    Raises:
        TradehookError: the last failure, when there were too many in a row or it is not a passing one.
    """
    deadline = time.monotonic() + seconds
    failed = 0
    while not order.is_final and not is_stopped() and (left := deadline - time.monotonic()) > 0:
        time.sleep(min(poll_seconds, left))
        try:
            order = look()
            failed = 0
        except TradehookError as error:
            failed += 1
            if not failures.may_be_tried_again(error) or failed >= MOST_FAILURES:
                raise
            log.warning("Look %d failed, looking again: %s", failed, failures.reason(error))
    return order


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


def check_evidence(accept_evidence: str | None) -> None:
    """Raises `ValueError` for a kind of evidence that there is not."""
    if accept_evidence not in (None, "wallet"):
        raise ValueError(f"accept_evidence can be 'wallet' or None, not {accept_evidence!r}.")


def judge(order: Order, *, accept: Collection[str]) -> None:
    """Pass an order that ended as wanted.

    Raises:
        AirflowFailException: it ended otherwise; trying again would not change that.
    """
    from airflow.sdk.exceptions import AirflowFailException

    from tradehook.render import order_line

    if str(order.status) not in accept:
        raise AirflowFailException(
            f"Order {order.order_id} ended as {order.status}: {order_line(order)}. "
            "This task run has had its order; to order again, start a new DAG run."
        )


def still_open(order: Order, *, seconds: float) -> str:
    """What to say of an order that has not ended in time."""
    return (
        f"Order {order.order_id} is still {order.status} after {seconds:g} s. It stays at the exchange: cancel it with "
        f"`tradehook order cancel {order.order_id}`, or clear this task to go on waiting (nothing is sent again)."
    )


def word_in(event: Any, *, order_id: str) -> str:
    """What the trigger said about this order. Events come through a database, so nothing is taken on trust.

    Raises:
        AirflowException: the event is missing, is about something else, or says a word nobody knows.
    """
    from airflow.sdk.exceptions import AirflowException

    word = event.get("status") if isinstance(event, dict) else None
    if word not in EVENT_WORDS or event.get("order_id") != order_id:
        raise AirflowException(
            f"The trigger's event does not belong to order {order_id}; this is not taken for a result. "
            "The task can be tried again: nothing is sent twice."
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
