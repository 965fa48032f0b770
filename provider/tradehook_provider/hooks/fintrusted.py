"""Connections of type `fintrusted`."""

from __future__ import annotations

from tradehook_provider.hooks.exchange import ExchangeHook


class FinTrustedHook(ExchangeHook):
    """One account at FinTrusted."""

    conn_type = "fintrusted"
    default_conn_name = "fintrusted_default"
    hook_name = "FinTrusted (tradehook)"

    def __init__(self, exchange_conn_id: str = default_conn_name) -> None:
        super().__init__(exchange_conn_id)
