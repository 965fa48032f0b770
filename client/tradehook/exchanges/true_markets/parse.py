"""From True Markets' answers to our models and errors. The only place that knows the vendor's names.

Tolerant of what is added (fields, status words, error envelopes), strict about what is missing:
an answer that lacks what we act on is `UnexpectedResponse`, never a guess.
See: truemarkets-api 5, 7 and 9.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from tradehook.budget import reset_seconds
from tradehook.errors import (
    EdgeBlocked,
    Forbidden,
    InsufficientFunds,
    InvalidOrder,
    NotFound,
    RateLimited,
    Rejected,
    ResponseError,
    StaleQuote,
    TradehookError,
    Unauthorized,
    Unavailable,
    UnexpectedResponse,
    WrongState,
)
from tradehook.models import Asset, Balance, ChainQuote, Order, OrderStatus, Payload, Side, Unit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tradehook.wire import Response

EXCHANGE = "true_markets"
_LONGEST_TEXT = 200
_LARGEST = Decimal(10) ** 30

STATUSES = {
    "initialized": OrderStatus.CREATED,
    "pending": OrderStatus.PENDING,
    "active": OrderStatus.OPEN,
    "cancel_pending": OrderStatus.CANCELING,
    "complete": OrderStatus.FILLED,
    "canceled": OrderStatus.CANCELED,
    "cancelled": OrderStatus.CANCELED,
    "failed": OrderStatus.FAILED,
}
VENDOR_STATUS = {ours: theirs for theirs, ours in reversed(STATUSES.items()) if theirs != "cancelled"}


# --- answers as a whole -----------------------------------------------------------------------------------------


def accepted(response: Response, *statuses: int) -> Any:
    """The JSON of an answer with one of these statuses.

    Raises:
        ResponseError: another status, as its class.
        UnexpectedResponse: a good status, but not JSON.
    """
    if response.status not in statuses:
        raise refusal(response)
    try:
        return response.json()
    except ValueError:
        raise unexpected("the answer is not JSON") from None


def unexpected(what: str) -> UnexpectedResponse:
    """An error for an answer that is not what is documented."""
    return UnexpectedResponse(f"True Markets answered something unexpected: {what}.", exchange=EXCHANGE)


def refusal(response: Response) -> TradehookError:
    """The error that an answer's status and body stand for."""
    status = response.status
    if 200 <= status < 300:
        return unexpected(f"status {status}")
    body = _body(response)
    message = _message(body)
    details: dict[str, Any] = {
        "status": status,
        "code": _code(body),
        "request_id": safe_text(body.get("request_id")) or None,
        "exchange": EXCHANGE,
    }
    if status == 429:
        wait = reset_seconds(response, server_now=response.at_seconds)
        return RateLimited("True Markets asks to slow down.", retry_after_seconds=wait, **details)
    if status >= 500:
        return Unavailable(f"True Markets failed on its side ({status}{': ' + message if message else ''}).", **details)
    if status == 401:
        return Unauthorized(f"True Markets did not accept the key or token{_because(message)}.", **details)
    if status == 403 and response.is_page:
        return EdgeBlocked(
            "A protection layer in front of True Markets blocked this address; the request did not reach it.", **details
        )
    return _definite(status, message, details)


def _definite(status: int, message: str, details: dict[str, Any]) -> ResponseError:
    lower = message.lower()
    said = f"True Markets said no{_because(message)}."
    if status == 403:
        return Forbidden(f"This account may not do that{_because(message)}.", **details)
    if status == 404:
        return NotFound(f"True Markets does not know it{_because(message)}.", **details)
    if "insufficient" in lower:
        if "liquidity" not in lower:
            return InsufficientFunds(said, **details)
        said += " Try a smaller amount."
    if details["code"] == "quote_stale" or "stale" in lower or "quote expired" in lower:
        return StaleQuote("The price this was made for has expired; nothing was traded. Ask for a new one.", **details)
    if status in (409, 422):
        return WrongState(said, **details)
    if status == 400:
        if "qty_unit" in lower:
            details["code"] = "unit"
        return InvalidOrder(said, **details)
    if 300 <= status < 400:
        return ResponseError("True Markets pointed to another address; that is never followed.", **details)
    return Rejected(said, **details) if status not in (408, 425) else ResponseError(said, **details)


def _body(response: Response) -> dict[str, Any]:
    try:
        body = response.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _message(body: Mapping[str, Any]) -> str:
    for name in ("message", "error"):
        if text := safe_text(body.get(name)):
            return text
    violations = body.get("field_violations")
    if isinstance(violations, list) and violations and isinstance(violations[0], dict):
        return safe_text(violations[0].get("message"))
    return ""


def safe_text(value: object) -> str:
    """Somebody else's text, made safe to show: one line, no control characters, not long."""
    if not isinstance(value, str):
        return ""
    return re.sub(r"[^\x20-\x7e\u00a0-\u024f]+", " ", value).strip()[:_LONGEST_TEXT]


def _code(body: Mapping[str, Any]) -> str | None:
    """The new envelope has words here, the older one repeats the status as a number."""
    code = body.get("code")
    return safe_text(code) or None if isinstance(code, str) else None


def _because(message: str) -> str:
    return f": {message.rstrip('.')}" if message else ""


# --- parts of answers -------------------------------------------------------------------------------------------


def mapping(value: object) -> dict[str, Any]:
    """The value as an object. Raises `UnexpectedResponse`."""
    if not isinstance(value, dict):
        raise unexpected("an object is missing")
    return value


def rows(value: object) -> list[dict[str, Any]]:
    """The `data` of a page. Raises `UnexpectedResponse`."""
    data = mapping(value).get("data")
    if data is None:
        data = []
    if not isinstance(data, list):
        raise unexpected("`data` is not a list")
    return [mapping(row) for row in data]


def next_cursor(value: object) -> str | None:
    """Where the next page begins; opaque, `None` at the end."""
    page = mapping(value).get("pagination")
    cursor = page.get("next_cursor") if isinstance(page, dict) else None
    return cursor if isinstance(cursor, str) and cursor else None


def text(body: Mapping[str, Any], name: str) -> str:
    """A text that must be there. Raises `UnexpectedResponse`."""
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise unexpected(f"`{name}` is missing")
    return value


def maybe_text(body: Mapping[str, Any], name: str) -> str | None:
    """A text that may be missing."""
    value = body.get(name)
    return value if isinstance(value, str) and value else None


def number(body: Mapping[str, Any], name: str) -> Decimal:
    """A decimal that must be there. Raises `UnexpectedResponse`."""
    value = maybe_number(body, name)
    if value is None:
        raise unexpected(f"`{name}` is missing")
    return value


def maybe_number(body: Mapping[str, Any], name: str) -> Decimal | None:
    """A decimal that may be missing or empty. Text and JSON numbers are read alike."""
    value = body.get(name)
    if value is None or value == "" or isinstance(value, bool):
        return None
    try:
        if not isinstance(value, str | int | Decimal):
            raise InvalidOperation
        result = Decimal(value)
    except (InvalidOperation, ValueError):
        raise unexpected(f"`{name}` is not a number") from None
    # `abs` would round, and fail where the exponent is too large for that.
    if not result.is_finite() or result.copy_abs() > _LARGEST or (result and result.adjusted() < -30):
        raise unexpected(f"`{name}` is not a sensible number")
    return result


def maybe_time(body: Mapping[str, Any], name: str) -> datetime | None:
    """A time that may be missing, as aware UTC."""
    value = body.get(name)
    if not isinstance(value, str) or not value:
        return None
    try:
        at = datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", value))
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise unexpected(f"`{name}` is not a time") from None


# --- models -----------------------------------------------------------------------------------------------------


def status(value: object) -> OrderStatus:
    """Our word for theirs; a new one of theirs is never taken as final."""
    return STATUSES.get(value.lower() if isinstance(value, str) else "", OrderStatus.UNRECOGNIZED)


def _word(value: object) -> str:
    return safe_text(value) or "none"


def order(row: Mapping[str, Any]) -> Order:
    """An order of a list."""
    side, unit = row.get("side"), row.get("qty_unit")
    # A market order echoes the price at its creation here; only a limit order has a price of its own.
    price = maybe_number(row, "price") if row.get("type") == "limit" else None
    return Order(
        order_id=text(row, "order_id"),
        status=status(row.get("status")),
        exchange_status=_word(row.get("status")),
        base=maybe_text(row, "asset_symbol") or maybe_text(row, "base_asset"),
        quote=maybe_text(row, "quote_asset"),
        side=Side(side) if side in ("buy", "sell") else None,
        quantity=maybe_number(row, "qty"),
        unit=Unit(unit) if unit in ("base", "quote") else None,
        price=price,
        chain=maybe_text(row, "chain"),
        filled=maybe_number(row, "executed_qty"),
        remaining=maybe_number(row, "leaves_qty"),
        average_price=maybe_number(row, "executed_vwap") or None,
        fee=maybe_number(row, "fee"),
        created_at=maybe_time(row, "created_at"),
    )


def payloads(body: Mapping[str, Any]) -> tuple[Payload, ...]:
    """What is to be signed; absent, null and empty mean nothing."""
    items = body.get("payloads") or []
    if not isinstance(items, list):
        raise unexpected("`payloads` is not a list")
    found = [mapping(item) for item in items]
    return tuple(Payload(digest=maybe_text(item, "digest") or "", payload=text(item, "payload")) for item in found)


def chain_quote(body: Mapping[str, Any]) -> ChainQuote | None:
    """The price inside an on-chain order's answer. Issues come as texts or as objects."""
    quote = body.get("quote")
    if not isinstance(quote, dict):
        return None
    raw = quote.get("issues") or []
    if not isinstance(raw, list):
        raise unexpected("`issues` is not a list")
    issues = tuple(safe_text(item.get("message") if isinstance(item, dict) else item) or "unnamed" for item in raw)
    if issues and maybe_number(quote, "qty_out") is None:
        return ChainQuote(
            base="", quote="", quantity=Decimal(0), output=Decimal(0), fee=None, fee_asset=None, issues=issues
        )
    return ChainQuote(
        base=maybe_text(quote, "base_asset") or "",
        quote=maybe_text(quote, "quote_asset") or "",
        quantity=number(quote, "qty"),
        output=number(quote, "qty_out"),
        fee=maybe_number(quote, "fee"),
        fee_asset=maybe_text(quote, "fee_asset"),
        issues=issues,
    )


def asset(row: Mapping[str, Any]) -> Asset:
    """One row of the catalogue."""
    decimals = row.get("decimals")
    return Asset(
        asset_id=text(row, "id"),
        symbol=text(row, "symbol"),
        name=maybe_text(row, "name"),
        venue=maybe_text(row, "venue") or ("defi" if row.get("chain") else "cefi"),
        chain=maybe_text(row, "chain"),
        address=maybe_text(row, "address"),
        decimals=decimals if isinstance(decimals, int) and 0 <= decimals <= 255 else None,
        is_tradeable=row.get("tradeable") is True,
        is_stable=row.get("stable") is True,
        networks=_networks(row.get("networks")),
    )


def _networks(value: object) -> tuple[str, ...]:
    """The networks themselves. Those called compatible are for paying in, nothing says for paying out."""
    entries = value if isinstance(value, list) else []
    return tuple(name for entry in entries if isinstance(entry, dict) and (name := maybe_text(entry, "network")))


def balance(row: Mapping[str, Any]) -> Balance:
    """One row of the unified balances. More digits than `decimals` are kept as they are."""
    total = number(row, "total")
    available = maybe_number(row, "available")
    held = maybe_number(row, "held")
    if available is None:
        available = total - (held or Decimal(0))
    return Balance(
        symbol=text(row, "symbol"),
        chain=maybe_text(row, "chain"),
        address=maybe_text(row, "address"),
        total=total,
        available=available,
        held=held if held is not None else total - available,
        is_stable=row.get("stable") is True,
    )


def is_plain_balances(body: object) -> bool:
    """Whether balances came in the shape that is documented for `/balances`: no more than an id and an amount."""
    return isinstance(body, dict) and isinstance(body.get("balances"), list) and "data" not in body


def plain_balances(body: object, assets: Mapping[str, Asset]) -> list[Balance]:
    """Balances of that shape. What is held back for orders is not told there: everything counts as available."""
    found = []
    for entry in mapping(body)["balances"]:
        row = mapping(entry)
        asset = assets.get(maybe_text(row, "asset_id") or "")
        total = number(row, "balance")
        found.append(
            Balance(
                symbol=asset.symbol if asset else text(row, "asset_name"),
                chain=asset.chain if asset else None,
                address=asset.address if asset else None,
                total=total,
                available=total,
                held=Decimal(0),
                is_stable=asset.is_stable if asset else False,
            )
        )
    return found
