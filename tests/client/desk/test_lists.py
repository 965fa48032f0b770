"""The lists of assets and destinations: each host's own, in order, what was taken off stays, and what is told of them."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from sqlalchemy import select
from tests.client.desk.test_assets import COIN, DOLLAR, HOST, MINT, OTHER, check, on_chain, order, refused
from tests.client.desk.test_destinations import FIRST, SECOND, sized

from tradehook.desk.journal import Journal
from tradehook.desk.schema import reading
from tradehook.desk.tables import ASSET, DESTINATION
from tradehook.errors import GuardRefused, InvalidInput

ELSEWHERE = "api.example.test"
LONG, KEPT = "x" * 300, "x" * 255
SEE = "Nothing was sent. See `tradehook assets list` and `tradehook assets allow`."


@pytest.fixture
def journal(tmp_path):
    with Journal.open(f"sqlite:///{tmp_path}/journal.db") as opened:
        yield opened


@pytest.fixture
def far_east(monkeypatch):
    """A machine whose own time is not UTC."""
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        yield
    time.tzset()


def said(kind, question, *args, **more):
    with pytest.raises(kind) as caught:
        question(*args, **more)
    return caught.value


def rows(journal, table):
    with reading(journal.engine) as connection:
        return connection.execute(select(table)).all()


# --- assets -------------------------------------------------------------------------------------------------------


def test_the_list_is_by_symbol_and_each_place_is_named(journal):
    journal.assets.allow(HOST, "SOL", by="ann", chain="solana", address=MINT)
    journal.assets.allow(HOST, "BTC", by=LONG)
    journal.assets.allow(HOST, "AAA", by="ann", chain="base", address=OTHER)
    journal.assets.allow(HOST, "AAA", by="bob", chain="base", address=COIN)
    told = [(one.symbol, one.venue, one.chain, one.address, one.allowed_by) for one in journal.assets.list(HOST)]
    assert told == [
        ("AAA", "defi", "base", OTHER, "ann"),
        ("AAA", "defi", "base", COIN, "bob"),
        ("BTC", "cefi", None, None, KEPT),
        ("SOL", "defi", "solana", MINT, "ann"),
    ]
    assert journal.assets.list(ELSEWHERE) == []


@pytest.mark.usefixtures("far_east")
def test_when_an_asset_was_allowed_and_taken_off_is_kept_in_utc(journal):
    before = datetime.now(UTC)
    made = journal.assets.allow(HOST, "BTC", by="ann")
    assert made.allowed_at.tzinfo is UTC
    assert journal.assets.allow(HOST, "BTC", by="bob") == made
    journal.assets.remove(HOST, "BTC", by=LONG)
    (row,) = rows(journal, ASSET)
    assert row.removed_by == KEPT
    assert before <= made.allowed_at <= datetime.fromisoformat(row.removed_at) <= datetime.now(UTC)
    assert datetime.fromisoformat(row.allowed_at) == made.allowed_at


def test_money_as_the_base_does_not_let_anything_else_through(journal):
    journal.assets.allow(HOST, "BTC", by="ann")
    assert refused(journal, order("PYUSD", quote="ETH")).message == (
        f"ETH at the exchange is not on the list of assets that may be traded. {SEE}"
    )
    check(journal, order("PYUSD", quote="BTC"))


@pytest.mark.parametrize(
    ("settled", "says", "limit", "actual"),
    [
        (on_chain(OTHER), f"CBBTC on base is {OTHER} here, but the one that may be traded is {COIN}.", COIN, OTHER),
        (on_chain(None), f"CBBTC on base is None here, but the one that may be traded is {COIN}.", COIN, "CBBTC"),
        (on_chain(chain="polygon"), "CBBTC on polygon is not on the list of assets that may be traded.", None, COIN),
        (order("CBBTC"), "CBBTC at the exchange is not on the list of assets that may be traded.", None, "CBBTC"),
        (
            on_chain(base="TWICE"),
            "2 allowed assets on base are called TWICE, so it does not trade: take one off the list.", None, COIN,
        ),
    ],
)  # fmt: skip
def test_a_refusal_says_which_asset_where_and_what_is_allowed_instead(journal, settled, says, limit, actual):
    for symbol, address in (("CBBTC", COIN), ("USDC", DOLLAR), ("TWICE", COIN), ("TWICE", OTHER)):
        journal.assets.allow(HOST, symbol, by="ann", chain="base", address=address)
    error = refused(journal, settled)
    assert (error.message, error.limit, error.actual) == (f"{says} {SEE}", limit, actual)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({}, "CBBTC is not on the list."),
        ({"chain": "solana"}, "CBBTC on solana is not on the list."),
        ({"chain": "base"}, "CBBTC on base is there several times: name its address."),
        ({"chain": "base", "address": MINT}, "CBBTC on base is not on the list."),
    ],
)
def test_what_cannot_be_taken_off_is_told_with_its_place(journal, options, says):
    for address in (COIN, OTHER):
        journal.assets.allow(HOST, "CBBTC", by="ann", chain="base", address=address)
    error = said(InvalidInput, journal.assets.remove, HOST, "CBBTC", by="ann", **options)
    assert error.message == f"{says} `tradehook assets list` shows it."
    assert len(journal.assets.list(HOST)) == 2


def test_what_the_exchange_holds_has_no_address_that_could_be_named(journal):
    journal.assets.allow(HOST, "BTC", by="ann")
    assert (
        "BTC is not on the list" in said(InvalidInput, journal.assets.remove, HOST, "BTC", by="a", address=COIN).message
    )
    assert journal.assets.remove(HOST, "BTC", by="ann").symbol == "BTC"


# --- destinations -------------------------------------------------------------------------------------------------


def add(journal, label="cold", host=HOST, **more):
    return journal.destinations.add(host, label, **{"network": "base", "address": FIRST, "by": "ann", **more})


def test_the_list_is_by_label_and_each_hosts_own(journal):
    for label in ("warm", "cold", "old"):
        add(journal, label)
    add(journal, "cold", ELSEWHERE, address=SECOND)
    journal.destinations.remove(HOST, "old", by="bob")
    assert [one.label for one in journal.destinations.list(HOST)] == ["cold", "warm"]
    assert [(one.label, one.address) for one in journal.destinations.list(ELSEWHERE)] == [("cold", SECOND)]


def test_what_is_taken_off_is_that_one_there_and_nothing_else(journal):
    add(journal)
    journal.destinations.remove(HOST, "cold", by="bob")
    add(journal, address=SECOND)
    add(journal, "warm")
    add(journal, host=ELSEWHERE)
    assert journal.destinations.remove(HOST, "Cold", by="cid").address == SECOND
    assert [one.label for one in journal.destinations.list(HOST)] == ["warm"]
    assert [one.label for one in journal.destinations.list(ELSEWHERE)] == ["cold"]
    told = [(row.host, row.label, row.address, row.removed_by) for row in rows(journal, DESTINATION)]
    assert told == [
        (HOST, "cold", FIRST, "bob"),
        (HOST, "cold", SECOND, "cid"),
        (HOST, "warm", FIRST, None),
        (ELSEWHERE, "cold", FIRST, None),
    ]


@pytest.mark.usefixtures("far_east")
def test_when_a_destination_was_added_and_taken_off_is_kept_in_utc(journal):
    before = datetime.now(UTC)
    made = add(journal, by=LONG, network=" Base ", day_cap=Decimal(50))
    assert (made.label, made.network, made.added_by, made.day_cap) == ("cold", "base", KEPT, 50)
    assert journal.destinations.list(HOST) == [made]
    assert made.added_at.tzinfo is UTC
    journal.destinations.remove(HOST, "cold", by=LONG)
    (row,) = rows(journal, DESTINATION)
    assert row.removed_by == KEPT
    assert before <= made.added_at <= datetime.fromisoformat(row.removed_at) <= datetime.now(UTC)


@pytest.mark.parametrize(
    ("first", "again", "told"),
    [
        (None, None, None),
        (None, "50", "no"),
        ("50", "50", None),
        ("50", "50.0", None),
        ("50", "60", "50"),
        ("50", None, None),
    ],
)
def test_a_cap_is_not_changed_by_adding_it_again(journal, first, again, told):
    made = add(journal, day_cap=first and Decimal(first))
    cap = again and Decimal(again)
    if told is None:
        assert add(journal, by="bob", day_cap=cap) == made
    else:
        assert said(InvalidInput, add, journal, day_cap=cap).message == (
            f"cold is on the list already, with {told} cap a day. Take it off first with `tradehook destinations "
            "remove cold`; its cool-off then begins anew."
        )
    assert journal.destinations.list(HOST) == [made]


def test_a_label_that_is_taken_is_told_with_its_address(journal):
    add(journal)
    assert said(InvalidInput, add, journal, address=SECOND).message == (
        f"cold is another address already ({FIRST} on base). Take it off the list first with `tradehook destinations "
        "remove cold`, or choose another label."
    )
    assert add(journal, host=ELSEWHERE, address=SECOND).address == SECOND


@pytest.mark.parametrize("there", [(), ("cold",), ("cold", "warm")])
def test_an_unknown_label_is_told_cut_short_with_those_there_are(journal, there):
    for label in there:
        add(journal, label)
    known = f"there is {', '.join(there)}" if there else "there is none yet"
    asked = "no-such-label-" * 3
    error = said(InvalidInput, journal.destinations.get, HOST, asked)
    assert error.message == (
        f"No destination is called {asked[:40]}; {known}. Put it on the list with `tradehook destinations add "
        f"{asked[:40]} --network NETWORK ADDRESS`."
    )
    assert error.details["suggestions"] == there
    error = said(InvalidInput, journal.destinations.remove, HOST, "gone", by="ann")
    assert (error.message, error.details["suggestions"]) == (f"No destination is called gone; {known}.", there)


@pytest.mark.parametrize(
    "changed", [{"address": SECOND}, {"network": "ethereum"}, None], ids=["address", "network", "gone"]
)
def test_a_transfer_for_an_address_that_is_not_there_any_more_says_whose(journal, changed):
    add(journal, "warm")
    if changed is not None:
        add(journal, **changed)
    error = said(GuardRefused, journal.destinations.check, HOST, sized())
    assert (error.rule, error.actual) == ("destination", "cold")
    assert error.message == (
        "Not sent: cold is no longer the address this transfer was made for. Look at `tradehook destinations`, and "
        "begin again with a new transfer."
    )
