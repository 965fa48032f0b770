"""The outside world, on your machine: an exchange with play money and a stand-in for Telegram.

`Sandbox` is the whole of it in memory, for tests: `sandbox = Sandbox()`, then `sandbox.respond(request)` answers any
`tradehook.wire.Request`, `sandbox.key_file()` is a key the exchange knows, and `sandbox.clock.advance(seconds)` lets
time pass, because nothing here ever sleeps. `tradehook-sandbox serve` puts the same object behind a socket.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tradehook_sandbox.clock import Clock
    from tradehook_sandbox.faults import Answer, Fault
    from tradehook_sandbox.fintrusted.rules import FinTrustedRules
    from tradehook_sandbox.sandbox import Sandbox
    from tradehook_sandbox.true_markets.rules import Rules

__all__ = ["Answer", "Clock", "Fault", "FinTrustedRules", "Rules", "Sandbox"]

_HOMES = {
    "Answer": "tradehook_sandbox.faults",
    "Clock": "tradehook_sandbox.clock",
    "Fault": "tradehook_sandbox.faults",
    "FinTrustedRules": "tradehook_sandbox.fintrusted.rules",
    "Rules": "tradehook_sandbox.true_markets.rules",
    "Sandbox": "tradehook_sandbox.sandbox",
}


def __getattr__(name: str) -> Any:
    # Lazy, so that the command's `--help` loads no cryptography.
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
