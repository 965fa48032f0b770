"""What is in doubt: kept apart from the rest of the journal, since only reconcile and people ask for it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, or_, select, union_all, update

from tradehook.desk import generations
from tradehook.desk.events import add_event
from tradehook.desk.fingerprint import moved_by, settled_from
from tradehook.desk.intents import IN_DOUBT, PLACED, SENDERS, Intent, State, read_intent
from tradehook.desk.schema import reading, writing
from tradehook.desk.tables import INTENT, PREVIEW

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Engine

_AT_ONCE = 500
_BOUND = union_all(
    *(
        select(table.c.exchange_id).where(
            table.c.host == bindparam("its_host"), table.c.exchange_id.in_(bindparam("some", expanding=True))
        )
        for table in (INTENT, PREVIEW)
    )
)


class Doubts:
    """The intents of one journal that may exist at the exchange or not."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def list(self, host: str, *, account_id: str | None = None, at: datetime | None = None) -> Sequence[Intent]:
        """Orders and transfers in doubt at this host, oldest first.

        Args:
            host: the exchange's.
            account_id: one account's only.
            at: with what is being sent by a process that lives, but whose time had passed at this moment: it stands
                still, and the token that it would send with is dead.
        """
        query = (
            select(INTENT)
            .where(INTENT.c.host == host, INTENT.c.kind != "plan")
            .where(INTENT.c.state.in_([str(state) for state in (*IN_DOUBT, *SENDERS)]))
            .order_by(INTENT.c.created_at)
        )
        if account_id is not None:
            query = query.where(INTENT.c.account_id == account_id)
        with reading(self._engine) as connection:
            found = [read_intent(row) for row in connection.execute(query)]
        return [intent for intent in found if intent.reads_as is State.UNKNOWN or _is_late(intent, at)]

    def bound(self, host: str, ids: Sequence[str]) -> Collection[str]:
        """Those of the exchange's ids that came from here: they belong to an intent, or to a preview."""
        found: set[str] = set()
        with reading(self._engine) as connection:
            for start in range(0, len(ids), _AT_ONCE):
                some = ids[start : start + _AT_ONCE]
                found.update(connection.execute(_BOUND, {"its_host": host, "some": some}).scalars())
        return found

    def moved_beside(self, intent: Intent, names: Collection[str]) -> int:
        """How many other intents of its account may have moved these since what was there before it was read.

        Args:
            intent: in doubt.
            names: assets or positions, as `moved_by` names them.
        """
        noted = intent.baseline or {}
        # By the journal's clock, as what it is compared with.
        since = noted.get("noted_at", noted.get("at", ""))
        query = (
            select(INTENT.c.kind, INTENT.c.request)
            .where(INTENT.c.host == intent.host, INTENT.c.account_id == intent.account_id, INTENT.c.kind != "plan")
            .where(INTENT.c.intent_id != intent.intent_id, INTENT.c.request.is_not(None))
            .where(INTENT.c.state.in_([str(state) for state in (*PLACED, *IN_DOUBT, *SENDERS)]))
            .where(or_(INTENT.c.is_final.is_(False), INTENT.c.updated_at > since))
        )
        with reading(self._engine) as connection:
            others = [moved_by(settled_from(row.kind, json.loads(row.request))) for row in connection.execute(query)]
        return sum(not set(names).isdisjoint(other) for other in others)

    def keep(self, intent: Intent, evidence: Mapping[str, Any]) -> None:
        """Keep what a look showed; an event only when it shows something else than the look before."""
        before = intent.resolution or {}
        is_news = any(before.get(name) != evidence.get(name) for name in ("found", "balances_changed", "clean_scans"))
        with writing(self._engine) as connection:
            done = connection.execute(
                update(INTENT)
                .where(
                    INTENT.c.intent_id == intent.intent_id,
                    INTENT.c.state == str(intent.state),
                    INTENT.c.attempt == intent.attempt,
                )
                .values(resolution=json.dumps(dict(evidence)))
            )
            if done.rowcount == 1 and is_news:
                add_event(connection, intent.intent_id, "looked", evidence)

    def newest_id(self, intent_id: str) -> str:
        """The id that this one leads to, when somebody let it happen once more; else itself."""
        with reading(self._engine) as connection:
            return generations.current_id(connection, intent_id)

    def again(self, intent: Intent, *, by: str, why: str) -> str:
        """Let the intent's id lead to a new intent, for what is to happen once more on purpose; return its id."""
        with writing(self._engine) as connection:
            following = generations.begin_next(connection, intent.intent_id, by=by, why=why)
            add_event(connection, intent.intent_id, "again", {"by": by, "why": why, "as": following})
        return following


def _is_late(intent: Intent, at: datetime | None) -> bool:
    return at is not None and intent.looking_until is not None and at > intent.looking_until
