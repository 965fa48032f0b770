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
        ConfigurationError: the key cannot be used.
    """
    url = settings.url or SPEC.hosts[settings.environment]
    host = urlsplit(url).hostname or ""
    if url.startswith("http:") and any(host == own or host.endswith(f".{own}") for own in SPEC.live_domains):
        raise ConfigurationError(f"{host} is reached by https only: over http, tokens would travel in clear text.")
    if settings.key is not None:
        signer = keys.parse(
            settings.key.encode(),
            where="the connection",
            key_id=settings.key_id,
            passphrase=settings.key_passphrase,
        )
    else:
        signer = keys.load(settings.key_file, key_id=settings.key_id, passphrase=settings.key_passphrase)
    return TrueMarkets(
        line,
        signer=signer,
        environment=settings.environment,
        base_url=url,
        prefix=settings.prefix,
        budget=_BUDGETS.setdefault((url, signer.key_id), new_budget()),
        timeout_seconds=settings.timeout_seconds,
    )
