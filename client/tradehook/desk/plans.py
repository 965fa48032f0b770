"""Rebalances: a plan is made once, frozen in the journal, and then carried out leg by leg.

The plan is an intent of its own (kind `plan`), each leg an order intent whose id follows from the plan's. So a
rerun after a crash makes no new plan: it continues the frozen one, and every leg that was sent returns what is
stored. The plan's own state: PREPARED while unfinished, ACCEPTED when every leg was filled, REJECTED when one
was refused or ended unfilled.

- A leg that certainly failed stops only the buys that needed its money.
- A leg whose outcome is unknown stops everything: what comes next would build on a guess.
- A refusal of our own (a freeze, say) or an exchange out of reach leaves the plan unfinished, to be continued.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

from tradehook.desk import guard
from tradehook.desk.intents import State, check_intent_id, derived_id, error_from_dict, error_to_dict
from tradehook.errors import InvalidInput, OutcomeUnknown, Rejected, TradehookError
from tradehook.models import OrderStatus, Side, Unit
from tradehook.rebalance import WHOLE, Plan, plan
from tradehook.render import order_line
from tradehook.run import run

if TYPE_CHECKING:
    from collections.abc import Callable

    from tradehook.contract import Exchange
    from tradehook.desk.intents import Intent
    from tradehook.desk.submit import Desk
    from tradehook.models import Balance, Order
    from tradehook.rebalance import Goal, Leg

_PRICED_FOR = Decimal(100)
"""Prices are asked for selling this much quote: small enough for every book, large enough for every lot."""
_POLL_SECONDS = 0.3
LegState = Literal["filled", "failed", "waiting", "not sent"]


@dataclass(frozen=True, slots=True)
class LegOutcome:
    """What became of one leg."""

    leg: Leg
    intent_id: str
    state: LegState
    order: Order | None
    """The order as last seen."""
    note: str = ""
    """Why it failed or was not sent."""
    is_stored: bool = False
    """Whether nothing was sent this time, because it had been sent before."""

    def to_dict(self) -> dict[str, Any]:
        """A plain dict of JSON types."""
        return {
            **self.leg.to_dict(),
            "intent_id": self.intent_id,
            "state": self.state,
            "note": self.note,
            "is_stored": self.is_stored,
            "order": self.order.model_copy(update={"payloads": ()}).to_dict() if self.order else None,
        }


@dataclass(frozen=True, slots=True)
class PlanOutcome:
    """What became of a plan."""

    intent_id: str
    state: State
    plan: Plan
    legs: tuple[LegOutcome, ...]
    is_stored: bool
    """Whether the plan was frozen before this call."""

    @property
    def problems(self) -> list[str]:
        """A line for each leg that was not filled."""
        return [f"{leg.leg.in_words()}: {leg.state}: {leg.note}" for leg in self.legs if leg.state != "filled"]

    def to_dict(self) -> dict[str, Any]:
        """A plain dict of JSON types, for `--json` and XCom."""
        return {
            "intent_id": self.intent_id,
            "state": str(self.state),
            "is_stored": self.is_stored,
            "plan": self.plan.to_dict(),
            "legs": [leg.to_dict() for leg in self.legs],
        }


def make(exchange: Exchange, goal: Goal) -> Plan:
    """The plan that would be carried out now. Reads only, stores nothing. `exchange` is over a blocking line.

    Raises:
        InvalidInput: a target is not traded here, or there is nothing to divide.
    """
    return run(_make(exchange, goal))


async def _make(exchange: Exchange, goal: Goal) -> Plan:
    balances, prices, goal = await survey(exchange, goal)
    return plan(goal, balances=balances, prices=prices)


async def survey(exchange: Exchange, goal: Goal) -> tuple[list[Balance], dict[str, Decimal], Goal]:
    """Balances, what each target would fetch, and the goal with cash under the name it settles as."""
    prices: dict[str, Decimal] = {}
    quote = goal.quote
    for symbol in goal.symbols:
        found = await exchange.get_quote(
            symbol, quote=goal.quote, side=Side.SELL, quantity=_PRICED_FOR, unit=Unit.QUOTE
        )
        prices[symbol] = found.price
        quote = found.quote
    return await exchange.balances(), prices, goal.settled_in(quote)


def carry_out(
    desk: Desk,
    goal: Goal,
    *,
    intent_id: str,
    source: str,
    wait_seconds: float = 60.0,
    tell: Callable[[str], None] = lambda _line: None,
) -> PlanOutcome:
    """Rebalance at most once for this intent id. May be repeated: continues the frozen plan, sends no leg twice.

    Args:
        desk: the account's desk.
        goal: what is wanted; must be the same on every repetition.
        intent_id: names the rebalance, not the attempt.
        source: who asks, for the record.
        wait_seconds: how long to wait for each leg to end; after that the plan is left unfinished (PREPARED).
        tell: called with a line for each step.

    Raises:
        IntentConflict: the id stands for another goal or another account.
        GuardRefused: one of our limits said no; the plan can be continued when it no longer does.
        OutcomeUnknown: a leg may or may not have been placed. Nothing after it is sent.
        NetworkError, RateLimited: out of reach; the plan can be continued.
        InvalidInput: nothing could be planned; nothing was sent.
    """
    check_intent_id(intent_id)
    run(guard.check(desk.exchange))
    intent, was_frozen = _frozen(desk, goal, intent_id=intent_id, source=source)
    frozen = Plan.model_validate(intent.request)
    if was_frozen:
        tell(f"Continuing the plan of {intent.created_at:%Y-%m-%d %H:%M:%S} UTC.")
    for line in frozen.lines():
        tell(line)
    if intent.state in (State.ACCEPTED, State.REJECTED):
        tell("This plan has come to its end before. Nothing is sent again.")
        return _stored(desk, intent, frozen)
    work = _Work(desk, frozen, intent_id=intent_id, source=source, wait_seconds=wait_seconds, tell=tell)
    outcomes = work.legs()
    state = _end(desk, intent, outcomes)
    return PlanOutcome(intent_id=intent_id, state=state, plan=frozen, legs=outcomes, is_stored=was_frozen)


def leg_intent_id(intent_id: str, number: int) -> str:
    """The order intent of a plan's leg, counted from 1."""
    return derived_id(intent_id, "leg", str(number))


def _frozen(desk: Desk, goal: Goal, *, intent_id: str, source: str) -> tuple[Intent, bool]:
    """The plan's intent with its legs stored, and whether they were stored before."""
    exchange = desk.exchange
    asked = goal.to_dict()
    intent, _ = desk.journal.prepare(
        intent_id,
        kind="plan",
        exchange=exchange.spec.name,
        host=exchange.host,
        environment=exchange.environment,
        account=desk.account,
        source=source,
        asked={"what": f"rebalance to {goal.in_words()}", "account": run(exchange.account_id()), **asked},
    )
    if intent.request is not None:
        return intent, True
    return desk.journal.settle(intent, make(exchange, goal).to_dict()), False


class _Work:
    """One run through a frozen plan's legs."""

    def __init__(
        self,
        desk: Desk,
        frozen: Plan,
        *,
        intent_id: str,
        source: str,
        wait_seconds: float,
        tell: Callable[[str], None],
    ) -> None:
        self.desk = desk
        self.plan = frozen
        self.intent_id = intent_id
        self.source = source
        self.wait_seconds = wait_seconds
        self.tell = tell

    def legs(self) -> tuple[LegOutcome, ...]:
        outcomes: list[LegOutcome] = []
        funds = self.plan.cash
        for number, leg in enumerate(self.plan.legs, start=1):
            outcome = self._leg(number, leg, funds=funds, before=outcomes)
            outcomes.append(outcome)
            done = f" {order_line(outcome.order)}" if outcome.order else ""
            self.tell(f"{number}. {leg.in_words()}: {outcome.note or outcome.state}.{done}")
            funds += _brought(outcome) if leg.side is Side.SELL else -leg.value
        return tuple(outcomes)

    def _leg(self, number: int, leg: Leg, *, funds: Decimal, before: list[LegOutcome]) -> LegOutcome:
        intent_id = leg_intent_id(self.intent_id, number)
        if any(outcome.state == "waiting" for outcome in before):
            return LegOutcome(leg, intent_id, "not sent", None, "an earlier leg has not ended yet")
        lost = [outcome.leg.base for outcome in before if outcome.state == "failed" and outcome.leg.side is Side.SELL]
        spendable = funds * (WHOLE - self.plan.reserve) / WHOLE
        if leg.side is Side.BUY and lost and leg.value > spendable:
            return LegOutcome(leg, intent_id, "not sent", None, f"it needed the money from selling {', '.join(lost)}")
        try:
            outcome = self.desk.place_order(leg.order(), intent_id=intent_id, source=self.source)
            if outcome.is_stored:
                self.tell(f"{number}. was sent before: order {outcome.order.order_id}; not sent again.")
            order = self._wait(intent_id, outcome.order)
        except OutcomeUnknown as error:
            self.desk.journal.note(self.intent_id, "leg unknown", {"leg": number, "intent_id": error.intent_id})
            raise
        except TradehookError as error:
            if not self._is_certain(intent_id, error):
                raise
            return LegOutcome(leg, intent_id, "failed", None, error.message)
        if not order.is_final:
            note = f"order {order.order_id} is {order.status} after {self.wait_seconds:g} s"
            return LegOutcome(leg, intent_id, "waiting", order, note, outcome.is_stored)
        if order.status is OrderStatus.FILLED:
            return LegOutcome(leg, intent_id, "filled", order, "", outcome.is_stored)
        return LegOutcome(leg, intent_id, "failed", order, _unfilled(order), outcome.is_stored)

    def _is_certain(self, intent_id: str, error: TradehookError) -> bool:
        """Whether the leg is over: it cannot be sent as written, or the exchange said no."""
        if isinstance(error, InvalidInput):
            return True
        with suppress(InvalidInput):  # it may have failed before the leg became an intent
            return self.desk.journal.get(intent_id).state is State.REJECTED
        return False

    def _wait(self, intent_id: str, order: Order) -> Order:
        line = self.desk.exchange.session.line
        deadline = line.monotonic() + self.wait_seconds
        while not order.is_final and line.monotonic() < deadline:
            run(line.pause(_POLL_SECONDS))
            order = self.desk.follow(intent_id)
        return order


def _end(desk: Desk, intent: Intent, outcomes: tuple[LegOutcome, ...]) -> State:
    """Close the plan, or leave it PREPARED while a leg waits."""
    if any(outcome.state == "waiting" for outcome in outcomes):
        return State.PREPARED
    problems = [outcome for outcome in outcomes if outcome.state != "filled"]
    if not problems:
        desk.journal.move(intent, State.ACCEPTED, what="done")
        return State.ACCEPTED
    words = "; ".join(f"{outcome.leg.in_words()}: {outcome.note}" for outcome in problems)
    error = Rejected(f"The rebalance was not carried out in full. {words}", exchange=intent.exchange)
    for number, outcome in enumerate(outcomes, start=1):
        if outcome.note:
            desk.journal.note(intent.intent_id, f"leg {outcome.state}", {"leg": number, "note": outcome.note})
    desk.journal.move(intent, State.REJECTED, error=error_to_dict(error), what="done in part")
    return State.REJECTED


def _stored(desk: Desk, intent: Intent, frozen: Plan) -> PlanOutcome:
    """A plan that has come to its end, from the journal alone."""
    notes = {row["leg"]: str(row["note"]) for row in desk.journal.events(intent.intent_id) if "note" in row}
    outcomes = []
    for number, leg in enumerate(frozen.legs, start=1):
        leg_id = leg_intent_id(intent.intent_id, number)
        try:
            stored = desk.journal.get(leg_id)
        except InvalidInput:
            outcomes.append(LegOutcome(leg, leg_id, "not sent", None, notes.get(number, ""), is_stored=True))
            continue
        order = stored.last_order
        is_filled = order is not None and order.status is OrderStatus.FILLED
        note = notes.get(number) or (error_from_dict(stored.error).message if stored.error else "")
        state: LegState = "filled" if is_filled else "failed"
        outcomes.append(LegOutcome(leg, leg_id, state, order, "" if is_filled else note, is_stored=True))
    return PlanOutcome(
        intent_id=intent.intent_id, state=intent.state, plan=frozen, legs=tuple(outcomes), is_stored=True
    )


def _brought(outcome: LegOutcome) -> Decimal:
    """About how much quote a sell brought in. What it was planned to, when the exchange does not say."""
    order = outcome.order
    if order is None:
        return Decimal(0)
    if order.filled is not None and order.average_price is not None:
        return order.filled * order.average_price - (order.fee or Decimal(0))
    return outcome.leg.value if outcome.state == "filled" else Decimal(0)


def _unfilled(order: Order) -> str:
    part = f" after {order.filled} {order.base or ''}".rstrip() if order.filled else ""
    return f"order {order.order_id} was {order.status}{part}"
