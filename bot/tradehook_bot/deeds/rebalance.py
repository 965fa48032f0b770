"""A plan is carried out leg by leg, after one question that shows it whole. The desk keeps it under the question's id.

Each leg is an order of its own under the plan, sent once; what is told while they go is the plan's one message.
"""

from __future__ import annotations

import asyncio
import contextlib
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from tradehook import render
from tradehook.desk import guard, plans
from tradehook.desk.intents import State as IntentState
from tradehook.models import Side, Value
from tradehook.rebalance import Goal, Plan
from tradehook_bot import cards, plan_words
from tradehook_bot.deeds import asking, journalled
from tradehook_bot.deeds.kind import Kind
from tradehook_bot.outbox import Letter
from tradehook_bot.proposals import State
from tradehook_bot.questions import check_open
from tradehook_bot.replies import bold, text
from tradehook_bot.store import now
from tradehook_bot.sweeping import in_thread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tradehook.desk.plans import PlanOutcome
    from tradehook_bot.accounts import Account
    from tradehook_bot.context import House
    from tradehook_bot.proposals import Proposal, Where

NAME = "rebalance"
_FRESH = timedelta(seconds=30)
"""A plan that was answered later is made anew and compared."""
_LEG_SECONDS = 30.0
_BETWEEN_EDITS_SECONDS = 1.5
_SHOWN = 20


class RebalanceAsked(Value):
    """What is stored of the question."""

    goal: Goal
    named: str
    """What the goal is called: `main, version 2`."""
    plan: Plan
    """What will be carried out, leg by leg, exactly or not at all."""


async def ask(house: House, account: Account, name: str, *, where: Where, typed: str) -> bool:
    """Ask whether the plan that leads to these targets shall be carried out; whether there was something to ask.

    Raises:
        GuardRefused: nothing may be sent here or now, or its person can give no code.
        InvalidInput: no targets are called so, or nothing can be planned.
        TradehookError: the exchange could not be asked.
    """
    await check_open(house)
    await guard.check(account.client.exchange, limits=house.journal.limits)
    found = await house.store.do(house.journal.targets.get, name)
    asked = RebalanceAsked(goal=found.goal, named=found.title, plan=await _plan(account, found.goal))
    if not asked.plan.legs:
        head = f"{text(account.title)}, targets {text(asked.named)}"
        body = "\n".join(
            [head, bold("Nothing to trade."), *plan_words.holdings(asked.plan), *plan_words.skips(asked.plan)]
        )
        await house.voice.say(where.chat_id, body, account=account.name, thread_id=where.thread_id)
        return False
    await _ask(house, account, asked, where=where, typed=typed)
    return True


async def carry_out(house: House, account: Account, proposal: Proposal) -> None:
    """The plan was carried out as far as it went, and the message says how far. Raises when it could not go on."""
    await check_open(house)
    asked = proposal.read(RebalanceAsked)
    if now() - proposal.made_at > _FRESH and (note := await _why_anew(house, account, asked)):
        await _ask_anew(house, account, proposal, note=note)
        return
    await journalled.begin(house, account, proposal)
    outcome = await _run(house, account, proposal, asked)
    await _end(house, proposal, plan_words.ended(outcome))


async def tell(house: House, proposal: Proposal, why: str) -> None:
    """It stopped in the middle: each leg is told as the journal has it, and what can be done."""
    asked = proposal.read(RebalanceAsked)
    lines = await house.store.do(plan_words.legs_by_journal, house.journal, proposal.proposal_id, asked.plan)
    goes_on = plan_words.goes_on(proposal.proposal_id)
    words = [bold(f"Stopped: {proposal.deed}"), why, *lines, "What is not sent stays so.", goes_on]
    await _end(house, proposal, "\n".join(words))


def is_untouched(house: House, proposal: Proposal) -> bool:
    """Whether certainly no leg was sent."""
    journal = house.journal
    plan = journal.find_exactly(proposal.proposal_id)
    if plan is None:
        return True
    if plan.state is not IntentState.PREPARED:
        return False
    legs = range(1, len(proposal.read(RebalanceAsked).plan.legs) + 1)
    found = [journal.find_exactly(plans.leg_intent_id(proposal.proposal_id, number)) for number in legs]
    return all(leg is None or leg.reads_as is IntentState.PREPARED for leg in found)


def needs_code(house: House, proposal: Proposal) -> bool:
    """Whether its legs together are worth so much that a code is asked for."""
    return _needs_code(house, proposal.read(RebalanceAsked).plan)


def _needs_code(house: House, plan: Plan) -> bool:
    return house.settings.needs_code(house.environment, sum((leg.value for leg in plan.legs), Decimal(0)))


async def _plan(account: Account, goal: Goal) -> Plan:
    # The desk's own exchange has a blocking line: it is asked on a thread.
    return await asyncio.wrap_future(in_thread(lambda: plans.make(account.client.desk.exchange, goal)))


async def _ask(
    house: House, account: Account, asked: RebalanceAsked, *, where: Where, typed: str, notes: Sequence[str] = ()
) -> None:
    plan = asked.plan
    if _needs_code(house, plan):
        above = f"{house.settings.step_up(house.environment):f} {plan.quote}"
        await house.store.do(house.totp.check_ready, where.user_id, what=f"A rebalance of more than {above}")
        notes = (*notes, f"It trades more than {above}: after Confirm I ask for a code from your authenticator app.")
    trades = plan_words.count(len(plan.legs))
    question = asking.Question(
        kind=NAME,
        parameters=asked,
        deed=f"Rebalance to {asked.named.partition(',')[0]}: {trades}",
        typed=typed,
        lifetime=house.settings.plan_lasts(),
        account=account.name,
    )
    lines = [
        f"{text(account.title)}, targets {text(asked.named)}",
        *(text(note) for note in notes),
        bold(f"Rebalance {render.bare_quantity(plan.total, plan.quote)} {plan.quote} by {trades}?"),
        *plan_words.holdings(plan),
        "",
        *(
            line
            for number, leg in enumerate(plan.legs, start=1)
            for line in (bold(f"{number}. {leg.in_words()}"), text(leg.why))
        ),
        *plan_words.skips(plan),
        "",
        "Sells first. Each leg is sent once, and none gets larger than this.",
    ]
    await asking.ask(
        house,
        question,
        where=where,
        body=asking.until(lines),
    )


async def _why_anew(house: House, account: Account, asked: RebalanceAsked) -> str:
    """Why the plan has to be shown again: it would be another by now, or prices moved against it. Empty when not."""
    fresh = await _plan(account, asked.goal)
    legs = {(leg.side, leg.base, leg.quote, leg.chain) for leg in asked.plan.legs}
    if legs - {(leg.side, leg.base, leg.quote, leg.chain) for leg in fresh.legs}:
        return "What is held or what it is worth has changed, and the plan with it. Nothing was sent."
    before = {held.symbol: held.price for held in asked.plan.holdings}
    prices = {held.symbol: held.price for held in fresh.holdings}
    most = house.settings.tolerance_percent / 100
    for leg in asked.plan.legs:
        shown, price = before[leg.base], prices[leg.base]
        worse = price - shown if leg.side is Side.BUY else shown - price
        if worse > shown * most:
            return f"{leg.base}: {cards.drift_note(shown, price)}"
    return ""


async def _ask_anew(house: House, account: Account, proposal: Proposal, *, note: str) -> None:
    asked = proposal.read(RebalanceAsked)
    fresh = asked.model_copy(update={"plan": await _plan(account, asked.goal)})
    if fresh.plan.legs:
        # The new question first: if it cannot be asked, the person hears that nothing was sent.
        await _ask(house, account, fresh, where=proposal.where, typed=proposal.typed, notes=(note,))
        after = "Asked again below."
    else:
        after = "By now there is nothing to trade."
    await asking.asked_again(house, proposal, note=f"{text(note)} {after}")


async def _run(house: House, account: Account, proposal: Proposal, asked: RebalanceAsked) -> PlanOutcome:
    """Carry the plan out, and let its message follow."""
    said: list[str] = []
    over = asyncio.Event()
    future = asyncio.wrap_future(
        in_thread(
            lambda: plans.carry_out(
                account.client.desk,
                asked.goal,
                intent_id=proposal.proposal_id,
                source=f"chat:{proposal.user_id}",
                wait_seconds=_LEG_SECONDS,
                tell=said.append,
                named=asked.named,
                shown=asked.plan,
            )
        )
    )
    follower = asyncio.ensure_future(_follow(house, proposal, said, over))
    try:
        # Shielded: whoever stops waiting does not stop the plan.
        return await asyncio.shield(future)
    finally:
        # An edit that is on its way ends first, so that none comes after the last words.
        over.set()
        await asyncio.wait({follower})


async def _follow(house: House, proposal: Proposal, said: Sequence[str], over: asyncio.Event) -> None:
    """The plan's message says what is done so far, now and then."""
    assert proposal.message_id is not None  # noqa: S101 - see `carry_out`
    shown = -1
    while not over.is_set():
        if shown != len(said):
            shown = len(said)
            lines = [f"{bold('Under way')}: {text(proposal.deed)}", *(text(line) for line in said[-_SHOWN:])]
            await house.voice.edit(
                proposal.chat_id, proposal.message_id, "\n".join(lines), account=proposal.account, is_patient=False
            )
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_BETWEEN_EDITS_SECONDS):
                await over.wait()


async def _end(house: House, proposal: Proposal, words: str) -> None:
    """The plan's message and a new one say how it ended."""
    await house.store.do(house.order_messages.end, proposal.proposal_id, last_words=words)
    letter = Letter(
        proposal.chat_id,
        f"{proposal.proposal_id}:ended",
        words,
        proposal.message_id,
        account=proposal.account,
        has_freeze=True,
    )
    await house.store.do(house.outbox.put, letter.at(proposal.where))
    await house.store.do(house.proposals.close, proposal.proposal_id, State.SENT)
    await house.look()


KIND = Kind(
    name=NAME,
    carry_out=carry_out,
    is_untouched=is_untouched,
    tell=tell,
    needs_code=needs_code,
)
