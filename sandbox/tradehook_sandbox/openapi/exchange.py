"""The exchange's API as the sandbox serves it with its usual switches. See: truemarkets-api 2, 3 and 14."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

from tradehook_sandbox.openapi.exchange_schemas import SCHEMAS
from tradehook_sandbox.openapi.writing import Json, answer, in_path, moment, operation, query, ref, text, whole, word
from tradehook_sandbox.true_markets import orders, transfers

if TYPE_CHECKING:
    from collections.abc import Mapping

GATEWAY: Final = "/v1/conductor"
_ABOUT: Final = f"""\
True Markets' Gateway with play money, on your own machine. All that is below `{GATEWAY}` is there below `/v1/gateway`
as well. Amounts and prices are decimal text, never JSON numbers. Times are RFC 3339 in UTC.

Described is what is served with the usual switches. The statuses 500, 502 and 503 come when a fault is staged; 503
also for a quote asset that does not exist, as seen live. Prices are also pushed over a WebSocket at
`/v1/defi/market`: send `{{"type":"subscribe","topics":["price_candles"]}}`.
"""
_REASONS: Final = {
    400: "The request is wrong, or cannot be afforded; the message says what.",
    401: "No token, or one that is not valid (any more).",
    403: "Not permitted.",
    404: "There is no such thing, or it is somebody else's.",
    405: "Not with this method.",
    409: "Not in its present status.",
    413: "The body is larger than 64 KiB.",
    422: "The quote is stale: it was signed too late.",
    429: "The budget of requests is used up; the headers say until when.",
    500: "A fault.",
    503: "Unavailable: a fault, or an unknown quote asset.",
}
_BUDGET: Final = {
    "x-ratelimit-remaining": {"description": "Requests left in this minute.", "schema": {"type": "string"}},
    "x-ratelimit-reset": {"description": "When the minute ends, in unix seconds.", "schema": {"type": "string"}},
}
_ORDER: Final = in_path("id", text(format="uuid"), "The order.")
_TRANSFER: Final = in_path("id", text(format="uuid"), "The transfer.")
_LIMIT: Final = query("limit", whole("", 1, 100, default=50), "Rows on a page.")
_CURSOR: Final = query("cursor", moment(), "`next_cursor` of the page before.")
_DURATION: Final = "Whole `s`, `m`, `h`, `d`, or `M` for months; `5m` is minutes."
_SYMBOL: Final = query("symbol", text(), "As in `SOL` or `BTC`.", required=True)
_PAIR: Final = query("symbol", text(), "As in `BTC-USD`.", required=True)
_WINDOW: Final = query("window", text(default="1h"), f"How far back. {_DURATION}")
_RESOLUTION: Final = query("resolution", text(default="5s"), f"The distance of points. {_DURATION}")


def _answers(good: Mapping[int, str], *bad: int, about: str = "Done.", example: object = None) -> dict[int, Json]:
    """The good answers by the names of their schemas, and the refusals."""
    found = {status: answer(about, ref(name), example=example, headers=_BUDGET) for status, name in good.items()}
    refusals = {status: answer(_REASONS[status], ref("Error")) for status in sorted({*bad, 429, 500, 503})}
    return {**found, **refusals}


_AUTH: Final[dict[str, Json]] = {
    "/v1/auth/api-key/token": {
        "post": operation(
            "exchangeApiKeyToken",
            "Sign in with a key",
            tag="Signing in",
            body=ref("TokenRequest"),
            answers=_answers({200: "Tokens"}, 400, 401, 413, about="A pair of tokens."),
        )
    },
    "/v1/auth/token/refresh": {
        "post": operation(
            "refreshToken",
            "The next pair of tokens",
            tag="Signing in",
            body=ref("RefreshRequest"),
            answers=_answers({200: "Tokens"}, 400, 401, 413, about="A pair; the old refresh token is used up."),
        )
    },
    "/.well-known/jwks.json": {
        "get": operation(
            "keySet",
            "The keys that sign tokens",
            tag="Signing in",
            answers=_answers({200: "KeySet"}, about="A JSON Web Key Set."),
        )
    },
}

_ORDERS: Final[dict[str, Json]] = {
    "/quotes": {
        "post": operation(
            "computeQuote",
            "What a market order would come to",
            tag="Orders",
            about="Not binding, without fees, and only for coins of the exchange.",
            body=ref("QuoteRequest"),
            examples={
                "documented": {
                    "base_asset": "BTC",
                    "quote_asset": "USDC",
                    "qty": "0.01",
                    "qty_unit": "base",
                    "side": "buy",
                },
                "quick start": {"base": "BTC", "quote": "USD", "side": "buy", "quantity": "0.01"},
            },
            answers=_answers({200: "QuoteResponse"}, 400, 401, 413, about="The price."),
            needs_token=False,
        )
    },
    "/orders": {
        "post": operation(
            "createOrder",
            "Place an order",
            tag="Orders",
            about="Payloads in the answer mean: sign each, then execute. Without them it is submitted. There is "
            "no idempotency key: never send it again after a lost answer.",
            body=ref("CreateOrderRequest"),
            examples={
                "limit": {
                    "base_asset": "BTC",
                    "quote_asset": "PYUSD",
                    "qty": "0.001",
                    "qty_unit": "base",
                    "type": "limit",
                    "side": "buy",
                    "price": "60000.0",
                },
                "market": {
                    "base_asset": "BTC",
                    "quote_asset": "PYUSD",
                    "qty": "100",
                    "qty_unit": "quote",
                    "type": "market",
                    "side": "buy",
                },
                "on a chain": {
                    "base_asset": "So11111111111111111111111111111111111111112",
                    "quote_asset": "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v",
                    "qty": "20",
                    "qty_unit": "quote",
                    "type": "market",
                    "side": "buy",
                    "chain": "solana",
                },
            },
            answers=_answers({201: "CreateOrderResponse"}, 400, 401, 403, 404, 413, about="The order's id."),
            needs_token=True,
        ),
        "get": operation(
            "listOrders",
            "Orders, newest first",
            tag="Orders",
            parameters=(
                _LIMIT,
                _CURSOR,
                query("status", text(), f"Some of {', '.join(orders.STATUSES)}, with commas between."),
            ),
            answers=_answers({200: "OrderPage"}, 400, 401, about="A page."),
            needs_token=True,
        ),
    },
    "/orders/{id}": {
        "get": operation(
            "getOrder",
            "One order",
            tag="Orders",
            parameters=(_ORDER,),
            answers=_answers({200: "OrderDetail"}, 400, 401, 404, 405, about="The order."),
            needs_token=True,
        ),
        "delete": operation(
            "cancelOrder",
            "Cancel a limit order",
            tag="Orders",
            about="It is `cancel_pending` at once and `canceled` a moment later, or `complete` when a fill was faster.",
            parameters=(_ORDER,),
            answers={
                202: answer("On its way.", {"type": "object"}, headers=_BUDGET),
                **_answers({}, 400, 401, 404),
            },
            needs_token=True,
        ),
    },
    "/orders/{id}/status": {
        "get": operation(
            "getOrderStatus",
            "The status of an order",
            tag="Orders",
            parameters=(_ORDER,),
            answers=_answers({200: "StatusResponse"}, 400, 401, 404, about="The word."),
            needs_token=True,
        )
    },
    "/orders/{id}/execute": {
        "post": operation(
            "executeOrder",
            "Send what was signed",
            tag="Orders",
            parameters=(_ORDER,),
            body=ref("ExecuteRequest"),
            answers=_answers({200: "StatusResponse"}, 400, 401, 403, 404, 409, 413, 422, about="It is on its way."),
            needs_token=True,
        )
    },
}

_MONEY: Final[dict[str, Json]] = {
    "/transfers": {
        "post": operation(
            "createTransfer",
            "Send tokens or withdraw coins",
            tag="Transfers",
            about="Tokens come with payloads to sign. A withdrawal from the exchange is on its way at once.",
            body=ref("CreateTransferRequest"),
            answers=_answers({201: "TransferDetail"}, 400, 401, 404, 413, about="The transfer."),
            needs_token=True,
        ),
        "get": operation(
            "listTransfers",
            "Transfers, newest first",
            tag="Transfers",
            parameters=(_LIMIT, _CURSOR, query("status", word("", *transfers.STATUSES), "One of them.")),
            answers=_answers({200: "TransferPage"}, 400, 401, about="A page."),
            needs_token=True,
        ),
    },
    "/transfers/{id}": {
        "get": operation(
            "getTransfer",
            "One transfer",
            tag="Transfers",
            parameters=(_TRANSFER,),
            answers=_answers({200: "TransferDetail"}, 400, 401, 404, about="The transfer."),
            needs_token=True,
        )
    },
    "/transfers/{id}/execute": {
        "post": operation(
            "executeTransfer",
            "Send what was signed",
            tag="Transfers",
            parameters=(_TRANSFER,),
            body=ref("ExecuteTransferRequest"),
            answers=_answers({200: "TransferDetail"}, 400, 401, 404, 409, 413, 422, about="It is on its way."),
            needs_token=True,
        )
    },
    "/assets": {
        "get": operation(
            "listAssets",
            "The catalogue",
            tag="Assets and balances",
            parameters=(query("venue", word("", "cefi", "defi"), "Only these."),),
            answers=_answers({200: "AssetPage"}, 400, 401, about="All of them, on one page."),
            needs_token=False,
        )
    },
    "/balances/unified": {
        "get": operation(
            "listBalances",
            "What the account holds",
            tag="Assets and balances",
            answers=_answers({200: "Balances"}, 400, 401, 404, about="One row for each asset."),
            needs_token=True,
        )
    },
    "/balances": {
        "get": operation(
            "getBalances",
            "The same",
            tag="Assets and balances",
            answers={
                200: answer(
                    "One row for each asset.", {"anyOf": [ref("Balances"), ref("DocumentedBalances")]}, headers=_BUDGET
                ),
                **_answers({}, 400, 401, 404),
            },
            needs_token=True,
        )
    },
    "/portfolio": {
        "get": operation(
            "getPortfolio",
            "What it is worth",
            tag="Assets and balances",
            answers=_answers({200: "Portfolio"}, 401, 404, about="All balances with their prices."),
            needs_token=True,
        )
    },
    "/transactions": {
        "get": operation(
            "listTransactions",
            "Everything that came and went, newest first",
            tag="Assets and balances",
            parameters=(_LIMIT, _CURSOR),
            answers=_answers({200: "TransactionPage"}, 400, 401, 404, about="A page."),
            needs_token=True,
        )
    },
}


def _prices(name: str, title: str, schema: str, *parameters: Json, about: str = "", bad: tuple[int, ...] = ()) -> Json:
    refusals = bad or (400, 404)
    return {
        "get": operation(
            name,
            title,
            tag="Market data",
            about=about,
            parameters=parameters,
            answers=_answers({200: schema}, *refusals, about="The prices."),
        )
    }


_MARKET: Final[dict[str, Json]] = {
    "/v1/defi/market/prices": _prices("prices", "The four current candles", "Candles", _SYMBOL),
    "/v1/defi/market/prices/history": _prices(
        "priceHistory", "Prices over a window", "History", _SYMBOL, _WINDOW, _RESOLUTION
    ),
    "/v1/defi/market/prices/history/batch": _prices(
        "priceHistories",
        "The same for several symbols",
        "Histories",
        query("symbols", text(), "With commas between.", required=True),
        _WINDOW,
        _RESOLUTION,
        bad=(400,),
    ),
    "/v1/defi/market/prices/history/point": _prices(
        "priceAt",
        "The price at a moment",
        "PriceAt",
        _SYMBOL,
        query("timestamp", whole(), "Unix seconds; the last price at or before it.", required=True),
    ),
    "/v1/defi/market/prices/range": _prices("priceRange", "Lowest and highest", "PriceRange", _SYMBOL, _WINDOW),
    "/v1/defi/market/market-data/market-cap": _prices("marketCap", "A market's value", "MarketCap", _SYMBOL),
    "/v1/defi/market/market-data/market-caps": _prices(
        "marketCaps",
        "The largest markets",
        "MarketCaps",
        query("limit", whole("", 1, 100, default=10), "How many."),
        bad=(400,),
    ),
    "/v1/cefi/market/prices/history": _prices(
        "bookPriceHistory", "Midpoints of a book over a window", "History", _PAIR, _WINDOW, _RESOLUTION
    ),
    "/v1/cefi/market/prices/range": _prices(
        "bookPriceRange", "Lowest and highest midpoint", "PriceRange", _PAIR, _WINDOW
    ),
}


@cache
def document() -> Json:
    """The whole description; one object, to be read only."""
    below = {GATEWAY + path: methods for path, methods in {**_ORDERS, **_MONEY}.items()}
    return {
        "openapi": "3.1.0",
        "info": {"title": "True Markets, in the sandbox", "version": "2026-09", "description": _ABOUT},
        "servers": [{"url": "/"}],
        "tags": [
            {"name": name} for name in ("Signing in", "Orders", "Transfers", "Assets and balances", "Market data")
        ],
        "paths": {**_AUTH, **below, **_MARKET},
        "components": {
            "schemas": SCHEMAS,
            "securitySchemes": {"bearerAuth": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    }
