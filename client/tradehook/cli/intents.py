"""Commands about the journal: `intents list`, `intents show`, `freeze`, `resume`; more in `resolving.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tradehook.cli import completing, resolving
from tradehook.cli.options import Json, with_settings
from tradehook.cli.output import hint, print_json, print_rows, say, table
from tradehook.cli.person import storable, who
from tradehook.settings import Settings

if TYPE_CHECKING:
    from tradehook.desk.intents import Intent

_STATES = "PREPARED, SENDING, CREATED, EXECUTING, ACCEPTED, MATCHED, REJECTED, UNKNOWN, NEEDS_HUMAN, PROVED_ABSENT"

app = typer.Typer(
    help="What was to happen, what was sent, and what is not known.", no_args_is_help=True, rich_markup_mode=None
)


app.command("reconcile")(resolving.reconcile)
app.command("resolve")(resolving.resolve)
app.command("again")(resolving.again)


@app.command("list")
@with_settings
def list_intents(
    settings: Settings,
    state: Annotated[
        str | None,
        typer.Option(help=f"Only these, by comma: {_STATES}."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many at most, newest first.")] = 20,
    as_json: Json = False,
) -> None:
    """List intents, newest first. Needs no network."""
    from tradehook.desk.intents import State
    from tradehook.desk.journal import Journal
    from tradehook.errors import InvalidInput
    from tradehook.render import short_id

    words = [word.strip().upper() for word in (state or "").split(",") if word.strip()]
    for word in words:
        if word not in list(State):
            raise InvalidInput(f"{word[:40]!r} is not a state: there is {', '.join(State)}.")
    with Journal.open(settings.journal_url) as journal:
        found = journal.list(states=[State(word) for word in words], limit=limit)
    if as_json:
        print_rows(intent.to_dict() for intent in found)
        return
    table(
        "Intents",
        ("time (UTC)", "intent", "state", "what", "from"),
        [
            (
                f"{intent.created_at:%m-%d %H:%M}",
                short_id(intent.intent_id, length=12),
                "not sent" if intent.state is State.PREPARED and intent.error else str(intent.standing),
                _words(intent),
                intent.source,
            )
            for intent in found
        ],
    )
    if found:
        hint(f"The beginning of an id is enough: tradehook intents show {short_id(found[0].intent_id, length=12)}")


@app.command("show")
@with_settings
def show(
    settings: Settings,
    intent_id: Annotated[
        str, typer.Argument(help="The intent's id, or its beginning.", autocompletion=completing.intents)
    ],
    as_json: Json = False,
) -> None:
    """Show an intent and its story. Needs no network."""
    from tradehook.desk.intents import State
    from tradehook.desk.journal import Journal
    from tradehook.render import deed, order_line, transfer_line

    with Journal.open(settings.journal_url) as journal:
        intent = journal.find(intent_id)
        events = journal.events(intent.intent_id)
    if as_json:
        print_json({**intent.to_dict(), "events": list(events)})
        return
    say(f"{intent.standing}: {deed(intent.sized) if intent.sized else _words(intent)}", style="bold")
    say(f"{intent.exchange} {intent.environment} · {intent.account} · {intent.host} · from {intent.source}")
    if intent.last_order is not None:
        say(f"{order_line(intent.last_order)} · order {intent.order_id}")
    if intent.last_transfer is not None:
        say(f"{transfer_line(intent.last_transfer)} · transfer {intent.exchange_id}")
    if intent.error:
        say(str(intent.error.get("message", "")), style="red")
    for event in events:
        detail = ", ".join(f"{name} {value}" for name, value in event.items() if name not in ("at", "what", "error"))
        say(f"  {event['at']}  {event['what']}  {detail}")
    if intent.reads_as is State.UNKNOWN:
        from tradehook.desk.reconcile import unknown

        hint(unknown(intent).message)


@with_settings
def freeze(settings: Settings, why: Annotated[str, typer.Argument(help="Why, for the record.")] = "") -> None:
    """Stop every new order of this journal: command line, chat and Airflow. Open orders stay open."""
    from tradehook.desk.journal import Journal

    with Journal.open(settings.journal_url) as journal:
        journal.set_trading_state("HALTED", by=who(), why=storable(why))
    say("Frozen. Nothing new will be sent from here, from chat or from Airflow. Cancels still work.", style="bold")
    hint("Open orders are still live: tradehook orders --status pending,open")


@with_settings
def resume(settings: Settings) -> None:
    """Lift a freeze."""
    from tradehook.desk.journal import Journal

    with Journal.open(settings.journal_url) as journal:
        journal.set_trading_state("NORMAL", by=who())
    say("Trading goes on.")


def _words(intent: Intent) -> str:
    asked = intent.asked
    if intent.kind == "transfer":
        chain = f" on {asked['chain']}" if asked.get("chain") else ""
        return f"send {asked.get('amount')} {asked.get('asset')}{chain} to {asked.get('to')}"
    if intent.kind != "order":
        return intent.kind
    limit = f" at {asked['price']}" if asked.get("price") else ""
    chain = f" on {asked['chain']}" if asked.get("chain") else ""
    return f"{asked.get('side')} {asked.get('base')}/{asked.get('quote')} {asked.get('amount')}{limit}{chain}"
