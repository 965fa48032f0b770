"""Orders on a chain: what they would do is shown from a preview, and a yes signs the preview that was shown.

A preview is an order that waits at the exchange, unsigned; see `tradehook.desk.previews`.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tradehook.desk.previews import is_young
from tradehook.models import Quote, Side
from tradehook_bot import cards
from tradehook_bot.sweeping import in_thread

if TYPE_CHECKING:
    from collections.abc import Callable
    from decimal import Decimal

    from tradehook.desk.previews import Preview
    from tradehook.models import Order, SizedOrder
    from tradehook_bot.accounts import Account
    from tradehook_bot.questions import OrderAsked


async def preview(account: Account, sized: SizedOrder, *, user_id: int) -> Preview:
    """What the order would do now, held ready at the exchange. Nothing is signed.

    Raises:
        GuardRefused: nothing may be sent here or now, or there were too many previews.
        TradehookError: the exchange made none.
    """
    work = in_thread(lambda: account.client.desk.preview_order(sized, source=f"chat:{user_id}"))
    return await asyncio.wrap_future(work)


def terms_of(shown: Preview) -> cards.Terms:
    """The order with what it comes to by its preview."""
    sized, found = shown.sized, shown.quote
    quote = Quote(
        base=sized.base,
        quote=sized.quote,
        side=sized.side,
        quantity=found.quantity,
        unit=sized.unit,
        output=found.output,
        price=found.price_of(sized.side),
        quoted_at=shown.asked_at,
    )
    base, notional = (found.output, found.quantity) if sized.side is Side.BUY else (found.quantity, found.output)
    return cards.Terms(sized, quote, base_quantity=base, notional=notional, fee=None, chain_quote=found)


def is_still_young(account: Account, asked: OrderAsked) -> bool:
    """Whether the very preview that was shown may be signed."""
    now = account.client.exchange.session.line.now()
    return asked.prepared_at is not None and is_young(asked.prepared_at, now=now)


def approval(asked: OrderAsked) -> Callable[[SizedOrder, Order], bool] | None:
    """What looks at the price once more right before it is signed; `None` for an order at the exchange itself."""
    limit = asked.good_until_price
    if asked.sized.chain is None or limit is None:
        return None

    def approve(sized: SizedOrder, created: Order) -> bool:
        found = created.chain_quote
        return found is not None and not is_worse(found.price_of(sized.side), limit, side=sized.side)

    return approve


def is_worse(price: Decimal, limit: Decimal, *, side: Side) -> bool:
    """Only what costs the person more counts; a better price needs no question."""
    return price > limit if side is Side.BUY else price < limit
