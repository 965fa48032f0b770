"""Rebalances: a plan is made once, frozen in the journal, and then carried out leg by leg (`legs.py`).

The plan is an intent of its own (kind `plan`), each leg an order intent whose id follows from the plan's, and which
names it as its parent. So a rerun after a crash makes no new plan: it continues the frozen one, and every leg that was
sent returns what is stored. The plan's own state: PREPARED while unfinished, ACCEPTED when every leg was filled,
REJECTED when one was refused or ended unfilled. Over several accounts it is the same, over one journal (`team.py`).

A refusal of our own (a freeze, say) or an exchange out of reach leaves the plan unfinished, to be continued.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tradehook.desk import guard, team
from tradehook.desk.intents import PLACED, State, check_intent_id, error_from_dict, error_to_dict
from tradehook.desk.legs import DONE, LegOutcome, Legs, leg_intent_id, state_of
from tradehook.errors import IntentConflict, InvalidInput, Rejected
from tradehook.models import Balance, Side, Unit
from tradehook.rebalance import Goal, OnChain, Plan, Skip, plan
from tradehook.run import run

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from decimal import Decimal

    from tradehook.contract import Exchange
    from tradehook.desk.intents import Intent
    from tradehook.desk.journal import Journal
    from tradehook.desk.submit import Desk
    from tradehook.models import Asset

__all__ = ["LegOutcome", "PlanOutcome", "accounts_before", "asked_before", "carry_out", "leg_intent_id", "make"]


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
        return [f"{leg.leg.in_words()}: {leg.state}: {leg.note}" for leg in self.legs if not leg.is_done]

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
    prices: dict[str, Decimal] = {}
    unlisted: list[str] = []
    quote = goal.quote
    for symbol in goal.symbols:
        try:
            prices[symbol], quote = await _price(exchange, symbol, quote=goal.quote)
        except Rejected:
            if goal.on_chain is OnChain.LEAVE or exchange.prices is None:
                raise
            prices[symbol] = (await exchange.prices.ticker(symbol)).price
            unlisted.append(symbol)
    goal = goal.settled_in(quote)
    # A coin that the exchange trades under another name cannot pay for anything by itself.
    listed = [symbol for symbol in goal.symbols if symbol not in unlisted][:1]
    coins = [
        coin for symbol in listed for coin in goal.coins if (await _price(exchange, symbol, quote=coin))[1] == coin
    ]
    goal = goal.model_copy(update={"coins": tuple(coins)})
    balances, unsure, chains = await exchange.balances(), list[Skip](), dict[str, list[str]]()
    if goal.on_chain is not OnChain.LEAVE:
        known = _by_place([asset async for asset in exchange.list_assets()])
        balances, unsure = _sure(balances, known)
        for (symbol, chain), found in known.items():
            if symbol in prices and len(found) == 1 and found[0].is_tradeable:
                chains.setdefault(symbol, []).append(chain)
    made = plan(
        goal,
        balances=balances,
        prices=prices,
        lots={symbol: exchange.lot_size(price) for symbol, price in prices.items() if symbol not in unlisted},
        chains=chains,
        chain_quote=exchange.spec.capabilities.chain_quote,
        unlisted=unlisted,
    )
    return made.model_copy(update={"skips": (*made.skips, *unsure)})


async def _price(exchange: Exchange, symbol: str, *, quote: str) -> tuple[Decimal, str]:
    """What one would fetch, and the name that the quote settles as."""
    found = await exchange.get_quote(symbol, quote=quote, side=Side.SELL, quantity=team.PRICED_FOR, unit=Unit.QUOTE)
    return found.price, found.quote


def _by_place(assets: Sequence[Asset]) -> dict[tuple[str, str], list[Asset]]:
    found: dict[tuple[str, str], list[Asset]] = {}
    for asset in assets:
        if asset.chain is not None:
            found.setdefault((asset.symbol, asset.chain), []).append(asset)
    return found


def _sure(balances: Sequence[Balance], known: dict[tuple[str, str], list[Asset]]) -> tuple[list[Balance], list[Skip]]:
    """The balances whose coin is certain. On a chain anybody can call a coin BTC, so the address has to agree."""
    sure, skips = list[Balance](), list[Skip]()
    for row in balances:
        found = known.get((row.symbol, row.chain or ""), [])
        addresses = {(asset.address or "").lower() for asset in found}
        if row.chain is None or (len(found) == 1 and (row.address or "").lower() in addresses):
            sure.append(row)
        elif row.total > 0:
            why = f"on {row.chain}; the exchange knows no coin of that name and address there, or several"
            skips.append(Skip(symbol=row.symbol, why=why))
    return sure, skips


def carry_out(
    desk: Desk,
    goal: Goal,
    *,
    intent_id: str,
    source: str,
    wait_seconds: float = 60.0,
    tell: Callable[[str], None] = lambda _line: None,
    named: str = "",
    shown: Plan | None = None,
    is_unattended: bool = False,
    others: Sequence[Desk] = (),
) -> PlanOutcome:
    """Rebalance at most once for this intent id. May be repeated: continues the frozen plan, sends no leg twice.

    Args:
        desk: the account's desk.
        goal: what is wanted; must be the same on every repetition.
        intent_id: names the rebalance, not the attempt.
        source: who asks, for the record.
        wait_seconds: how long to wait for each leg to end; after that the plan is left unfinished (PREPARED).
        tell: called with a line for each step.
        named: what the goal is called, for the record: `main, version 2`.
        shown: the plan that a person has seen; carried out as it is, or not at all.
        is_unattended: nobody looks on; see `Desk.place_order`.
        others: the desks of more accounts, to rebalance all of them as one. The order makes no difference.

    Raises:
        IntentConflict: the id stands for another goal, other accounts, or another plan than was shown.
        GuardRefused: one of our limits said no; the plan can be continued when it no longer does.
        OutcomeUnknown: a leg may or may not have been placed. Nothing after it is sent.
        NetworkError, RateLimited: out of reach; the plan can be continued.
        InvalidInput: nothing could be planned; nothing was sent.
        ConfigurationError: the accounts keep different journals; nothing was sent.
    """
    check_intent_id(intent_id)
    desks = team.by_name((desk, *others))
    for one in desks.values():
        run(guard.check(one.exchange, limits=one.journal.limits))
    desk = next(iter(desks.values()))  # the one that the plan itself is kept under
    intent, was_frozen = _frozen(desks, goal, intent_id=intent_id, source=source, named=named, shown=shown)
    frozen = Plan.model_validate(intent.request)
    if was_frozen:
        tell(f"Continuing the plan of {intent.created_at:%Y-%m-%d %H:%M:%S} UTC.")
    for line in frozen.lines() if shown is None else ():
        tell(line)
    if intent.state in (*PLACED, State.REJECTED):
        tell("This plan has come to its end before. Nothing is sent again.")
        return _stored(desk, intent, frozen)
    work = Legs(
        desks,
        frozen,
        intent_id=intent.intent_id,
        source=source,
        wait_seconds=wait_seconds,
        tell=tell,
        is_unattended=is_unattended,
    )
    outcomes = work.carry_out()
    state = _end(desk, intent, outcomes)
    return PlanOutcome(intent_id=intent.intent_id, state=state, plan=frozen, legs=outcomes, is_stored=was_frozen)


def _frozen(
    desks: Mapping[str, Desk], goal: Goal, *, intent_id: str, source: str, named: str, shown: Plan | None
) -> tuple[Intent, bool]:
    """The plan's intent with its legs stored, and whether they were stored before."""
    desk = next(iter(desks.values()))
    exchange = desk.exchange
    asked = {"what": f"rebalance to {goal.in_words()}", **goal.to_dict()}
    if len(desks) > 1:
        exchanges = {name: one.exchange for name, one in desks.items()}
        asked["accounts"] = run(team.owners(exchanges))
    else:
        asked["account"] = run(exchange.account_id())
    if named:
        asked["named"] = named
    intent, _ = desk.journal.prepare(
        intent_id,
        kind="plan",
        exchange=exchange.spec.name,
        host=exchange.host,
        environment=exchange.environment,
        account=desk.account,
        source=source,
        asked=asked,
    )
    was_frozen = intent.request is not None
    if not was_frozen:
        made = shown or (make(exchange, goal) if len(desks) == 1 else team.make_across(exchanges, goal))
        intent = desk.journal.settle(intent, made.to_dict())
    if shown is not None and Plan.model_validate(intent.request) != shown:
        raise IntentConflict(
            f"Intent {intent.intent_id} has another plan than the one you were shown. Nothing was sent. Look again: "
            f"`tradehook rebalance run --intent-id {intent.intent_id}`.",
            exchange=intent.exchange,
        )
    return intent, was_frozen


def asked_before(journal: Journal, intent_id: str) -> tuple[Goal, str, Plan | None] | None:
    """What a rebalance of this id was asked for: the goal, what it was called, and its plan if one is frozen.

    Raises:
        InvalidInput: the id stands for something else.
    """
    newest = journal.find_exactly(journal.doubts.newest_id(intent_id))
    asked = newest or journal.find_exactly(intent_id)
    if asked is None:
        return None
    goal = _goal_of(asked)
    # What is to happen once more is planned anew.
    frozen = Plan.model_validate(newest.request) if newest is not None and newest.request is not None else None
    return goal, str(asked.asked.get("named", "")), frozen


def accounts_before(journal: Journal, intent_id: str) -> tuple[str, ...]:
    """The accounts that a rebalance of this id is over, by name; none when it is over one, or there is none."""
    asked = journal.find_exactly(intent_id)
    accounts = asked.asked.get("accounts") if asked is not None and asked.kind == "plan" else None
    return tuple(sorted(accounts)) if accounts else ()


def _goal_of(intent: Intent) -> Goal:
    if intent.kind != "plan":
        raise InvalidInput(f"Intent {intent.intent_id} is no rebalance but {_a(intent.kind)}. Use a new intent id.")
    return Goal.model_validate({name: intent.asked[name] for name in Goal.model_fields if name in intent.asked})


def _a(kind: str) -> str:
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"


def _end(desk: Desk, intent: Intent, outcomes: tuple[LegOutcome, ...]) -> State:
    """Close the plan, or leave it PREPARED while a leg waits, or nobody knows how it ended."""
    if any(outcome.is_open for outcome in outcomes):
        return State.PREPARED
    problems = [outcome for outcome in outcomes if not outcome.is_done]
    if not problems:
        desk.journal.move(intent, State.ACCEPTED, what="done")
        return State.ACCEPTED
    words = "; ".join(f"{outcome.leg.in_words()}: {outcome.note.removesuffix('.')}" for outcome in problems)
    error = Rejected(f"The rebalance was not carried out in full. {words}.", exchange=intent.exchange)
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
        note = notes.get(number) or (error_from_dict(stored.error).message if stored.error else "")
        state = state_of(order) if order is not None else "failed"
        outcomes.append(LegOutcome(leg, leg_id, state, order, "" if state in DONE else note, is_stored=True))
    return PlanOutcome(
        intent_id=intent.intent_id, state=intent.state, plan=frozen, legs=tuple(outcomes), is_stored=True
    )
