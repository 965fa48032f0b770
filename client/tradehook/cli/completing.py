"""What the shell offers when Tab is pressed. Answers fast, asks no exchange, and never complains.

Installed by `tradehook --install-completion` for bash, zsh and fish.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from tradehook.errors import TradehookError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tradehook.settings import Settings


def words(*known: str) -> Callable[[str], list[str]]:
    """One of these words."""
    return lambda incomplete: [word for word in known if word.startswith(incomplete.lower())]


def several(*known: str) -> Callable[[str], list[str]]:
    """Some of these words, by comma."""

    def offer(incomplete: str) -> list[str]:
        before, comma, last = incomplete.rpartition(",")
        return [f"{before}{comma}{word}" for word in known if word.startswith(last.lower())]

    return offer


def chains(incomplete: str) -> list[str]:
    """A chain of the exchange."""

    def known(settings: Settings) -> Iterable[str]:
        from tradehook import registry

        return registry.spec(settings.exchange).capabilities.chains

    return _from(known, incomplete)


def accounts(incomplete: str) -> list[str]:
    """An account of the file."""
    from tradehook.accounts import read_accounts

    found: list[str] = []
    with suppress(TradehookError, OSError):
        found = [account.name for account in read_accounts().accounts if account.name.startswith(incomplete)]
    return found


def labels(incomplete: str) -> list[str]:
    """A destination on the list."""

    def known(settings: Settings) -> Iterable[str]:
        from tradehook import registry
        from tradehook.desk.journal import Journal

        with Journal.open(settings.journal_url) as journal:
            return [entry.label for entry in journal.destinations.list(registry.host(settings))]

    return _from(known, incomplete)


def target_names(incomplete: str) -> list[str]:
    """A name of targets."""

    def known(settings: Settings) -> Iterable[str]:
        from tradehook.desk.journal import Journal

        with Journal.open(settings.journal_url) as journal:
            return [entry.name for entry in journal.targets.list()]

    return _from(known, incomplete)


def intents(incomplete: str) -> list[str]:
    """One of the newest intents, by its id."""

    def known(settings: Settings) -> Iterable[str]:
        from tradehook.desk.journal import Journal

        with Journal.open(settings.journal_url) as journal:
            return [intent.intent_id for intent in journal.list(limit=50)]

    return _from(known, incomplete)


def order_ids(incomplete: str) -> list[str]:
    """One of the orders that were placed from here and are still open."""

    def known(settings: Settings) -> Iterable[str]:
        from tradehook import registry
        from tradehook.desk.journal import Journal

        with Journal.open(settings.journal_url) as journal:
            return [intent.order_id or "" for intent in journal.open_orders(registry.host(settings))]

    return _from(known, incomplete)


def _from(known: Callable[[Settings], Iterable[str]], incomplete: str) -> list[str]:
    from tradehook.settings import Settings

    found: list[Any] = []
    with suppress(TradehookError, OSError):
        found = [word for word in known(Settings.from_environment()) if word.startswith(incomplete)]
    return found
