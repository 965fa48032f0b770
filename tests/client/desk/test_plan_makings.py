"""What a plan is made of: coins under their own names, assets of a certain address, and what is kept of it."""

from __future__ import annotations

from decimal import Decimal

from tests.client.desk.test_plans import carry_out

from tradehook.desk import plans
from tradehook.models import Asset, Balance
from tradehook.rebalance import Goal
from tradehook.run import run

BUYS = Goal.of({"BTC": "60", "ETH": "40"}, quote="PYUSD", band="1", coins=["USDG"])
TRADE = Goal.of({"BTC": "55", "CBBTC": "8"}, quote="PYUSD", band="0.5", on_chain="trade")


def with_coin(exchange, coin, *, own_name):
    """Cash of another coin is there, which the exchange trades under its own name or under that of its usual one."""
    quoted, balances = exchange.get_quote, exchange.balances

    async def get_quote(symbol, *, quote, **more):
        found = await quoted(symbol, quote="PYUSD", **more)
        return found.model_copy(update={"quote": coin}) if quote == coin and own_name else found

    async def held():
        money = Balance(symbol=coin, total="10000", available="10000", held="0", is_stable=True)
        return [money if row.symbol == "PYUSD" else row for row in await balances()]

    exchange.get_quote, exchange.balances = get_quote, held
    return exchange


def test_a_coin_pays_where_the_exchange_trades_it_under_its_own_name(world):
    made = plans.make(with_coin(world.exchange(), "USDG", own_name=True), BUYS)
    assert [(str(leg.side), leg.base, leg.quote) for leg in made.legs] == [
        ("buy", "ETH", "USDG"),
        ("buy", "BTC", "USDG"),
    ]


def test_a_coin_that_is_traded_under_another_name_pays_for_nothing_by_itself(world):
    made = plans.make(with_coin(world.exchange(), "USDG", own_name=False), BUYS)
    assert "USDG" not in {leg.quote for leg in made.legs}


def doubled(exchange, **changes):
    """The exchange names a second coin like the one on a chain."""
    listed = exchange.list_assets

    async def twice():
        async for asset in listed():
            yield asset
            if (asset.symbol, asset.chain) == ("CBBTC", "base"):
                yield asset.model_copy(update={"asset_id": "another", "address": "0x" + "de" * 20, **changes})

    exchange.list_assets = twice
    return exchange


def on_chain(made):
    return [leg.base for leg in made.legs if leg.chain]


def test_a_name_that_two_coins_of_a_chain_have_is_not_traded_there(world):
    assert on_chain(plans.make(world.exchange(), TRADE)) == ["CBBTC"]
    assert on_chain(plans.make(doubled(world.exchange()), TRADE)) == []


def test_a_coin_that_cannot_be_traded_on_its_chain_is_left_alone(world):
    exchange = world.exchange()
    listed = exchange.list_assets

    async def none_tradeable():
        async for asset in listed():
            yield asset.model_copy(update={"is_tradeable": False}) if asset.symbol == "CBBTC" else asset

    exchange.list_assets = none_tradeable
    assert on_chain(plans.make(exchange, TRADE)) == []


def test_an_unknown_coin_is_told_with_its_chain_however_little_there_is():
    known = Asset(asset_id="a", symbol="CBBTC", venue="defi", chain="base", address="0xAB")
    nowhere = Asset(asset_id="b", symbol="CBBTC", venue="defi", chain="solana")
    rows = [
        Balance(symbol="CBBTC", total=total, available=total, held="0", chain=chain, address=address)
        for chain, address, total in (
            ("base", "0xab", "1"),
            ("base", "0xcd", "0.5"),
            ("base", None, "0.5"),
            ("solana", None, "0.5"),
            ("tron", "0xab", "0.5"),
        )
    ]
    sure, skips = plans._sure(rows, {("CBBTC", "base"): [known], ("CBBTC", "solana"): [nowhere]})
    assert sure == [rows[0], rows[3]]
    assert [(skip.symbol, skip.why) for skip in skips] == [
        ("CBBTC", f"on {chain}; the exchange knows no coin of that name and address there, or several")
        for chain in ("base", "base", "tron")
    ]


def test_a_plan_is_kept_with_its_account_and_told_whole(world):
    desk = world.desk()
    outcome = carry_out(desk)
    assert desk.journal.get("plan-1").asked["account"] == run(desk.exchange.account_id())
    told = outcome.to_dict()
    assert told["plan"] == outcome.plan.to_dict()
    assert (told["intent_id"], told["state"], told["is_stored"]) == ("plan-1", "ACCEPTED", False)
    assert [set(leg) >= {"intent_id", "state", "note", "is_stored", "order"} for leg in told["legs"]] == [True, True]
    assert told["legs"][0]["order"]["order_id"] == outcome.legs[0].order.order_id
    assert told["legs"][0]["order"]["payloads"] == []


def test_the_size_of_a_leg_is_as_planned_unless_nobody_looks_on(world):
    attended = carry_out(world.desk())
    assert [leg.order.quantity for leg in attended.legs[:1]] == [Decimal(attended.plan.legs[0].amount)]
    assert world.desk().journal.get(attended.legs[0].intent_id).sized.tag == 0
