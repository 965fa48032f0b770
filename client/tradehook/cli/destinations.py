"""`tradehook destinations`: the addresses that money may be sent to. Needs no network and no key."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from tradehook.addresses import NETWORKS
from tradehook.cli import completing
from tradehook.cli.confirming import prompt
from tradehook.cli.options import Json, with_settings, with_settings_of_one
from tradehook.cli.output import hint, print_json, print_rows, say, table
from tradehook.cli.person import who
from tradehook.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tradehook.transfers import Destination

app = typer.Typer(
    help="The addresses that money may be sent to, each under a label of yours. Alone, lists them.",
    invoke_without_command=True,
    rich_markup_mode=None,
)


@app.callback()
@with_settings
def destinations(settings: Settings, context: typer.Context, as_json: Json = False) -> None:
    """The addresses that money may be sent to, each under a label of yours. Alone, lists them."""
    if context.invoked_subcommand is None:
        _list(settings, as_json=as_json)


@app.command("list")
@with_settings
def list_all(settings: Settings, as_json: Json = False) -> None:
    """The same as `tradehook destinations` alone."""
    _list(settings, as_json=as_json)


def _list(settings: Settings, *, as_json: bool) -> None:
    from tradehook import registry
    from tradehook.desk.journal import Journal

    host = registry.host(settings)
    with Journal.open(settings.journal_url) as journal:
        found = journal.destinations.list(host)
    if as_json:
        print_rows(entry.to_dict() for entry in found)
        return
    table(
        f"Destinations for {settings.environment} ({host})",
        ("label", "network", "address", "a day at most", "added (UTC)", "by"),
        [
            (
                entry.label,
                entry.network,
                entry.address,
                f"{entry.day_cap:f}" if entry.day_cap is not None else "",
                f"{entry.added_at:%Y-%m-%d %H:%M}",
                entry.added_by,
            )
            for entry in found
        ],
        whole=2,
    )
    if not found:
        hint("Put one on the list: tradehook destinations add LABEL --network base 0x…")


@app.command("add")
@with_settings_of_one
def add(
    settings: Settings,
    label: Annotated[str, typer.Argument(help="What you will call it: cold, kraken, rent.")],
    address: Annotated[str, typer.Argument(help="The address, whole.")],
    network: Annotated[
        str,
        typer.Option(
            help="The network it is on: base, solana, ethereum, bitcoin, ...",
            autocompletion=completing.words(*NETWORKS),
        ),
    ],
    again: Annotated[
        str | None,
        typer.Option(help="The address a second time, for scripts; else you are asked for it.", metavar="ADDRESS"),
    ] = None,
    day_cap: Annotated[
        str | None, typer.Option(help="The most that may go there a day, in dollars.", metavar="MONEY")
    ] = None,
    as_json: Json = False,
) -> None:
    """Put an address on the list. It is typed twice, and its form and checksum are checked; whose it is, is not.

    On a live account, money goes there a day later at the earliest (`tradehook limits set --cool-off-hours`).
    """
    from datetime import timedelta

    from tradehook import registry
    from tradehook.addresses import check_typed_address
    from tradehook.amounts import parse_decimal
    from tradehook.desk.journal import Journal
    from tradehook.errors import InvalidInput

    cap = parse_decimal(day_cap.removeprefix("$"), what="cap") if day_cap is not None else None
    network = network.strip().lower()
    checked = check_typed_address(address, network=network)
    if again is None:
        if not sys.stdin.isatty():
            raise InvalidInput("An address is given twice: add --again ADDRESS.", suggestions=("--again ADDRESS",))
        again = prompt("The address again")
    if check_typed_address(again, network=network) != checked:
        raise InvalidInput("The two addresses differ. Nothing was put on the list.")
    host = registry.host(settings)
    with Journal.open(settings.journal_url) as journal:
        found = journal.destinations.add(host, label, network=network, address=checked, by=who(), day_cap=cap)
        there = journal.destinations.list(host)
        hours = journal.limits.cool_off_hours(host, is_live=settings.is_live)
    if as_json:
        print_json(found.to_dict())
        return
    say(f"{found.label} is {found.address} on {found.network}, for {settings.environment}.")
    others = _others(found, there)
    if others:
        say(f"That address is on the list already, as {others}.", style="yellow")
    _say_cap(found, there)
    if hours:
        opens = found.added_at + timedelta(hours=hours)
        say(f"Nothing goes there before {opens:%Y-%m-%d %H:%M} UTC: it cools off for {hours} h.")
    hint(f"Send something small first, and see it arrive: tradehook transfer ASSET AMOUNT --to {found.label}")


@app.command("remove")
@with_settings_of_one
def remove(
    settings: Settings,
    label: Annotated[str, typer.Argument(help="The label.", autocompletion=completing.labels)],
    as_json: Json = False,
) -> None:
    """Take an address off the list. Nothing can be sent there any more, also not what was begun before."""
    from tradehook import registry
    from tradehook.desk.journal import Journal

    with Journal.open(settings.journal_url) as journal:
        host = registry.host(settings)
        found = journal.destinations.remove(host, label, by=who())
        left = journal.destinations.list(host)
    if as_json:
        print_json(found.to_dict())
        return
    say(f"{found.label} ({found.address} on {found.network}) is off the list.")
    if others := _others(found, left):
        say(f"Money still goes to that address as {others}.", style="yellow")
        _say_cap(found, left)


def _others(found: Destination, there: Sequence[Destination]) -> str:
    """The other labels of its address."""
    from tradehook.desk.destinations import of_address

    same = of_address(there, address=found.address, network=found.network)
    return ", ".join(entry.label for entry in same if entry.label != found.label)


def _say_cap(found: Destination, there: Sequence[Destination]) -> None:
    """How much may go to its address a day, under all its labels together."""
    from tradehook.desk.destinations import of_address, smallest_cap

    capped = smallest_cap(there, address=found.address, network=found.network)
    labels = len(of_address(there, address=found.address, network=found.network))
    if capped is None:
        if found.day_cap is not None:
            say(f"No cap a day holds there any more: {found.day_cap:f} USD was that of {found.label}.")
    elif labels > 1:
        say(f"At most {capped.day_cap:f} USD a day go there, under all its labels together: the cap of {capped.label}.")
    else:
        say(f"At most {capped.day_cap:f} USD a day go there.")
