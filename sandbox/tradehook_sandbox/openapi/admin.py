"""The admin's API: what whoever runs the sandbox can look at and change. The real exchange has nothing of it."""

from __future__ import annotations

from functools import cache
from typing import Final

from tradehook_sandbox.faults import KINDS
from tradehook_sandbox.openapi import admin_fintrusted
from tradehook_sandbox.openapi.exchange_schemas import SCHEMAS
from tradehook_sandbox.openapi.writing import (
    Json,
    amount,
    answer,
    decimal,
    entries,
    in_path,
    items,
    moment,
    nothing_or,
    operation,
    record,
    ref,
    seconds,
    text,
    truth,
    uuid,
    whole,
    word,
)

PREFIX: Final = "/_sandbox"
_ABOUT: Final = """\
No key, no budget, and no fault strikes here. Whoever reaches this port may change everything in the sandbox.
Unknown fields are refused, so that a misspelt one does not pass in silence. The person's side of a chat, below
`/_sandbox/telegram/`, is another subject and not described here.
"""
_TOO_LARGE: Final = "The body is larger than 64 KiB."
_PRICE: Final = decimal("Dollars.")
_TIME: Final = record(
    {
        "now": moment(),
        "unix_seconds": {"type": "number"},
        "offset_seconds": {"type": "number", "description": "How far it is from the real time."},
    }
)
_LEVEL: Final = record(
    {"price": decimal(), "qty": decimal(), "order_id": text("Empty for the sandbox's own liquidity.")}
)
_BOOKS: Final = entries(
    record({"depth_percent": whole("", 0), "bids": items(_LEVEL), "asks": items(_LEVEL)}),
    "By market: `BTC/PYUSD`, or FinTrusted's `BTC/USDT`.",
)
_ACCOUNTS: Final = entries(record({"data": items(ref("Balance"))}), "By the account's name.")
_FAULT: Final = {
    "type": "object",
    "description": "A fault that waits.",
    "properties": {
        "kind": text(),
        "method": text(),
        "path": text("Below the exchange's prefix, or in full, or `*`."),
        "status": nothing_or(whole()),
        "times": nothing_or(whole("How often it strikes; null until it is removed.")),
        "probability": {"type": "number"},
        "delay_seconds": {"type": "number"},
        "field": nothing_or(text("What `unknown_enum` and `missing_field` are about.")),
        "id": whole(),
        "met": whole("How many requests it has matched."),
        "struck": whole("How many of them it has struck."),
    },
    "required": [
        "kind",
        "method",
        "path",
        "status",
        "times",
        "probability",
        "delay_seconds",
        "field",
        "id",
        "met",
        "struck",
    ],
}
_NEW_FAULT: Final = {
    "type": "object",
    "properties": {
        "kind": word("docs/how-to/stage-faults.md tells what they do.", *KINDS),
        "method": word("", "*", "GET", "POST", "DELETE", default="*"),
        "path": text("As in `/orders` or `/orders/{id}/execute`.", default="*"),
        "status": nothing_or(whole("", 400, 599)),
        "times": nothing_or(whole("", 1, 1_000_000, default=1)),
        "probability": {
            "type": "number",
            "minimum": 0,
            "maximum": 1,
            "default": 1,
            "description": "How likely it is to strike what it matches.",
        },
        "delay_seconds": seconds("", 0, 3600, default=3),
        "field": nothing_or(text("What `unknown_enum` and `missing_field` are about.")),
    },
    "required": ["kind"],
}
_REMOVED: Final = record({"removed": whole("How many.", 0)})


def _of_somebody(name: str) -> Json:
    """A shape of the exchange's API, with whose it is."""
    shape = SCHEMAS[name]
    fields = {"account_uid": uuid("Whose it is."), **shape["properties"]}
    return {**shape, "properties": fields, "required": ["account_uid", *shape["required"]]}


_LEDGER: Final = record(
    {
        "balanced": truth("Whether nothing appeared or vanished."),
        "orders": whole("Orders that are there for money.", 0),
        "initialized": whole("Orders that wait to be signed.", 0),
        "fintrusted_orders": whole("Spot orders on FinTrusted.", 0),
        "transfers": whole("Transfers that are there for money.", 0),
        "entries": whole("", 0),
        "accounts": entries(entries(decimal()), "What each account of the ledger holds, by asset."),
        "recent": items(
            record(
                {
                    "number": whole("", 1),
                    "at": moment(),
                    "asset": text(),
                    "source": text(),
                    "target": text(),
                    "amount": decimal(),
                    "reason": text(),
                }
            )
        ),
    }
)


def _answers(schema: Json, about: str, *, is_open: bool = True) -> dict[int, Json]:
    """What comes back; an endpoint that reads nothing has nothing to refuse."""
    refused = {400: answer("The request is wrong; the message says what.", ref("Error"))}
    return {200: answer(about, schema), **({} if is_open else refused)}


def _get(name: str, title: str, schema: Json, about: str, *, tag: str) -> Json:
    return operation(name, title, tag=tag, answers=_answers(schema, about))


def _post(name: str, title: str, body: Json, schema: Json, example: Json, *, tag: str, more: str = "") -> Json:
    answers = {
        **_answers(schema, "As it is now.", is_open=False),
        413: answer(_TOO_LARGE, ref("Error")),
    }
    if tag == "Money":
        answers[404] = answer("There is no such thing.", ref("Error"))
    return operation(name, title, tag=tag, about=more, body=body, examples={"example": example}, answers=answers)


_PATHS: Final[dict[str, Json]] = {
    "/": {"get": _get("overview", "What there is", entries(items(text())), "Paths and methods.", tag="About")},
    "/openapi/exchange.json": {
        "get": _get("exchangeDescription", "The exchange, in OpenAPI", {"type": "object"}, "It.", tag="About")
    },
    "/openapi/admin.json": {
        "get": _get("adminDescription", "This, in OpenAPI", {"type": "object"}, "It.", tag="About")
    },
    "/docs": {
        "get": operation(
            "docs",
            "Both as a page",
            tag="About",
            answers={200: answer("A page without scripts and foreign parts.", text(), media="text/html")},
        )
    },
    "/prices": {
        "get": _get("getPrices", "Prices", entries(_PRICE), "Reference prices by coin.", tag="Market"),
        "post": _post(
            "setPrices",
            "Move prices, or make them stand still",
            {
                "type": "object",
                "properties": {
                    **{coin: amount("More than 0.") for coin in ("BTC", "ETH", "SOL")},
                    "walk": truth("False: all stand still."),
                },
                "additionalProperties": False,
            },
            entries(_PRICE),
            {"BTC": "68000", "walk": False},
            tag="Market",
        ),
    },
    "/book": {
        "get": _get("getBook", "The order books", _BOOKS, "Ten levels of each side.", tag="Market"),
        "post": _post(
            "setBook",
            "How much liquidity there is",
            record(
                {
                    "symbol": word("", "BTC", "ETH", "BTC/USDT", "ETH/USDT"),
                    "depth_percent": whole("100 is usual.", 0, 10_000),
                }
            ),
            _BOOKS,
            {"symbol": "BTC", "depth_percent": 0},
            tag="Market",
        ),
    },
    "/clock": {
        "get": _get("getClock", "The time", _TIME, "It.", tag="Market"),
        "post": _post(
            "setClock",
            "Let time pass",
            {
                "oneOf": [
                    record({"advance": seconds("So much passes at once.", 0, 316_224_000)}),
                    record({"offset": seconds("So far from the real time.", -316_224_000, 316_224_000)}),
                ]
            },
            _TIME,
            {"advance": 60},
            tag="Market",
        ),
    },
    "/balances": {
        "get": _get("getAllBalances", "What everybody holds", _ACCOUNTS, "By account.", tag="Money"),
        "post": _post(
            "setBalances",
            "Pay in, take out",
            {
                **record(
                    {
                        "account": text(default="default"),
                        "symbol": text("As in `PYUSD`."),
                        "chain": nothing_or(word("", "solana", "base")),
                        "available": amount("This much is there afterwards."),
                        "add": text("This much more; a minus takes out.", pattern=r"^-?[0-9]{1,15}(\.[0-9]{1,18})?$"),
                    },
                    optional=("account", "chain", "available", "add"),
                ),
                "oneOf": [{"required": ["available"]}, {"required": ["add"]}],
            },
            _ACCOUNTS,
            {"symbol": "PYUSD", "add": "500"},
            tag="Money",
        ),
    },
    "/ledger": {"get": _get("getLedger", "The books of the house", _LEDGER, "They balance.", tag="Money")},
    "/orders": {
        "get": _get(
            "getAllOrders",
            "Everybody's orders",
            record({"data": items(_of_somebody("OrderDetail"))}),
            "Newest.",
            tag="Money",
        )
    },
    "/transfers": {
        "get": _get(
            "getAllTransfers",
            "Everybody's transfers",
            record({"data": items(_of_somebody("TransferDetail"))}),
            "Newest.",
            tag="Money",
        ),
        "post": operation(
            "endTransfer",
            "A transfer ends now",
            tag="Money",
            about="One that is on its way arrives, or fails and gives the money back.",
            body=record({"id": uuid("The transfer."), "status": word("How it ends.", "completed", "failed")}),
            answers={
                **_answers(ref("TransferDetail"), "The transfer.", is_open=False),
                404: answer("There is no such transfer.", ref("Error")),
                409: answer("It is not on its way.", ref("Error")),
                413: answer(_TOO_LARGE, ref("Error")),
            },
        ),
    },
    "/faults": {
        "get": _get(
            "getFaults",
            "The faults that wait",
            record({"data": items(_FAULT), "late": whole("Requests held back to be carried out late.", 0)}),
            "In the order in which they strike.",
            tag="Faults",
        ),
        "post": _post(
            "addFault",
            "Let something go wrong",
            _NEW_FAULT,
            _FAULT,
            {"kind": "error_after", "method": "POST", "path": "/orders", "status": 503, "times": 1},
            tag="Faults",
        ),
        "delete": _get("removeFaults", "Remove all", _REMOVED, "They are gone.", tag="Faults"),
    },
    "/faults/{id}": {
        "delete": operation(
            "removeFault",
            "Remove one",
            tag="Faults",
            parameters=(in_path("id", whole("", 1, 999_999_999), "The fault."),),
            answers={
                **_answers(_REMOVED, "It is gone.", is_open=False),
                404: answer("It is not there.", ref("Error")),
            },
        )
    },
}


@cache
def document() -> Json:
    """The whole description; one object, to be read only."""
    used = ("Error", "Balance", "OrderDetail", "OrderStatus", "Venue", "TransferDetail", "TransferStatus", "Payload")
    return {
        "openapi": "3.1.0",
        "info": {"title": "The sandbox's admin", "version": "1", "description": _ABOUT},
        "servers": [{"url": "/"}],
        "tags": [{"name": name} for name in ("About", "Market", "Money", admin_fintrusted.TAG, "Faults")],
        "paths": {PREFIX + path: methods for path, methods in (_PATHS | admin_fintrusted.PATHS).items()},
        "components": {"schemas": {name: SCHEMAS[name] for name in used}},
    }
