"""From FinTrusted's content to plain values: lists, tickers, sparklines, prices, wallets, orders. Pure.

None of these shapes is published, so each is read under every name that a relative gives it; what is acted on must be
there under one of them. What cannot be read is `UnexpectedResponse`, never a guess. See: fintrusted-api 3.5, 3.6, 5.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from tradehook.exchanges.fintrusted.envelope import safe_text, unexpected
from tradehook.models import Balance, instrument

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import timezone

QUOTE: Final = "USDT"
QUOTES: Final = ("USDT", "USDC")
"""How a market that is written without a sign in between may end."""
STABLE: Final = frozenset({"USDT", "USDC", "USD", "DAI", "BUSD", "TUSD", "FDUSD"})
MOST_ROWS: Final = 20_000
_DEEPEST: Final = 3
_LARGEST: Final = Decimal(10) ** 30
_LISTS: Final = (
    "content", "records", "rows", "list", "items", "data", "result", "positions", "orders", "openList", "entrusts",
)  # fmt: skip
_WRAPPERS: Final = ("data", "result", "page")
_SYMBOL_NAMES: Final = ("symbol", "pair", "coin", "coinName", "name", "currency", "baseCoin")
_LAST: Final = ("close", "last", "lastPrice", "price", "current", "usdtPrice")
_SERIES: Final = ("trend", "sparkline", "prices", "data", "points", "values", "list")
_RATES: Final = ("price", "rate", "convertPrice", "result", "value", "data")
_COINS: Final = ("coin", "unit", "coinUnit", "coinName", "symbol", "currency", "asset")
_AVAILABLE: Final = ("available", "free", "availableBalance", "usable", "canUse")
_FROZEN: Final = ("frozenBalance", "frozen", "locked", "freeze", "freezeBalance", "hold")
_TOTALS: Final = ("total", "totalBalance", "equity")
_IDS: Final = ("orderId", "orderNo", "order_id", "id")
_COIN: Final = re.compile(r"[A-Z][A-Z0-9]{0,14}", re.ASCII)
_ORDER_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", re.ASCII)
_STATUS_ORDER: Final = ("TRADING", "COMPLETED", "CANCELED", "OVERTIMED")


# --- parts --------------------------------------------------------------------------------------------------------


def number(value: object, what: str) -> Decimal | None:
    """A number written as one or as text, exponents included; `None` where there is none.

    Raises:
        UnexpectedResponse: it is something else, or nothing sensible.
    """
    if value is None or value == "" or isinstance(value, bool):
        return None
    try:
        if not isinstance(value, str | int | Decimal) or (isinstance(value, str) and not value.isascii()):
            raise InvalidOperation
        result = Decimal(value.strip() if isinstance(value, str) else value)
    except (InvalidOperation, ValueError):
        raise unexpected(f"{what} is not a number") from None
    if not result.is_finite() or result.copy_abs() > _LARGEST or (result and result.adjusted() < -30):
        raise unexpected(f"{what} is not a sensible number")
    return result or Decimal(0)


def first(row: Mapping[str, Any], names: Iterable[str]) -> Decimal | None:
    """The number under the first of these names that has one."""
    return next((found for name in names if (found := number(row.get(name), f"`{name}`")) is not None), None)


def time(value: object, *, zone: timezone) -> datetime | None:
    """A moment told in seconds, milli- or microseconds since 1970, or as a text; texts without a zone are in `zone`."""
    if isinstance(value, bool) or value is None or value == "":
        return None
    try:
        if isinstance(value, str) and not re.fullmatch(r"\d{1,17}", value, re.ASCII):
            at = datetime.fromisoformat(value)
            return (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC)
        count = int(value) if isinstance(value, str | int | Decimal) and Decimal(value).adjusted() < 18 else -1
        if count < 0:
            raise ValueError
        scale = 1 if count < 10**11 else 1_000 if count < 10**14 else 1_000_000
        return datetime.fromtimestamp(count / scale, UTC)
    except (ValueError, OverflowError, OSError, ArithmeticError):
        raise unexpected("a time is not one") from None


def mapping(value: object) -> dict[str, Any]:
    """The value as an object. Raises `UnexpectedResponse`."""
    if not isinstance(value, dict):
        raise unexpected("an object is missing")
    return value


def extract_list(value: Any, *, key: str = "symbol") -> list[Any]:
    """The list in some content, wherever it stands; an empty one where there is nothing.

    A map from names to objects becomes the list of its objects, each with its name under `key`.

    Raises:
        UnexpectedResponse: there is none.
    """
    found = _find_list(value, key=key, depth=0)
    if found is None:
        raise unexpected("there is no list in it")
    if len(found) > MOST_ROWS:
        raise unexpected("the list is too long")
    return found


def _find_list(value: Any, *, key: str, depth: int) -> list[Any] | None:
    if value is None or value == {}:
        return []
    if isinstance(value, list):
        return value
    if not isinstance(value, dict) or depth > _DEEPEST:
        return None
    for name in _LISTS:
        if isinstance(value.get(name), list):
            return list(value[name])
    for name in _WRAPPERS:
        if isinstance(value.get(name), dict):
            found = _find_list(value[name], key=key, depth=depth + 1)
            if found is not None:
                return found
    if any(name in value and value[name] is None for name in _LISTS):
        return []
    if all(isinstance(row, dict) and name not in _WRAPPERS for name, row in value.items()):
        return [{key: name, **row} for name, row in value.items()]
    return None


# --- markets ------------------------------------------------------------------------------------------------------


def market(text: object) -> tuple[str, str] | None:
    """Base and quote of `BTC/USDT`, `BTC_USDT`, `btcusdt` or a bare `btc`, whose quote goes without saying."""
    if not isinstance(text, str) or len(text) > 40:
        return None
    parts = re.split(r"[/_-]", text.strip().upper())
    if len(parts) == 1:
        word = parts[0]
        end = next((quote for quote in QUOTES if word.endswith(quote) and len(word) > len(quote)), None)
        parts = [word.removesuffix(end), end] if end else [word, QUOTE]
    if len(parts) != 2 or not all(_COIN.fullmatch(part) for part in parts) or parts[0] == parts[1]:
        return None
    return parts[0], parts[1]


@dataclass(frozen=True, slots=True)
class Thumb:
    """One market's ticker. Only the price is sure to be told."""

    base: str
    quote: str
    last: Decimal
    open: Decimal | None = None
    high: Decimal | None = None
    low: Decimal | None = None

    @property
    def market(self) -> str:
        """`BTC/USDT`."""
        return instrument(self.base, self.quote)


def thumb(row: Any, *, of: str | None = None) -> Thumb | None:
    """One ticker; `None` for a row without a market or a price, of which nothing can be used.

    Args:
        row: as it came.
        of: the coin that was asked for, where the answer need not repeat it.

    Raises:
        UnexpectedResponse: a figure is not one.
    """
    if not isinstance(row, dict):
        return None
    named = next((found for name in _SYMBOL_NAMES if (found := market(_name(row.get(name))))), None)
    named = named or market(of)
    last = first(row, _LAST)
    if named is None or last is None or last <= 0:
        return None
    if of is not None and named[0] != of:
        raise unexpected(f"it tells of {named[0]}, not of {of}")
    return Thumb(
        base=named[0],
        quote=named[1],
        last=last,
        open=first(row, ("open", "openPrice")),
        high=first(row, ("high", "highPrice", "high24h")),
        low=first(row, ("low", "lowPrice", "low24h")),
    )


def _name(value: Any) -> Any:
    """A coin is a text, or an object that has its name."""
    return (value.get("unit") or value.get("symbol") or value.get("name")) if isinstance(value, dict) else value


def thumbs(content: Any) -> list[Thumb]:
    """Every ticker of a list, of several lists beside each other, or of a map; each market once."""
    if isinstance(content, dict):
        lists = [rows for rows in content.values() if isinstance(rows, list)]
        several = len(lists) > 1 or (len(lists) == 1 and not any(name in content for name in _LISTS))
        rows = [row for rows in lists for row in rows] if several else extract_list(content)
    else:
        rows = extract_list(content)
    found: dict[str, Thumb] = {}
    for row in rows[:MOST_ROWS]:
        one = thumb(row)
        if one is not None:
            found.setdefault(one.market, one)
    if rows and not found:
        raise unexpected("no row of it is a market with a price")
    return list(found.values())


class Point(NamedTuple):
    """One point of a series; many are told without their time."""

    at: datetime | None
    price: Decimal


def sparklines(content: Any, *, zone: timezone) -> dict[str, list[Point]]:
    """Series of prices by base coin, oldest first as they came: of a map of lists, or of a list of objects.

    Raises:
        UnexpectedResponse: it is neither, or a price is not one.
    """
    lists = [pair for pair in content.items() if isinstance(pair[1], list)] if isinstance(content, dict) else []
    pairs = lists if lists and not any(_is_named(row) for _, rows in lists for row in rows[:1]) else None
    if pairs is None:
        pairs = _series_of(extract_list(content))
    found: dict[str, list[Point]] = {}
    for name, points in pairs:
        named = market(name)
        if named is not None and named[1] == QUOTE and isinstance(points, list):
            found.setdefault(named[0], [_point(entry, zone=zone) for entry in points[:MOST_ROWS]])
    return found


def _is_named(row: Any) -> bool:
    """Whether it tells itself which market it is of."""
    return isinstance(row, dict) and any(market(_name(row.get(key))) for key in _SYMBOL_NAMES)


def _series_of(rows: list[Any]) -> list[tuple[Any, Any]]:
    found = []
    for row in rows:
        if isinstance(row, dict):
            name = next((row[key] for key in _SYMBOL_NAMES if market(_name(row.get(key)))), None)
            found.append((_name(name), next((row[key] for key in _SERIES if isinstance(row.get(key), list)), None)))
    return found


def _point(entry: Any, *, zone: timezone) -> Point:
    at: object = None
    if isinstance(entry, list) and len(entry) >= 2:
        at, entry = entry[0], entry[-1] if len(entry) == 2 else entry[4] if len(entry) > 4 else entry[1]
    elif isinstance(entry, dict):
        at = next((entry[name] for name in ("time", "ts", "timestamp", "t") if entry.get(name) is not None), None)
        entry = next((entry[name] for name in (*_LAST, "p", "c", "value") if entry.get(name) is not None), None)
    price = number(entry, "a price")
    if price is None or price <= 0:
        raise unexpected("a price of a series is missing or 0")
    return Point(time(at, zone=zone), price)


def rate(content: Any, *, depth: int = 0) -> Decimal | None:
    """A conversion price: a number, a text or an object. `None` where there is none, which is also written as 0.

    Raises:
        UnexpectedResponse: it is none of these.
    """
    if isinstance(content, list | bool) or depth > _DEEPEST:
        raise unexpected("a price is missing")
    if isinstance(content, dict):
        inner = next((content[name] for name in _RATES if content.get(name) is not None), None)
        if inner is None and content:
            raise unexpected("a price is missing")
        return rate(inner, depth=depth + 1)
    found = number(content, "a price")
    if found is not None and found < 0:
        raise unexpected("a price is less than 0")
    return found or None


# --- the account --------------------------------------------------------------------------------------------------


def balances(content: Any) -> list[Balance]:
    """Everything held. Raises `UnexpectedResponse` for a wallet that cannot be read: nothing is left out."""
    return [_wallet(mapping(row)) for row in extract_list(content, key="coin")]


def _wallet(row: Mapping[str, Any]) -> Balance:
    symbol = next((found for name in _COINS if (found := _coin(row.get(name)))), None)
    if symbol is None:
        raise unexpected("a wallet does not say what it holds")
    held = first(row, _FROZEN) or Decimal(0)
    available, balance, total = first(row, _AVAILABLE), first(row, ("balance",)), first(row, _TOTALS)
    if available is None:
        # The relatives call what is available the balance; only beside an `available` it may be the whole.
        available = balance if balance is not None else total - held if total is not None else None
    if available is None:
        raise unexpected(f"the wallet of {symbol} does not say how much")
    if available < 0 or held < 0:
        raise unexpected(f"the wallet of {symbol} holds less than nothing")
    return Balance(symbol=symbol, total=available + held, available=available, held=held, is_stable=symbol in STABLE)


def _coin(value: Any) -> str | None:
    text = (value.get("unit") or value.get("name")) if isinstance(value, dict) else value
    word = text.strip().upper() if isinstance(text, str) else ""
    return word if _COIN.fullmatch(word) else None


def member(content: Any, names: Iterable[str] = ("id", "memberId", "uid", "userId")) -> str | None:
    """A member's id as text, where it is told and can be one: never a name or an e-mail address."""
    body = content if isinstance(content, dict) else {}
    for name in names:
        value = body.get(name)
        if isinstance(value, Decimal):
            value = None
        text = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
        if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", text, re.ASCII) and any(sign.isdigit() for sign in text):
            return text
    return None


def order_id(content: Any) -> str | None:
    """The id in what an order was answered with; `None` where none was told.

    Raises:
        UnexpectedResponse: there is something in the place of an id that cannot be one.
    """
    value = content
    if isinstance(content, dict):
        value = next((content[name] for name in _IDS if content.get(name) not in (None, "")), None)
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not value:
        return None
    if not _ORDER_ID.fullmatch(value):
        raise unexpected("the order's id cannot be one")
    # A word such as "success" names no order.
    return value if any(sign.isdigit() for sign in value) else None


def status_word(value: Any, *, numeric: bool) -> str:
    """The exchange's own word for how an order stands.

    Numbers are taken by their order only where the user says that they may be; else they stay what they are.
    """
    if isinstance(value, dict):
        value = value.get("name") or value.get("code")
    text = safe_text(str(value) if isinstance(value, int) and not isinstance(value, bool) else value)[:40]
    is_number = numeric and re.fullmatch(r"\d", text, re.ASCII) is not None
    if is_number and int(text) < len(_STATUS_ORDER):
        text = _STATUS_ORDER[int(text)]
    return text or "none"
