"""The deeds, and what each of them needs beside itself. Loads nothing, so that the run starts at once."""

from __future__ import annotations

DEEDS = (
    "market order",
    "limit order",
    "bounded order",
    "order on a chain",
    "previewed order on a chain",
    "payout",
    "transfer on a chain",
    "cancel",
    "expiry",
    "rebalance",
    "order after a doubt",
)
BLIND = (
    "fintrusted market",
    "fintrusted limit",
    "fintrusted cancel",
    "fintrusted reads",
    "fintrusted person",
    "fintrusted word",
    "fintrusted futures",
    "fintrusted futures person",
    "fintrusted rebalance",
)
"""Those at the exchange that tells nothing of its spot orders; their code is in `child_fintrusted.py`."""
TRANSFERS = frozenset({"payout", "transfer on a chain"})
BEFORE: dict[str, list[tuple[str, str, str | None]]] = {
    "cancel": [("limit order", "crash-1", None)],
    "expiry": [
        ("resting order", "crash-1", None),
        ("payout", "crash-2", None),
        ("order on a chain", "crash-3", "signing._execute: await session.send_once(request) | before"),
    ],
    "order after a doubt": [
        ("order on a chain", "crash-2", "signing._execute: await session.send_once(request) | before")
    ],
    "fintrusted cancel": [("fintrusted limit", "crash-1", None)],
    "fintrusted reads": [("fintrusted limit", "crash-1", None), ("fintrusted sale", "crash-2", None)],
    "fintrusted word": [("fintrusted limit", "crash-1", None)],
}
"""What is done first: the deed, its intent, and where it dies, if it does."""
SWEPT = {
    "bounded order": "expiry",
    "expiry": "expiry",
    **dict.fromkeys(("fintrusted market", "fintrusted limit"), "fintrusted sweep"),
}
"""A sweep comes by at the end, as a program that runs all the time would make it."""
