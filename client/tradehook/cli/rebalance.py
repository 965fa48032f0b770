"""`tradehook rebalance`: what it takes to hold the targets, and carrying that out once."""

from __future__ import annotations

from contextlib import suppress
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Annotated

import typer

from tradehook.cli import completing
from tradehook.cli.confirming import How, confirm
from tradehook.cli.options import Json, with_settings
from tradehook.cli.output import INTERRUPTED, REFUSED, console, harmless, hint, print_json, say, table
from tradehook.errors import GuardRefused, IntentConflict, TradehookError
from tradehook.settings import Settings

if TYPE_CHECKING:
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
def plan(settings: Settings, name: Name = None, as_json: Json = False) -> None:
    """Show holdings beside targets, the legs that lead there, and what is left alone and why. Sends nothing."""
    from tradehook.client import connect
    from tradehook.desk import plans

    with connect(settings) as client:
        found = client.desk.journal.targets.get(name or _DEFAULT_NAME)
        made = plans.make(client.exchange, found.goal)
    if as_json:
        print_json({"targets": found.to_dict(), "plan": made.to_dict()})
        return
    _show(made, found.goal, title=f"{found.title} · {settings.environment} · {settings.account}")
    if made.legs:
        hint(f"Carry it out: tradehook rebalance run {found.name}")


@app.command("run")
@with_settings
def run(
    settings: Settings,
    name: Name = None,
    intent_id: Annotated[
        str | None,
        typer.Option(
            help="Names the rebalance: the same id continues its plan, and never trades it twice.", metavar="ID"
        ),
    ] = None,
    wait_seconds: Annotated[float, typer.Option(min=0, help="How long to wait for each leg to end.")] = 60.0,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: Json = False,
) -> None:
    """Make a plan, ask, and carry it out leg by leg. Run again with the same --intent-id, it continues that plan."""
    from tradehook.client import connect, new_intent_id
    from tradehook.desk.guard import check_address

    how = How(asks=not yes, is_json=as_json)
    settings.check_chosen()
    how.check_somebody_is_here(what="rebalance")
    identity = intent_id or new_intent_id("cli")
    with connect(settings) as client:
        check_address(client.exchange, limits=client.desk.journal.limits)
        try:
            outcome = _plan_and_carry_out(
                client, settings, name, intent_id=identity, wait_seconds=wait_seconds, how=how
            )
        except KeyboardInterrupt:
            client.desk.stop()
            hint("Stopping. What has not been sent stays unsent; waiting for the answer to what is on its way…")
            _say_how_to_go_on(client, identity)
            raise typer.Exit(INTERRUPTED) from None
        except TradehookError:
            _say_how_to_go_on(client, identity)
            raise
    if as_json:
        print_json(outcome.to_dict())
    else:
        _tell(outcome)
    if outcome.state != "ACCEPTED":
        raise typer.Exit(REFUSED)


def _plan_and_carry_out(
    client: Client, settings: Settings, name: str | None, *, intent_id: str, wait_seconds: float, how: How
) -> PlanOutcome:
    from tradehook.desk import plans

    goal, named, shown = _what(client, name, intent_id=intent_id)
    if shown is None:
        shown = plans.make(client.exchange, goal)
    if not how.is_json:
        _show(shown, goal, title=f"{named} · {settings.environment} · {settings.account}")
    if how.asks and shown.legs and not confirm("Carry it out?"):
        raise GuardRefused("Nothing was sent.", rule="approval")
    with console(is_error=True).status(f"Carrying out {_count(len(shown.legs))}…"):
        return plans.carry_out(
            client.desk,
            goal,
            intent_id=intent_id,
            source="cli",
            wait_seconds=wait_seconds,
            tell=how.tell,
            named=named,
            shown=shown,
        )


def _what(client: Client, name: str | None, *, intent_id: str) -> tuple[Goal, str, Plan | None]:
    """The goal, what it is called, and the plan if there is a frozen one: a rerun continues that."""
    from tradehook.desk import plans

    journal = client.desk.journal
    before = plans.asked_before(journal, intent_id)
    if before is None:
        found = journal.targets.get(name or _DEFAULT_NAME)
        return found.goal, found.title, None
    _, named, _ = before
    if name is not None and named.partition(",")[0] != name.strip().lower():
        raise IntentConflict(
            f"Intent {intent_id} stands for {named or 'another goal'} already, not for {name[:40]}. Leave the name out "
            "to continue it, or use a new intent id."
        )
    return before


def _say_how_to_go_on(client: Client, intent_id: str) -> None:
    with suppress(TradehookError):
        if client.desk.journal.find_exactly(intent_id) is None:
            return
        hint(f"The plan is kept. Continue it: tradehook rebalance run --intent-id {intent_id}")


def _show(plan: Plan, goal: Goal, *, title: str) -> None:
    say(title, style="bold")
    largest = max(abs(held.drift) for held in plan.holdings)
    table(
        f"{plan.total:,.2f} {plan.quote}",
        ("asset", "value", "share", "target", "drift", "too little · too much"),
        [_row(held, largest=largest) for held in plan.holdings],
        numbers=(1, 2, 3, 4),
    )
    say(goal.rules(), style="dim")
    for number, leg in enumerate(plan.legs, start=1):
        say(f"{number}. {leg.in_words()}", style="bold")
        say(f"   {leg.why}")
    if not plan.legs:
        say("Nothing to trade.", style="bold")
    for skip in plan.skips:
        say(f"Left alone: {skip.symbol}: {skip.why}", style="dim")


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
    done = sum(leg.state == "filled" for leg in outcome.legs)
    if outcome.state == "ACCEPTED":
        words = f"Done: {_count(done)} filled." if outcome.legs else "Done: there was nothing to trade."
        say(words, style="green")
    elif outcome.state == "REJECTED":
        say(f"Carried out in part: {done} of {_count(len(outcome.legs))} filled. This plan is over.", style="yellow")
        hint("Run it again without --intent-id for a new plan from what is held now.")
    else:
        say("Not finished: a leg has not ended yet.", style="yellow")
        hint(f"Continue it: tradehook rebalance run --intent-id {outcome.intent_id}")
    hint(harmless(f"intent {outcome.intent_id}"))


def _count(legs: int) -> str:
    return f"{legs} leg{'' if legs == 1 else 's'}"
