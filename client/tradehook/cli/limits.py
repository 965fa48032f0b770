"""`tradehook limits`: what an account may do, how much of it is used, and changing it with who and why."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tradehook.cli.confirming import How, confirm
from tradehook.cli.options import Json, with_settings, with_settings_of_one
from tradehook.cli.output import hint, print_json, print_rows, say, table
from tradehook.cli.person import storable, who
from tradehook.desk.limit_changes import WORDS, amount, changes, looser, made_of, option, read
from tradehook.errors import GuardRefused, InvalidInput
from tradehook.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tradehook.client import Client
    from tradehook.desk.limits import Limits, SetLimits
    from tradehook.desk.usage import Usage

app = typer.Typer(
    help="What the account may do: show it, or set it. Alone, shows it.",
    invoke_without_command=True,
    rich_markup_mode=None,
)

_BAR = 12


@dataclass(frozen=True, slots=True)
class Whose:
    """An account, and the limits that hold for it."""

    host: str
    account_id: str
    is_live: bool
    newest: SetLimits | None
    version: int | None = None
    """The version that was looked at, 0 for none; `None` when it could not be read."""

    @classmethod
    def of(cls, client: Client, *, is_setting: bool = False) -> Whose:
        """Sign in to learn whose account it is, and read its limits; to set them, they need not be readable."""
        from tradehook.desk import guard
        from tradehook.run import run

        host, account_id = client.exchange.host, run(client.exchange.account_id())
        is_live = guard.is_live(client.exchange)
        try:
            newest = client.desk.journal.limits.newest(host, account_id)
        except GuardRefused:
            if not is_setting:
                raise
            return cls(host, account_id, is_live, None)
        return cls(host, account_id, is_live, newest, newest.version if newest is not None else 0)


@app.callback()
@with_settings
def limits(settings: Settings, context: typer.Context, as_json: Json = False) -> None:
    """What the account may do: show it, or set it. Alone, shows it."""
    if context.invoked_subcommand is None:
        _show(settings, history=False, as_json=as_json)


@app.command("show")
@with_settings
def show(
    settings: Settings,
    history: Annotated[bool, typer.Option("--history", help="Every version, newest first, with who and why.")] = False,
    as_json: Json = False,
) -> None:
    """What the account may do, and how much of it is used."""
    _show(settings, history=history, as_json=as_json)


def _show(settings: Settings, *, history: bool, as_json: bool) -> None:
    from tradehook.client import connect
    from tradehook.desk.limits import Limits
    from tradehook.desk.usage import usage

    with connect(settings) as client:
        whose = Whose.of(client)
        book = client.desk.journal.limits
        if history:
            _tell_history(book.history(whose.host, whose.account_id), settings, as_json=as_json)
            return
        newest = whose.newest
        held = newest.limits if newest is not None else None
        used = usage(
            client.desk.journal.engine,
            host=whose.host,
            account_id=whose.account_id,
            zone=(held or Limits()).zone,
        )
    if as_json:
        print_json(
            {
                "account": settings.account,
                "host": whose.host,
                "account_id": whose.account_id,
                "is_live": whose.is_live,
                **(newest.to_dict() if newest is not None else {"version": 0, "limits": None}),
                "used": used.to_dict(),
            }
        )
        return
    _tell(settings, whose, used)


def _tell(settings: Settings, whose: Whose, used: Usage) -> None:
    newest = whose.newest
    if newest is None:
        says = "nothing is sent to a live exchange without limits" if whose.is_live else "nothing is limited"
        say(f"Nobody set limits for {settings.account} ({settings.environment}), so {says}.")
        hint("tradehook go-live" if whose.is_live else "Set some: tradehook limits set --order 50 --day 200")
        return
    held = newest.limits
    table(
        f"Limits of {settings.account} ({settings.environment}), version {newest.version}",
        ("limit", "option", "at most", "used", ""),
        [
            (words, option(name), _most(held, name, is_live=whose.is_live), *_used(held, used, name))
            for name, words in WORDS.items()
        ],
        numbers=(2, 3),
    )
    if whose.is_live:
        say("Live: orders are sent." if held.live else "Not live: nothing is sent. `tradehook go-live` changes that.")
    say(f"Set {newest.set_at:%Y-%m-%d %H:%M} UTC by {newest.set_by}{': ' + newest.why if newest.why else ''}.")
    hint(f"The day ends at {used.day_ends:%Y-%m-%d %H:%M} UTC. Sent or perhaps sent counts as used.")


def _tell_history(versions: Any, settings: Settings, *, as_json: bool) -> None:
    if as_json:
        print_rows(version.to_dict() for version in versions)
        return
    before = [*(version.limits for version in versions), None][1:]
    table(
        f"Limits of {settings.account} ({settings.environment})",
        ("version", "set (UTC)", "by", "why", "changed"),
        [
            (
                str(version.version),
                f"{version.set_at:%Y-%m-%d %H:%M}",
                version.set_by,
                version.why,
                "; ".join(changes(earlier, version.limits)) or "nothing",
            )
            for version, earlier in zip(versions, before, strict=True)
        ],
    )


@app.command("set")
@with_settings_of_one
def set_limits(
    settings: Settings,
    order: Annotated[str | None, typer.Option(help="The most one order may be worth.", metavar="MONEY")] = None,
    day: Annotated[str | None, typer.Option(help="The most of all orders of a day.", metavar="MONEY")] = None,
    hour: Annotated[str | None, typer.Option(help="The most of the last 60 minutes.", metavar="MONEY")] = None,
    orders_hour: Annotated[str | None, typer.Option(help="How many orders in 60 minutes.", metavar="COUNT")] = None,
    in_flight: Annotated[str | None, typer.Option(help="How many under way at once.", metavar="COUNT")] = None,
    unknowns: Annotated[
        str | None, typer.Option(help="So many in doubt, and nothing new is sent.", metavar="COUNT")
    ] = None,
    transfer: Annotated[
        str | None, typer.Option(help="The most one transfer may be worth; 0 for no transfers.", metavar="MONEY")
    ] = None,
    transfer_day: Annotated[
        str | None, typer.Option(help="The most of all transfers of a day.", metavar="MONEY")
    ] = None,
    collar: Annotated[
        str | None, typer.Option(help="How much worse than the market a price may be.", metavar="PERCENT")
    ] = None,
    fat_finger_percent: Annotated[
        str | None, typer.Option(help="Ask above this share of what is available.", metavar="PERCENT")
    ] = None,
    fat_finger_times: Annotated[
        str | None, typer.Option(help="Ask above so many times the usual order.", metavar="TIMES")
    ] = None,
    destination_cool_off_hours: Annotated[
        str | None,
        typer.Option("--cool-off-hours", help="Hours until money goes to a new destination.", metavar="HOURS"),
    ] = None,
    halt_after: Annotated[
        str | None, typer.Option(help="Halt after so many rejected or in doubt in a row.", metavar="COUNT")
    ] = None,
    zone: Annotated[
        str | None, typer.Option(help="Whose midnight begins a day: Europe/Berlin.", metavar="ZONE")
    ] = None,
    why: Annotated[str, typer.Option(help="Why, for the record.")] = "",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask when it allows more.")] = False,
    as_json: Json = False,
) -> None:
    """Change limits; `none` takes one off. What allows less holds at once, what allows more asks first.

    Everything not named stays as it is. Each change is a new version, kept with who and why.
    """
    from tradehook.client import connect

    typed = {
        "order": order, "day": day, "hour": hour, "orders_hour": orders_hour, "in_flight": in_flight,
        "unknowns": unknowns, "transfer": transfer, "transfer_day": transfer_day, "collar": collar,
        "fat_finger_percent": fat_finger_percent, "fat_finger_times": fat_finger_times,
        "destination_cool_off_hours": destination_cool_off_hours, "halt_after": halt_after, "zone": zone,
    }  # fmt: skip
    wanted = {name: read(name, text) for name, text in typed.items() if text is not None}
    if not wanted:
        raise InvalidInput(
            "Say which limit: tradehook limits set --order 50.", suggestions=("tradehook limits set --order 50",)
        )
    with connect(settings) as client:
        made, before = change(
            client, wanted, why=storable(why), how=How(asks=not yes, is_json=as_json), account=settings.account
        )
    if as_json:
        print_json({**made.to_dict(), "before": before.to_dict() if before is not None else None})
        return
    say(f"Version {made.version} of the limits of {settings.account} holds from now on.")


def change(
    client: Client, wanted: Mapping[str, Any], *, why: str, how: How, account: str
) -> tuple[SetLimits, Limits | None]:
    """Set some limits of an account, after saying what changes and, when it allows more, asking.

    Raises:
        InvalidInput: a limit cannot be so, or nobody is here to be asked.
        GuardRefused: the person said no; `rule` is `approval`.
    """
    from tradehook.desk.limits import Limits

    whose = Whose.of(client, is_setting=True)
    before = whose.newest.limits if whose.newest is not None else None
    after = made_of(before or Limits(), wanted)
    for line in changes(before, after):
        how.tell(line)
    more = looser(before, after, is_live=whose.is_live)
    if more and how.asks:
        how.check_somebody_is_here(what="allow more")
        if not confirm(f"This allows more ({', '.join(WORDS[name] for name in more)}) for {account}. Set it?"):
            raise GuardRefused("Nothing was changed.", rule="approval")
    made = client.desk.journal.limits.set(
        whose.host,
        whose.account_id,
        after,
        by=who(),
        why=why,
        after=whose.version,
    )
    return made, before


def _most(held: Limits, name: str, *, is_live: bool) -> str:
    """What holds in the end, where a limit that is not set means something else than no limit."""
    if name == "destination_cool_off_hours":
        return str(held.cool_off_hours(is_live=is_live))
    if name == "transfer" and held.transfer is None and is_live:
        return "no transfers"
    return amount(getattr(held, name))


def _used(held: Limits, used: Usage, name: str) -> tuple[str, str]:
    """How much of a limit is used, as a figure and as a bar."""
    figure = getattr(used, name, None)
    if figure is None:
        return "", ""
    most = getattr(held, name)
    if most is None:
        return amount(figure), ""
    share = min(Decimal(1), figure / Decimal(most)) if most else Decimal(1)
    full = int(share * _BAR)
    return amount(figure), f"{'█' * full}{'░' * (_BAR - full)} {int(share * 100)} %"
