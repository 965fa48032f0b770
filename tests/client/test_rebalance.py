"""From holdings to legs: what is traded, in which order, how much, and why the rest is not."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradehook.errors import InvalidInput
from tradehook.models import Balance, Side
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
    assert legs(made) == [("buy", "BTC", "$247.5"), ("buy", "ETH", "$247.5")]
    assert "made smaller from 500.00, since 495.00 PYUSD is there to spend" in made.legs[0].why


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


shares = st.lists(st.decimals(0, 100, places=2), min_size=3, max_size=3).filter(lambda parts: sum(parts) <= 100)
amounts = st.decimals(0, 1000, places=6)


@given(shares=shares, btc=amounts, eth=amounts, cash=st.decimals(1, 10**7, places=2), band=st.decimals(0, 5, places=1))
def test_a_plan_never_spends_or_sells_more_than_there_is(shares, btc, eth, cash, band):
    targets = dict(zip(("BTC", "ETH", "SOL"), shares, strict=True))
    balances = [held("BTC", str(btc)), held("ETH", str(eth)), held("PYUSD", str(cash))]
    made = plan(goal(targets, band=band), balances=balances, prices=PRICES)
    sides = [leg.side for leg in made.legs]
    assert sides == sorted(sides, reverse=True), "sells come first"
    has = {"BTC": btc, "ETH": eth, "SOL": Decimal(0)}
    for leg in made.legs:
        assert leg.value >= 10
        if leg.side is Side.SELL:
            assert leg.order().amount.value <= has[leg.base]
    sold = sum(leg.value for leg in made.legs if leg.side is Side.SELL)
    bought = sum(leg.value for leg in made.legs if leg.side is Side.BUY)
    assert bought <= (cash + sold) * Decimal("0.995")
    assert {leg.base for leg in made.legs} | {skip.symbol for skip in made.skips} == set(targets)


def _leaves(node):
    if isinstance(node, dict):
        node = list(node.values())
    if isinstance(node, list):
        for item in node:
            yield from _leaves(item)
    else:
        yield node
