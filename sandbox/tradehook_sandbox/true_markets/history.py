"""What an account did and is worth: its transactions, newest first, and its portfolio.

See: truemarkets-api 7.3. Profits are not reckoned here: the sandbox keeps no cost of what somebody holds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tradehook_sandbox.clock import MICROS, rfc3339
from tradehook_sandbox.true_markets import wording
from tradehook_sandbox.true_markets.catalogue import ASSETS, BY_KEY
from tradehook_sandbox.true_markets.market_data import price_at, text_of
from tradehook_sandbox.units import divide_rounding, format_units
from tradehook_sandbox.walk import PRICE_SCALE

if TYPE_CHECKING:
    from tradehook_sandbox.true_markets.accounts import Deposit
    from tradehook_sandbox.true_markets.catalogue import Asset
    from tradehook_sandbox.true_markets.gateway import Visit
    from tradehook_sandbox.true_markets.orders import Order
    from tradehook_sandbox.true_markets.transfers import Transfer

_DAY_MICROS: Final = 86_400 * MICROS
_CENTS: Final[int] = 10 ** (PRICE_SCALE - 2)
_ORDER_WORDS: Final = {"complete": "completed", "canceled": "canceled", "failed": "failed"}


def list_transactions(visit: Visit) -> tuple[int, object]:
    """`GET /transactions`: one page of orders, transfers and money in, newest first."""
    limit, before = visit.call.limit(), wording.page_end(visit.call, visit.rules)
    house, uid = visit.exchange.house, visit.account.uid
    found = [
        *((order.created_micros, _order(order)) for order in house.orders.of(uid) if order.status != "initialized"),
        *((each.created_micros, _transfer(each)) for each in visit.exchange.withdrawals.all.of(uid)),
        *((each.at_micros, _deposit(each)) for each in house.accounts.deposits if each.uid == uid),
    ]
    # An order and a deposit may share a moment. For the cursor they follow each other, so that any page may end there.
    rows: list[tuple[int, dict[str, Any]]] = []
    for at, row in sorted(found, key=lambda pair: pair[0]):
        rows.append((max(at, rows[-1][0] + 1) if rows else at, row))
    rows = [pair for pair in reversed(rows) if before is None or pair[0] < before]
    cursor = wording.cursor(rows[limit - 1][0], visit.rules) if len(rows) > limit else None
    return 200, {"data": [row for _, row in rows[:limit]], "pagination": {"next_cursor": cursor, "limit": limit}}


def get_portfolio(visit: Visit) -> tuple[int, object]:
    """`GET /portfolio`: what everything is worth in dollars, now and a day ago."""
    house = visit.exchange.house
    rows, total, cash, before = [], 0, 0, 0
    for asset, row in zip(ASSETS, house.accounts.rows(visit.account), strict=True):
        units = house.accounts.available(visit.account, asset) + house.ledger.balance(visit.account.held, asset.key)
        price = price_at(house, asset.coin or "", house.now)
        earlier = price_at(house, asset.coin or "", house.now - _DAY_MICROS)
        value, was = _worth(asset, units, price), _worth(asset, units, earlier)
        total, before, cash = total + value, before + was, cash + (0 if asset.coin else value)
        rows.append(
            {
                **row,
                "icon": None,
                "price": text_of(price),
                "value": _dollars(value),
                "change_24h_pct": _percent(price - earlier, earlier),
            }
        )
    return 200, {
        "total_usd": _dollars(total),
        "balances_usd": _dollars(total),
        "cash_usd": _dollars(cash),
        "change_24h_usd": _dollars(total - before),
        "change_24h_pct": _percent(total - before, before),
        "unrealized_pnl_usd": "0",
        "realized_pnl_usd": "0",
        "balances": rows,
        "positions": [],
    }


def _order(order: Order) -> dict[str, Any]:
    return {
        "id": order.order_id,
        "type": "order",
        "asset_flow": "in" if order.side == "buy" else "out",
        "status": _ORDER_WORDS.get(order.status, "pending"),
        "created_at": rfc3339(order.created_micros),
        "completed_at": None,
        "qty": format_units(order.executed, order.base.scale),
        "asset_id": order.base.asset_id,
        "asset_symbol": order.base.symbol,
        "tx_hash": order.tx_hash,
        "explorer_url": order.as_row()["explorer_url"],
        "failure_reason": order.failure_reason or None,
        "order": order.as_row(),
        "transfer": None,
    }


def _transfer(transfer: Transfer) -> dict[str, Any]:
    status = "pending" if transfer.status == "awaiting_signature" else transfer.status
    row = transfer.as_row()
    return {
        "id": transfer.transfer_id,
        "type": "transfer",
        "asset_flow": "out",
        "status": status,
        "created_at": rfc3339(transfer.created_micros),
        "completed_at": rfc3339(transfer.updated_micros) if transfer.is_final else None,
        "qty": format_units(transfer.quantity, transfer.asset.scale),
        "asset_id": transfer.asset.asset_id,
        "asset_symbol": transfer.asset.symbol,
        "tx_hash": transfer.tx_hash,
        "explorer_url": row["explorer_url"],
        "failure_reason": transfer.failure_reason or None,
        "order": None,
        "transfer": {**row, "payloads": []},
    }


def _deposit(deposit: Deposit) -> dict[str, Any]:
    asset = BY_KEY[deposit.asset_key]
    at = rfc3339(deposit.at_micros)
    return {
        "id": deposit.deposit_id,
        "type": "ramp",
        "asset_flow": "in" if deposit.units > 0 else "out",
        "status": "completed",
        "created_at": at,
        "completed_at": at,
        "qty": format_units(abs(deposit.units), asset.scale),
        "asset_id": asset.asset_id,
        "asset_symbol": asset.symbol,
        "tx_hash": "",
        "explorer_url": "",
        "failure_reason": None,
        "order": None,
        "transfer": None,
    }


def _worth(asset: Asset, units: int, price: int) -> int:
    """Dollars, in units of prices, cut to whole cents as the wire shows them: what is shown adds up."""
    value: int = units * price // 10**asset.scale
    return value // _CENTS * _CENTS


def _dollars(value: int) -> str:
    return format_units(value, PRICE_SCALE)


def _percent(change: int, before: int) -> str:
    sign = -1 if change < 0 else 1
    return format_units(sign * divide_rounding(abs(change) * 10_000, before), 2) if before else "0"
