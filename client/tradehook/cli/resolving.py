"""Commands about doubts: `intents reconcile`, `intents resolve`, `intents again`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from tradehook.cli import completing
from tradehook.cli.confirming import How
from tradehook.cli.options import Json, with_settings, with_settings_of_one
from tradehook.cli.output import hint, print_json, print_rows, say
from tradehook.cli.person import storable, who
from tradehook.render import moved
from tradehook.settings import Settings

if TYPE_CHECKING:
    from tradehook.desk.intents import Intent

IntentId = Annotated[str, typer.Argument(help="The intent's id, or its beginning.", autocompletion=completing.intents)]
Why = Annotated[str, typer.Option("--why", help="Why, for the record.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@with_settings
def reconcile(settings: Settings, as_json: Json = False) -> None:
    """Look at the exchange for everything that was sent and never answered. Sends nothing."""
    from tradehook.client import connect

    with connect(settings) as client:
        desk = client.desk
        before = desk.journal.doubts.list(client.exchange.host)
        ended = {intent.intent_id: intent for intent in desk.reconcile()}
        now = [ended.get(intent.intent_id) or desk.journal.get(intent.intent_id) for intent in before]
    if as_json:
        print_rows(intent.to_dict() for intent in now)
        return
    for intent in now:
        say(
            f"{intent.standing}  {intent.intent_id}{_told(intent)}",
            style="green" if intent.intent_id in ended else None,
        )
    held = len(now) - len(ended)
    say(f"{len(ended)} found, {held} still in doubt." if now else "Nothing is in doubt.")
    if held:
        hint("Say what is so, when you know it: tradehook intents resolve ID --as placed:ORDER, not-placed or again")


@with_settings_of_one
def resolve(
    settings: Settings,
    intent_id: IntentId,
    word: Annotated[
        str,
        typer.Option(
            "--as",
            help="placed:ID, not-placed or again. Where the exchange tells nothing of an order: filled or canceled.",
            metavar="WORD",
        ),
    ],
    why: Why = "",
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """End the doubt about an intent by your word. `again` lets it be sent when it is next asked for."""
    from tradehook.client import connect
    from tradehook.desk.resolving import check_word

    with connect(settings) as client:
        intent = client.desk.journal.find(intent_id)
        check_word(intent, word, now=client.exchange.session.line.now())
        How(asks=not yes, is_json=as_json).approve(_question(intent, word), what="do it")
        intent = client.desk.resolve(intent.intent_id, word, by=who(), why=storable(why))
    if as_json:
        print_json(intent.to_dict())
        return
    say(f"{intent.standing}  {intent.intent_id}", style="bold")
    if word == "again":
        hint(f"It is sent when it is next asked for with the same id: --intent-id {intent.intent_id}, or a retry.")


@with_settings_of_one
def again(settings: Settings, intent_id: IntentId, why: Why = "", yes: Yes = False, as_json: Json = False) -> None:
    """Let what an intent did happen once more, on purpose, when it is next asked for. Needs no network."""
    from tradehook.desk.journal import Journal
    from tradehook.desk.resolving import check_again

    with Journal.open(settings.journal_url) as journal:
        intent = journal.find(intent_id)
        check_again(intent)
        question = f"{intent.intent_id} is {intent.standing}. Let it happen once more?"
        How(asks=not yes, is_json=as_json).approve(question, what="do it")
        following = journal.doubts.again(intent, by=who(), why=storable(why))
    if as_json:
        print_json({"intent_id": intent.intent_id, "leads_to": following})
        return
    say(f"Whoever asks with the id of {intent.intent_id} now begins {following}.")


def _question(intent: Intent, word: str) -> str:
    what = {"again": "let it be sent again", "not-placed": "end it as not placed"}.get(word, f"bind it to {word[7:]}")
    return f"{intent.intent_id} is {intent.standing}: {what}?"


def _told(intent: Intent) -> str:
    if intent.exchange_id:
        return f"  {intent.kind} {intent.exchange_id}"
    seen = intent.resolution or {}
    changed = moved(seen.get("balances_changed") or {}, beside=seen.get("moved_beside"))
    until = f"; {_until(intent.looking_until)}" if intent.looking_until else ""
    found = f"{len(seen['found'])} could be it" if seen.get("found") else "in no list"
    why = f"; not proved absent: {seen['why_not_absent']}" if seen.get("why_not_absent") else ""
    return f"  {found}, balances {f'changed: {changed}' if changed else 'unchanged'}{until}{why}"


def _until(moment: datetime) -> str:
    told = f"{moment:%Y-%m-%d %H:%M:%S} UTC"
    return f"can appear until {told}" if moment > datetime.now(UTC) else f"could appear until {told}"
