"""Settings: from the environment (or a connection) to values, read once and checked at once.

`sandbox` is the default. `TRADEHOOK_ENVIRONMENT=live` reads real accounts; what is written to them is up to the
limits that `tradehook go-live` makes (see `desk/guard.py`). Several accounts stand in one file, see `accounts.py`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tradehook.errors import ConfigurationError, GuardRefused

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

DEFAULT_EXCHANGE = "true_markets"
ENVIRONMENTS = ("sandbox", "uat", "live")
_OF_EXCHANGE = ("url", "prefix", "key_file", "key_id", "key_passphrase")
_DURATIONS = (("timeout_seconds", 1, 300), ("look_seconds", 0, 120), ("horizon_seconds", 1, 86_400))


@dataclass(frozen=True, slots=True)
class Settings:
    """Which account, where, with which key, and where its journal is."""

    exchange: str = DEFAULT_EXCHANGE
    environment: str = "sandbox"
    account: str = "main"
    """What people call the account; in Airflow, the connection id."""
    is_chosen: bool = True
    """Whether somebody said which account; without that, it is the one that the file of accounts begins with."""
    must_choose: tuple[str, ...] = ()
    """Several live accounts of which none was chosen: reads use `account`, writes refuse."""
    url: str | None = None
    """The exchange's address when it is not the environment's own."""
    prefix: str = "/v1/conductor"
    key_file: Path = Path("~/.config/tradehook/true_markets.json")
    key: str | None = field(default=None, repr=False)
    """The key file's content, where there is no file: an Airflow connection."""
    key_id: str | None = None
    key_passphrase: str | None = field(default=None, repr=False)
    needs_key: bool = True
    """Whether a key that cannot be used is said at once; prices need none."""
    journal_url: str = field(default="", repr=False)
    """Where intents are kept. May hold a database's password, so it is never shown whole."""
    may_upgrade: bool = True
    """Whether a journal of an older version is brought up to this one when it is opened. Tasks may not."""
    timeout_seconds: float = 30.0
    """How long one request may take. After that, a write has an unknown outcome."""
    look_seconds: float = 10.0
    """How long a write without an answer is looked for before its caller is told that the outcome is unknown."""
    horizon_seconds: float = 600.0
    """How long such a write can still appear at the exchange; before that, nothing is concluded from its absence."""
    options: Mapping[str, str] = field(default_factory=dict, repr=False, hash=False)
    """Settings that only this exchange has (`Spec.options`); the exchange checks them. May hold secrets."""

    def __post_init__(self) -> None:
        """Refuse what can never work, with the name of the setting."""
        if self.environment not in ENVIRONMENTS:
            raise ConfigurationError(
                f"TRADEHOOK_ENVIRONMENT is {self.environment[:40]!r}; it can be {', '.join(ENVIRONMENTS)}."
            )
        if self.url is not None and not _is_address(self.url):
            raise ConfigurationError(
                f"{prefix_of(self.exchange)}URL should look like http://127.0.0.1:8787: "
                "a scheme and a host, no user, no query."
            )
        if not self.prefix.startswith("/"):
            raise ConfigurationError("TRADEHOOK_TRUE_MARKETS_PREFIX should start with a slash, like /v1/conductor.")

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None, **overrides: str | Path | None) -> Settings:
        """Read `TRADEHOOK_*` and the file of accounts; what is given as an argument and is not `None` wins.

        An argument wins over the environment, the environment over the account's table in the file.

        Raises:
            ConfigurationError: a value cannot be used; names the setting.
            InvalidInput: the file of accounts has none of that name.
        """
        env = os.environ if environ is None else environ
        from tradehook.accounts import read_accounts  # Airflow parses files that need settings, not accounts

        accounts = read_accounts(env)
        name = overrides.get("account") or env.get("TRADEHOOK_ACCOUNT")
        account = accounts.find(str(name)) if name else accounts.default
        values: dict[str, Any] = {**account.values, "account": account.name}
        if exchange := overrides.get("exchange") or env.get("TRADEHOOK_EXCHANGE"):
            values["exchange"] = str(exchange)
        prefix = prefix_of(values.get("exchange", DEFAULT_EXCHANGE))
        names = {"environment": "TRADEHOOK_ENVIRONMENT", "journal_url": "TRADEHOOK_JOURNAL_URL"}
        names |= {name: prefix + name.upper() for name in _OF_EXCHANGE}
        values["is_chosen"] = bool(name) or not accounts.accounts
        values["must_choose"] = () if name else accounts.must_choose
        for field_name, variable in names.items():
            if value := overrides.get(field_name) or env.get(variable):
                values[field_name] = str(value)
        if "key_file" in values:
            values["key_file"] = Path(values["key_file"])
        values["options"] = {**account.options, **_options(env, prefix, but=names.values())}
        for field_name, least, most in _DURATIONS:
            if seconds := env.get(f"TRADEHOOK_{field_name.upper()}"):
                values[field_name] = _seconds(seconds, name=f"TRADEHOOK_{field_name.upper()}", least=least, most=most)
        if "journal_url" not in values:
            values["journal_url"] = default_journal_url(env)
        return replace(cls(), **values)

    def check_chosen(self) -> None:
        """Refuse to write while it is open which account is meant.

        Raises:
            GuardRefused: `rule` is `account`.
        """
        if self.must_choose:
            raise GuardRefused(
                f"There are several live accounts ({', '.join(self.must_choose)}) and none was chosen, so nothing is "
                f"sent or changed. Add --account {self.must_choose[0]}, or set TRADEHOOK_ACCOUNT.",
                rule="account",
                limit=", ".join(self.must_choose),
                actual="none chosen",
            )

    @property
    def is_live(self) -> bool:
        """Whether the environment was named live. The guard looks at the address as well."""
        return self.environment == "live"


def prefix_of(exchange: str) -> str:
    """How the variables begin that are about one exchange."""
    return f"TRADEHOOK_{exchange.upper()}_"


def _options(env: Mapping[str, str], prefix: str, *, but: Collection[str]) -> dict[str, str]:
    """What else the environment says of this exchange."""
    found = ((name, value) for name, value in env.items() if name.startswith(prefix) and name not in but)
    return {name.removeprefix(prefix).lower(): value for name, value in found if value}


def default_journal_url(environ: Mapping[str, str]) -> str:
    """The journal in the user's data folder."""
    home = environ.get("XDG_DATA_HOME") or str(Path("~/.local/share").expanduser())
    return f"sqlite:///{home}/tradehook/journal.db"


def _is_address(url: str) -> bool:
    """Whether requests can go there: a scheme, a host, perhaps a port and a path, and nothing that could be secret."""
    try:
        parts = urlsplit(url)
        has_port = parts.port != 0  # raises for what is no port
    except ValueError:
        return False
    is_bare = "@" not in parts.netloc and not parts.query and not parts.fragment
    return parts.scheme in ("http", "https") and bool(parts.hostname) and has_port and is_bare and url.isprintable()


def _seconds(text: str, *, name: str, least: int, most: int) -> float:
    if not text.isascii() or not text.replace(".", "", 1).isdigit() or not least <= (seconds := float(text)) <= most:
        raise ConfigurationError(f"{name} should be a number from {least} to {most}.")
    return seconds
