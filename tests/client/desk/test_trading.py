"""What may be sent: one state for everything and one for each account, who set it, why, and who may lift it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import update

from tradehook.desk import trading
from tradehook.desk.journal import Journal
from tradehook.desk.schema import reading, writing
from tradehook.desk.tables import TRADING
from tradehook.desk.trading import EVERYWHERE, scope_of
from tradehook.errors import GuardRefused, InvalidInput

HOST, MINE, OTHER = "127.0.0.1:8787", "a-1", "a-2"
ACCOUNT = scope_of(HOST, MINE)
AT = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
STATES = ("NORMAL", "REDUCING", "HALTED")


@pytest.fixture
def journal(tmp_path):
    with Journal.open(f"sqlite:///{tmp_path}/journal.db") as opened:
        yield opened


def put(journal, state, scope=EVERYWHERE, *, by="anna", why=""):
    """This state, as somebody set it at half past nine."""
    journal.trading.set(state, by=by, why=why, scope=scope)
    with writing(journal.engine) as connection:
        mine = TRADING.c.scope == scope
        connection.execute(update(TRADING).where(mine).values(changed_at=AT.isoformat()))


def refusal(journal, *, reduces=False, host=HOST, account_id=MINE):
    """Why something may not leave; `None` when it may."""
    with reading(journal.engine) as connection:
        try:
            trading.check(connection, host=host, account_id=account_id, reduces=reduces)
        except GuardRefused as refused:
            assert refused.rule == "frozen"
            return refused
    return None


# --- what may leave -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scope", [EVERYWHERE, ACCOUNT])
@pytest.mark.parametrize(
    ("state", "buys", "sells"), [("NORMAL", True, True), ("REDUCING", False, True), ("HALTED", False, False)]
)
def test_a_state_lets_through_what_it_says(journal, scope, state, buys, sells):
    assert refusal(journal) is None
    put(journal, state, scope)
    assert (refusal(journal) is None, refusal(journal, reduces=True) is None) == (buys, sells)


@pytest.mark.parametrize("scope", [scope_of(HOST, OTHER), scope_of("elsewhere", MINE)])
def test_another_account_is_not_stopped(journal, scope):
    put(journal, "HALTED", scope)
    assert refusal(journal) is None
    assert refusal(journal, host=scope.split("/", maxsplit=1)[0], account_id=scope.split("/")[1]) is not None


@pytest.mark.parametrize(("everywhere", "account"), [("NORMAL", "HALTED"), ("REDUCING", "HALTED")])
def test_the_account_is_asked_as_well_where_everything_lets_it_through(journal, everywhere, account):
    put(journal, everywhere)
    put(journal, account, ACCOUNT)
    assert refusal(journal, reduces=True).actual == "HALTED"


EVERYTHING = "/resume in chat or `tradehook resume` lifts it."
ALONE = "`tradehook resume --account-only` lifts it."
SINCE = "since 2026-11-21 09:30:00 UTC by anna"
FEWER = "Only sells into money, closes of positions, and cancels are let through"


@pytest.mark.parametrize(
    ("state", "scope", "why", "says"),
    [
        ("HALTED", EVERYWHERE, "", f"Trading is frozen {SINCE}. {EVERYTHING}"),
        ("HALTED", EVERYWHERE, "too wild", f"Trading is frozen {SINCE}: too wild. {EVERYTHING}"),
        ("HALTED", ACCOUNT, "too wild", f"This account is halted {SINCE}: too wild. {ALONE}"),
        ("REDUCING", EVERYWHERE, "", f"{FEWER} {SINCE}. {EVERYTHING}"),
        ("REDUCING", ACCOUNT, "too wild", f"{FEWER} {SINCE}: too wild. {ALONE}"),
    ],
)
def test_a_refusal_says_who_stopped_it_when_why_and_what_lifts_it(journal, state, scope, why, says):
    put(journal, state, scope, why=why)
    refused = refusal(journal)
    assert refused.message == says
    assert refused.actual == state


# --- how it is set ------------------------------------------------------------------------------------------------


def test_nobody_changed_anything_at_first(journal):
    assert journal.trading.get() == {"state": "NORMAL", "changed_by": "", "why": "", "changed_at": ""}
    assert journal.trading.list() == []


def test_the_last_word_holds_and_everything_comes_first_in_the_list(journal):
    put(journal, "HALTED", ACCOUNT, by="x" * 300, why="because")
    put(journal, "HALTED", scope_of("!", MINE))  # sorts before `*`
    put(journal, "REDUCING")
    put(journal, "HALTED", why="again")
    told = {"state": "HALTED", "changed_at": AT.isoformat()}
    assert journal.trading.get() == {**told, "changed_by": "anna", "why": "again"}
    assert journal.trading.get(ACCOUNT) == {**told, "changed_by": "x" * 255, "why": "because"}
    assert [row["scope"] for row in journal.trading.list()] == [EVERYWHERE, scope_of("!", MINE), ACCOUNT]
    assert journal.trading.list()[0] == {"scope": EVERYWHERE, **journal.trading.get()}


def test_when_it_was_set_is_kept(journal):
    before = datetime.now(UTC)
    journal.trading.set("HALTED", by="anna")
    at = datetime.fromisoformat(journal.trading.get()["changed_at"])
    assert before <= at <= datetime.now(UTC)
    assert journal.trading.get()["why"] == ""


def test_another_word_is_no_state_and_is_told_cut_short(journal):
    with pytest.raises(InvalidInput) as caught:
        journal.trading.set("halted" * 9, by="anna")
    assert caught.value.message == ("'haltedhaltedhaltedha' is no trading state: write NORMAL, REDUCING, HALTED.")
    assert journal.trading.list() == []


@pytest.mark.parametrize("scope", [EVERYWHERE, ACCOUNT])
@pytest.mark.parametrize("before", STATES)
@pytest.mark.parametrize("after", STATES)
def test_who_may_only_stop_lets_nothing_go_on(journal, scope, before, after):
    put(journal, before, scope, why="too wild")
    if STATES.index(after) >= STATES.index(before):
        journal.trading.set(after, by="job", scope=scope, may_loosen=False)
        assert journal.trading.get(scope)["state"] == after
        return
    with pytest.raises(GuardRefused) as caught:
        journal.trading.set(after, by="job", scope=scope, may_loosen=False)
    assert (caught.value.rule, caught.value.actual) == ("resume", before)
    lifts = "`tradehook resume`, or /resume in chat" if scope == EVERYWHERE else "`tradehook resume --account-only`"
    assert caught.value.message == f"Trading is {before} {SINCE}: too wild. Only a person lifts that: {lifts}."
    assert journal.trading.get(scope)["changed_by"] == "anna"
    journal.trading.set(after, by="job", scope=scope)
    assert journal.trading.get(scope)["state"] == after


def test_who_may_only_stop_may_stop_what_nobody_touched(journal):
    journal.trading.set("HALTED", by="job", may_loosen=False)
    put(journal, "HALTED")
    with pytest.raises(GuardRefused, match=r"Trading is HALTED since 2026-11-21 09:30:00 UTC by anna\. Only a person"):
        journal.trading.set("NORMAL", by="job", may_loosen=False)


def test_what_was_changed_after_somebody_looked_stays(journal):
    journal.trading.set("REDUCING", by="bob", since="whatever")  # nobody had changed it
    put(journal, "HALTED")
    with pytest.raises(GuardRefused) as caught:
        journal.trading.set("NORMAL", by="bob", since="2026-11-21T09:29:59+00:00")
    assert (caught.value.rule, caught.value.actual) == ("resume", "HALTED")
    assert caught.value.message == (
        "Trading was set to HALTED by anna at 2026-11-21 09:30:00 UTC, after you looked. It stays so."
    )
    assert journal.trading.get()["state"] == "HALTED"
    journal.trading.set("NORMAL", by="bob", since=AT.isoformat())
    assert journal.trading.get()["state"] == "NORMAL"
