"""Spot orders as requests: built here, read here, sent elsewhere. Pure. See: fintrusted-api 5.5 and 5.6.

There is no key against repetition and no list to look into, so an order is `single`: without an answer it stays in
doubt. An answer never says more than that the order was taken.
"""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING, Final

from tradehook.amounts import plain
from tradehook.errors import InvalidInput
from tradehook.exchanges.fintrusted import envelope, parse
from tradehook.exchanges.fintrusted.signing import FORM
from tradehook.models import Order, OrderStatus, Side
from tradehook.wire import Request, Write, encode_form

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from tradehook.exchanges.fintrusted.dialect import Dialect
    from tradehook.models import SizedOrder
    from tradehook.wire import Response

UNNAMED: Final = "unnamed-"
"""How the id begins that an order gets whose answer had none: it cannot be canceled by it."""
_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", re.ASCII)
_TYPES: Final = {"LIMIT": "limit", "LIMIT_PRICE": "limit", "MARKET": "market", "MARKET_PRICE": "market"}


def place(url: str, order: SizedOrder, *, dialect: Dialect) -> Write[Order]:
    """The write that places an order. Never repeated: it moves money in one step."""
    kind = "market" if order.price is None else "limit"
    price = dialect.market_price_param if order.price is None else plain(order.price)
    form = [
        ("symbol", order.market),
        ("direction", dialect.direction_codes[str(order.side)]),
        ("type", dialect.type_codes[kind]),
        *([("price", price)] if price is not None else []),
        ("amount", plain(order.quantity)),
    ]

    def read(response: Response) -> Order:
        return _accepted(envelope.answer(response, dialect), order, kind=kind, dialect=dialect)

    return Write(money(f"{url}/tx/spot/add", form), read, "single")


def cancel(url: str, order_id: str, *, dialect: Dialect) -> Write[None]:
    """The write that asks for cancellation. Repeating: safe, a second one is refused.

    Raises:
        InvalidInput: the order cannot be named to the exchange.
    """
    check_id(order_id)
    names = [dialect.cancel_id_param]
    if dialect.cancel_fallback != "false" and "id" not in names:
        names.append("id")
    path = f"/tx/spot/cancel/{order_id}" if dialect.cancel_fallback == "path" else "/tx/spot/cancel"

    def read(response: Response) -> None:
        found = envelope.answer(response, dialect)
        if not found.has_code:
            raise envelope.unexpected("nothing says whether the cancel was taken")
        if found.payload is False:
            raise envelope.unexpected("the cancel was answered with a yes and a no")

    return Write(money(f"{url}{path}", [(name, order_id) for name in names]), read, "cancel")


def check_id(order_id: str) -> str:
    """The id, if it can be one at the exchange. Raises `InvalidInput`."""
    if order_id.startswith(UNNAMED):
        raise InvalidInput(
            f"{order_id[:40]} was taken by FinTrusted without telling its id, so it cannot be canceled from here. "
            "Cancel it on its site.",
            exchange=envelope.EXCHANGE,
        )
    if not _ID.fullmatch(order_id):
        raise InvalidInput(f"{order_id[:40]!r} is not the id of an order.", exchange=envelope.EXCHANGE)
    return order_id


def money(url: str, form: Sequence[tuple[str, str]]) -> Request:
    """A form of the money lane, over a connection of its own."""
    return Request("POST", url, headers={"content-type": FORM}, body=encode_form(form), lane="money", is_fresh=True)


def _accepted(found: envelope.Answer, order: SizedOrder, *, kind: str, dialect: Dialect) -> Order:
    order_id = parse.order_id(found.payload)
    if order_id is None and (not found.has_code or found.payload is False):
        raise envelope.unexpected("nothing says whether the order was taken")
    told = found.payload if isinstance(found.payload, dict) else {}
    word = parse.status_word(told.get("status"), numeric=dialect.numeric_status)
    return Order(
        order_id=order_id or f"{UNNAMED}{uuid.uuid4().hex[:12]}",
        status=OrderStatus.ACCEPTED,
        exchange_status="accepted" if word == "none" else word,
        base=order.base,
        quote=order.quote,
        side=order.side,
        quantity=order.quantity,
        unit=order.unit,
        price=order.price,
        evidence=_contradiction(told, order, kind=kind),
    )


def _contradiction(told: dict[str, Any], order: SizedOrder, *, kind: str) -> str | None:
    """What the answer says otherwise than what was sent, in words: then the order codes may be the wrong way round.

    Only names are looked at: a number would be read by the very codes that are in question.
    """
    as_kind = _TYPES.get(str(told.get("type") or told.get("orderType")).upper())
    as_side = str(told.get("direction") or told.get("side")).upper()
    others = []
    if as_kind is not None and as_kind != kind:
        others.append(f"a {as_kind} order, and a {kind} order was meant")
    if as_side in ("BUY", "SELL") and Side(as_side.lower()) is not order.side:
        others.append(f"a {as_side.lower()}, and a {order.side} was meant")
    if not others:
        return None
    return (
        f"The exchange calls it {' and '.join(others)}: the order codes may be the wrong way round. Send nothing more, "
        "look on its site, and see TRADEHOOK_FINTRUSTED_TYPE_CODES."
    )
