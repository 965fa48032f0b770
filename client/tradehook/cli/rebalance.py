"""`tradehook rebalance`: what it takes to hold the targets, and carrying that out once. Several accounts can be one."""

from __future__ import annotations

from contextlib import suppress
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Annotated

import typer

from tradehook.cli import completing, several
from tradehook.cli.confirming import How, confirm
from tradehook.cli.options import Json, with_settings, with_settings_of_all
from tradehook.cli.output import INTERRUPTED, REFUSED, console, harmless, hint, print_json, say, table
from tradehook.errors import GuardRefused, IntentConflict, TradehookError
from tradehook.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tradehook.client import Client
    from tradehook.desk.plans import PlanOutcome
    from tradehook.rebalance import Goal, Holding, Plan

app = typer.Typer(
    help="Trade an account to its targets: sells first, each leg explained, each sent once.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

_HALF_BAR = 9
_DEFAULT_NAME = "main"

Name = Annotated[
    str | None,
    typer.Argument(
        help="Which targets; main, unless you name others.", autocompletion=completing.target_names, show_default=False
    ),
]


@app.command("plan")
@with_settings
def plan(settings: Settings, name: Name = None, accounts: several.Accounts = None, as_json: Json = False) -> None:
    """Show holdings beside targets, the legs that lead there, and what is left alone and why. Sends nothing."""
    names = several.names_in(accounts)
    with several.opened(settings, names) as clients:
        found = clients[0].desk.journal.targets.get(name or _DEFAULT_NAME)
        made, where = _make(clients, found.goal), _where(clients)
    if as_json:
        print_json({"targets": found.to_dict(), "plan": made.to_dict()})
        return
    _show(made, found.goal, title=f"{found.title} · {where}")
    if made.legs:
        hint(f"Carry it out: tradehook rebalance run {found.name}{_also(names)}")


@app.command("run")
@with_settings_of_all
def run(
    settings: Settings,
    name: Name = None,
    intent_id: Annotated[
        str | None,
        typer.Option(
            help="Names the rebalance: the same id continues its plan, and never trades it twice.", metavar="ID"
        ),
    ] = None,
    accounts: several.Accounts = None,
    wait_seconds: Annotated[float, typer.Option(min=0, help="How long to wait for each leg to end.")] = 60.0,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: Json = False,
) -> None:
    """Make a plan, ask, and carry it out leg by leg. Run again with the same --intent-id, it continues that plan."""
    from tradehook.client import new_intent_id
    from tradehook.desk.guard import check_address

    how = How(asks=not yes, is_json=as_json)
    names = several.names_in(accounts) or _names_before(settings, intent_id)
    if not names:
        settings.check_chosen()
    how.check_somebody_is_here(what="rebalance")
    identity = intent_id or new_intent_id("cli")
    with several.opened(settings, names) as clients:
        for each in clients:
            check_address(each.exchange, limits=each.desk.journal.limits)
        try:
            outcome = _plan_and_carry_out(clients, name, intent_id=identity, wait_seconds=wait_seconds, how=how)
        except KeyboardInterrupt:
            for each in clients:
                each.desk.stop()
            hint("Stopping. What has not been sent stays unsent; waiting for the answer to what is on its way…")
            _say_how_to_go_on(clients, identity)
            raise typer.Exit(INTERRUPTED) from None
        except TradehookError:
            _say_how_to_go_on(clients, identity)
            raise
    if as_json:
        print_json(outcome.to_dict())
    else:
        _tell(outcome)
    if outcome.state != "ACCEPTED":
        raise typer.Exit(REFUSED)


def _names_before(settings: Settings, intent_id: str | None) -> tuple[str, ...]:
    """The accounts of the plan that is to be continued, when it is over several."""
    from tradehook.desk import plans
    from tradehook.desk.journal import Journal

    if intent_id is None:
        return ()
    with Journal.open(settings.journal_url) as journal:
        return plans.accounts_before(journal, intent_id)


def _make(clients: Sequence[Client], goal: Goal) -> Plan:
    from tradehook.desk import plans, team

    if len(clients) == 1:
        return plans.make(clients[0].exchange, goal)
    return team.make_across({client.desk.account: client.exchange for client in clients}, goal)


def _where(clients: Sequence[Client]) -> str:
    """`sandbox · fin, main`."""
    environments = dict.fromkeys(client.exchange.environment for client in clients)
    return f"{', '.join(environments)} · {', '.join(client.desk.account for client in clients)}"


def _plan_and_carry_out(
    clients: Sequence[Client], name: str | None, *, intent_id: str, wait_seconds: float, how: How
) -> PlanOutcome:
    from tradehook.desk import plans, team

    desks = list(team.by_name([client.desk for client in clients]).values())
    goal, named, shown = _what(clients, name, intent_id=intent_id)
    if shown is None:
        shown = _make(clients, goal)
    elif not how.is_json:
        journal = desks[0].journal
        made_at = journal.get(journal.doubts.newest_id(intent_id)).created_at
        say(f"This is the plan of {made_at:%Y-%m-%d %H:%M:%S} UTC, with what was held then.", style="yellow")
    if not how.is_json:
        _show(shown, goal, title=f"{named} · {_where(clients)}")
    if how.asks and shown.legs and not confirm("Carry it out?"):
        raise GuardRefused("Nothing was sent.", rule="approval")
    with console(is_error=True).status(f"Carrying out {_count(len(shown.legs))}…"):
        return plans.carry_out(
            desks[0],
            goal,
            intent_id=intent_id,
            source="cli",
            wait_seconds=wait_seconds,
            tell=how.tell,
            named=named,
            shown=shown,
            others=desks[1:],
        )


def _what(clients: Sequence[Client], name: str | None, *, intent_id: str) -> tuple[Goal, str, Plan | None]:
    """The goal, what it is called, and the plan if there is a frozen one: a rerun continues that."""
    from tradehook.desk import plans

    journal = clients[0].desk.journal
    before = plans.asked_before(journal, intent_id)
    if before is None:
        found = journal.targets.get(name or _DEFAULT_NAME)
        return found.goal, found.title, None
    _, named, _ = before
    asked_over = plans.accounts_before(journal, intent_id)
    if len(clients) > 1 and asked_over != tuple(client.desk.account for client in clients):
        raise IntentConflict(
            f"Intent {intent_id} is over {' and '.join(asked_over) or 'one account'} already. Leave --accounts out to "
            "continue it, or use a new intent id."
        )
    if name is not None and named.partition(",")[0] != name.strip().lower():
        raise IntentConflict(
            f"Intent {intent_id} stands for {named or 'another goal'} already, not for {name[:40]}. Leave the name out "
            "to continue it, or use a new intent id."
        )
    return before


def _say_how_to_go_on(clients: Sequence[Client], intent_id: str) -> None:
    with suppress(TradehookError):
        if clients[0].desk.journal.find_exactly(intent_id) is None:
            return
        also = _also([client.desk.account for client in clients])
        hint(f"The plan is kept. Continue it: tradehook rebalance run{also} --intent-id {intent_id}")


def _also(names: Sequence[str]) -> str:
    """` --accounts fin,main`, where there are several."""
    return f" --accounts {','.join(names)}" if len(names) > 1 else ""


def _show(plan: Plan, goal: Goal, *, title: str) -> None:
    say(title, style="bold")
    largest = max(abs(held.drift) for held in plan.holdings)
    table(
        f"{plan.total:,.2f} {plan.quote}",
        ("asset", "value", "share", "target", "drift", "too little · too much"),
        [_row(held, largest=largest) for held in plan.holdings],
        numbers=(1, 2, 3, 4),
    )
    for held in plan.holdings if plan.parts else ():
        say(f"{held.symbol}: {_each(held)}", style="dim")
    say(goal.rules(), style="dim")
    for number, leg in enumerate(plan.legs, start=1):
        say(f"{number}. {leg.in_words()}", style="bold")
        say(f"   {leg.why}")
    if not plan.legs:
        say("Nothing to trade.", style="bold")
    for skip in plan.skips:
        say(f"Left alone: {skip.in_words()}", style="dim")


def _each(held: Holding) -> str:
    """`0.5 at fin, 1 at main`."""
    from tradehook.amounts import plain

    return ", ".join(f"{plain(quantity)} at {account}" for account, quantity in held.at.items())


def _row(held: Holding, *, largest: Decimal) -> tuple[str, ...]:
    from tradehook.amounts import plain

    return (
        held.symbol,
        f"{held.value:,.2f}",
        f"{held.percent:.2f} %",
        f"{plain(held.target)} %",
        f"{held.drift:+.2f}",
        drift_bar(held.drift, largest=largest),
    )


def drift_bar(drift: Decimal, *, largest: Decimal) -> str:
    """How far off, to the left or the right of a middle: `······███│·········`."""
    length = 0
    if drift and largest:
        length = max(1, int((abs(drift) / largest * _HALF_BAR).to_integral_value(ROUND_HALF_UP)))
    bar, rest = "█" * length, "·" * (_HALF_BAR - length)
    empty = "·" * _HALF_BAR
    return f"{rest}{bar}│{empty}" if drift < 0 else f"{empty}│{bar}{rest}"


def _tell(outcome: PlanOutcome) -> None:
    done = sum(leg.is_done for leg in outcome.legs)
    likely = sum(leg.state == "probably filled" for leg in outcome.legs)
    if outcome.state == "ACCEPTED":
        words = f"Done: {_count(done)} filled." if outcome.legs else "Done: there was nothing to trade."
        if likely:
            words = (
                f"Done: {_count(done - likely)} filled, {likely} probably: the exchange tells nothing, the wallet does."
            )
        say(words, style="green")
    elif outcome.state == "REJECTED":
        say(f"Carried out in part: {done} of {_count(len(outcome.legs))} filled. This plan is over.", style="yellow")
        hint("Run it again without --intent-id for a new plan from what is held now.")
    else:
        say("Not finished: a leg has not ended yet.", style="yellow")
        for leg in outcome.legs:
            if leg.state == "cannot tell":
                say(f"{leg.leg.in_words()}: {leg.note}.", style="yellow")
        also = _also([part.account for part in outcome.plan.parts])
        hint(f"Continue it: tradehook rebalance run{also} --intent-id {outcome.intent_id}")
    hint(harmless(f"intent {outcome.intent_id}"))


def _count(legs: int) -> str:
    return f"{legs} leg{'' if legs == 1 else 's'}"
