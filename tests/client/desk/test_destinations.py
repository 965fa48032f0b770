"""The list of destinations, and what was proved of an account: kept, never changed in place, one list for each host."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from tradehook.desk.journal import Journal
from tradehook.desk.proofs import LISTS_OPEN_ORDERS
from tradehook.desk.tables import DESTINATION
from tradehook.errors import GuardRefused, InvalidInput
from tradehook.transfers import SizedTransfer

HOST, OTHER = "127.0.0.1:8787", "api.example.test"
FIRST, SECOND = "0x52908400098527886E0F7030069857D2E4169EE7", "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"


@pytest.fixture
def journal(tmp_path):
    with Journal.open(f"sqlite:///{tmp_path}/journal.db") as opened:
        yield opened


def sized(address: str = FIRST) -> SizedTransfer:
    return SizedTransfer(
        asset="USDC", asset_id="x", quantity="5", to="cold", address=address, network="base", typed="5"
    )


def test_a_destination_is_added_once_and_found_by_its_label(journal):
    added = journal.destinations.add(HOST, "Cold", network="base", address=FIRST.lower(), by="cli:ann")
    again = journal.destinations.add(HOST, "cold", network="base", address=FIRST, by="cli:bob")
    assert (added.label, added.address, again.added_by) == ("cold", FIRST, "cli:ann")
    assert journal.destinations.get(HOST, "cold").address == FIRST
    assert [entry.label for entry in journal.destinations.list(HOST)] == ["cold"]


def test_a_label_cannot_come_to_mean_another_address_unseen(journal):
    journal.destinations.add(HOST, "cold", network="base", address=FIRST, by="a")
    with pytest.raises(InvalidInput, match="another address already"):
        journal.destinations.add(HOST, "cold", network="base", address=SECOND, by="a")
    assert journal.destinations.get(HOST, "cold").address == FIRST


def test_one_host_does_not_see_the_list_of_another(journal):
    journal.destinations.add(HOST, "cold", network="base", address=FIRST, by="a")
    with pytest.raises(InvalidInput, match="there is none yet"):
        journal.destinations.get(OTHER, "cold")


def test_what_was_taken_off_stays_in_the_record_and_its_label_is_free(journal):
    journal.destinations.add(HOST, "cold", network="base", address=FIRST, by="ann")
    journal.destinations.remove(HOST, "cold", by="bob")
    journal.destinations.add(HOST, "cold", network="base", address=SECOND, by="cid")
    with journal.engine.connect() as connection:
        rows = connection.execute(select(DESTINATION).order_by(DESTINATION.c.destination_id)).all()
    assert [(row.address, row.added_by, row.removed_by) for row in rows] == [
        (FIRST, "ann", "bob"),
        (SECOND, "cid", None),
    ]
    with pytest.raises(InvalidInput):
        journal.destinations.remove(HOST, "warm", by="bob")


def test_a_transfer_made_for_an_address_that_is_gone_or_changed_is_refused(journal):
    with pytest.raises(GuardRefused, match="no longer the address"):
        journal.destinations.check(HOST, sized())
    journal.destinations.add(HOST, "cold", network="base", address=SECOND, by="a")
    with pytest.raises(GuardRefused) as caught:
        journal.destinations.check(HOST, sized())
    assert caught.value.rule == "destination"
    journal.destinations.check(HOST, sized(SECOND))


@pytest.mark.parametrize("label", [FIRST, "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v", "", "a b", "-x", "x" * 41])
def test_an_address_is_no_label(journal, label):
    with pytest.raises(InvalidInput, match="not a destination's label"):
        journal.destinations.add(HOST, label, network="base", address=FIRST, by="a")


def test_a_proof_is_kept_for_its_account_and_the_newest_counts(journal):
    assert journal.proofs.get(HOST, "me", LISTS_OPEN_ORDERS) is None
    journal.proofs.record(HOST, "me", LISTS_OPEN_ORDERS, is_true=True, detail="seen")
    journal.proofs.record(HOST, "me", LISTS_OPEN_ORDERS, is_true=False, detail="not seen")
    found = journal.proofs.get(HOST, "me", LISTS_OPEN_ORDERS)
    assert (found.is_true, found.detail) == (False, "not seen")
    assert journal.proofs.get(HOST, "you", LISTS_OPEN_ORDERS) is None
    assert journal.proofs.get(OTHER, "me", LISTS_OPEN_ORDERS) is None
