"""The file beside a journal that counts its writes: made once, its owner's alone, and no trouble where it is missing."""

from __future__ import annotations

import os
import stat

import pytest

from tradehook.desk import epoch
from tradehook.desk.epoch import Counter
from tradehook.desk.journal import Journal
from tradehook.desk.schema import writing


@pytest.fixture
def counter(tmp_path):
    return Counter(tmp_path / "journal.db")


@pytest.fixture
def open_mask():
    """As on a machine where what is made may be read by all."""
    before = os.umask(0)
    yield
    os.umask(before)


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_it_is_made_once_and_begins_at_nothing(counter):
    counter.make()
    assert counter.path.read_bytes() == b"0\n"
    counter.tell(7)
    counter.make()
    assert counter.path.read_bytes() == b"0\n7\n"


@pytest.mark.usefixtures("open_mask")
def test_nobody_else_may_read_it_when_it_is_made_and_when_it_is_shortened(counter, tmp_path, monkeypatch):
    counter.make()
    assert mode(counter.path) == 0o600
    with Journal.open(f"sqlite:///{tmp_path}/journal.db") as journal:
        counter.path.write_bytes(b"1\n" * 50)
        counter.path.chmod(0o644)
        monkeypatch.setattr(epoch, "_LONGEST", 99)
        before = counter.path.stat().st_size
        journal.set_trading_state("HALTED", by="me")
    assert counter.path.stat().st_size < before == 100
    assert mode(counter.path) == 0o600


def test_shortened_it_says_what_was_committed_before_and_then_what_is_now(counter, tmp_path, monkeypatch):
    monkeypatch.setattr(epoch, "_LONGEST", 99)
    with Journal.open(f"sqlite:///{tmp_path}/journal.db") as journal:
        before = counter.highest()
        counter.path.write_bytes(b"1\n" * 50)
        journal.set_trading_state("HALTED", by="me")
        assert counter.path.read_bytes() == b"%d\n%d\n" % (before, before + 1)


def test_a_count_that_cannot_be_told_stops_no_write(counter, tmp_path):
    with Journal.open(f"sqlite:///{tmp_path}/journal.db") as journal:
        counter.path.unlink(missing_ok=True)
        counter.path.mkdir()
        counter.tell(7)
        counter.path.rmdir()
        with writing(journal.engine) as connection:
            assert counter.rise(connection) is not None  # there is no file whose length could be looked at
        counter.make()


def test_where_it_is_a_folder_it_cannot_be_made(counter):
    counter.path.mkdir()
    with pytest.raises(OSError, match="epoch"):
        counter.make()
