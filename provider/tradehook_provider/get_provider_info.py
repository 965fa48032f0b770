"""What Airflow reads about this provider, as data.

Every Airflow process loads this module and checks the answer against its own schema: an answer that does
not fit kills them all, so `tests/provider/test_provider_info.py` checks it first. Imports nothing.
"""

from __future__ import annotations

from typing import Any

TRUE_MARKETS, FINTRUSTED = "True Markets", "FinTrusted"

_PROFILES = ("none", "family_default", "seed_like")
_ADDRESS = "empty: the environment's own, e.g. http://127.0.0.1:8787 for the sandbox"
_SHARED = {
    "timeout_seconds": {
        "label": "Timeout of one request, seconds",
        "description": "After that, an order that was sent has an unknown outcome.",
        "schema": {"type": "number", "default": 30, "minimum": 1, "maximum": 300},
    },
    "journal_conn_id": {
        "label": "Journal connection id",
        "description": "An sqlite connection whose host is the journal's path, "
        "or a postgres one; empty: TRADEHOOK_JOURNAL_URL, else tradehook's own place.",
        "schema": {"type": ["string", "null"]},
    },
}


def get_provider_info() -> dict[str, Any]:
    """The provider's description, a connection form for each exchange, and where its classes are.

    Secrets go into `password` or under names that Airflow masks: `format: password` alone masks nothing.
    """
    return {
        # Airflow compares this with the distribution's name and refuses to start when they differ.
        "package-name": "tradehook",
        "name": "tradehook",
        "description": "Schedule crypto trades, each sent once, through one desk with a journal.",
        "integrations": [
            {"integration-name": TRUE_MARKETS, "external-doc-url": "https://docs.truemarkets.co", "tags": ["service"]},
            {"integration-name": FINTRUSTED, "external-doc-url": "https://fintrusted.com/api", "tags": ["service"]},
        ],
        "hooks": [
            {
                "integration-name": TRUE_MARKETS,
                "python-modules": ["tradehook_provider.hooks.exchange", "tradehook_provider.hooks.true_markets"],
            },
            {"integration-name": FINTRUSTED, "python-modules": ["tradehook_provider.hooks.fintrusted"]},
        ],
        "operators": [
            {
                "integration-name": TRUE_MARKETS,
                "python-modules": [
                    "tradehook_provider.operators.approvals",
                    "tradehook_provider.operators.balances",
                    "tradehook_provider.operators.cancels",
                    "tradehook_provider.operators.doubts",
                    "tradehook_provider.operators.lists",
                    "tradehook_provider.operators.messages",
                    "tradehook_provider.operators.orders",
                    "tradehook_provider.operators.quotes",
                    "tradehook_provider.operators.rebalance",
                    "tradehook_provider.operators.reports",
                    "tradehook_provider.operators.surplus",
                    "tradehook_provider.operators.trading_state",
                    "tradehook_provider.operators.transfers",
                ],
            },
            {"integration-name": FINTRUSTED, "python-modules": ["tradehook_provider.operators.futures"]},
        ],
        "sensors": [
            {
                "integration-name": TRUE_MARKETS,
                "python-modules": [
                    "tradehook_provider.sensors.balances",
                    "tradehook_provider.sensors.orders",
                    "tradehook_provider.sensors.prices",
                    "tradehook_provider.sensors.transfers",
                ],
            },
            {"integration-name": FINTRUSTED, "python-modules": ["tradehook_provider.sensors.futures"]},
        ],
        "triggers": [
            {
                "integration-name": TRUE_MARKETS,
                "python-modules": [
                    "tradehook_provider.triggers.balances",
                    "tradehook_provider.triggers.events",
                    "tradehook_provider.triggers.doubts",
                    "tradehook_provider.triggers.orders",
                    "tradehook_provider.triggers.prices",
                    "tradehook_provider.triggers.transfers",
                ],
            },
            {"integration-name": FINTRUSTED, "python-modules": ["tradehook_provider.triggers.futures"]},
        ],
        "extra-links": [
            "tradehook_provider.links.ExplorerLink",
            "tradehook_provider.links.OrderLink",
            "tradehook_provider.links.TradingPageLink",
        ],
        "notifications": ["tradehook_provider.notifications.telegram.TelegramNotifier"],
        # A `factory` of null instead of a handler of null would end every Airflow process at its start.
        "asset-uris": [{"schemes": ["tradehook"], "handler": None}],
        "connection-types": [
            {
                "connection-type": "true_markets",
                "hook-class-name": "tradehook_provider.hooks.true_markets.TrueMarketsHook",
                "hook-name": "True Markets (tradehook)",
                "ui-field-behaviour": {
                    "hidden-fields": ["schema", "port", "extra"],
                    "relabeling": {
                        "host": "Exchange address",
                        "login": "Key id (only with a PEM key)",
                        "password": "Key file content (JSON or PEM)",
                    },
                    "placeholders": {
                        "host": _ADDRESS,
                        "login": "11111111-2222-4333-8444-555555555555",
                        "password": "the whole content of the key file, or leave empty and give its path below",
                    },
                },
                "conn-fields": {
                    "environment": _environment("sandbox", "uat", "live"),
                    "key_path": {
                        "label": "Key file",
                        "description": "Path of the key file on every worker and triggerer, instead of its content.",
                        "schema": {"type": ["string", "null"]},
                    },
                    "key_passphrase": {
                        "label": "Passphrase of an encrypted PEM key",
                        "schema": {"type": ["string", "null"], "format": "password"},
                    },
                    **_SHARED,
                },
            },
            {
                "connection-type": "fintrusted",
                "hook-class-name": "tradehook_provider.hooks.fintrusted.FinTrustedHook",
                "hook-name": "FinTrusted (tradehook)",
                "ui-field-behaviour": {
                    "hidden-fields": ["schema", "port"],
                    "relabeling": {"host": "Exchange address", "login": "E-mail", "extra": "Further options"},
                    "placeholders": {
                        "host": _ADDRESS,
                        "login": "empty: the demo account of the sandbox",
                        "password": "the account's password; a token below is better",
                    },
                },
                "conn-fields": {
                    "environment": _environment("sandbox", "live"),
                    "token": {
                        "label": "Token of a login elsewhere",
                        "schema": {"type": ["string", "null"], "format": "password"},
                    },
                    "market_buy_unit": {
                        "label": "What the amount of a market buy counts",
                        "description": "The exchange does not tell. Empty: quote in the sandbox; live, none are sent.",
                        "schema": {"type": ["string", "null"], "enum": ["forbid", "quote", "base", None]},
                    },
                    "futures_profile": {
                        "label": "How futures orders are written",
                        "description": "The exchange does not tell. They work in the sandbox alone.",
                        "schema": {
                            "type": "string",
                            "enum": ["none", "family_default", "seed_like"],
                            "default": "none",
                        },
                    },
                    "symbol_rules": {
                        "label": "Steps and smallest orders",
                        "description": "Like BTC/USDT price=0.01 amount=0.00001 minimum=5. None are published.",
                        "schema": {"type": ["string", "null"]},
                    },
                    **_SHARED,
                },
            },
        ],
    }


def _environment(*names: str) -> dict[str, Any]:
    return {
        "label": "Environment",
        "description": "sandbox is play money; live sends what `tradehook go-live` allowed for the account.",
        "schema": {"type": "string", "enum": [*names], "default": "sandbox"},
    }
