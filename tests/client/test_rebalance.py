"""From holdings to legs: what is traded, in which order, how much, and why the rest is not."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from tradehook.errors import InvalidInput
from tradehook.models import Balance
from tradehook.rebalance import Goal, Plan, plan

PRICES = {"BTC": Decimal(60000), "ETH": Decimal(3000), "SOL": Decimal(100)}


def held(symbol: str, total: str, *, available: str | None = None, chain: str | None = None) -> Balance:
    free = Decimal(total if available is None else available)
    return Balance(symbol=symbol, chain=chain, total=Decimal(total), available=free, held=Decimal(total) - free)


def goal(targets, **more) -> Goal:
    return Goal.of(targets, quote="PYUSD", **more)


def legs(made: Plan) -> list[tuple[str, str, str]]:
    return [(str(leg.side), leg.base, leg.amount) for leg in made.legs]


def test_sells_before_buys_and_ends_at_the_targets():
    # 30,000 BTC + 15,000 ETH + 5,000 cash = 50,000
    made = plan(
        goal({"BTC": "40", "ETH": "40"}, reserve=0),
        balances=[held("BTC", "0.5"), held("ETH", "5"), held("PYUSD", "5000")],
        prices=PRICES,
    )
    assert legs(made) == [("sell", "BTC", "0.16666666"), ("buy", "ETH", "$5000")]
    assert made.total == Decimal(50000)
    cash = made.holdings[-1]
    assert (cash.symbol, cash.percent, cash.target, cash.drift) == ("PYUSD", Decimal(10), Decimal(20), Decimal(-10))
    assert "60.00 % of the portfolio, target 40 %: outside the band of 1 points" in made.legs[0].why


def test_everything_is_explained():
    made = plan(
        goal({"BTC": "59", "ETH": "30", "SOL": "0"}),
        balances=[
            held("BTC", "0.5"),
            held("ETH", "5"),
            held("SOL", "0.01"),
            held("PYUSD", "5000"),
            held("DOGE", "7"),
            held("USDC", "50", chain="solana"),
        ],
        prices=PRICES,
    )
    explained = {skip.symbol: skip.why for skip in made.skips}
    assert set(explained) | {leg.base for leg in made.legs} == {"BTC", "ETH", "SOL", "DOGE", "USDC"}
    assert "inside the band" in explained["BTC"]
    assert "give it the target 0" in explained["DOGE"]
    assert "on solana" in explained["USDC"]
    assert all(leg.why for leg in made.legs)
    assert any("left alone: DOGE" in line for line in made.lines())


def test_inside_the_band_nothing_happens():
    balances = [held("BTC", "0.5"), held("ETH", "5"), held("PYUSD", "5000")]
    made = plan(goal({"BTC": "59.5", "ETH": "30"}), balances=balances, prices=PRICES)
    assert made.legs == ()
    assert "nothing to trade" in made.lines()
    assert plan(goal({"BTC": "59.5", "ETH": "30"}, band="0"), balances=balances, prices=PRICES).legs != ()


def test_cash_outside_its_band_is_a_reason_of_its_own():
    """Fresh money: every asset is a little short, inside its band, and together they are far off."""
    targets = {"BTC": "30", "ETH": "30", "SOL": "30"}
    balances = [held("BTC", "0.49"), held("ETH", "9.8"), held("SOL", "294"), held("PYUSD", "11800")]
    made = plan(goal(targets, band="1"), balances=balances, prices=PRICES)
    assert {leg.base for leg in made.legs} == {"BTC", "ETH", "SOL"}
    assert all("inside its band, but PYUSD is" in leg.why for leg in made.legs)
    assert plan(goal(targets, band="2"), balances=balances, prices=PRICES).legs == ()


def test_cash_may_be_named_and_the_two_ways_mean_the_same():
    balances = [held("BTC", "1"), held("PYUSD", "1000")]
    named = plan(goal({"BTC": "50", "PYUSD": "50"}), balances=balances, prices=PRICES)
    unnamed = plan(goal({"BTC": "50"}), balances=balances, prices=PRICES)
    assert named == unnamed


def test_a_target_of_zero_sells_all_of_it_without_dust():
    made = plan(goal({"BTC": "0"}), balances=[held("BTC", "0.33333333"), held("PYUSD", "1")], prices=PRICES)
    assert legs(made) == [("sell", "BTC", "0.33333333")]


def test_what_open_orders_hold_is_not_sold():
    made = plan(goal({"BTC": "0"}), balances=[held("BTC", "1", available="0.4"), held("PYUSD", "1")], prices=PRICES)
    assert legs(made) == [("sell", "BTC", "0.4")]
    assert "open orders hold the rest" in made.legs[0].why
    made = plan(goal({"BTC": "0"}), balances=[held("BTC", "1", available="0"), held("PYUSD", "1")], prices=PRICES)
    assert made.legs == ()
    assert "open orders hold the rest" in made.skips[0].why


def test_buys_share_what_is_there_and_say_so():
    made = plan(
        goal({"BTC": "50", "ETH": "50"}, reserve="1"),
        balances=[held("PYUSD", "1000", available="500")],
        prices=PRICES,
    )
    assert legs(made) == [("buy", "BTC", "$245"), ("buy", "ETH", "$245")]
    assert "made smaller from 500.00, since 490.00 PYUSD is there to spend" in made.legs[0].why


def test_the_smallest_trade_holds_for_sells_and_buys():
    balances = [held("BTC", "0.5"), held("ETH", "5"), held("PYUSD", "5000")]
    made = plan(goal({"BTC": "58", "ETH": "32"}, min_trade="1001"), balances=balances, prices=PRICES)
    assert made.legs == ()
    assert all("less than the smallest trade" in skip.why for skip in made.skips)


def test_a_plan_survives_the_journal_exactly():
    made = plan(goal({"BTC": "33.333", "ETH": "0.1"}), balances=[held("PYUSD", "12345.67")], prices=PRICES)
    stored = json.loads(json.dumps(made.to_dict()))
    assert Plan.model_validate(stored) == made
    assert made.legs[0].order().to_dict()["amount"] == made.legs[0].amount
    assert not any(isinstance(value, float) for value in _leaves(stored))


@pytest.mark.parametrize(
    ("targets", "more", "says"),
    [
        ({}, {}, "no targets"),
        ({"BTC": "60", "ETH": "41"}, {}, "101 %"),
        ({"BTC": "60", "PYUSD": "30"}, {}, "10 % is nowhere"),
        ({"PYUSD": "100"}, {}, "nothing but PYUSD"),
        ({"BTC": "60", "btc": "10"}, {}, "twice"),
        ({"BTC": 33.3}, {}, "write it as text: '33.3'"),
        ({"BTC": True}, {}, "write a number"),
        ({"BTC": "-5"}, {}, "write a number"),
        ({"BTC": "1e1"}, {}, "write a number"),
        ({"BTC": "NaN"}, {}, "write a number"),
        ({"BTC": Decimal("NaN")}, {}, "write a number"),
        ({"BTC": None}, {}, "write a number"),
        ({"BTC": "101"}, {}, "up to 100"),
        ({"Ḃ": "1"}, {}, "asset symbol"),
        ({"BTC": "50"}, {"band": "-1"}, "drift band"),
        ({"BTC": "50"}, {"min_trade": "1,000"}, "smallest trade"),
        ({"BTC": "50"}, {"reserve": "51"}, "reserve"),
        ({"BTC": "50"}, {"relative_band": "101"}, "relative band"),
        ({"BTC": "50"}, {"fee": "11"}, "fee"),
        ({"BTC": "50"}, {"buffer": "-1"}, "cash buffer"),
        ({"BTC": "50"}, {"max_turnover": "0"}, "turnover cap of 0"),
        ({"BTC": "50"}, {"coins": ["pyusd"]}, "cash already"),
        ({"BTC": "50"}, {"coins": ["BTC"]}, "a target"),
        ({"BTC": "50"}, {"on_chain": "yes"}, "leave, count, trade"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_a_hint(targets, more, says):
    with pytest.raises(InvalidInput, match=says):
        goal(targets, **more)


def test_a_missing_price_or_an_empty_account_is_refused():
    with pytest.raises(InvalidInput, match="no price for BTC"):
        plan(goal({"BTC": "50"}), balances=[held("PYUSD", "1")], prices={})
    with pytest.raises(InvalidInput, match="nothing to divide"):
        plan(goal({"BTC": "50"}), balances=[held("DOGE", "1")], prices=PRICES)


def test_dollars_by_another_name_are_the_same_cash():
    settled = Goal.of({"BTC": "50", "USD": "50"}, quote="USD").settled_in("PYUSD")
    assert settled == goal({"BTC": "50", "PYUSD": "50"})


def test_the_narrower_band_holds():
    balances = [held("BTC", "0.5"), held("ETH", "5"), held("PYUSD", "5000")]  # 60 %, 30 %, 10 %
    asked = goal({"BTC": "58", "ETH": "32"}, band="3", relative_band="5")
    made = plan(asked, balances=balances, prices=PRICES)
    assert legs(made) == [("buy", "ETH", "$1000")], "2 points are 6.25 % of 32, but 3.4 % of 58"
    assert "outside the band of 1.6 points" in made.legs[0].why
    assert plan(goal({"BTC": "58", "ETH": "32"}, band="3"), balances=balances, prices=PRICES).legs == ()


def test_a_buffer_is_set_aside_before_the_rest_is_divided():
    made = plan(
        goal({"BTC": "50", "ETH": "50"}, buffer="1000", reserve="0"),
        balances=[held("PYUSD", "7000")],
        prices=PRICES,
    )
    assert legs(made) == [("buy", "BTC", "$3000"), ("buy", "ETH", "$3000")]
    assert made.total == Decimal(7000)
    # Less cash than the buffer: something is sold to fill it up.
    made = plan(
        goal({"BTC": "100"}, buffer="1000", reserve="0"),
        balances=[held("BTC", "1"), held("PYUSD", "400")],
        prices=PRICES,
    )
    assert legs(made) == [("sell", "BTC", "0.01")]
    with pytest.raises(InvalidInput, match="Make the buffer smaller"):
        plan(goal({"BTC": "50"}, buffer="5000"), balances=[held("PYUSD", "5000")], prices=PRICES)


def test_fees_are_paid_from_what_is_there():
    made = plan(goal({"BTC": "100"}, fee="1", reserve="0"), balances=[held("PYUSD", "1010")], prices=PRICES)
    assert legs(made) == [("buy", "BTC", "$1000")]


def test_what_is_sold_is_whole_lots():
    balances = [held("BTC", "0.12345"), held("PYUSD", "1000")]
    made = plan(goal({"BTC": "0"}), balances=balances, prices=PRICES, lots={"BTC": Decimal("0.0001")})
    assert legs(made) == [("sell", "BTC", "0.1234")]
    rest = [held("BTC", "0.00005"), held("PYUSD", "8404")]
    again = plan(goal({"BTC": "0"}, min_trade="0"), balances=rest, prices=PRICES, lots={"BTC": Decimal("0.0001")})
    assert again.legs == ()


def test_a_purchase_below_one_lot_says_so():
    asked = goal({"BTC": "1"}, band="0", min_trade="0")
    made = plan(asked, balances=[held("PYUSD", "500")], prices=PRICES, lots={"BTC": Decimal("0.0001")})
    assert made.legs == ()
    assert "less than one lot (6.00 PYUSD)" in made.skips[0].why


def test_several_coins_are_one_cash_and_each_leg_names_its_own():
    asked = goal({"BTC": "60", "ETH": "40"}, coins=("USDG",), reserve="0")
    balances = [held("PYUSD", "700"), held("USDG", "300"), stable("USDT", "10")]
    made = plan(asked, balances=balances, prices=PRICES)
    assert made.total == Decimal(1010)
    paid = [(leg.base, leg.quote, leg.amount) for leg in made.legs]
    assert paid == [("BTC", "PYUSD", "$600"), ("ETH", "PYUSD", "$100"), ("ETH", "USDG", "$300")]
    assert any(skip.symbol == "USDT" and "counts as cash, is not spent" in skip.why for skip in made.skips)


def test_what_is_on_a_chain_is_left_counted_or_traded():
    balances = [held("ETH", "1"), held("ETH", "3", chain="base"), stable("USDC", "3000", chain="base")]
    more = {"balances": balances, "prices": PRICES, "chains": {"ETH": ["base"]}, "chain_quote": "USDC"}
    targets = {"ETH": "50"}
    left = plan(goal(targets, reserve="0"), **more)
    assert (left.total, legs(left)) == (Decimal(3000), [("sell", "ETH", "0.5")])
    counted = plan(goal(targets, reserve="0", on_chain="count"), **more)
    assert (counted.total, legs(counted)) == (Decimal(15000), [("sell", "ETH", "1")])
    assert "only 1 ETH is free" in counted.legs[0].why
    traded = plan(goal(targets, reserve="0", on_chain="trade"), **more)
    assert [(leg.chain, leg.quote, leg.amount) for leg in traded.legs] == [
        (None, "PYUSD", "1"),
        ("base", "USDC", "0.5"),
    ]
    assert traded.legs[1].order().chain == "base"
    bought = plan(goal({"ETH": "100"}, reserve="0", on_chain="trade"), **more)
    assert [(leg.in_words(), leg.chain) for leg in bought.legs] == [("buy ETH for 3000 USDC on base", "base")]
    assert plan(goal({"ETH": "100"}, reserve="0", on_chain="count"), **more).legs == ()


def test_a_turnover_cap_makes_all_legs_smaller():
    balances = [held("BTC", "0.5"), held("ETH", "5"), held("PYUSD", "5000")]
    targets = {"BTC": "40", "ETH": "40"}  # sell 10,000, buy 5,000
    made = plan(goal(targets, max_turnover="6"), balances=balances, prices=PRICES)
    assert legs(made) == [("sell", "BTC", "0.03333333"), ("buy", "ETH", "$1000")]
    assert all("one run trades at most 3000.00 PYUSD (6 %)" in leg.why for leg in made.legs)
    tiny = plan(goal(targets, max_turnover="0.025"), balances=balances, prices=PRICES)
    assert legs(tiny) == [("sell", "BTC", "0.00020833")]
    assert any("nothing of it this time" in skip.why for skip in tiny.skips if skip.symbol == "ETH")
    assert plan(goal(targets, max_turnover="100"), balances=balances, prices=PRICES).legs


def test_the_smallest_is_dropped_before_all_become_too_small():
    """Money for one of three: one is bought in full rather than none."""
    asked = goal({"BTC": "34", "ETH": "33", "SOL": "33"}, reserve="0", min_trade="100")
    made = plan(asked, balances=[held("PYUSD", "1000", available="150")], prices=PRICES)
    assert legs(made) == [("buy", "BTC", "$150")]
    assert {skip.symbol for skip in made.skips} == {"ETH", "SOL", "PYUSD"}
    assert all("its share of what is there to spend" in skip.why for skip in made.skips if skip.symbol != "PYUSD")


def test_a_goal_keeps_its_hash_while_nothing_new_is_asked():
    """Goals frozen before there were more settings must read, and hash, as they did."""
    assert set(goal({"BTC": "50"}).to_dict()) == {"targets", "quote", "band", "min_trade", "reserve"}
    asked = goal({"BTC": "50"}, buffer="5", coins=["usdg"], relative_band="25", max_turnover="10", on_chain="count")
    assert Goal.model_validate(json.loads(json.dumps(asked.to_dict()))) == asked
    assert "5 PYUSD set aside" in asked.rules()


def stable(symbol: str, total: str, *, chain: str | None = None) -> Balance:
    return held(symbol, total, chain=chain).model_copy(update={"is_stable": True})


def _leaves(node):
    if isinstance(node, dict):
        node = list(node.values())
    if isinstance(node, list):
        for item in node:
            yield from _leaves(item)
    else:
        yield node
