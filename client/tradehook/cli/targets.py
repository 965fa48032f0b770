"""`tradehook targets`: what to hold, under names of yours. Needs no network and no key."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Annotated

import typer

from tradehook.cli import completing
from tradehook.cli.options import Json, with_settings, with_settings_of_one
from tradehook.cli.output import hint, print_json, print_rows, say, table
from tradehook.cli.person import who
from tradehook.errors import InvalidInput
from tradehook.settings import Settings

if TYPE_CHECKING:
    from tradehook.desk.targets import TargetSet

app = typer.Typer(help="What to hold, in percent, under names of yours.", no_args_is_help=True, rich_markup_mode=None)

Name = Annotated[str, typer.Argument(help="What the targets are called.", autocompletion=completing.target_names)]


@app.command("set")
@with_settings_of_one
def set_targets(
    settings: Settings,
    name: Name,
    shares: Annotated[
        list[str], typer.Argument(help="BTC=50 ETH=30: percent each; the rest is cash.", metavar="SHARES")
    ],
    quote: Annotated[str | None, typer.Option(help="Cash: what everything is traded against.", metavar="COIN")] = None,
    band: Annotated[str, typer.Option(help="Percent points an asset may be off its target.")] = "1",
    relative_band: Annotated[
        str | None, typer.Option(help="Percent of its own target it may be off; the narrower band holds.")
    ] = None,
    min_trade: Annotated[str, typer.Option(help="The smallest trade, in cash.")] = "10",
    reserve: Annotated[str, typer.Option(help="Percent that buys leave in cash, for prices that move.")] = "0.5",
    buffer: Annotated[str, typer.Option(help="Cash that is set aside before the rest is divided.")] = "0",
    fee: Annotated[
        str | None, typer.Option(help="Percent a trade is taken to cost; else what was seen at the exchange.")
    ] = None,
    max_turnover: Annotated[
        str | None, typer.Option(help="Percent of the portfolio that one run trades at most.")
    ] = None,
    coin: Annotated[
        list[str] | None, typer.Option(help="Another coin that buys may be paid with; may be repeated.", metavar="COIN")
    ] = None,
    on_chain: Annotated[
        str,
        typer.Option(
            help="Holdings on a chain: leave, count or trade.",
            autocompletion=completing.words("leave", "count", "trade"),
        ),
    ] = "leave",
    as_json: Json = False,
) -> None:
    """Set what a name means from now on. Every version is kept; nothing is traded."""
    from tradehook import registry
    from tradehook.amounts import plain
    from tradehook.desk.journal import Journal
    from tradehook.rebalance import Goal

    capabilities = registry.spec(settings.exchange).capabilities
    goal = Goal.of(
        _read_shares(shares),
        quote=quote or capabilities.default_quote,
        band=band,
        relative_band=relative_band,
        min_trade=min_trade,
        reserve=reserve,
        buffer=buffer,
        fee=plain((capabilities.fee_rate_observed or Decimal(0)) * 100) if fee is None else fee,
        max_turnover=max_turnover,
        coins=coin or (),
        on_chain=on_chain.strip().lower(),
    )
    with Journal.open(settings.journal_url) as journal:
        found = journal.targets.set(name, goal, by=who())
    if as_json:
        print_json(found.to_dict())
        return
    _tell(found)
    hint(f"See what it would trade: tradehook rebalance plan {found.name}")


@app.command("show")
@with_settings
def show(
    settings: Settings,
    name: Annotated[
        str, typer.Argument(help="What the targets are called.", autocompletion=completing.target_names)
    ] = "main",
    as_json: Json = False,
) -> None:
    """Show what a name means now."""
    from tradehook.desk.journal import Journal

    with Journal.open(settings.journal_url) as journal:
        found = journal.targets.get(name)
    if as_json:
        print_json(found.to_dict())
        return
    _tell(found)


@app.command("list")
@with_settings
def list_targets(settings: Settings, as_json: Json = False) -> None:
    """List all names with their newest version."""
    from tradehook.desk.journal import Journal

    with Journal.open(settings.journal_url) as journal:
        found = journal.targets.list()
    if as_json:
        print_rows(entry.to_dict() for entry in found)
        return
    rows = [(entry.name, str(entry.version), entry.goal.in_words(), f"{entry.set_at:%Y-%m-%d}") for entry in found]
    table("Targets", ("name", "version", "targets", "set (UTC)"), rows)
    if not found:
        hint("Write some: tradehook targets set main BTC=50 ETH=30")


@app.command("history")
@with_settings
def history(settings: Settings, name: Name, as_json: Json = False) -> None:
    """List every version of a name, newest first."""
    from tradehook.desk.journal import Journal

    with Journal.open(settings.journal_url) as journal:
        found = journal.targets.history(name)
    if as_json:
        print_rows(entry.to_dict() for entry in found)
        return
    for entry in found:
        _tell(entry)


def _tell(found: TargetSet) -> None:
    say(f"{found.title}: {found.goal.in_words()}", style="bold")
    say(f"{found.goal.rules()}; set {found.set_at:%Y-%m-%d %H:%M} UTC by {found.set_by}")


def _read_shares(words: list[str]) -> dict[str, str]:
    """`BTC=50` and the like, by symbol as typed."""
    read: dict[str, str] = {}
    for word in words:
        symbol, is_one, percent = word.partition("=")
        if not (is_one and symbol.strip() and percent.strip()):
            raise InvalidInput(
                f"{word[:40]!r} is no share: write the asset, = and its percentage, like BTC=50.",
                suggestions=("BTC=50",),
            )
        if symbol.strip().upper() in read:
            raise InvalidInput(f"{symbol.strip().upper()[:40]} is named twice in the targets.")
        read[symbol.strip().upper()] = percent.strip().removesuffix("%").strip()
    return read
