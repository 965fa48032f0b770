"""Brings an account, or several as one, to its targets, and reports what that changed."""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator, conf

from tradehook_provider.approving import plan_to_begin
from tradehook_provider.arguments import as_flag, as_names
from tradehook_provider.doubts import deferred_doubt
from tradehook_provider.failures import explained, with_retries
from tradehook_provider.hooks.exchange import DEFAULT_CONN_ID, ExchangeHook
from tradehook_provider.links import TradingPageLink
from tradehook_provider.operators.balances import goal, portfolio, target_set
from tradehook_provider.runs import refuse_backfill, task_intent_id, task_source
from tradehook_provider.waiting import check_travels

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow.sdk import Context

    from tradehook.desk.plans import PlanOutcome
    from tradehook.rebalance import Goal, Leg, Plan
    from tradehook_provider.triggers.orders import OrderTrigger

LEG = "plan"
_BACKSTOP_SECONDS = 120.0


class RebalanceOperator(BaseOperator):
    """Has brought the account to its targets when it succeeds, or with `dry_run` has said how it would.

    The plan is made once for each task run and frozen in the journal: a retry, a kill or a clear continues it and
    sends no leg twice. Where trading is off or refused, the task fails; it is never quietly turned into a dry run.

    With `exchange_conn_ids`, several accounts are rebalanced as one. Nothing is moved between them, and their
    connections must name the same journal.

    Returns (XCom) a plain dict, money as text: `dry_run`, `state`, `targets` (of a stored set its `name` and `version`,
    else `None`), `plan` (holdings, legs, what is left alone, each with its reason) and `legs` (what became of each,
    with its order).
    """

    template_fields = (
        "targets",
        "band",
        "min_trade",
        "quote",
        "reserve",
        "is_dry_run",
        "approved",
        "tolerance",
        "exchange_conn_id",
        "exchange_conn_ids",
    )
    operator_extra_links = (TradingPageLink(),)
    ui_color = "#e2eefa"

    def __init__(
        self,
        *,
        targets: Mapping[str, Any] | str,
        dry_run: bool | str,
        band: str | int | None = None,
        min_trade: str | int | None = None,
        quote: str | None = None,
        reserve: str | int | None = None,
        approved: Any = None,
        tolerance: str | int = "1",
        exchange_conn_id: str = DEFAULT_CONN_ID,
        exchange_conn_ids: Sequence[str] | str | None = None,
        leg_timeout_seconds: float = 60.0,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        inline_wait_seconds: float = 10.0,
        deferred_poll_seconds: float = 5.0,
        allow_backfill: bool = False,
        **kwargs: Any,
    ) -> None:
        """Make one.

        Args:
            targets: symbol to percent of the portfolio, as text or whole numbers, 100 at most; the rest is cash. Or the
                name of a stored set (`tradehook targets set main BTC=50`), which brings what follows, up to `reserve`.
                In a template: `{{ params.targets | tojson }}`.
            dry_run: True makes the plan and sends nothing. There is no default: say which.
            band: an asset that is off its target by no more percent points is left alone; 1 when it is left out.
            min_trade: in quote; nothing smaller is traded; 10 when it is left out.
            quote: what everything is traded against; the exchange's own dollar when it is left out.
            reserve: percent of the portfolio that buys leave in cash, for fees and for prices that move; 0.5 when it is
                left out.
            approved: the output of a `TradeApprovalOperator`: that very plan is carried out, or none.
            tolerance: percent that a price may have become worse since the plan was approved.
            exchange_conn_id: the account.
            exchange_conn_ids: several accounts instead, to rebalance all of them as one; their order does not matter.
                In a template: `{{ params.accounts | tojson }}`.
            leg_timeout_seconds: how long to wait for each order; then the task fails and a later try continues.
            deferrable: wait for a leg's order in the triggerer instead of in a worker, and look there for what became
                of one that got no answer. The frozen plan goes on when it is known.
            inline_wait_seconds: how long to wait for each order in the worker before deferring.
            deferred_poll_seconds: between two looks in the triggerer.
            allow_backfill: let a backfill run, or one that catches up, trade now.
            **kwargs: for every operator; `retries` is 2 unless it is set.
        """
        super().__init__(**with_retries(kwargs))
        self.targets = targets
        self.is_dry_run = dry_run  # `dry_run` is a method of every operator
        self.band = band
        self.min_trade = min_trade
        self.quote = quote
        self.reserve = reserve
        self.approved = approved
        self.tolerance = tolerance
        self.exchange_conn_id = exchange_conn_id
        self.exchange_conn_ids = exchange_conn_ids
        self.leg_timeout_seconds = leg_timeout_seconds
        self.deferrable = deferrable
        self.inline_wait_seconds = inline_wait_seconds
        self.deferred_poll_seconds = deferred_poll_seconds
        self.allow_backfill = allow_backfill
        self._hooks: list[ExchangeHook] = []

    def execute(self, context: Context) -> dict[str, Any]:
        """Make the plan, or continue it, and carry it out."""
        return self._execute(context)

    def execute_complete(
        self, context: Context, event: Any = None, *, order_id: str = "", until: float = 0.0
    ) -> dict[str, Any]:
        """Continue the frozen plan after a leg's order was waited for; what became of it is read, not believed."""
        word = event.get("status") if isinstance(event, dict) else None
        self.log.info("Waiting for order %s has ended: %s.", order_id, word)
        return self._execute(context, waited_for=(order_id, until))

    def execute_after_doubt(self, context: Context, event: Any = None) -> dict[str, Any]:
        """Continue the frozen plan after a leg that got no answer was looked for; what it is now, the journal says."""
        word = event.get("status") if isinstance(event, dict) else None
        self.log.info("Looking for the order has ended: %s.", word)
        return self._execute(context)

    def on_kill(self) -> None:
        """Begin no new leg. What is being sent goes on to its answer; a later try continues the plan."""
        for hook in self._hooks:
            hook.stop()

    def _execute(self, context: Context, *, waited_for: tuple[str, float] = ("", 0.0)) -> dict[str, Any]:
        with explained(self.log), ExitStack() as stack:
            names = [self.exchange_conn_id]
            if self.exchange_conn_ids is not None:
                names = sorted(as_names(self.exchange_conn_ids, what="exchange_conn_ids"))
            self._hooks = [stack.enter_context(ExchangeHook(name)) for name in names]
            if as_flag(self.is_dry_run, what="dry_run"):
                wanted, called = self._wanted(intent_id=None)
                plan = _plan(self._hooks, wanted)
                for line in ["Dry run, nothing is sent.", *plan.lines()]:
                    self.log.info("%s", line)
                return {
                    "dry_run": True, "state": "DRY_RUN", "targets": named(called), "plan": plan.to_dict(), "legs": [],
                }  # fmt: skip
            refuse_backfill(context, is_allowed=self.allow_backfill)
            intent_id = task_intent_id(context, hook=self._hooks[0], leg=LEG)
            wanted, called = self._wanted(intent_id=intent_id)
            if self.deferrable:
                # What cannot be stored must be found out now, not when a leg is sent already.
                check_travels(self._trigger("-", order_id="-", hook=self._hooks[0], until=0.0))
            with deferred_doubt(
                self, hook=self._hooks[0], intent_id=intent_id, is_on=self.deferrable, others=self._hooks[1:]
            ):
                outcome = self._carry_out(wanted, called, intent_id=intent_id, source=task_source(context))
            self._defer_for_open_leg(outcome, *waited_for)
            _judge(outcome)
            return {"dry_run": False, "targets": named(called), **outcome.to_dict()}

    def _carry_out(self, wanted: Goal, called: str, *, intent_id: str, source: str) -> PlanOutcome:
        from tradehook.desk import plans

        seconds = self.leg_timeout_seconds
        if self.deferrable:
            seconds = min(seconds, self.inline_wait_seconds)
        return plans.carry_out(
            self._hooks[0].desk,
            wanted,
            intent_id=intent_id,
            source=source,
            wait_seconds=seconds,
            shown=plan_to_begin(
                self.approved,
                hooks=self._hooks,
                goal=wanted,
                intent_id=intent_id,
                tolerance=self.tolerance,
                log=self.log,
            ),
            tell=lambda line: self.log.info("%s", line),
            named=called,
            is_unattended=True,
            others=[hook.desk for hook in self._hooks[1:]],
        )

    def _wanted(self, *, intent_id: str | None) -> tuple[Goal, str]:
        """The goal, and what it is called: of a plan that was begun before, what it was begun with.

        Raises:
            InvalidInput: an argument cannot be meant.
        """
        from tradehook.desk import plans

        hook = self._hooks[0]
        stored = target_set(hook, self.targets)
        if stored is not None and intent_id is not None:
            begun = plans.asked_before(hook.desk.journal, intent_id)
            was = named(begun[1]) if begun is not None else None
            if begun is not None and was is not None and was == {"name": stored.name, "version": was["version"]}:
                if begun[1] != stored.title:
                    self.log.info("This task run goes on with the targets that it began with: %s.", begun[1])
                return begun[0], begun[1]
        wanted = goal(
            hook, self.targets, quote=self.quote, band=self.band, min_trade=self.min_trade, reserve=self.reserve
        )
        return wanted, stored.title if stored is not None else ""

    def _defer_for_open_leg(self, outcome: PlanOutcome, waited_for: str, until: float) -> None:
        """Defer on the order of a leg that has not ended, while there is time left for it."""
        waiting = next((leg for leg in outcome.legs if leg.state == "waiting" and leg.order is not None), None)
        if not self.deferrable or waiting is None or waiting.order is None:
            return
        order_id = waiting.order.order_id
        if order_id != waited_for:
            until = time.time() + max(self.leg_timeout_seconds - self.inline_wait_seconds, 0)
        left = until - time.time()
        if left <= 0:
            return
        account = waiting.leg.account
        hook = next((one for one in self._hooks if one.exchange_conn_id == account), self._hooks[0])
        self.log.info("Order %s is %s. Waiting for it in the triggerer.", order_id, waiting.order.status)
        self.defer(
            trigger=self._trigger(waiting.intent_id, order_id=order_id, hook=hook, until=until),
            method_name="execute_complete",
            kwargs={"order_id": order_id, "until": until},
            # The trigger ends by itself; this only helps when it cannot.
            timeout=left + _BACKSTOP_SECONDS,
        )

    def _trigger(self, intent_id: str, *, order_id: str, hook: ExchangeHook, until: float) -> OrderTrigger:
        from tradehook_provider.triggers.orders import OrderTrigger

        return OrderTrigger(
            exchange_conn_id=hook.exchange_conn_id,
            order_id=order_id,
            intent_id=intent_id,
            until=until,
            poll_seconds=self.deferred_poll_seconds,
        )


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


def named(title: str) -> dict[str, Any] | None:
    """The name and version of a stored set by its title, `main, version 2`; `None` for targets without a name."""
    name, mark, version = title.rpartition(", version ")
    return {"name": name, "version": int(version)} if mark and version.isdigit() else None


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
