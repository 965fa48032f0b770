"""The runs that were started from chat: which message follows each, and what it should say.

A row is written before Airflow is asked, so that a crash in between leaves a run that is looked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert, select, update

from tradehook.desk.schema import reading, writing
from tradehook_bot.proposals import Where
from tradehook_bot.store import now, read_stamp, stamp
from tradehook_bot.tables import AIRFLOW_RUN

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from tradehook_bot.outbox import Letter, Outbox
    from tradehook_bot.proposals import Proposal
    from tradehook_bot.store import Store

ASKED, OVER = "asked", "over"


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run and its message."""

    proposal_id: str
    where: Where
    message_id: int
    dag_id: str
    run_id: str
    state: str
    words: str
    """What the message should say, as HTML."""
    made_at: datetime


class RunRows:
    """This bot's runs. Blocking: call it through `Store.do`."""

    def __init__(self, store: Store) -> None:
        """Look at this bot's rows."""
        self._store = store
        self._mine = AIRFLOW_RUN.c.bot_id == store.bot_id

    def begin(self, proposal: Proposal, *, dag_id: str, run_id: str, words: str) -> None:
        """Airflow is about to be asked for this run."""
        assert proposal.message_id is not None  # noqa: S101 - a question without a message cannot be confirmed
        with writing(self._store.engine) as connection:
            connection.execute(
                insert(AIRFLOW_RUN).values(
                    bot_id=self._store.bot_id,
                    proposal_id=proposal.proposal_id,
                    chat_id=proposal.chat_id,
                    user_id=proposal.user_id,
                    thread_id=proposal.where.thread_id,
                    message_id=proposal.message_id,
                    dag_id=dag_id,
                    run_id=run_id,
                    state=ASKED,
                    words=words,
                    made_at=stamp(now()),
                )
            )

    def forget(self, proposal_id: str) -> None:
        """Airflow certainly did not start it."""
        with writing(self._store.engine) as connection:
            connection.execute(delete(AIRFLOW_RUN).where(self._mine, AIRFLOW_RUN.c.proposal_id == proposal_id))

    def get(self, proposal_id: str) -> RunRow | None:
        """The run of this question."""
        return next(iter(self._select(AIRFLOW_RUN.c.proposal_id == proposal_id)), None)

    def open(self) -> Sequence[RunRow]:
        """Those that have not ended, as far as is known."""
        return self._select(AIRFLOW_RUN.c.state != OVER)

    def due(self) -> Sequence[RunRow]:
        """Those whose message does not say what it should."""
        return self._select(AIRFLOW_RUN.c.shown.is_distinct_from(AIRFLOW_RUN.c.words))

    def tell(self, row: RunRow, state: str, words: str, *, outbox: Outbox, letter: Letter | None = None) -> None:
        """It stands so, and its message should say this; `letter` is told as well, once. May be repeated."""
        with writing(self._store.engine) as connection:
            connection.execute(
                update(AIRFLOW_RUN)
                .where(self._mine, AIRFLOW_RUN.c.proposal_id == row.proposal_id, AIRFLOW_RUN.c.state != OVER)
                .values(state=state, words=words)
            )
            if letter is not None:
                outbox.put_within(connection, [letter])

    def shows(self, row: RunRow) -> None:
        """The message says what was wanted of it."""
        with writing(self._store.engine) as connection:
            connection.execute(
                update(AIRFLOW_RUN)
                .where(self._mine, AIRFLOW_RUN.c.proposal_id == row.proposal_id)
                .values(shown=row.words)
            )

    def _select(self, condition: Any) -> Sequence[RunRow]:
        query = select(AIRFLOW_RUN).where(self._mine, condition).order_by(AIRFLOW_RUN.c.made_at)
        with reading(self._store.engine) as connection:
            rows = connection.execute(query).all()
        return [
            RunRow(
                proposal_id=row.proposal_id,
                where=Where(row.user_id, row.chat_id, row.thread_id),
                message_id=row.message_id,
                dag_id=row.dag_id,
                run_id=row.run_id,
                state=row.state,
                words=row.words,
                made_at=read_stamp(row.made_at),
            )
            for row in rows
        ]
