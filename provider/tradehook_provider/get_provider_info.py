"""What Airflow reads about this provider, as data.

Every Airflow process loads this module and checks the answer against its own schema: an answer that does
not fit kills them all, so `tests/provider/test_provider_info.py` checks it first. Imports nothing.
"""

from __future__ import annotations

from typing import Any

INTEGRATION = "True Markets"


def get_provider_info() -> dict[str, Any]:
    """The provider's description, its `true_markets` connection form and where its classes are.

    Secrets go into `password` only: Airflow masks by the *name* of a field, and `format: password` alone
    masks nothing. `key_path` holds no secret, so it may be read by everybody.
    """
    return {
        # Airflow compares this with the distribution's name and refuses to start when they differ.
        "package-name": "tradehook",
        "name": "tradehook",
        "description": "Schedule crypto trades, each sent once, through one desk with a journal.",
        "integrations": [
            {
                "integration-name": INTEGRATION,
                "external-doc-url": "https://docs.truemarkets.co",
                "tags": ["service"],
            }
        ],
        "hooks": [{"integration-name": INTEGRATION, "python-modules": ["tradehook_provider.hooks.true_markets"]}],
        "operators": [
            {
                "integration-name": INTEGRATION,
                "python-modules": [
                    "tradehook_provider.operators.balances",
                    "tradehook_provider.operators.orders",
                    "tradehook_provider.operators.rebalance",
                ],
            }
        ],
        "sensors": [{"integration-name": INTEGRATION, "python-modules": ["tradehook_provider.sensors.orders"]}],
        "triggers": [{"integration-name": INTEGRATION, "python-modules": ["tradehook_provider.triggers.orders"]}],
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
                        "host": "empty: the environment's own, e.g. http://127.0.0.1:8787 for the sandbox",
                        "login": "11111111-2222-4333-8444-555555555555",
                        "password": "the whole content of the key file, or leave empty and give its path below",
                    },
                },
                "conn-fields": {
                    "environment": {
                        "label": "Environment",
                        "description": "sandbox is play money; in this version live can be read but not traded.",
                        "schema": {"type": "string", "enum": ["sandbox", "uat", "live"], "default": "sandbox"},
                    },
                    "key_path": {
                        "label": "Key file",
                        "description": "Path of the key file on every worker and triggerer, instead of its content.",
                        "schema": {"type": ["string", "null"]},
                    },
                    "key_passphrase": {
                        "label": "Passphrase of an encrypted PEM key",
                        "schema": {"type": ["string", "null"], "format": "password"},
                    },
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
                },
            }
        ],
    }
