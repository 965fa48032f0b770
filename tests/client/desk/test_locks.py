"""On PostgreSQL, who reserves for an account keeps others of the same account waiting, and nobody else."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from tradehook.desk.journal import Journal
from tradehook.desk.reserve import lock_account

HELD = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND pid = pg_backend_pid()"


@pytest.fixture
def engine(postgres):
    with Journal.open(postgres.new_database()) as journal:
        yield journal.engine


def locks(connection) -> int:
    return connection.execute(text(HELD)).scalar_one()


def test_the_same_account_waits_until_the_transaction_ends(engine):
    with engine.begin() as first:
        lock_account(first, "h", "a")
        assert locks(first) == 1
        with pytest.raises(OperationalError, match="lock timeout"), engine.begin() as second:
            second.execute(text("SET LOCAL lock_timeout = '50ms'"))
            lock_account(second, "h", "a")
    with engine.begin() as third:
        third.execute(text("SET LOCAL lock_timeout = '50ms'"))
        lock_account(third, "h", "a")
        assert locks(third) == 1


@pytest.mark.parametrize(("host", "account"), [("h", "b"), ("g", "a")])
def test_another_account_and_another_exchange_do_not_wait(engine, host, account):
    with engine.begin() as first, engine.begin() as second:
        second.execute(text("SET LOCAL lock_timeout = '50ms'"))
        lock_account(first, "h", "a")
        lock_account(second, host, account)
        assert (locks(first), locks(second)) == (1, 1)
