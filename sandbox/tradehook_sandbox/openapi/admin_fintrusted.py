"""The admin's API for FinTrusted: members, pairs, and what became of orders that its own API does not show."""

from __future__ import annotations

from typing import Final

from tradehook_sandbox.fintrusted.coins import COINS, PAIRS
from tradehook_sandbox.fintrusted.orders import STATUSES
from tradehook_sandbox.openapi.writing import (
    Json,
    amount,
    answer,
    decimal,
    entries,
    items,
    moment,
    nothing_or,
    operation,
    query,
    record,
    ref,
    text,
    truth,
    whole,
    word,
)

TAG: Final = "FinTrusted"
_ORDER: Final = record(
    {
        "order_id": text("As `E` and digits."),
        "member_id": whole("Whose it is.", 1),
        "symbol": word("", *PAIRS),
        "direction": word("", "buy", "sell"),
        "type": word("", "limit", "market"),
        "price": decimal("0 for a market order."),
        "amount": decimal(),
        "amount_unit": word("", "base", "quote"),
        "traded_amount": decimal("In the base coin."),
        "turnover": decimal("In the quote coin."),
        "frozen": decimal("What of it is frozen now, in the coin it gives."),
        "status": word("", *STATUSES),
        "is_resting": truth("Whether it stands in the book, or waits as a market order."),
        "is_canceling": truth("Whether its cancellation is on the way."),
        "created_at": moment(),
        "ended_at": nothing_or(moment()),
    }
)
_MEMBER: Final = record(
    {
        "id": whole("", 1),
        "email": text(),
        "is_disabled": truth("Whether trading is forbidden."),
        "locked_coins": items(word("", *COINS)),
        "sessions": whole("Tokens that are good, or were until they ran out.", 0),
        "wallets": entries(record({"available": decimal(), "frozen": decimal()}), "By coin."),
    }
)
_KEY: Final = {
    "key": text("What travels in the header `X-API-KEY`."),
    "member_id": whole("Whose it is.", 1),
    "can_trade": truth("Whether it may do more than read."),
}
_CLOSURES: Final = {
    "is_disabled": truth("Whether nobody may trade it."),
    "no_market_buys": truth(),
    "no_market_sells": truth(),
}
_GUARDS: Final = ("min_sell_price", "max_buy_price")
_PAIRS: Final = entries(
    record(
        {
            "price_decimals": whole("", 0),
            "amount_decimals": whole("", 0),
            "least_amount": decimal("In the base coin."),
            "most_amount": decimal("In the base coin."),
            "least_turnover": decimal("Of a market buy, in the quote coin."),
            **_CLOSURES,
            **{name: decimal("0: no such guard.") for name in _GUARDS},
        }
    ),
    "By symbol.",
)


def _answers(schema: Json, *, can_miss: bool) -> dict[int, Json]:
    missing = {404: answer("There is no such member.", ref("Error"))} if can_miss else {}
    return {
        200: answer("As it is now.", schema),
        400: answer("The request is wrong; the message says what.", ref("Error")),
        **missing,
        413: answer("The body is larger than 64 KiB.", ref("Error")),
    }


PATHS: Final[dict[str, Json]] = {
    "/fintrusted/orders": {
        "get": operation(
            "getSpotOrders",
            "Everybody's spot orders",
            tag=TAG,
            about="FinTrusted itself has no way to look at one: this is for whoever tests, not for whoever trades.",
            parameters=(query("status", word("", *STATUSES), "Only those in this status."),),
            answers={
                200: answer("Newest first.", record({"data": items(_ORDER)})),
                400: answer("There is no such status.", ref("Error")),
            },
        )
    },
    "/fintrusted/members": {
        "get": operation(
            "getMembers",
            "Everybody, and what they hold",
            tag=TAG,
            answers={200: answer("Oldest first.", record({"data": items(_MEMBER)}))},
        ),
        "post": operation(
            "setMember",
            "Open an account, or change one",
            tag=TAG,
            about="With a password an account is opened; without one it is changed.",
            body=record(
                {
                    "email": text("At example.com, example.org or example.net."),
                    "password": text("Of a new account."),
                    "is_disabled": truth("Whether trading is forbidden."),
                    "locked_coins": items(word("", *COINS)),
                    "log_out": truth("True: none of its tokens is good any more."),
                },
                optional=("password", "is_disabled", "locked_coins", "log_out"),
            ),
            examples={"example": {"email": "ann@example.com", "password": "secret"}},
            answers=_answers(_MEMBER, can_miss=True),
        ),
    },
    "/fintrusted/keys": {
        "get": operation(
            "getKeys",
            "API keys",
            tag=TAG,
            answers={200: answer("Without their secrets.", record({"data": items(record(_KEY))}))},
        ),
        "post": operation(
            "createKey",
            "Make an API key",
            tag=TAG,
            about="Its secret is shown once.",
            body=record(
                {"email": text(default="demo@example.com"), "can_trade": truth()}, optional=("email", "can_trade")
            ),
            examples={"example": {"can_trade": True}},
            answers=_answers(record({**_KEY, "secret": text()}), can_miss=True),
        ),
    },
    "/fintrusted/deposit": {
        "post": operation(
            "deposit",
            "Pay in, take out",
            tag=TAG,
            body=record(
                {
                    "email": text(default="demo@example.com"),
                    "coin": word("", *COINS),
                    "add": text("This much more; a minus takes out.", pattern=r"^-?[0-9]{1,15}(\.[0-9]{1,8})?$"),
                },
                optional=("email",),
            ),
            examples={"example": {"coin": "USDT", "add": "500"}},
            answers=_answers(_MEMBER, can_miss=True),
        )
    },
    "/fintrusted/pairs": {
        "get": operation("getPairs", "What may be traded", tag=TAG, answers={200: answer("By symbol.", _PAIRS)}),
        "post": operation(
            "setPair",
            "Close a pair, or a part of it",
            tag=TAG,
            about="A price guard forbids market orders on its side as well.",
            body=record(
                {"symbol": word("", *PAIRS), **_CLOSURES, **{name: amount("0: no such guard.") for name in _GUARDS}},
                optional=(*_CLOSURES, *_GUARDS),
            ),
            examples={"example": {"symbol": "BTC/USDT", "no_market_buys": True}},
            answers=_answers(_PAIRS, can_miss=False),
        ),
    },
}
