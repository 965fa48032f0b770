"""A journal that is not the one it was: from another machine, on a network, older than it has been."""

from __future__ import annotations

import shutil
import sqlite3
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tradehook.desk import copies, keeping
from tradehook.desk.epoch import Counter
from tradehook.desk.intents import State
from tradehook.desk.journal import Journal
from tradehook.desk.schema import open_database, writing
from tradehook.errors import ConfigurationError, GuardRefused, InvalidInput, JournalUnavailable
from tradehook.models import NewOrder, OrderStatus

BUY = NewOrder.of("BTC/PYUSD", side="buy", amount="0.001")


def prepare(journal: Journal, intent_id: str):
    return journal.prepare(
        intent_id, kind="order", exchange="true_markets", host="h", environment="sandbox", account="main",
        source="test", asked={"base": "BTC"},
    )[0]  # fmt: skip


def place_of(world) -> Path:
    return Path(world.journal_url.removeprefix("sqlite:///"))


def copy_of(path: Path, to: Path) -> Path:
    """A copy as SQLite makes it, whatever stands in the write-ahead log."""
    with sqlite3.connect(path) as source, sqlite3.connect(to) as target:
        source.backup(target)
    source.close()
    target.close()
    return to


def put_back(copy: Path, path: Path) -> None:
    """What a person does with `cp`."""
    for end in ("-wal", "-shm"):
        Path(f"{path}{end}").unlink(missing_ok=True)
    shutil.copyfile(copy, path)


def place(world, intent_id: str):
    desk = world.desk()
    try:
        return desk.place_order(BUY, intent_id=intent_id, source="test")
    finally:
        desk.close()
        desk.journal.close()
        world.desks.remove(desk)


# --- the epoch --------------------------------------------------------------------------------------------------


def test_an_order_that_a_restored_journal_forgot_is_not_placed_twice(world, tmp_path):
    place(world, "before")
    copy = copy_of(place_of(world), tmp_path / "copy.db")
    place(world, "lost")
    put_back(copy, place_of(world))
    with pytest.raises(GuardRefused, match="accept-restore") as refused:
        place(world, "lost")
    assert refused.value.rule == "epoch"
    assert world.orders_placed() == 2


def test_without_the_count_it_would_be(world, tmp_path):
    """The control: it is the count that holds it, and nothing else."""
    place(world, "before")
    copy = copy_of(place_of(world), tmp_path / "copy.db")
    sidecar = Path(f"{place_of(world)}.epoch")
    then = sidecar.read_bytes()
    place(world, "lost")
    put_back(copy, place_of(world))
    sidecar.write_bytes(then)
    place(world, "lost")
    assert world.orders_placed() == 3


def test_a_held_journal_can_still_be_read_and_stays_held(world, tmp_path):
    place(world, "before")
    copy = copy_of(place_of(world), tmp_path / "copy.db")
    place(world, "lost")
    put_back(copy, place_of(world))
    for _ in range(3):  # its own writes count on, and do not lift it
        with Journal.open(world.journal_url) as journal:
            assert journal.get("before").state is State.ACCEPTED
            journal.note("before", "looked at", {})
        with pytest.raises(GuardRefused):
            place(world, "new")
    assert world.orders_placed() == 2


def test_what_was_accepted_sends_again_and_says_who(world, tmp_path):
    place(world, "before")
    copy = copy_of(place_of(world), tmp_path / "copy.db")
    place(world, "lost")
    put_back(copy, place_of(world))
    with Journal.open(world.journal_url) as journal:
        held = keeping.accept_restore(journal.engine, by="cli:ann", why="the disk died")
        assert "older copy" in held["why"]
        with journal.engine.connect() as connection:
            records = [value for name, value in keeping.read_meta(connection).items() if name.startswith("accepted ")]
        assert len(records) == 1
        assert "cli:ann" in records[0]
        assert "the disk died" in records[0]
        with pytest.raises(InvalidInput, match="nothing to accept"):
            keeping.accept_restore(journal.engine, by="cli:ann")
    place(world, "new")
    assert world.orders_placed() == 3


def test_a_journal_that_was_deleted_is_noticed(world):
    place(world, "lost")
    for end in ("", "-wal", "-shm"):
        Path(f"{place_of(world)}{end}").unlink(missing_ok=True)
    with pytest.raises(GuardRefused, match="older copy"):
        place(world, "lost")
    assert world.orders_placed() == 1


def test_a_copy_in_another_place_is_held(world, tmp_path):
    place(world, "one")
    (tmp_path / "elsewhere").mkdir()
    copy = copy_of(place_of(world), tmp_path / "elsewhere" / "journal.db")
    with Journal.open(f"sqlite:///{copy}") as journal, pytest.raises(GuardRefused, match="missing beside it"):
        journal.start(prepare(journal, "i"), to=State.SENDING, owner="o", account_id="a")


def test_two_names_of_one_journal_have_one_count(world, tmp_path):
    place(world, "one")
    (tmp_path / "link.db").symlink_to(place_of(world))
    world.journal_url = f"sqlite:///{tmp_path}/link.db"
    place(world, "two")
    assert world.orders_placed() == 2


def test_each_write_counts_once_and_reading_counts_nothing(tmp_path):
    counter = Counter(tmp_path / "journal.db")
    with Journal.open(f"sqlite:///{tmp_path}/journal.db") as journal:
        first = counter.highest()
        prepare(journal, "a")
        assert counter.highest() == first + 1
        prepare(journal, "a")
        journal.list()
        assert counter.highest() == first + 1
        journal.set_trading_state("HALTED", by="test")
        assert counter.highest() == first + 2
        with pytest.raises(ZeroDivisionError), writing(journal.engine) as connection:
            keeping.hold(connection, "undone")
            raise ZeroDivisionError
        assert counter.highest() == first + 2


def test_many_threads_never_take_the_count_back(tmp_path):
    """Enough writes for the file to be shortened many times, with slow writers among them."""
    url = f"sqlite:///{tmp_path}/journal.db"
    counter = Counter(tmp_path / "journal.db")
    with Journal.open(url) as journal:
        prepare(journal, "a")
        journal.engine.dispose()

        def write():
            for _ in range(150):
                with writing(journal.engine) as connection:
                    connection.exec_driver_sql("UPDATE intent SET updated_at = 'x'")

        seen, done = [], threading.Event()

        def watch():
            while not done.is_set():
                seen.append(counter.highest())

        watcher = threading.Thread(target=watch)
        writers = [threading.Thread(target=write) for _ in range(4)]
        for thread in (watcher, *writers):
            thread.start()
        for thread in writers:
            thread.join()
        done.set()
        watcher.join()
        assert counter.path.stat().st_size < 5000
        assert None not in seen
        with journal.engine.connect() as connection:
            assert counter.highest() == int(keeping.read_meta(connection)["epoch"])
    assert seen == sorted(seen)
    Journal.open(url).close()


def test_a_torn_or_strange_line_is_no_count(tmp_path):
    counter = Counter(tmp_path / "journal.db")
    counter.path.write_bytes(b"7\n\0\0\0\0\n-3\n99999999999999999999999\n12x\n9\n8\n")
    assert counter.highest() == 9


def test_a_journal_from_before_the_count_begins_to_count(tmp_path):
    url = f"sqlite:///{tmp_path}/journal.db"
    with Journal.open(url) as journal:
        prepare(journal, "a")
    with sqlite3.connect(tmp_path / "journal.db") as connection:
        connection.execute("DELETE FROM meta")
    connection.close()
    (tmp_path / "journal.db.epoch").unlink()
    with Journal.open(url) as journal, writing(journal.engine) as connection:
        keeping.check_may_send(connection)
    assert Counter(tmp_path / "journal.db").highest() >= 1


# --- the machine ------------------------------------------------------------------------------------------------


@pytest.fixture
def machine_id(tmp_path, monkeypatch):
    """The machine's id, to be changed: the file is real, only its place is not."""
    file = tmp_path / "machine-id"
    file.write_text("0123456789abcdef\n")
    monkeypatch.setattr(keeping, "MACHINE_ID", file)
    return file


def test_a_journal_from_another_machine_is_refused_until_it_is_adopted(tmp_path, machine_id):
    url = f"sqlite:///{tmp_path}/journal.db"
    Journal.open(url).close()
    machine_id.write_text("another\n")
    with pytest.raises(ConfigurationError, match="tradehook journal adopt"):
        Journal.open(url)
    engine = open_database(url)
    keeping.adopt(engine, by="cli:ann")
    with pytest.raises(InvalidInput, match="already"):
        keeping.adopt(engine, by="cli:ann")
    engine.dispose()
    Journal.open(url).close()
    machine_id.write_text("0123456789abcdef\n")
    with pytest.raises(ConfigurationError, match="another machine"):
        Journal.open(url)


def test_the_machines_id_is_not_in_the_journal(tmp_path, machine_id):
    Journal.open(f"sqlite:///{tmp_path}/journal.db").close()
    assert b"0123456789abcdef" not in (tmp_path / "journal.db").read_bytes()


@pytest.mark.parametrize("content", [None, "", "\n"])
def test_a_container_without_an_id_gets_one_beside_the_journal(tmp_path, machine_id, content, monkeypatch):
    machine_id.unlink()
    if content is not None:
        machine_id.write_text(content)
    url = f"sqlite:///{tmp_path}/journal.db"
    Journal.open(url).close()
    Journal.open(url).close()
    assert (tmp_path / "journal.db.machine").stat().st_mode & 0o077 == 0
    (tmp_path / "journal.db.machine").write_text("of another")
    with pytest.raises(ConfigurationError, match="another machine"):
        Journal.open(url)


def test_another_machines_journal_is_refused_before_it_is_upgraded(tmp_path, machine_id):
    url = f"sqlite:///{tmp_path}/journal.db"
    Journal.open(url).close()
    with sqlite3.connect(tmp_path / "journal.db") as connection:
        connection.execute("UPDATE tradehook_version SET version_num = '0001'")
    connection.close()
    machine_id.write_text("another")
    with pytest.raises(ConfigurationError, match="another machine"):
        Journal.open(url)


@pytest.mark.parametrize(
    ("line", "is_refused"),
    [
        ("36 25 0:30 / {folder} rw,relatime shared:1 - nfs4 server:/export rw", True),
        ("36 25 0:30 / {folder} rw,relatime - cifs //server/share rw", True),
        ("36 25 0:30 / {folder} rw,relatime shared:1 master:2 - fuse.sshfs me@there:/ rw", True),
        ("36 25 0:30 / {folder}/journals rw - ext4 /dev/sdb rw\n35 25 0:29 / {folder} rw - nfs server:/ rw", False),
        ("36 25 0:30 / {folder}/journal rw - nfs server:/ rw", False),
        ("36 25 0:30 / {folder} rw - nfs server:/ rw\n37 36 0:31 / {folder} rw - ext4 /dev/sdb rw", False),
        ("36 25 0:30 / {folder} rw - ext4 /dev/sdb rw", False),
    ],
)  # fmt: skip
def test_a_network_file_system_is_refused(tmp_path, monkeypatch, line, is_refused):
    folder = tmp_path / "with space"
    mounts = tmp_path / "mountinfo"
    quoted = str(folder).replace(" ", "\\040")
    mounts.write_text(f"25 1 8:1 / / rw - ext4 /dev/sda rw\n{line.format(folder=quoted)}\n")
    monkeypatch.setattr(keeping, "MOUNTS", mounts)
    url = f"sqlite:///{folder}/journals/journal.db"
    if is_refused:
        with pytest.raises(ConfigurationError, match="network file system"):
            Journal.open(url)
    else:
        Journal.open(url).close()


def test_this_machines_own_mounts_can_be_read(tmp_path):
    assert keeping.file_system(tmp_path) not in ("", "nfs")


# --- upgrades ---------------------------------------------------------------------------------------------------


def test_a_task_never_upgrades_what_exists(tmp_path):
    url = f"sqlite:///{tmp_path}/journal.db"
    Journal.open(url, may_upgrade=False).close()  # a new one holds nothing that could be harmed
    Journal.open(url, may_upgrade=False).close()
    with sqlite3.connect(tmp_path / "journal.db") as connection:
        connection.execute("UPDATE tradehook_version SET version_num = '0002'")
    connection.close()
    with pytest.raises(ConfigurationError, match="tradehook journal upgrade"):
        Journal.open(url, may_upgrade=False)


# --- copies -----------------------------------------------------------------------------------------------------


def test_a_backup_is_whole_while_others_write(tmp_path):
    url = f"sqlite:///{tmp_path}/journal.db"
    stop = threading.Event()
    with Journal.open(url) as journal:
        prepare(journal, "first")

        def write():
            number = 0
            while not stop.is_set():
                prepare(journal, f"i-{number}")
                number += 1

        writer = threading.Thread(target=write)
        writer.start()
        try:
            made = [copies.backup(journal.engine, tmp_path / f"copy{number}.db") for number in range(5)]
        finally:
            stop.set()
            writer.join()
    for number, entry in enumerate(made):
        file = tmp_path / f"copy{number}.db"
        assert file.stat().st_mode & 0o077 == 0
        with sqlite3.connect(file) as copy:
            # Each intent has its event: the copy is one moment, not several.
            assert copy.execute("SELECT count(*) FROM intent").fetchone()[0] == entry["intents"] > 0
            assert copy.execute("SELECT count(*) FROM intent_event").fetchone()[0] == entry["intents"]
        copy.close()
    assert [entry["intents"] for entry in made] == sorted(entry["intents"] for entry in made)
    assert not list(tmp_path.glob("*.part"))


def test_a_backup_overwrites_nothing(tmp_path):
    (tmp_path / "copy.db").write_text("precious")
    with Journal.open(f"sqlite:///{tmp_path}/journal.db") as journal:
        with pytest.raises(InvalidInput, match="exists"):
            copies.backup(journal.engine, tmp_path / "copy.db")
        with pytest.raises(ConfigurationError, match="cannot be made"):
            copies.backup(journal.engine, tmp_path / "no folder" / "copy.db")
    assert (tmp_path / "copy.db").read_text() == "precious"


def test_what_was_restored_sends_nothing_until_it_is_accepted(world, tmp_path):
    place(world, "before")
    with Journal.open(world.journal_url) as journal:
        copies.backup(journal.engine, tmp_path / "copy.db")
    place(world, "lost")
    with pytest.raises(InvalidInput, match="already"):
        copies.restore(tmp_path / "copy.db", world.journal_url, by="cli:ann")
    (tmp_path / "new").mkdir()
    world.journal_url = f"sqlite:///{tmp_path}/new/journal.db"
    assert copies.restore(tmp_path / "copy.db", world.journal_url, by="cli:ann")["intents"] == 1
    with pytest.raises(GuardRefused, match="restored from copy.db"):
        place(world, "lost")
    with Journal.open(world.journal_url) as journal:
        keeping.accept_restore(journal.engine, by="cli:ann")
    assert place(world, "before").is_stored
    place(world, "new")
    assert world.orders_placed() == 3


def test_a_log_that_was_left_behind_is_never_played_into_the_copy(tmp_path):
    url = f"sqlite:///{tmp_path}/journal.db"
    with Journal.open(url) as journal:
        copies.backup(journal.engine, tmp_path / "copy.db")
    (tmp_path / "journal.db").unlink()
    (tmp_path / "journal.db-wal").write_bytes(b"old")
    with pytest.raises(InvalidInput, match="-wal already"):
        copies.restore(tmp_path / "copy.db", url, by="cli:ann")


@pytest.mark.parametrize("content", [None, b"", b"no database" * 200])
def test_what_is_no_copy_is_not_restored(tmp_path, content):
    if content is not None:
        (tmp_path / "copy.db").write_bytes(content)
    with pytest.raises(InvalidInput):
        copies.restore(tmp_path / "copy.db", f"sqlite:///{tmp_path}/journal.db", by="cli:ann")
    assert not (tmp_path / "journal.db").exists()


def test_pruning_keeps_ids_and_what_came_of_them(world):
    kept, later = place(world, "old"), datetime.now(UTC) + timedelta(days=500)
    with Journal.open(world.journal_url) as journal:
        prepare(journal, "never sent")
        old = journal.get("old")
        journal.see("old", old.last_order.model_copy(update={"status": OrderStatus.FILLED}))
        highest = journal.events("old")
        before = journal.get("old")
        with pytest.raises(InvalidInput, match="30d or more"):
            copies.prune(journal.engine, older_than=timedelta(days=29), by="cli:ann")
        assert copies.prune(journal.engine, older_than=timedelta(days=400), by="cli:ann") == {"intents": 0, "events": 0}
        pruned = copies.prune(journal.engine, older_than=timedelta(days=400), by="cli:ann", now=later)
        assert pruned == {"intents": 1, "events": len(highest)}
        again = copies.prune(journal.engine, older_than=timedelta(days=400), by="cli:ann", now=later)
        assert again == {"intents": 0, "events": 0}
        after = journal.get("old")
        names = ("intent_id", "asked_hash", "request", "state", "exchange_id", "seen", "is_final", "notional", "attempt")
        assert [getattr(after, name) for name in names] == [getattr(before, name) for name in names]
        assert [event["what"] for event in journal.events("old")] == ["pruned"]
        assert [event["what"] for event in journal.events("never sent")] == ["prepared"]
    assert place(world, "old").order.order_id == kept.order.order_id
    assert world.orders_placed() == 1


def test_the_number_of_an_event_is_never_given_twice(world):
    """Who follows the events by number, as the bot does, must not miss any after a prune."""
    place(world, "old")
    with Journal.open(world.journal_url) as journal:
        journal.see("old", journal.get("old").last_order.model_copy(update={"status": OrderStatus.FILLED}))

        def highest():
            with journal.engine.connect() as connection:
                return connection.exec_driver_sql("SELECT max(event_id) FROM intent_event").scalar_one()

        before = highest()
        later = datetime.now(UTC) + timedelta(days=500)
        copies.prune(journal.engine, older_than=timedelta(days=400), by="cli:ann", now=later)
        prepare(journal, "new")
        with journal.engine.connect() as connection:
            found = connection.exec_driver_sql("SELECT min(event_id) FROM intent_event").scalar_one()
        assert found > before


def test_status_finds_what_is_broken(tmp_path):
    path = tmp_path / "journal.db"
    with Journal.open(f"sqlite:///{path}") as journal:
        for number in range(200):
            prepare(journal, f"i-{number}")
        found = copies.status(journal.engine)
        assert (found["integrity"], found["held"], found["machine"]) == ("ok", None, "this one")
        assert (found["intents"], found["events"]) == ({"PREPARED": 200}, 200)
    with sqlite3.connect(path) as connection:
        connection.execute("DELETE FROM intent WHERE intent_id = 'i-7'")
    connection.close()
    engine = copies.open_to_look(f"sqlite:///{path}")
    assert "1 events without their intent" in copies.status(engine)["integrity"]
    engine.dispose()
    with path.open("r+b") as file:
        file.seek(8192)
        file.write(b"\xff" * 4096)
    try:
        engine = copies.open_to_look(f"sqlite:///{path}")
        assert copies.status(engine)["integrity"] != "ok"
        engine.dispose()
    except JournalUnavailable as error:
        assert "malformed" in str(error)


def test_looking_makes_no_journal(tmp_path):
    with pytest.raises(InvalidInput, match="no journal"):
        copies.open_to_look(f"sqlite:///{tmp_path}/journal.db")
    assert not list(tmp_path.iterdir())
