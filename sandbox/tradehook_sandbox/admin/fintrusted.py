"""FinTrusted's members, orders and pairs.

Its spot orders cannot be looked at through its own API, so here is the only place that tells what became of one: for
whoever tests, never for whoever trades. See: fintrusted-api 11.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from tradehook_sandbox.admin.errands import truth_field
from tradehook_sandbox.clock import rfc3339
from tradehook_sandbox.fintrusted.coins import COINS, PAIRS, SCALE, text_of
from tradehook_sandbox.fintrusted.members import DEMO_EMAIL
from tradehook_sandbox.fintrusted.orders import STATUSES
from tradehook_sandbox.true_markets.calls import Refusal, choice_field, shown, text_field
from tradehook_sandbox.units import format_units, parse_units
from tradehook_sandbox.walk import PRICE_SCALE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tradehook_sandbox.admin.errands import Errand
    from tradehook_sandbox.fintrusted.members import Member
    from tradehook_sandbox.fintrusted.orders import SpotOrder
    from tradehook_sandbox.fintrusted.wishes import Closures

_ORDERS_SHOWN: Final = 1_000
_MOST_MEMBERS: Final = 1_000
_MOST_KEYS: Final = 1_000
_PLAY_EMAIL: Final = re.compile(r"[a-z0-9._+-]{1,60}@example\.(com|org|net)", re.ASCII)
_TRUTHS: Final = ("is_disabled", "no_market_buys", "no_market_sells")
_GUARDS: Final = ("min_sell_price", "max_buy_price")


def get_orders(errand: Errand) -> object:
    """All spot orders of all members, or those in `?status=`, newest first, the latest thousand."""
    status = errand.call.query.get("status", "").upper()
    if status not in ("", *STATUSES):
        raise Refusal(400, f"status must be one of {', '.join(STATUSES)}, not {shown(status)}")
    orders = [order for order in errand.sandbox.fintrusted.spot.orders if status in ("", order.status)]
    return {"data": [_order_row(order) for order in reversed(orders[-_ORDERS_SHOWN:])]}


def get_members(errand: Errand) -> object:
    """All members with what they hold."""
    exchange = errand.sandbox.fintrusted
    exchange.open_demo()
    return {"data": [_member_row(errand, member) for member in exchange.floor.members]}


def set_member(errand: Errand) -> object:
    """`{"email": "ann@example.com", "password": "..."}` opens an account; without a password one is changed.

    `is_disabled` forbids trading, `locked_coins` locks wallets, `"log_out": true` ends all sessions.
    """
    exchange = errand.sandbox.fintrusted
    exchange.open_demo()
    content = errand.content("email", "password", "is_disabled", "locked_coins", "log_out")
    email = text_field(content, "email").lower()
    # Somebody's real address, and perhaps a real password, has no business here.
    if not _PLAY_EMAIL.fullmatch(email):
        raise Refusal(400, "email must be a made-up one at example.com, such as ann@example.com")
    members = exchange.floor.members
    member = members.by_email(email)
    is_disabled = truth_field({"is_disabled": member is not None and member.is_disabled, **content}, "is_disabled")
    locked = _coins(content) if "locked_coins" in content else None
    is_log_out = truth_field({"log_out": False, **content}, "log_out")
    if "password" in content:
        password = text_field(content, "password")
        if member is not None:
            raise Refusal(400, "there is such a member already, with a password")
        if len(list(members)) >= _MOST_MEMBERS:
            raise Refusal(400, f"there are {_MOST_MEMBERS} members already")
        member = members.open(email, password, at_micros=exchange.floor.now)
    elif member is None:
        raise Refusal(404, "there is no such member; with a password one is opened")
    member.is_disabled = is_disabled
    if locked is not None:
        member.locked_coins = locked
    if is_log_out:
        exchange.sessions.end_all(member)
    members.touch(member)
    return _member_row(errand, member)


def deposit(errand: Errand) -> object:
    """`{"coin": "USDT", "add": "500"}` pays in, `"add": "-20"` takes out; `email` where it is not the demo account."""
    exchange = errand.sandbox.fintrusted
    exchange.open_demo()
    content = errand.content("email", "coin", "add")
    member = exchange.floor.members.by_email(text_field({"email": DEMO_EMAIL, **content}, "email"))
    if member is None:
        raise Refusal(404, "there is no such member")
    coin, text = choice_field(content, "coin", *COINS), text_field(content, "add")
    units = _units(text.removeprefix("-"), "add", SCALE) * (-1 if text.startswith("-") else 1)
    available, _ = exchange.floor.members.wallets(member)[coin]
    if available + units < 0:
        raise Refusal(400, f"there are only {text_of(available)} {coin} available")
    exchange.floor.members.deposit(member, coin, units, at_micros=exchange.floor.now)
    return _member_row(errand, member)


def get_keys(errand: Errand) -> object:
    """All API keys, without their secrets."""
    keys = errand.sandbox.fintrusted.keys
    return {"data": [{"key": key.key, "member_id": key.member_id, "can_trade": key.can_trade} for key in keys]}


def create_key(errand: Errand) -> object:
    """`{"can_trade": true}` makes an API key whose secret is shown once; `email` where it is not the demo account's."""
    exchange = errand.sandbox.fintrusted
    exchange.open_demo()
    content = errand.content("email", "can_trade")
    member = exchange.floor.members.by_email(text_field({"email": DEMO_EMAIL, **content}, "email"))
    if member is None:
        raise Refusal(404, "there is no such member")
    if len(list(exchange.keys)) >= _MOST_KEYS:
        raise Refusal(400, f"there are {_MOST_KEYS} keys already")
    made = exchange.keys.create(member, can_trade=truth_field({"can_trade": True, **content}, "can_trade"))
    return {"key": made.key, "member_id": made.member_id, "can_trade": made.can_trade, "secret": made.secret}


def get_pairs(errand: Errand) -> object:
    """What may be traded, in which steps, and what is forbidden."""
    closures = errand.sandbox.fintrusted.spot.closures
    return {symbol: _pair_row(symbol, closures[symbol]) for symbol in PAIRS}


def set_pair(errand: Errand) -> object:
    """`{"symbol": "BTC/USDT", "is_disabled": true}` closes a pair; or market orders, or prices beyond a guard."""
    content = errand.content("symbol", *_TRUTHS, *_GUARDS)
    closed = errand.sandbox.fintrusted.spot.closures[choice_field(content, "symbol", *PAIRS)]
    truths = {name: truth_field(content, name) for name in _TRUTHS if name in content}
    guards = {name: _units(text_field(content, name), name, PRICE_SCALE) for name in _GUARDS if name in content}
    for name, value in (*truths.items(), *guards.items()):
        setattr(closed, name, value)
    return get_pairs(errand)


def _coins(content: Mapping[str, Any]) -> list[str]:
    coins = content["locked_coins"]
    if not isinstance(coins, list) or any(coin not in tuple(COINS) for coin in coins):
        raise Refusal(400, f"locked_coins must be a list of some of {', '.join(COINS)}")
    return sorted(set(coins))


def _units(text: str, name: str, scale: int) -> int:
    try:
        return parse_units(text, scale)
    except ValueError as error:
        raise Refusal(400, f"{name} {error}") from None


def _order_row(order: SpotOrder) -> dict[str, object]:
    return {
        "order_id": order.order_id,
        "member_id": order.member_id,
        "symbol": order.symbol,
        "direction": order.side,
        "type": order.type,
        "price": format_units(order.price, PRICE_SCALE),
        "amount": text_of(order.amount),
        "amount_unit": "quote" if order.is_by_quote else "base",
        "traded_amount": text_of(order.traded),
        "turnover": text_of(order.turnover),
        "frozen": text_of(order.frozen),
        "status": order.status,
        "is_resting": order.is_resting,
        "is_canceling": order.cancel_micros is not None and not order.is_final,
        "created_at": rfc3339(order.created_micros),
        "ended_at": None if order.ended_micros is None else rfc3339(order.ended_micros),
    }


def _member_row(errand: Errand, member: Member) -> dict[str, object]:
    wallets = errand.sandbox.fintrusted.floor.members.wallets(member)
    return {
        "id": member.member_id,
        "email": member.email,
        "is_disabled": member.is_disabled,
        "locked_coins": member.locked_coins,
        "sessions": len(member.sessions),
        "wallets": {
            coin: {"available": text_of(available), "frozen": text_of(frozen)}
            for coin, (available, frozen) in wallets.items()
        },
    }


def _pair_row(symbol: str, closed: Closures) -> dict[str, object]:
    pair = PAIRS[symbol]
    return {
        "price_decimals": pair.price_scale,
        "amount_decimals": pair.amount_scale,
        "least_amount": text_of(pair.least_amount),
        "most_amount": text_of(pair.most_amount),
        "least_turnover": text_of(pair.least_turnover),
        **{name: getattr(closed, name) for name in _TRUTHS},
        **{name: format_units(getattr(closed, name), PRICE_SCALE) for name in _GUARDS},
    }
