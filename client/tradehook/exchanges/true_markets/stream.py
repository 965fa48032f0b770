"""True Markets' stream of prices, as data for `listening.py`: where it is, what it is told, what its messages mean.

There is no filter by symbol: every batch has everything, and what nobody asked for is dropped here before it is read.
See: truemarkets-api 15.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tradehook.errors import Rejected, TradehookError, Unavailable
from tradehook.exchanges.true_markets import parse, parse_market
from tradehook.listening import Profile
from tradehook.prices import PriceUpdate, Topic
from tradehook.wire import encode_json

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

PATH: Final = "/v1/defi/market"
TOPICS: Final = (Topic.PRICE_CANDLES, Topic.TRENDING_ASSETS, Topic.SURGING_ASSETS, Topic.REFERENCE_PRICES)
"""What it can be asked for."""
_ACKNOWLEDGEMENTS: Final = ("subscribe", "unsubscribe")


def address(base_url: str) -> str:
    """The stream's address at a host."""
    return f"ws{base_url.removeprefix('http')}{PATH}"


def profile(base_url: str, *, topics: Collection[Topic], symbols: Collection[str]) -> Profile[tuple[PriceUpdate, ...]]:
    """The stream of these topics; without symbols, of all that are told."""

    def read(message: Any) -> tuple[PriceUpdate, ...] | None:
        content = parse.mapping(message)
        kind = parse.text(content, "type")
        if kind == "error" or (kind in _ACKNOWLEDGEMENTS and content.get("status") == "error"):
            raise _complaint(content)
        if kind not in topics:
            return None
        topic, at = Topic(kind), parse_market.batch_time(content)
        rows = parse.rows(content)
        return tuple(
            PriceUpdate(topic=topic, item=parse_market.pushed(topic, row, at=at), at=at)
            for row in rows
            if not symbols or parse_market.symbol_of(topic, row) in symbols
        )

    subscription = encode_json({"type": "subscribe", "topics": [str(topic) for topic in topics]})
    return Profile(
        exchange=parse.EXCHANGE,
        url=address(base_url),
        subscriptions=(subscription.decode(),),
        read=read,
        refusal=parse.refusal,
    )


def _complaint(content: Mapping[str, Any]) -> TradehookError:
    """What it says it did not like: what we sent, which is final, or its own state, which passes."""
    said = parse.safe_text(content.get("message")) or "no reason given"
    if "invalid" in said.lower() or content.get("type") in _ACKNOWLEDGEMENTS:
        return Rejected(f"True Markets' stream said no: {said}.", status=400, exchange=parse.EXCHANGE)
    return Unavailable(f"True Markets' stream failed on its side: {said}.", status=500, exchange=parse.EXCHANGE)
