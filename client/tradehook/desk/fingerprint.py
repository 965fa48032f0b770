"""What tells one order or transfer from others at an exchange that knows no client order ids. Pure.

Only what the exchange's own lists echo counts: assets, side, quantity and its unit, price, chain; for a transfer the
asset, quantity, address and network; for futures the contract, side, action, contracts and prices. Numbers are
compared as numbers, since a list may trim zeros.
"""

from __future__ import annotations

import hashlib
import json
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING, Any

from tradehook.amounts import plain
from tradehook.desk.limits import MONEY
from tradehook.futures import FuturesOrder, SizedFuturesOrder
from tradehook.models import Order, SizedOrder
from tradehook.transfers import SizedTransfer, Transfer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tradehook.desk.deeds import Made, Settled

_ORDER = ("base", "quote", "side", "quantity", "unit", "price", "chain")
_TRANSFER = ("asset_id", "quantity", "address", "network", "chain")
_FUTURES = ("contract", "position_side", "action", "contracts", "leverage", "price", "trigger")
_KINDS: dict[str, tuple[type[Settled], tuple[str, ...]]] = {
    "order": (SizedOrder, _ORDER),
    "transfer": (SizedTransfer, _TRANSFER),
    "futures": (SizedFuturesOrder, _FUTURES),
}


class Likeness(Enum):
    """How something in a list compares with what was sent."""

    SAME = "same"
    """Every field that was sent is echoed, and equal."""
    PERHAPS = "perhaps"
    """Nothing speaks against it, but the list does not tell everything."""
    OTHER = "other"


def settled_from(kind: str, request: Mapping[str, Any]) -> Settled:
    """What was settled, from the journal."""
    return _KINDS[kind][0].model_validate(dict(request))


def moved_by(settled: Settled) -> tuple[str, ...]:
    """The names of what it moves: two assets, or one; of futures the money, and the position."""
    if isinstance(settled, SizedOrder):
        return settled.base, settled.quote
    if isinstance(settled, SizedTransfer):
        return (settled.asset,)
    return settled.currency, f"{settled.position_side} {settled.contract}"


def fingerprint(kind: str, request: Mapping[str, Any]) -> str:
    """One text for everything that looks the same at the exchange.

    Args:
        kind: `order`, `transfer` or `futures`.
        request: the settled order or transfer, as the journal keeps it.
    """
    settled = settled_from(kind, request)
    parts = [kind, *(_text(getattr(settled, name)) for name in _KINDS[kind][1])]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def is_two_phase(settled: Settled) -> bool:
    """Whether sending it makes only something that waits for a signature: known by the request alone."""
    return settled.chain is not None


def likeness(settled: Settled, made: Made) -> Likeness:
    """Whether something in a list can be what was sent."""
    if made.awaits_signature:
        return Likeness.OTHER  # it moves nothing, whoever made it
    if isinstance(settled, SizedTransfer) and isinstance(made, Transfer):
        return _transfer_likeness(settled, made)
    if isinstance(settled, SizedFuturesOrder) and isinstance(made, FuturesOrder):
        return _futures_likeness(settled, made)
    if isinstance(settled, SizedOrder) and isinstance(made, Order):
        return _order_likeness(settled, made)
    return Likeness.OTHER


def _order_likeness(sent: SizedOrder, made: Order) -> Likeness:
    pairs: list[tuple[object, object]] = [
        (sent.base, made.base),
        (sent.side, made.side),
        (sent.quantity, made.quantity),
        (sent.unit, made.unit),
    ]
    # What we sent as a market order has no price, so a price speaks against it; a price that is not told does not.
    if sent.chain != made.chain or (sent.price is None and made.price is not None) or not is_against(sent, made.quote):
        return Likeness.OTHER
    if sent.price is not None:
        pairs.append((sent.price, made.price))
    return _compare(pairs)


def is_against(sent: SizedOrder, quote: str | None) -> bool:
    """Whether what an order is said to trade against can be what was sent; what is not told can be.

    At an exchange itself the names of money stand for one another, as it settles in its own; on chain they are coins.
    """
    return quote is None or quote == sent.quote or (sent.chain is None and {quote, sent.quote} <= MONEY)


def _transfer_likeness(sent: SizedTransfer, made: Transfer) -> Likeness:
    if sent.chain != made.chain:
        return Likeness.OTHER
    pairs: list[tuple[object, object]] = [
        (sent.asset_id, made.asset_id),
        (sent.quantity, made.quantity),
        (_address(sent.address), _address(made.to)),
    ]
    return _compare(pairs)


def _futures_likeness(sent: SizedFuturesOrder, made: FuturesOrder) -> Likeness:
    # A market order has neither limit nor trigger, and the exchange itself closes what has too little margin.
    is_odd = (sent.price is None and made.price is not None) or (sent.trigger is None and made.trigger is not None)
    if is_odd or made.is_liquidation:
        return Likeness.OTHER
    pairs: list[tuple[object, object]] = [
        (sent.contract, made.contract),
        (sent.position_side, made.position_side),
        (sent.action, made.action),
        (sent.contracts, made.contracts),
    ]
    optional = ((sent.leverage, made.leverage), (sent.price, made.price), (sent.trigger, made.trigger))
    return _compare([*pairs, *(pair for pair in optional if pair[0] is not None)])


def _compare(pairs: list[tuple[object, object]]) -> Likeness:
    if any(there is not None and there != here for here, there in pairs):
        return Likeness.OTHER
    return Likeness.PERHAPS if any(there is None for _, there in pairs) else Likeness.SAME


def _address(text: str | None) -> str | None:
    """An EVM address is the same in any case; no other is."""
    return text.lower() if text is not None and text.startswith("0x") else text


def _text(value: object) -> str | None:
    if isinstance(value, Decimal):
        return plain(value)
    return str(value) if value is not None else None
