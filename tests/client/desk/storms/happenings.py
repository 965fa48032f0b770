"""What may happen to an account: what is asked for, what goes wrong, and how the journal may move."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

from tradehook.amounts import parse_amount
from tradehook.desk.intents import State
from tradehook.models import NewOrder
from tradehook.transfers import NewTransfer

S = State
ARROWS = {
    S.PREPARED: {S.SENDING},
    S.SENDING: {S.ACCEPTED, S.REJECTED, S.UNKNOWN, S.CREATED, S.PREPARED},
    S.CREATED: {S.EXECUTING, S.PREPARED, S.REJECTED},
    S.EXECUTING: {S.ACCEPTED, S.REJECTED, S.UNKNOWN, S.PREPARED, S.EXECUTING},
    S.UNKNOWN: {S.ACCEPTED, S.MATCHED, S.NEEDS_HUMAN, S.PROVED_ABSENT, S.REJECTED, S.PREPARED, S.EXECUTING},
    S.NEEDS_HUMAN: {S.MATCHED, S.REJECTED, S.PREPARED},
    S.PROVED_ABSENT: {S.MATCHED, S.NEEDS_HUMAN, S.REJECTED, S.PREPARED},
}
"""Those of `intents.py`, one by one; a signed one in doubt may send the very same bytes again (EXECUTING)."""
LEADS_TO = {
    "accepted": S.ACCEPTED,
    "rejected": S.REJECTED,
    "unknown": S.UNKNOWN,
    "created": S.CREATED,
    "overdue": S.UNKNOWN,
    "interrupted": S.UNKNOWN,
    "abandoned": S.PREPARED,
    "not carried out": S.PREPARED,
    "sent again": S.PREPARED,
    "found": S.ACCEPTED,
    "matched": S.MATCHED,
    "absent": S.PROVED_ABSENT,
    "looked": S.NEEDS_HUMAN,
    "placed": S.MATCHED,
    "not-placed": S.REJECTED,
    "again": S.PREPARED,
}
BUY = NewOrder.of("BTC/PYUSD", side="buy", amount="$20")
DEEDS: list[NewOrder | NewTransfer] = [
    BUY,
    NewOrder.of("BTC/PYUSD", side="sell", amount="0.0003"),
    NewOrder.of("ETH/PYUSD", side="buy", amount="$35"),
    NewOrder.of("BTC/PYUSD", side="buy", amount="0.001", price=Decimal(50000)),
    NewOrder.of("BTC/PYUSD", side="buy", amount="0.0005", price=Decimal(67500)),
    NewOrder.of("BTC/PYUSD", side="buy", amount="0.001", price=Decimal(51000), good_for=timedelta(seconds=60)),
    NewOrder.of("BTC/PYUSD", side="buy", amount="0.0004", max_slippage="0.5", bounded=True),
    NewOrder.of("CBBTC/USDC", side="buy", amount="$15", chain="base"),
    NewTransfer(asset="BTC", amount=parse_amount("0.001"), to="vault", chain=None),
    NewTransfer(asset="USDC", amount=parse_amount("5"), to="cold", chain="base"),
]
ANSWERS: list[dict[str, Any]] = [
    *({"kind": "error_before", "status": status} for status in (400, 401, 409, 500, 503)),
    *({"kind": "error_after", "status": status} for status in (408, 409, 500, 503)),
    *({"kind": "late_accept", "delay_seconds": float(delay)} for delay in (2, 15, 300, 590, 5000)),
    {"kind": "timeout_after"},
    {"kind": "slow", "delay_seconds": 3.0},
    {"kind": "slow", "delay_seconds": 90.0},
    *({"kind": kind} for kind in ("garbled", "truncated", "rate_limited", "edge_html")),
    *({"kind": kind} for kind in ("unknown_enum", "extra_field", "missing_field")),
]
LOST = [answer for answer in ANSWERS if answer["kind"] in ("error_before", "late_accept", "timeout_after")]
FAULTS = [
    *(
        {"method": "POST", "path": path, **fault}
        for path in ("/orders", "/transfers", "/orders/{id}/execute", "/transfers/{id}/execute")
        for fault in ANSWERS
    ),
    *(
        {"method": method, "path": "*", **fault}
        for method in ("GET", "DELETE")
        for fault in (
            {"kind": "error_before", "status": 503},
            {"kind": "timeout_after"},
            {"kind": "rate_limited"},
            {"kind": "edge_html"},
            {"kind": "garbled"},
            {"kind": "missing_field"},
            {"kind": "unknown_enum"},
            {"kind": "stale_list", "delay_seconds": 20.0},
        )
    ),
    {"method": "POST", "path": "/auth/api-key/token", "kind": "error_after", "status": 503},
]
# What happens at FinTrusted, which tells nothing of its orders.
BLIND_ORDERS = [
    NewOrder.of("BTC/USDT", side="buy", amount="$20"),
    NewOrder.of("BTC/USDT", side="sell", amount="0.0003"),
    NewOrder.of("ETH/USDT", side="buy", amount="$15"),
    NewOrder.of("ETH/USDT", side="sell", amount="0.002"),
    NewOrder.of("BTC/USDT", side="buy", amount="0.001", price=Decimal(50000)),
    NewOrder.of("BTC/USDT", side="buy", amount="0.0003", price=Decimal(67500)),
    NewOrder.of("BTC/USDT", side="sell", amount="0.0003", price=Decimal(90000)),
    NewOrder.of("BTC/USDT", side="buy", amount="0.0002", price=Decimal(51000), good_for=timedelta(seconds=60)),
    NewOrder.of("BTC/USDT", side="buy", amount="0.0002", max_slippage="0.5", bounded=True),
]
BLIND_FAULTS = [
    *(
        {"method": "POST", "path": path, **fault}
        for path in ("/tx/spot/add", "/tx/spot/add", "/tx/spot/cancel")
        for fault in ANSWERS
    ),
    *(
        {"method": "GET", "path": "*", **fault}
        for fault in (
            {"kind": "error_before", "status": 503},
            {"kind": "timeout_after"},
            {"kind": "rate_limited"},
            {"kind": "garbled"},
            {"kind": "missing_field"},
            {"kind": "stale_list", "delay_seconds": 20.0},
        )
    ),
    {"method": "POST", "path": "/uc/v2/login", "kind": "error_after", "status": 503},
]
HOUR_CAP = Decimal(90)
