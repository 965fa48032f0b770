"""What members do: log in, trade spot, look at wallets and at themselves.

See: fintrusted-api 4.1, 5.5, 5.6, 5.11, 5.13 and 5.14.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tradehook_sandbox.fintrusted import messages
from tradehook_sandbox.fintrusted.calls import Refused
from tradehook_sandbox.fintrusted.coins import BY_COIN, COINS, DOLLARS, SCALE
from tradehook_sandbox.fintrusted.sessions import ISSUER
from tradehook_sandbox.fintrusted.shapes import Moment, Page, Units, Word
from tradehook_sandbox.walk import PRICE_SCALE

if TYPE_CHECKING:
    from tradehook_sandbox.fintrusted.calls import Visit
    from tradehook_sandbox.fintrusted.orders import SpotOrder

_CANCEL_NAMES: Final = {"any": ("orderId", "id"), "orderId": ("orderId",), "id": ("id",), "order_id": ("order_id",)}


def login(visit: Visit) -> object:
    """`POST /uc/v2/login`: a token for an address and a password."""
    member, token = visit.exchange.sessions.login(visit.form, now_micros=visit.floor.now)
    about = {"id": member.member_id, "username": member.username}
    match visit.rules.token_place:
        case "token":
            return {"token": token, **about}
        case "string":
            return token
        case "header":
            visit.headers["x-auth-token"] = token
            return about
        case _:
            return {"Authorization": token, **about}


def add_order(visit: Visit) -> object:
    """`POST /tx/spot/add`: the order is accepted and its money frozen; what becomes of it nobody tells."""
    order = visit.exchange.spot.add(visit.form, visit.member)
    match visit.rules.add_response:
        case "order":
            return _row(visit, order)
        case "object":
            return {"orderId": order.order_id}
        case "none":
            return None
        case _:
            return order.order_id


def cancel_order(visit: Visit) -> None:
    """`POST /tx/spot/cancel`: the cancellation is on its way."""
    names = _CANCEL_NAMES.get(visit.rules.cancel_name, ())
    given = (source.get(name) for name in names for source in (visit.form, visit.query))
    order_id = next((one for one in given if one), "")
    if visit.rules.cancel_name == "path":
        order_id = visit.rest
    elif visit.rest:
        raise Refused("not found", code=404, status=404)
    if not order_id:
        raise Refused(messages.ILLEGAL)
    visit.exchange.spot.cancel(order_id, visit.member)


def list_spot_wallets(visit: Visit) -> object:
    """`GET /uc/asset/spot-wallets`: what is available and frozen of each coin."""
    rows = {coin: _wallet(visit, number, coin) for number, coin in enumerate(COINS, 1)}
    match visit.rules.wallets:
        case "object":
            return {"list": list(rows.values()), "totalUsdt": _worth(visit)}
        case "map":
            return rows
        case _:
            return Page(list(rows.values()))


def get_user_info(visit: Visit) -> object:
    """`POST /uc/user-info`: who is logged in."""
    member = visit.member
    return {
        "id": member.member_id,
        "username": member.username,
        "email": member.email,
        "mobilePhone": None,
        "realName": None,
        "memberLevel": Word("GENERAL", 0),
        "kycStatus": 0,
        "createTime": Moment(member.created_micros),
        # As in a token: whoever signs requests has none to look into.
        "iss": ISSUER,
    }


def count_referrals(visit: Visit) -> object:
    """`POST /uc/referral/count`: nobody was invited."""
    return 0 if visit.rules.referral == "number" else {"firstLevel": 0, "secondLevel": 0, "thirdLevel": 0}


def _row(visit: Visit, order: SpotOrder) -> dict[str, object]:
    return order.row(is_reversed=visit.rules.family_enums)


def _wallet(visit: Visit, number: int, coin: str) -> dict[str, object]:
    available, frozen = visit.floor.members.wallets(visit.member, seen_micros=visit.seen_micros)[coin]
    is_locked = coin in visit.member.locked_coins
    if visit.rules.wallet_names == "short":
        return {
            "coin": coin,
            "available": Units(available, SCALE),
            "frozen": Units(frozen, SCALE),
            "total": Units(available + frozen, SCALE),
            "locked": is_locked,
        }
    lock: object = int(is_locked)
    if visit.rules.wallet_names == "words":
        lock = "IS_TRUE" if is_locked else "IS_FALSE"
    return {
        "id": number,
        "memberId": visit.member.member_id,
        "coin": {"unit": coin, "name": coin},
        "balance": Units(available, SCALE),
        "frozenBalance": Units(frozen, SCALE),
        "isLock": lock,
    }


def _worth(visit: Visit) -> Units:
    """All wallets in dollars."""
    wallets = visit.floor.members.wallets(visit.member, seen_micros=visit.seen_micros)
    total = sum(wallets[DOLLARS])
    for coin in BY_COIN:
        total += sum(wallets[coin]) * visit.floor.price(coin) // 10**PRICE_SCALE
    return Units(total, SCALE)
