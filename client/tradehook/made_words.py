"""Orders, transfers and futures orders in words, whichever of them it is: what was made, and what would be done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tradehook.futures import FuturesOrder, SizedFuturesOrder
from tradehook.futures_words import futures_line, futures_words
from tradehook.models import Order, SizedOrder
from tradehook.render import deed, order_line, transfer_line, transfer_words
from tradehook.transfers import SizedTransfer, Transfer

if TYPE_CHECKING:
    from collections.abc import Mapping


def line_of(made: Order | Transfer | FuturesOrder) -> str:
    """What was made, in one line that begins with the fact."""
    if isinstance(made, Order):
        return order_line(made)
    return futures_line(made) if isinstance(made, FuturesOrder) else transfer_line(made)


def settled_words(kind: str, request: Mapping[str, Any] | None) -> str | None:
    """What would be done, as the journal has it settled; `None` before that, and for a plan."""
    if not request:
        return None
    match kind:
        case "order":
            return deed(SizedOrder.model_validate(request))
        case "transfer":
            return transfer_words(SizedTransfer.model_validate(request))
        case "futures":
            return futures_words(SizedFuturesOrder.model_validate(request))
        case _:
            return None
