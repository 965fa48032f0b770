"""Named targets of a rebalance. Setting them again makes a new version; the old ones stay for the record."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, insert, select

from tradehook.desk.intents import iso
from tradehook.desk.schema import reading, writing
from tradehook.desk.tables import TARGETS
from tradehook.errors import InvalidInput
from tradehook.rebalance import Goal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Engine, Row

_NAME = re.compile(r"[a-z][a-z0-9._-]{0,39}", re.ASCII)


@dataclass(frozen=True, slots=True)
class TargetSet:
    """One version of named targets."""

    name: str
    version: int
    goal: Goal
    set_by: str
    set_at: datetime

    @property
    def title(self) -> str:
        """`main, version 2`."""
        return f"{self.name}, version {self.version}"

    def to_dict(self) -> dict[str, Any]:
        """A plain dict of JSON types."""
        return {
            "name": self.name,
            "version": self.version,
            "goal": self.goal.to_dict(),
            "set_by": self.set_by,
            "set_at": iso(self.set_at),
        }


class Targets:
    """The named targets in one journal."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def set(self, name: str, goal: Goal, *, by: str) -> TargetSet:
        """Let the name mean this goal from now on. The same goal again makes no new version.

        Raises:
            InvalidInput: it is not a name.
        """
        name = check_name(name)
        with writing(self._engine) as connection:
            query = select(TARGETS).where(TARGETS.c.name == name).order_by(TARGETS.c.version.desc()).limit(1)
            newest = connection.execute(query).one_or_none()
            if newest is not None and _read(newest).goal == goal:
                return _read(newest)
            row = {
                "name": name,
                "version": newest.version + 1 if newest is not None else 1,
                "goal": json.dumps(goal.to_dict()),
                "set_by": by[:255],
                "set_at": iso(datetime.now(UTC)),
            }
            connection.execute(insert(TARGETS).values(row))
            return _read(connection.execute(query).one())

    def get(self, name: str) -> TargetSet:
        """What the name means now.

        Raises:
            InvalidInput: nothing has that name; says which names there are.
        """
        name = check_name(name)
        known = {found.name: found for found in self.list()}
        if name not in known:
            there = f"there is {', '.join(known)}" if known else "there are none yet"
            raise InvalidInput(
                f"No targets are called {name}; {there}. Write them with `tradehook targets set {name} BTC=50 ETH=30`.",
                suggestions=tuple(known),
            )
        return known[name]

    def list(self) -> Sequence[TargetSet]:
        """The newest version of each, by name."""
        newest = (
            select(TARGETS.c.name, func.max(TARGETS.c.version).label("version")).group_by(TARGETS.c.name).subquery()
        )
        query = select(TARGETS).join(
            newest, (TARGETS.c.name == newest.c.name) & (TARGETS.c.version == newest.c.version)
        )
        with reading(self._engine) as connection:
            return [_read(row) for row in connection.execute(query.order_by(TARGETS.c.name))]

    def history(self, name: str) -> Sequence[TargetSet]:
        """Every version, newest first. Raises `InvalidInput` when nothing has that name."""
        name = self.get(name).name
        query = select(TARGETS).where(TARGETS.c.name == name).order_by(TARGETS.c.version.desc())
        with reading(self._engine) as connection:
            return [_read(row) for row in connection.execute(query)]


def check_name(text: str) -> str:
    """The name in lower case. Raises `InvalidInput` when it is none."""
    word = text.strip().lower()
    if not _NAME.fullmatch(word):
        raise InvalidInput(
            f"{text.strip()[:40]!r} is not a name for targets: write a letter first, then letters, digits, dots and "
            "dashes.",
            suggestions=("main",),
        )
    return word


def _read(row: Row[Any]) -> TargetSet:
    return TargetSet(
        name=row.name,
        version=row.version,
        goal=Goal.model_validate(json.loads(row.goal)),
        set_by=row.set_by,
        set_at=datetime.fromisoformat(row.set_at),
    )
