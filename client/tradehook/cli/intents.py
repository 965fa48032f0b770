"""Commands about the journal: `intents list`, `intents show`; more in `resolving.py`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from tradehook.cli import completing, resolving, story
from tradehook.cli.advice import runs_out, typed
from tradehook.cli.options import Json, with_settings
from tradehook.cli.output import hint, print_json, print_rows, say, table
from tradehook.settings import Settings

if TYPE_CHECKING:
    from tradehook.desk.intents import Intent

_STATES = "PREPARED, SENDING, CREATED, EXECUTING, ACCEPTED, MATCHED, REJECTED, UNKNOWN, NEEDS_HUMAN, PROVED_ABSENT"

_NOT_SENT = "not sent"
_SHOWN = 16

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

    words = [word.strip().upper() for word in (state or "").split(",") if word.strip()]
    for word in words:
        if word not in (*State, _NOT_SENT.upper()):
            raise InvalidInput(f"{word[:40]!r} is not a state: there is {', '.join(State)} and 'not sent'.")
    wanted = [State.PREPARED if word == _NOT_SENT.upper() else State(word) for word in words]
    with Journal.open(settings.journal_url) as journal:
        found = journal.list(states=wanted, limit=limit)
    if as_json:
        print_rows(intent.to_dict() for intent in found)
        return
    table(
        "Intents",
        ("time (UTC)", "intent", "state", "what", "from"),
        [
            (
                f"{intent.created_at:%m-%d %H:%M}",
                _short(intent.intent_id),
                _NOT_SENT if intent.state is State.PREPARED and intent.error else str(intent.standing),
                _words(intent),
                intent.source,
            )
            for intent in found
        ],
    )
    if found:
        hint(f"The beginning of an id is enough: tradehook intents show {_short(found[0].intent_id).rstrip('…')}")


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
    from tradehook.desk.reconcile import unknown
    from tradehook.futures_words import futures_line
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
    if intent.last_futures is not None:
        say(f"{futures_line(intent.last_futures)} · futures order {intent.exchange_id}")
    if intent.error and intent.reads_as is not State.UNKNOWN:
        say(str(intent.error.get("message", "")), style="red")
    _tell_time(intent, settings)
    if intent.reads_as is State.UNKNOWN:
        say(unknown(intent).message)
    for line in story.lines(events):
        say(f"  {line}")


def _tell_time(intent: Intent, settings: Settings) -> None:
    """Until when it may rest, who sees to that, and whether nobody did."""
    from tradehook.desk.intents import State

    if intent.good_until is None or intent.is_final or intent.reads_as is not State.ACCEPTED:
        return
    until = f"{intent.good_until:%Y-%m-%d %H:%M:%S} UTC"
    if intent.good_until > datetime.now(UTC):
        say(f"What rests of it is to be canceled at {until}. {runs_out(settings)}")
        return
    say(
        f"Its time was up at {until}, and as last seen it has not ended: "
        f"`{typed('tradehook order expire', settings)}` cancels what still rests of it.",
        style="yellow",
    )


def _short(intent_id: str) -> str:
    """An id that a person gave is shown whole, where it fits; one that was made is cut, and that is seen."""
    return intent_id if len(intent_id) <= _SHOWN else f"{intent_id[: _SHOWN - 1]}…"


def _words(intent: Intent) -> str:
    asked = intent.asked
    if intent.kind == "transfer":
        chain = f" on {asked['chain']}" if asked.get("chain") else ""
        return f"send {asked.get('amount')} {asked.get('asset')}{chain} to {asked.get('to')}"
    if intent.kind == "futures":
        count = asked.get("contracts") or "all"
        return f"{asked.get('action')} {asked.get('position_side')} {count} {asked.get('contract')} futures"
    if intent.kind != "order":
        return intent.kind
    limit = f" at {asked['price']}" if asked.get("price") else ""
    chain = f" on {asked['chain']}" if asked.get("chain") else ""
    return f"{asked.get('side')} {asked.get('base')}/{asked.get('quote')} {asked.get('amount')}{limit}{chain}"
