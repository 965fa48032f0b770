"""From settings to an open account. Reads the key; sends nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tradehook.exchanges.true_markets import TrueMarkets, keys

if TYPE_CHECKING:
    from tradehook.line import Line
    from tradehook.settings import Settings


def open_account(settings: Settings, line: Line) -> TrueMarkets:
    """One account at True Markets.

    Raises:
        ConfigurationError: the key cannot be used.
    """
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
        base_url=settings.url,
        prefix=settings.prefix,
        timeout_seconds=settings.timeout_seconds,
    )
