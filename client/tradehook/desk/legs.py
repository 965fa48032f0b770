"""The legs of a frozen plan, carried out one after the other. Each is an order intent of its own, under the plan's.

- A leg may shrink: when less is there than was planned, it is sized to what is there, once, before it is sent. It
  never grows, and a leg that was sized before is sent as it was.
- A leg that certainly failed stops only the buys that needed its money.
- A leg whose outcome is unknown stops everything: what comes next would build on a guess.
- Once a leg of another plan was sent for the account, a plan that was made before is over: it would do the same again.
- Over several accounts, each leg goes through its own account's desk. Money of one pays for nothing at another, so a
  leg that failed or has not ended stops legs of its own account alone.
- Where an exchange tells nothing of orders, a leg is done when the wallet has moved as it would have (*probably
  filled*, with the evidence). Where the wallet cannot tell, its account stops there until somebody says what is so.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal
from typing import TYPE_CHECKING, Any, Final, Literal

from tradehook.amounts import Amount, plain
from tradehook.desk.intents import State, derived_id, error_to_dict
from tradehook.desk.schema import reading
from tradehook.desk.sent import overtaken_by, overtaken_words
from tradehook.errors import GuardRefused, IntentConflict, InvalidInput, OutcomeUnknown, TradehookError
from tradehook.models import OrderStatus, Side
from tradehook.rebalance import WHOLE, Leg
from tradehook.render import order_line
from tradehook.run import run

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tradehook.desk.intents import Intent
    from tradehook.desk.submit import Desk, Outcome
    from tradehook.models import Order, SizedOrder
    from tradehook.rebalance import Plan

_POLL_SECONDS = 0.3
_ARRIVAL_SECONDS = 3.0
"""How long money of a filled sell may take to be seen in the balances."""
_CENT = Decimal("0.01")
_LEAST_FEE = Decimal("0.001")
"""Left over when a buy shrinks to all that is there, since the exchange tells no fee beforehand."""

LegState = Literal["filled", "probably filled", "failed", "waiting", "cannot tell", "not sent"]
DONE: Final[tuple[LegState, ...]] = ("filled", "probably filled")
"""It did what it should."""


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

    @property
    def is_done(self) -> bool:
        """Whether it did what it should, as far as anybody can tell."""
        return self.state in DONE

    @property
    def is_open(self) -> bool:
        """Whether it was sent and its end is not known."""
        return self.state in ("waiting", "cannot tell")

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
class Legs:
    """One run through a frozen plan's legs."""

    desks: Mapping[str, Desk]
    """By account. A plan over one account has one, whatever its name."""
    plan: Plan
    intent_id: str
    """The plan's."""
    source: str
    wait_seconds: float
    """How long to wait for each leg to end."""
    tell: Callable[[str], None]
    is_unattended: bool = False

    def carry_out(self) -> tuple[LegOutcome, ...]:
        """Every leg in its turn, with what became of it.

        Raises:
            OutcomeUnknown: a leg may or may not have been placed. Nothing after it is sent.
            TradehookError: it cannot go on now; a rerun continues.
        """
        outcomes: list[LegOutcome] = []
        for number, leg in enumerate(self.plan.legs, start=1):
            outcome = self._leg(number, leg, before=outcomes)
            outcomes.append(outcome)
            done = f" {order_line(outcome.order)}" if outcome.order else ""
            said = (outcome.note or outcome.state).removesuffix(".")
            self.tell(f"{number}. {leg.in_words()}: {said}.{done}")
        return tuple(outcomes)

    def _leg(self, number: int, leg: Leg, *, before: Sequence[LegOutcome]) -> LegOutcome:
        intent_id = leg_intent_id(self.intent_id, number)
        desk = self._desk(leg)
        before = [outcome for outcome in before if outcome.leg.account == leg.account]
        if stopped := self._stops(leg, intent_id, before):
            return LegOutcome(leg, intent_id, "not sent", None, stopped)
        intent = self._intent(leg, intent_id)
        try:
            outcome = self._place(leg, intent, before=before)
            if outcome.is_stored:
                self.tell(f"{number}. was sent before: order {outcome.order.order_id}; not sent again.")
            order = self._wait(desk, intent.intent_id, outcome.order)
        except OutcomeUnknown as error:
            desk.journal.note(self.intent_id, "leg unknown", {"leg": number, "intent_id": error.intent_id})
            raise
        except TradehookError as error:
            if isinstance(error, GuardRefused) and error.rule == "plan":  # in that very moment
                return LegOutcome(leg, intent.intent_id, "not sent", None, error.message)
            if isinstance(error, InvalidInput):  # it cannot be sent as written
                desk.journal.refuse(intent, error_to_dict(error))
            elif desk.journal.get(intent.intent_id).state is not State.REJECTED:
                raise
            return LegOutcome(leg, intent.intent_id, "failed", None, error.message)
        state = state_of(order)
        note = ""
        if state == "waiting":
            note = f"order {order.order_id} is {order.status} after {self.wait_seconds:g} s"
        elif state == "cannot tell":
            note = _untold(order, intent.intent_id)
        elif state == "failed":
            note = _unfilled(order)
        return LegOutcome(leg, intent.intent_id, state, order, note, outcome.is_stored)

    def _desk(self, leg: Leg) -> Desk:
        """The desk of the account that the leg is for."""
        return self.desks[leg.account] if leg.account else next(iter(self.desks.values()))

    def _intent(self, leg: Leg, intent_id: str) -> Intent:
        """The leg's row in the journal, which knows its plan; made before anything can fail."""
        desk = self._desk(leg)
        exchange = desk.exchange
        intent, _ = desk.journal.prepare(
            intent_id,
            kind="order",
            exchange=exchange.spec.name,
            host=exchange.host,
            environment=exchange.environment,
            account=desk.account,
            source=self.source,
            asked=leg.order().to_dict(),
            parent_id=self.intent_id,
        )
        return intent

    def _place(self, leg: Leg, intent: Intent, *, before: Sequence[LegOutcome]) -> Outcome:
        order, desk = leg.order(), self._desk(leg)
        smaller = self._smaller(leg, intent, before=before) if intent.request is None else None
        try:
            return desk.place_order(
                order,
                intent_id=intent.intent_id,
                source=self.source,
                sized=smaller,
                is_unattended=self.is_unattended,
            )
        except IntentConflict:
            if smaller is None:
                raise
        # Another process that carries the same plan out sized this leg first: that size holds.
        return desk.place_order(order, intent_id=intent.intent_id, source=self.source)

    def _smaller(self, leg: Leg, intent: Intent, *, before: Sequence[LegOutcome]) -> SizedOrder | None:
        """The leg sized to what is there, when that is less than was planned.

        Raises:
            InvalidInput: what is there is too little for an order.
        """
        planned = leg.order().amount.value
        if leg.side is Side.SELL:
            there = self._available(leg, leg.base)
            fits, symbol, kind = there, leg.base, "base"
        else:
            there = self._money(leg, before=before)
            fee = self.plan.part(leg.account).fee / WHOLE
            fits, symbol, kind = there / (1 + max(fee, _LEAST_FEE)), leg.quote, "quote"
        needs = planned if leg.side is Side.SELL else self._cost(leg)
        if there >= needs:
            return None
        amount = fits if leg.side is Side.SELL else max(fits, Decimal(0)).quantize(_CENT, ROUND_DOWN)
        worth = leg.value * amount / planned
        if amount <= 0 or worth < self.plan.min_trade:
            raise InvalidInput(
                f"Only {plain(max(there, Decimal(0)))} {symbol} is there now, where {plain(planned)} was planned. "
                f"That is less than the smallest trade; nothing was sent."
            )
        self.tell(f"Made smaller: {plain(amount)} {symbol} instead of {plain(planned)}, since no more is there now.")
        order = leg.order().model_copy(update={"amount": Amount("base" if kind == "base" else "quote", amount)})
        exchange = self._desk(leg).exchange
        sized = run(exchange.size_order(order))
        return exchange.tag_order(sized, by=intent.intent_id) if self.is_unattended else sized

    def _stops(self, leg: Leg, intent_id: str, before: Sequence[LegOutcome]) -> str:
        """What is in the way of a leg; empty when nothing is."""
        if any(outcome.state == "waiting" for outcome in before):
            return "an earlier leg has not ended yet"
        if any(outcome.state == "cannot tell" for outcome in before):
            return "nobody can tell how an earlier leg ended"
        desk = self._desk(leg)
        begun = desk.journal.find_exactly(intent_id)
        if begun is not None and begun.state is not State.PREPARED:
            return ""  # it was sent before: what became of it is told
        return self._overtaken(desk) or self._lacks(leg, before)

    def _overtaken(self, desk: Desk) -> str:
        """Why nothing more of this plan is sent for an account: another one was carried out there since it was made."""
        account_id = run(desk.exchange.account_id())
        with reading(desk.journal.engine) as connection:
            other = overtaken_by(connection, plan_id=self.intent_id, host=desk.exchange.host, account_id=account_id)
        return overtaken_words(other) if other else ""

    def _lacks(self, leg: Leg, before: Sequence[LegOutcome]) -> str:
        """Why a buy is not sent: it needed the money of a sell that failed. Empty when it did not."""
        lost = [
            outcome.leg.base
            for outcome in before
            if not outcome.is_done and outcome.leg.side is Side.SELL and outcome.leg.chain == leg.chain
        ]
        if leg.side is Side.SELL or not lost:
            return ""
        part = self.plan.part(leg.account)
        kept = part.kept if leg.chain is None and leg.quote == part.quote else Decimal(0)
        if self._cost(leg) <= self._available(leg, leg.quote) - kept:
            return ""
        return f"it needed the money from selling {', '.join(lost)}"

    def _cost(self, leg: Leg) -> Decimal:
        return leg.order().amount.value * (1 + self.plan.part(leg.account).fee / WHOLE)

    def _money(self, leg: Leg, *, before: Sequence[LegOutcome]) -> Decimal:
        """What a buy may spend. What a sell has just brought in is waited for a moment."""
        part = self.plan.part(leg.account)
        set_aside = part.buffer if leg.chain is None and leg.quote == part.quote else Decimal(0)
        line = self._desk(leg).exchange.session.line
        brought = any(outcome.is_done and not outcome.is_stored and outcome.leg.side is Side.SELL for outcome in before)
        deadline = line.monotonic() + (_ARRIVAL_SECONDS if brought else 0)
        while True:
            there = self._available(leg, leg.quote) - set_aside
            if there >= self._cost(leg) or line.monotonic() >= deadline:
                return there
            run(line.pause(_POLL_SECONDS))

    def _available(self, leg: Leg, symbol: str) -> Decimal:
        """What is free of an asset where the leg is traded."""
        rows = run(self._desk(leg).exchange.balances())
        return sum((row.available for row in rows if (row.symbol, row.chain) == (symbol, leg.chain)), Decimal(0))

    def _wait(self, desk: Desk, intent_id: str, order: Order) -> Order:
        line = desk.exchange.session.line
        deadline = line.monotonic() + self.wait_seconds
        while not order.is_final and line.monotonic() < deadline:
            run(line.pause(_POLL_SECONDS))
            order = desk.follow(intent_id)
        return order


def state_of(order: Order) -> LegState:
    """What became of a leg, by its order as last seen."""
    match order.status:
        case OrderStatus.FILLED:
            return "filled"
        case OrderStatus.PROBABLY_FILLED:
            return "probably filled"
        case OrderStatus.CANNOT_TELL:
            return "cannot tell"
        case status:
            return "failed" if status.is_final else "waiting"


def leg_intent_id(intent_id: str, number: int) -> str:
    """The order intent of a plan's leg, counted from 1."""
    return derived_id(intent_id, "leg", str(number))


def _unfilled(order: Order) -> str:
    part = f" after {order.filled} {order.base or ''}".rstrip() if order.filled else ""
    return f"order {order.order_id} was {order.status}{part}"


def _untold(order: Order, intent_id: str) -> str:
    evidence = order.evidence or "the exchange says nothing of it"
    return (
        f"nobody can tell how order {order.order_id} ended: {evidence}. Look at the exchange, then type "
        f"`tradehook intents resolve {intent_id} --as filled` (or `canceled`), and continue this plan"
    )
