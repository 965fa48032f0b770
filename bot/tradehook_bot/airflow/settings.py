"""Where Airflow is and as whom the bot signs in there, from the environment. Secrets are in files, never in here.

TRADEHOOK_AIRFLOW_URL            such as http://127.0.0.1:8080; without it, chat knows no Airflow
TRADEHOOK_AIRFLOW_USER           the account whose name Airflow records
TRADEHOOK_AIRFLOW_PASSWORD_FILE  file with its password
TRADEHOOK_AIRFLOW_TOKEN_FILE     file with a token, instead of both
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tradehook.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

URL, USER = "TRADEHOOK_AIRFLOW_URL", "TRADEHOOK_AIRFLOW_USER"
PASSWORD_FILE, TOKEN_FILE = "TRADEHOOK_AIRFLOW_PASSWORD_FILE", "TRADEHOOK_AIRFLOW_TOKEN_FILE"
HOW_TO_SET = (
    f"No Airflow is set for this bot. Set {URL}, {USER} and {PASSWORD_FILE} (or {TOKEN_FILE}) where it runs, then "
    "start it again."
)
_LARGEST_SECRET = 16_384
_THIS_MACHINE = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True, slots=True)
class AirflowSettings:
    """One Airflow, and the way in."""

    url: str
    user: str | None = None
    password_file: Path | None = None
    token_file: Path | None = None

    @classmethod
    def from_environment(cls, env: Mapping[str, str]) -> AirflowSettings | None:
        """What the environment says; `None` where it names no Airflow.

        Raises:
            ConfigurationError: a value cannot be used, or the way in is missing; names the setting.
        """
        url = env.get(URL)
        if not url:
            return None
        user, password, token = env.get(USER), env.get(PASSWORD_FILE), env.get(TOKEN_FILE)
        if token and (user or password):
            raise ConfigurationError(f"{TOKEN_FILE} and {USER} are both set. Unset one: a token needs no user.")
        if not token and not (user and password):
            raise ConfigurationError(f"{URL} is set: set {USER} and {PASSWORD_FILE} as well, or {TOKEN_FILE}.")
        return cls(
            url=_checked(url),
            user=user or None,
            password_file=Path(password) if password else None,
            token_file=Path(token) if token else None,
        )

    def secret(self) -> str:
        """The token, or the password of `user`. Read each time, so that a new one needs no restart.

        Raises:
            ConfigurationError: its file cannot be read, or holds nothing that can be one.
        """
        name, path = (TOKEN_FILE, self.token_file) if self.token_file else (PASSWORD_FILE, self.password_file)
        if path is None:
            raise ConfigurationError(HOW_TO_SET)
        try:
            with path.open("rb") as file:
                text = file.read(_LARGEST_SECRET).decode("utf-8").strip()
        except FileNotFoundError:
            raise ConfigurationError(f"{name} names a file that is not there.") from None
        except UnicodeDecodeError:
            raise ConfigurationError(f"What {name} names holds no text.") from None
        except OSError as error:
            raise ConfigurationError(f"What {name} names cannot be read: {error.strerror}.") from None
        if not text or not text.isprintable() or (self.token_file and not text.isascii()):
            raise ConfigurationError(f"What {name} names holds no line that could be it.")
        return text


def _checked(text: str) -> str:
    try:
        parts = urlsplit(text)
        is_good = parts.port != 0
    except ValueError:
        is_good = False
    if not is_good or parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query:
        raise ConfigurationError(f"{URL} should look like http://127.0.0.1:8080: a scheme and a host.")
    if parts.scheme == "http" and parts.hostname not in _THIS_MACHINE:
        raise ConfigurationError(
            f"{URL} is http to another machine: who listens on the way could answer for you. Use https."
        )
    return text.rstrip("/")
