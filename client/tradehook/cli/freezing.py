"""`tradehook freeze` and `tradehook resume`: for everything, or for one account. A freeze needs no network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tradehook.cli.options import Json, with_settings
from tradehook.cli.output import hint, print_rows, say
from tradehook.cli.person import storable, who
from tradehook.errors import NetworkError, ResponseError, TradehookError
from tradehook.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

_AccountOnly = Annotated[
    bool, typer.Option("--account-only", help="This account alone; signs in to learn which that is.")
]


@with_settings
def freeze(
    settings: Settings,
    why: Annotated[str, typer.Argument(help="Why, for the record.")] = "",
    account_only: _AccountOnly = False,
    reducing: Annotated[
        bool, typer.Option("--reducing", help="Let sells into money through, and nothing else.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Stop every new order and transfer: command line, chat and Airflow. Open orders stay open, cancels still work.

    When no account was chosen, it stops all that are in the file of accounts.
    """
    state = "REDUCING" if reducing else "HALTED"
    done = _change(settings, state, why=storable(why), account_only=account_only)
    if as_json:
        print_rows(done)
        return
    left = "Only sells into money are" if reducing else "Nothing new will be"
    verb = "let through" if reducing else "sent"
    of = f" for {settings.account}" if account_only else ""
    say(f"Frozen. {left} {verb}{of} from here, from chat or from Airflow. Cancels still work.", style="bold")
    if len(done) > 1:
        hint(f"In {len(done)} journals, those of every account.")
    hint("Open orders are still live: tradehook orders --status pending,open")


@with_settings
def resume(settings: Settings, account_only: _AccountOnly = False, as_json: Json = False) -> None:
    """Lift a freeze. What froze one account alone is lifted with --account-only."""
    done = _change(settings, "NORMAL", why="", account_only=account_only)
    from tradehook.render import clock_of

    if as_json:
        print_rows(done)
        return
    still = [entry for url in _journals(settings) for entry in _still_frozen(url)]
    if not still:
        say("Trading goes on.")
        return
    say("Lifted. Still frozen:")
    for entry in still:
        where = "everything" if entry["scope"] == "*" else entry["scope"]
        why = f": {entry['why']}" if entry["why"] else ""
        say(f"  {where} is {entry['state']} since {clock_of(entry['changed_at'])} by {entry['changed_by']}{why}")
    hint("tradehook resume lifts it for everything, tradehook resume --account-only for the chosen account.")


def _change(settings: Settings, state: str, *, why: str, account_only: bool) -> list[dict[str, str]]:
    from tradehook.desk.journal import Journal
    from tradehook.desk.trading import EVERYWHERE

    if account_only and state == "NORMAL":
        settings.check_chosen()
    scope = _scope(settings) if account_only else EVERYWHERE
    done: list[dict[str, str]] = []
    problem: TradehookError | None = None
    # A journal's address may hold a password, so it is told to nobody.
    for url in (settings.journal_url,) if account_only else _journals(settings):
        # One journal that cannot be opened must not keep the others from being frozen.
        try:
            with Journal.open(url) as journal:
                journal.trading.set(state, by=who(), why=why, scope=scope)
                done.append({"scope": scope, **journal.trading.get(scope)})
        except TradehookError as error:
            problem = problem or error
    if problem is not None:
        raise problem
    return done


def _journals(settings: Settings) -> Sequence[str]:
    """The journal of the chosen account; when none was chosen, those of all accounts in the file."""
    from tradehook.accounts import read_accounts

    if settings.is_chosen or settings.journal_url != Settings.from_environment().journal_url:
        return (settings.journal_url,)
    names = [account.name for account in read_accounts().accounts]
    return list(dict.fromkeys(Settings.from_environment(account=name).journal_url for name in names))


def _scope(settings: Settings) -> str:
    from tradehook.client import connect
    from tradehook.desk.trading import scope_of
    from tradehook.run import run

    with connect(settings) as client:
        try:
            return scope_of(client.exchange.host, run(client.exchange.account_id()))
        except (NetworkError, ResponseError):
            hint("To know which account that is, the exchange is asked. `tradehook freeze` stops everything without.")
            raise


def _still_frozen(url: str) -> Sequence[dict[str, str]]:
    from tradehook.desk.journal import Journal

    with Journal.open(url) as journal:
        return [entry for entry in journal.trading.list() if entry["state"] != "NORMAL"]
