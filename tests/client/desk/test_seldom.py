"""What happens seldom and must be right all the same: races lost by a moment, files that fail, rows that lack something."""

from __future__ import annotations

import os
import sqlite3
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from tests.client.desk.test_create_transfer import AT_EXCHANGE, add_destinations
from tests.client.desk.test_create_transfer import ON_CHAIN as TRANSFER
from tests.client.desk.test_reconcile import BUY, FAR, lose, place_by_hand, prove_the_list, state

from tradehook.budget import StoreUnavailable
from tradehook.desk import copies, intents, keeping, plans, reconcile, resolving, schema, sightings
from tradehook.desk.deeds import TransferDeed
from tradehook.desk.epoch import Counter
from tradehook.desk.futures_deed import FuturesDeed, futures_of
from tradehook.desk.intents import State
from tradehook.desk.journal import Journal
from tradehook.desk.permits import ServerStore, SqliteStore
from tradehook.desk.schema import open_database
from tradehook.errors import (
    ConfigurationError,
    Disconnected,
    GuardRefused,
    IntentConflict,
    InvalidInput,
    JournalUnavailable,
    OutcomeUnknown,
    TradehookError,
    UnexpectedResponse,
)
from tradehook.models import OrderStatus
from tradehook.run import run, run_each

EVM = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"


@pytest.fixture
def journal(tmp_path):
    with Journal.open(f"sqlite:///{tmp_path}/journal.db") as opened:
        yield opened


def prepare(journal, intent_id="i-1", kind="order"):
    return journal.prepare(
        intent_id, kind=kind, exchange="true_markets", host="h", environment="sandbox", account="main", source="test",
        asked={"base": "BTC"},
    )[0]  # fmt: skip


def alter(journal, sql):
    """Change the journal past the desk."""
    with journal.engine.begin() as connection:
        connection.exec_driver_sql(sql)


# --- rows that lack something -------------------------------------------------------------------------------------


def test_what_was_accepted_and_is_not_in_the_journal_is_said_and_not_sent_again(world):
    desk = world.desk()
    add_destinations(desk)
    desk.place_order(BUY, intent_id="i-1", source="test")
    desk.create_transfer(AT_EXCHANGE, intent_id="t-1", source="test")
    alter(desk.journal, "UPDATE intent SET seen = NULL, is_final = 1")
    with pytest.raises(UnexpectedResponse, match="what came of it is not in the journal"):
        desk.place_order(BUY, intent_id="i-1", source="test")
    with pytest.raises(UnexpectedResponse, match="what came of it is not in the journal"):
        desk.create_transfer(AT_EXCHANGE, intent_id="t-1", source="test")
    assert (world.sends("POST", "/orders"), world.sends("POST", "/transfers")) == (1, 1)


def test_a_transfer_that_was_settled_otherwise_than_shown_is_not_sent(world):
    desk = world.desk()
    add_destinations(desk)
    desk.journal.set_trading_state("HALTED", by="test")
    with pytest.raises(TradehookError):
        desk.create_transfer(AT_EXCHANGE, intent_id="t-1", source="test")
    desk.journal.set_trading_state("NORMAL", by="test")
    vault = desk.journal.destinations.get(desk.exchange.host, "vault")
    other = run(desk.exchange.size_transfer(AT_EXCHANGE, destination=vault))
    other = other.model_copy(update={"quantity": Decimal("0.02")})
    with pytest.raises(IntentConflict, match="was settled before as"):
        desk.create_transfer(AT_EXCHANGE, intent_id="t-1", source="test", sized=other)
    assert world.sends("POST", "/transfers") == 0


def test_an_error_of_another_version_is_still_an_error():
    for kind in ("NoSuchError", "InvalidInput_", "annotations", "ClassVar"):
        found = intents.error_from_dict({"type": kind, "message": "It failed.", "details": {}})
        assert (type(found), found.message) == (TradehookError, "It failed.")


# --- a machine without /proc --------------------------------------------------------------------------------------


def test_without_proc_only_whether_a_process_is_there_can_be_told(monkeypatch, tmp_path):
    monkeypatch.setattr(intents, "Path", lambda name: tmp_path / name.strip("/"))
    owner = intents.this_owner()
    assert owner.endswith(":0")
    assert intents.is_alive(owner, sending_at=None)
    host = owner.split(":")[0]
    assert not intents.is_alive(f"{host}:99999999:0", sending_at=None)

    def not_ours(_pid, _signal):
        raise PermissionError

    monkeypatch.setattr(os, "kill", not_ours)
    assert intents.is_alive(f"{host}:1:0", sending_at=None)


# --- files --------------------------------------------------------------------------------------------------------


def test_of_two_that_make_the_machines_id_at_once_the_first_wins(monkeypatch, tmp_path):
    def other_was_faster(made, place):
        Path(place).write_text("the other's")
        raise FileExistsError

    monkeypatch.setattr(os, "link", other_was_faster)
    assert keeping._id_beside(tmp_path / "j.db") == "the other's"
    assert [each.name for each in tmp_path.iterdir()] == ["j.db.machine"]


def test_a_count_that_was_lost_is_told_again_when_the_journal_is_opened(tmp_path):
    path = tmp_path / "journal.db"
    with Journal.open(f"sqlite:///{path}") as journal:
        prepare(journal)
    counter = Counter(path)
    highest = counter.highest()
    assert highest > 1
    counter.path.write_bytes(b"1\n")
    with Journal.open(f"sqlite:///{path}"):
        assert counter.highest() == highest


def test_a_journal_that_does_not_count_is_written_all_the_same(journal):
    alter(journal, "DELETE FROM meta WHERE name = 'epoch'")
    assert prepare(journal).state is State.PREPARED


def test_an_empty_database_is_no_journal(tmp_path):
    (tmp_path / "empty.db").touch()
    with pytest.raises(InvalidInput, match="There is no journal in"):
        copies.open_to_look(f"sqlite:///{tmp_path}/empty.db")


def test_a_journal_from_before_machines_were_known_says_so(journal):
    alter(journal, "DELETE FROM meta WHERE name = 'machine'")
    assert copies.status(journal.engine)["machine"] == "not known yet"


def test_what_was_restored_says_why_it_is_held(journal, tmp_path):
    copies.backup(journal.engine, tmp_path / "copy.db")
    restored = f"sqlite:///{tmp_path}/restored.db"
    copies.restore(tmp_path / "copy.db", restored, by="ann")
    engine = copies.open_to_look(restored)
    assert copies.status(engine)["held"]
    engine.dispose()


def test_a_copy_that_is_not_whole_is_thrown_away(journal, tmp_path):
    prepare(journal)
    with sqlite3.connect(tmp_path / "journal.db") as connection:
        connection.execute("PRAGMA writable_schema = ON")
        swap = "UPDATE sqlite_master SET sql = replace(sql, {0!r}, {1!r}) WHERE name = 'intent'"
        connection.execute(swap.format("source VARCHAR(255) NOT NULL", "source VARCHAR(255)"))
        assert connection.total_changes
    with sqlite3.connect(tmp_path / "journal.db") as connection:
        connection.execute("UPDATE intent SET source = NULL")
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute(swap.format("source VARCHAR(255)", "source VARCHAR(255) NOT NULL"))
    with pytest.raises(JournalUnavailable, match=r"is not whole: NULL value in intent\.source"):
        copies.backup(journal.engine, tmp_path / "copy.db")
    assert not [each for each in tmp_path.iterdir() if "copy" in each.name]


def test_where_there_are_no_hard_links_a_copy_gets_its_name_all_the_same_and_overwrites_nothing(
    journal, tmp_path, monkeypatch
):
    target = tmp_path / "copy.db"

    def no_links(_part, _target):
        raise PermissionError

    monkeypatch.setattr(os, "link", no_links)
    assert copies.backup(journal.engine, target)
    assert target.exists()

    def came_meanwhile(_part, to):
        Path(to).write_text("somebody's")
        raise PermissionError

    def came_first(_part, to):
        Path(to).write_text("somebody's")
        raise FileExistsError

    for fails in (came_meanwhile, came_first):
        monkeypatch.setattr(os, "link", fails)
        target.unlink()
        with pytest.raises(InvalidInput, match="Name one that does not"):
            copies.backup(journal.engine, target)
        assert target.read_text() == "somebody's"
    assert not list(tmp_path.glob("*.part"))


def test_a_disk_that_fails_while_a_copy_is_made_is_told(journal, tmp_path, monkeypatch):
    def full(_file):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ConfigurationError, match="cannot be made: No space left on device"):
        copies.backup(journal.engine, tmp_path / "copy.db")
    assert not list(tmp_path.glob("copy*"))


def test_a_folder_that_cannot_be_made_holds_no_journal(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="cannot be made: Not a directory"):
        open_database(f"sqlite:///{tmp_path}/file/below/journal.db")


class Busy:
    """A connection to a database that another one is switching to WAL."""

    def __init__(self, fails, words="database is locked"):
        self.fails, self.words, self.mode = fails, words, "delete"

    def execute(self, sql):
        if "=" in sql:
            self.fails -= 1
            if self.fails >= 0:
                raise sqlite3.OperationalError(self.words)
            self.mode = "wal"
        return self

    def fetchone(self):
        return (self.mode,)


@pytest.mark.parametrize("module", ["schema", "permits"])
def test_of_two_that_switch_to_wal_at_once_the_second_tries_again(module, monkeypatch):
    from tradehook.desk import permits

    switch = {"schema": schema, "permits": permits}[module]._use_wal
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    busy = Busy(3)
    switch(busy)
    assert busy.mode == "wal"
    with pytest.raises(sqlite3.OperationalError, match="disk I/O"):
        switch(Busy(1, "disk I/O error"))


def test_a_journal_that_stays_locked_is_opened_as_it_is(monkeypatch):
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    busy = Busy(10_000)
    schema._use_wal(busy)
    assert busy.mode == "delete"


def test_a_text_that_is_none_cannot_be_stored(journal):
    prepare(journal)
    with pytest.raises(InvalidInput, match="bytes that are no text"):
        journal.note("i-1", "\ud800", {})
    assert [event["what"] for event in journal.events("i-1")] == ["prepared"]


def test_a_server_with_another_history_says_that_it_is_held(postgres):
    with Journal.open(postgres.new_database()) as journal:
        assert copies.status(journal.engine)["held"] is None
        alter(journal, "UPDATE meta SET value = 'another' WHERE name = 'server'")
        assert copies.status(journal.engine)["held"] == keeping.OTHER_HISTORY


# --- the store of permits -----------------------------------------------------------------------------------------


def test_what_fails_while_permits_are_counted_leaves_them_as_they_were(tmp_path):
    store = SqliteStore(tmp_path / "j.permits")
    with pytest.raises(ZeroDivisionError), store.transaction("k") as (run_sql, now):
        run_sql("INSERT INTO permit (scope, count, until) VALUES (?, ?, ?)", "k", 1, now)
        raise ZeroDivisionError
    with store.transaction("k") as (run_sql, _now):
        assert run_sql("SELECT count(*) FROM permit") == [(0,)]


def test_a_server_that_cannot_count_permits_is_told_without_its_password(postgres):
    url = postgres.new_database()
    store = ServerStore(url)
    with pytest.raises(StoreUnavailable), store.transaction("k") as (run_sql, _now):
        run_sql("SELECT no_such_column FROM permit")
    with store.transaction("k") as (run_sql, now):  # it opens again
        assert now > 0
    engine = store._engine
    with pytest.raises(StoreUnavailable), store.transaction("k") as (run_sql, _now):
        store._engine = None  # another thread saw it fail at the same moment
        run_sql("SELECT no_such_column FROM permit")
    engine.dispose()
    with pytest.raises(StoreUnavailable, match="should look like"), ServerStore("postgresql://h:x/d").transaction("k"):
        raise AssertionError("nothing is open")
    gone = ServerStore(url.rsplit("/", 1)[0] + "/nowhere")
    for _ in range(2):
        with pytest.raises(StoreUnavailable) as caught, gone.transaction("k"):
            raise AssertionError("nothing is open")
        assert "postgresql://" not in str(caught.value)


# --- lists and events ---------------------------------------------------------------------------------------------


def test_an_asset_is_taken_off_by_the_address_that_it_has(journal):
    journal.assets.allow("h", "BTC", by="ann")
    with pytest.raises(InvalidInput, match="BTC is not on the list"):
        journal.assets.remove("h", "BTC", by="ann", address=EVM)
    assert journal.assets.remove("h", "BTC", by="ann").symbol == "BTC"


def test_a_destination_with_another_cap_is_not_put_on_the_list_again(journal):
    journal.destinations.add("h", "cold", network="base", address=EVM, by="ann", day_cap=Decimal(5))
    with pytest.raises(InvalidInput, match="is on the list already, with 5 cap a day"):
        journal.destinations.add("h", "cold", network="base", address=EVM, by="ann", day_cap=Decimal(50))
    assert journal.destinations.list("h")[0].day_cap == 5


def test_events_are_found_by_time_and_by_host(journal):
    from tradehook.desk.events import events_after, newest_event

    assert newest_event(journal.engine) == 0
    prepare(journal)
    middle = datetime.now(UTC)
    prepare(journal, "i-2")
    assert newest_event(journal.engine, before=middle) < newest_event(journal.engine)
    assert newest_event(journal.engine, before=middle - timedelta(days=1)) == 0
    assert [each.intent_id for each in events_after(journal.engine, 0, host="h")] == ["i-1", "i-2"]
    assert events_after(journal.engine, 0, host="elsewhere") == []


def test_the_youngest_open_order_is_one_of_the_account(world):
    desk = world.desk()
    engine, host, account_id = desk.journal.engine, desk.exchange.host, run(desk.exchange.account_id())
    assert sightings.youngest(engine, host) is None
    desk.place_order(FAR, intent_id="i-1", source="test")
    made = desk.journal.get("i-1").created_at
    assert sightings.youngest(engine, host) == made
    assert sightings.youngest(engine, host, account_id=account_id) == made
    assert sightings.youngest(engine, host, account_id="another") is None
    assert sightings.youngest(engine, "elsewhere") is None


def test_no_such_trading_state_and_nothing_changes(journal):
    with pytest.raises(InvalidInput, match="is no trading state: write NORMAL, REDUCING, HALTED"):
        journal.trading.set("PAUSED", by="ann", may_loosen=False)
    assert journal.trading_state()["state"] == "NORMAL"
    journal.trading.set("HALTED", by="ann", why="too much")
    for scope, flag in (("*", "`tradehook resume`, or"), ("h/me", "`tradehook resume --account-only`.")):
        journal.trading.set("HALTED", by="ann", why="too much", scope=scope)
        with pytest.raises(GuardRefused) as caught:
            journal.trading.set("REDUCING", by="bot", may_loosen=False, scope=scope)
        assert caught.value.rule == "resume"
        assert "by ann: too much. Only a person lifts that" in caught.value.message
        assert flag in caught.value.message
    journal.trading.set("HALTED", by="bot", may_loosen=False)
    before = journal.trading.get()["changed_at"]
    journal.trading.set("HALTED", by="ann", why="again")
    with pytest.raises(GuardRefused, match=r"set to HALTED by ann at .*, after you looked"):
        journal.trading.set("NORMAL", by="bob", since=before)
    assert journal.trading.get()["state"] == "HALTED"
    journal.trading.set("NORMAL", by="bob", since=journal.trading.get()["changed_at"])
    journal.trading.set("HALTED", by="bot", may_loosen=False)


# --- doubts -------------------------------------------------------------------------------------------------------


def test_two_looks_right_after_each_other_count_as_one(world):
    desk = world.desk()
    prove_the_list(desk)
    world.fault("error_before", status=503)
    lose(world, desk)
    world.sandbox.clock.advance(4000)
    for _ in range(2):
        assert desk.reconcile() == []
        assert len(desk.journal.get("i-1").resolution["clean_scans"]) == 1
    assert state(desk) is State.UNKNOWN


def test_what_waits_for_a_person_is_not_looked_for_before_the_next_order(world):
    desk = world.desk()
    world.fault("error_before", status=503)
    lose(world, desk)
    desk.journal.move(desk.journal.get("i-1"), State.NEEDS_HUMAN)
    assert not reconcile.is_worth_a_look(desk.journal.get("i-1"), now=world.sandbox.clock.now())
    assert world.desk().place_order(FAR, intent_id="i-2", source="test").order.order_id


def test_an_order_that_the_exchange_tells_of_is_not_ended_by_a_word(world):
    desk = world.desk()
    order_id = desk.place_order(FAR, intent_id="i-1", source="test").order.order_id
    seen = desk.journal.get("i-1").last_order
    desk.journal.see("i-1", seen.model_copy(update={"status": OrderStatus.CANCELING}))
    with pytest.raises(InvalidInput, match="True Markets tells how its orders stand"):
        desk.resolve("i-1", "canceled", by="ana")
    assert desk.journal.get("i-1").order_id == order_id
    assert not desk.journal.get("i-1").is_final


def test_a_transfer_is_found_by_the_id_that_a_person_saw(world):
    desk = world.desk()
    add_destinations(desk)
    respond = desk.exchange.session.line.respond

    def lost(request):
        answer = respond(request)
        if request.method == "POST" and request.path.endswith("/transfers"):
            world.fault("edge_html", method="GET", path="/transfers", times=100)
            raise Disconnected("The connection broke before the answer was whole.")
        return answer

    desk.exchange.session.line.respond = lost
    with pytest.raises(OutcomeUnknown):
        desk.create_transfer(AT_EXCHANGE, intent_id="t-1", source="test")
    world.admin("DELETE", "faults")
    (made,) = [each for each in run_each(desk.exchange.list_transfers()) if each.asset == "BTC"]
    with pytest.raises(InvalidInput, match="has no transfer"):
        desk.resolve("t-1", "placed:11111111-2222-4333-8444-555555555555", by="ana")
    assert desk.resolve("t-1", f"placed:{made.transfer_id}", by="ana").state is State.MATCHED


@pytest.mark.parametrize(
    ("to", "says"),
    [
        (State.PREPARED, "Nothing was sent for it; whoever asked may simply ask again"),
        (State.ACCEPTED, "tradehook intents again i-1 --why WHY"),
        (State.SENDING, "It is being sent right now"),
    ],
)
def test_where_there_is_no_doubt_it_says_what_to_do_instead(world, to, says):
    desk = world.desk()
    if to is State.ACCEPTED:
        desk.place_order(FAR, intent_id="i-1", source="test")
        with pytest.raises(InvalidInput, match=says):
            desk.resolve("i-1", "filled", by="ana")
        return
    desk.journal.set_trading_state("HALTED", by="test")
    with pytest.raises(TradehookError):
        desk.place_order(FAR, intent_id="i-1", source="test")
    desk.journal.set_trading_state("NORMAL", by="test")
    if to is State.SENDING:
        desk.journal.start(
            desk.journal.get("i-1"), to=to, owner=intents.this_owner(), account_id=run(desk.exchange.account_id())
        )
    with pytest.raises(InvalidInput, match=says):
        desk.resolve("i-1", "not-placed", by="ana")
    with pytest.raises(InvalidInput, match=says):
        resolving.check_again(desk.journal.get("i-1"))


def test_once_more_is_not_for_a_doubt(world):
    desk = world.desk()
    world.fault("error_before", status=503)
    lose(world, desk)
    with pytest.raises(InvalidInput, match="End the doubt first: tradehook intents resolve i-1 --as placed:ID"):
        resolving.check_again(desk.journal.get("i-1"))


def test_a_word_about_an_intent_that_changed_meanwhile_does_not_count(world):
    desk = world.desk()
    world.fault("error_before", status=503)
    lose(world, desk)
    order_id = place_by_hand(world, BUY)
    read = desk.exchange.get_order

    async def meanwhile(identity):
        found = await read(identity)
        desk.journal.move(desk.journal.get("i-1"), State.REJECTED)
        return found

    desk.exchange.get_order = meanwhile
    with pytest.raises(IntentConflict, match="changed meanwhile"):
        desk.resolve("i-1", f"placed:{order_id}", by="ana")
    assert state(desk) is State.REJECTED


def test_a_dead_senders_doubt_can_be_ended_by_a_word(world):
    desk = world.desk()
    world.fault("error_before", status=503)
    lose(world, desk)
    alter(desk.journal, "UPDATE intent SET state = 'SENDING', owner = 'gone:1:1'")
    world.sandbox.clock.advance(4000)
    alter(desk.journal, "UPDATE intent SET sending_at = '2020-01-01T00:00:00.000000Z'")
    assert desk.resolve("i-1", "not-placed", by="ana").state is State.REJECTED
    assert "interrupted" in [event["what"] for event in desk.journal.events("i-1")]


# --- the desk -----------------------------------------------------------------------------------------------------


def test_a_desk_that_is_closed_sends_nothing(world):
    desk = world.desk()
    desk.close()
    with pytest.raises(ConfigurationError, match="The desk is closed; nothing was sent"):
        desk.place_order(BUY, intent_id="i-1", source="test")
    assert world.orders_placed() == 0


def test_the_same_id_for_something_else_at_the_same_time_is_refused(world):
    desk = world.desk()
    line = desk.exchange.session.line
    respond, futures = line.respond, []

    def meanwhile(request):
        if request.method == "POST" and request.path.endswith("/orders"):
            line.respond = respond
            futures.append(desk.start_order(FAR, intent_id="i-1", source="test"))
        return respond(request)

    line.respond = meanwhile
    desk.place_order(BUY, intent_id="i-1", source="test")
    with pytest.raises(IntentConflict):
        futures[0].result(30)
    assert world.orders_placed() == 1


def test_a_transfer_is_watched_and_followed(world):
    desk = world.desk()
    add_destinations(desk)
    made = desk.create_transfer(TRANSFER, intent_id="t-1", source="test").transfer
    assert desk.watch_transfer("t-1").transfer_id == made.transfer_id
    world.sandbox.clock.advance(120)
    assert desk.follow_transfer("t-1").is_final


def test_what_a_rebalance_was_asked_for_is_found_by_its_id_alone(world):
    desk = world.desk()
    assert plans.asked_before(desk.journal, "nothing") is None
    assert plans.accounts_before(desk.journal, "nothing") == ()
    desk.place_order(FAR, intent_id="i-1", source="test")
    with pytest.raises(InvalidInput, match="Intent i-1 is no rebalance but an order"):
        plans.asked_before(desk.journal, "i-1")
    prepare(desk.journal, "t-1", kind="transfer")
    with pytest.raises(InvalidInput, match="Intent t-1 is no rebalance but a transfer"):
        plans.asked_before(desk.journal, "t-1")


def test_an_exchange_without_futures_says_so(world):
    exchange = world.exchange()
    with pytest.raises(InvalidInput, match="True Markets has no futures"):
        futures_of(exchange)


def test_what_is_paid_or_opened_is_never_tagged(world):
    exchange = world.exchange()
    for deed in (TransferDeed(AT_EXCHANGE, destinations=None), FuturesDeed(None)):
        settled = object()
        assert deed.tagged(exchange, settled, by="i-1") is settled
