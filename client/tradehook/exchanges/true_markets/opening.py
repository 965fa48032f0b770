"""From settings to an open account. Reads the key; sends nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tradehook.errors import ConfigurationError
from tradehook.exchanges.true_markets import SPEC, TrueMarkets, keys, new_budget

if TYPE_CHECKING:
    from tradehook.budget import Budget
    from tradehook.line import Line
    from tradehook.settings import Settings

_BUDGETS: dict[tuple[str, str], Budget] = {}
"""One for each key in this process: the exchange counts all lines of a key together."""


def open_account(settings: Settings, line: Line) -> TrueMarkets:
    """One account at True Markets.

    Raises:
        ConfigurationError: the key cannot be used, and one is needed; else what needs it says so later.
    """
    url = settings.url or SPEC.hosts[settings.environment]
    host = urlsplit(url).hostname or ""
    if url.startswith("http:") and any(host == own or host.endswith(f".{own}") for own in SPEC.live_domains):
        raise ConfigurationError(f"{host} is reached by https only: over http, tokens would travel in clear text.")
    signer = _signer(settings)
    budget = _BUDGETS.setdefault((url, signer.key_id), new_budget())
    budget.scope = f"{url} {signer.key_id}"
    return TrueMarkets(
        line,
        signer=signer,
        environment=settings.environment,
        base_url=url,
        prefix=settings.prefix,
        budget=budget,
        timeout_seconds=settings.timeout_seconds,
    )


def describe_login(settings: Settings) -> str:
    """Which key signs in, for a person."""
    return f"{settings.key_file}, readable by you alone" if settings.key is None else "the key of the connection"


def _signer(settings: Settings) -> keys.Signer:
    try:
        if settings.key is None:
            return keys.load(settings.key_file, key_id=settings.key_id, passphrase=settings.key_passphrase)
        return keys.parse(
            settings.key.encode(), where="the connection", key_id=settings.key_id, passphrase=settings.key_passphrase
        )
    except ConfigurationError as error:
        if settings.needs_key:
            raise
        return _NoKey(error)


class _NoKey:
    """Stands where a key would be, for what everybody may read; says what is wrong with it to whoever needs one."""

    key_id = "none"

    def __init__(self, reason: ConfigurationError) -> None:
        self._reason = reason

    @property
    def public_key_hex(self) -> str:
        raise self._reason

    def sign_der(self, _message: bytes) -> bytes:
        raise self._reason
