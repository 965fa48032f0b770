"""Looks for what was sent and never answered."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from tradehook_provider.doubts import word_for
from tradehook_provider.failures import explained, with_retries
from tradehook_provider.hooks.exchange import DEFAULT_CONN_ID, ExchangeHook

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import Context

    from tradehook.desk.intents import Intent


class ReconcileOperator(BaseOperator):
    """Has looked once for everything of the account that is in doubt; fails while a doubt stays open.

    Reads only: nothing is sent, and no doubt ends by time alone.

    Returns (XCom) a plain dict: `looked_at`, `settled` and `still_open`, each a list of `intent_id`, `kind`,
    `standing`, `exchange_id`, `source`, and of what is open `next_step` and `looking_until`. When it fails, the same
    stands in the XCom `doubts`.
    """

    template_fields = ("intent_id", "exchange_conn_id")
    ui_color = "#f6e7d5"

    def __init__(
        self,
        *,
        intent_id: str | None = None,
        fail_if_open: bool = True,
        exchange_conn_id: str = DEFAULT_CONN_ID,
        **kwargs: Any,
    ) -> None:
        """Make one.

        Args:
            intent_id: tells of this one alone; without it, of all that the account has.
            fail_if_open: fail while a doubt is open: with another try while looking can still tell, and without one
                when only a person can.
            exchange_conn_id: the account.
            **kwargs: for every operator; `retries` is 2 unless it is set.
        """
        super().__init__(**with_retries(kwargs))
        self.intent_id = intent_id
        self.fail_if_open = fail_if_open
        self.exchange_conn_id = exchange_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Look, and tell what was found."""
        from tradehook.desk.intents import State
        from tradehook.run import run

        with explained(self.log), ExchangeHook(self.exchange_conn_id) as hook:
            desk = hook.desk
            before: Sequence[Intent]
            if self.intent_id is None:
                account_id = run(desk.exchange.account_id())
                before = desk.journal.doubts.list(desk.exchange.host, account_id=account_id)
            else:
                before = [desk.journal.get(self.intent_id)]
            if any(intent.reads_as is State.UNKNOWN for intent in before):
                desk.reconcile()
            now = [desk.journal.get(intent.intent_id) for intent in before]
        still_open = [intent for intent in now if intent.reads_as is State.UNKNOWN]
        told: dict[str, Any] = {
            "looked_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "settled": [_told(intent) for intent in now if intent not in still_open],
            "still_open": [_open(intent) for intent in still_open],
        }
        for row in (*told["settled"], *told["still_open"]):
            self.log.info("%s  %s  %s", row["standing"], row["intent_id"], row["exchange_id"] or "")
        if still_open and self.fail_if_open:
            context["ti"].xcom_push(key="doubts", value=told)
            self._fail(still_open)
        return told

    def _fail(self, still_open: Sequence[Intent]) -> None:
        """Raise what makes Airflow try again, or not.

        Raises:
            AirflowException: looking can still tell.
            AirflowFailException: only a person can.
        """
        from airflow.sdk.exceptions import AirflowException, AirflowFailException

        says = " ".join(_open(intent)["says"] for intent in still_open)
        counted = f"{len(still_open)} {'intent is' if len(still_open) == 1 else 'intents are'} in doubt."
        if any(word_for(intent, now=time.time()) is None for intent in still_open):
            raise AirflowException(f"{counted} {says} Looking again may tell more.")
        raise AirflowFailException(f"{counted} {says}")


def _told(intent: Intent) -> dict[str, Any]:
    return {
        "intent_id": intent.intent_id,
        "kind": intent.kind,
        "standing": str(intent.standing),
        "exchange_id": intent.exchange_id,
        "source": intent.source,
    }


def _open(intent: Intent) -> dict[str, Any]:
    from tradehook.desk.reconcile import unknown

    error = unknown(intent)
    return {
        **_told(intent),
        "says": error.message,
        "next_step": error.next_step,
        "looking_until": intent.looking_until.isoformat() if intent.looking_until else None,
    }
