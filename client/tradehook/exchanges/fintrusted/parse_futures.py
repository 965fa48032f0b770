"""From FinTrusted's content to futures values: orders, positions, wallets. Pure.

What `uorder/list` lists is not documented, so each entry is sorted by the fields it has; what is neither an order nor
a position is handed on as it came. See: fintrusted-api 5.10, 5.12, 8.3 and 8.4.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from tradehook.exchanges.fintrusted import parse
from tradehook.exchanges.fintrusted.envelope import safe_text, unexpected
from tradehook.futures import (
    FuturesAction,
    FuturesOrder,
    FuturesOverview,
    FuturesWallet,
    Position,
    PositionSide,
)
from tradehook.models import OrderStatus, instrument

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tradehook.exchanges.fintrusted.dialect import Dialect

_ZERO: Final = Decimal(0)
_SIZES: Final = ("position", "holdVolume", "positionAmt", "volume", "amount")
_OF_POSITION: Final = ("position", "positionAmt", "holdVolume", "forcePrice", "liqPrice")
_OF_ORDER: Final = ("entrustType", "contractOrderEntrustId", "entrustPrice", "tradedVolume")
_ENTRIES: Final = ("price", "openPrice", "avgPrice", "entryPrice", "holdPrice")
_FORCES: Final = ("forcePrice", "liqPrice", "liquidationPrice", "blastPrice")
_MARGINS: Final = ("principalAmount", "margin", "principal", "bond")
_SIDES: Final = ("direction", "side", "positionSide")
_ORDER_IDS: Final = ("contractOrderEntrustId", "orderId", "orderNo", "id")
_STATUSES: Final = (
    OrderStatus.OPEN,
    OrderStatus.CANCELED,
    OrderStatus.FAILED,
    OrderStatus.FILLED,
)
"""By the number of the look-alikes' first status, which is 0 or 1 (`status_base`)."""
_STATUS_WORDS: Final = {
    "ENTRUST_ING": OrderStatus.OPEN,
    "ENTRUST_CANCEL": OrderStatus.CANCELED,
    "ENTRUST_FAILURE": OrderStatus.FAILED,
    "ENTRUST_SUCCESS": OrderStatus.FILLED,
}
_WALLET_SIDES: Final = ((PositionSide.LONG, "Buy", "buy"), (PositionSide.SHORT, "Sell", "sell"))


def overview(content: Any, dialect: Dialect) -> FuturesOverview:
    """Everything that is listed, sorted by what it is.

    Raises:
        UnexpectedResponse: there is no list, or a figure in it is not one.
    """
    orders: list[FuturesOrder] = []
    positions: list[Position] = []
    unknown: list[Mapping[str, Any]] = []
    for row in _rows(content):
        if not isinstance(row, dict):
            raise unexpected("an entry of the list is no object")
        if any(row.get(name) is not None for name in _OF_POSITION) and (one := position(row, dialect)) is not None:
            if one.contracts > 0:
                positions.append(one)
        elif any(row.get(name) is not None for name in _OF_ORDER) and _order_id(row) is not None:
            orders.append(order(row, dialect))
        else:
            unknown.append(row)
    return FuturesOverview(tuple(orders), tuple(positions), tuple(unknown), _prices(content))


def _rows(content: Any) -> list[Any]:
    """Orders and positions stand beside each other, or there is one list of either."""
    if isinstance(content, dict):
        both = [content[name] for name in ("positions", "orders") if name in content]
        if both:
            return [row for rows in both for row in parse.extract_list(rows)]
    return parse.extract_list(content)


def _prices(content: Any) -> dict[str, Decimal]:
    told = content.get("priceMap") if isinstance(content, dict) else None
    found = {}
    for name, value in told.items() if isinstance(told, dict) else ():
        named, price = parse.market(name), parse.number(value, "a price")
        if named is not None and price is not None and price > 0:
            found[instrument(*named)] = price
    return found


def order(row: Mapping[str, Any], dialect: Dialect) -> FuturesOrder:
    """One order.

    Raises:
        UnexpectedResponse: it has no id, or a figure is not one.
    """
    identity = _order_id(row)
    if identity is None:
        raise unexpected("a futures order has no id")
    status, word = _status(row.get("status"), dialect)
    action = _action(row.get("entrustType"))
    is_buy = _is_buy(row, dialect)
    side = None
    if action is not None and is_buy is not None:
        # The direction is that of the order: BUY opens a long, and closes a short.
        side = PositionSide.LONG if is_buy is (action is FuturesAction.OPEN) else PositionSide.SHORT
    contracts = parse.first(row, ("volume", "amount"))
    filled = parse.first(row, ("tradedVolume", "dealVolume"))
    if filled is None and status is OrderStatus.FILLED:
        filled = contracts
    fees = (parse.first(row, ("openFee",)), parse.first(row, ("closeFee",)))
    return FuturesOrder(
        order_id=identity,
        status=status,
        exchange_status=word,
        contract=_contract(row),
        position_side=side,
        action=action,
        contracts=contracts,
        filled=filled,
        leverage=_whole(row.get("leverage")),
        price=_positive(row, ("entrustPrice", "price")),
        trigger=_positive(row, ("triggerPrice",)),
        average_price=_positive(row, ("tradedPrice", "avgPrice")),
        margin=parse.first(row, _MARGINS),
        fee=sum((one for one in fees if one is not None), start=_ZERO)
        if any(one is not None for one in fees)
        else None,
        profit=parse.first(row, ("profitAndLoss", "profit")),
        is_liquidation=_flag(row.get("isBlast")),
        created_at=parse.time(row.get("createTime"), zone=dialect.server_tz),
    )


def has_id(row: Mapping[str, Any]) -> bool:
    """Whether it names an order."""
    return _order_id(row) is not None


def position(row: Mapping[str, Any], dialect: Dialect) -> Position | None:
    """One position; `None` for an entry that does not say of what, on which side, or how large.

    Raises:
        UnexpectedResponse: a figure is not one.
    """
    contract, is_long = _contract(row), _is_buy(row, dialect)
    size = parse.first(row, _SIZES)
    if contract is None or size is None:
        return None
    if is_long is None:
        if size >= 0:
            return None
        is_long = False  # some write a short as less than nothing
    return Position(
        contract=contract,
        position_side=PositionSide.LONG if is_long else PositionSide.SHORT,
        contracts=abs(size),
        closing=parse.first(row, ("frozenPosition",)) or _ZERO,
        entry_price=_positive(row, _ENTRIES),
        liquidation_price=_positive(row, _FORCES),
        margin=parse.first(row, _MARGINS),
        leverage=_whole(row.get("leverage")),
        is_cross=_is_cross(row.get("pattern") if row.get("pattern") is not None else row.get("patterns")),
        profit=parse.first(row, ("profit", "profitAndLoss", "unrealizedProfit")),
        share=_positive(row, ("shareNumber",)),
        currency=contract.partition("/")[2],
    )


def wallets(content: Any) -> list[FuturesWallet]:
    """The futures wallets, with the positions that stand in them.

    Raises:
        UnexpectedResponse: a wallet cannot be read: nothing is left out.
    """
    return [_wallet(parse.mapping(row)) for row in parse.extract_list(content)]


def _wallet(row: Mapping[str, Any]) -> FuturesWallet:
    card = row.get("contractCoin")
    told = card if isinstance(card, dict) else {}
    contract = _contract(told) or _contract(row) or _contract({"symbol": card})
    if contract is None:
        raise unexpected("a futures wallet does not say of which contract")
    available = parse.first(row, ("usdtBalance", "balance", "available", "availableBalance", "canUse", "free"))
    held = parse.first(row, ("usdtFrozenBalance", "frozenBalance", "frozen", "locked"))
    if available is None or available < 0 or (held is not None and held < 0):
        raise unexpected(f"the futures wallet of {contract} does not say how much is in it")
    share = _positive(told, ("shareNumber",)) or _positive(row, ("usdtShareNumber", "shareNumber"))
    identity = told.get("id") or row.get("contractCoinId") or row.get("contractId")
    return FuturesWallet(
        contract=contract,
        contract_id=_id(identity),
        currency=contract.partition("/")[2],
        available=available,
        held=held or _ZERO,
        equity=parse.first(row, ("userQY", "equity")),
        share=share,
        leverages=_leverages(told.get("leverage")),
        open_fee_rate=parse.first(told, ("openFee", "openFeeRate")),
        positions=tuple(_positions_in(row, contract, share=share)),
    )


def _positions_in(row: Mapping[str, Any], contract: str, *, share: Decimal | None) -> Iterable[Position]:
    """What older look-alikes tell in the wallet: a long and a short, each as a group of fields. See: 5.12."""
    for side, word, low in _WALLET_SIDES:
        free = parse.first(row, (f"usdt{word}Position",))
        closing = parse.first(row, (f"usdtFrozen{word}Position",))
        if free is None and closing is None:
            continue
        size = (free or _ZERO) + (closing or _ZERO)
        if size <= 0:
            continue
        yield Position(
            contract=contract,
            position_side=side,
            contracts=size,
            closing=closing or _ZERO,
            entry_price=_positive(row, (f"usdt{word}Price",)),
            liquidation_price=_positive(row, (f"{low}ForcePrice",)),
            margin=parse.first(row, (f"usdt{word}PrincipalAmount",)),
            leverage=_whole(row.get(f"usdt{word}Leverage")),
            is_cross=_is_cross(row.get("usdtPattern")),
            share=share,
            currency=contract.partition("/")[2],
        )


# --- parts --------------------------------------------------------------------------------------------------------


def _contract(row: Mapping[str, Any]) -> str | None:
    named = parse.market(row.get("symbol")) or parse.market(row.get("contract"))
    return instrument(*named) if named is not None else None


def _order_id(row: Mapping[str, Any]) -> str | None:
    value = next((row[name] for name in _ORDER_IDS if row.get(name) not in (None, "")), None)
    return parse.order_id(value)


def _id(value: Any) -> str | None:
    text = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    return text if text.isascii() and text.isdigit() and len(text) <= 19 else None


def _word(value: Any) -> str:
    """An enum's name, or its number as text: told as either, or as an object that has one of them."""
    if isinstance(value, dict):
        value = value.get("name") if value.get("name") is not None else value.get("code")
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else safe_text(value)
    return text.strip().upper()[:40]


def _is_buy(row: Mapping[str, Any], dialect: Dialect) -> bool | None:
    word = next((found for name in _SIDES if (found := _word(row.get(name)))), "")
    codes = {code.upper(): side for side, code in dialect.direction_codes.items()}
    side = {"BUY": "buy", "LONG": "buy", "SELL": "sell", "SHORT": "sell"}.get(word) or codes.get(word)
    return None if side is None else side == "buy"


def _action(value: Any) -> FuturesAction | None:
    return {
        "OPEN": FuturesAction.OPEN,
        "0": FuturesAction.OPEN,
        "CLOSE": FuturesAction.CLOSE,
        "1": FuturesAction.CLOSE,
    }.get(_word(value))


def _status(value: Any, dialect: Dialect) -> tuple[OrderStatus, str]:
    """What a status means; numbers only where the user says that they may be read."""
    word = _word(value)
    if word in _STATUS_WORDS:
        return _STATUS_WORDS[word], word
    if word.isdigit() and dialect.numeric_status:
        index = int(word[:9]) - dialect.status_base
        if 0 <= index < len(_STATUSES):
            return _STATUSES[index], word
    return OrderStatus.UNRECOGNIZED, word or "none"


def _is_cross(value: Any) -> bool | None:
    return {"CROSSED": True, "CROSS": True, "0": True, "FIXED": False, "ISOLATED": False, "1": False}.get(_word(value))


def _flag(value: Any) -> bool | None:
    return {"1": True, "TRUE": True, "0": False, "FALSE": False}.get(str(value).upper())


def _positive(row: Mapping[str, Any], names: Iterable[str]) -> Decimal | None:
    """The first of these that is more than 0, which stands for none."""
    found = parse.first(row, names)
    return found if found is not None and found > 0 else None


def _whole(value: Any) -> int | None:
    number = parse.number(value, "a leverage")
    return int(number) if number is not None and number > 0 and number == number.to_integral_value() else None


def _leverages(value: Any) -> tuple[int, ...]:
    """`1,100` is a range, a longer list every one that there is."""
    if not isinstance(value, str) or len(value) > 400:
        return ()
    words = [word.strip() for word in value.split(",")]
    if not all(word.isascii() and word.isdigit() and len(word) <= 4 for word in words):
        return ()
    return tuple(int(word) for word in words)
