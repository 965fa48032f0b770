"""What the journal stores of an intent, how it is found again, and what an id that is taken stands for."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from tradehook.desk import generations, keeping
from tradehook.desk.intents import State
from tradehook.desk.journal import Journal
from tradehook.desk.schema import reading, writing
from tradehook.desk.tables import GENERATION, INTENT
from tradehook.errors import IntentConflict, InvalidInput, JournalUnavailable

ASKED = {"base": "BTC", "quote": "PYUSD", "side": "buy", "amount": "1", "price": None, "chain": None}
WHOSE = {"exchange": "true_markets", "host": "h", "environment": "sandbox", "account": "main", "source": "cli"}


@pytest.fixture
def journal(tmp_path):
    with Journal.open(f"sqlite:///{tmp_path}/journal.db") as opened:
        yield opened


def prepare(journal, intent_id="i-1", **more):
    return journal.prepare(intent_id, **{"kind": "order", **WHOSE, "asked": ASKED, **more})


def change(journal, intent_id, **values):
    with writing(journal.engine) as connection:
        connection.execute(update(INTENT).where(INTENT.c.intent_id == intent_id).values(values))


def words(caught) -> str:
    return str(caught.value)


# --- what is asked ----------------------------------------------------------------------------------------------


def test_what_was_asked_is_kept_whole_and_nothing_is_known_yet(journal):
    before = datetime.now(UTC)
    intent, is_new = prepare(journal, kind="transfer", parent_id="the-plan")
    assert is_new
    assert journal.get("i-1") == intent
    told = dataclasses.asdict(intent)
    assert before <= told.pop("created_at") <= datetime.now(UTC)
    assert told.pop("updated_at") == intent.created_at
    assert len(told.pop("asked_hash")) == 64
    assert told == {
        "intent_id": "i-1", "kind": "transfer", **WHOSE, "asked": ASKED, "state": State.PREPARED, "attempt": 0,
        "is_final": False, "parent_id": "the-plan", "account_id": None, "request": None, "owner": None,
        "sending_at": None, "exchange_id": None, "seen": None, "error": None, "notional": None, "fingerprint": None,
        "baseline": None, "looking_until": None, "resolution": None, "good_until": None,
    }  # fmt: skip
    (event,) = journal.events("i-1")
    assert (event["what"], event["source"]) == ("prepared", "cli")
    assert prepare(journal, "i-2")[0].parent_id is None


def test_a_long_source_is_cut_to_what_its_column_holds(journal):
    intent, _ = prepare(journal, source="s" * 300)
    assert intent.source == "s" * 255


def test_the_same_again_is_the_same_and_changes_nothing(journal):
    first, _ = prepare(journal)
    again, is_new = prepare(journal, source="another", account="other", environment="live")
    assert (again, is_new) == (first, False)
    assert len(journal.events("i-1")) == 1
    # In whatever order its parts come.
    assert prepare(journal, asked=dict(reversed(ASKED.items())))[0] == first


@pytest.mark.parametrize(
    "other", [{"kind": "transfer"}, {"exchange": "fintrusted"}, {"host": "g"}, {"asked": {**ASKED, "amount": "2"}}]
)
def test_an_id_stands_for_one_request(journal, other):
    prepare(journal)
    with pytest.raises(IntentConflict) as caught:
        prepare(journal, **other)
    assert words(caught) == (
        "Intent i-1 stands for another request already: it asked for BTC PYUSD buy 1. "
        "Use a new intent id for a new request."
    )
    assert caught.value.exchange == other.get("exchange", "true_markets")
    assert len(journal.events("i-1")) == 1


def test_of_a_long_request_the_beginning_is_told(journal):
    prepare(journal, asked={"note": "x" * 200, "number": 7})
    with pytest.raises(IntentConflict) as caught:
        prepare(journal)
    assert f"it asked for {'x' * 120}. Use" in words(caught)


def test_a_request_of_an_older_version_is_still_the_same_one(journal):
    """What a request is known by is in journals already: if it changed, each rerun would be a conflict."""
    intent, _ = prepare(journal)
    assert intent.asked_hash == "6373b3d494d6dc6ca2e2730107b6cb1c03daed98cf7f41d7a6ea0b9fe9c8755f"


# --- once more --------------------------------------------------------------------------------------------------


def again(journal, intent_id="i-1") -> str:
    with writing(journal.engine) as connection:
        return generations.begin_next(connection, intent_id, by="cli:ann", why="it was lost")


def test_once_more_is_a_new_intent_of_the_same_request(journal):
    first, _ = prepare(journal)
    assert again(journal) == "i-1~2"
    second, is_new = prepare(journal)
    assert (second.intent_id, second.asked_hash, is_new) == ("i-1~2", first.asked_hash, True)
    assert [event["what"] for event in journal.events("i-1~2")] == ["prepared"]
    assert prepare(journal) == (second, False)
    # However often, and from whichever of its names.
    assert (again(journal, "i-1~2"), again(journal)) == ("i-1~3", "i-1~4")
    assert prepare(journal)[0].intent_id == "i-1~4"
    assert journal.get("i-1") == first


def test_once_more_is_no_way_to_ask_for_something_else(journal):
    prepare(journal)
    again(journal)
    with pytest.raises(IntentConflict, match="Intent i-1~2 stands for another request already: it asked for BTC"):
        prepare(journal, asked={**ASKED, "amount": "2"})
    assert journal.find_exactly("i-1~2") is None


def test_who_said_so_and_why_is_kept(journal):
    prepare(journal)
    with writing(journal.engine) as connection:
        generations.begin_next(connection, "i-1", by="first", why="a")
        generations.begin_next(connection, "i-1", by="b" * 300, why="at last")
        (row,) = connection.execute(GENERATION.select()).all()
    assert (row.intent_id, row.generation, row.asked_by, row.why) == ("i-1", 2 + 1, "b" * 255, "at last")
    assert datetime.now(UTC) - datetime.fromisoformat(row.asked_at) < timedelta(minutes=5)


@pytest.mark.parametrize(
    ("intent_id", "first"),
    [("a~2", "a"), ("a~b~12", "a~b"), ("a", "a"), ("a~", "a~"), ("a~b", "a~b"), ("~3", ""), ("12", "12")],
)
def test_the_first_of_its_generations(intent_id, first):
    assert generations.first_id(intent_id) == first


def test_an_id_that_only_looks_like_once_more_is_refused(journal):
    with pytest.raises(InvalidInput) as caught:
        prepare(journal, f"{'n' * 100}~2")
    assert words(caught) == f"{'n' * 80!r} ends like a repetition (~2); choose an id that does not."
    prepare(journal)
    with pytest.raises(InvalidInput, match=r"'i-1~2' ends like a repetition"):
        prepare(journal, "i-1~2")
    again(journal)
    for wrong in ("i-1~1", "i-1~3"):
        with pytest.raises(InvalidInput, match="ends like a repetition"):
            prepare(journal, wrong)
    assert prepare(journal, "i-1~2")[1]


# --- found again ------------------------------------------------------------------------------------------------


def test_what_is_not_there_is_told_so(journal):
    with pytest.raises(InvalidInput) as caught:
        journal.get("n" * 100)
    assert words(caught) == f"There is no intent {'n' * 80}. `tradehook intents list` shows them."
    assert journal.find_exactly("i-1") is None


def test_several_that_begin_alike_are_named_unless_one_is_meant(journal):
    for name in ("ab", "abc", "abd", "abe", "x" * 100, f"{'x' * 100}y", "a_%1"):
        prepare(journal, name)
    assert journal.find("ab").intent_id == "ab"
    assert journal.find("abd").intent_id == "abd"
    assert journal.find("a_").intent_id == "a_%1"  # and no sign stands for others
    for wrong, shown in (("a", "a"), ("x" * 90, "x" * 80)):
        with pytest.raises(InvalidInput) as caught:
            journal.find(wrong)
        assert words(caught).startswith(f"Several intents begin with {shown}: ")
        assert words(caught).endswith(". Write more of it.")
    with pytest.raises(InvalidInput) as caught:
        journal.find("a")
    named = words(caught).split(": ")[1].split(". ")[0].split(", ")
    assert (len({*named}), {*named} - {"ab", "abc", "abd", "abe", "a_%1"}) == (3, set())
    for wrong in ("zz", "%", "a%"):
        with pytest.raises(InvalidInput, match=f"There is no intent {wrong}"):
            journal.find(wrong)


@pytest.mark.parametrize("store", ["sqlite", "postgres"], indirect=True)
def test_a_whole_id_is_found_whatever_else_begins_so(store, tmp_path):
    with Journal.open(store(tmp_path)) as journal:
        for name in ("AB-1", "AB-2", "AB-3", "ab-1", "ab-2", "ab-3", "ab", "ab-4"):
            prepare(journal, name)
        assert journal.find("ab").intent_id == "ab"


def test_the_list_is_as_long_as_is_asked(journal):
    for number in range(60):
        prepare(journal, f"i-{number:02}", kind="order" if number % 2 else "transfer")
    assert len(journal.list()) == 50
    assert len(journal.list(limit=60)) == 60
    assert {intent.kind for intent in journal.list(limit=60, kinds=["order"])} == {"order"}


@pytest.fixture
def open_ones(journal):
    """Of each way not to be an open order one, and two open ones, the older made later."""
    for name, more, stored in (
        ("newer", {}, {"created_at": "2026-11-02T00:00:00.000000Z"}),
        ("older", {}, {"created_at": "2026-11-01T00:00:00.000000Z", "state": "MATCHED", "account_id": "b"}),
        ("transfer", {"kind": "transfer"}, {}),
        ("elsewhere", {"host": "g"}, {}),
        ("ended", {}, {"is_final": True}),
        ("unknown", {}, {"state": "UNKNOWN"}),
    ):
        prepare(journal, name, **more)
        change(journal, name, **{"state": "ACCEPTED", "account_id": "a", "exchange_id": f"its-{name}", **stored})
    return journal


@pytest.mark.parametrize(
    ("which", "found"),
    [
        ({}, ["older", "newer"]),
        ({"account_id": "a"}, ["newer"]),
        ({"account_id": "c"}, []),
        ({"kind": "transfer"}, ["transfer"]),
    ],
)
def test_open_orders_are_told_by_place_kind_and_account(open_ones, which, found):
    assert [intent.intent_id for intent in open_ones.open_orders("h", **which)] == found


def test_an_intent_is_found_by_what_came_of_it(open_ones):
    assert open_ones.by_order("h", "its-ended").intent_id == "ended"
    assert open_ones.by_order("g", "its-ended") is None
    assert open_ones.by_order("h", "its-other") is None


# --- the journal itself -----------------------------------------------------------------------------------------


def test_the_name_of_a_deployment_stays_where_it_always_was(journal):
    assert journal.namespace() == journal.namespace()
    with reading(journal.engine) as connection:
        assert keeping.read_meta(connection)["namespace"] == journal.namespace()
    assert len(journal.namespace()) == 32


def test_it_is_closed_with_its_block(tmp_path):
    with Journal.open(f"sqlite:///{tmp_path}/journal.db") as journal:
        before = journal.engine.pool
    assert journal.engine.pool is not before


def test_everything_that_is_kept_in_it_can_be_used(journal):
    now = datetime.now(UTC)
    assert journal.leases.take("l", owner="o", seconds=60, now=now).owner == "o"
    assert journal.proofs.get("h", "a", "n") is None
    assert journal.destinations.list("h") == journal.assets.list("h") == journal.doubts.list("h") == []


def test_a_journal_that_went_away_says_so(tmp_path):
    with Journal.open(f"sqlite:///{tmp_path}/journal.db") as journal:
        with writing(journal.engine) as connection:
            connection.exec_driver_sql("ALTER TABLE intent RENAME TO gone")
        with pytest.raises(JournalUnavailable, match="no such table"):
            journal.get("i-1")
