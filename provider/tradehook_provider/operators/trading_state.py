"""Stops trading from a DAG, and in a sandbox lets it go on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from tradehook.errors import GuardRefused, InvalidInput
from tradehook_provider.failures import explained, with_retries
from tradehook_provider.hooks.exchange import DEFAULT_CONN_ID, ExchangeHook
from tradehook_provider.runs import task_source

if TYPE_CHECKING:
    from airflow.sdk import Context

STATES = {"freeze": "HALTED", "reduce": "REDUCING", "resume": "NORMAL"}


class TradingStateOperator(BaseOperator):
    """Has frozen trading, limited it to sells into money, or let it go on; the journal keeps who and why.

    What it stops stays stopped for everything that uses the journal (DAGs, chat, command line), also over restarts.
    Open orders stay open, and cancels always go through.

    A DAG may stop anything, and lets go on only what is play money: for a live account, or for a journal that has one,
    `resume` and a `reduce` that lifts a freeze are refused, and `tradehook resume` is for a person.

    Returns (XCom) a plain dict: `scope` (`*` is everything), `state`, `changed_by`, `why`, `changed_at`, and `was`.
    """

    template_fields = ("state", "reason", "exchange_conn_id")
    ui_color = "#f6d5d5"

    def __init__(
        self,
        *,
        state: str,
        reason: str = "",
        account_only: bool = False,
        exchange_conn_id: str = DEFAULT_CONN_ID,
        **kwargs: Any,
    ) -> None:
        """Make one.

        Args:
            state: `freeze` (nothing new is sent), `reduce` (only sells into money) or `resume`.
            reason: why, for the record.
            account_only: this account alone; it signs in to learn which that is. A freeze of everything needs no
                network.
            exchange_conn_id: the account, and by it the journal.
            **kwargs: for every operator; `retries` is 2 unless it is set.
        """
        super().__init__(**with_retries(kwargs))
        self.state = state
        self.reason = reason
        self.account_only = account_only
        self.exchange_conn_id = exchange_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Write the state into the journal."""
        from tradehook.desk.trading import EVERYWHERE, scope_of
        from tradehook.run import run

        with explained(self.log), ExchangeHook(self.exchange_conn_id) as hook:
            state = STATES.get(str(self.state).strip().lower())
            if state is None:
                raise InvalidInput(f"{str(self.state)[:20]!r} is no trading state: write {', '.join(STATES)}.")
            desk = hook.desk
            scope = scope_of(desk.exchange.host, run(desk.exchange.account_id())) if self.account_only else EVERYWHERE
            was = desk.journal.trading.get(scope)["state"]
            self._change(hook, state, scope=scope, by=task_source(context))
            now = {"scope": scope, **desk.journal.trading.get(scope), "was": was}
        where = "everything that uses this journal" if scope == EVERYWHERE else f"account {self.exchange_conn_id}"
        self.log.info("Trading is %s for %s (it was %s).", state, where, was)
        return now

    def _change(self, hook: ExchangeHook, state: str, *, scope: str, by: str) -> None:
        """Set it. What is live may only be stopped.

        Raises:
            GuardRefused: it would let real money move again.
        """
        from tradehook.desk.guard import is_live
        from tradehook.desk.trading import EVERYWHERE

        journal = hook.desk.journal
        is_real = is_live(hook.desk.exchange) or (scope == EVERYWHERE and journal.limits.holds_live())
        if is_real and state == "NORMAL":
            raise GuardRefused(
                "A DAG never lets live trading go on. Nothing was changed. A person types `tradehook resume`"
                f"{'' if scope == EVERYWHERE else ' --account-only'}, or /resume in chat.",
                rule="resume",
            )
        journal.trading.set(state, by=by, why=str(self.reason), scope=scope, may_loosen=not is_real)
