"""Accounts: several at once, each a table in one file, chosen by name.

    [main]
    environment = "sandbox"
    url = "http://127.0.0.1:8787"
    key_file = "~/.config/tradehook/true_markets.json"

The file names places, never secrets: a key inside it is refused. It says where money goes, so it is kept like a key
file, readable by its owner alone.
"""

from __future__ import annotations

import os
import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tradehook.errors import ConfigurationError, InvalidInput
from tradehook.private_files import read_private

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT = "main"
_FIELDS = ("environment", "exchange", "url", "prefix", "key_file", "key_id", "journal_url")
_SECRETS = frozenset({"key", "private_key", "secret", "api_key", "token", "password", "key_passphrase", "passphrase"})
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Account:
    """One table of the file: what it says and nothing else."""

    name: str
    values: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, str] = field(default_factory=dict)
    """What only its exchange understands; the exchange checks it."""

    @property
    def is_live(self) -> bool:
        """Whether the table names the live environment."""
        return self.values.get("environment") == "live"


@dataclass(frozen=True, slots=True)
class Accounts:
    """What the file says; nothing when there is none."""

    path: Path
    accounts: tuple[Account, ...] = ()

    def find(self, name: str) -> Account:
        """The account of this name. Without a file every name is a free label.

        Raises:
            InvalidInput: the file has none of that name; says which it has.
        """
        if not self.accounts:
            return Account(name)
        for account in self.accounts:
            if account.name == name:
                return account
        names = tuple(account.name for account in self.accounts)
        raise InvalidInput(
            f"No account is called {name[:40]!r}: {self.path} has {', '.join(names)}.", suggestions=names
        )

    @property
    def default(self) -> Account:
        """The account that is used when none was chosen: `main`, else the file's first."""
        for account in self.accounts:
            if account.name == DEFAULT:
                return account
        return self.accounts[0] if self.accounts else Account(DEFAULT)

    @property
    def must_choose(self) -> tuple[str, ...]:
        """The live accounts, when there are several: then nothing is written until one is chosen."""
        live = tuple(account.name for account in self.accounts if account.is_live)
        return live if len(live) > 1 else ()


def accounts_path(environ: Mapping[str, str]) -> Path:
    """Where the file is looked for."""
    if named := environ.get("TRADEHOOK_ACCOUNTS_FILE"):
        return Path(named)
    folder = environ.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(folder) / "tradehook" / "accounts.toml"


def read_accounts(environ: Mapping[str, str] | None = None) -> Accounts:
    """The accounts of the file; none when there is no file, unless `TRADEHOOK_ACCOUNTS_FILE` promised one.

    Raises:
        ConfigurationError: the file cannot be used; the message never quotes a value that may be secret.
    """
    environ = os.environ if environ is None else environ
    try:
        path = accounts_path(environ).expanduser()
    except RuntimeError:
        return Accounts(accounts_path(environ))
    try:
        content = read_private(path, what="file of accounts", harm="who can change it says where your money goes")
    except FileNotFoundError:
        if environ.get("TRADEHOOK_ACCOUNTS_FILE"):
            raise ConfigurationError(f"There is no file at {path}, which TRADEHOOK_ACCOUNTS_FILE names.") from None
        return Accounts(path)
    try:
        tables = tomllib.loads(content.decode())
    except (ValueError, RecursionError):  # no TOML, no UTF-8, or a number of thousands of digits
        # The parser's own words quote the line, and nobody knows what stands there.
        raise ConfigurationError(f"{path} is not TOML: it has a table for each account, like [main].") from None
    return Accounts(path, tuple(_account(path, name, table) for name, table in tables.items()))


def _account(path: Path, name: str, table: object) -> Account:
    if not isinstance(table, dict):
        _refuse_secret(path, name, table)
        raise ConfigurationError(f"{path} has {name[:40]!r} outside of a table: begin with a line like [main].")
    if not _NAME.fullmatch(name):
        raise ConfigurationError(f"{path}: {name[:40]!r} is no account's name: letters, digits, - and _, at most 40.")
    values: dict[str, str] = {}
    options: dict[str, str] = {}
    has_options = "exchange" in table
    for entry, value in table.items():
        _refuse_secret(path, entry, value)
        if entry not in _FIELDS and not has_options:
            raise ConfigurationError(f"{path}: [{name}] has {entry[:40]!r}; it can have {', '.join(_FIELDS)}.")
        if not isinstance(value, str) or not value:
            raise ConfigurationError(f"{path}: {entry} of [{name}] should be text in quotes.")
        (values if entry in _FIELDS else options)[entry] = value
    if key_file := values.get("key_file"):
        # What is not from the root or a home is beside the file, wherever the command is typed.
        values["key_file"] = key_file if key_file.startswith("~") else str(path.parent / key_file)
    return Account(name, values, options)


def _refuse_secret(path: Path, entry: str, value: object) -> None:
    if entry.lower() in _SECRETS or (isinstance(value, str) and "PRIVATE KEY" in value):
        raise ConfigurationError(
            f"{path} holds a secret under {entry[:40]!r}. Take it out, put it into a file of its own, and name that "
            "with key_file; if others may have read it, make a new key."
        )
    if entry == "journal_url" and isinstance(value, str) and _has_password(value):
        raise ConfigurationError(
            f"{path}: the journal_url holds a password. Put that into ~/.pgpass, or the whole address into "
            "TRADEHOOK_JOURNAL_URL."
        )


def _has_password(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return True
    return parts.password is not None or "password=" in parts.query.lower()
