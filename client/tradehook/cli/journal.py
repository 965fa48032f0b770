"""`tradehook journal`: what the journal is and whether it is whole; copies, and what must be said on purpose."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tradehook.cli.confirming import How
from tradehook.cli.options import Json, with_settings, with_settings_of_one
from tradehook.cli.output import hint, print_json, say
from tradehook.cli.person import storable, who
from tradehook.cli.resolving import Yes
from tradehook.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

app = typer.Typer(
    help="The journal itself: its state, upgrades, copies, and what must be accepted on purpose.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command("status")
@with_settings
def status(settings: Settings, as_json: Json = False) -> None:
    """What the journal is and holds, and whether it is whole. Changes nothing."""
    from tradehook.desk import copies
    from tradehook.desk.journal import NEWEST

    with _looked_at(settings) as engine:
        found = {**copies.status(engine), "newest_version": NEWEST}
    if found["held"] is None and found["version"] > NEWEST:
        newer = f"It is of version {found['version']}, and this tradehook knows {NEWEST}: install a newer one."
        found |= {"held_by": "version", "held": newer}
    if as_json:
        print_json(found)
        return
    is_current = found["version"] == NEWEST
    states = ", ".join(f"{count} {state}" for state, count in found["intents"].items()) or "none"
    say(f"journal    {found['journal']} ({found['kind']}, {_bytes(found['bytes'])})")
    say(f"version    {found['version']}{'' if is_current else f', this tradehook has {NEWEST}'}")
    say(f"intents    {states}")
    say(f"events     {found['events']}")
    say(f"from, to   {found['oldest'] or '-'}, {found['newest'] or '-'}")
    say(f"machine    {found['machine']}")
    say(f"writes     {found['epoch'] if found['epoch'] is not None else 'counted by the server'}")
    say(f"integrity  {found['integrity']}")
    say(f"sends      {'yes' if found['held'] is None else 'NO: ' + found['held']}")
    if found["held_by"] == "epoch":
        hint("Settle and compare first, then: tradehook journal accept-restore")
    elif found["machine"] == "another one":
        hint("If nothing uses the old one any more: tradehook journal adopt")


@app.command("upgrade")
@with_settings
def upgrade(settings: Settings, as_json: Json = False) -> None:
    """Bring the journal to this version, or make one. Tasks never do that: run it with nothing else running."""
    from tradehook.desk import copies
    from tradehook.desk.journal import NEWEST, Journal

    engine = copies.find(settings.journal_url)
    before = None
    if engine is not None:
        before = copies.status(engine)["version"]
        engine.dispose()
    Journal.open(settings.journal_url).close()
    if as_json:
        print_json({"from": before, "to": NEWEST})
    elif before is None:
        say(f"There was no journal; now there is one, of version {NEWEST}.")
    else:
        say(f"The journal is of version {NEWEST}{' already' if before == NEWEST else f'; it was {before}'}.")


@app.command("backup")
@with_settings
def backup(
    settings: Settings,
    file: Annotated[Path, typer.Argument(help="The copy's file; it must not exist.", show_default=False)],
    as_json: Json = False,
) -> None:
    """Copy the journal while it is in use, and check the copy."""
    from tradehook.desk import copies

    with _looked_at(settings) as engine:
        made = copies.backup(engine, file)
    if as_json:
        print_json(made)
        return
    say(f"{made['intents']} intents are in {made['backup']} ({_bytes(made['bytes'])}), checked.")


@app.command("restore")
@with_settings_of_one
def restore(
    settings: Settings,
    file: Annotated[Path, typer.Argument(help="The copy, as `backup` made it.", show_default=False)],
    as_json: Json = False,
) -> None:
    """Bring a copy back where no journal is. Nothing is sent from it until `accept-restore`."""
    from tradehook.desk import copies

    made = copies.restore(file, settings.journal_url, by=who())
    if as_json:
        print_json(made)
        return
    say(f"{made['intents']} intents are back in {made['journal']}. Nothing is sent from it yet.")
    hint("What was sent after the copy was made is not in it. Compare first: tradehook intents reconcile, orders")
    hint("Then: tradehook journal accept-restore")


@app.command("accept-restore")
@with_settings_of_one
def accept_restore(
    settings: Settings,
    why: Annotated[str, typer.Option(help="Why it can be trusted; kept with your name.")] = "",
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Let a journal send again that was held because it is older than it was."""
    from tradehook.desk import keeping

    how = How(asks=not yes, is_json=as_json)
    with _looked_at(settings) as engine:
        how.tell(keeping.check_held(engine))
        how.approve(
            "It may not know what was sent last. Did you compare it with the exchange, and may it send again?",
            what="let it send again",
        )
        held = keeping.accept_restore(engine, by=who(), why=storable(why))
    if as_json:
        print_json({"accepted": held})
        return
    say(f"The journal may send again. {held.get('why', '')}".rstrip())


@app.command("adopt")
@with_settings_of_one
def adopt(
    settings: Settings,
    why: Annotated[str, typer.Option(help="Why, for the record; kept with your name.")] = "",
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Make a journal that was moved to this machine its own. The one it came from must not be used any more."""
    from tradehook.desk import keeping

    with _looked_at(settings) as engine:
        keeping.check_foreign(engine)
        How(asks=not yes, is_json=as_json).approve(
            "Two machines with a copy each would send twice. Is the old one stopped for good, and is this the journal "
            "to go on with?",
            what="adopt the journal",
        )
        keeping.adopt(engine, by=who(), why=storable(why))
    if as_json:
        print_json({"adopted": True})
        return
    say("The journal belongs to this machine now. Make sure that nothing uses the old one.")


@app.command("prune")
@with_settings_of_one
def prune(
    settings: Settings,
    older_than: Annotated[str, typer.Option(help="How long ago an intent was last touched, in days: 400d.")] = "400d",
    as_json: Json = False,
) -> None:
    """Drop the stories of intents that ended long ago. What they were, and what came of them, stays for good."""
    from tradehook.desk import copies
    from tradehook.desk.journal import Journal

    age = _days(older_than)
    with Journal.open(settings.journal_url) as journal:
        dropped = copies.prune(journal.engine, older_than=age, by=who())
    if as_json:
        print_json(dropped)
        return
    say(f"{dropped['events']} events of {dropped['intents']} intents were dropped; the intents stay.")
    hint("The file does not shrink: the room is used again.")


@contextmanager
def _looked_at(settings: Settings) -> Iterator[Any]:
    """The journal as it is: not upgraded, whosever it is."""
    from tradehook.desk import copies

    engine = copies.open_to_look(settings.journal_url)
    try:
        yield engine
    finally:
        engine.dispose()


def _days(text: str) -> timedelta:
    from tradehook.errors import InvalidInput

    number = text.strip().removesuffix("d")
    if not number.isascii() or not number.isdigit() or not text.strip().endswith("d") or len(number) > 5:
        raise InvalidInput(f"--older-than is a number of days, like 400d; {text[:20]!r} is none.")
    return timedelta(days=int(number))


def _bytes(count: int) -> str:
    return f"{count / 1_000_000:.1f} MB" if count >= 100_000 else f"{count / 1000:.0f} kB"
