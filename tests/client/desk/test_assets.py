"""What may be traded is known by where it stands and its address, never by symbol alone."""

from __future__ import annotations

from decimal import Decimal

import pytest
from sqlalchemy import select

from tradehook.desk import assets
from tradehook.desk.journal import Journal
from tradehook.desk.schema import reading
from tradehook.desk.tables import ASSET
from tradehook.errors import GuardRefused, InvalidInput
from tradehook.models import NewOrder, SizedOrder
from tradehook.run import run

HOST = "127.0.0.1:8787"
COIN, OTHER = "0x52908400098527886E0F7030069857D2E4169EE7", "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
DOLLAR = "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913"
MINT, CASED = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v", "epjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"


@pytest.fixture
def journal(tmp_path):
    with Journal.open(f"sqlite:///{tmp_path}/journal.db") as opened:
        yield opened


def order(base="BTC", quote="PYUSD", **more) -> SizedOrder:
    return SizedOrder(base=base, quote=quote, side="buy", quantity="5", unit="quote", typed="$5", **more)


def on_chain(base_address=COIN, quote_address=DOLLAR, chain="base", **more) -> SizedOrder:
    fields = {"base": "CBBTC", "quote": "USDC", **more}
    return order(base_address=base_address, quote_address=quote_address, chain=chain, **fields)


def check(journal, settled, *, is_live=False):
    with reading(journal.engine) as connection:
        assets.check(connection, host=HOST, order=settled, is_live=is_live)


def refused(journal, settled, **more) -> GuardRefused:
    with pytest.raises(GuardRefused) as caught:
        check(journal, settled, **more)
    assert caught.value.rule == "asset"
    return caught.value


def test_without_a_list_everything_trades_but_not_live(journal):
    for settled in (order(), on_chain()):
        check(journal, settled)
        refused(journal, settled, is_live=True)


@pytest.mark.parametrize("is_live", [True, False])
def test_with_a_list_only_what_is_on_it_trades(journal, is_live):
    journal.assets.allow(HOST, "btc", by="ann")
    check(journal, order(), is_live=is_live)
    check(journal, order(quote="USDC"), is_live=is_live)
    assert "ETH at the exchange is not on the list" in refused(journal, order("ETH"), is_live=is_live).message
    refused(journal, order(quote="ETH"), is_live=is_live)
    refused(journal, on_chain(base="BTC"), is_live=is_live)  # the same symbol elsewhere is something else
    journal.assets.allow("elsewhere", "ETH", by="ann")
    refused(journal, order("ETH"), is_live=is_live)


def test_on_a_chain_the_address_counts_for_both_sides(journal):
    journal.assets.allow(HOST, "CBBTC", chain="base", address=COIN, by="ann")
    assert refused(journal, on_chain()).actual == DOLLAR  # money's name can be taken by anybody there
    journal.assets.allow(HOST, "USDC", chain="base", address=DOLLAR, by="ann")
    check(journal, on_chain(), is_live=True)
    check(journal, on_chain(COIN.lower()), is_live=True)
    error = refused(journal, on_chain(OTHER))
    assert (error.limit, error.actual) == (COIN, OTHER)
    refused(journal, on_chain(None))
    refused(journal, on_chain(chain="polygon"))


def test_an_address_that_is_not_of_ethereums_kind_is_another_in_another_case(journal):
    journal.assets.allow(HOST, "CBBTC", chain="solana", address=MINT, by="ann")
    journal.assets.allow(HOST, "USDC", chain="solana", address=DOLLAR, by="ann")
    check(journal, on_chain(MINT, chain="solana"))
    refused(journal, on_chain(CASED, chain="solana"))


def test_a_symbol_that_two_allowed_assets_have_does_not_trade(journal):
    for address in (COIN, OTHER):
        journal.assets.allow(HOST, "CBBTC", chain="base", address=address, by="ann")
    journal.assets.allow(HOST, "USDC", chain="base", address=DOLLAR, by="ann")
    assert "2 allowed assets on base are called CBBTC" in refused(journal, on_chain()).message
    journal.assets.remove(HOST, "CBBTC", chain="base", address=OTHER, by="bob")
    check(journal, on_chain())


def test_allowing_twice_is_once_and_what_was_taken_off_stays_in_the_record(journal):
    first = journal.assets.allow(HOST, "CBBTC", chain="base", address=COIN, by="ann")
    assert journal.assets.allow(HOST, "CBBTC", chain="base", address=COIN.lower(), by="bob") == first
    assert journal.assets.list(HOST) == [first]
    assert first.to_dict()["venue"] == "defi"
    journal.assets.remove(HOST, "CBBTC", chain="base", by="bob")
    assert journal.assets.list(HOST) == []
    journal.assets.allow(HOST, "CBBTC", chain="base", address=COIN, by="cid")
    with reading(journal.engine) as connection:
        rows = connection.execute(select(ASSET).order_by(ASSET.c.asset_row)).all()
    assert [(row.allowed_by, row.removed_by) for row in rows] == [("ann", "bob"), ("cid", None)]


def test_what_cannot_be_put_on_the_list_or_taken_off_it(journal):
    for wrong in ({"chain": "base"}, {"address": COIN}):
        with pytest.raises(InvalidInput, match="by chain and address"):
            journal.assets.allow(HOST, "CBBTC", by="ann", **wrong)
    with pytest.raises(InvalidInput, match="is not on the list"):
        journal.assets.remove(HOST, "BTC", by="ann")
    for address in (COIN, OTHER):
        journal.assets.allow(HOST, "CBBTC", chain="base", address=address, by="ann")
    with pytest.raises(InvalidInput, match="several times"):
        journal.assets.remove(HOST, "CBBTC", chain="base", by="ann")


def test_the_desk_sends_no_order_for_what_is_not_allowed(world):
    desk = world.desk()
    desk.journal.assets.allow(desk.exchange.host, "ETH", by="ann")
    buy = NewOrder.of("BTC/PYUSD", side="buy", amount="$50")
    with pytest.raises(GuardRefused, match="BTC at the exchange is not on the list"):
        desk.place_order(buy, intent_id="i-1", source="test")
    chained = NewOrder.of("CBBTC/USDC", side="buy", amount="$50", chain="base")
    with pytest.raises(GuardRefused, match="CBBTC on base is not on the list"):
        desk.place_order(chained, intent_id="i-2", source="test")
    settled = run(desk.exchange.size_order(chained))
    for symbol, address in ((settled.base, settled.base_address), (settled.quote, settled.quote_address)):
        desk.journal.assets.allow(desk.exchange.host, symbol, chain="base", address=address, by="ann")
    assert desk.place_order(chained, intent_id="i-2", source="test").sized.quantity == Decimal(50)
    assert world.sends("POST", "/orders") == 1
