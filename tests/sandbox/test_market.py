"""Prices and books: seeded, gentle, thick enough for small orders and thin enough for large ones."""

from __future__ import annotations

from itertools import pairwise

from tradehook_sandbox.book import BASE_SCALE, Book, notional
from tradehook_sandbox.market import Market
from tradehook_sandbox.true_markets.increments import increment_at
from tradehook_sandbox.true_markets.sweep import affordable, fee_on, sweep
from tradehook_sandbox.units import parse_units
from tradehook_sandbox.walk import PRICE_SCALE, Walk

DOLLAR = 10**PRICE_SCALE
BTC = 10**BASE_SCALE


def walk(seed=1, price="67340.2"):
    return Walk(seed=seed, symbol="BTC", anchor=parse_units(price, PRICE_SCALE))


def book(seed=1, price="67340.2"):
    return Book("BTC/PYUSD", seed=seed, walk=walk(seed, price), grid=increment_at)


def test_prices_start_where_they_are_said_to():
    market = Market(seed=7, origin_micros=0)
    assert market.shown(0) == {"BTC": "67340.2", "ETH": "3456.78", "SOL": "86.51"}


def test_the_path_is_a_function_of_seed_and_time_alone():
    first, second = walk(), walk()
    later = first.price(5_000)
    for step in range(100):
        second.price(step)
    assert second.price(5_000) == later
    assert walk(seed=2).price(5_000) != later


def test_the_path_is_gentle():
    path = walk()
    prices = [path.price(step) for step in range(7_200)]
    jumps = [abs(after - before) / before for before, after in pairwise(prices)]
    assert max(jumps) < 0.0002, "half a second moves less than two basis points"
    assert max(prices) / min(prices) < 1.02, "an hour moves less than two percent"
    assert len(set(prices)) > 5_000, "and it does move"


def test_a_year_ahead_costs_no_more_than_a_second():
    price = walk().price(2 * 365 * 86_400)
    assert 60_000 * DOLLAR < price < 75_000 * DOLLAR


def test_a_pinned_price_holds_at_that_step_and_walks_on():
    path = walk()
    path.pin(70_000 * DOLLAR, step=500)
    assert path.price(500) == 70_000 * DOLLAR
    assert path.price(900) != 70_000 * DOLLAR
    path.hold(step=900, still=True)
    assert path.price(900) == path.price(90_000)


def test_both_sides_stand_on_the_grid_around_the_price():
    one = book()
    bids, asks = list(one.offers("buy")), list(one.offers("sell"))
    assert len(bids) == len(asks) == 24
    assert bids[0].price < one.reference < asks[0].price
    assert asks[0].price - bids[0].price < 5 * DOLLAR
    assert [offer.price for offer in bids] == sorted((offer.price for offer in bids), reverse=True)
    assert [offer.price for offer in asks] == sorted(offer.price for offer in asks)
    for offer in (*bids, *asks):
        increment = increment_at(offer.price)
        assert offer.price % increment.tick == 0
        assert offer.quantity % increment.lot == 0
        assert offer.quantity > 0


def test_half_a_bitcoin_fills_within_a_few_levels_and_a_hundred_do_not():
    for seed in range(20):
        one = book(seed)
        small = sweep(one, "buy", quantity=BTC // 2)
        assert small.is_whole
        assert len(small.takes) <= 8
        assert sweep(one, "buy", quantity=BTC // 100).is_whole
        large = sweep(one, "buy", quantity=100 * BTC)
        assert not large.is_whole
        assert large.takes[-1][0].price > large.takes[0][0].price, "it walks the book"


def test_the_same_seed_gives_the_same_book():
    assert [(o.price, o.quantity) for o in book().offers("sell")] == [
        (o.price, o.quantity) for o in book().offers("sell")
    ]
    assert [o.price for o in book().offers("sell")] != [o.price for o in book(seed=2).offers("sell")]


def test_liquidity_that_was_taken_comes_back_with_the_next_step():
    one = book()
    taken = next(one.offers("sell"))
    one.take(taken, taken.quantity)
    assert next(one.offers("sell")).price > taken.price
    assert list(one.move_to(1)) == []
    assert len(list(one.offers("sell"))) == 24


def test_an_order_that_rested_before_stands_before_the_ladder_at_its_price_and_a_new_one_behind():
    one = book()
    one._walk.hold(step=0, still=True)
    price = next(one.offers("buy")).price
    one.rest("new", "buy", price=price, quantity=BTC)
    at_price = [offer.order_id for offer in one.offers("buy") if offer.price == price]
    assert at_price == [None, "new"]
    assert list(one.move_to(1)) == []
    assert next(offer.order_id for offer in one.offers("buy") if offer.price == price) == "new"
    one.rest("newer", "buy", price=price, quantity=BTC)
    ids = [offer.order_id for offer in one.offers("buy") if offer.order_id]
    assert ids == ["new", "newer"]


def test_a_resting_order_is_filled_in_parts_when_the_price_comes_to_it():
    one = book()
    one.rest("mine", "buy", price=67_340 * DOLLAR, quantity=30 * BTC)
    one._walk.pin(67_330 * DOLLAR, step=0)
    fills = list(one.relay())
    assert fills
    assert {fill.price for fill in fills} == {67_340 * DOLLAR}, "at its own price"
    filled = sum(fill.quantity for fill in fills)
    assert 0 < filled < 30 * BTC
    later = [fill for step in range(1, 400) for fill in one.move_to(step)]
    assert filled + sum(fill.quantity for fill in later) == 30 * BTC
    assert not [offer for offer in one.offers("buy") if offer.order_id]


def test_a_long_jump_of_the_clock_still_meets_the_prices_in_between():
    one, path = book(), walk()
    lowest = min(path.price(step) for step in range(0, 20_000, 40))
    one.rest("mine", "buy", price=(lowest + 20 * DOLLAR) // DOLLAR * DOLLAR, quantity=BTC // 100)
    assert sum(fill.quantity for fill in one.move_to(20_000)) == BTC // 100


def test_no_depth_means_no_offers():
    one = book()
    one.depth_percent = 0
    assert list(one.relay()) == []
    assert list(one.offers("sell")) == []


def test_the_smallest_and_largest_prices_make_a_book_too():
    for price in ("0.0000000001", "0.00005", "0.9", "999999999999999"):
        one = book(price=price)
        assert list(one.offers("sell"))
        assert all(offer.price > 0 and offer.quantity > 0 for offer in one.offers("buy"))


def test_the_fee_is_four_basis_points_and_what_is_affordable_includes_it():
    assert fee_on(10_000) == 4
    for funds in (0, 1, 9_999, 10_004, 123_456_789, 10**15 + 7):
        cap = affordable(funds)
        assert cap + fee_on(cap) <= funds or cap == 0
        assert cap + 1 + fee_on(cap + 1) > funds


def test_a_fill_on_the_grid_is_never_rounded():
    for row in (increment_at(price * DOLLAR // 1_000) for price in (1, 500, 5_000_000, 67_000_000, 700_000_000)):
        assert notional(row.tick, row.lot) * 10 ** (PRICE_SCALE + BASE_SCALE - 9) == row.tick * row.lot
