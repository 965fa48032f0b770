"""The options every command takes: which environment, account, address, key and journal.

Each can stand before the command, after it, or in the environment; the last of these gives way.
"""

from __future__ import annotations

import inspect
import os
from functools import wraps
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tradehook.cli import completing, debugging
from tradehook.cli.advice import advise
from tradehook.cli.output import hint
from tradehook.errors import TradehookError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tradehook.settings import Settings

_PANEL = "Which account"

SHARED: dict[str, Any] = {
    "environment": Annotated[
        str | None,
        typer.Option(
            envvar="TRADEHOOK_ENVIRONMENT",
            help="sandbox, uat or live.",
            rich_help_panel=_PANEL,
            show_default=False,
            autocompletion=completing.words("sandbox", "uat", "live"),
        ),
    ],
    "account": Annotated[
        str | None,
        typer.Option(
            envvar="TRADEHOOK_ACCOUNT",
            help="Its name in the file of accounts; without a file, what you call it.",
            rich_help_panel=_PANEL,
            show_default=False,
            autocompletion=completing.accounts,
        ),
    ],
    "exchange": Annotated[
        str | None,
        typer.Option(
            envvar="TRADEHOOK_EXCHANGE",
            help="true_markets or fintrusted, where no account of the file says it.",
            rich_help_panel=_PANEL,
            show_default=False,
            autocompletion=completing.words("true_markets", "fintrusted"),
        ),
    ],
    "url": Annotated[
        str | None,
        typer.Option(
            "--url",
            "--true-markets-url",
            help="The exchange's address. Or: TRADEHOOK_TRUE_MARKETS_URL, TRADEHOOK_FINTRUSTED_URL.",
            rich_help_panel=_PANEL,
            show_default=False,
        ),
    ],
    "key_file": Annotated[
        str | None,
        typer.Option(
            "--key-file",
            "--true-markets-key-file",
            help="The API key's file. Or: TRADEHOOK_TRUE_MARKETS_KEY_FILE.",
            rich_help_panel=_PANEL,
            show_default=False,
        ),
    ],
    "journal_url": Annotated[
        str | None,
        typer.Option(
            envvar="TRADEHOOK_JOURNAL_URL",
            help="Where intents are kept, like sqlite:////home/you/journal.db or postgresql://you@host/database.",
            rich_help_panel=_PANEL,
            show_default=False,
        ),
    ],
}

_before: dict[str, str] = {}
"""What stood before the command's name."""


def named_account() -> str | None:
    """The account that was named before the command or in the environment, for commands about all of them."""
    return _before.get("account") or os.environ.get("TRADEHOOK_ACCOUNT") or None


def with_settings(command: Callable[..., None]) -> Callable[..., None]:
    """Add the shared options to a command, which gets them as its first argument, `settings`.

    It looks: where several accounts are live and none was chosen, it says which one it is about.
    """
    return _with_settings(command, begin=_say_which)


def with_settings_of_one(command: Callable[..., None]) -> Callable[..., None]:
    """The same for what sends or writes for one account: it refuses while it is open which."""
    return _with_settings(command, begin=lambda settings, _: settings.check_chosen())


def with_settings_of_all(command: Callable[..., None]) -> Callable[..., None]:
    """The same for what holds for every account where none was chosen, or looks after that by itself."""
    return _with_settings(command, begin=lambda _settings, _values: None)


def _say_which(settings: Settings, values: dict[str, Any]) -> None:
    context = values.get("context")
    # Of a group's own options and the command behind them, the command speaks.
    if settings.must_choose and (context is None or context.invoked_subcommand is None):
        hint(f"No account was chosen, so this is about {settings.account}. Choose with --account NAME.")


def _with_settings(
    command: Callable[..., None], *, begin: Callable[[Settings, dict[str, Any]], None]
) -> Callable[..., None]:
    own = list(inspect.signature(command, eval_str=True).parameters.values())[1:]

    @wraps(command)
    def with_options(**values: Any) -> None:
        from tradehook.settings import Settings

        chosen: dict[str, str | Path | None] = {name: values.pop(name) for name in SHARED}
        settings = Settings.from_environment(None, **{**chosen, **_before})
        debugging.hide_key_of(settings)
        begin(settings, values)
        journal = _unmade_journal(settings)
        try:
            command(settings, **values)
        except TradehookError as error:
            advise(error, settings)
            raise
        finally:
            if journal is not None and _is_there(journal):
                # A mistyped path would otherwise look like a journal in which nothing ever happened.
                hint(f"A new journal was begun at {journal}.")

    return _announce(with_options, own)


def _unmade_journal(settings: Settings) -> str | None:
    """Where a journal that somebody named is not yet. The usual place is nobody's slip of the hand."""
    from tradehook.settings import default_journal_url

    url = settings.journal_url
    if url == default_journal_url(os.environ) or not url.startswith("sqlite:///"):
        return None
    path = url.removeprefix("sqlite:///")
    return None if _is_there(path) else path


def _is_there(path: str) -> bool:
    """Whether there is such a file; a name that no file can have is said when it is opened."""
    return os.path.exists(path)  # noqa: PTH110 - pathlib raises for a name that is too long


def remembering(callback: Callable[..., None]) -> Callable[..., None]:
    """Add the shared options to what stands before the commands, and keep what is given there."""
    own = list(inspect.signature(callback, eval_str=True).parameters.values())

    @wraps(callback)
    def with_options(**values: Any) -> None:
        _before.clear()
        for name, annotation in SHARED.items():
            value = values.pop(name)
            # What only repeats the environment must give way to an option after the command.
            if value and value != os.environ.get(annotation.__metadata__[0].envvar or ""):
                _before[name] = value
        callback(**values)

    return _announce(with_options, own)


def _announce(function: Callable[..., None], own: list[inspect.Parameter]) -> Callable[..., None]:
    """Tell Typer of the shared options beside a function's own."""
    shared = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
        for name, annotation in SHARED.items()
    ]
    parameters = [*(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own), *shared]
    function.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    function.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return function


Json = Annotated[bool, typer.Option("--json", help="Print JSON: one object, or one a line for a list.")]
