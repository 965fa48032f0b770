"""A count of the journal's writes that only rises, kept twice: in the journal and in a small file beside it.

A journal that counts less than its file was replaced by an older copy of itself, and does not know what
was sent since. The file is never synced: it loses at most what a power cut takes from it, and then it
counts less than the journal, which is harmless.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

_LINE = re.compile(rb"^([0-9]{1,18})$", re.MULTILINE)
_LONGEST = 4096
_RISE = "UPDATE meta SET value = CAST(CAST(value AS INTEGER) + 1 AS TEXT) WHERE name = 'epoch' RETURNING value"

_counters: WeakKeyDictionary[Engine, Counter] = WeakKeyDictionary()


class Counter:
    """The file beside one journal. Lines are only added, so that no slow process takes a higher count away."""

    def __init__(self, journal: Path) -> None:
        # Two names of one journal have one file.
        self.path = Path(f"{journal.resolve()}.epoch")

    def highest(self) -> int | None:
        """The highest count that was told; `None` without a file."""
        try:
            lines = _LINE.findall(self.path.read_bytes())
        except FileNotFoundError:
            return None
        return max(map(int, lines), default=0)

    def rise(self, connection: Connection) -> int | None:
        """Count one write, in its own transaction; `None` in a journal that does not count yet."""
        found = connection.exec_driver_sql(_RISE).scalar_one_or_none()
        if found is None:
            return None
        count = int(found)
        with suppress(OSError):
            if self.path.stat().st_size > _LONGEST:
                self._shorten(count - 1)
        return count

    def tell(self, count: int) -> None:
        """Add a count that is committed. What fails here is told by the next write."""
        with suppress(OSError):
            self._append(count)

    def make(self) -> None:
        """Make the file if it is missing. An error counts: without the file, the journal would be held."""
        if self.highest() is None:
            self._append(0)

    def _append(self, count: int) -> None:
        file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(file, b"%d\n" % count)
        finally:
            os.close(file)

    def _shorten(self, count: int) -> None:
        # Under the journal's write lock: whatever others add to the old file meanwhile is no higher than this.
        new = self.path.with_name(f"{self.path.name}.new")
        new.write_bytes(b"%d\n" % count)
        new.chmod(0o600)
        new.replace(self.path)


def count_writes(engine: Engine, counter: Counter) -> None:
    """From now on, each transaction of this engine that changes something is counted."""
    _counters[engine] = counter


def counter_of(engine: Engine) -> Counter | None:
    """What counts an engine's writes, if anything does."""
    return _counters.get(engine)
