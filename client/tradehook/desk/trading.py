"""Whether trading goes on: for everything that uses a journal, and for each account of it. Holds over restarts.

NORMAL; REDUCING, when only sells into money leave (and cancels); HALTED, when nothing but cancels does. Of two states
that hold for an account, the stricter counts.
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from sqlalchemy import bindparam, insert, select, update

from tradehook.desk.intents import iso
from tradehook.desk.schema import reading, writing
from tradehook.desk.tables import TRADING
from tradehook.errors import GuardRefused, InvalidInput
from tradehook.render import clock_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from sqlalchemy import Connection, Engine, Row

EVERYWHERE = "*"
_BY_ACCOUNT = "`tradehook resume --account-only`"
_BY_SCOPE = select(TRADING).order_by(TRADING.c.scope != EVERYWHERE, TRADING.c.scope)
_OF_SCOPE = select(TRADING).where(TRADING.c.scope == bindparam("its_scope"))
_OF_SCOPES = _BY_SCOPE.where(TRADING.c.scope.in_([EVERYWHERE, bindparam("its_scope")]))


class TradingState(StrEnum):
    """What may be sent."""

    NORMAL = "NORMAL"
    REDUCING = "REDUCING"
    HALTED = "HALTED"


def scope_of(host: str, account_id: str) -> str:
    """The scope of one account."""
    return f"{host}/{account_id}"


class Trading:
    """The states in one journal."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def get(self, scope: str = EVERYWHERE) -> dict[str, str]:
        """`state`, `changed_by`, `why`, `changed_at` of a scope; NORMAL when nobody ever changed it."""
        with reading(self._engine) as connection:
            row = find(connection, scope)
        if row is None:
            return {"state": "NORMAL", "changed_by": "", "why": "", "changed_at": ""}
        return _told(row)

    def list(self) -> Sequence[dict[str, str]]:
        """Every scope that somebody changed, with its `scope`, everything first."""
        with reading(self._engine) as connection:
            return [{"scope": row.scope, **_told(row)} for row in connection.execute(_BY_SCOPE)]

    def set(
        self,
        state: str,
        *,
        by: str,
        why: str = "",
        scope: str = EVERYWHERE,
        may_loosen: bool = True,
        since: str | None = None,
    ) -> None:
        """Freeze (`HALTED`), let only sells into money through (`REDUCING`) or resume (`NORMAL`) a scope.

        Args:
            state: what holds from now on.
            by: who says so.
            why: their reason.
            scope: everything, or one account.
            may_loosen: `False` is for who may stop trading and may not let it go on.
            since: the `changed_at` of the state that was looked at: another one that came meanwhile stays.

        Raises:
            InvalidInput: there is no such state.
            GuardRefused: `rule` is `resume`: it would let through what is stopped now, or it was changed meanwhile.
        """
        words = [str(word) for word in TradingState]
        if state not in words:
            raise InvalidInput(f"{state[:20]!r} is no trading state: write {', '.join(words)}.")
        with writing(self._engine) as connection:
            row = find(connection, scope)
            if since is not None and row is not None and row.changed_at != since:
                raise GuardRefused(
                    f"Trading was set to {row.state} by {row.changed_by} at {clock_of(row.changed_at)}, after you "
                    "looked. It stays so.",
                    rule="resume",
                    actual=row.state,
                )
            if not may_loosen and row is not None and words.index(state) < words.index(row.state):
                told = f"since {clock_of(row.changed_at)} by {row.changed_by}{': ' + row.why if row.why else ''}"
                raise GuardRefused(
                    f"Trading is {row.state} {told}. Only a person lifts that: "
                    f"{'`tradehook resume`, or /resume in chat' if scope == EVERYWHERE else _BY_ACCOUNT}.",
                    rule="resume",
                    actual=row.state,
                )
            change(connection, scope, state, by=by, why=why)


def find(connection: Connection, scope: str) -> Row[Any] | None:
    """The row of a scope, if anybody ever changed it."""
    return connection.execute(_OF_SCOPE, {"its_scope": scope}).one_or_none()


def change(connection: Connection, scope: str, state: str, *, by: str, why: str) -> None:
    """Set the state of a scope, inside a transaction that somebody holds."""
    values = {"state": state, "changed_by": by[:255], "why": why, "changed_at": iso(datetime.now(UTC))}
    done = connection.execute(update(TRADING).where(TRADING.c.scope == scope).values(values))
    if done.rowcount == 0:
        connection.execute(insert(TRADING).values(scope=scope, **values))


def check(connection: Connection, *, host: str, account_id: str, reduces: bool) -> None:
    """Raises `GuardRefused` when what is to be sent may not leave now; `reduces`: it sells into money."""
    for row in connection.execute(_OF_SCOPES, {"its_scope": scope_of(host, account_id)}):
        if row.state == TradingState.NORMAL or (row.state == TradingState.REDUCING and reduces):
            continue
        since = f"since {clock_of(row.changed_at)} by {row.changed_by}{': ' + row.why if row.why else ''}"
        if row.state == TradingState.REDUCING:
            says = f"Only sells into money, closes of positions, and cancels are let through {since}."
        elif row.scope == EVERYWHERE:
            says = f"Trading is frozen {since}."
        else:
            says = f"This account is halted {since}."
        lifts = (
            "/resume in chat or `tradehook resume` lifts it." if row.scope == EVERYWHERE else f"{_BY_ACCOUNT} lifts it."
        )
        raise GuardRefused(f"{says} {lifts}", rule="frozen", actual=row.state)


def _told(row: Row[Any]) -> dict[str, str]:
    return {"state": row.state, "changed_by": row.changed_by, "why": row.why, "changed_at": row.changed_at}
