"""Several accounts in one command: `--accounts main,fin`, each by its name in the file of accounts."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from tradehook.errors import InvalidInput
from tradehook.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tradehook.client import Client

Accounts = Annotated[
    str | None,
    typer.Option(
        "--accounts",
        help="Several accounts as one, by comma: main,fin. Nothing is moved between them.",
        metavar="NAMES",
        show_default=False,
    ),
]
_OF_ONE = ("exchange", "environment", "url", "key_file")


def names_in(text: str | None) -> tuple[str, ...]:
    """The accounts that were named, sorted; none when none were.

    Raises:
        InvalidInput: it names fewer than two, or one twice.
    """
    if text is None:
        return ()
    names = [name.strip() for name in text.split(",") if name.strip()]
    if len(set(names)) < len(names):
        raise InvalidInput(f"--accounts {text[:60]} names an account twice. Name each once.")
    if len(names) < 2:
        raise InvalidInput(
            f"--accounts is for several, like main,fin. For one, write --account {names[0] if names else 'NAME'}."
        )
    return tuple(sorted(names))


@contextmanager
def opened(settings: Settings, names: Sequence[str]) -> Iterator[list[Client]]:
    """The clients of these accounts, or of the one that the settings name; closed at the end.

    Raises:
        InvalidInput: a name is not in the file of accounts, or something was given that only one account can have.
        ConfigurationError: the settings of one cannot be used.
    """
    from tradehook.client import connect

    with ExitStack() as stack:
        chosen = [_settings_of(name, settings) for name in names] or [settings]
        yield [stack.enter_context(connect(each)) for each in chosen]


def _settings_of(name: str, given: Settings) -> Settings:
    plain = Settings.from_environment(account=given.account)
    for option in _OF_ONE:
        if getattr(given, option) != getattr(plain, option):
            raise InvalidInput(
                f"--{option.replace('_', '-')} is for one account. With --accounts, each has its own in the file of "
                "accounts: leave it out."
            )
    journal = given.journal_url if given.journal_url != plain.journal_url else None
    return Settings.from_environment(account=name, journal_url=journal)
