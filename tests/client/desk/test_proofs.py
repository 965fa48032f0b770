"""What was proved of an account: kept by account and name, the last finding alone, and nothing until somebody tried."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from tradehook.desk.journal import Journal
from tradehook.desk.proofs import LIMITS_REST, LISTS_OPEN_ORDERS, Proofs
from tradehook.desk.schema import reading, writing
from tradehook.desk.tables import PROOF

MINE = ("a.example", "user-1", LISTS_OPEN_ORDERS)
OTHERS = [
    ("b.example", "user-1", LISTS_OPEN_ORDERS),
    ("a.example", "user-2", LISTS_OPEN_ORDERS),
    ("a.example", "user-1", LIMITS_REST),
]


@pytest.fixture
def proofs(tmp_path):
    with Journal.open(f"sqlite:///{tmp_path}/journal.db") as journal:
        yield Proofs(journal.engine)


def rows(proofs):
    with reading(proofs._engine) as connection:
        return connection.execute(select(PROOF)).all()


@pytest.mark.parametrize("is_true", [True, False])
def test_a_finding_is_told_as_it_was_made(proofs, is_true):
    before = datetime.now(UTC)
    made = proofs.record(*MINE, is_true=is_true, detail="Order o-1 was there.")
    assert before <= made.proved_at <= datetime.now(UTC)
    assert (made.name, made.is_true, made.detail) == (LISTS_OPEN_ORDERS, is_true, "Order o-1 was there.")
    found = proofs.get(*MINE)
    assert (found.name, found.is_true, found.detail) == (made.name, made.is_true, made.detail)
    assert abs(found.proved_at - made.proved_at) < timedelta(milliseconds=1)
    assert (found.proved_at.utcoffset(), made.proved_at.utcoffset()) == (timedelta(0), timedelta(0))


@pytest.mark.parametrize("other", OTHERS, ids=["another host", "another account", "another finding"])
def test_what_was_found_of_one_says_nothing_of_another(proofs, other):
    assert proofs.get(*MINE) is None
    proofs.record(*other, is_true=True, detail="")
    assert proofs.get(*MINE) is None
    proofs.record(*MINE, is_true=False, detail="")
    assert (proofs.get(*MINE).is_true, proofs.get(*other).is_true) == (False, True)


def test_a_newer_finding_takes_the_place_of_its_older_one_alone(proofs):
    for number, each in enumerate((MINE, *OTHERS)):
        proofs.record(*each, is_true=True, detail=f"old {number}")
    proofs.record(*MINE, is_true=False, detail="new")
    assert (proofs.get(*MINE).is_true, proofs.get(*MINE).detail) == (False, "new")
    assert [proofs.get(*each).detail for each in OTHERS] == ["old 1", "old 2", "old 3"]
    assert len(rows(proofs)) == 4


def test_what_another_version_wrote_and_nobody_here_knows_is_no_proof(proofs):
    proofs.record(*MINE, is_true=True, detail="")
    with writing(proofs._engine) as connection:
        connection.execute(update(PROOF).values(value="perhaps"))
    assert not proofs.get(*MINE).is_true
