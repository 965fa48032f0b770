"""What got no answer: waited for in the triggerer until its outcome is known, holding no worker.

    with deferred_doubt(self, hook=hook, intent_id=intent_id, is_on=self.deferrable):
        outcome = hook.desk.place_order(...)

The operator then has a method `execute_after_doubt`, which asks the desk for the same deed once more: what was found is
returned and nothing is sent again, and what is still in doubt fails the task with what to type. The trigger's event is
no result.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tradehook.errors import OutcomeUnknown
from tradehook_provider.failures import reason
from tradehook_provider.waiting import check_travels

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from airflow.sdk import BaseOperator

    from tradehook.desk.intents import Intent
    from tradehook_provider.hooks.exchange import ExchangeHook
    from tradehook_provider.triggers.doubts import ReconcileTrigger

METHOD = "execute_after_doubt"
POLL_SECONDS = 10.0
SETTLING_SECONDS = 120.0
"""After the horizon, how long the looks that prove absence may take."""
_BACKSTOP_SECONDS = 120.0


@contextmanager
def deferred_doubt(
    operator: BaseOperator,
    *,
    hook: ExchangeHook,
    intent_id: str,
    is_on: bool = True,
    others: Sequence[ExchangeHook] = (),
) -> Iterator[None]:
    """Defers the task when what is sent inside gets no answer, and looking can still tell what became of it.

    Args:
        operator: has a method `execute_after_doubt(context, event)`.
        hook: the account's.
        intent_id: names the deed.
        is_on: whether the task may be deferred at all.
        others: the hooks of more accounts of the same journal, where the deed is over several.

    Raises:
        TaskDeferred: it waits in the triggerer now.
        OutcomeUnknown: looking can tell nothing more, or `is_on` is false.
        TypeError, ValueError: the trigger could not be stored; found out before anything is sent.
    """
    if is_on:
        check_travels(_trigger(hook, intent_id, until=time.time()))
    try:
        yield
    except OutcomeUnknown as error:
        if not is_on:
            raise
        # A rebalance sends several; the doubt is about the one that the error names.
        intent = hook.desk.journal.get(error.intent_id)
        until = intent.looking_until.timestamp() + SETTLING_SECONDS if intent.looking_until is not None else 0
        if word_for(intent, now=time.time()) is not None or until <= time.time():
            raise
        account = next((one for one in others if one.exchange_conn_id == intent.account), hook)
        operator.log.warning(
            "%s It is looked for in the triggerer, until %s UTC at the latest.",
            reason(error),
            f"{datetime.fromtimestamp(until, UTC):%Y-%m-%d %H:%M:%S}",
        )
        operator.defer(
            trigger=_trigger(account, intent.intent_id, until=until),
            method_name=METHOD,
            # The trigger ends by itself; this only helps when it cannot.
            timeout=until - time.time() + _BACKSTOP_SECONDS,
        )


def word_for(intent: Intent, *, now: float) -> str | None:
    """How a doubt ended, or `None` while looking can still tell.

    `placed`, `rejected`, or `again` (nothing was sent, or it may be sent again) end it. It stays open when it is
    `absent` (proved, and held), needs a `human`, or is `held` since its list proves nothing.
    """
    from tradehook.desk.intents import State
    from tradehook.desk.reconcile import is_over

    match intent.standing:
        case State.ACCEPTED | State.MATCHED:
            return "placed"
        case State.REJECTED:
            return "rejected"
        case State.PREPARED:
            return "again"
        case State.PROVED_ABSENT:
            return "absent"
        case State.NEEDS_HUMAN:
            return "human"
        case State.UNKNOWN if is_over(intent, now=now) and (intent.resolution or {}).get("why_not_absent"):
            return "held"
        case _:
            return None


def _trigger(hook: ExchangeHook, intent_id: str, *, until: float) -> ReconcileTrigger:
    from tradehook_provider.triggers.doubts import ReconcileTrigger

    return ReconcileTrigger(
        exchange_conn_id=hook.exchange_conn_id, intent_id=intent_id, until=until, poll_seconds=POLL_SECONDS
    )
