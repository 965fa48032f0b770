"""What to do about an error that only the command line can know of: it has the settings, and a shell around it."""

from __future__ import annotations

import re
import shlex
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tradehook import errors
from tradehook.errors import TradehookError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tradehook.client import Client
    from tradehook.settings import Settings

_BARE_DOLLARS = re.compile(r"(?<![\w'])\$\d(?:[\d.,]*\d)?(?![\w'])", re.ASCII)


def advise(error: TradehookError, settings: Settings) -> None:
    """Put `advice` into an error's details, where there is some for these settings."""
    if error.details.get("rule") == "live":
        _advise_live(error, settings)
    if settings.environment != "sandbox":
        return
    if isinstance(error, errors.NotSent):
        error.details["advice"] = (
            "If the sandbox is not running, start it: tradehook-sandbox serve. If it is elsewhere, name it with --url."
        )
    elif error.details.get("code") == errors.UNKNOWN_KEY:
        file = shlex.quote(str(settings.key_file))
        error.details["advice"] = (
            f"A sandbox registers the key it was started with: tradehook-sandbox serve --key-file {file}"
        )


def _advise_live(error: TradehookError, settings: Settings) -> None:
    """Name the file that says so, where it is not the environment that does."""
    from tradehook.accounts import read_accounts

    found = read_accounts()
    if not found.accounts:
        return
    account = found.find(settings.account)
    says = [f'{name} = "{account.values[name]}"' for name in ("environment", "url") if name in account.values]
    if not says:
        return
    play = [each.name for each in found.accounts if each.values.get("environment", "sandbox") == "sandbox"]
    other = f"choose one with --account {play[0]}" if play else "write a table for the sandbox there"
    error.details["advice"] = (
        f"[{account.name}] in {found.path} says {' and '.join(says)}; to trade in the sandbox, {other}."
    )


@contextmanager
def told_before(client: Client, intent_id: str) -> Iterator[None]:
    """Tell an old answer as an old one: a rejected intent that is asked for again is not sent again."""
    from tradehook.desk.intents import State, iso
    from tradehook.render import clock_of

    journal = client.desk.journal
    stored = journal.find_exactly(journal.doubts.newest_id(intent_id))
    try:
        yield
    except TradehookError as error:
        if (
            stored is not None
            and stored.state is State.REJECTED
            and error.message == (stored.error or {}).get("message")
        ):
            error.details["told_at"] = iso(stored.updated_at)
            error.details["advice"] = (
                f"That is what it came to at {clock_of(iso(stored.updated_at))}, under the same intent id; it was not "
                f"sent again. To let it happen once more: tradehook intents again {shlex.quote(stored.intent_id)}"
            )
        raise


def typed(command: str, settings: Settings) -> str:
    """A command to type or to put into cron; it names the account where the file of accounts has several."""
    from tradehook.accounts import read_accounts

    return f"{command} --account {settings.account}" if len(read_accounts().accounts) > 1 else command


def runs_out(settings: Settings) -> str:
    """What must run for an order to be canceled when its time is up: the exchange knows of no time."""
    return (
        "The exchange knows nothing of that: only the bot, a waiting Airflow sensor or --wait does it, while it runs, "
        f"or `{typed('tradehook order expire', settings)}`, typed or from cron."
    )


def for_shell(text: str) -> str:
    """A sentence that can be copied into a shell: it would take a bare `$250` away."""
    return _BARE_DOLLARS.sub(r"'\g<0>'", text)
