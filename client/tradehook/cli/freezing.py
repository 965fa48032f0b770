"""`tradehook freeze` and `tradehook resume`: for everything, or for one account. A freeze needs no network."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tradehook.cli.options import Json, with_settings_of_all
from tradehook.cli.output import hint, print_rows, say
from tradehook.cli.person import storable, who
from tradehook.errors import GuardRefused, NetworkError, ResponseError, TradehookError
from tradehook.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tradehook.desk.journal import Journal

_NAMED = 5
"""How many ids a sentence names."""

_AccountOnly = Annotated[
    bool, typer.Option("--account-only", help="This account alone; signs in to learn which that is.")
]


@with_settings_of_all
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
    _tell_too_late(done)
    hint("Open orders are still live: tradehook orders --status pending,open")


@with_settings_of_all
def resume(settings: Settings, account_only: _AccountOnly = False, as_json: Json = False) -> None:
    """Lift a freeze. What froze one account alone is lifted with --account-only."""
    done = _change(settings, "NORMAL", why="", account_only=account_only)
    from tradehook.desk.trading import EVERYWHERE
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
    if any(entry["scope"] == EVERYWHERE for entry in still):
        hint("What holds for everything is lifted by `tradehook resume`.")
    for scope in sorted({entry["scope"] for entry in still} - {EVERYWHERE}):
        hint(f"{scope} is lifted by itself alone: `{_lifts(settings, scope)}`")


def _lifts(settings: Settings, scope: str) -> str:
    """What to type to let one account trade again; which one of the file it is, only the exchange knows for sure."""
    from tradehook import registry
    from tradehook.accounts import read_accounts

    names = [account.name for account in read_accounts().accounts]
    if len(names) < 2:
        return "tradehook resume --account-only"
    there = []
    for name in names:
        with suppress(TradehookError):  # one whose settings cannot be used is not what is looked for
            if registry.host(Settings.from_environment(account=name)) == scope.rpartition("/")[0]:
                there.append(name)
    if settings.is_chosen and settings.account in there:
        there = [settings.account]
    name = there[0] if len(there) == 1 else "NAME"
    return f"tradehook resume --account-only --account {name}"


def _tell_too_late(done: Sequence[dict[str, Any]]) -> None:
    """What a freeze does not reach: what is being sent goes on to its answer, what is in doubt may have been done."""
    going = [name for entry in done for name in entry["on_its_way"]]
    doubts = [name for entry in done for name in entry["in_doubt"]]
    if going:
        way = "1 is on its way right now and goes" if len(going) == 1 else f"{len(going)} are on their way and go"
        say(f"{way} on to the exchange's answer: {_named(going)}. See `tradehook intents show ID`.", style="yellow")
    if doubts:
        say(
            f"{len(doubts)} {'is' if len(doubts) == 1 else 'are'} in doubt and may have happened: {_named(doubts)}. "
            "See `tradehook intents reconcile`.",
            style="yellow",
        )


def _named(ids: Sequence[str]) -> str:
    more = f" and {len(ids) - _NAMED} more" if len(ids) > _NAMED else ""
    return f"{', '.join(ids[:_NAMED])}{more}"


def _too_late(journal: Journal, scope: str) -> dict[str, list[str]]:
    """The ids of what is being sent and of what is in doubt, of one account or of all in this journal."""
    from tradehook.desk.intents import IN_DOUBT, SENDERS, State
    from tradehook.desk.trading import EVERYWHERE, scope_of

    found = journal.list(stored=(*SENDERS, *IN_DOUBT), limit=10_000)
    if scope != EVERYWHERE:
        found = [intent for intent in found if scope_of(intent.host, intent.account_id or "") == scope]
    return {
        "on_its_way": [intent.intent_id for intent in found if intent.reads_as is not State.UNKNOWN],
        "in_doubt": [intent.intent_id for intent in found if intent.reads_as is State.UNKNOWN],
    }


def _change(settings: Settings, state: str, *, why: str, account_only: bool) -> list[dict[str, Any]]:
    from tradehook.desk.journal import Journal
    from tradehook.desk.trading import EVERYWHERE

    if account_only:
        settings.check_chosen()
    scope = _scope(settings) if account_only else EVERYWHERE
    done: list[dict[str, Any]] = []
    problem: TradehookError | None = None
    # A journal's address may hold a password, so it is told to nobody.
    for url in (settings.journal_url,) if account_only else _journals(settings):
        # One journal that cannot be opened must not keep the others from being frozen.
        try:
            with Journal.open(url) as journal:
                journal.trading.set(state, by=who(), why=why, scope=scope, may_loosen=state == "NORMAL")
                late = {} if state == "NORMAL" else _too_late(journal, scope)
                done.append({"scope": scope, **journal.trading.get(scope), **late})
        except GuardRefused as error:
            problem = problem or _stays(error)
        except TradehookError as error:
            problem = problem or error
    if problem is not None:
        raise problem
    return done


def _stays(error: GuardRefused) -> GuardRefused:
    """A freeze that would let more through than now is none; with what to type to mean it."""
    return GuardRefused(
        f"{error.message} It stays so: a freeze never lets more through. To let sells into money through again, lift "
        "it first, then type `tradehook freeze --reducing`.",
        rule=error.rule or "resume",
        actual=error.actual,
    )


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
