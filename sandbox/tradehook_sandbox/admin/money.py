"""Balances, orders and the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tradehook_sandbox.clock import rfc3339
from tradehook_sandbox.fintrusted.coins import SCALES
from tradehook_sandbox.ledger import Unbalanced
from tradehook_sandbox.true_markets.accounts import DEFAULT_ACCOUNT
from tradehook_sandbox.true_markets.calls import Refusal, choice_field, text_field, uuid_text
from tradehook_sandbox.true_markets.catalogue import BY_KEY, DOLLARS
from tradehook_sandbox.units import format_units, parse_units

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tradehook_sandbox.admin.errands import Errand
    from tradehook_sandbox.ledger import Entry
    from tradehook_sandbox.true_markets.catalogue import Asset

_ORDERS_SHOWN: Final = 1_000


def get_balances(errand: Errand) -> object:
    """The unified balances of each account, under its name."""
    accounts = errand.sandbox.exchange.house.accounts
    return {account.name: {"data": accounts.rows(account)} for account in accounts}


def set_balances(errand: Errand) -> object:
    """`{"symbol": "PYUSD", "available": "500"}` sets, `"add": "-20"` adds; `chain` and `account` where needed."""
    house = errand.sandbox.exchange.house
    content = errand.content("account", "chain", "symbol", "available", "add")
    account = house.accounts.named(text_field({"account": DEFAULT_ACCOUNT, **content}, "account"))
    if account is None:
        raise Refusal(404, "there is no such account")
    asset = _asset(content)
    if ("available" in content) == ("add" in content):
        raise Refusal(400, "give either available or add, as a decimal string")
    has = house.accounts.available(account, asset)
    wanted = _amount(content, "available", asset) if "available" in content else has + _amount(content, "add", asset)
    least = account.fee_reserve if asset.key == DOLLARS else 0
    if wanted < least:
        raise Refusal(400, f"{format_units(least, asset.scale)} {asset.symbol} must stay: open orders need it")
    house.accounts.deposit(account, asset, wanted - has, at_micros=house.now)
    return get_balances(errand)


def get_ledger(errand: Errand) -> object:
    """Whether the books balance, how many orders there are, and what every account holds."""
    exchange = errand.sandbox.exchange
    house, transfers = exchange.house, exchange.withdrawals.all
    try:
        balanced = house.audit(transfers) and errand.sandbox.fintrusted.audit()
    except Unbalanced:
        balanced = False
    initialized = sum(order.status == "initialized" for order in house.orders)
    accounts: dict[str, dict[str, str]] = {}
    for account, key, units in house.ledger.balances():
        accounts.setdefault(account, {})[key] = format_units(units, _scale_of(key))
    return {
        "balanced": balanced,
        # Orders that exist for money; those that only wait for a signature are counted apart.
        "orders": len(house.orders) - initialized,
        "initialized": initialized,
        "fintrusted_orders": len(errand.sandbox.fintrusted.spot.orders),
        # The same of transfers.
        "transfers": sum(transfer.status != "awaiting_signature" for transfer in transfers),
        "entries": house.ledger.entries,
        "accounts": accounts,
        "recent": [_shown(entry) for entry in house.ledger.recent],
    }


def get_orders(errand: Errand) -> object:
    """All orders of all accounts, newest first, the latest thousand."""
    orders = list(errand.sandbox.exchange.house.orders)[-_ORDERS_SHOWN:]
    return {"data": [{"account_uid": order.uid, **order.as_row()} for order in reversed(orders)]}


def get_transfers(errand: Errand) -> object:
    """All transfers of all accounts, newest first, the latest thousand."""
    transfers = list(errand.sandbox.exchange.withdrawals.all)[-_ORDERS_SHOWN:]
    return {"data": [{"account_uid": each.uid, **each.as_row()} for each in reversed(transfers)]}


def end_transfer(errand: Errand) -> object:
    """`{"id": "...", "status": "completed"}` or `"failed"` ends a transfer that is on its way, now."""
    content = errand.content("id", "status")
    withdrawals = errand.sandbox.exchange.withdrawals
    transfer = withdrawals.all.get(uuid_text(content.get("id"), "id"))
    if transfer is None:
        raise Refusal(404, "there is no such transfer")
    status = choice_field(content, "status", "completed", "failed")
    if transfer.status != "pending":
        raise Refusal(409, f"the transfer is {transfer.status}, not pending")
    if status == "failed":
        withdrawals.fail(transfer, "failed by the admin")
    elif transfer.hold < transfer.quantity:
        raise Refusal(409, "the money for it is gone")
    else:
        withdrawals.complete(transfer)
    return transfer.as_row()


def _shown(entry: Entry) -> dict[str, object]:
    return {
        "number": entry.number,
        "at": rfc3339(entry.at_micros),
        "asset": entry.asset,
        "source": entry.source,
        "target": entry.target,
        "amount": format_units(entry.units, _scale_of(entry.asset)),
        "reason": entry.reason,
    }


def _scale_of(key: str) -> int:
    """Decimals in which an asset is booked; FinTrusted's coins are booked as they are on True Markets, USDT besides."""
    return BY_KEY[key].scale if key in BY_KEY else SCALES[key]


def _asset(content: Mapping[str, Any]) -> Asset:
    symbol, chain = text_field(content, "symbol"), content.get("chain")
    asset = BY_KEY.get(symbol if chain is None else f"{chain}:{symbol}")
    if asset is None:
        raise Refusal(400, f"there is no such balance: expected one of {', '.join(BY_KEY)} (chain:symbol)")
    return asset


def _amount(content: Mapping[str, Any], name: str, asset: Asset) -> int:
    text = text_field(content, name)
    sign = -1 if name == "add" and text.startswith("-") else 1
    try:
        return sign * parse_units(text.removeprefix("-") if sign < 0 else text, asset.scale)
    except ValueError as error:
        raise Refusal(400, f"{name} {error}") from None
