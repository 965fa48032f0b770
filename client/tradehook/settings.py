"""Settings: from the environment (or a connection) to values, read once and checked at once.

`sandbox` is the default. `TRADEHOOK_ENVIRONMENT=live` reads real accounts; until the desk's limits are
built, it writes nothing (see `desk/guard.py`).
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tradehook.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

ENVIRONMENTS = ("sandbox", "uat", "live")
_DURATIONS = (("timeout_seconds", 1, 300), ("look_seconds", 0, 120), ("horizon_seconds", 1, 86_400))


@dataclass(frozen=True, slots=True)
class Settings:
    """Which account, where, with which key, and where its journal is."""

    exchange: str = "true_markets"
    environment: str = "sandbox"
    account: str = "main"
    """What people call the account; in Airflow, the connection id."""
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
    journal_url: str = ""
    timeout_seconds: float = 30.0
    """How long one request may take. After that, a write has an unknown outcome."""
    look_seconds: float = 10.0
    """How long a write without an answer is looked for before its caller is told that the outcome is unknown."""
    horizon_seconds: float = 600.0
    """How long such a write can still appear at the exchange; before that, nothing is concluded from its absence."""

    def __post_init__(self) -> None:
        """Refuse what can never work, with the name of the setting."""
        if self.environment not in ENVIRONMENTS:
            raise ConfigurationError(
                f"TRADEHOOK_ENVIRONMENT is {self.environment[:40]!r}; it can be {', '.join(ENVIRONMENTS)}."
            )
        if self.url is not None and not _is_address(self.url):
            raise ConfigurationError(
                "TRADEHOOK_TRUE_MARKETS_URL should look like http://127.0.0.1:8787: "
                "a scheme and a host, no user, no query."
            )
        if not self.prefix.startswith("/"):
            raise ConfigurationError("TRADEHOOK_TRUE_MARKETS_PREFIX should start with a slash, like /v1/conductor.")

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None, **overrides: str | Path | None) -> Settings:
        """Read `TRADEHOOK_*`; what is given as an argument and is not `None` wins.

        Raises:
            ConfigurationError: a value cannot be used; names the setting.
        """
        env = os.environ if environ is None else environ
        names = {
            "environment": "TRADEHOOK_ENVIRONMENT",
            "account": "TRADEHOOK_ACCOUNT",
            "url": "TRADEHOOK_TRUE_MARKETS_URL",
            "prefix": "TRADEHOOK_TRUE_MARKETS_PREFIX",
            "key_file": "TRADEHOOK_TRUE_MARKETS_KEY_FILE",
            "key_id": "TRADEHOOK_TRUE_MARKETS_KEY_ID",
            "key_passphrase": "TRADEHOOK_TRUE_MARKETS_KEY_PASSPHRASE",
            "journal_url": "TRADEHOOK_JOURNAL_URL",
        }
        values: dict[str, str | Path | float] = {}
        for name, variable in names.items():
            value = overrides.get(name) or env.get(variable)
            if value:
                values[name] = Path(value) if name == "key_file" else str(value)
        for name, least, most in _DURATIONS:
            if seconds := env.get(f"TRADEHOOK_{name.upper()}"):
                values[name] = _seconds(seconds, name=f"TRADEHOOK_{name.upper()}", least=least, most=most)
        if "journal_url" not in values:
            values["journal_url"] = default_journal_url(env)
        return replace(cls(), **values)  # type: ignore[arg-type]

    @property
    def is_live(self) -> bool:
        """Whether the environment was named live. The guard looks at the address as well."""
        return self.environment == "live"


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
