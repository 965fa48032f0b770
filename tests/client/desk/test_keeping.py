"""A journal that is not the one it was: from another machine, on a network, older than it has been."""

from __future__ import annotations

import shutil
import sqlite3
import threading
from pathlib import Path

import pytest

from tradehook.desk import epoch, keeping
from tradehook.desk.epoch import Counter
from tradehook.desk.intents import State
from tradehook.desk.journal import Journal
from tradehook.desk.schema import open_database, writing
from tradehook.errors import ConfigurationError, GuardRefused, InvalidInput
from tradehook.models import NewOrder

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


def test_a_file_without_a_whole_count_counts_nothing_and_no_file_is_none(tmp_path):
    counter = Counter(tmp_path / "journal.db")
    assert counter.highest() is None
    counter.path.write_bytes(b"torn")
    assert counter.highest() == 0


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


def test_many_threads_never_take_the_count_back(tmp_path, monkeypatch):
    """Enough writes for the file to be shortened many times, with slow writers among them."""
    monkeypatch.setattr(epoch, "_LONGEST", 100)
    url = f"sqlite:///{tmp_path}/journal.db"
    counter = Counter(tmp_path / "journal.db")
    with Journal.open(url) as journal:
        prepare(journal, "a")

        def write():
            for _ in range(150):
                with writing(journal.engine) as connection:
                    connection.exec_driver_sql("UPDATE intent SET updated_at = updated_at || 'x'")

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
        assert counter.path.stat().st_size < 200
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


def test_a_count_that_cannot_be_read_is_told_as_such(tmp_path):
    url = f"sqlite:///{tmp_path}/journal.db"
    Journal.open(url).close()
    (tmp_path / "journal.db.epoch").unlink()
    (tmp_path / "journal.db.epoch").mkdir()
    with pytest.raises(ConfigurationError, match="belongs to the journal"):
        Journal.open(url)


def test_a_count_that_cannot_be_written_does_not_undo_what_is_committed(tmp_path):
    url = f"sqlite:///{tmp_path}/journal.db"
    with Journal.open(url) as journal:
        (tmp_path / "journal.db.epoch").unlink()
        (tmp_path / "journal.db.epoch").mkdir()
        assert prepare(journal, "a").state is State.PREPARED
        (tmp_path / "journal.db.epoch").rmdir()
        prepare(journal, "b")
    with Journal.open(url) as journal, writing(journal.engine) as connection:
        keeping.check_may_send(connection)


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


def test_processes_that_make_the_id_at_once_get_the_same(tmp_path, machine_id):
    machine_id.unlink()
    barrier, found = threading.Barrier(8), []

    def ask():
        barrier.wait()
        found.append(keeping.machine(tmp_path / "journal.db"))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len({*found}) == 1
    assert [file.name for file in tmp_path.glob("journal.db*")] == ["journal.db.machine"]


def test_an_id_that_cannot_be_made_is_told(tmp_path, machine_id):
    machine_id.unlink()
    (tmp_path / "journal.db.machine").mkdir()
    with pytest.raises(ConfigurationError, match="cannot be made"):
        Journal.open(f"sqlite:///{tmp_path}/journal.db")


def test_without_a_list_of_mounts_nothing_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(keeping, "MOUNTS", tmp_path / "none")
    Journal.open(f"sqlite:///{tmp_path}/journal.db").close()


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
