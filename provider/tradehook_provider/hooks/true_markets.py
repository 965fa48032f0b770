"""Connections of type `true_markets`."""

from __future__ import annotations

from tradehook_provider.hooks.exchange import ExchangeHook


class TrueMarketsHook(ExchangeHook):
    """One account at True Markets."""

    conn_type = "true_markets"
    hook_name = "True Markets (tradehook)"
