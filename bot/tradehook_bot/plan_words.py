"""A rebalance in words: what is held, what is left alone, how it ended. As HTML, the fact first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tradehook import render
from tradehook.amounts import plain
from tradehook.desk.intents import State
from tradehook.desk.plans import leg_intent_id
from tradehook_bot import news
from tradehook_bot.replies import bold, code, text

if TYPE_CHECKING:
    from tradehook.desk.journal import Journal
    from tradehook.desk.plans import LegOutcome, PlanOutcome
    from tradehook.rebalance import Plan


def holdings(plan: Plan) -> list[str]:
    """What each asset is of the whole, and should be."""
    return [text(f"{held.symbol}: {held.percent} %, target {plain(held.target)} %") for held in plan.holdings]


def skips(plan: Plan) -> list[str]:
    """What is left alone, and why."""
    return [text(f"Left alone: {skip.in_words()}") for skip in plan.skips]


def count(trades: int) -> str:
    """`3 trades`."""
    return f"{trades} trade{'' if trades == 1 else 's'}"


def ended(outcome: PlanOutcome) -> str:
    """How a plan ended, leg by leg."""
    done = sum(leg.is_done for leg in outcome.legs)
    match outcome.state:
        case State.ACCEPTED:
            likely = sum(leg.state == "probably filled" for leg in outcome.legs)
            unsure = f", {likely} of them probably: the exchange tells nothing, the wallet does" if likely else ""
            head, tail = f"Rebalanced: {count(done)} filled{unsure}.", []
        case State.REJECTED:
            head = f"Rebalanced in part: {done} of {count(len(outcome.legs))} filled."
            tail = ["This plan is over. /rebalance plans anew from what is held now."]
        case _:
            head = f"Not finished: {done} of {count(len(outcome.legs))} filled, and a leg has not ended yet."
            tail = ["/orders shows it.", goes_on(outcome.intent_id)]
    lines = [f"{number}. {_leg(leg)}" for number, leg in enumerate(outcome.legs, start=1)]
    return "\n".join([bold(head), *lines, *tail])


def _leg(leg: LegOutcome) -> str:
    """A leg that did what it should is told by its order, another one by what became of it."""
    order = text(render.order_line(leg.order)) if leg.order is not None else ""
    if leg.is_done and order:
        return order
    return f"{text(leg.leg.in_words())}: {text(leg.note or leg.state)}{f'. {order}' if order else ''}"


def legs_by_journal(journal: Journal, intent_id: str, plan: Plan) -> list[str]:
    """Each leg of a plan that stopped, as the journal has it. Blocking."""
    lines = []
    for number, leg in enumerate(plan.legs, start=1):
        intent = journal.find_exactly(leg_intent_id(intent_id, number))
        is_sent = intent is not None and intent.reads_as is not State.PREPARED
        stands = news.line(intent) if intent is not None and is_sent else "not sent"
        lines.append(f"{number}. {text(leg.in_words())}: {stands}")
    return lines


def goes_on(intent_id: str) -> str:
    """How a plan that is not finished can be gone on with."""
    command = code(f"tradehook rebalance run --intent-id {intent_id}")
    return f"/rebalance plans anew from what is held then; or, at the machine, this plan goes on: {command}"
