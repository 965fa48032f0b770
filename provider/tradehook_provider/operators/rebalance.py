"""Brings an account to its targets, and reports what that changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from tradehook_provider.arguments import as_flag
from tradehook_provider.failures import explained, with_retries
from tradehook_provider.hooks.exchange import DEFAULT_CONN_ID, ExchangeHook
from tradehook_provider.operators.balances import goal, portfolio
from tradehook_provider.runs import refuse_backfill, task_intent_id, task_source

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow.sdk import Context

    from tradehook.desk.plans import PlanOutcome

LEG = "plan"


class RebalanceOperator(BaseOperator):
    """Has brought the account to its targets when it succeeds, or with `dry_run` has said how it would.

    The plan is made once for each task run and frozen in the journal: a retry, a kill or a clear continues it and
    sends no leg twice. Where trading is off or refused, the task fails; it is never quietly turned into a dry run.

    Returns (XCom) a plain dict, money as text: `dry_run`, `state`, `plan` (holdings, legs, what is left alone, each
    with its reason) and `legs` (what became of each, with its order).
    """

    template_fields = (
        "targets",
        "band",
        "min_trade",
        "quote",
        "reserve",
        "is_dry_run",
        "exchange_conn_id",
    )
    ui_color = "#e2eefa"

    def __init__(
        self,
        *,
        targets: Mapping[str, Any] | str,
        dry_run: bool | str,
        band: str | int = "1",
        min_trade: str | int = "10",
        quote: str | None = None,
        reserve: str | int = "0.5",
        exchange_conn_id: str = DEFAULT_CONN_ID,
        leg_timeout_seconds: float = 60.0,
        allow_backfill: bool = False,
        **kwargs: Any,
    ) -> None:
        """Make one.

        Args:
            targets: symbol to percent of the portfolio, as text or whole numbers, 100 at most; the rest is cash.
                In a template: `{{ params.targets | tojson }}`.
            dry_run: True makes the plan and sends nothing. There is no default: say which.
            band: an asset that is off its target by no more percent points is left alone.
            min_trade: in quote; nothing smaller is traded.
            quote: what everything is traded against; the exchange's own dollar when it is left out.
            reserve: percent of the portfolio that buys leave in cash, for fees and for prices that move.
            exchange_conn_id: the account.
            leg_timeout_seconds: how long to wait for each order; then the task fails and a later try continues.
            allow_backfill: let a backfill run trade now.
            **kwargs: for every operator; `retries` is 2 unless it is set.
        """
        super().__init__(**with_retries(kwargs))
        self.targets = targets
        self.is_dry_run = dry_run  # `dry_run` is a method of every operator
        self.band = band
        self.min_trade = min_trade
        self.quote = quote
        self.reserve = reserve
        self.exchange_conn_id = exchange_conn_id
        self.leg_timeout_seconds = leg_timeout_seconds
        self.allow_backfill = allow_backfill
        self._hook: ExchangeHook | None = None

    def execute(self, context: Context) -> dict[str, Any]:
        """Make the plan, or continue it, and carry it out."""
        from tradehook.desk import plans

        with explained(self.log), ExchangeHook(self.exchange_conn_id) as hook:
            self._hook = hook
            is_dry = as_flag(self.is_dry_run, what="dry_run")
            wanted = goal(
                hook,
                self.targets,
                quote=self.quote,
                band=self.band,
                min_trade=self.min_trade,
                reserve=self.reserve,
            )
            if is_dry:
                plan = plans.make(hook.get_conn().exchange, wanted)
                for line in ["Dry run, nothing is sent.", *plan.lines()]:
                    self.log.info("%s", line)
                return {"dry_run": True, "state": "DRY_RUN", "plan": plan.to_dict(), "legs": []}
            refuse_backfill(context, is_allowed=self.allow_backfill)
            outcome = plans.carry_out(
                hook.desk,
                wanted,
                intent_id=task_intent_id(context, hook=hook, leg=LEG),
                source=task_source(context),
                wait_seconds=self.leg_timeout_seconds,
                tell=lambda line: self.log.info("%s", line),
                is_unattended=True,
            )
            _judge(outcome)
            return {"dry_run": False, **outcome.to_dict()}

    def on_kill(self) -> None:
        """Begin no new leg. What is being sent goes on to its answer; a later try continues the plan."""
        if self._hook is not None:
            self._hook.stop()


class RebalanceReportOperator(BaseOperator):
    """Returns (XCom) the portfolio before and after against its targets, in percent, as a plain dict. Reads only.

    `{"account", "environment", "dry_run", "quote", "total_before", "total_after", "assets": {"BTC": {"target",
    "before", "after", "drift"}}, "legs": ["sell 0.1 BTC: filled"]}`
    """

    template_fields = ("before", "rebalance", "targets", "quote", "exchange_conn_id")
    ui_color = "#e8f4ec"

    def __init__(
        self,
        *,
        before: Any,
        rebalance: Any,
        targets: Mapping[str, Any] | str,
        quote: str | None = None,
        exchange_conn_id: str = DEFAULT_CONN_ID,
        **kwargs: Any,
    ) -> None:
        """Make one.

        Args:
            before: the output of a `BalancesOperator` with the same targets.
            rebalance: the output of the `RebalanceOperator`.
            targets: as for the rebalance.
            quote: as for the rebalance.
            exchange_conn_id: the account.
            **kwargs: for every operator; `retries` is 2 unless it is set.
        """
        super().__init__(**with_retries(kwargs))
        self.before = before
        self.rebalance = rebalance
        self.targets = targets
        self.quote = quote
        self.exchange_conn_id = exchange_conn_id

    def execute(self, context: Context) -> dict[str, Any]:  # noqa: ARG002 - Airflow's signature
        """Read the portfolio once more and set it beside what it was."""
        from tradehook.rebalance import Leg

        with explained(self.log), ExchangeHook(self.exchange_conn_id) as hook:
            after = portfolio(hook, goal(hook, self.targets, quote=self.quote))
            environment = hook.get_conn().exchange.environment
        earlier = self.before["portfolio"]
        report: dict[str, Any] = {
            "account": self.exchange_conn_id,
            "environment": environment,
            "dry_run": self.rebalance["dry_run"],
            "quote": after["quote"],
            "total_before": earlier["total"],
            "total_after": after["total"],
            "assets": {
                symbol: {
                    "target": held["target"],
                    "before": earlier["assets"][symbol]["percent"],
                    "after": held["percent"],
                    "drift": held["drift"],
                }
                for symbol, held in after["assets"].items()
            },
            "legs": [
                f"{Leg.model_validate({name: leg[name] for name in Leg.model_fields}).in_words()}: {leg['state']}"
                for leg in self.rebalance["legs"]
            ],
        }
        for symbol, row in report["assets"].items():
            self.log.info(
                "%-6s target %6s %%   before %6s %%   after %6s %%", symbol, row["target"], row["before"], row["after"]
            )
        for line in report["legs"]:
            self.log.info("%s", line)
        return report


def _judge(outcome: PlanOutcome) -> None:
    """Pass a plan that was carried out in full.

    Raises:
        AirflowFailException: a leg was refused or ended unfilled; trying again would not change that.
        AirflowException: a leg has not ended yet; a later try continues.
    """
    from airflow.sdk.exceptions import AirflowException, AirflowFailException

    problems = "; ".join(outcome.problems)
    if outcome.state == "REJECTED":
        raise AirflowFailException(
            f"The rebalance was not carried out in full, and this task run will not trade again. {problems}. "
            "Start a new DAG run to make a new plan from what is held now."
        )
    if outcome.state != "ACCEPTED":
        raise AirflowException(f"The rebalance is not done yet: {problems}. Trying again continues it.")
