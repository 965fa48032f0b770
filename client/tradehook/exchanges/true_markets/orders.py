"""Orders as requests: built here, read here, sent elsewhere. Pure.

See: truemarkets-api 5 (docs.truemarkets.co, gateway: orders).
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any

from tradehook.amounts import plain
from tradehook.errors import InsufficientFunds, InvalidInput, InvalidOrder, PayloadMismatch, UnexpectedResponse
from tradehook.exchanges.true_markets import parse
from tradehook.exchanges.true_markets.auth import stamp
from tradehook.exchanges.true_markets.pages import PAGE_SIZE, vendor_word
from tradehook.models import Order, OrderStatus, Side, Unit
from tradehook.wire import Request, Write, encode_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tradehook.exchanges.true_markets.keys import Signer
    from tradehook.models import ChainQuote, Payload, SizedOrder
    from tradehook.wire import Response

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", re.ASCII)


def place(url: str, order: SizedOrder) -> Write[Order]:
    """The write that creates an order.

    Repeating: never for an order at the exchange (`single`: there is no key against repetition); freely
    for one on chain (`create`: without signatures nothing moves).
    """
    body = {
        "base_asset": order.base_address or order.base,
        "quote_asset": order.quote_address or order.quote,
        "qty": plain(order.quantity),
        "qty_unit": str(order.unit),
        "type": "market" if order.price is None else "limit",
        "side": str(order.side),
    }
    if order.price is not None:
        body["price"] = plain(order.price)
    if order.chain:
        body["chain"] = order.chain

    def read(response: Response) -> Order:
        return _created(parse.mapping(parse.accepted(response, 200, 201)), order)

    return Write(money("POST", f"{url}/orders", body), read, "create" if order.chain else "single")


def execute(url: str, order: SizedOrder, *, created: Order, signer: Signer) -> Write[Order]:
    """The write that sends a created order to market. Repeating: after a look at its status, same bytes.

    Raises:
        PayloadMismatch: what is to be signed is not what was ordered.
    """
    verify(order, created)
    body = {"signatures": [stamp(item.payload, signer=signer) for item in created.payloads], "auth_type": "api_key"}

    def read(response: Response) -> Order:
        word = parse.mapping(parse.accepted(response, 200)).get("status")
        return created.model_copy(
            update={
                "status": parse.status(word),
                "exchange_status": parse.safe_text(word)[:40] or "none",
                "payloads": (),
            }
        )

    return Write(money("POST", f"{url}/orders/{created.order_id}/execute", body), read, "execute")


def check_id(identity: str, *, what: str = "order") -> str:
    """The id, if it can be one: it becomes part of an address.

    Raises:
        InvalidInput: it cannot.
    """
    if not _ID.fullmatch(identity):
        raise InvalidInput(f"{identity[:40]!r} is not the id of a {what}. `tradehook {what}s` shows them.")
    return identity


def one(url: str, order_id: str) -> Request:
    """The request for one order; not every deployment has it."""
    return Request("GET", f"{url}/orders/{check_id(order_id)}")


def cancel(url: str, order_id: str) -> Write[None]:
    """The write that asks for cancellation. Repeating: safe, a second one is refused."""
    check_id(order_id)

    def read(response: Response) -> None:
        if response.status not in (200, 202, 204):
            raise parse.refusal(response)

    return Write(money("DELETE", f"{url}/orders/{order_id}", None), read, "cancel")


def page(url: str, *, statuses: tuple[OrderStatus, ...], cursor: str | None) -> Request:
    """One page of the list, newest first."""
    params = [("limit", str(PAGE_SIZE))]
    if statuses:
        params.append(("status", ",".join(vendor_word(status, parse.VENDOR_STATUS) for status in statuses)))
    if cursor:
        params.append(("cursor", cursor))
    return Request("GET", f"{url}/orders", params=tuple(params))


def verify(order: SizedOrder, created: Order) -> None:
    """Compare what the exchange asks us to sign with what was ordered.

    Raises:
        PayloadMismatch: they differ, or it cannot be told.
    """
    if not created.payloads:
        raise mismatch("there is nothing to sign")
    quote = created.chain_quote
    if quote is None:
        raise mismatch("it came without a quote")
    if quote.issues:
        raise mismatch(f"it came with issues: {'; '.join(quote.issues)}")
    for what, asked, offered in (
        ("the asset", order.base_address or order.base, quote.base),
        ("the quote asset", order.quote_address or order.quote, quote.quote),
    ):
        if not same_address(asked, offered):
            raise mismatch(f"{what} is another one")
    if quote.quantity != order.quantity:
        raise mismatch(f"it takes {plain(quote.quantity)}, {plain(order.quantity)} was ordered")
    if quote.output <= 0:
        raise mismatch("nothing would come back")
    for item in created.payloads:
        check_digest(item)
        _verify_terms(order, quote, item.payload)


def check_digest(item: Payload) -> None:
    """Raises `PayloadMismatch` when a payload's digest is not its own."""
    if item.digest.lower() != hashlib.sha256(item.payload.encode()).hexdigest():
        raise mismatch("a digest does not belong to its payload")


def same_address(first: str, second: str) -> bool:
    """Whether two symbols or addresses are the same; letter case means nothing in EVM addresses."""
    if first.startswith("0x") and second.startswith("0x"):
        return first.lower() == second.lower()
    return first == second


def _verify_terms(order: SizedOrder, quote: ChainQuote, payload: str) -> None:
    """The payload must say in readable form what it does, and that must be what was ordered: no blind signing."""
    try:
        activity = json.loads(payload)
    except (ValueError, RecursionError):
        raise mismatch("a payload cannot be read") from None
    parameters = activity.get("parameters") if isinstance(activity, dict) else None
    if not isinstance(parameters, dict):
        raise mismatch("a payload does not say what it does")
    buys = order.side is Side.BUY
    expected = {
        "side": str(order.side),
        "chain": order.chain,
        "baseAsset": order.base_address,
        "quoteAsset": order.quote_address,
        "assetIn": order.quote_address if buys else order.base_address,
        "assetOut": order.base_address if buys else order.quote_address,
        "amountIn": plain(quote.quantity),
    }
    for name, value in expected.items():
        if name not in parameters:
            raise mismatch(f"a payload does not tell its {name}")
        if not agrees(parameters[name], value):
            raise mismatch(f"a payload's {name} is another one")


def agrees(said: object, expected: str | None) -> bool:
    """Whether a payload's word is what was meant: as a number, an address or a text."""
    if not isinstance(said, str) or expected is None:
        return False
    try:
        return parse.number({"n": said}, "n") == parse.number({"n": expected}, "n")
    except UnexpectedResponse:
        return same_address(said, expected)


def _created(body: Mapping[str, Any], order: SizedOrder) -> Order:
    items = parse.payloads(body)
    # A quote belongs to what is to be signed, or says why there is no order; elsewhere it is not looked at.
    quote = parse.chain_quote(body) if items or not body.get("order_id") else None
    if body.get("order_id") == "":
        # A good status with an empty id means: no order was made, and the issues say why.
        reason = "; ".join(quote.issues) if quote and quote.issues else "no reason given"
        kind = InsufficientFunds if "insufficient" in reason.lower() else InvalidOrder
        raise kind(f"True Markets made no order: {reason}.", status=201, code="issues", exchange=parse.EXCHANGE)
    status = parse.status(body.get("status"))
    return Order(
        order_id=parse.text(body, "order_id"),
        # Non-empty payloads are the sign that it waits for signatures, whatever the word is.
        status=OrderStatus.CREATED if items else status,
        exchange_status=parse.safe_text(body.get("status"))[:40] or "none",
        base=order.base,
        quote=order.quote,
        side=order.side,
        quantity=order.quantity,
        unit=Unit(order.unit),
        price=order.price,
        chain=order.chain,
        payloads=items,
        chain_quote=quote,
    )


def mismatch(what: str) -> PayloadMismatch:
    """The error for something that is not signed."""
    return PayloadMismatch(f"Not signed: {what}. Nothing was traded.", exchange=parse.EXCHANGE)


def money(method: str, url: str, body: Mapping[str, Any] | None) -> Request:
    """A request of the money lane, over a connection of its own."""
    return Request(
        method,
        url,
        headers={"content-type": "application/json"} if body is not None else {},
        body=encode_json(body) if body is not None else b"",
        lane="money",
        is_fresh=True,
    )
