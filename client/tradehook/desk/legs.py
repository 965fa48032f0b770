"""The legs of a frozen plan, carried out one after the other. Each is an order intent of its own, under the plan's.

- A leg may shrink: when less is there than was planned, it is sized to what is there, once, before it is sent. It
  never grows, and a leg that was sized before is sent as it was.
- A leg that certainly failed stops only the buys that needed its money.
- A leg whose outcome is unknown stops everything: what comes next would build on a guess.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal
from typing import TYPE_CHECKING, Any, Literal

from tradehook.amounts import Amount, plain
from tradehook.desk.intents import State, derived_id, error_to_dict
from tradehook.errors import IntentConflict, InvalidInput, OutcomeUnknown, TradehookError
from tradehook.models import OrderStatus, Side
from tradehook.rebalance import WHOLE, Leg
from tradehook.render import order_line
from tradehook.run import run

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

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
class Legs:
    """One run through a frozen plan's legs."""

    desk: Desk
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
            self.tell(f"{number}. {leg.in_words()}: {outcome.note or outcome.state}.{done}")
        return tuple(outcomes)

    def _leg(self, number: int, leg: Leg, *, before: Sequence[LegOutcome]) -> LegOutcome:
        intent_id = leg_intent_id(self.intent_id, number)
        if any(outcome.state == "waiting" for outcome in before):
            return LegOutcome(leg, intent_id, "not sent", None, "an earlier leg has not ended yet")
        begun = self.desk.journal.find_exactly(intent_id)
        if (begun is None or begun.state is State.PREPARED) and (stopped := self._is_stopped(leg, before)):
            return LegOutcome(leg, intent_id, "not sent", None, stopped)
        intent = self._intent(leg, intent_id)
        try:
            outcome = self._place(leg, intent, before=before)
            if outcome.is_stored:
                self.tell(f"{number}. was sent before: order {outcome.order.order_id}; not sent again.")
            order = self._wait(intent.intent_id, outcome.order)
        except OutcomeUnknown as error:
            self.desk.journal.note(self.intent_id, "leg unknown", {"leg": number, "intent_id": error.intent_id})
            raise
        except TradehookError as error:
            if isinstance(error, InvalidInput):  # it cannot be sent as written
                self.desk.journal.refuse(intent, error_to_dict(error))
            elif self.desk.journal.get(intent.intent_id).state is not State.REJECTED:
                raise
            return LegOutcome(leg, intent.intent_id, "failed", None, error.message)
        if not order.is_final:
            note = f"order {order.order_id} is {order.status} after {self.wait_seconds:g} s"
            return LegOutcome(leg, intent.intent_id, "waiting", order, note, outcome.is_stored)
        if order.status is OrderStatus.FILLED:
            return LegOutcome(leg, intent.intent_id, "filled", order, "", outcome.is_stored)
        return LegOutcome(leg, intent.intent_id, "failed", order, _unfilled(order), outcome.is_stored)

    def _intent(self, leg: Leg, intent_id: str) -> Intent:
        """The leg's row in the journal, which knows its plan; made before anything can fail."""
        exchange = self.desk.exchange
        intent, _ = self.desk.journal.prepare(
            intent_id,
            kind="order",
            exchange=exchange.spec.name,
            host=exchange.host,
            environment=exchange.environment,
            account=self.desk.account,
            source=self.source,
            asked=leg.order().to_dict(),
            parent_id=self.intent_id,
        )
        return intent

    def _place(self, leg: Leg, intent: Intent, *, before: Sequence[LegOutcome]) -> Outcome:
        order = leg.order()
        smaller = self._smaller(leg, intent, before=before) if intent.request is None else None
        try:
            return self.desk.place_order(
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
        return self.desk.place_order(order, intent_id=intent.intent_id, source=self.source)

    def _smaller(self, leg: Leg, intent: Intent, *, before: Sequence[LegOutcome]) -> SizedOrder | None:
        """The leg sized to what is there, when that is less than was planned.

        Raises:
            InvalidInput: what is there is too little for an order.
        """
        planned = leg.order().amount.value
        if leg.side is Side.SELL:
            there = self._available(leg.base, leg.chain)
            fits, symbol, kind = there, leg.base, "base"
        else:
            there = self._money(leg, before=before)
            fits, symbol, kind = there / (1 + max(self.plan.fee / WHOLE, _LEAST_FEE)), leg.quote, "quote"
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
        sized = run(self.desk.exchange.size_order(order))
        return self.desk.exchange.tag_order(sized, by=intent.intent_id) if self.is_unattended else sized

    def _is_stopped(self, leg: Leg, before: Sequence[LegOutcome]) -> str:
        """Why a buy is not sent: it needed the money of a sell that failed. Empty when it did not."""
        lost = [
            outcome.leg.base
            for outcome in before
            if outcome.state != "filled" and outcome.leg.side is Side.SELL and outcome.leg.chain == leg.chain
        ]
        if leg.side is Side.SELL or not lost:
            return ""
        kept = self.plan.kept if leg.chain is None and leg.quote == self.plan.quote else Decimal(0)
        if self._cost(leg) <= self._available(leg.quote, leg.chain) - kept:
            return ""
        return f"it needed the money from selling {', '.join(lost)}"

    def _cost(self, leg: Leg) -> Decimal:
        return leg.order().amount.value * (1 + self.plan.fee / WHOLE)

    def _money(self, leg: Leg, *, before: Sequence[LegOutcome]) -> Decimal:
        """What a buy may spend. What a sell has just brought in is waited for a moment."""
        set_aside = self.plan.buffer if leg.chain is None and leg.quote == self.plan.quote else Decimal(0)
        line = self.desk.exchange.session.line
        brought = any(
            outcome.state == "filled" and not outcome.is_stored and outcome.leg.side is Side.SELL for outcome in before
        )
        deadline = line.monotonic() + (_ARRIVAL_SECONDS if brought else 0)
        while True:
            there = self._available(leg.quote, leg.chain) - set_aside
            if there >= self._cost(leg) or line.monotonic() >= deadline:
                return there
            run(line.pause(_POLL_SECONDS))

    def _available(self, symbol: str, chain: str | None) -> Decimal:
        rows = run(self.desk.exchange.balances())
        return sum((row.available for row in rows if (row.symbol, row.chain) == (symbol, chain)), Decimal(0))

    def _wait(self, intent_id: str, order: Order) -> Order:
        line = self.desk.exchange.session.line
        deadline = line.monotonic() + self.wait_seconds
        while not order.is_final and line.monotonic() < deadline:
            run(line.pause(_POLL_SECONDS))
            order = self.desk.follow(intent_id)
        return order


def leg_intent_id(intent_id: str, number: int) -> str:
    """The order intent of a plan's leg, counted from 1."""
    return derived_id(intent_id, "leg", str(number))


def _unfilled(order: Order) -> str:
    part = f" after {order.filled} {order.base or ''}".rstrip() if order.filled else ""
    return f"order {order.order_id} was {order.status}{part}"
