"""Questions, codes and the end of a freeze promise on PostgreSQL what they promise on SQLite."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pyotp
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from tradehook.desk.journal import Journal
from tradehook.models import SizedOrder
from tradehook_bot.access import OWNER, TRADER, VIEWER, Access
from tradehook_bot.freeze_end import FreezeEnd, FreezeEnds
from tradehook_bot.groups import Groups
from tradehook_bot.proposals import Proposals, State, Where
from tradehook_bot.questions import OrderAsked
from tradehook_bot.reach import move_rows
from tradehook_bot.store import Store
from tradehook_bot.tables import metadata
from tradehook_bot.totp import TRIES, Totp, Verdict

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
ASKED = OrderAsked(
    sized=SizedOrder(base="BTC", quote="PYUSD", side="buy", quantity=Decimal("0.01"), unit="base", typed="0.01")
)


@pytest.fixture(scope="module")
def store(postgres):
    journal = Journal.open(postgres.new_database())
    store = Store(journal.engine, bot_id=1)
    yield store
    store.close()
    journal.close()


def make(proposals, where):
    proposal, token = proposals.make(
        "order", ASKED, where=where, account="main", typed="/buy", deed="Buy", lifetime=timedelta(seconds=30), at=NOON
    )
    proposals.bind(proposal.proposal_id, message_id=70)
    return proposal, token


def test_migrations_make_exactly_the_tables(store):
    with store.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        changes = compare_metadata(context, metadata)
    ours = [change for change in changes if not (change[0].startswith("remove") and "bot_" not in str(change))]
    assert [change for change in ours if "tradehook" not in str(change)] == []


@pytest.mark.parametrize("where", [Where(7, 7), Where(7, -100, 3)])
def test_a_question_is_answered_once_in_its_own_topic(where, store):
    proposals = Proposals(store)
    _, token = make(proposals, where)
    for wrong in (Where(8, where.chat_id, where.thread_id), Where(7, where.chat_id, 9), Where(7, 1, where.thread_id)):
        assert proposals.confirm(token, where=wrong, message_id=70, at=NOON) is None
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: proposals.confirm(token, where=where, message_id=70, at=NOON), range(40)))
    (one,) = [answer for answer in answers if answer is not None]
    assert one.state is State.CONFIRMED
    assert one.read(OrderAsked) == ASKED


def test_a_code_comes_between_confirm_and_deed(store):
    proposals, where = Proposals(store), Where(7, 7, 5)
    made, token = make(proposals, where)
    minute = timedelta(minutes=1)
    later = NOON + timedelta(seconds=20)
    waits = proposals.confirm(token, where=where, message_id=70, code_within=minute, at=later)
    assert (waits.state, waits.expires_at) == (State.CODE, later + minute)
    assert proposals.confirm(token, where=where, message_id=70, at=later) is None
    assert proposals.waiting_for_code(Where(7, 7), at=later) is None
    assert proposals.waiting_for_code(where, at=later).proposal_id == made.proposal_id
    assert proposals.waiting_for_code(where, at=later + minute) is None
    with ThreadPoolExecutor(8) as threads:
        given = list(threads.map(lambda _: proposals.code_given(made.proposal_id, at=later), range(20)))
    assert len([each for each in given if each is not None]) == 1
    other, token = make(proposals, where)
    proposals.confirm(token, where=where, message_id=70, code_within=minute, at=later)
    assert proposals.code_given(other.proposal_id, at=later + minute) is None
    assert other.proposal_id in [each.proposal_id for each in proposals.expire(at=later + minute)]


def test_a_code_works_once_and_five_wrong_ones_lock(store):
    totp = Totp(store, token="1:" + "A" * 35)
    secret = totp.enrol(7, label="bot", at=NOON).secret
    code = pyotp.TOTP(secret).at(NOON)
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda _: totp.check(7, code, at=NOON), range(20)))
    assert found.count(Verdict.FIRST) == 1
    assert found.count(Verdict.USED) == 19
    at = NOON + timedelta(minutes=2)
    near = {pyotp.TOTP(secret).at(at + timedelta(seconds=30 * off)) for off in (-1, 0, 1)}
    wrong = next(word for word in ("000000", "111111", "222222", "333333") if word not in near)
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda _: totp.check(7, wrong, at=at), range(20)))
    assert found.count(Verdict.WRONG) == TRIES - 1
    assert totp.check(7, pyotp.TOTP(secret).at(at), at=at) is Verdict.LOCKED


def test_the_end_of_a_freeze_is_one(store):
    ends, end = FreezeEnds(store), FreezeEnd(Where(7, 7), "Anna", "then", "2h")
    ends.set(FreezeEnd(Where(8, 8, 2), "Ben", "before", "1h"), asks_at=NOON)
    ends.set(end, asks_at=NOON)
    assert ends.due(at=NOON - timedelta(seconds=1)) is None
    assert ends.due(at=NOON) == end
    ends.forget(end)
    assert ends.due(at=NOON) is None


def test_invitations_and_groups(store):
    access, groups = Access(store), Groups(store)
    code = access.invite(TRADER, at=NOON)
    assert access.claim(code, user_id=1, name="x", at=NOON + timedelta(hours=25)) is None
    with ThreadPoolExecutor(8) as threads:
        won = list(threads.map(lambda each: access.claim(code, user_id=each, name="x", at=NOON), range(10, 30)))
    assert won.count(TRADER) == 1
    trader = access.users()[0].user_id
    viewing = access.invite(VIEWER, at=NOON)
    assert access.claim(viewing, user_id=trader, name="x", at=NOON) is None
    assert access.invitations(at=NOON)[0][0] == VIEWER
    assert access.claim(access.make_code(at=NOON), user_id=trader, name="x", at=NOON) == OWNER
    for topic in (None, 5, 5):
        groups.allow(-7, topic, title="Desk", shows_holdings=topic is None, allowed_by=trader)
    move_rows(store, -7, -1007)
    assert [(each.chat_id, each.thread_id, each.shows_holdings) for each in groups.every()] == [
        (-1007, None, True), (-1007, 5, False),
    ]  # fmt: skip
    assert groups.allowed(-1007, 6) is None
    assert groups.forbid(-1007, 5)
    assert not groups.forbid(-1007, 5)
    gone = access.remove(trader)
    assert (gone.user.role, gone.groups) == (OWNER, 1)
    assert groups.every() == []
    assert access.users() == []
