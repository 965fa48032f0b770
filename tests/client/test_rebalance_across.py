"""Several accounts rebalanced as one: shares of the sum, each trade paid where it is done."""

from __future__ import annotations

from decimal import ROUND_DOWN, Decimal
from itertools import permutations

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from tradehook.errors import InvalidInput
from tradehook.models import Balance, Side
from tradehook.rebalance import Goal, Plan
from tradehook.rebalance_across import Place, plan_across

SYMBOLS = ("BTC", "ETH", "SOL")
PRICES = {"BTC": Decimal(50_000), "ETH": Decimal(2_500), "SOL": Decimal(100)}
LOTS = {"BTC": Decimal("0.0001"), "ETH": Decimal("0.001"), "SOL": Decimal("0.01")}


def row(symbol, total, *, held="0", chain=None):
    total, held = Decimal(total), Decimal(held)
    is_stable = symbol not in SYMBOLS and symbol != "DOGE"
    return Balance(symbol=symbol, chain=chain, total=total, available=total - held, held=held, is_stable=is_stable)


def place(account, quote, *rows, symbols=SYMBOLS, fee="0", no_buys=""):
    return Place(
        account=account,
        quote=quote,
        balances=rows,
        prices={symbol: PRICES[symbol] for symbol in symbols},
        lots={symbol: LOTS[symbol] for symbol in symbols},
        fee=Decimal(fee),
        no_buys=no_buys,
    )


def goal(**options):
    targets = options.pop("targets", {"BTC": "50", "ETH": "30"})
    return Goal.of(targets, quote="PYUSD", **{"reserve": "0", **options})


def legs(made):
    return [(str(leg.side), leg.account, leg.base, leg.quote, leg.value) for leg in made.legs]


def why(made, symbol):
    return " | ".join(skip.why for skip in made.skips if skip.symbol == symbol)


def test_shares_are_of_the_sum_of_both():
    main = place("main", "PYUSD", row("BTC", "0.5"), row("PYUSD", 15_000))
    fin = place("fin", "USDT", row("BTC", "0.5"), row("USDT", 10_000))
    made = plan_across(goal(targets={"BTC": "50", "ETH": "30", "PYUSD": "20"}), places=[main, fin])
    assert (made.total, made.quote) == (Decimal("75000.00"), "USD")
    assert {held.symbol: held.percent for held in made.holdings} == {
        "BTC": Decimal("66.67"),
        "ETH": Decimal("0.00"),
        "USD": Decimal("33.33"),
    }
    assert made.holdings[0].at == {"fin": Decimal("0.5"), "main": Decimal("0.5")}
    traded = {side: sum(one[4] for one in legs(made) if one[0] == side) for side in ("sell", "buy")}
    assert abs(traded["sell"] - 12_500) < 10
    assert abs(traded["buy"] - 22_500) < 10
    assert all(quote == {"main": "PYUSD", "fin": "USDT"}[account] for _, account, _, quote, _ in legs(made))


def test_what_only_one_account_trades_is_paid_by_selling_there():
    """The cash is at main, but only fin trades SOL: fin's own BTC pays for it, and main's stays."""
    main = place("main", "PYUSD", row("BTC", "1"), row("PYUSD", 20_000), symbols=("BTC", "ETH"))
    fin = place("fin", "USDT", row("BTC", "0.6"))
    made = plan_across(goal(targets={"BTC": "60", "SOL": "20"}), places=[main, fin])
    assert legs(made) == [
        ("sell", "fin", "BTC", "USDT", Decimal("20000.00")),
        ("buy", "fin", "SOL", "USDT", Decimal("20000.00")),
    ]
    assert made.legs[1].in_words() == "buy SOL for 20000 USDT at fin"


def test_what_no_account_can_pay_for_is_said_in_words():
    main = place("main", "PYUSD", row("PYUSD", 9_000), symbols=("BTC", "ETH"))
    fin = place("fin", "USDT", row("USDT", 1_000))
    made = plan_across(goal(targets={"SOL": "50"}), places=[main, fin])
    assert legs(made) == [("buy", "fin", "SOL", "USDT", Decimal("1000.00"))]
    said = why(made, "SOL")
    assert "4000.00 of 5000.00 USD are missing" in said
    assert "main does not trade SOL (9000.00 PYUSD are left there)" in said
    assert "fin has no more to spend (0.00 USDT are left there" in said
    assert "no money is moved between accounts" in said
    assert "ends 40.00 points more" in why(made, "USD")


def test_where_nothing_can_be_bought_it_is_sold_all_the_same():
    main = place("main", "PYUSD", row("PYUSD", 1_000))
    fin = place("fin", "USDT", row("BTC", "0.18"), no_buys="No market buys.")
    made = plan_across(goal(targets={"BTC": "50", "ETH": "50"}), places=[main, fin])
    assert legs(made) == [
        ("sell", "fin", "BTC", "USDT", Decimal("4000.00")),
        ("buy", "main", "ETH", "PYUSD", Decimal("1000.00")),
    ]
    said = why(made, "ETH")
    assert (
        "at fin nothing can be bought (4000.00 USDT are left there): No market buys; main has no more to spend" in said
    )
    assert said.endswith("no money is moved between accounts")


def test_no_leg_is_split_that_one_account_can_pay():
    main = place("main", "PYUSD", row("PYUSD", 9_000))
    fin = place("fin", "USDT", row("USDT", 8_000))
    made = plan_across(goal(targets={"BTC": "25", "ETH": "25"}), places=[main, fin])
    assert [one[2] for one in legs(made)] == ["BTC", "ETH"] or len(legs(made)) == 2
    assert all(one[4] == Decimal("4250.00") for one in legs(made))


def test_each_part_of_a_split_leg_is_worth_the_smallest_trade():
    main = place("main", "PYUSD", row("PYUSD", 5_000))
    fin = place("fin", "USDT", row("USDT", 5_000))
    made = plan_across(goal(targets={"BTC": "50.05"}, min_trade="25"), places=[main, fin])
    assert [one[4] for one in legs(made)] == [Decimal("5000.00")]
    assert "5.00 of 5005.00 USD are missing: that is less than the smallest trade" in why(made, "BTC")


def test_what_is_kept_back_is_kept_in_all():
    main = place("main", "PYUSD", row("PYUSD", 9_000))
    fin = place("fin", "USDT", row("USDT", 1_000))
    made = plan_across(goal(targets={"BTC": "100"}, buffer="500", reserve="1"), places=[main, fin])
    assert sum(one[4] for one in legs(made)) == Decimal("9405.00")
    assert {part.account: (part.kept, part.buffer) for part in made.parts} == {
        "fin": (Decimal("59.50"), Decimal("50.00")),
        "main": (Decimal("535.50"), Decimal("450.00")),
    }


def test_each_account_pays_its_own_fee():
    main = place("main", "PYUSD", row("PYUSD", 1_000), fee="1")
    fin = place("fin", "USDT", row("USDT", 1_000))
    made = plan_across(goal(targets={"BTC": "100"}), places=[main, fin])
    paid = {account: value for _, account, _, _, value in legs(made)}
    assert paid["main"] * Decimal("1.01") <= 1000
    assert paid["fin"] <= 1000
    assert sum(paid.values()) > Decimal(1980)


def test_dust_of_an_asset_that_is_to_go_is_sold_everywhere():
    main = place("main", "PYUSD", row("ETH", "1.003"), row("PYUSD", 1_000))
    fin = place("fin", "USDT", row("ETH", "0.021"), row("USDT", 1_000))
    made = plan_across(goal(targets={"ETH": "0"}), places=[main, fin])
    assert [(leg.account, leg.order().amount.value) for leg in made.legs] == [
        ("main", Decimal("1.003")),
        ("fin", Decimal("0.021")),
    ]


def test_what_is_open_in_orders_stays_and_is_said():
    main = place("main", "PYUSD", row("BTC", "0.1", held="0.1"))
    fin = place("fin", "USDT", row("BTC", "0.02"))
    made = plan_across(goal(targets={"BTC": "0"}), places=[main, fin])
    assert [(leg.account, leg.amount) for leg in made.legs] == [("fin", "0.02")]
    assert "5000.00 USD of it stays: the rest is in open orders" in why(made, "BTC")


def test_other_things_are_left_alone_and_say_where_they_are():
    main = place("main", "PYUSD", row("DOGE", 5), row("ETH", 1, chain="base"), row("USDC", 100), row("PYUSD", 10))
    fin = place("fin", "USDT", row("USDT", 10_000))
    made = plan_across(goal(), places=[main, fin])
    said = {skip.symbol: skip.in_words() for skip in made.skips if skip.account}
    assert said["DOGE"] == "DOGE at main: not in the targets; give it the target 0 to sell it"
    assert said["ETH"] == "ETH at main: on base; only what the exchange holds takes part"
    assert said["USDC"] == "USDC at main: 100 counts as cash, is not spent"
    assert made.total == Decimal("10110.00")


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        (goal(targets={"DOGE": "50"}), "traded at none of these accounts: fin, main"),
        (goal(targets={"USDT": "50"}), "USDT is cash at one of these accounts"),
        (goal(on_chain="count"), "what is on a chain is left alone"),
        (goal(buffer="50"), "Make the buffer smaller"),
    ],
)
def test_what_cannot_be_meant_is_refused(wanted, says):
    places = [place("main", "PYUSD", row("PYUSD", 20)), place("fin", "USDT", row("USDT", 20))]
    with pytest.raises(InvalidInput, match=says):
        plan_across(wanted, places=places)


def test_accounts_that_hold_nothing_have_nothing_to_divide():
    with pytest.raises(InvalidInput, match="nothing to divide"):
        plan_across(goal(), places=[place("main", "PYUSD"), place("fin", "USDT")])


# --- what holds of every plan -------------------------------------------------------------------------------------


money = st.decimals(0, 10**5, places=2)


@st.composite
def cases(draw, *, capped=False, is_open=False):
    """Two or three accounts; unless `is_open`, not each trades everything, and some of it is in open orders."""
    places = []
    for account, quote in (("a", "PYUSD"), ("b", "USDT"), ("c", "USDC"))[: draw(st.integers(2, 3))]:
        symbols = draw(st.sets(st.sampled_from(SYMBOLS), min_size=1)) | (
            {*SYMBOLS} if is_open or account == "a" else set()
        )
        rows = []
        for symbol in (*SYMBOLS, quote):
            step = LOTS.get(symbol, Decimal("0.01"))
            worth = draw(st.one_of(st.just(Decimal(0)), money))
            total = (worth / PRICES.get(symbol, 1) / step).to_integral_value(ROUND_DOWN) * step
            rows.append(row(symbol, total, held=total if not is_open and draw(st.integers(0, 5)) == 0 else 0))
        fee = draw(st.sampled_from(["0", "0.1", "1.5"]))
        places.append(place(account, quote, row("USDP", 1000), *rows, symbols=sorted(symbols), fee=fee))
    cuts = sorted(draw(st.lists(st.integers(0, 1000), min_size=3, max_size=3)))
    shares = [cuts[0], cuts[1] - cuts[0], cuts[2] - cuts[1]]
    wanted = Goal.of(
        {symbol: Decimal(share) / 10 for symbol, share in zip(SYMBOLS, shares, strict=True)},
        quote="PYUSD",
        band=draw(st.decimals(0, 10, places=1)),
        min_trade=draw(st.decimals(50, 200, places=2)),
        reserve=Decimal(0) if is_open else draw(st.decimals(0, 3, places=1)),
        buffer=draw(st.just(Decimal(0)) | st.decimals(0, 900, places=0)),
        max_turnover=draw(st.decimals(1, 100, places=0)) if capped else None,
    )
    return places, wanted


def carry_out(places, made):
    """The accounts after every leg, as the exchanges would: whole lots, the fee on top, never into the red."""
    rows = {one.account: {each.symbol: each for each in one.balances} for one in places}
    paid = Decimal(0)
    for leg in made.legs:
        there = next(one for one in places if one.account == leg.account)
        price, lot = there.prices[leg.base], there.lots[leg.base]
        amount = leg.order().amount.value
        quantity = amount if leg.side is Side.SELL else (amount / price / lot).to_integral_value(ROUND_DOWN) * lot
        assert quantity > 0
        assert quantity % lot == 0
        assert leg.quote == there.quote
        sign = 1 if leg.side is Side.BUY else -1
        fee = quantity * price * there.fee / 100
        paid += fee
        for symbol, change in ((leg.base, sign * quantity), (leg.quote, -sign * quantity * price - fee)):
            old = rows[leg.account][symbol]
            assert old.available + change >= 0, f"overspent {symbol} at {leg.account}"
            update = {"total": old.total + change, "available": old.available + change}
            rows[leg.account][symbol] = old.model_copy(update=update)
    after = [
        Place(one.account, one.quote, tuple(rows[one.account].values()), one.prices, one.lots, one.fee, one.no_buys)
        for one in places
    ]
    return after, paid


def worth(places):
    return sum(each.total * PRICES.get(each.symbol, Decimal(1)) for one in places for each in one.balances)


@settings(max_examples=300, deadline=None)
@given(cases())
def test_a_plan_conserves_value_overspends_nowhere_and_brings_everything_nearer(case):
    places, wanted = case
    made = plan_across(wanted, places=places)
    event(f"{len(made.legs)} legs")
    sides = [leg.side for leg in made.legs]
    assert sides == sorted(sides, key=lambda side: side is Side.BUY), "sells come first"
    assert len({(leg.side, leg.base) for leg in made.legs}) == len({leg.base for leg in made.legs})
    for leg in made.legs:
        assert leg.value >= wanted.min_trade
        assert leg.why
    after, paid = carry_out(places, made)
    assert worth(after) + paid == worth(places)
    assert abs(sum(held.percent for held in made.holdings) - 100) < Decimal("0.05")
    again = plan_across(wanted, places=after)
    told = {skip.symbol for skip in (*made.skips, *again.skips)} | {leg.base for leg in again.legs}
    for held in again.holdings:
        assert abs(held.drift) <= wanted.band_of(held.symbol) or held.symbol in told
    rounds = 0
    while again.legs:  # what was too small for one account can leave a rest that is worth one more run
        after, _ = carry_out(after, again)
        again, rounds = plan_across(wanted, places=after), rounds + 1
        assert rounds <= 3, "plans that are carried out come to an end"


@settings(max_examples=200, deadline=None)
@given(cases(is_open=True))
def test_where_everything_is_traded_everywhere_every_target_is_reached(case):
    """No money has to move between accounts for that, as long as no part is less than the smallest trade."""
    places, wanted = case
    made = plan_across(wanted, places=places)
    after, paid = carry_out(places, made)
    slack = (wanted.min_trade * len(places) + paid + 30) / (made.total - wanted.buffer) * 100
    cash = 1000 * len(places)  # USDP, which is not spent
    if made.total - wanted.buffer - cash < sum(wanted.targets.values()) * (made.total - wanted.buffer) / 100:
        return
    for held in plan_across(wanted, places=after).holdings[:-1]:
        assert abs(held.drift) <= wanted.band_of(held.symbol) + slack


@settings(max_examples=150, deadline=None)
@given(cases(capped=True))
def test_a_capped_plan_trades_no_more_than_its_cap(case):
    places, wanted = case
    made = plan_across(wanted, places=places)
    carry_out(places, made)
    assert sum(leg.value for leg in made.legs) <= made.total * wanted.max_turnover / 100 + 1


@settings(max_examples=150, deadline=None)
@given(cases())
def test_the_order_of_the_accounts_changes_nothing_and_every_target_is_told(case):
    places, wanted = case
    made = plan_across(wanted, places=places)
    assert all(plan_across(wanted, places=list(other)) == made for other in permutations(places))
    told = {leg.base for leg in made.legs} | {skip.symbol for skip in made.skips}
    assert told >= set(wanted.symbols)
    assert Plan.model_validate(made.to_dict()) == made
