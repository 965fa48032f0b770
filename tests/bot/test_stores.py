"""What the database promises by itself, whatever the loop above it does."""

from __future__ import annotations

import shutil
import socket
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text, update

from tradehook.desk.journal import Journal
from tradehook.desk.schema import upgrade
from tradehook.models import SizedOrder
from tradehook_bot import tables
from tradehook_bot.access import CODE_FOR, Access
from tradehook_bot.chats import Chats
from tradehook_bot.order_messages import OrderMessages
from tradehook_bot.outbox import Letter, Outbox
from tradehook_bot.proposals import Proposals, State, Where
from tradehook_bot.questions import OrderAsked
from tradehook_bot.store import NEWEST, Store, read_stamp, stamp
from tradehook_bot.tables import PROPOSAL, metadata

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
SIZED = SizedOrder(base="BTC", quote="PYUSD", side="buy", quantity=Decimal("0.01"), unit="base", typed="0.01")
ASKED = OrderAsked(sized=SIZED, shown_price=Decimal("67340.2"), good_until_price=Decimal("67676.9"))
ANNA = {"where": Where(7, 7), "message_id": 70}


@pytest.fixture
def proposals(store):
    return Proposals(store)


def make(proposals, *, bind=True, **more):
    values = {
        "where": Where(7, 7),
        "account": "main",
        "typed": "/buy BTC 0.01",
        "deed": "Buy 0.0100 BTC for 673.67",
        "lifetime": timedelta(seconds=30),
        "at": NOON,
        **more,
    }
    proposal, token = proposals.make("order", ASKED, **values)
    if bind:
        proposals.bind(proposal.proposal_id, message_id=70)
    return proposal, token


def test_migrations_make_exactly_the_tables(store):
    with store.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        ours = [
            change
            for change in compare_metadata(context, metadata)
            if not (change[0] in ("remove_table", "remove_index") and not change[1].name.startswith("bot_"))
        ]
        assert [change for change in ours if "tradehook" not in str(change)] == []
        assert connection.execute(text("SELECT version_num FROM tradehook_bot_version")).scalar() == NEWEST


def test_the_tables_stand_beside_the_journals_and_open_again(store):
    again = Store(store.engine, bot_id=1)
    again.close()
    with store.engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM intent")).scalar() == 0


def test_a_database_of_the_first_version_is_brought_up_to_this_one(tmp_path):
    old = tmp_path / "migrations"
    shutil.copytree(Path(tables.__file__).parent / "migrations", old)
    for script in (old / "versions").glob("*.py"):
        if not script.name.startswith("0001"):
            script.unlink()
    journal = Journal.open(f"sqlite:///{tmp_path}/journal.db")
    upgrade(journal.engine, scripts=old, version_table="tradehook_bot_version", newest="0001")
    with journal.engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO bot_proposal (proposal_id, bot_id, user_id, chat_id, message_id, token_hash, typed, sized,"
                " deed, state, has_buttons, made_at, expires_at)"
                " VALUES ('chat-1', 1, 7, 7, 70, 'x', '/buy', :sized, 'Buy', 'open', true, :at, :at)"
            ),
            {"sized": SIZED.model_dump_json(), "at": stamp(NOON)},
        )
    store = Store(journal.engine, bot_id=1)
    try:
        kept = Proposals(store).get("chat-1")
        assert kept.read(OrderAsked) == ASKED.model_copy(update={"shown_price": None, "good_until_price": None})
        assert kept.account is None
        chats = Chats(store)
        assert chats.account(7) is None
        chats.choose(7, "main")
        chats.choose(7, "second")
        assert chats.account(7) == "second"
        assert chats.account(8) is None
    finally:
        store.close()
        journal.close()


def test_a_question_is_answered_once_by_a_hundred_presses(proposals):
    _, token = make(proposals)
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: proposals.confirm(token, **ANNA, at=NOON), range(100)))
    (one,) = [answer for answer in answers if answer is not None]
    assert one.state is State.CONFIRMED
    assert one.read(OrderAsked) == ASKED
    assert one.message_id == 70


@pytest.mark.parametrize(
    "wrong", [{"where": Where(8, 7)}, {"where": Where(7, 8)}, {"where": Where(7, 7, 3)}, {"message_id": 71}]
)
def test_a_question_is_bound_to_person_chat_topic_and_message(wrong, proposals):
    _, token = make(proposals)
    assert proposals.confirm(token, **{**ANNA, **wrong}, at=NOON) is None
    assert proposals.decline(token, **{**ANNA, **wrong}, at=NOON) is None
    assert proposals.confirm(token, **ANNA, at=NOON) is not None


def test_a_question_is_bound_to_its_bot(store, proposals):
    _, token = make(proposals)
    other = Store(store.engine, bot_id=2)
    assert Proposals(other).confirm(token, **ANNA, at=NOON) is None
    other.close()


def test_yes_after_no_and_no_after_yes_are_nothing(proposals):
    _, token = make(proposals)
    assert proposals.decline(token, **ANNA, at=NOON) is not None
    assert proposals.confirm(token, **ANNA, at=NOON) is None
    _, other = make(proposals)
    assert proposals.confirm(other, **ANNA, at=NOON) is not None
    assert proposals.decline(other, **ANNA, at=NOON) is None


def test_time_is_over_exactly_when_it_is(proposals):
    _, token = make(proposals)
    end = NOON + timedelta(seconds=30)
    assert proposals.expire(at=end - timedelta(microseconds=1)) == []
    assert proposals.confirm(token, **ANNA, at=end) is None
    (over,) = proposals.expire(at=end)
    assert over.state is State.EXPIRED
    assert proposals.expire(at=end) == []
    assert [each.proposal_id for each in proposals.with_dead_buttons()] == [over.proposal_id]
    proposals.buttons_are_gone(over.proposal_id)
    assert proposals.with_dead_buttons() == []


def test_an_unbound_question_cannot_be_answered_and_is_put_away_where_it_is_found(proposals):
    made, token = make(proposals, bind=False)
    assert proposals.confirm(token, **ANNA, at=NOON) is None
    proposals.cut_off(token, where=Where(8, 8), message_id=80)
    assert proposals.get(made.proposal_id).state is State.OPEN
    proposals.cut_off(token, **ANNA)
    (found,) = proposals.with_dead_buttons()
    assert found.state is State.CUT_OFF
    assert found.message_id == 70


def test_tokens_are_not_in_the_database(store, proposals):
    _, token = make(proposals)
    store.engine.dispose()
    for file in Path(store.engine.url.database).parent.iterdir():
        assert token.encode() not in file.read_bytes()


def test_only_a_dead_process_leaves_orphans(store, proposals):
    made, token = make(proposals)
    proposals.confirm(token, **ANNA, at=NOON)
    assert proposals.orphans(at=NOON) == []  # we live
    later = NOON + timedelta(minutes=2)  # and nobody carries it out any more, unless we say so
    assert [each.proposal_id for each in proposals.orphans(at=later)] == [made.proposal_id]
    assert proposals.orphans(under_way={made.proposal_id}, at=later) == []
    with store.engine.begin() as connection:
        connection.execute(update(PROPOSAL).values(owner=f"{socket.gethostname()}:999999999:1"))
    assert [each.proposal_id for each in proposals.orphans()] == [made.proposal_id]
    assert proposals.close(made.proposal_id, State.NOT_SENT)
    assert not proposals.close(made.proposal_id, State.SENT)
    assert proposals.orphans() == []


def test_setup_codes_work_once_in_time_and_only_the_newest(store):
    access = Access(store)
    old = access.make_code(at=NOON)
    code = access.make_code(at=NOON)
    assert not access.claim(old, user_id=7, name="Anna", at=NOON)
    assert not access.claim("A" * 22, user_id=7, name="Anna", at=NOON)
    assert not access.claim("' OR 1=1 --", user_id=7, name="Anna", at=NOON)
    assert not access.claim(code, user_id=7, name="Anna", at=NOON + CODE_FOR)
    assert access.has_open_code(at=NOON)
    with ThreadPoolExecutor(8) as threads:
        won = list(threads.map(lambda each: access.claim(code, user_id=each, name="x", at=NOON), range(1, 30)))
    assert won.count("owner") == 1
    assert len(access.users()) == 1
    assert access.claimed_by(code) == access.users()[0].user_id
    assert not access.has_open_code(at=NOON)


def test_updates_are_first_once_and_forgotten_late(store):
    access = Access(store)
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(lambda update: access.first_of([update]) == {update}, [5] * 50)).count(True) == 1
    assert access.first_of([5]) == set()
    access.forget_updates(at=datetime.now(UTC) + timedelta(days=6))
    assert access.first_of([5]) == set()
    access.forget_updates(at=datetime.now(UTC) + timedelta(days=8))
    assert access.first_of([5]) == {5}


def test_news_is_queued_once_a_chat(store):
    outbox = Outbox(store)
    for _ in range(3):
        outbox.put(Letter(7, "a:filled:1", "one"), Letter(8, "a:filled:1", "one"), at=NOON)
    assert outbox.waiting() == 2


def test_a_letter_cut_off_in_the_middle_may_be_a_repeat(store):
    outbox = Outbox(store)
    outbox.put(Letter(7, "k", "one", reply_to=3), at=NOON)
    first = outbox.take(at=NOON)
    assert first.letter == Letter(7, "k", "one", reply_to=3)
    assert not first.may_repeat
    second = outbox.take(at=NOON)  # the process died here
    assert second.may_repeat
    outbox.sent(second, message_id=9)
    assert outbox.take(at=NOON) is None
    assert outbox.waiting() == 0


def test_what_surely_did_not_arrive_is_no_repeat_and_waits_longer_each_time(store):
    outbox = Outbox(store)
    outbox.put(Letter(7, "k", "one"))
    later = datetime.now(UTC) + timedelta(days=1)
    due = outbox.take(at=later)
    outbox.failed(due, is_doubtful=False)
    assert outbox.take() is None
    due = outbox.take(at=later)
    assert not due.may_repeat
    outbox.failed(due, is_doubtful=True)
    due = outbox.take(at=later)
    assert due.may_repeat
    outbox.failed(due, is_doubtful=False)
    assert outbox.take(at=later).may_repeat
    outbox.give_up(due)
    assert outbox.waiting() == 0


def test_an_order_message_is_edited_until_it_says_what_it_should(store):
    messages = OrderMessages(store)
    messages.begin("chat-1", chat_id=7, account="main", message_id=70)
    assert messages.due() == []
    with store.engine.begin() as connection:
        messages.want_within(connection, "chat-1", "filled:0.01")
    (due,) = messages.due()
    messages.shows(due)
    assert messages.due() == []
    messages.end("chat-1", last_words="never")
    (due,) = messages.due()
    assert due.last_words == "never"
    with store.engine.begin() as connection:
        messages.want_within(connection, "chat-1", "filled:0.01")
    assert messages.get("chat-1").wanted == "never sent"


def test_times_compare_as_text():
    times = [NOON, NOON + timedelta(microseconds=1), NOON + timedelta(seconds=1), NOON - timedelta(days=3)]
    assert sorted(map(stamp, times)) == [stamp(each) for each in sorted(times)]
    assert read_stamp(stamp(times[1])) == times[1]
