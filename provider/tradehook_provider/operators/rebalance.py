"""Brings an account, or several as one, to its targets, and reports what that changed."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from tradehook_provider.arguments import as_flag, as_names
from tradehook_provider.failures import explained, with_retries
from tradehook_provider.hooks.exchange import DEFAULT_CONN_ID, ExchangeHook
from tradehook_provider.operators.balances import goal, portfolio
from tradehook_provider.runs import refuse_backfill, task_intent_id, task_source

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow.sdk import Context

    from tradehook.desk.plans import PlanOutcome
    from tradehook.rebalance import Goal, Leg, Plan

LEG = "plan"


class RebalanceOperator(BaseOperator):
    """Has brought the account to its targets when it succeeds, or with `dry_run` has said how it would.

    The plan is made once for each task run and frozen in the journal: a retry, a kill or a clear continues it and
    sends no leg twice. Where trading is off or refused, the task fails; it is never quietly turned into a dry run.

    With `exchange_conn_ids`, several accounts are rebalanced as one. Nothing is moved between them, and their
    connections must name the same journal.

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
        "exchange_conn_ids",
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
        exchange_conn_ids: Sequence[str] | str | None = None,
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
            exchange_conn_ids: several accounts instead, to rebalance all of them as one; their order does not matter.
                In a template: `{{ params.accounts | tojson }}`.
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
        self.exchange_conn_ids = exchange_conn_ids
        self.leg_timeout_seconds = leg_timeout_seconds
        self.allow_backfill = allow_backfill
        self._hooks: list[ExchangeHook] = []

    def execute(self, context: Context) -> dict[str, Any]:
        """Make the plan, or continue it, and carry it out."""
        from tradehook.desk import plans

        with explained(self.log), ExitStack() as stack:
            names = [self.exchange_conn_id]
            if self.exchange_conn_ids is not None:
                names = sorted(as_names(self.exchange_conn_ids, what="exchange_conn_ids"))
            self._hooks = [stack.enter_context(ExchangeHook(name)) for name in names]
            is_dry = as_flag(self.is_dry_run, what="dry_run")
            wanted = goal(
                self._hooks[0],
                self.targets,
                quote=self.quote,
                band=self.band,
                min_trade=self.min_trade,
                reserve=self.reserve,
            )
            if is_dry:
                plan = _plan(self._hooks, wanted)
                for line in ["Dry run, nothing is sent.", *plan.lines()]:
                    self.log.info("%s", line)
                return {"dry_run": True, "state": "DRY_RUN", "plan": plan.to_dict(), "legs": []}
            refuse_backfill(context, is_allowed=self.allow_backfill)
            outcome = plans.carry_out(
                self._hooks[0].desk,
                wanted,
                intent_id=task_intent_id(context, hook=self._hooks[0], leg=LEG),
                source=task_source(context),
                wait_seconds=self.leg_timeout_seconds,
                tell=lambda line: self.log.info("%s", line),
                is_unattended=True,
                others=[hook.desk for hook in self._hooks[1:]],
            )
            _judge(outcome)
            return {"dry_run": False, **outcome.to_dict()}

    def on_kill(self) -> None:
        """Begin no new leg. What is being sent goes on to its answer; a later try continues the plan."""
        for hook in self._hooks:
            hook.stop()


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
            "legs": [f"{_leg(leg).in_words()}: {leg['state']}" for leg in self.rebalance["legs"]],
        }
        for symbol, row in report["assets"].items():
            self.log.info(
                "%-6s target %6s %%   before %6s %%   after %6s %%", symbol, row["target"], row["before"], row["after"]
            )
        for line in report["legs"]:
            self.log.info("%s", line)
        return report


def _leg(told: Mapping[str, Any]) -> Leg:
    from tradehook.rebalance import Leg

    return Leg.model_validate({name: told[name] for name in Leg.model_fields if name in told})


def _plan(hooks: Sequence[ExchangeHook], wanted: Goal) -> Plan:
    from tradehook.desk import plans, team

    if len(hooks) == 1:
        return plans.make(hooks[0].get_conn().exchange, wanted)
    return team.make_across({hook.exchange_conn_id: hook.get_conn().exchange for hook in hooks}, wanted)


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
