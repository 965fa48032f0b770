"""The ledger: nothing appears, nothing vanishes, nobody is overdrawn."""

from __future__ import annotations

import pytest

from tradehook_sandbox.ledger import MAKER, OUTSIDE, Ledger, Overdrawn, Unbalanced


def moved(ledger, source, target, units, asset="BTC"):
    ledger.move(asset, source=source, target=target, units=units, reason="test", at_micros=1)


def test_a_posting_moves_units_from_one_account_to_another():
    ledger = Ledger()
    moved(ledger, OUTSIDE, "user:a:available", 10)
    moved(ledger, "user:a:available", MAKER, 4)
    assert ledger.balance("user:a:available", "BTC") == 6
    assert ledger.balance(MAKER, "BTC") == 4
    assert ledger.balance(OUTSIDE, "BTC") == -10
    assert ledger.audit() == {"BTC": 0}
    assert [entry.units for entry in ledger.recent] == [10, 4]
    ledger.check()


def test_people_cannot_go_below_zero_and_a_refused_posting_leaves_no_trace():
    ledger = Ledger()
    moved(ledger, OUTSIDE, "user:a:available", 10)
    before = list(ledger.balances())
    with pytest.raises(Overdrawn):
        moved(ledger, "user:a:available", MAKER, 11)
    assert list(ledger.balances()) == before
    assert ledger.entries == 1


def test_the_house_trades_on_credit():
    ledger = Ledger()
    moved(ledger, MAKER, "user:a:available", 5)
    moved(ledger, "pool:base", "user:a:available", 5)
    ledger.check()


def test_assets_do_not_mix():
    ledger = Ledger()
    moved(ledger, OUTSIDE, "user:a:available", 10, asset="base:USDC")
    with pytest.raises(Overdrawn):
        moved(ledger, "user:a:available", MAKER, 1, asset="solana:USDC")


def test_a_negative_posting_is_a_mistake():
    with pytest.raises(ValueError, match="negative"):
        moved(Ledger(), OUTSIDE, MAKER, -1)


def test_a_balance_changed_behind_the_ledgers_back_shows():
    ledger = Ledger({("user:a:available", "BTC"): 10, (OUTSIDE, "BTC"): -9})
    with pytest.raises(Unbalanced, match="BTC is off by 1"):
        ledger.check()
    assert ledger.audit() == {"BTC": 1}


def test_an_audit_finds_an_overdrawn_person():
    ledger = Ledger({("user:a:held", "BTC"): -1, (OUTSIDE, "BTC"): 1})
    with pytest.raises(Unbalanced, match="user:a:held"):
        ledger.audit()


def test_postings_are_kept_for_a_store_only_when_one_asks():
    ledger = Ledger()
    moved(ledger, OUTSIDE, "a", 1)
    assert ledger.unsaved == []
    ledger.keep_unsaved()
    moved(ledger, OUTSIDE, "a", 2)
    assert [entry.number for entry in ledger.unsaved] == [2]
