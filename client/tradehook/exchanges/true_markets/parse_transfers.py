"""From True Markets' answers about transfers, transactions and the portfolio to our models.

See: truemarkets-api 6 and 7.3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from tradehook.exchanges.true_markets.parse import (
    mapping,
    maybe_number,
    maybe_text,
    maybe_time,
    number,
    payloads,
    safe_text,
    text,
    unexpected,
)
from tradehook.transfers import Portfolio, PortfolioPart, Transaction, Transfer, TransferStatus

if TYPE_CHECKING:
    from collections.abc import Mapping

STATUSES = {
    "awaiting_signature": TransferStatus.CREATED,
    "pending": TransferStatus.PENDING,
    "completed": TransferStatus.COMPLETED,
    # The word that orders use for it; nothing else it could mean.
    "complete": TransferStatus.COMPLETED,
    "failed": TransferStatus.FAILED,
}
VENDOR_STATUS = {ours: theirs for theirs, ours in reversed(STATUSES.items()) if theirs != "complete"}
_DIRECTIONS: dict[str, Literal["in", "out"]] = {"in": "in", "out": "out"}


def transfer(row: Mapping[str, Any]) -> Transfer:
    """One transfer."""
    word = row.get("status")
    status = STATUSES.get(word.lower() if isinstance(word, str) else "", TransferStatus.UNRECOGNIZED)
    return Transfer(
        transfer_id=text(row, "id"),
        status=status,
        exchange_status=safe_text(word)[:40] or "none",
        asset=maybe_text(row, "asset_symbol"),
        asset_id=maybe_text(row, "asset_id"),
        chain=maybe_text(row, "chain"),
        network=maybe_text(row, "network"),
        to=maybe_text(row, "to"),
        quantity=maybe_number(row, "qty") if row.get("qty_unit") in (None, "base") else None,
        sent=maybe_number(row, "sent"),
        fee=maybe_number(row, "fee"),
        received=maybe_number(row, "received"),
        tx_hash=maybe_text(row, "tx_hash"),
        created_at=maybe_time(row, "created_at"),
        updated_at=maybe_time(row, "updated_at"),
        payloads=payloads(row),
    )


def transaction(row: Mapping[str, Any]) -> Transaction:
    """One line of the account's history."""
    return Transaction(
        transaction_id=text(row, "id"),
        kind=safe_text(row.get("type")) or "unknown",
        direction=_DIRECTIONS.get(str(row.get("asset_flow"))),
        status=safe_text(row.get("status"))[:40] or "unknown",
        asset=maybe_text(row, "asset_symbol"),
        quantity=maybe_number(row, "qty"),
        tx_hash=maybe_text(row, "tx_hash"),
        reason=safe_text(row.get("failure_reason")) or None,
        created_at=maybe_time(row, "created_at"),
        completed_at=maybe_time(row, "completed_at"),
    )


def portfolio(body: object) -> Portfolio:
    """What the account is worth."""
    content = mapping(body)
    parts = content.get("balances") or []
    if not isinstance(parts, list):
        raise unexpected("`balances` is not a list")
    return Portfolio(
        total=number(content, "total_usd"),
        cash=maybe_number(content, "cash_usd"),
        change_24h=maybe_number(content, "change_24h_usd"),
        change_24h_percent=maybe_number(content, "change_24h_pct"),
        unrealized_profit=maybe_number(content, "unrealized_pnl_usd"),
        realized_profit=maybe_number(content, "realized_pnl_usd"),
        parts=tuple(_part(mapping(row)) for row in parts),
    )


def _part(row: Mapping[str, Any]) -> PortfolioPart:
    return PortfolioPart(
        symbol=text(row, "symbol"),
        chain=maybe_text(row, "chain"),
        quantity=number(row, "total"),
        price=maybe_number(row, "price"),
        value=maybe_number(row, "value"),
    )
