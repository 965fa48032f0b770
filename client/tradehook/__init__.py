"""tradehook: one hook module for crypto exchanges, under an Airflow provider and a Telegram bot.

Everyday names: `connect`, `Client`, `AsyncClient`, `NewOrder`, `TradehookError`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from tradehook.client import AsyncClient, Client, connect
    from tradehook.errors import TradehookError
    from tradehook.models import NewOrder

__all__ = ["AsyncClient", "Client", "NewOrder", "TradehookError", "__version__", "connect"]

_HOMES = {
    "AsyncClient": "tradehook.client",
    "Client": "tradehook.client",
    "NewOrder": "tradehook.models",
    "TradehookError": "tradehook.errors",
    "connect": "tradehook.client",
}


def __getattr__(name: str) -> Any:
    # Lazy, so that `import tradehook` in a DAG file costs nothing.
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
