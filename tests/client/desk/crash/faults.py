"""What goes wrong beside the kill: which of the sandbox's faults strikes which request of which deed."""

from __future__ import annotations

from typing import Any

Fault = dict[str, Any] | None

_ONE_STEP: list[dict[str, Any]] = [
    {"kind": "error_before", "status": 503},
    {"kind": "error_after", "status": 503},
    {"kind": "error_after", "status": 409},
    {"kind": "late_accept", "status": 503, "delay_seconds": 3},
    {"kind": "late_accept", "status": 503, "delay_seconds": 400},
    {"kind": "timeout_after"},
    {"kind": "slow", "delay_seconds": 0.05},
    {"kind": "garbled"},
    {"kind": "truncated"},
    {"kind": "missing_field"},
    {"kind": "unknown_enum"},
    {"kind": "error_before", "status": 401},
    {"kind": "rate_limited", "delay_seconds": 2},
    {"kind": "edge_html"},
]
_SECOND_STEP: list[dict[str, Any]] = [
    {"kind": "error_before", "status": 503},
    {"kind": "error_before", "status": 503, "times": 5},
    {"kind": "error_after", "status": 503},
    {"kind": "late_accept", "status": 503, "delay_seconds": 3},
    {"kind": "late_accept", "status": 503, "delay_seconds": 20},
    {"kind": "timeout_after"},
    {"kind": "garbled"},
    {"kind": "truncated"},
    {"kind": "error_before", "status": 401},
    {"kind": "rate_limited", "delay_seconds": 2},
]
_AROUND: list[dict[str, Any]] = [
    {"method": "GET", "path": "*", "kind": "stale_list", "delay_seconds": 2, "times": 4},
    {"method": "GET", "path": "*", "kind": "error_before", "status": 500, "times": 5},
    {"method": "POST", "path": "/auth/api-key/token", "kind": "error_after", "status": 503},
]


_BLIND: list[dict[str, Any]] = [
    {"kind": "error_before", "status": 503},
    {"kind": "error_after", "status": 503},
    {"kind": "late_accept", "status": 503, "delay_seconds": 400},
    {"kind": "timeout_after"},
    {"kind": "garbled"},
    {"kind": "missing_field"},
    {"kind": "error_before", "status": 401},
    {"kind": "rate_limited", "delay_seconds": 2},
    {"kind": "edge_html"},
]
_LOST = 4
"""How many of them lose an answer for good; deeds that are about a lost answer are tried with those."""
_BLIND_AROUND: list[dict[str, Any]] = [
    {"method": "GET", "path": "*", "kind": "error_before", "status": 500, "times": 5},
    {"method": "POST", "path": "/uc/v2/login", "kind": "error_after", "status": 503},
]


def _blind_faults(deed: str, policy: str) -> list[Fault]:
    """The same at FinTrusted, where an order is one request and nothing is listed."""
    aimed, path = _BLIND, "/tx/uorder/open" if "futures" in deed else "/tx/spot/add"
    if deed in ("fintrusted person", "fintrusted futures person", "fintrusted futures", "fintrusted limit"):
        aimed = _BLIND[:_LOST]
    elif deed == "fintrusted cancel":
        path, aimed = "/tx/spot/cancel", [*_BLIND[:2], *_BLIND[3:-1]]
    elif deed == "fintrusted rebalance":
        here = [{"method": "POST", "path": path, **fault} for fault in (_BLIND[1], _BLIND[3])]
        return [None, *here, {**here[0], "path": "/orders"}, _BLIND_AROUND[0]]
    elif deed in ("fintrusted reads", "fintrusted word"):
        return [None, *_BLIND_AROUND]
    around = _BLIND_AROUND if deed == "fintrusted market" and policy == "hold" else []
    return [None, *({"method": "POST", "path": path, **fault} for fault in aimed), *around]


def faults_of(deed: str, policy: str) -> list[Fault]:
    """Every fault that a deed is tried under, none at all among them.

    Under `resend` a definite no is left out, since it ends an intent without an order, and rightly.
    """
    if deed.startswith("fintrusted"):
        return _blind_faults(deed, policy)
    path = "/transfers" if deed in ("payout", "transfer on a chain") else "/orders"
    if deed in ("cancel", "expiry"):
        aimed = [{"method": "DELETE", "path": "/orders/{id}", **fault} for fault in _SECOND_STEP]
    else:
        aimed = [{"method": "POST", "path": path, **fault} for fault in _ONE_STEP]
        if deed.endswith("chain"):
            aimed += [{"method": "POST", "path": f"{path}/{{id}}/execute", **fault} for fault in _SECOND_STEP]
    if policy == "resend":
        aimed = [fault for fault in aimed if fault["kind"] != "edge_html"]
    return [None, *aimed, *(_AROUND if policy != "naive" else [])]


def words(fault: Fault) -> str:
    """A fault in few words, the same for the same fault."""
    if fault is None:
        return "none"
    more = [str(fault[name]) for name in ("status", "delay_seconds", "times") if name in fault]
    return " ".join([fault["kind"], fault["method"], fault["path"], *more])
