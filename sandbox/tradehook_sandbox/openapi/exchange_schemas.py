"""The named shapes of the exchange's API. See: truemarkets-api 2, 4 to 7, 9 and 14."""

from __future__ import annotations

from typing import Final

from tradehook_sandbox.openapi.writing import (
    Json,
    amount,
    decimal,
    items,
    moment,
    nothing_or,
    record,
    ref,
    text,
    truth,
    uuid,
    whole,
    word,
)
from tradehook_sandbox.true_markets import orders, transfers

_SIDE: Final = word("Whether the base asset is bought or sold.", "buy", "sell")
_UNIT: Final = word("What `qty` counts: coins, or dollars.", "base", "quote")
_KIND: Final = word("`market` takes what the book offers; `limit` may rest.", "market", "limit")
_SIGNING: Final = {
    "signatures": items(
        text("base64url of a Turnkey stamp: ECDSA P-256 over the payload exactly as it came."),
        "One for each payload, in the same order.",
        minItems=1,
    ),
    "auth_type": word("How it was signed; `web_authn` is refused for API keys.", "api_key", "web_authn"),
}

_SIGN_IN: Final[dict[str, Json]] = {
    "TokenRequest": record(
        {
            "key_id": uuid("The registered key."),
            "timestamp": whole("Unix seconds; within 30 s of the exchange's clock."),
            "signature": text("base64url of the 64 raw bytes r || s: ES256 over `{key_id}.{timestamp}`."),
        }
    ),
    "RefreshRequest": record({"refresh_token": text("From the last pair; it works once.")}),
    "Tokens": record(
        {
            "access_token": text("A JWT for the Authorization header."),
            "refresh_token": text("For the next pair."),
            "expires_in": moment("When the access token ends; a time, whatever the name says."),
            "token_type": word("Always the same.", "Bearer"),
        },
        optional=("refresh_token",),
    ),
    "KeySet": record(
        {
            "keys": items(
                record({name: text() for name in ("kty", "crv", "x", "y", "alg", "use", "kid")}),
                "The public keys that sign access tokens.",
            )
        }
    ),
    "Error": record(
        {
            "message": text("A sentence for people."),
            "error": text("Empty, or a word for programs such as `quote_stale`."),
            "code": {"type": ["integer", "string"], "description": "The HTTP status; in the newer envelope a word."},
            "type": text("Newer envelope: `invalid_argument`, `not_found` and so on."),
            "request_id": text("Newer envelope."),
            "field_violations": items(record({"field": text(), "message": text()}), "Newer envelope."),
        },
        about="What every refusal says. Which envelope it is, is a switch of the sandbox.",
        optional=("error", "code", "type", "request_id", "field_violations"),
    ),
}

_TRADING: Final[dict[str, Json]] = {
    "QuoteRequest": {
        "description": "A preview of a market order. The quick start of the overview page spells it differently; "
        "both are understood.",
        "anyOf": [
            record(
                {
                    "base_asset": text("`BTC` or `ETH`."),
                    "quote_asset": text("`USD`, `USDC` and `PYUSD` are one balance."),
                    "qty": amount("More than 0."),
                    "qty_unit": _UNIT,
                    "side": _SIDE,
                }
            ),
            record(
                {"base": text("As above."), "quote": text("As above."), "side": _SIDE, "quantity": amount("In coins.")}
            ),
        ],
    },
    "QuoteResponse": record(
        {
            "qty": decimal("What comes out: coins of a buy, dollars of a sale."),
            "price": decimal("Dollars per coin, over the whole size."),
        }
    ),
    "CreateOrderRequest": {
        **record(
            {
                "base_asset": text("A symbol on the exchange, an address on a chain."),
                "quote_asset": text("Likewise: `PYUSD`, or the address of USDC."),
                "asset_id": uuid("In place of both, as in the newer revision."),
                "qty": amount("More than 0."),
                "qty_unit": _UNIT,
                "type": _KIND,
                "side": _SIDE,
                "price": nothing_or(amount("The limit; for limit orders only.")),
                "chain": nothing_or(word("Where a token is traded; not for limit orders.", "solana", "base")),
            },
            about="Prices and sizes must lie on the grid of ticks and lots.",
            optional=("base_asset", "quote_asset", "asset_id", "price", "chain"),
        ),
        "anyOf": [{"required": ["base_asset", "quote_asset"]}, {"required": ["asset_id"]}],
    },
    "CreateOrderResponse": record(
        {
            "order_id": text("A UUID; empty when no order was made, and then `quote.issues` says why."),
            "status": ref("OrderStatus"),
            "payloads": items(ref("Payload"), "What to sign. Absent or empty: it is submitted already."),
            "quote": ref("QuoteDetails"),
        },
        optional=("payloads", "quote"),
    ),
    "QuoteDetails": record(
        {
            "base_asset": text(),
            "quote_asset": text(),
            "qty": decimal("What leaves the wallet."),
            "qty_out": decimal("What comes back, after fees."),
            "fee": decimal(),
            "fee_asset": text(),
            "issues": items({"type": ["string", "object"]}, "What stands in the way; empty when nothing does."),
        },
        about="The price of an order on a chain.",
    ),
    "Payload": record(
        {
            "payload": text("Sign exactly this text."),
            "digest": text("SHA-256 of it, in hex; for reading only.", pattern="^[0-9a-f]{64}$"),
        }
    ),
    "ExecuteRequest": record(_SIGNING),
    "OrderStatus": word(
        "`complete`, `canceled` and `failed` are final; `cancelled` is there only with its switch.",
        *orders.STATUSES,
        "cancelled",
    ),
    "StatusResponse": record({"status": ref("OrderStatus")}),
    "OrderDetail": record(
        {
            "order_id": uuid(),
            "base_asset": text("As it was sent."),
            "quote_asset": text("As it was sent."),
            "type": _KIND,
            "side": _SIDE,
            "status": ref("OrderStatus"),
            "price": decimal("The limit, or the market when it was created."),
            "qty": decimal("In the unit it was sent in."),
            "executed_qty": decimal("Coins so far."),
            "leaves_qty": decimal("Coins still open."),
            "executed_vwap": decimal("The average price so far; 0 before the first fill."),
            "created_at": moment(),
            "fee": decimal("Dollars."),
            "qty_unit": _UNIT,
            "venue": ref("Venue"),
            "chain": nothing_or(text()),
            "asset_id": uuid(),
            "asset_symbol": text(),
            "tx_hash": text(),
            "explorer_url": text("Only in lists, as seen live."),
            "failure_reason": nothing_or(text()),
        },
        optional=(
            *("fee", "qty_unit", "venue", "chain", "asset_id", "asset_symbol"),
            *("tx_hash", "explorer_url", "failure_reason"),
        ),
    ),
    "OrderPage": record({"data": items(ref("OrderDetail")), "pagination": ref("Pagination")}),
    "Pagination": record(
        {
            "next_cursor": nothing_or(moment("Give it back as `cursor`; null at the end.")),
            "limit": whole("", 0),
        }
    ),
}

_TRANSFERS: Final[dict[str, Json]] = {
    "CreateTransferRequest": record(
        {
            "asset_id": uuid("From the catalogue."),
            "qty": amount("More than 0."),
            "qty_unit": _UNIT,
            "to": text("An address of the asset's chain or network."),
            "network": nothing_or(text("For coins of the exchange that leave on more than one.")),
        },
        optional=("network",),
    ),
    "ExecuteTransferRequest": record(_SIGNING),
    "TransferStatus": word("`completed` and `failed` are final.", *transfers.STATUSES),
    "TransferDetail": record(
        {
            "id": uuid(),
            "status": ref("TransferStatus"),
            "venue": ref("Venue"),
            "asset_id": uuid(),
            "asset_symbol": text(),
            "chain": nothing_or(text("Null for withdrawals from the exchange.")),
            "to": text(),
            "qty": decimal(),
            "qty_unit": _UNIT,
            "sent": decimal("0 until it is completed."),
            "fee": decimal(),
            "received": decimal(),
            "tx_hash": text("Empty until it is known."),
            "payloads": items(ref("Payload"), "What to sign; empty once that is done."),
            "created_at": moment(),
            "updated_at": moment(),
            "network": nothing_or(text()),
            "explorer_url": text(),
        },
        optional=("network", "explorer_url"),
    ),
    "TransferPage": record({"data": items(ref("TransferDetail")), "pagination": ref("Pagination")}),
}

_READING: Final[dict[str, Json]] = {
    "Venue": word("The exchange's book, or a chain.", "cefi", "defi"),
    "Asset": record(
        {
            "id": uuid(),
            "chain": nothing_or(text()),
            "address": nothing_or(text()),
            "symbol": text(),
            "name": text(),
            "slug": text(),
            "description": text(),
            "website": text(),
            "decimals": whole("", 0, 255),
            "icon": nothing_or(text()),
            "is_active": truth(),
            "tradeable": truth(),
            "stable": truth(),
            "venue": ref("Venue"),
            "image": record({name: text() for name in ("thumb", "small", "large")}),
            "market_data": record(
                {name: {"type": "number"} for name in ("circulating_supply", "total_supply", "max_supply")}
            ),
            "socials": record(
                {name: text() for name in ("x_username", "facebook_username", "subreddit_url", "official_forum_url")}
            ),
            "networks": items(record({"network": text(), "compatible_networks": items(text())}), "How it is paid in."),
            "status": text(),
            "type": text(),
            "asset_class": text(),
        },
        optional=("status", "type", "asset_class"),
    ),
    "AssetPage": record({"data": items(ref("Asset")), "pagination": ref("Pagination")}),
    "Balance": record(
        {
            "symbol": text(),
            "name": text(),
            "chain": nothing_or(text("Null on the exchange.")),
            "address": nothing_or(text()),
            "decimals": whole("", 0, 255),
            "total": decimal(),
            "available": decimal(),
            "held": decimal("Locked in orders and transfers; `total` is the sum of both."),
            "stable": truth(),
            "tradeable": truth(),
            "asset_id": uuid(),
            "venue": ref("Venue"),
        },
        optional=("asset_id", "venue"),
    ),
    "Balances": record({"data": items(ref("Balance"))}),
    "DocumentedBalances": record(
        {"balances": items(record({"asset_name": text(), "asset_id": uuid(), "balance": decimal()}))},
        about="The documented shape, behind a switch; live has the other.",
    ),
}

_PLAIN_BALANCE: Final = _READING["Balance"]
_NEWER: Final[dict[str, Json]] = {
    "PricedBalance": {
        **_PLAIN_BALANCE,
        "properties": {
            **_PLAIN_BALANCE["properties"],
            "icon": nothing_or(text()),
            "price": decimal("Dollars each."),
            "value": decimal("Dollars."),
            "change_24h_pct": decimal(),
        },
        "required": [*_PLAIN_BALANCE["required"], "icon", "price", "value", "change_24h_pct"],
    },
    "Portfolio": record(
        {
            **{
                name: decimal()
                for name in (
                    *("total_usd", "balances_usd", "cash_usd", "change_24h_usd", "change_24h_pct"),
                    *("unrealized_pnl_usd", "realized_pnl_usd"),
                )
            },
            "balances": items(ref("PricedBalance")),
            "positions": items({"type": "object"}),
        }
    ),
    "Transaction": record(
        {
            "id": text(),
            "type": word("What moved it.", "order", "transfer", "ramp"),
            "asset_flow": word("Seen from the account.", "in", "out"),
            "status": word("", "pending", "completed", "failed", "canceled"),
            "created_at": moment(),
            "completed_at": nothing_or(moment()),
            "qty": decimal(),
            "asset_id": uuid(),
            "asset_symbol": text(),
            "tx_hash": nothing_or(text()),
            "explorer_url": nothing_or(text()),
            "failure_reason": nothing_or(text()),
            "order": {"anyOf": [ref("OrderDetail"), {"type": "null"}]},
            "transfer": {"anyOf": [ref("TransferDetail"), {"type": "null"}]},
        },
        optional=("order", "transfer"),
    ),
    "TransactionPage": record({"data": items(ref("Transaction")), "pagination": ref("Pagination")}),
}

_PRICES: Final[dict[str, Json]] = {
    "Candles": record(
        {
            "symbol": text(),
            "candles": items(
                record(
                    {
                        "interval": word("", "30s", "1h", "4h", "24h"),
                        "openPrice": decimal(),
                        "closePrice": decimal(),
                        "highPrice": decimal(),
                        "lowPrice": decimal(),
                    }
                )
            ),
        }
    ),
    "Point": record({"t": moment(), "price": decimal()}),
    "History": record(
        {
            "symbol": text(),
            "window": text(),
            "resolution": text(),
            "points": items(ref("Point"), "Ascending."),
            "asset_id": uuid(),
        },
        optional=("asset_id",),
    ),
    "Histories": record(
        {
            "window": text(),
            "resolution": text(),
            "results": items(
                record(
                    {"symbol": text(), "points": items(ref("Point")), "error": text()}, optional=("points", "error")
                ),
                "One for each symbol; an unknown one has `error` and fails alone.",
            ),
        }
    ),
    "PriceAt": record({"symbol": text(), "timestamp": whole("Of the point that was found."), "price": decimal()}),
    "PriceRange": record(
        {
            "symbol": text(),
            "window": text(),
            "min_price": decimal(),
            "max_price": decimal(),
            "min_timestamp": moment(),
            "max_timestamp": moment(),
        }
    ),
    "MarketCap": record({"symbol": text(), "market_cap": decimal("Dollars.")}),
    "MarketCaps": record({"assets": items(ref("MarketCap"), "Descending.")}),
}

SCHEMAS: Final[dict[str, Json]] = {**_SIGN_IN, **_TRADING, **_TRANSFERS, **_READING, **_NEWER, **_PRICES}
