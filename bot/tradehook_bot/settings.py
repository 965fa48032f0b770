"""The bot's settings, from the environment. Which account and journal it serves are the client's (`TRADEHOOK_*`).

    TELEGRAM_TOKEN_FILE              file with the token from BotFather; without it, what `setup` stored
    TRADEHOOK_TELEGRAM_URL           Bot API other than Telegram's own, such as http://127.0.0.1:8787 for the sandbox's
    TRADEHOOK_BOT_TOLERANCE_PERCENT  how far a price may move against you between question and Confirm (0.5)
    TRADEHOOK_BOT_MARKET_SECONDS     how long a question about a market order stays open (30)
    TRADEHOOK_BOT_LIMIT_SECONDS      the same for a limit order (300)
    TRADEHOOK_BOT_PLAN_SECONDS       the same for a rebalance (180)
    TRADEHOOK_BOT_CODE_SECONDS       how long a confirmed question waits for a code (120)
    TRADEHOOK_BOT_STEP_UP_ABOVE      an order worth more than this, in its quote, needs a code (live: 1000; 0: each one)
    TRADEHOOK_BOT_FRESH_SECONDS      how old a command that moves money may be when it arrives (60)
    TRADEHOOK_BOT_HEALTH_PORT        127.0.0.1 tells here how the process is, as JSON; none when it is not set
    TRADEHOOK_AIRFLOW_URL …          an Airflow to answer and start from chat: see `airflow/settings.py`
    XDG_CONFIG_HOME                  where `setup` stores the token: tradehook/telegram/<environment>.token below it

Read once and checked at once; a wrong value is named.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tradehook.errors import ConfigurationError
from tradehook_bot.airflow.settings import AirflowSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

TOKEN = re.compile(r"[1-9]\d{0,15}:[\w-]{30,64}", re.ASCII)
TELEGRAM = "https://api.telegram.org"
_LARGEST_TOKEN_FILE = 4096
_HIGHEST_PORT = 65_535
_LIVE_STEP_UP = Decimal(1000)


@dataclass(frozen=True, slots=True)
class BotSettings:
    """How the bot behaves. Durations in seconds."""

    telegram_url: str = TELEGRAM
    token_file: Path | None = None
    """Where the token is read from, when it is not where `setup` stored it."""
    tolerance_percent: Decimal = Decimal("0.5")
    market_seconds: Decimal = Decimal(30)
    limit_seconds: Decimal = Decimal(300)
    plan_seconds: Decimal = Decimal(180)
    code_seconds: Decimal = Decimal(120)
    step_up_above: Decimal | None = None
    """`None`: nobody said; see `step_up`."""
    fresh_seconds: Decimal = Decimal(60)
    health_port: int | None = None
    """Where 127.0.0.1 tells how the process is; 0 is any free port."""
    airflow: AirflowSettings | None = None
    config_home: Path = field(default_factory=lambda: Path("~/.config").expanduser())

    @classmethod
    def from_environment(
        cls, environ: Mapping[str, str] | None = None, *, token_file: Path | None = None
    ) -> BotSettings:
        """Read and check the environment; an argument wins over it.

        Raises:
            ConfigurationError: a value cannot be used; names the setting.
        """
        env = os.environ if environ is None else environ
        own = cls()
        return cls(
            telegram_url=_url(env.get("TRADEHOOK_TELEGRAM_URL") or TELEGRAM),
            token_file=token_file or (Path(env["TELEGRAM_TOKEN_FILE"]) if env.get("TELEGRAM_TOKEN_FILE") else None),
            tolerance_percent=_number(env, "TRADEHOOK_BOT_TOLERANCE_PERCENT", own.tolerance_percent, most=20),
            market_seconds=_number(env, "TRADEHOOK_BOT_MARKET_SECONDS", own.market_seconds, most=300),
            limit_seconds=_number(env, "TRADEHOOK_BOT_LIMIT_SECONDS", own.limit_seconds, most=3600),
            plan_seconds=_number(env, "TRADEHOOK_BOT_PLAN_SECONDS", own.plan_seconds, most=1800),
            code_seconds=_number(env, "TRADEHOOK_BOT_CODE_SECONDS", own.code_seconds, most=600),
            step_up_above=_money(env, "TRADEHOOK_BOT_STEP_UP_ABOVE"),
            fresh_seconds=_number(env, "TRADEHOOK_BOT_FRESH_SECONDS", own.fresh_seconds, most=600),
            health_port=_port(env, "TRADEHOOK_BOT_HEALTH_PORT"),
            airflow=AirflowSettings.from_environment(env),
            config_home=Path(env["XDG_CONFIG_HOME"]) if env.get("XDG_CONFIG_HOME") else own.config_home,
        )

    def market_lasts(self) -> timedelta:
        """How long a question about a market order stays open."""
        return _lasting(self.market_seconds)

    def limit_lasts(self) -> timedelta:
        """The same of a limit order, and of everything that no price hurries."""
        return _lasting(self.limit_seconds)

    def plan_lasts(self) -> timedelta:
        """The same of a rebalance."""
        return _lasting(self.plan_seconds)

    def code_lasts(self) -> timedelta:
        """How long a code is waited for."""
        return _lasting(self.code_seconds)

    def needs_code(self, environment: str, worth: Decimal | None) -> bool:
        """Whether something of this worth takes a code; `None` is a worth that nobody knows."""
        above = self.step_up(environment)
        return above is not None and (worth is None or worth > above)

    def step_up(self, environment: str) -> Decimal | None:
        """The worth of an order above which a code is asked for, in its quote; `None` where it never is."""
        if self.step_up_above is None and environment == "live":
            return _LIVE_STEP_UP
        return self.step_up_above

    def stored_token_file(self, environment: str) -> Path:
        """Where `setup` stores the token. One bot serves one environment, so each has a file of its own."""
        return self.config_home / "tradehook" / "telegram" / f"{environment}.token"


def read_token(settings: BotSettings, *, environment: str) -> str:
    """The bot's token.

    Raises:
        ConfigurationError: there is none, it is not one, or others can read its file.
    """
    path = settings.token_file or settings.stored_token_file(environment)
    try:
        if path.stat().st_mode & 0o077 and settings.token_file is None:
            raise ConfigurationError(f"Others can read the bot's token. Run: chmod 600 {path}")
        with path.open("rb") as file:
            text = file.read(_LARGEST_TOKEN_FILE).decode("ascii", "replace").strip()
    except FileNotFoundError:
        if settings.token_file is None:
            raise ConfigurationError(
                f"No bot token is stored for the {environment} environment. Run `tradehook-bot setup` first."
            ) from None
        raise ConfigurationError(f"There is no token file {path}.") from None
    except OSError as error:
        raise ConfigurationError(f"The token file {path} cannot be read: {error.strerror}.") from None
    return check_token(text, where=str(path))


def check_token(text: str, *, where: str) -> str:
    """The token, if it looks like one. Its text never gets into a message.

    Raises:
        ConfigurationError: it does not.
    """
    if not TOKEN.fullmatch(text):
        raise ConfigurationError(
            f"What {where} holds is not a bot token. BotFather gives one that looks like 123456789:AAExampleExample…"
        )
    return text


def store_token(path: Path, token: str) -> None:
    """The token is in this file, which only its owner can read.

    Raises:
        ConfigurationError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # A new file each time, moved into place: never readable by others, never half written.
        fresh = path.with_suffix(".new")
        fresh.unlink(missing_ok=True)
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(token + "\n")
        fresh.replace(path)
    except OSError as error:
        raise ConfigurationError(f"The token cannot be stored in {path}: {error.strerror}.") from None


def _url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query:
        raise ConfigurationError("TRADEHOOK_TELEGRAM_URL should look like http://127.0.0.1:8787: a scheme and a host.")
    if parts.scheme == "http" and parts.hostname not in ("127.0.0.1", "::1", "localhost"):
        raise ConfigurationError(
            "TRADEHOOK_TELEGRAM_URL is http to another machine: the bot's token would travel readable. Use https."
        )
    return text.rstrip("/")


def _lasting(seconds: Decimal) -> timedelta:
    return timedelta(seconds=float(seconds))


def _number(env: Mapping[str, str], name: str, default: Decimal, *, most: int) -> Decimal:
    text = env.get(name)
    if not text:
        return default
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal("NaN")
    if not (value.is_finite() and 0 < value <= most):
        raise ConfigurationError(f"{name} is {text[:20]!r}; it should be a number above 0, up to {most}.")
    return value


def _port(env: Mapping[str, str], name: str) -> int | None:
    text = env.get(name)
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and int(text) <= _HIGHEST_PORT):
        raise ConfigurationError(f"{name} is {text[:20]!r}; it should be a port, 1 to {_HIGHEST_PORT}.")
    return int(text)


def _money(env: Mapping[str, str], name: str) -> Decimal | None:
    text = env.get(name)
    if not text:
        return None
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal("NaN")
    if not (value.is_finite() and value >= 0):
        raise ConfigurationError(f"{name} is {text[:20]!r}; it should be an amount of money, 0 or more.")
    return value
