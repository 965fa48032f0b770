"""Prices, liquidity and time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tradehook_sandbox.admin.errands import seconds_field, whole_field
from tradehook_sandbox.clock import LARGEST_OFFSET_SECONDS, micros, rfc3339
from tradehook_sandbox.true_markets.calls import Refusal, choice_field, text_field
from tradehook_sandbox.true_markets.wishes import positive
from tradehook_sandbox.walk import PRICE_SCALE

if TYPE_CHECKING:
    from tradehook_sandbox.admin.errands import Errand
    from tradehook_sandbox.book import Book

_DEEPEST_PERCENT: Final = 10_000
_LEVELS_SHOWN: Final = 10


def get_prices(errand: Errand) -> object:
    """The reference price of each coin."""
    house = errand.sandbox.exchange.house
    return house.market.shown(house.now)


def set_prices(errand: Errand) -> object:
    """`{"BTC": "68000"}`; `"walk": false` makes all prices stand still where they are."""
    house = errand.sandbox.exchange.house
    content = errand.content("walk", *house.market.walks)
    walk = content.pop("walk", None)
    if walk is not None and not isinstance(walk, bool):
        raise Refusal(400, "walk must be true or false")
    prices = {symbol: positive(text_field(content, symbol), symbol, PRICE_SCALE) for symbol in content}
    if walk is not None:
        house.market.hold(house.now, still=not walk)
    for symbol, price in prices.items():
        house.market.set_price(symbol, price, house.now)
    errand.sandbox.exchange.cefi.relay()
    errand.sandbox.fintrusted.spot.relay()
    return get_prices(errand)


def get_book(errand: Errand) -> object:
    """Both sides of each book, ten levels deep; people's orders with their ids."""
    return {
        name: {"depth_percent": book.depth_percent, **book.levels(most=_LEVELS_SHOWN)}
        for name, book in _books(errand).items()
    }


def set_book(errand: Errand) -> object:
    """`{"symbol": "BTC", "depth_percent": 0}`: how much synthetic liquidity there is; 100 is usual, 0 is none.

    FinTrusted's books are called `BTC/USDT` and `ETH/USDT`.
    """
    cefi, spot = errand.sandbox.exchange.cefi, errand.sandbox.fintrusted.spot
    content = errand.content("symbol", "depth_percent")
    books = {**cefi.books, **spot.books}
    symbol = choice_field(content, "symbol", *books)
    books[symbol].depth_percent = whole_field(content, "depth_percent", 0, _DEEPEST_PERCENT)
    cefi.relay()
    spot.relay()
    return get_book(errand)


def _books(errand: Errand) -> dict[str, Book]:
    """Every book of both exchanges, by the name of its market."""
    cefi, spot = errand.sandbox.exchange.cefi, errand.sandbox.fintrusted.spot
    return {**{book.name: book for book in cefi.books.values()}, **spot.books}


def get_clock(errand: Errand) -> object:
    """The sandbox's time, and how far it is from its source."""
    clock = errand.sandbox.clock
    now = clock.now()
    return {"now": rfc3339(micros(now)), "unix_seconds": now, "offset_seconds": clock.offset}


def set_clock(errand: Errand) -> object:
    """`{"advance": 60}` lets a minute pass; `{"offset": 0}` puts the clock that far from real time."""
    content = errand.content("advance", "offset")
    if len(content) != 1:
        raise Refusal(400, "give either advance or offset, in seconds")
    clock = errand.sandbox.clock
    low = 0.0 if "advance" in content else -LARGEST_OFFSET_SECONDS
    seconds = seconds_field(content, next(iter(content)), low, LARGEST_OFFSET_SECONDS)
    try:
        clock.set_offset(clock.offset + seconds if "advance" in content else seconds)
    except ValueError as error:
        raise Refusal(400, str(error)) from None
    errand.sandbox.catch_up()
    return get_clock(errand)
