"""The bot's place in the journal's database, and the threads on which it is read and written.

The event loop never waits for a disk. These threads are the bot's own, so that a freeze does not queue
behind somebody's slow cancel on the loop's shared ones.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from sqlalchemy import insert, select, update

from tradehook.desk.schema import upgrade, writing
from tradehook_bot.tables import MARK

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection, Engine

P = ParamSpec("P")
T = TypeVar("T")

NEWEST = "0011"
_THREADS = 4


class Store:
    """One bot's rows. Its tables exist and are of this version."""

    def __init__(self, engine: Engine, *, bot_id: int) -> None:
        """Bring the tables up to date.

        Args:
            engine: the journal's database.
            bot_id: the number in front of the bot's token.

        Raises:
            ConfigurationError: the database was written by a newer version, or cannot be opened.
        """
        self.engine = engine
        self.bot_id = bot_id
        self._threads = ThreadPoolExecutor(max_workers=_THREADS, thread_name_prefix="tradehook-bot-store")
        upgrade(
            engine,
            scripts=Path(__file__).parent / "migrations",
            version_table="tradehook_bot_version",
            newest=NEWEST,
        )

    async def do(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a function that reads or writes the database, off the loop."""
        work = partial(function, *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    def close(self) -> None:
        """Wait for what is being written."""
        self._threads.shutdown(wait=True)

    def mark(self, name: str) -> int | None:
        """A number kept under this name."""
        with self.engine.connect() as connection:
            return connection.execute(
                select(MARK.c.value).where(MARK.c.bot_id == self.bot_id, MARK.c.name == name)
            ).scalar_one_or_none()

    def set_mark(self, name: str, value: int) -> None:
        """Keep a number under this name."""
        with writing(self.engine) as connection:
            self.put_mark(connection, name, value)

    def put_mark(self, connection: Connection, name: str, value: int) -> None:
        """The same inside a transaction that is open already."""
        here = (MARK.c.bot_id == self.bot_id) & (MARK.c.name == name)
        if connection.execute(update(MARK).where(here).values(value=value)).rowcount == 0:
            connection.execute(insert(MARK).values(bot_id=self.bot_id, name=name, value=value))


def now() -> datetime:
    """The time, aware UTC."""
    return datetime.now(UTC)


def stamp(at: datetime) -> str:
    """A time as text of one width, so that the database's comparison of text is one of time."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def read_stamp(text: str) -> datetime:
    """The time again."""
    return datetime.fromisoformat(text)
