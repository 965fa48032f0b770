"""What the endpoints about transfers answer. See: truemarkets-api 6."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tradehook_sandbox.true_markets import stamps, wording
from tradehook_sandbox.true_markets.calls import Refusal, shown, uuid_text
from tradehook_sandbox.true_markets.transfers import STATUSES

if TYPE_CHECKING:
    from tradehook_sandbox.true_markets.gateway import Visit
    from tradehook_sandbox.true_markets.transfers import Transfer


def create_transfer(visit: Visit) -> tuple[int, object]:
    """`POST /transfers`: paid out, or waiting for a signature."""
    transfer = visit.exchange.withdrawals.create(visit.call.content(), visit.account)
    return 201, _row(visit, transfer)


def execute_transfer(visit: Visit) -> tuple[int, object]:
    """`POST /transfers/{id}/execute`: the signed transfer is on its way."""
    exchange, transfer = visit.exchange, _transfer(visit)
    signatures = stamps.check_signatures(visit.call.content())
    exchange.withdrawals.check_waits(transfer)
    stamps.verify(signatures, transfer.payloads, exchange.keys.of(transfer.uid))
    exchange.withdrawals.execute(transfer)
    return 200, _row(visit, transfer)


def get_transfer(visit: Visit) -> tuple[int, object]:
    """`GET /transfers/{id}`: one transfer."""
    transfer = _transfer(visit)
    seen = transfer if visit.seen_micros is None else transfer.as_of(visit.seen_micros)
    if seen is None:
        raise Refusal(404, "transfer not found")
    return 200, _row(visit, seen)


def list_transfers(visit: Visit) -> tuple[int, object]:
    """`GET /transfers`: one page, newest first, of all statuses or of one."""
    limit, before = visit.call.limit(), wording.page_end(visit.call, visit.rules)
    status = visit.call.query.get("status") or None
    if status is not None and status not in STATUSES:
        expected = ", ".join(STATUSES)
        raise Refusal(400, f"unknown status {shown(status)}: expected one of {expected}", fields=("status",))
    found, has_more = visit.exchange.withdrawals.all.page(
        visit.account.uid, limit=limit, before_micros=before, status=status, seen_micros=visit.seen_micros
    )
    cursor = wording.cursor(found[-1].created_micros, visit.rules) if has_more else None
    return 200, {
        "data": [_row(visit, transfer) for transfer in found],
        "pagination": {"next_cursor": cursor, "limit": limit},
    }


def _transfer(visit: Visit) -> Transfer:
    transfer = visit.exchange.withdrawals.all.get(uuid_text(visit.order_id, "transfer id"))
    if transfer is None or transfer.uid != visit.account.uid:
        raise Refusal(404, "transfer not found")
    return transfer


def _row(visit: Visit, transfer: Transfer) -> dict[str, object]:
    return wording.row("transfer", transfer.as_row(), visit.rules)
