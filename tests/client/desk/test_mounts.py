"""On which file system a journal lies, by the machine's list of mounts, and that a network's is no place for one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tradehook.desk import keeping
from tradehook.desk.journal import Journal
from tradehook.errors import ConfigurationError

ROOT = "25 1 8:1 / / rw - ext4 /dev/sda rw"


@pytest.mark.parametrize(
    ("mounts", "path", "kind"),
    [
        ([ROOT], "/srv/a/j.db", "ext4"),
        ([ROOT, "36 25 0:30 / /srv rw shared:1 - nfs4 there:/x rw"], "/srv/a/j.db", "nfs4"),
        ([ROOT, "36 25 0:30 / /srv rw - nfs4 there:/x rw - odd"], "/srv/a/j.db", "nfs4"),
        ([ROOT, "36 25 0:30 / /srv/another/longer rw - nfs4 there:/x rw"], "/srv/a/j.db", "ext4"),
        ([ROOT, "36 25 0:30 / /srv/a/j.db rw - xfs /dev/sdb rw"], "/srv/a/j.db", "xfs"),
        ([ROOT, "36 25 0:30 / /srv/a/j.dbx rw - xfs /dev/sdb rw"], "/srv/a/j.db", "ext4"),
        ([ROOT, "36 25 0:30 / /srv rw - nfs there:/x rw", "37 36 0:31 / /srv rw - xfs /dev/sdb rw"], "/srv/j", "xfs"),
        (["36 25 0:30 / /srv rw - xfs /dev/sdb rw", ROOT], "/srv/j.db", "xfs"),
        ([ROOT, "36 25 0:30 / /srv/a\\040b\\134c rw - nfs there:/x rw"], "/srv/a b\\c/j.db", "nfs"),
        ([ROOT, "36 25 0:30 / /srv/a\u00a0b rw - nfs there:/x rw"], "/srv/a\u00a0b/j.db", "nfs"),
        ([ROOT, "36 25 0:30 / /srv/a\rb\fc\u2028d rw - nfs there:/x rw"], "/srv/a\rb\fc\u2028d/j.db", "nfs"),
        (["36 25 0:30 / /srv rw - xfs /dev/sdb rw"], "/home/j.db", ""),
        ([], "/home/j.db", ""),
    ],
)
def test_a_file_lies_on_the_deepest_and_latest_mount_above_it(tmp_path, monkeypatch, mounts, path, kind):
    file = tmp_path / "mountinfo"
    # Names need not be text at all.
    file.write_bytes("".join(f"{line}\n" for line in mounts).encode() + b"40 25 0:40 / /mnt/\xff rw - vfat x rw\n")
    monkeypatch.setattr(keeping, "MOUNTS", file)
    assert keeping.file_system(Path(path)) == kind


def test_where_there_is_no_list_of_mounts_nothing_is_known(tmp_path, monkeypatch):
    monkeypatch.setattr(keeping, "MOUNTS", tmp_path / "none")
    assert keeping.file_system(tmp_path) == ""
    (tmp_path / "none").touch()  # as in a chroot that is no mount itself
    assert keeping.file_system(tmp_path) == ""


def test_why_a_file_on_a_network_is_no_place(tmp_path, monkeypatch):
    file = tmp_path / "mountinfo"
    file.write_text(f"36 25 0:30 / {tmp_path} rw - cifs //server/share rw\n")
    monkeypatch.setattr(keeping, "MOUNTS", file)
    with pytest.raises(ConfigurationError) as told:
        Journal.open(f"sqlite:///{tmp_path}/journal.db")
    assert str(told.value) == (
        f"The journal {tmp_path}/journal.db is on a network file system (cifs), where locks do not hold, so an order could be sent "
        "twice. Set TRADEHOOK_JOURNAL_URL to a file on this machine's own disk, or to PostgreSQL."
    )
